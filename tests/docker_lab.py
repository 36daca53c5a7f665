"""A stand-in for Docker's daemon on a socket, and the proxy before it, both in the loop of the test."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from paude_venv_hook.proxy.end import cancel
from paude_venv_hook.proxy.listener import accepting, listening
from paude_venv_hook.proxy.server import Proxy

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
SECONDS = 8.0
JSON = b"Content-Type: application/json\r\n"


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


def answering(*answers: bytes, seen: list[bytes] | None = None) -> Serve:
    """Return a daemon that gives these answers on each connection, and the last of them again and again."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left = list(answers)
        while asked := await read_message(reader):
            if seen is not None:
                seen.append(asked)
            writer.write(left.pop(0) if len(left) > 1 else left[0])
            await writer.drain()

    return serve


class Lab(NamedTuple):
    """The proxy's socket and the daemon's, and the tasks of the proxy's clients."""

    proxy: str
    daemon: str
    clients: set[asyncio.Task[None]]

    @contextlib.asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        """Connect, and hang up in the end."""
        client = Client(*await asyncio.open_unix_connection(self.proxy))
        try:
            yield client
        finally:
            client.close()

    async def all_gone(self) -> None:
        """Wait until the proxy has forgotten its clients."""
        await _none_left(self.clients)


@contextlib.asynccontextmanager
async def proxied(serve: Serve, environ: dict[str, str] | None = None) -> AsyncIterator[Lab]:
    """Start a daemon and a proxy. When the clients have hung up, no task of theirs may be left, and no descriptor."""
    with TemporaryDirectory(dir="/tmp") as folder:
        connections = set()

        async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            connections.add(task)
            try:
                with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                    await serve(reader, writer)
            finally:
                connections.discard(task)
                writer.close()

        at = f"{folder}/daemon.sock"
        daemon = await asyncio.start_unix_server(served, at)
        with (
            listening(f"{folder}/own/proxy.sock") as listener,
            accepting(listener, Proxy(at, environ or {})) as clients,
        ):
            before = (len(asyncio.all_tasks()), descriptors())
            try:
                yield Lab(f"{folder}/own/proxy.sock", at, clients)
                await asyncio.wait_for(_none_left(clients, connections), 5)
                for _ in range(100):  # the daemon's own are closed a little later
                    if (len(asyncio.all_tasks()), descriptors()) != before:
                        await asyncio.sleep(0.01)
                assert (len(asyncio.all_tasks()), descriptors()) == before
            finally:
                await cancel(*clients, *connections)
                daemon.close()
                await daemon.wait_closed()


async def _none_left(*sets: set[Any]) -> None:
    while any(sets):  # noqa: ASYNC110 - they are the proxy's own
        await asyncio.sleep(0.005)


def descriptors() -> int:
    """Return how many files this process has open, where that can be known."""
    return len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0


def run(scenario: Coroutine[Any, Any, None]) -> None:
    """Run a scenario, which must not hang."""
    asyncio.run(asyncio.wait_for(scenario, SECONDS))
