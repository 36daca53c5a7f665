"""A proxy before Docker's socket: it adds the shadows to each container that is created, and passes on all the rest.

A client's connection gets one of its own to the daemon, so that both live and end together.
"""

from __future__ import annotations

import asyncio
import json
import os
import posixpath
import socket
import threading
from contextlib import nullcontext, suppress
from functools import partial
from urllib.parse import parse_qs, unquote

from paude_venv_hook.docker_api.sockets import ask_docker
from paude_venv_hook.errors import HookError, OverlayError, WorkspaceError
from paude_venv_hook.files import mount_points
from paude_venv_hook.proxy.api import add_shadows
from paude_venv_hook.proxy.end import End, GoneError, next_head, read_body
from paude_venv_hook.proxy.exchange import RefusedError, Request, exchange
from paude_venv_hook.proxy.framing import (
    BadMessageError,
    Sized,
    decode_chunks,
    parse_request,
    request_body,
    with_body,
    without,
)
from paude_venv_hook.terminal import bug, complain, warn
from paude_venv_hook.text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from paude_venv_hook.proxy.framing import Chunked, Head

MOST_BODY_BYTES = 16 * 1024 * 1024
_LINGER_SECONDS = 2.0
_PAUSE_SECONDS = 0.002
_REASONS = {400: "Bad Request", 413: "Request Entity Too Large", 500: "Internal Server Error", 502: "Bad Gateway"}


class Proxy:
    """What serves the connections of one proxy: the host path of the daemon's socket, and the environment."""

    def __init__(self, upstream: str, environ: Mapping[str, str]) -> None:
        """Take them. DOCKER_HOST is ours, perhaps, and says nothing about the daemon."""
        self._upstream = upstream
        self._environ = {name: value for name, value in environ.items() if name != "DOCKER_HOST"}
        self._ask = partial(ask_docker, upstream)
        # The last call that created nothing, and what its client should know: only the answer to a success can say it.
        self._untold: tuple[bytes, list[str]] = (b"", [])
        # To make a mount point, root becomes the owner of the workspace, and that the whole process does (seteuid(2) in
        # glibc): nobody may read a file meanwhile, as for another container, nor connect.
        self._one_at_a_time = asyncio.Lock()
        self._as_ourselves = threading.Lock()

    async def serve(self, sock: socket.socket) -> None:
        """Serve one client until either side ends, and close its socket."""
        client, upstream, method = End(sock), None, b""
        try:
            while head := await next_head(client, upstream):
                client.has_sent = False
                asked = parse_request(head)
                method = asked.first
                request = Request(head, request_body(asked), method, [], 0)
                upstream = upstream or await self._connect()
                if is_create(asked):
                    request = await self._create(client, upstream, asked, request)
                goes_on = await exchange(client, upstream, request)
                if request.warnings:
                    self._untold = (request.head, request.warnings)
                if not goes_on:
                    break
                method = b""
        except BadMessageError as error:
            await _refuse(client, method, RefusedError(400, f"the request cannot be passed on: {error}"))
        except RefusedError as error:
            await _refuse(client, method, error)
        except (GoneError, OSError):
            pass  # there is nobody to tell
        except Exception as error:  # noqa: BLE001 - our bug must not end the proxy, and the client should know
            complain(bug(error))
            await _refuse(client, method, RefusedError(500, bug(error)))
        finally:
            client.close()
            if upstream:
                upstream.close()

    async def _connect(self) -> End:
        try:
            return End(await _connected(self._upstream, self._as_ourselves))
        except OSError as error:
            why = f"{shown(self._upstream)}: {error.strerror}"
            raise RefusedError(502, f"Docker cannot be reached at {why}; start it, or try again") from None

    async def _create(self, client: End, upstream: End, asked: Head, request: Request) -> Request:
        """Return the request with its whole body, and the shadows added, as far as it is sent already."""
        raw = await _read_create(client, asked, request.body)
        async with self._one_at_a_time:
            request = await asyncio.to_thread(self._send_create, upstream, asked, request, raw)
        if request.head == self._untold[0]:  # `docker run` tries again once it has pulled the image
            request.warnings[:] = dict.fromkeys([*request.warnings, *self._untold[1]])
            self._untold = (b"", [])
        return request

    def _send_create(self, upstream: End, asked: Head, request: Request, raw: bytes) -> Request:
        """Send the request with the shadows added, as far as that is possible at once.

        A file system may take its time, and the others do not wait for it: this runs in a thread. Raises RefusedError.
        """
        data = raw if isinstance(request.body, Sized) else decode_chunks(raw)
        query = parse_qs(asked.second.decode("latin-1").partition("?")[2])
        changed, warnings = self._shadow(data, query.get("platform", [""])[-1])
        warn(warnings)
        if changed == data:
            whole = without(request.head, b"expect") + raw
        else:
            rest = without(request.head, b"expect", b"content-length", b"transfer-encoding", b"trailer")
            whole = with_body(rest, changed)
        said = [f"paude-venv-hook: {warning}" for warning in warnings]
        return Request(whole, Sized(0), request.method, said, upstream.send_now(whole))

    def _shadow(self, data: bytes, platform: str) -> tuple[bytes, list[str]]:
        """Return the body with the shadows added, and warnings; makes the mount points and stores that are missing."""
        try:
            changed, found, warnings = add_shadows(data, platform, self._environ, self._ask)
            paths = (shadow.host_path for item in found for shadow in item.plan.shadows)
            missing = [path for path in paths if not os.path.isdir(path)]
            with self._as_ourselves if missing else nullcontext(), mount_points(missing) as made:
                for item in found:
                    item.make_stores()
            return changed, list(dict.fromkeys([*warnings, *(line for item in found for line in item.made(made))]))
        except (OverlayError, WorkspaceError) as error:  # no fault of the settings: it works without us
            return data, [f"nothing shadowed: {error}"]
        except HookError as error:
            complain(f"error[{error.code}]: {error}")
            raise RefusedError(400, str(error)) from None
        except Exception as error:  # noqa: BLE001 - also what in `serve` would mean that somebody has gone
            complain(bug(error))
            raise RefusedError(500, bug(error)) from None


