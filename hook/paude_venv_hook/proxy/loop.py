"""The loop of the proxy: which sockets are ready, what is due, and which sockets are open at all.

It is asyncio's without asyncio, whose import takes longer than all that the first client of a proxy waits for else.
"""

from __future__ import annotations

import heapq
import select
import time
from itertools import count

from paude_venv_hook.terminal import bug, say

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from typing import Any, Protocol

    class HasDescriptor(Protocol):
        """A socket, or something else that poll(2) takes."""

        def fileno(self) -> int:
            """Return its descriptor."""

    class Owner(Protocol):
        """Whoever is told that a socket is ready, and gives it back."""

        def ready(self, sock: Any, flags: int) -> None:
            """Do what can be done now; the flags are those of poll(2)."""

        def close(self) -> None:
            """Give everything back."""


# poll(2). A socket that is watched for neither still says that the other side has closed it, on Linux.
IN, OUT, HANGS_UP = 1, 4, 8 | 16
# Whether a side that has closed the connection can be told from one that only has no more to say.
TELLS_HANG_UP = hasattr(select, "epoll")
_UNITS = 1 if TELLS_HANG_UP else 1000  # epoll takes seconds, poll milliseconds


class Loop:
    """Sockets and their owners."""

    def __init__(self) -> None:
        """Watch nothing yet."""
        self.sockets: set[socket.socket] = set()
        self._poller = select.epoll() if TELLS_HANG_UP else select.poll()
        self._owners: dict[int, tuple[HasDescriptor, Owner]] = {}
        self._masks: dict[int, int] = {}
        self._closing: list[socket.socket] = []
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()

    def adopt(self, sock: socket.socket) -> None:
        """Take over a socket, which never blocks from now on."""
        sock.setblocking(False)  # noqa: FBT003 - it takes no keyword
        self.sockets.add(sock)

    def watch(self, sock: HasDescriptor, mask: int, owner: Owner) -> None:
        """Tell the owner as soon as the adopted socket is ready for what the mask says, or hung up."""
        number = sock.fileno()
        self._owners[number] = (sock, owner)
        if number not in self._masks:
            self._poller.register(number, mask)
        elif self._masks[number] != mask:
            self._poller.modify(number, mask)
        self._masks[number] = mask

    def unwatch(self, sock: HasDescriptor) -> None:
        """Tell no more of a socket."""
        if self._masks.pop(sock.fileno(), None) is not None:
            self._poller.unregister(sock.fileno())
            del self._owners[sock.fileno()]

    def drop(self, sock: socket.socket) -> None:
        """Close a socket. Its number is free again when all that is ready now has had its turn."""
        if sock in self.sockets:
            self.unwatch(sock)
            self.sockets.discard(sock)
            self._closing.append(sock)

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Call the action after so many seconds."""
        heapq.heappush(self._due, (time.monotonic() + seconds, next(self._numbers), action))

    def run(self, stop: int) -> None:
        """Go on until the descriptor is readable, or at its end."""
        self._poller.register(stop, IN)
        while True:
            ready = self._poller.poll(self._wait_units())
            if any(number == stop for number, _ in ready):
                return
            for number, flags in ready:
                self._tell(number, flags)
            while self._due and self._due[0][0] <= time.monotonic():
                heapq.heappop(self._due)[2]()
            self._close_dropped()

    def _wait_units(self) -> float | None:
        if not self._due:
            return None
        return max(0.0, self._due[0][0] - time.monotonic()) * _UNITS

    def _tell(self, number: int, flags: int) -> None:
        if number not in self._owners:  # it was closed in this turn
            return
        sock, owner = self._owners[number]
        try:
            owner.ready(sock, flags)
        except Exception as error:  # noqa: BLE001 - our bug ends one connection, not the proxy
            say(bug(error))
            owner.close()

    def _close_dropped(self) -> None:
        for sock in self._closing:
            sock.close()
        self._closing.clear()

    def close(self) -> None:
        """Let all owners give back what they have."""
        for _, owner in list(self._owners.values()):
            owner.close()
        self.close_sockets()

    def close_sockets(self) -> None:
        """Close all sockets, of which no owner is told."""
        for sock in [*self._closing, *self.sockets]:
            sock.close()
        if isinstance(self._poller, select.epoll):
            self._poller.close()
