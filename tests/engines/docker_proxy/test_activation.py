"""Socket activation, by systemd's own program for it."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from conftest import MakeVenv
from engines.containers import PROGRAM, Engine, bind
from engines.docker_proxy.harness import LIMIT, UPSTREAM, reached, until
from lab import missing

pytestmark = pytest.mark.parametrize("way", ["DOCKER_HOST"], indirect=True)


@pytest.fixture
def activated() -> Iterator[Path]:
    """Return the socket on which systemd's program listens; it becomes the proxy when the first client comes."""
    if not shutil.which("systemd-socket-activate"):
        missing("there is no systemd-socket-activate on PATH; Debian's package systemd has it")
    with TemporaryDirectory(prefix="paude-proxy-") as folder:
        path = Path(folder, "docker.sock")
        home = f"--setenv=HOME={folder}"
        command = ["systemd-socket-activate", f"--listen={path}", home, str(PROGRAM), "docker-proxy"]
        with subprocess.Popen([*command, f"--upstream={UPSTREAM}"], stderr=subprocess.PIPE, text=True) as process:
            until(path.exists, "systemd's program listens")
            yield path
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=LIMIT)
            assert "Traceback" not in said, said


@pytest.mark.proves("Docker's proxy: activated by systemd's socket, the first client is served too")
def test_the_first_client_is_served(activated: Path, engine: Engine, workspace: Path, make_venv: MakeVenv) -> None:
    make_venv(workspace / ".venv")
    through = reached(engine, activated)

    assert through.run(bind(workspace, "/app"), "ls -A /app/.venv; echo first").stdout == "first\n"
    assert through.run(bind(workspace, "/app"), "ls -A /app/.venv; echo second").stdout == "second\n"
