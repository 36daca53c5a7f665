"""The proxy of Docker's API as a process, the ways to a daemon, and what speaks to a socket without a client."""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import pty
import select
import shlex
import signal
import socket
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from real.containers import ENVIRONMENT, PROGRAM, Engine

if TYPE_CHECKING:
    from typing_extensions import Self

LIMIT = 60  # seconds after which whatever a test waits for counts as hung
UPSTREAM = ENVIRONMENT.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")


def until(condition: Callable[[], object], what: str, limit: float = LIMIT) -> None:
    """Wait until the condition holds; `what` says what was waited for in vain."""
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, f"not within {limit} s: {what}"
        time.sleep(0.02)


class Proxy:
    """The proxy in front of a socket, with a home folder of its own."""

    def __init__(self, folder: Path, upstream: str = UPSTREAM, before: Sequence[str] = ()) -> None:
        """Take an empty folder for its files, short enough for a socket, and words for before its own.

        Nothing is started yet.
        """
        self.socket, self.home, self.log = folder / "docker.sock", folder / "home", folder / "log"
        self.upstream, self.before = upstream, before
        self.home.mkdir()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def command(self) -> list[str]:
        """The words that start it."""
        return [*self.before, str(PROGRAM), "docker-proxy", f"--listen={self.socket}", f"--upstream={self.upstream}"]

    @property
    def environ(self) -> dict[str, str]:
        """The environment in which it runs."""
        kept = {name: value for name, value in ENVIRONMENT.items() if not name.startswith(("XDG_", "DOCKER_"))}
        return {**kept, "HOME": str(self.home)}

    def start(self) -> None:
        """Start it, and wait until it serves."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, env=self.environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        until(self._serves, f"the proxy serves: {self.said()}")

    def _serves(self) -> bool:
        assert self.process, "it was not started"
        assert self.process.poll() is None, f"the proxy ended: {self.said()}"
        with suppress(OSError), socket.socket(socket.AF_UNIX) as client:
            client.settimeout(LIMIT)
            client.connect(str(self.socket))
            client.sendall(b"GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n")
            return bool(client.recv(1))  # before it answers, it has not all its file descriptors yet
        return False

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End it with the signal, and return its exit code."""
        assert self.process, "it was not started"
        self.process.send_signal(how)
        return self.process.wait(LIMIT)

    def said(self) -> str:
        """Return what it has written."""
        return self.log.read_text(errors="replace")

    def descriptors(self) -> int:
        """Return how many file descriptors it has; each of its tasks holds one at least."""
        assert self.process, "it was not started"
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def memory(self) -> int:
        """Return how many MiB of memory it has."""
        return self._status("VmRSS")

    def peak(self) -> int:
        """Return how many MiB of memory it had at most since `forget_peak`."""
        return self._status("VmHWM")

    def forget_peak(self) -> None:
        """Let the peak begin anew."""
        assert self.process, "it was not started"
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def _status(self, wanted: str) -> int:
        assert self.process, "it was not started"
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(wanted)) // 1024


class OwnProxy(Protocol):
    """Makes a proxy of the test's own, which is ended after the test."""

    def __call__(self, upstream: str = UPSTREAM, before: Sequence[str] = ()) -> Proxy:
        """Return it, not started yet."""


@contextmanager
def nothing_is_left(proxy: Proxy) -> Iterator[None]:
    """Check that what happens meanwhile leaves no file descriptor, and is no bug in the proxy's eyes."""
    before, said = proxy.descriptors(), proxy.said()
    yield
    until(lambda: proxy.descriptors() <= before, f"it has the {before} descriptors that it had before", limit=10)
    new = proxy.said().removeprefix(said)
    assert "bug" not in new, new
    assert "Traceback" not in new, new


@dataclass(frozen=True)
class Way:
    """How a client reaches the daemon: by its plain socket, or through the proxy."""

    environ: Mapping[str, str]  # of the client
    shadows: bool  # whether the proxy is on the way

    @property
    def command(self) -> tuple[str, ...]:
        """The words that start Docker's command line so that it takes this way, for a limited time."""
        unset = () if "DOCKER_HOST" in self.environ else ("--unset=DOCKER_HOST",)
        variables = [f"{name}={value}" for name, value in self.environ.items() if name.startswith("DOCKER_")]
        return ("timeout", "--foreground", "--kill-after=5", str(LIMIT), "env", *unset, *variables, "docker")


