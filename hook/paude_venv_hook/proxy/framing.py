"""HTTP/1.1 as far as the proxy reads it (RFC 9112): the head of a request, and the body of one that it changes. Pure.

The reading is strict: a request that could be read in two ways is refused, since the daemon's reading of it is what
counts, and a container that the daemon finds in it has to be found here too. Go, in which all clients and daemons that
matter are written, sends nothing of what is refused here.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable

from paude_venv_hook.records import NamedTuple

MOST_HEAD_BYTES = 1024 * 1024  # as Go's server (net/http, DefaultMaxHeaderBytes)
_MOST_LINE_BYTES = 4096  # of what stands between chunks, as Go's

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_VALUE = rb"[\t\x20-\x7e\x80-\xff]*"
_REQUEST = re.compile(rb"(%b) ([\x21-\x7e\x80-\xff]+) HTTP/1\.([01])" % _TOKEN)
_FIELD = re.compile(rb"(%b):(%b)" % (_TOKEN, _VALUE))
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[\t ]*(?:;%b)?\r\n" % _VALUE)
_ODD = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)|\0")  # a CR at the end may get its LF yet
_END = b"\r\n\r\n"


class BadMessageError(ValueError):
    """A message that is not HTTP/1.1, or not for certain."""


class TooLongError(ValueError):
    """A body that has more bytes than it may have."""


class Head(NamedTuple):
    """The head of a request: its method and target, and the digit after `HTTP/1.`.

    `fields` are the pairs of a name in lower case and a value, in their order.
    """

    method: bytes
    target: bytes
    version: bytes
    fields: list[tuple[bytes, bytes]]

    def values(self, name: bytes) -> list[bytes]:
        """Return the values of all fields of that name, which is in lower case."""
        return [value for field, value in self.fields if field == name]


def head_length(data: bytes | bytearray, seen: int = 0) -> int:
    """Return how many of the bytes are the head of a message, 0 if its end has not come yet.

    The first `seen` bytes were looked at before. Raises BadMessageError as soon as it can be none.
    """
    end = data.find(_END, max(0, seen - len(_END)))
    length = len(data) if end < 0 else end + len(_END)
    if length > MOST_HEAD_BYTES:
        raise BadMessageError(f"a head of more than {MOST_HEAD_BYTES} bytes")
    if _ODD.search(data, max(0, seen - 1), length):
        raise BadMessageError("a head with a line that does not end in CR and LF")
    return 0 if end < 0 else length


def parse_request(head: bytes) -> Head:
    """Return a request's head, which is whole. Raises BadMessageError."""
    line, *lines = head[: -len(_END)].split(b"\r\n")
    match = _REQUEST.fullmatch(line)
    if not match:
        raise BadMessageError("a request line that is not METHOD TARGET HTTP/1.1")
    return Head(match[1], match[2], match[3], parse_fields(lines))


def parse_fields(lines: Iterable[bytes]) -> list[tuple[bytes, bytes]]:
    """Return the fields of a head, or those behind the last chunk. Raises BadMessageError."""
    fields = []
    for line in lines:
        match = _FIELD.fullmatch(line)
        if not match:
            raise BadMessageError("a header that is not NAME: VALUE")
        fields.append((match[1].lower(), match[2].strip(b"\t ")))
    return fields


def body_size(head: Head) -> int | None:
    """Return the size of the body that follows a request's head, None if it comes in chunks.

    Raises BadMessageError if it can be read in two ways.
    """
    sizes, codings = head.values(b"content-length"), head.values(b"transfer-encoding")
    if codings:
        if sizes or [coding.lower() for coding in codings] != [b"chunked"] or head.version == b"0":
            raise BadMessageError("a body whose length is said in two ways, or in an unknown one")
        return None
    if not sizes:
        return 0
    if len(sizes) > 1 or not re.fullmatch(rb"[0-9]{1,18}", sizes[0]):
        raise BadMessageError("a Content-Length that is not one number")
    return int(sizes[0])


