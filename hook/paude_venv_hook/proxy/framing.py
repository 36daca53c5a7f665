"""HTTP/1.1 as far as Docker's API needs it: where a message begins and ends (RFC 9112). Pure.

No library does it: all of them (h11, httptools) give a message in parts and write another one, while here every byte
has to pass as it came, what follows a head may be a raw stream, and a gigabyte of `docker save` goes through, of which
only the sizes of its chunks have to be read. For that reason the reading is strict. A request that could be read in two
ways is refused, since the daemon's reading of it is what counts: a container that it finds in there has to be found
here too. Go, in which all clients and daemons that matter are written, sends nothing of what is refused here.
"""

from __future__ import annotations

import re

from paude_venv_hook.records import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_HEAD_BYTES = 1024 * 1024  # as Go's server (net/http, DefaultMaxHeaderBytes)
_MOST_LINE_BYTES = 4096  # of what stands between chunks, as Go's

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_VALUE = rb"[\t\x20-\x7e\x80-\xff]*"
_REQUEST = re.compile(rb"(%b) ([\x21-\x7e\x80-\xff]+) HTTP/1\.([01])" % _TOKEN)
_RESPONSE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: %b)?" % _VALUE)
_FIELD = re.compile(rb"(%b):(%b)" % (_TOKEN, _VALUE))
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[\t ]*(?:;%b)?\r\n" % _VALUE)
_ODD = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)|\0")  # a CR at the end may get its LF yet


class BadMessageError(ValueError):
    """A message that is not HTTP/1.1, or not for certain."""


class Head(NamedTuple):
    """The head of a message: a request's method and target, or a response's status and "", then the digit after `1.`.

    `fields` are the pairs of a name in lower case and a value, in their order.
    """

    first: bytes
    second: bytes
    version: bytes
    fields: list[tuple[bytes, bytes]]

    def values(self, name: bytes) -> list[bytes]:
        """Return the values of all fields of that name, which is in lower case."""
        return [value for field, value in self.fields if field == name]


def head_length(data: bytes) -> int:
    """Return how many of the bytes are the head of a message, 0 where its end is not there yet.

    Raises BadMessageError as soon as it can be none.
    """
    end = data.find(b"\r\n\r\n") + 4
    head = data[:end] if end >= 4 else data  # noqa: PLR2004 - find returns -1
    if len(head) > MOST_HEAD_BYTES:
        raise BadMessageError(f"a head of more than {MOST_HEAD_BYTES} bytes")
    if _ODD.search(head):
        raise BadMessageError("a head with a line that does not end in CR and LF")
    return len(head) if end >= 4 else 0  # noqa: PLR2004


def parse_request(head: bytes) -> Head:
    """Return a request's head, which is whole. Raises BadMessageError."""
    line, *lines = head[:-4].split(b"\r\n")
    match = _REQUEST.fullmatch(line)
    if not match:
        raise BadMessageError("a request line that is not METHOD TARGET HTTP/1.1")
    return Head(match[1], match[2], match[3], _fields(lines))


def parse_response(head: bytes) -> Head:
    """Return a response's head, which is whole. Raises BadMessageError."""
    line, *lines = head[:-4].split(b"\r\n")
    match = _RESPONSE.fullmatch(line)
    if not match:
        raise BadMessageError("a status line that is not HTTP/1.1 STATUS")
    return Head(match[2], b"", match[1], _fields(lines))


def _fields(lines: Iterable[bytes]) -> list[tuple[bytes, bytes]]:
    fields = []
    for line in lines:
        match = _FIELD.fullmatch(line)
        if not match:
            raise BadMessageError("a header that is not NAME: VALUE")
        fields.append((match[1].lower(), match[2].strip(b"\t ")))
    return fields


class Sized:
    """A body of so many bytes."""

    def __init__(self, size: int) -> None:
        """Await that many."""
        self.left = size

    @property
    def is_whole(self) -> bool:
        """Whether all of it has been seen."""
        return self.left == 0

    def feed(self, data: bytes) -> int:
        """Return how many of the bytes that follow belong to the body."""
        size = min(self.left, len(data))
        self.left -= size
        return size


