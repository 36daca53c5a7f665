"""A request of a client and the daemon's answer, passed on at once in both directions.

Requests go one after the other: before the next one is read it is known how the last one was answered, since an answer
may take the connection over (attach, exec, BuildKit's session). From then on both directions are raw.
"""

from __future__ import annotations

import asyncio

from paude_venv_hook.proxy.api import add_warnings
from paude_venv_hook.proxy.end import cancel, first_of, more_of, next_head, pass_all, pass_message, read_body
from paude_venv_hook.proxy.framing import (
    BadMessageError,
    Sized,
    parse_response,
    response_body,
    with_body,
    without,
)
from paude_venv_hook.records import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeGuard

    from paude_venv_hook.proxy.end import End
    from paude_venv_hook.proxy.framing import Chunked

_MOST_ANSWER_BYTES = 1024 * 1024


class RefusedError(Exception):
    """A request that is answered here: the status, and a sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        """Hold both."""
        super().__init__(sentence)
        self.status = status


class Request(NamedTuple):
    """A request to pass on: its head, the body that still follows, its method, and what the client should be told.

    Once it is told, nothing is left of that. Of the head, so many bytes are sent already.
    """

    head: bytes
    body: Sized | Chunked
    method: bytes
    warnings: list[str]
    sent: int


async def exchange(client: End, upstream: End, request: Request) -> bool:
    """Pass a request and its answer on, both at once; return whether the connection can take another request."""
    head = request.head[request.sent :]
    if head and request.body.is_whole:  # most are, and the daemon has it at once
        head = head[upstream.send_now(head) :]
    is_raw: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    up = asyncio.create_task(_ask(client, upstream, head, request.body, is_raw))
    down = asyncio.create_task(_answer(upstream, client, request, is_raw))
    try:
        await first_of(up, down)
        if up.done():
            up.result()
        if not await down or (client.is_over and not client.data):
            return False
        await first_of(up, more_of(upstream))
        if up.done():
            up.result()
        return up.done()
    finally:
        await cancel(up, down)


async def _ask(client: End, upstream: End, head: bytes, body: Sized | Chunked, is_raw: asyncio.Future[bool]) -> None:
    """Pass a request on, and all that follows once it is raw; until then, mind that the client may hang up.

    Raises GoneError once it has.
    """
    try:
        await pass_message(client, upstream, head, body)
        if not is_raw.done() and not client.data and not client.is_over:
            await first_of(is_raw, more_of(client))
        if client.data:
            await client.wait_unless_gone(is_raw)
        if is_raw.done() and not is_raw.result():
            return
        await pass_all(client, upstream)
    except ConnectionError:
        return  # the daemon has had enough; what it says about it is still to come
    upstream.finish()
    await client.wait_unless_gone(asyncio.get_running_loop().create_future())


async def _answer(upstream: End, client: End, request: Request, is_raw: asyncio.Future[bool]) -> bool:
    """Pass the answer on, and all that follows once it is raw; return whether another one may follow it."""
    try:
        while head := await next_head(upstream):
            answer = parse_response(head)
            if answer.first.startswith(b"1") and answer.first != b"101":  # the answer itself is still to come
                await client.write(head)
                continue
            body = response_body(answer, request.method)
            if request.warnings and answer.first == b"201" and _is_short(body):
                changed = add_warnings(await read_body(upstream, body, _MOST_ANSWER_BYTES), request.warnings)
                head = with_body(without(head, b"content-length"), changed)
                request.warnings.clear()
            if body is None:
                is_raw.set_result(True)
                await client.write(head)
                await pass_all(upstream, client)
                return False
            await pass_message(upstream, client, head, body)
            if body.is_whole:
                is_raw.set_result(False)
            return body.is_whole
    except BadMessageError as error:
        raise RefusedError(502, f"Docker's answer is none that can be passed on: {error}; restart it") from None
    return False


def _is_short(body: Sized | Chunked | None) -> TypeGuard[Sized]:
    return isinstance(body, Sized) and body.left < _MOST_ANSWER_BYTES
