"""A client of the proxy: its one request is read, and if it creates a container, that gets its shadows.

Each request asks the daemon to end the connection with its answer. So no second one is served on it that nobody here
has seen, and all that follows the first head, or the body of a creation, needs no reading: it is passed on.
"""

from __future__ import annotations

import posixpath
import re
import socket
from contextlib import suppress
from enum import Enum
from functools import partial

from paude_venv_hook.proxy.framing import (
    BadMessageError,
    TooLongError,
    body_size,
    closing,
    parse_request,
    read_chunks,
    read_head,
    read_sized,
    split_answer,
    with_body,
    without,
)
from paude_venv_hook.proxy.helpers import Helper
from paude_venv_hook.proxy.loop import IN
from paude_venv_hook.proxy.pump import BLOCK_BYTES, LINGER_SECONDS, Pump
from paude_venv_hook.terminal import PROGRAM, WARNINGS, bug, say
from paude_venv_hook.text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any

    from paude_venv_hook.proxy.framing import Head
    from paude_venv_hook.proxy.loop import Loop
    from paude_venv_hook.proxy.person import Person
    from paude_venv_hook.proxy.setup import Setup

    # The steps of a client: each yields what its socket is to be watched for, and gets what it has waited for.
    Steps = Generator[int, Any, Any]

MOST_BODY_BYTES = 16 * 1024 * 1024
_MOST_ANSWER_BYTES = 1024 * 1024
_MOST_HELPERS = 64
_PAUSE_SECONDS = 0.002
_REASONS = {400: "Bad Request", 413: "Request Entity Too Large", 500: "Internal Server Error", 502: "Bad Gateway"}
_ONLY_HANG_UP = 0
_LOOK_SECONDS = 5.0
_MOST_CREATED = 10_000
_CALL = re.compile(rb"(/libpod)?/containers/(?:create|([^/]+)/(?:re)?start)\Z")
_ELSE = "nothing shadowed: Podman's own API was used; use the podman command, or Docker's API"
_SPECIAL = re.compile(rb'["\\]')  # in JSON, besides control characters, of which our sentences have none
_ID = re.compile(rb'"Id": ?"([0-9a-f]+)"')


class Call(Enum):
    """The calls that are looked at."""

    CREATE = "a container is created"
    CREATE_ELSE = "a container is created by Podman's own API, in another form"
    START = "a container that is there starts, or starts again"
    OTHER = "anything else"