class Chunked:
    """A body in chunks, with what may follow the last one (RFC 9112, 7.1)."""

    def __init__(self) -> None:
        """Await the size of the first chunk."""
        self.is_whole = False
        self._left = 0  # of a chunk
        self._line = b""
        self._read = self._read_size

    def feed(self, data: bytes) -> int:
        """Return how many of the bytes that follow belong to the body. Raises BadMessageError."""
        at = 0
        while at < len(data) and not self.is_whole:
            if self._left:
                size = min(self._left, len(data) - at)
                self._left -= size
                at += size
                continue
            end = data.find(b"\n", at, at + _MOST_LINE_BYTES) + 1
            self._line += data[at : end or at + _MOST_LINE_BYTES + 1]
            at = end or len(data)
            if len(self._line) > _MOST_LINE_BYTES or _ODD.search(self._line):
                raise BadMessageError("a chunk with a line that is too long, or does not end in CR and LF")
            if end:
                line, self._line = self._line, b""
                self._read(line)
            elif self._read == self._read_end and not b"\r\n".startswith(self._line):
                self._read(self._line)
        return at

    def _read_size(self, line: bytes) -> None:
        match = _SIZE.fullmatch(line)
        if not match:
            raise BadMessageError("a chunk whose size is no hexadecimal number")
        self._left = int(match[1], 16)
        self._read = self._read_end if self._left else self._read_trailer

    def _read_end(self, line: bytes) -> None:
        if line != b"\r\n":
            raise BadMessageError("a chunk that is longer than its size")
        self._read = self._read_size

    def _read_trailer(self, line: bytes) -> None:
        if line == b"\r\n":
            self.is_whole = True
        else:
            _fields([line[:-2]])


def decode_chunks(data: bytes) -> bytes:
    """Return what the chunks of a whole body hold."""
    parts: list[bytes] = []
    at = 0
    while True:
        end = data.index(b"\r\n", at) + 2
        size = int(re.split(rb"[;\t \r]", data[at:end])[0], 16)
        if not size:
            return b"".join(parts)
        parts.append(data[end : end + size])
        at = end + size + 2


def request_body(head: Head) -> Sized | Chunked:
    """Return the body that follows a request's head. Raises BadMessageError where it can be read in two ways."""
    body = _body(head)
    return Sized(0) if body is None else body


def response_body(head: Head, method: bytes) -> Sized | Chunked | None:
    """Return the body that follows the head of a final response to a method, None for one that ends with the stream.

    Raises BadMessageError where it can be read in two ways.
    """
    if head.first == b"101":
        return None
    if method == b"HEAD" or head.first in (b"204", b"304"):
        return Sized(0)
    return _body(head)


def _body(head: Head) -> Sized | Chunked | None:
    sizes, codings = head.values(b"content-length"), head.values(b"transfer-encoding")
    if codings:
        if sizes or [coding.lower() for coding in codings] != [b"chunked"] or head.version == b"0":
            raise BadMessageError("a body whose length is said in two ways, or in an unknown one")
        return Chunked()
    if not sizes:
        return None
    if len(sizes) > 1 or not re.fullmatch(rb"[0-9]{1,18}", sizes[0]):
        raise BadMessageError("a Content-Length that is not one number")
    return Sized(int(sizes[0]))


def without(head: bytes, *names: bytes) -> bytes:
    """Return a whole head without the fields of these names, which are in lower case."""
    first, *fields = head[:-4].split(b"\r\n")
    kept = [field for field in fields if field.partition(b":")[0].lower() not in names]
    return b"\r\n".join([first, *kept, b"", b""])


def with_body(head: bytes, body: bytes) -> bytes:
    """Return a message of a whole head, which says nothing of a body, and this one."""
    return b"%bContent-Length: %d\r\n\r\n%b" % (head[:-2], len(body), body)