def is_create(request: Head) -> bool:
    """Tell whether Docker's router may take the request for the call that creates a container.

    It knows two paths, with and without a version, decodes them, and sends a client to the clean form of another one
    (gorilla/mux). What is taken for it here and there is not, does no harm.
    """
    if request.first.upper() != b"POST":
        return False
    path = posixpath.normpath(unquote(request.second.partition(b"?")[0].decode("latin-1")))
    return f"/{path}".endswith("/containers/create")


async def _connected(path: str, lock: threading.Lock) -> socket.socket:
    """Return a socket that is connected to the one at a host path, while nobody holds the lock. Raises OSError."""
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.settimeout(0)
        while not _connect_now(sock, path, lock):  # noqa: ASYNC110 - nobody says when there is room in the queue
            await asyncio.sleep(_PAUSE_SECONDS)
    except BaseException:
        sock.close()
        raise
    return sock


def _connect_now(sock: socket.socket, path: str, lock: threading.Lock) -> bool:
    """Return whether it is connected, at once or not at all. Raises OSError."""
    if not lock.acquire(blocking=False):
        return False
    try:
        sock.connect(path)
    except BlockingIOError:  # too many wait there already (connect(2))
        return False
    finally:
        lock.release()
    return True


async def _read_create(client: End, asked: Head, body: Sized | Chunked) -> bytes:
    """Return the body of the call as it comes. Raises RefusedError for one that is too large."""
    size = body.left if isinstance(body, Sized) else 0
    data = b""
    if size <= MOST_BODY_BYTES:
        if [value.lower() for value in asked.values(b"expect")] == [b"100-continue"]:
            await client.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            client.has_sent = False  # of an answer
        data = await read_body(client, body, MOST_BODY_BYTES)
    if max(size, len(data)) > MOST_BODY_BYTES:
        raise RefusedError(413, f"the container is described in more than {MOST_BODY_BYTES} bytes; say less of it")
    return data


async def _refuse(client: End, method: bytes, error: RefusedError) -> None:
    """Answer a request ourselves, in Docker's form, and end the connection: who sends more has time to read it."""
    if client.has_sent:  # in the midst of another answer
        return
    body = json.dumps({"message": f"paude-venv-hook: {error}"}).encode() + b"\n"
    status = f"{error.status} {_REASONS[error.status]}"
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
    answer = with_body(head.encode(), body)
    with suppress(OSError, asyncio.TimeoutError):
        await client.write(answer[: -len(body)] if method == b"HEAD" else answer)
        client.finish()
        await asyncio.wait_for(client.read_away(), _LINGER_SECONDS)