def reached(engine: Engine, path: Path) -> Engine:
    """Return the engine, as its command line reaches it at the socket."""
    words = [f"DOCKER_HOST=unix://{path}" if word.startswith("DOCKER_HOST=") else word for word in engine.command]
    return replace(engine, command=tuple(words))


class Dialogue:
    """A program that is spoken to while it runs, through pipes or in a terminal."""

    def __init__(self, *command: str | Path, terminal: bool = False) -> None:
        """Start it, with a terminal of 24 lines and 80 columns if it shall have one."""
        self.line = shlex.join(map(str, command))
        if terminal:
            self._ours, theirs = pty.openpty()
            fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
            words: list[str | Path] = ["setsid", "--ctty", *command]
            self.process = subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs, env=ENVIRONMENT)
            os.close(theirs)
            self._out = self._ours
        else:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=ENVIRONMENT
            )
            assert self.process.stdin, "a pipe"
            assert self.process.stdout, "a pipe"
            self._ours, self._out = os.dup(self.process.stdin.fileno()), os.dup(self.process.stdout.fileno())
            self.process.stdin.close()
            self.process.stdout.close()
        self.seen = ""

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it if it still runs."""
        self.process.kill()
        self.process.wait(LIMIT)
        for descriptor in {self._ours, self._out}:
            with suppress(OSError):
                os.close(descriptor)

    def send(self, text: str) -> None:
        """Type the text, or write it to the pipe."""
        os.write(self._ours, text.encode())

    def end(self) -> None:
        """Close the program's stdin."""
        os.close(self._ours)

    def resize(self, lines: int, columns: int) -> None:
        """Give the terminal another size, and tell the program."""
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns - 1, 0, 0))
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def is_in_front(self) -> bool:
        """Tell whether the program itself has the terminal, and not one that it has started."""
        return os.tcgetpgrp(self._ours) == self.process.pid

    def expect(self, text: str, again: Callable[[], None] = lambda: None) -> None:
        """Read on until the text has come, and do something again while it has not; what follows it is left."""
        deadline = time.monotonic() + LIMIT
        while text not in self.seen:
            ready, _, _ = select.select([self._out], [], [], 0.5)
            if not ready:
                assert time.monotonic() < deadline, f"{text!r} did not come: {self.line}\n{self.seen}"
                again()
                continue
            chunk = b""
            with suppress(OSError):  # the end of a terminal
                chunk = os.read(self._out, 65536)
            assert chunk, f"{text!r} did not come: {self.line}\n{self.seen}"
            self.seen += chunk.decode(errors="replace")
        self.seen = self.seen.partition(text)[2]

    def wait(self) -> int:
        """Return the exit code."""
        return self.process.wait(LIMIT)


class Answer(NamedTuple):
    """What a daemon, or the proxy, answered."""

    status: int
    body: Any  # what the JSON says, or bytes


class Connection(http.client.HTTPConnection):
    """A connection to the API at a socket; each wait has a limit."""

    def __init__(self, path: str | Path) -> None:
        """Take the socket."""
        super().__init__("docker", timeout=LIMIT)
        self.path = str(path)

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(LIMIT)
        self.sock.connect(self.path)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def ask(self, method: str, path: str, body: object = None, **more: Any) -> Answer:
        """Send a request, whose body is bytes or will be JSON, and return the whole answer."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        headers = {} if body is None else {"Content-Type": "application/json"}
        self.request(method, path, data, {**headers, **more.get("headers", {})})
        response = self.getresponse()
        text = response.read()
        is_json = response.headers.get_content_type() == "application/json"
        return Answer(response.status, json.loads(text) if is_json and text else text)


def ask(path: str | Path, method: str, target: str, body: object = None) -> Answer:
    """Send one request to the socket on a connection of its own."""
    with Connection(path) as connection:
        return connection.ask(method, target, body)
