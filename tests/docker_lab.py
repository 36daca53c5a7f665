"""A stand-in for Docker's daemon on a socket, in the loop of the test, and the proxy before it, in a forked process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import sys
import traceback
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from paude_venv_hook.proxy.listener import listening
from paude_venv_hook.proxy.person import Person
from paude_venv_hook.proxy.server import serve
from paude_venv_hook.proxy.setup import Setup
from paude_venv_hook.terminal import WARNINGS

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
SECONDS = 60.0
JSON = b"Content-Type: application/json\r\n"


class Asked(Setup):
    """A setup whose daemon answers by a function of the test's own."""

    answers: Callable[[str], Any] = staticmethod(lambda _: {"message": "No such container"})

    def ask(self, target: str) -> Any:
        """Answer."""
        return self.answers(target)


def setup_with(answers: Callable[[str], Any] | None = None, **more: Any) -> Asked:
    """Return a setup; without answers its daemon has no container."""
    setup = Asked("/var/run/docker.sock", "/nobody/listens/here", {}, engine="docker")._replace(**more)
    if answers:
        setup.answers = answers
    return setup


class Client(NamedTuple):
    """A connection to the proxy."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def say(self, data: bytes) -> None:
        """Send it all."""
        self.writer.write(data)
        await self.writer.drain()

    async def ask(self, data: bytes) -> bytes:
        """Send a request and return the answer, which says its length."""
        await self.say(data)
        return await read_message(self.reader)

    async def rest(self) -> bytes:
        """Return all that still comes."""
        return await self.reader.read()

    def close(self) -> None:
        """Hang up, at once."""
        self.writer.transport.abort()


async def read_message(reader: asyncio.StreamReader) -> bytes:
    """Return a request or an answer as it came, nothing at the end."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        return error.partial
    if match := re.search(rb"(?i)\r\ncontent-length: *([0-9]+)", head):
        return head + await reader.readexactly(int(match[1]))
    if b"chunked" in head:
        body = b""
        while not body.endswith(b"0\r\n\r\n"):
            body += await reader.readexactly(1)
        return head + body
    return head


def request(line: str, body: bytes = b"", *fields: str) -> bytes:
    """Return a request with a length."""
    lines = [f"{line} HTTP/1.1", "Host: docker", *fields, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def answer(status: str = "200 OK", body: bytes = b"{}\n", *fields: str) -> bytes:
    """Return an answer with a length."""
    lines = [f"HTTP/1.1 {status}", "Server: Docker", *fields, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def passed(asked: bytes) -> bytes:
    """Return what comes to the daemon of a request that is passed on: the connection is to end with its answer."""
    head, _, body = asked.partition(b"\r\n\r\n")
    return head + b"\r\nConnection: close\r\n\r\n" + body


def answering(
    *answers: bytes, seen: list[bytes] | None = None, told: Mapping[str, object] | None = None, engine: str = "Engine"
) -> Serve:
    """Return a daemon that gives these answers, the last of them again and again; it ends a connection as Go does.

    What the proxy itself asks is not among those: of the engine, and of what is `told`, by the path of the call.
    """
    left = list(answers)
    known = {"/version": {"Components": [{"Name": engine}]}, **(told or {})}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = b""
        while b"close\r\n" not in asked and (asked := await read_message(reader)):
            if match := re.match(rb"GET ([^ ]+) HTTP/1.0", asked):
                writer.write(answer(body=json.dumps(known[match[1].decode()]).encode()))
                return
            if seen is not None:
                seen.append(asked)
            writer.write(left.pop(0) if len(left) > 1 else left[0])
            await writer.drain()

    return serve


class Lab(NamedTuple):
    """The proxy's socket and the daemon's, the process of the proxy, and what ends it when it is closed."""

    proxy: str
    daemon: str
    process: int
    stop: socket.socket

    @contextlib.asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        """Connect, and hang up in the end."""
        client = Client(*await asyncio.open_unix_connection(self.proxy))
        try:
            yield client
        finally:
            client.close()

    async def ask(self, data: bytes) -> bytes:
        """Send a request on a connection of its own, and return all that comes back."""
        async with self.client() as client:
            await client.say(data)
            return await client.rest()


@contextlib.asynccontextmanager
async def proxied(answers: Serve, asked_in: str | None = None) -> AsyncIterator[Lab]:
    """Start a daemon and a proxy. When the clients have hung up, no connection of theirs may be left in either."""
    with TemporaryDirectory(dir="/tmp") as folder:
        connections: set[asyncio.Task[Any]] = set()

        async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task, "it is served by one"
            connections.add(task)
            try:
                with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                    await answers(reader, writer)
            finally:
                connections.discard(task)
                writer.close()

        at = f"{folder}/daemon.sock"
        daemon = await asyncio.start_unix_server(served, at)
        with listening(f"{folder}/own/proxy.sock") as listener:
            process, stop = start(listener, at, asked_in)
            try:
                before = await idle(process, listener.getsockname())
                yield Lab(f"{folder}/own/proxy.sock", at, process, stop)
                await until(lambda: not connections, "the daemon has no connection any more")
                if stop.fileno() >= 0:
                    await until(lambda: descriptors(process) == before, "the proxy has no connection any more")
                stop.close()
                ended: list[tuple[int, int]] = []
                await until(lambda: has_ended(process, ended), "the proxy has ended")
                assert ended == [(process, 0)]
                process = 0
            finally:
                stop.close()
                if process:
                    os.kill(process, signal.SIGKILL)
                    os.waitpid(process, 0)  # noqa: ASYNC222 - it ends at once
                for task in connections:
                    task.cancel()
                await asyncio.gather(*connections, return_exceptions=True)
                daemon.close()
                await daemon.wait_closed()


def start(listener: socket.socket, upstream: str, asked_in: str | None) -> tuple[int, socket.socket]:
    """Return a process that serves, and the socket whose end ends it."""
    theirs, ours = socket.socketpair()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of Python 3.12, for the threads of the tests' own workers
        process = os.fork()
    if not process:
        try:
            ours.close()
            serve(
                listener, upstream, {}, theirs.fileno(), person=None if asked_in is None else Person(asked_in, WARNINGS)
            )
            os._exit(0)
        except BaseException:  # noqa: BLE001 - it must not go on as the test
            traceback.print_exc()
        finally:
            os._exit(3)
    theirs.close()
    return process, ours


def has_ended(process: int, ended: list[tuple[int, int]]) -> bool:
    """Tell whether the process has ended; then it is added, with its status."""
    about = os.waitpid(process, os.WNOHANG)
    if about != (0, 0):
        ended.append(about)
    return bool(ended)


async def idle(process: int, path: str) -> int:
    """Return how many files the proxy has open once it serves, and nobody is connected."""
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b"no HTTP\r\n\r\n")
    await reader.read()
    connected = descriptors(process)
    writer.close()
    await until(lambda: descriptors(process) < connected or not connected, "the first client is forgotten")
    return descriptors(process)


async def until(condition: Callable[[], object], what: str) -> None:
    """Wait until the condition holds; `what` says what was waited for in vain."""
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError(what)


def descriptors(process: int) -> int:
    """Return how many files a process has open, if that can be known."""
    return len(os.listdir(f"/proc/{process}/fd")) if sys.platform == "linux" else 0


def run(scenario: Coroutine[Any, Any, None], seconds: float = SECONDS) -> None:
    """Run a scenario, which must not hang."""
    asyncio.run(asyncio.wait_for(scenario, seconds))
