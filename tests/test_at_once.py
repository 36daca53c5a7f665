"""Several hooks at once on one workspace, some of which are killed: the overlay is whole at any moment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from paude_venv_hook import overlay

NAMES = [f"environments-{'x' * 80}-{index:02}" for index in range(100)]  # the overlay has 150 KB

RUN = """
import os, signal, sys, time
from paude_venv_hook.cli import main

def run(number):
    return main(["run", "--quiet", "--engine", ("docker", "podman")[number % 2]])
"""
TEN_RUNS = """
print("ready", flush=True)
while not os.path.exists("go"):  # all begin at the same moment
    time.sleep(0.0001)
sys.exit(sum(run(int(sys.argv[1]) + number) for number in range(10)))
"""
KILLED = """
import random
from paude_venv_hook import overlay

def seconds(number):
    start = time.monotonic()
    run(number)
    return time.monotonic() - start

took = min(seconds(number) for number in range(5))
path = overlay.default_path(".")
engines = set()
for kill in range(400):  # 40, and on a busy machine as many more, with more time, as it takes to see both engines
    child = os.fork()
    if not child:
        for number in range(kill, 1000):
            run(number)
    some = 2 * took * (1 + kill // 40)
    time.sleep(random.uniform(0, some))  # some are killed in their second run, which changes the overlay too
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    document = overlay.load(path)
    engines.add(document["engine"])
    if len(document["shadows"]) != 100 or len(os.listdir(os.path.dirname(path))) > 2:
        sys.exit(f"kill {kill}")
    if kill >= 39 and len(engines) == 2:
        break
sys.exit(run(1) or run(2) or len(engines) - 2)
"""


@pytest.fixture
def written(workspace: Path) -> Path:
    """Return the path of the overlay of a workspace whose overlay is large."""
    (workspace / "paude.json").write_text(json.dumps({"venv": NAMES}))
    return Path(overlay.default_path(str(workspace)))


def start(code: str, *arguments: str) -> subprocess.Popen[str]:
    line = [sys.executable, "-c", RUN + code, *arguments]
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def check(path: Path) -> str:
    """Check that the overlay is whole, and return its engine."""
    document = overlay.load(str(path))
    assert [shadow["path"] for shadow in document["shadows"]] == NAMES
    assert len(document["runArgs"]) == 2 * len(NAMES)
    assert document["runArgs"] == document["engines"][document["engine"]]["runArgs"]
    return str(document["engine"])


def test_hooks_at_once_all_succeed_and_a_reader_sees_only_whole_overlays(workspace: Path, written: Path) -> None:
    """They race for the mount points too, none of which is there at first."""
    hooks = [start(TEN_RUNS, str(number)) for number in range(5)]
    assert [hook.stdout.readline() for hook in hooks if hook.stdout] == ["ready\n"] * 5
    (workspace / "go").touch()

    seen = []
    while None in [hook.poll() for hook in hooks]:
        if written.exists():
            seen.append(check(written))

    assert [(hook.communicate()[1], hook.returncode) for hook in hooks] == [("", 0)] * 5
    assert set(seen) == {"docker", "podman"}
    assert os.listdir(written.parent) == [written.name]
    assert sorted(path.name for path in workspace.iterdir() if path.is_dir()) == NAMES


@pytest.mark.skipif(not hasattr(os, "fork"), reason="hooks are forked, since a new process takes too long")
def test_hooks_that_are_killed_at_any_of_40_moments_leave_a_whole_overlay(workspace: Path, written: Path) -> None:
    hook = start(KILLED)

    assert (hook.communicate()[1], hook.returncode) == ("", 0)
    check(written)
    assert os.listdir(written.parent) == [written.name]
