"""Compare Docker through the proxy of its API with the plain socket, and print ratios.

    tests/real/start-engines --on-disk python tests/benchmarks/proxy.py

Run it with the Python of the environment in which the hook is installed, on Linux. Each row is measured in turns with
the plain socket, so that what else the machine does hits both; the median of the turns' ratios is shown, beside the
median times. A row takes several proxies, one after the other: by where a process comes to lie in memory alone, one is
0.03 quicker or slower than the next. The client is the one of the daemon's own release, if there is one on PATH. The
containers of both bind a workspace with a venv, which only the proxy shadows. The rows without a limit say what
a single call costs. Nothing here is a test.
"""

from __future__ import annotations

import http.client
import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

CLIENTS = 20
PROXIES = 8
IMAGE = os.environ.get("PAUDE_VENV_HOOK_TEST_IMAGE", "python:3.13")
UPSTREAM = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")
HOOK = Path(sysconfig.get_path("scripts"), "paude-venv-hook")

Measure = Callable[[str], float]  # the seconds that something takes at a socket


def main() -> None:
    """Print the table."""
    server = version("docker", "Server")
    docker = next((path for path in all_docker() if version(path, "Client") == server), "docker")
    print(
        f"{platform.machine()}, {os.cpu_count()} CPUs, Docker {server}, its client {version(docker, 'Client')}, "
        f"Python {platform.python_version()}\n"
    )
    print(f"{'what':<44} {'plain':>8} {'proxy':>8} {'ratio':>6} {'limit':>6}")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HOME"] = folder
        workspace = Path(folder, "app")
        (workspace / ".venv").mkdir(parents=True)
        (workspace / ".venv" / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.11.2\n")
        (workspace / "paude.json").write_text("{}")
        compare(docker, workspace)


def all_docker() -> Iterator[str]:
    """Yield each `docker` on PATH."""
    for folder in os.environ["PATH"].split(os.pathsep):
        path = shutil.which("docker", path=folder)
        if path:
            yield path


def version(docker: str, side: str) -> str:
    """Return the release of Docker's client or server."""
    return output(docker, "version", "--format", f"{{{{.{side}.Version}}}}").strip()


def compare(docker: str, workspace: Path) -> None:
    """Print the rows."""
    words = ("--network=host", f"--volume={workspace}:/app", IMAGE, "true")
    row("docker run --rm IMAGE true", 8, lambda path: timed(path, docker, "run", "--rm", *words)[0], workspace, 1.05)
    row("docker save IMAGE", 2, lambda path: timed(path, docker, "save", IMAGE)[0], workspace, 1.1)
    row(f"{CLIENTS} clients: create, start, wait, rm", 2, lambda path: at_once(path, workspace), workspace)
    row("docker create IMAGE true", 20, lambda path: create(path, docker, *words), workspace)
    row("the call that creates, alone", 25, lambda path: call(path, workspace), workspace)
    row("a call that lists, alone", 50, listing, workspace)


def row(name: str, rounds: int, measure: Measure, workspace: Path, limit: float | None = None) -> None:
    """Measure both in turns, so many for each proxy, each first every other time; print what came of it."""
    plain: list[float] = []
    ours: list[float] = []
    for _ in range(PROXIES):
        with proxy(workspace.parent / "run" / "docker.sock") as listen:
            call(listen, workspace)  # its first one, of thousands
            for number in range(rounds):
                for path in (UPSTREAM, listen) if number % 2 else (listen, UPSTREAM):
                    (ours if path == listen else plain).append(measure(path))
    ratio = statistics.median(mine / other for mine, other in zip(ours, plain, strict=True))
    times = f"{statistics.median(plain) * 1000:5.1f} ms {statistics.median(ours) * 1000:5.1f} ms"
    over = "OVER" if limit and ratio > limit else ""
    print(f"{name:<44} {times} {ratio:6.2f} {limit or '':>6} {over}", flush=True)


@contextmanager
def proxy(listen: Path) -> Iterator[str]:
    """Run a proxy on a socket, and yield the socket's path."""
    command = [str(HOOK), "docker-proxy", f"--listen={listen}", f"--upstream={UPSTREAM}"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            while not listen.exists():
                time.sleep(0.01)
            yield str(listen)
        finally:
            process.terminate()


def timed(path: str, *command: str) -> tuple[float, bytes]:
    """Return the seconds that the command takes, and the last that it prints; all of it is read."""
    environ = {**os.environ, "DOCKER_HOST": f"unix://{path}"}
    last = b""
    start = time.perf_counter()
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE) as process:
        assert process.stdout, "a pipe"
        while block := process.stdout.read(1 << 20):
            last = block
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: exit code {process.returncode}")
    return time.perf_counter() - start, last


def create(path: str, docker: str, *words: str) -> float:
    """Return the seconds that `docker create` takes; the container is removed again."""
    taken, made = timed(path, docker, "create", *words)
    output(docker, f"--host=unix://{UPSTREAM}", "rm", made.decode().strip())
    return taken


class Connection(http.client.HTTPConnection):
    """A connection to the API at a socket."""

    def __init__(self, path: str) -> None:
        """Take the socket."""
        super().__init__("docker", timeout=60)
        self.path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)

    def ask(self, method: str, path: str, body: object = None) -> bytes:
        """Return the answer to a request; it has to be a good one."""
        data = None if body is None else json.dumps(body)
        self.request(method, path, data, {} if body is None else {"Content-Type": "application/json"})
        response = self.getresponse()
        answer = response.read()
        if response.status >= 400:
            raise SystemExit(f"{method} {path}: {response.status} {answer.decode()}")
        return answer


def body_of(workspace: Path) -> dict[str, object]:
    """Return the body of a call that creates a container."""
    host = {"Binds": [f"{workspace}:/app"], "NetworkMode": "host"}
    return {"Image": IMAGE, "Cmd": ["true"], "HostConfig": host}


def call(path: str, workspace: Path) -> float:
    """Return the seconds that one call takes, on a new connection; the container is removed again."""
    start = time.perf_counter()
    connection = Connection(path)
    made = json.loads(connection.ask("POST", "/containers/create", body_of(workspace)))
    taken = time.perf_counter() - start
    connection.ask("DELETE", f"/containers/{made['Id']}")
    connection.close()
    return taken


def listing(path: str) -> float:
    """Return the seconds that a call takes that only asks, on a new connection."""
    start = time.perf_counter()
    connection = Connection(path)
    connection.ask("GET", "/containers/json")
    taken = time.perf_counter() - start
    connection.close()
    return taken


def at_once(path: str, workspace: Path) -> float:
    """Return the seconds that many clients at once take for a container each, from `create` to `rm`."""

    def use(_: int) -> None:
        connection = Connection(path)
        container = f"/containers/{json.loads(connection.ask('POST', '/containers/create', body_of(workspace)))['Id']}"
        connection.ask("POST", f"{container}/start")
        connection.ask("POST", f"{container}/wait")
        connection.ask("DELETE", container)
        connection.close()

    start = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(use, range(CLIENTS)))
    return time.perf_counter() - start


def output(*command: str) -> str:
    """Return what the command prints; it has to succeed."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    main()
