"""Compare the hook side by side with what it cannot be quicker than, and print ratios.

    python tests/benchmarks/compare.py

Run it with the Python of the environment in which the hook is installed. Each row is measured in turns with its
reference, so that what else the machine does hits both; the median of the pairs' ratios is shown. Nothing here is a
test: a slow machine fails no build.
"""

from __future__ import annotations

import compileall
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import paude_venv_hook
from paude_venv_hook.workspace.deep import find_deep_venvs
from paude_venv_hook.workspace.detection import detect

ROUNDS = 40
BARE = [sys.executable, "-c", "pass"]
SCRIPTS = Path(sysconfig.get_path("scripts"))


def main() -> None:
    """Print the table."""
    compileall.compile_dir(os.path.dirname(paude_venv_hook.__file__), quiet=1)  # as installers do
    print(f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}, {platform.system()}\n")
    print(f"{'what':<58} {'ratio':>6} {'at most':>8}")
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder)
        for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
            os.environ[name] = str(top / "home")
        workspace = make_workspace(top / "app")
        os.environ["PAUDE_VENV_DOCKER"] = str(shutil.which("true"))
        hook, engine = [str(SCRIPTS / "paude-venv-hook")], [os.environ["PAUDE_VENV_DOCKER"]]
        wrapper = [str(SCRIPTS / "paude-venv-docker"), "ps"]

        flags = ["--workspace-folder", str(workspace), "--engine", "podman"]
        row("run / bare interpreter", 2.6, timed(hook, workspace), timed(BARE, workspace))
        row("run with flags / bare interpreter", 2.9, timed([*hook, *flags], top), timed(BARE, top))
        row(
            "print --format nul with flags / bare interpreter",
            3.0,
            timed([*hook, "print", "--format", "nul", "--quiet", *flags], top),
            timed(BARE, top),
        )
        row(
            "argparse, json and platformdirs / bare interpreter",
            None,
            timed([sys.executable, "-c", "import argparse, json, platformdirs"], workspace),
            timed(BARE, workspace),
        )
        engine_time = statistics.median(timed(engine, workspace)() for _ in range(ROUNDS))
        row(
            "(docker ps through the wrapper - engine) / bare interpreter",
            1.5,
            lambda: timed(wrapper, workspace)() - engine_time,
            timed(BARE, workspace),
        )
        row("peak memory of run / bare interpreter", 1.6, memory(hook, workspace), memory(BARE, workspace), rounds=5)
        devcontainer = shutil.which("devcontainer")
        if devcontainer:
            command = [devcontainer, "read-configuration", "--workspace-folder", ".", "--docker-path", "true"]
            row(
                "devcontainer read-configuration / run",
                None,
                timed(command, workspace),
                timed(hook, workspace),
                rounds=5,
            )
        else:
            print("devcontainer read-configuration: not run, there is no devcontainer CLI on PATH")

        costs = {}
        for entries in (20_000, 50_000, 100_000):
            many = str(make_many(top / str(entries), entries))
            ours = in_process(partial(detect, many, (), (), same_path=True))
            row(
                f"detection / scandir and stat, {entries:,} entries",
                2.0 if entries == 20_000 else None,
                ours,
                in_process(partial(look, many)),
                rounds=21,
            )
            costs[entries] = statistics.median(ours() for _ in range(5)) / entries
        deep = str(make_many(top / "deep", 20_000, inside="src"))
        row(
            "detection / the same one level down, 20,000 entries",
            2.0,
            in_process(partial(detect, deep, (), (), same_path=True)),
            in_process(partial(look, deep, levels=2)),
            rounds=21,
        )
        trees = str(make_worktrees(top / "trees"))
        row(
            "detection with 100 worktrees / scandir and stat of the same",
            2.0,
            in_process(partial(detect, trees, (), (), same_path=True)),
            in_process(partial(look, trees, levels=4)),
            rounds=21,
        )
        row(
            "status's search / scandir and stat, 5,000 of 10,000",
            2.0,
            in_process(partial(find_deep_venvs, deep)),
            in_process(partial(look, deep, levels=2)),
            rounds=5,
        )
        for entries, cost in costs.items():
            print(f"detection: {cost * 1e6:.2f} µs an entry of {entries:,}")


def row(
    name: str, limit: float | None, ours: Callable[[], float], theirs: Callable[[], float], rounds: int = ROUNDS
) -> None:
    """Print the median ratio of pairs of measurements."""
    ratio = statistics.median(ours() / theirs() for _ in range(rounds))
    print(f"{name:<58} {ratio:6.2f} {limit or '':>8}{'  OVER' if limit and ratio > limit else ''}", flush=True)


def timed(command: list[str], folder: Path) -> Callable[[], float]:
    """Return a function that runs the command once in the folder and returns the seconds it took."""

    def measure() -> float:
        start = time.perf_counter()
        subprocess.run(command, cwd=folder, capture_output=True, check=True)
        return time.perf_counter() - start

    return measure


def memory(command: list[str], folder: Path) -> Callable[[], float]:
    """Return a function that runs the command once and returns its peak memory, in the system's unit."""
    code = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], capture_output=True, check=True);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )

    def measure() -> float:
        done = subprocess.run([sys.executable, "-c", code, *command], cwd=folder, capture_output=True, check=True)
        return float(done.stdout)

    return measure


def in_process(function: Callable[[], object]) -> Callable[[], float]:
    """Return a function that calls the function once and returns the seconds of CPU time it took.

    Nothing waits for a disk here, and what else the machine does counts less.
    """

    def measure() -> float:
        start = time.process_time()
        function()
        return time.process_time() - start

    return measure


def look(folder: str, levels: int = 1) -> int:
    """Do the least that finds a venv: one scandir a level, one stat a directory."""
    found = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                try:
                    os.stat(f"{entry.path}/pyvenv.cfg")
                except OSError:
                    found += look(entry.path, levels - 1) if levels > 1 else 0
                    continue
                found += 1
    return found


def make_workspace(folder: Path) -> Path:
    """Make a workspace with a venv, a paude.json with comments and a 3 KB devcontainer.json with comments."""
    (folder / ".devcontainer").mkdir(parents=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / ".venv")], check=True)
    (folder / "paude.json").write_text(
        '{\n  // what to shadow\n  "venv": "auto", /* the default */\n  "setup": "x",\n}\n'
    )
    config = {
        "image": "mcr.microsoft.com/devcontainers/python:3.12",
        "customizations": {"vscode": {"extensions": [f"publisher.extension-{i:02}" for i in range(80)]}},
        "mounts": ["type=volume,source=cache,target=/cache"],
    }
    text = json.dumps(config, indent=2).replace('"mounts"', '// a comment\n  "mounts"').replace("\n  ]\n", "\n  ],\n")
    (folder / ".devcontainer" / "devcontainer.json").write_text(text)
    return folder


def make_worktrees(folder: Path) -> Path:
    """Make a folder with 100 worktrees of agents, each with a venv and ten other folders."""
    for index in range(100):
        for name in (".venv", *(f"folder{number}" for number in range(10))):
            (folder / ".claude" / "worktrees" / str(index) / name).mkdir(parents=True)
        (folder / ".claude" / "worktrees" / str(index) / ".venv" / "pyvenv.cfg").touch()
    return folder


def make_many(folder: Path, entries: int, inside: str = "") -> Path:
    """Make a folder with so many entries, a quarter of them directories, each with one inside if it is named."""
    for index in range(entries):
        if index % 4:
            (folder / f"file{index}").touch()
        else:
            (folder / f"folder{index}" / inside).mkdir(parents=True)
    return folder


if __name__ == "__main__":
    main()
