"""One end of a connection of the proxy, and how its bytes go over to another one.

Nothing is read that cannot be passed on, but for one block: by it, it is known at once that the other side hung up.
What asyncio calls streams is not used, since they copy each byte twice more.
"""

from __future__ import annotations

import asyncio
import select
import socket
import sys
from contextlib import suppress

from paude_venv_hook.proxy.framing import head_length

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from paude_venv_hook.proxy.framing import Chunked, Sized

BLOCK_BYTES = 256 * 1024
_GONE_SECONDS = 1.0


class GoneError(Exception):
    """The other side has closed the connection."""


class End:
    """One end of a connection, of which at most one block is read before it is asked for."""

    def __init__(self, sock: socket.socket) -> None:
        """Take a connected socket."""
        self.data = b""  # that was read, and not yet taken
        self.is_over = False
        self.has_sent = False
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._waiter: asyncio.Future[None] | None = None
        self._is_watched = False

    def wake(self, waiter: asyncio.Future[None]) -> None:
        """Let this future be done as soon as more is read than is there, or the end."""
        self._waiter = waiter
        if self.is_over:
            self._wake()
        elif not self._is_watched:
            self._fill()

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)
        self._waiter = None

    def _fill(self) -> None:
        """Read a block, now or as soon as there is one; but nothing that is not awaited, where one is there already."""
        if self.data and (not self._waiter or self._waiter.done()):
            self._unwatch()
            return
        try:
            block = self._sock.recv(BLOCK_BYTES)
        except BlockingIOError:
            if not self._is_watched:
                self._loop.add_reader(self._sock.fileno(), self._fill)
                self._is_watched = True
            return
        except OSError:
            block = b""
        self.data += block
        if not block:
            self.is_over = True
            self._unwatch()
        self._wake()

    def _unwatch(self) -> None:
        if self._is_watched:
            self._loop.remove_reader(self._sock.fileno())
            self._is_watched = False

    async def read(self) -> bytes:
        """Return the bytes that come next, none at the end."""
        if not self.data and not self.is_over:
            await more_of(self)
        data, self.data = self.data, b""
        return data

    def send_now(self, data: bytes) -> int:
        """Send what can be sent at once, and return how many bytes that is."""
        self.has_sent = True
        try:
            return self._sock.send(data)
        except OSError:  # `write` will say it
            return 0

    async def write(self, data: bytes) -> None:
        """Send all of it. Raises ConnectionError where nobody is there any more."""
        self.has_sent = True
        await self._loop.sock_sendall(self._sock, data)

    def finish(self) -> None:
        """Tell the other side that nothing more comes."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)

    async def read_away(self) -> None:
        """Read to the end, and drop it."""
        while await self.read():  # noqa: ASYNC110 - what is read may come without a wait, and others have their turn
            await asyncio.sleep(0)

    async def wait_unless_gone(self, future: asyncio.Future[Any]) -> None:
        """Wait until the future is done.

        Raises GoneError where meanwhile the other side, of which nothing more is read, closes the connection (poll(2);
        only Linux tells that from a side which has no more to say).
        """
        poll = select.poll()
        poll.register(self._sock, 0)
        while not future.done():
            if sys.platform == "linux" and poll.poll(0):
                raise GoneError
            await asyncio.wait({future}, timeout=_GONE_SECONDS)

    def close(self) -> None:
        """Give everything back."""
        self._unwatch()  # before the descriptor is: the loop knows it by its number
        self._sock.close()


def more_of(*ends: End) -> asyncio.Future[None]:
    """Return what is done as soon as one of them has read more than is there now, or its end."""
    waiter = asyncio.get_running_loop().create_future()
    for end in ends:
        end.wake(waiter)
    return waiter


async def pass_all(source: End, target: End) -> None:
    """Pass on what comes from a side until it ends. Raises ConnectionError where the other one has gone."""
    while data := await source.read():
        await target.write(data)
        await asyncio.sleep(0)  # where both are quick, other connections have their turn too


async def pass_message(source: End, target: End, head: bytes, body: Sized | Chunked) -> None:
    """Pass on a head, and the body that follows it, or as much of it as comes; what is there already in one piece.

    Raises BadMessageError, and ConnectionError where the other side has gone.
    """
    if source.data and not body.is_whole:
        head += await next_part(source, body)
    if head:
        await target.write(head)
    while not body.is_whole and (part := await next_part(source, body)):
        await target.write(part)
        await asyncio.sleep(0)  # as above


async def next_part(source: End, body: Sized | Chunked) -> bytes:
    """Return what comes next of a body that is not whole yet, nothing where the side ends. Raises BadMessageError."""
    data = await source.read()
    size = body.feed(data)
    source.data = data[size:]
    return data[:size]


async def next_head(source: End, other: End | None = None) -> bytes:
    """Return the next head that comes from a side, nothing where it, or the other one meanwhile, ends."""
    while not (length := head_length(source.data)):
        if source.is_over or (other and (other.data or other.is_over)):
            return b""
        await more_of(source, *([other] if other else []))
    head, source.data = source.data[:length], source.data[length:]
    return head


async def read_body(source: End, body: Sized | Chunked, most: int) -> bytes:
    """Return a body as it comes, or its first bytes where it has more than `most`.

    Raises BadMessageError, and ConnectionResetError where the side ends before.
    """
    parts: list[bytes] = []
    size = 0
    while size <= most and not body.is_whole:
        part = await next_part(source, body)
        if not part:
            raise ConnectionResetError
        parts.append(part)
        size += len(part)
    return b"".join(parts)


async def first_of(*futures: asyncio.Future[Any]) -> None:
    """Wait until one of them is done."""
    await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)


async def cancel(*tasks: asyncio.Task[Any] | None) -> None:
    """End tasks that are there, and wait until they have."""
    there = [task for task in tasks if task]
    for task in there:
        task.cancel()
    await asyncio.gather(*there, return_exceptions=True)
