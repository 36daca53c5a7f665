"""`docker-proxy` says where the daemon is to be, if nothing is there."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from conftest import serving
from installed import StandIns

SECONDS = 30


@pytest.fixture
def folder(own_socket: Path) -> Path:
    """Return a folder with a short name, as sockets need it."""
    return own_socket.parents[1]


@contextmanager
def served(command: list[str], *arguments: str) -> Iterator[str]:
    """Start a proxy, and give what it says up to where clients find it."""
    words = [*command, "docker-proxy", *arguments]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        said = ""
        try:
            while "export DOCKER_HOST" not in said:
                line = process.stderr.readline()
                assert line, said
                said += line
            yield said
        finally:
            process.terminate()
            process.wait(SECONDS)


@pytest.mark.parametrize("how", ["DOCKER_HOST", "context", "--upstream"])
def test_if_nothing_is_there_a_line_names_the_path_and_what_led_to_it(
    command: list[str], folder: Path, own_socket: Path, stand_ins: StandIns, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream = folder / "daemon.sock"
    stand_ins.add("docker")
    stand_ins.add_context("mine", f"unix://{upstream}")
    led = {"DOCKER_HOST": "DOCKER_HOST leads to ", "context": "the docker context mine leads to ", "--upstream": ""}[
        how
    ]
    if how == "DOCKER_HOST":
        monkeypatch.setenv("DOCKER_HOST", f"unix://{upstream}")
    elif how == "context":
        stand_ins.use_context("mine")

    with served(command, *(["--upstream", str(upstream)] if how == "--upstream" else [])) as said:
        assert said == (
            f"paude-venv-hook: warning: {led}{upstream}: no such file; start Docker\n"
            f"paude-venv-hook: in front of {upstream}; for what is to use it: export DOCKER_HOST=unix://{own_socket}\n"
        )
        assert os.path.exists(own_socket)  # it serves: the daemon may come later


def test_if_a_daemon_is_there_nothing_else_is_said(command: list[str], folder: Path, own_socket: Path) -> None:
    upstream = folder / "daemon.sock"

    with serving(upstream), served(command, "--upstream", str(upstream)) as said:
        assert said == (
            f"paude-venv-hook: in front of {upstream}; for what is to use it: export DOCKER_HOST=unix://{own_socket}\n"
        )
