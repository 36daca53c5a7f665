"""What the tests share that need programs from elsewhere: engines, the dev container tools."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest

LOUD = "NOT RUN HERE: "  # the table at the end begins with what must not be overlooked


def missing(reason: str) -> NoReturn:
    """Skip the test for this reason, or fail it if `.ci/run` promises that nothing is missing."""
    if os.environ.get("PAUDE_VENV_HOOK_REQUIRE_ENGINES") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def need_devcontainer_cli() -> str:
    """Return the program of the devcontainer CLI, without which the test is `missing` something."""
    return shutil.which("devcontainer") or missing(
        "there is no devcontainer CLI on PATH; npm has it as @devcontainers/cli"
    )
