"""Podman of an ordinary user, with that user's id in the container (`--userns=keep-id`) and without."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from engines.containers import (
    STRANGER,
    Engine,
    Launch,
    NoEngineError,
    bind,
    find_engine,
    run,
    shadow_args,
    tree_hash,
    use_venv,
)


@pytest.fixture(scope="session")
def as_user() -> str:
    """Return the program that runs its arguments as an ordinary user."""
    program = os.environ.get("PAUDE_VENV_HOOK_TEST_AS_USER")
    if not program:
        pytest.skip("PAUDE_VENV_HOOK_TEST_AS_USER names no program; tests/engines/start-engines makes one")
    return program


@pytest.fixture(scope="session")
def engine(image: str, as_user: str) -> Engine:
    """Return the user's Podman, where the machine allows one."""
    try:
        return find_engine("podman", image, (as_user, "podman"))
    except NoEngineError as problem:
        pytest.skip(str(problem))


PROVES = "a venv works on both sides, as the default user and another one"


@pytest.mark.parametrize(
    "options",
    [
        pytest.param([], marks=pytest.mark.proves(PROVES), id="mapped"),
        pytest.param(
            ["--userns=keep-id"], marks=pytest.mark.proves(f"{PROVES}, with `--userns=keep-id`"), id="keep-id"
        ),
    ],
)
@pytest.mark.parametrize("user", [None, STRANGER], ids=["default", "stranger"])
def test_host_and_container_each_have_a_venv_that_works(
    engine: Engine,
    workspace: Path,
    launch: Launch,
    venv: Path,
    wheelhouse: Path,
    options: list[str],
    user: int | None,
) -> None:
    wheels = shutil.copytree(wheelhouse, workspace.parent / "wheels")
    before = tree_hash(workspace)

    options = [*shadow_args(workspace, engine.name), bind(wheels, "/wheels", read_only=True), *options]
    container = launch(workspace, *options, user=user)

    assert container.sh("ls -A .venv; cat app.py") == "print('hello')\n"
    use_venv(container)
    assert tree_hash(workspace) == before
    run(venv / "bin/python", "-B", "-c", "import markupsafe._speedups")
