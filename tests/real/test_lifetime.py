"""What becomes of a shadow over time: a stop empties it, a full one harms nobody."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from real.containers import OWNER, Engine, Launch, MakeVenv, overlay_args, tree_hash


@pytest.mark.proves("`stop` and `start` empty the shadow, and nothing else")
def test_a_stop_empties_the_shadow_and_nothing_else(
    engine: Engine, workspace: Path, launch: Launch, venv: Path
) -> None:
    before = tree_hash(workspace / ".venv")
    container = launch(workspace, *overlay_args(workspace, engine.name))
    shadow = container.mounts()[str(venv)]
    container.sh("python3 -m venv --without-pip .venv; echo container >/root/kept; echo workspace >kept")

    engine("stop", container.name)
    engine("start", container.name)

    assert container.sh("ls -A .venv; cat /root/kept kept") == "container\nworkspace\n"
    assert container.mounts()[str(venv)] == shadow
    container.sh("python3 -m venv --without-pip .venv; .venv/bin/python --version")
    assert tree_hash(workspace / ".venv") == before


@pytest.mark.proves("`venv-tmpfs.size` is the limit, and a full shadow harms nothing else")
def test_a_full_shadow_harms_nothing_else(
    engine: Engine, workspace: Path, launch: Launch, make_host_venv: MakeVenv
) -> None:
    for name in (".venv", "other"):
        make_host_venv(workspace / name)
    (workspace / "paude.json").write_text(json.dumps({"venv-tmpfs": {"size": "1m"}}))
    arguments = overlay_args(workspace, engine.name)
    before = tree_hash(workspace)

    container = launch(workspace, *arguments, user=OWNER)
    filled = container.exec("dd", "if=/dev/zero", "of=.venv/full", "bs=64k", "count=32")

    assert "No space left on device" in filled.stderr
    assert container.sh("stat -c %s .venv/full") == f"{1024 * 1024}\n"
    container.sh("head -c 1000000 /dev/zero >other/file; head -c 2000000 /dev/zero >/tmp/file")
    assert tree_hash(workspace) == before
    container.sh("head -c 2000000 /dev/zero >file; rm .venv/full; cp /bin/echo .venv; .venv/echo")