def read_head(data: bytearray) -> Generator[None, None, bytes]:
    """Take the head of a message from the data, and return it; a reader stops as long as more data is needed.

    Raises BadMessageError as soon as it can be none.
    """
    seen = 0
    while not (length := head_length(data, seen)):
        seen = len(data)
        yield
    return _take(data, length)


def read_sized(data: bytearray, size: int) -> Generator[None, None, tuple[bytes, bytes]]:
    """Take a body of so many bytes from the data, and return it twice: as it comes, and what it holds."""
    while len(data) < size:
        yield
    body = _take(data, size)
    return body, body


def read_chunks(data: bytearray, most: int) -> Generator[None, None, tuple[bytes, bytes]]:
    """Take a body in chunks from the data, with what may follow the last one (RFC 9112, 7.1).

    Returns it as it comes, and what it holds. Raises BadMessageError, and TooLongError for more than `most` bytes.
    """
    raw, content = bytearray(), bytearray()
    while True:
        line = yield from _read_line(data)
        size = _chunk_size(line)
        raw += line
        if len(raw) + size > most:
            raise TooLongError
        if not size:
            break
        chunk, _ = yield from read_sized(data, size)
        while len(data) < len(b"\r\n") and b"\r\n".startswith(data):
            yield
        if not data.startswith(b"\r\n"):
            raise BadMessageError("a chunk that is longer than its size")
        content += chunk
        raw += chunk + _take(data, 2)
    while True:
        line = yield from _read_line(data)
        raw += line
        if line == b"\r\n":
            return bytes(raw), bytes(content)
        parse_fields([line[:-2]])
        if len(raw) > most:
            raise TooLongError


def _read_line(data: bytearray) -> Generator[None, None, bytes]:
    while True:
        length = data.find(b"\n", 0, _MOST_LINE_BYTES) + 1
        line = data[: length or _MOST_LINE_BYTES]
        if _ODD.search(line) or (not length and len(line) == _MOST_LINE_BYTES):
            raise BadMessageError("a chunk with a line that is too long, or does not end in CR and LF")
        if length:
            return _take(data, length)
        yield


def _chunk_size(line: bytes) -> int:
    match = _SIZE.fullmatch(line)
    if not match:
        raise BadMessageError("a chunk whose size is no hexadecimal number")
    return int(match[1], 16)


def _take(data: bytearray, size: int) -> bytes:
    """Return the first bytes of the data, which then begins behind them."""
    part = bytes(data[:size])
    del data[:size]
    return part


def split_answer(data: bytes, most: int) -> tuple[bytes, bytes] | None:
    """Return the head and the body of an answer that begins so, None while more of it is to come.

    Raises BadMessageError if it is no answer with a length, which is at most `most`.
    """
    length = head_length(data)
    if not length:
        return None
    fields = parse_fields(data[: length - len(_END)].split(b"\r\n")[1:])
    size = body_size(Head(b"", b"", b"1", fields))
    if size is None or size > most:
        raise BadMessageError("a body that is too long, or comes in chunks")
    body = data[length : length + size]
    return (data[:length], body) if len(body) == size else None


def closing(head: bytes, request: Head) -> bytes:
    """Return a request's whole head, which asks that the connection ends with the answer.

    Whatever else its Connection fields say stays, such as `Upgrade`, but in one field: Go looks for `close` in the
    first of them alone.
    """
    words = [word.strip() for word in b",".join(request.values(b"connection")).split(b",")]
    kept = [word for word in words if word and word.lower() not in (b"close", b"keep-alive")]
    value = b", ".join([*kept, b"close"])
    return without(head, b"connection", b"keep-alive")[:-2] + b"Connection: %b\r\n\r\n" % value


def without(head: bytes, *names: bytes) -> bytes:
    """Return a whole head without the fields of these names, which are in lower case."""
    first, *fields = head[: -len(_END)].split(b"\r\n")
    kept = [field for field in fields if field.partition(b":")[0].lower() not in names]
    return b"\r\n".join([first, *kept, b"", b""])


def with_body(head: bytes, body: bytes) -> bytes:
    """Return a message of a whole head, which says nothing of a body, and this one."""
    return b"%bContent-Length: %d\r\n\r\n%b" % (head[:-2], len(body), body)