class _RefusedError(Exception):
    """A request that is answered here: the status, and a sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        """Hold both."""
        super().__init__(sentence)
        self.status = status


class _GoneError(Exception):
    """The client has closed the connection before its request was whole."""


class Shared:
    """What all clients of one proxy share."""

    def __init__(self, setup: Setup, loop: Loop, person: Person | None) -> None:
        """Take how the proxy is set up, and who asked for it, if somebody did."""
        self.setup = setup
        self.person = person
        self.loop = loop
        self.helpers = 0  # how many of them are at work
        # The last request that created nothing, and what its client should know: only a success can tell it.
        self.untold: tuple[bytes, list[str]] = (b"", [])
        # What was created here and has not started yet: of that, all is said.
        self.created: set[bytes] = set()


class Client:
    """A client until its request can be passed on."""

    def __init__(self, sock: socket.socket, shared: Shared) -> None:
        """Take a connected socket that the loop has adopted."""
        self._sock = sock
        self._shared = shared
        self._loop = shared.loop
        self._method = b""
        self._data = bytearray()  # that was received, and not taken yet
        self._mask = IN
        self._steps = self._serve()
        self._step()

    def ready(self, *_: object) -> None:
        """Go on, if something was to be read; else it has hung up."""
        if self._mask == _ONLY_HANG_UP:
            self.close()
        else:
            self._step()

    def close(self) -> None:
        """End the connection."""
        self._steps.close()
        self._loop.drop(self._sock)

    def _step(self, result: object = None) -> None:
        """Go on with what was waited for, to where more has to be waited for, or all is passed on."""
        try:
            self._mask = self._steps.send(result)
            self._loop.watch(self._sock, self._mask, self)
        except StopIteration:
            return
        except BadMessageError as error:
            self._refuse(400, f"the request cannot be passed on: {error}")
        except TooLongError:
            most = f"the container is described in more than {MOST_BODY_BYTES} bytes; say less of it"
            self._refuse(413, most)
        except _RefusedError as error:
            self._refuse(error.status, str(error))
        except _GoneError:
            self._loop.drop(self._sock)
        except Exception as error:  # noqa: BLE001 - our bug must not end the proxy, and the client should know
            say(bug(error))
            self._refuse(500, bug(error))

    # ---- the steps

    def _serve(self) -> Steps:
        head = yield from self._fed(read_head(self._data))
        request = parse_request(head)
        self._method = request.method
        size = body_size(request)
        if self._shared.person:
            self._shared.person.notice(request.target)
        upstream = yield from self._connect()
        edit = None
        head = closing(head, request)
        call, container = find_call(request)
        try:
            if call is Call.CREATE:
                head, edit = yield from self._create(request, head, size)
            elif call is Call.START:
                yield from self._look_at(container)
            elif call is Call.CREATE_ELSE:
                self._tell(_ELSE)
        except BaseException:
            self._loop.drop(upstream)
            raise
        Pump(self._loop, self._sock, upstream, head + bytes(self._data), edit)

    def _receive(self) -> Steps:
        """Receive a block, which is behind the data. Raises _GoneError."""
        while True:
            try:
                block = self._sock.recv(BLOCK_BYTES)
                break
            except BlockingIOError:
                yield IN
            except OSError:
                block = b""
                break
        if not block:
            raise _GoneError
        self._data += block

    def _fed(self, reader: Generator[None, None, Any]) -> Steps:
        """Return what a reader returns, after each of whose steps it needs more data. Raises what it raises."""
        while True:
            try:
                next(reader)
            except StopIteration as end:
                return end.value
            yield from self._receive()

    def _connect(self) -> Steps:
        """Return a socket that is connected to the daemon; no event says when there is room in its queue."""
        while True:
            try:
                upstream = _connected(self._shared.setup.upstream)
            except BlockingIOError:
                yield from self._pause()
            except OSError as error:
                why = f"{shown(self._shared.setup.upstream)}: {error.strerror}"
                raise _RefusedError(502, f"Docker cannot be reached at {why}; start it, or try again") from None
            else:
                self._loop.adopt(upstream)
                return upstream

    def _pause(self) -> Steps:
        self._loop.later(_PAUSE_SECONDS, self._step)
        yield _ONLY_HANG_UP

    def _create(self, request: Head, head: bytes, size: int | None) -> Steps:
        """Return the request that creates a container, with its shadows, and what edits the answer."""
        body = read_chunks(self._data, MOST_BODY_BYTES) if size is None else read_sized(self._data, size)
        if size and size > MOST_BODY_BYTES:
            raise TooLongError
        if [value.lower() for value in request.values(b"expect")] == [b"100-continue"]:
            self._sock.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        raw, content = yield from self._fed(body)
        try:
            from paude_venv_hook.proxy.planning import plan_create  # noqa: PLC0415 - heavy, and only for a creation

            result = yield from self._let_help(lambda: plan_create(content, request.target, self._shared.setup))
        except OSError as error:
            raise _RefusedError(500, f"the container cannot be planned now: {error.strerror}; try again") from None
        if result is None:
            raise _RefusedError(500, "what plans the container has ended; try again")
        status, changed, warnings, engine = result
        self._shared.setup = self._shared.setup._replace(engine=engine)
        if status:
            raise _RefusedError(status, warnings[0])
        if changed == content:
            whole = without(head, b"expect") + raw
        else:
            rest = without(head, b"expect", b"content-length", b"transfer-encoding", b"trailer")
            whole = with_body(rest, changed)
        if self._shared.person:
            self._shared.person.tell(warnings)
            warnings = []
        lines = [f"paude-venv-hook: {warning}" for warning in warnings]
        if whole == self._shared.untold[0]:  # `docker run` tries again once it has pulled the image
            lines = list(dict.fromkeys([*lines, *self._shared.untold[1]]))
            self._shared.untold = (b"", [])
        return whole, partial(self._edit, whole, lines)

    def _look_at(self, container: bytes) -> Steps:
        """Let a helper name the shadows that a restarted container lacks, within a time limit."""
        if container in self._shared.created:
            self._shared.created.discard(container)
            return
        self._loop.later(_LOOK_SECONDS, self._step)
        with suppress(OSError):
            from paude_venv_hook.proxy.planning import look_at_start  # noqa: PLC0415 - heavy

            result = yield from self._let_help(lambda: look_at_start(container.decode("latin-1"), self._shared.setup))
            if result:
                engine, lines = result
                self._shared.setup = self._shared.setup._replace(engine=engine)
                if self._shared.person:
                    self._shared.person.tell(lines)

    def _tell(self, warning: str) -> None:
        """Say a warning: to the person who asked for us, else on stderr."""
        person = self._shared.person
        if not person:
            say(f"warning: {warning}")
        elif person.verbosity >= WARNINGS:
            person.tell([f"{PROGRAM}: warning: {warning}"])

    def _let_help(self, work: Callable[[], Any]) -> Steps:
        """Return what a helper returns, None if it has ended before. Raises OSError if none can be started."""
        shared = self._shared
        while shared.helpers >= _MOST_HELPERS:
            yield from self._pause()
        helper = Helper(self._loop, work, self._step)
        shared.helpers += 1
        try:
            return (yield _ONLY_HANG_UP)
        finally:
            helper.close()
            shared.helpers -= 1

    def _edit(self, request: bytes, lines: list[str], data: bytes) -> bytes | None:
        """Return the daemon's answer to a request with lines for the client, None while it is not whole."""
        try:
            answer = split_answer(data, _MOST_ANSWER_BYTES)
        except BadMessageError:
            answer = (b"", b"")
        if not answer:
            return None
        head, body = answer
        if not head.startswith((b"HTTP/1.1 201 ", b"HTTP/1.0 201 ")):
            if lines:
                self._shared.untold = (request, lines)
            return data
        self._remember(body)
        if not lines:
            return data
        from paude_venv_hook.proxy.api import add_warnings  # noqa: PLC0415 - as above

        rest = data[len(head) + len(body) :]
        return with_body(without(head, b"content-length"), add_warnings(body, lines)) + rest

    def _remember(self, body: bytes) -> None:
        """Keep the ID of a container that was created, until it starts."""
        match = _ID.search(body)
        if match:
            if len(self._shared.created) >= _MOST_CREATED:
                self._shared.created.clear()
            self._shared.created.add(match[1])

    def _refuse(self, status: int, sentence: str) -> None:
        """Answer the request ourselves, in Docker's form. A client that sends more has time to read that.

        Nothing is loaded for it: there may be no descriptor left to open a file with.
        """
        text = _SPECIAL.sub(rb"\\\g<0>", sentence.encode(errors="replace"))
        body = b'{"message": "paude-venv-hook: %b"}\n' % text
        head = f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
        answer = with_body(head.encode(), body)
        with suppress(OSError):
            self._sock.send(answer[: -len(body)] if self._method == b"HEAD" else answer)
            self._sock.shutdown(socket.SHUT_WR)
        self._loop.later(LINGER_SECONDS, self.close)
        self._steps = self._read_away()
        self._step()

    def _read_away(self) -> Steps:
        while True:
            yield from self._receive()
            self._data.clear()
            yield IN  # others have their turn


def _connected(path: str) -> socket.socket:
    """Return a socket that is connected to the one at a host path. Raises OSError, BlockingIOError for a full queue."""
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.setblocking(False)  # noqa: FBT003 - it takes no keyword
        sock.connect(path)
    except OSError:
        sock.close()
        raise
    return sock


def find_call(request: Head) -> tuple[Call, bytes]:
    """Return which call of Docker's API the request may be, and the container that it names.

    Docker's router knows two paths for each, with and without a version, decodes them, and sends a client to the clean
    form of another one (gorilla/mux). What is taken for a call here and there is not, does no harm.
    """
    if request.method.upper() != b"POST":
        return Call.OTHER, b""
    path = re.sub(rb"%([0-9A-Fa-f]{2})", _decoded, request.target.partition(b"?")[0])
    match = _CALL.search(posixpath.normpath(b"/" + path))
    if not match:
        return Call.OTHER, b""
    if match[2]:
        return Call.START, match[2]
    return (Call.CREATE_ELSE if match[1] else Call.CREATE), b""


def _decoded(match: re.Match[bytes]) -> bytes:
    return bytes.fromhex(match[1].decode())
