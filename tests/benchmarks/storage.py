"""Compare how soon the tests of a project pass after a stopped container is started: memory, disk, a shared venv.

    tests/real/start-engines python tests/benchmarks/storage.py

Run it with the Python of the environment in which the hook is installed. The three containers have the same image and
the same small project with three dependencies: one has its venv in memory, so that the setup has to run again; one on
disk; and one has a plain venv, made by the container in the shared tree. They are measured in turns, so that what else
the machine does hits all; medians of the turns' ratios are shown. Nothing here is a test.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 9
LIMIT = 1.2
IMAGE = os.environ.get("PAUDE_VENV_HOOK_TEST_IMAGE", "python:3.13")
HOOK = [sys.executable, "-m", "paude_venv_hook"]
DEPENDENCIES = ("attrs", "click", "markupsafe", "pytest")
SETUP = "python3 -m venv .venv && .venv/bin/pip install --quiet --no-index --find-links=/wheels -r requirements.txt"
TESTS = """\
import attrs, click, markupsafe


def test_dependencies_work():
    assert markupsafe.escape(click.style("<", reset=False)) == "&lt;"
    assert attrs.make_class("C", ["x"])(1).x == 1
"""


def main() -> None:
    """Print the seconds and the ratios of each engine that works."""
    for engine in ("docker", "podman"):
        if output(engine, "version", check=False):
            with tempfile.TemporaryDirectory() as folder:
                os.environ["XDG_DATA_HOME"] = os.path.join(folder, "data")
                measure(engine, Path(folder).resolve())


def measure(engine: str, top: Path) -> None:
    """Print the row of an engine; `top` is an empty folder."""
    wheels = download(engine, top / "wheels")
    containers = {}
    try:
        for way in ("memory", "disk", "plain"):
            workspace = top / way / "app"
            workspace.mkdir(parents=True)
            (workspace / "pyproject.toml").write_text('[project]\nname = "app"\nversion = "1"\n')
            (workspace / "requirements.txt").write_text("\n".join(DEPENDENCIES))
            (workspace / "test_app.py").write_text(TESTS)
            containers[way] = make(engine, workspace, way, wheels)
        seconds = [{way: reopen(engine, name, way) for way, name in containers.items()} for _ in range(ROUNDS)]
    finally:
        output(engine, "rm", "--force", *containers.values(), check=False)
    for way in containers:
        ratio = statistics.median(turn[way] / turn["plain"] for turn in seconds)
        limit = f"at most {LIMIT}" if way == "disk" else ""
        over = "  OVER" if limit and ratio > LIMIT else ""
        median = statistics.median(turn[way] for turn in seconds)
        print(f"{engine:<8} {way:<8} {median:6.2f} s {ratio:6.2f} of plain  {limit}{over}", flush=True)


def download(engine: str, folder: Path) -> Path:
    """Return the folder with the wheels of the dependencies, for the image's Python."""
    about = "import platform; print('.'.join(platform.python_version_tuple()[:2]), platform.machine())"
    words = (engine, "run", "--rm", "--network=host", IMAGE, "python3", "-c", about)
    version, machine = output(*words).split()
    wanted = (f"--python-version={version}", f"--platform=manylinux2014_{machine}", "--only-binary=:all:")
    output(sys.executable, "-m", "pip", "download", "--quiet", *wanted, f"--dest={folder}", *DEPENDENCIES)
    return folder


def make(engine: str, workspace: Path, way: str, wheels: Path) -> str:
    """Return the name of a new container, in which the venv is set up, stopped."""
    if way == "plain":
        arguments = []
    else:
        own = ("--engine", engine, "--workspace-folder", str(workspace), "--venv", ".venv", "--storage", way)
        output(*HOOK, "run", *own, "--quiet")
        arguments = output(*HOOK, "print", *own, "--format=nul", "--quiet").split("\0")[:-1]
    name = f"paude-venv-hook-benchmark-{os.getpid()}-{way}"
    binds = (f"--volume={workspace}:{workspace}", f"--volume={wheels}:/wheels:ro", f"--workdir={workspace}")
    own_options = ("--detach", "--network=host", "--stop-timeout=0", "--name", name)
    output(engine, "run", *own_options, *binds, *arguments, IMAGE, "sleep", "infinity")
    output(engine, "exec", name, "sh", "-ec", SETUP)
    output(engine, "stop", name)
    return name


def reopen(engine: str, name: str, way: str) -> float:
    """Return how many seconds it takes from the start of the container until its tests have passed; it is stopped."""
    start = time.perf_counter()
    output(engine, "start", name)
    if way == "memory":
        output(engine, "exec", name, "sh", "-ec", SETUP)
    output(engine, "exec", name, ".venv/bin/python", "-m", "pytest", "-q", "-p", "no:cacheprovider")
    taken = time.perf_counter() - start
    output(engine, "stop", name)
    return taken


def output(*command: str, check: bool = True) -> str:
    """Run the command and return what it prints; nothing if it may fail and does."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    if check and done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return "" if done.returncode else done.stdout


if __name__ == "__main__":
    main()
