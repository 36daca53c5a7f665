"""Compare programs with `exec --` before them with the same programs alone, and print ratios and differences.

    tests/real/start-engines --on-disk python tests/benchmarks/around.py

Run it with the Python of the environment in which the hook is installed, on Linux, with docker compose. Each row is
measured in turns with the program alone, so that what else the machine does hits both; the median of the turns' ratios
(or differences) is shown, beside the median times. Nothing here is a test.
"""

from __future__ import annotations

import compileall
import json
import os
import platform
import statistics
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import paude_venv_hook

IMAGE = os.environ.get("PAUDE_VENV_HOOK_TEST_IMAGE", "python:3.13")
EXEC = [str(Path(sysconfig.get_path("scripts"), "paude-venv-hook")), "exec", "--"]
COMPOSE = ["docker", "compose"]


def main() -> None:
    """Print the table."""
    compileall.compile_dir(os.path.dirname(paude_venv_hook.__file__), quiet=1)  # as installers do
    print(f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}\n")
    print(f"{'what':<44} {'plain':>9} {'exec':>9} {'':>9}  at most")
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("DOCKER_CONFIG", os.path.expanduser("~/.docker"))
        os.environ["HOME"] = folder
        workspace = make_workspace(Path(folder, "app"))
        os.chdir(workspace)
        run_line = ["docker", "run", "--rm", "--network=host", f"--volume={workspace}:/app", IMAGE, "true"]

        row("true", ["true"], 40, difference=45)
        row("sh -c 'docker ps'", ["sh", "-c", "docker ps"], 20, difference=60 + 45)
        row("sh -c 'docker ps; docker ps', the second one", ["sh", "-c", "docker ps; docker ps"], 20)
        row("docker ps", ["docker", "ps"], 20)
        row("docker run --rm IMAGE true", run_line, 10)
        row("docker compose ps", [*COMPOSE, "ps"], 20, ratio=1.25)
        try:
            row("docker compose up -d, two services", [*COMPOSE, "up", "-d"], 10, ratio=1.4, before=down)
            row("the same, nothing to do", [*COMPOSE, "up", "-d"], 15, ratio=1.6)
        finally:
            down()
        row("docker compose down, nothing to do", [*COMPOSE, "down"], 15)


def make_workspace(folder: Path) -> Path:
    """Make a workspace with a venv, and a project of two services that bind it."""
    (folder / ".venv").mkdir(parents=True)
    (folder / ".venv" / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.11.2\n")
    service = {"image": IMAGE, "network_mode": "host", "command": "sleep infinity", "stop_grace_period": "0s"}
    services = {name: {**service, "volumes": [".:/app"]} for name in ("web", "worker")}
    (folder / "compose.yaml").write_text(json.dumps({"services": services}))
    return folder


def down() -> None:
    """Remove what the project has started."""
    subprocess.run([*COMPOSE, "kill"], capture_output=True, check=False)
    subprocess.run([*COMPOSE, "down"], capture_output=True, check=True)


def row(
    name: str,
    words: list[str],
    rounds: int,
    *,
    ratio: float | None = None,
    difference: float | None = None,
    before: Callable[[], None] | None = None,
) -> None:
    """Measure both in turns, each first every other time, and print what came of it."""
    plain: list[float] = []
    ours: list[float] = []
    for number in range(rounds):
        order = [([], plain), (EXEC, ours)]
        for start, times in order if number % 2 else reversed(order):
            if before:
                before()
            times.append(timed([*start, *words]))
    pairs = list(zip(ours, plain, strict=True))
    ratios = statistics.median(mine / other for mine, other in pairs)
    more = statistics.median(mine - other for mine, other in pairs) * 1000
    times_shown = f"{statistics.median(plain) * 1000:6.1f} ms {statistics.median(ours) * 1000:6.1f} ms"
    limits = f"{ratio}" if ratio else f"+{difference} ms" if difference else ""
    is_over = (ratio and ratios > ratio) or (difference and more > difference)
    print(f"{name:<44} {times_shown} {ratios:6.2f} {more:+7.1f} ms  {limits}{'  OVER' if is_over else ''}", flush=True)


def timed(command: list[str]) -> float:
    """Return the seconds that a command takes; it has to succeed."""
    start = time.perf_counter()
    subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
