"""Two connected sockets, from each of which all bytes go over to the other one, until either side ends.

Nothing is read that cannot be passed on, but for one block: a side that does not read stops the one that writes.
"""

from __future__ import annotations

import socket
from contextlib import suppress

from paude_venv_hook.proxy.loop import HANGS_UP, IN, OUT, TELLS_HANG_UP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from paude_venv_hook.proxy.loop import Loop

BLOCK_BYTES = 256 * 1024
LINGER_SECONDS = 2.0
_MOST_BLOCKS = 16  # in one turn: other connections have theirs


class _End:
    """One of the sockets: what still has to be sent to it, and what is known of the other side."""

    def __init__(self, sock: socket.socket) -> None:
        """Take a connected socket."""
        self.sock = sock
        self.pending: bytes | memoryview = b""
        self.is_over = False  # nothing more comes from it
        self.is_deaf = False  # nothing more can be sent to it
        self.is_gone = False  # it has closed the connection

    def send(self, data: bytes | memoryview) -> None:
        """Send as much as can be sent now; the rest is pending."""
        if self.is_deaf:
            return
        if self.pending:
            self.pending = b"".join([self.pending, data])
            return
        try:
            sent = self.sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.is_deaf = True
            return
        if sent < len(data):
            self.pending = memoryview(data)[sent:]

    def flush(self) -> None:
        """Send as much of what is pending as can be sent now."""
        data, self.pending = self.pending, b""
        self.send(data)

    def receive(self) -> bytes | None:
        """Return what comes, nothing if nothing more will, None if nothing has come yet."""
        try:
            return self.sock.recv(BLOCK_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            return b""


class Pump:
    """A client and the daemon."""

    def __init__(
        self,
        loop: Loop,
        client: socket.socket,
        upstream: socket.socket,
        request: bytes,
        edit: Callable[[bytes], bytes | None] | None = None,
    ) -> None:
        """Send the request to the daemon, and pass on what comes.

        `edit` is called with the beginning of the daemon's answer, again with more of it, until it returns what is to
        be passed on instead.
        """
        self._loop = loop
        self._client, self._upstream = _End(client), _End(upstream)
        self._edit = edit
        self._held = b""
        self._is_ending = False
        self._upstream.send(request)
        self._settle()

    def ready(self, sock: socket.socket, flags: int) -> None:
        """Pass on what has come, and what had to wait."""
        is_clients = sock is self._client.sock
        end, other = (self._client, self._upstream) if is_clients else (self._upstream, self._client)
        if end.pending:
            end.flush()
        if flags & ~OUT:
            self._pass_on(end, other, has_hung_up=bool(flags & HANGS_UP))
        self._settle()

    def close(self) -> None:
        """End both connections."""
        self._loop.drop(self._client.sock)
        self._loop.drop(self._upstream.sock)

    def _pass_on(self, end: _End, other: _End, *, has_hung_up: bool) -> None:
        """Pass on what has come; all of it if the side has hung up, which a socket's buffer bounds."""
        for _ in range(_MOST_BLOCKS):
            if end.is_over or (other.pending and not has_hung_up):
                break
            block = end.receive()
            if block is None:
                break
            end.is_over = not block
            if self._edit and end is self._upstream:
                block = self._edited(block)
            if block:
                other.send(block)
        end.is_gone = end.is_over and has_hung_up and TELLS_HANG_UP

    def _edited(self, block: bytes) -> bytes:
        """Return what of the daemon's answer can be passed on now."""
        self._held += block
        edited = self._edit(self._held) if self._edit and block else self._held
        if edited is None:
            return b""
        self._edit = None
        return edited

    def _settle(self) -> None:
        """End what is over, and watch for what comes next."""
        client, upstream = self._client, self._upstream
        if upstream.is_over:
            upstream.is_deaf = True
            self._loop.drop(upstream.sock)
        elif client.is_over and not upstream.pending:
            if client.is_gone or client.is_deaf:
                self.close()
                return
            with suppress(OSError):
                upstream.sock.shutdown(socket.SHUT_WR)
        if upstream.is_over and not client.pending:
            if client.is_over or client.is_deaf:
                self.close()
                return
            self._end_client()
        self._watch(client, upstream)
        self._watch(upstream, client)

    def _end_client(self) -> None:
        """Tell the client that nothing more comes; what it sends is read for a while longer, or it could not read."""
        if not self._is_ending:
            self._is_ending = True
            self._loop.later(LINGER_SECONDS, self.close)
            with suppress(OSError):
                self._client.sock.shutdown(socket.SHUT_WR)

    def _watch(self, end: _End, other: _End) -> None:
        if end.is_gone:  # it would be told again and again
            self._loop.unwatch(end.sock)
        elif end.sock in self._loop.sockets:
            may_read = not end.is_over and not other.pending
            mask = (IN if may_read else 0) | (OUT if end.pending else 0)
            self._loop.watch(end.sock, mask, self)
