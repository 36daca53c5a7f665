"""If no venv exists yet, the first one that either side makes stays on that side."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from real.containers import OWNER, Engine, Launch, as_owner, overlay_args, run, tree_hash


@pytest.mark.parametrize("command", ["python -m venv", "uv venv", "uv sync", "virtualenv"])
@pytest.mark.proves(
    "reserved `.venv`: the host's folder stays empty, and the container's venv outlives a later one of the host"
)
def test_each_side_keeps_the_venv_that_it_makes_after_the_start(
    engine: Engine, workspace: Path, launch: Launch, venv_tools: Path, command: str
) -> None:
    venv = workspace / ".venv"
    python = f"--python={sys.executable}"
    words: dict[str, list[str | Path]] = {
        "python -m venv": [sys.executable, "-m", "venv", "--without-pip", venv],
        "uv venv": [venv_tools / "uv", "venv", "--offline", python, venv],
        "uv sync": [venv_tools / "uv", "sync", "--offline", python, "--project", workspace],
        "virtualenv": [venv_tools / "virtualenv", python, venv],
    }

    container = launch(workspace, *overlay_args(workspace, engine.name), user=OWNER)
    container.sh("python3 -m venv --without-pip .venv")

    assert (os.listdir(venv), venv.stat().st_uid) == ([], OWNER)

    as_owner(*words[command])

    host = tree_hash(venv)
    assert run(venv / "bin/python", "-c", "import sys; print(sys.prefix)").stdout == f"{venv}\n"
    assert "\nhome = /usr" not in (venv / "pyvenv.cfg").read_text()
    assert container.sh(".venv/bin/python -c 'import sys; print(sys.prefix)'") == f"{venv}\n"
    assert container.sh("cat .venv/pyvenv.cfg") != (venv / "pyvenv.cfg").read_text()
    container.sh("cp /bin/echo .venv/bin/binary; .venv/bin/binary")
    assert tree_hash(venv) == host
