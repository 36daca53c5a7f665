"""Where a message of HTTP ends, and which ones are refused since they could end elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paude_venv_hook.proxy.framing import (
    MOST_HEAD_BYTES,
    BadMessageError,
    Head,
    TooLongError,
    body_size,
    closing,
    head_length,
    parse_request,
    read_chunks,
    read_head,
    read_sized,
    split_answer,
    with_body,
    without,
)

POST = b"POST /v1.41/build HTTP/1.1\r\nHost: docker\r\n"


def size_of(*fields: bytes, version: bytes = b"1") -> int | None:
    head = b"\r\n".join([b"POST /build HTTP/1." + version, *fields, b"", b""])
    return body_size(parse_request(head))


def feed(reader: Callable[[bytearray], Generator[None, None, Any]], sent: bytes, sizes: list[int]) -> tuple[Any, bytes]:
    """Return what a reader returns for the data, which comes in such pieces, and what it leaves.

    None if it still needs more when all has come.
    """
    data = bytearray()
    steps = reader(data)
    pieces = iter([*sizes, len(sent)])
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value, bytes(data) + sent
        if not sent:
            return None, b""
        size = next(pieces)
        data += sent[:size]
        sent = sent[size:]


@given(st.binary(max_size=40), st.lists(st.integers(1, 80)))
def test_a_head_ends_at_its_empty_line_however_it_comes(rest: bytes, sizes: list[int]) -> None:
    head = POST + b"X: y\r\n\r\n"

    assert feed(read_head, head + rest, sizes) == (head, rest)
    assert feed(read_head, head[:-1], sizes) == (None, b"")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"POST /containers/create HTTP/1.1\n\n", id="lines that end in LF"),
        pytest.param(b"GET / HTTP/1.1\r\nA: b\n\r\n\r\n", id="one that does"),
        pytest.param(b"GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n", id="a CR in a line"),
        pytest.param(b"GET / HTTP/1.1\r\nA: b\r\r\n\r\n", id="two CRs"),
        pytest.param(b"GET / HTTP/1.1\r\nA: \0", id="a NUL, before the end"),
        pytest.param(b"\x16\x03\x01\x00\xee\x01", id="TLS"),
    ],
)
def test_what_others_may_take_for_a_line_end_is_refused_at_once(data: bytes) -> None:
    for sizes in ([], [1] * len(data)):
        with pytest.raises(BadMessageError, match="a line that does not end in CR and LF"):
            feed(read_head, data, sizes)


def test_a_head_has_a_limit() -> None:
    start = POST + b"X: "
    assert head_length(start + b"y" * (MOST_HEAD_BYTES - len(start))) == 0
    with pytest.raises(BadMessageError, match="a head of more than 1048576 bytes"):
        head_length(start + b"y" * (MOST_HEAD_BYTES - len(start) + 1))


def test_a_head_is_read() -> None:
    head = parse_request(b"POST /a?b HTTP/1.1\r\nHOST: docker\r\nA:1\r\na:\t2 \r\nB:\r\nC: \xc3\xa9\r\n\r\n")

    assert head == (
        b"POST",
        b"/a?b",
        b"1",
        [(b"host", b"docker"), (b"a", b"1"), (b"a", b"2"), (b"b", b""), (b"c", b"\xc3\xa9")],
    )
    assert Head(*head).values(b"a") == [b"1", b"2"]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"GET /",
        b"GET  / HTTP/1.1",
        b"GET / x HTTP/1.1",
        b" GET / HTTP/1.1",
        b"GET / HTTP/1.1 ",
        b"GET / HTTP/2.0",
        b"GET / HTTP/1.11",
        b"GET / http/1.1",
        b"G(T / HTTP/1.1",
        b"GET /\x01 HTTP/1.1",
        b"GET /\t HTTP/1.1",
        b"PRI * HTTP/2.0",
    ],
)
def test_a_request_line_is_read_in_one_way(line: bytes) -> None:
    with pytest.raises(BadMessageError, match=r"a request line that is not METHOD TARGET HTTP/1\.1"):
        parse_request(line + b"\r\n\r\n")


@pytest.mark.parametrize(
    "field",
    [b"A", b": b", b" A: b", b"\tfolded", b"A : b", b"A\t: b", b"A(: b", b"A: \x7f", b"A: \x0b", b"A\xe9: b", b""],
)
def test_a_field_is_read_in_one_way(field: bytes) -> None:
    with pytest.raises(BadMessageError, match="a header that is not NAME: VALUE"):
        parse_request(POST + field + b"\r\n" + b"X: y\r\n\r\n")


def test_the_length_of_a_requests_body() -> None:
    assert (size_of(), size_of(b"content-length: 0012"), size_of(b"Transfer-Encoding: Chunked")) == (0, 12, None)


@pytest.mark.parametrize(
    "fields",
    [
        [b"Content-Length: 1", b"Transfer-Encoding: chunked"],
        [b"Transfer-Encoding: chunked", b"transfer-encoding: chunked"],
        [b"Transfer-Encoding: gzip, chunked"],
        [b"Transfer-Encoding: chunked, identity"],
        [b"Transfer-Encoding: identity"],
        [b"Transfer-Encoding:"],
        [b"Transfer-Encoding: \xcbchunked"],
    ],
)
def test_a_body_whose_length_is_said_in_two_ways_is_refused(fields: list[bytes]) -> None:
    with pytest.raises(BadMessageError, match="a body whose length is said in two ways, or in an unknown one"):
        size_of(*fields)


def test_chunks_are_not_for_http_1_0_which_daemons_read_without() -> None:
    with pytest.raises(BadMessageError, match="a body whose length is said in two ways, or in an unknown one"):
        size_of(b"Transfer-Encoding: chunked", version=b"0")


@pytest.mark.parametrize(
    "sizes", [[b"1", b"1"], [b"1", b"2"], [b"1, 1"], [b"-1"], [b"+1"], [b"1.0"], [b"0x1"], [b""], [b"1" * 19], [b"1 1"]]
)
def test_a_length_is_one_number(sizes: list[bytes]) -> None:
    with pytest.raises(BadMessageError, match="a Content-Length that is not one number"):
        size_of(*(b"Content-Length: " + size for size in sizes))


@given(st.binary(max_size=50), st.integers(0, 50), st.lists(st.integers(1, 9)))
def test_a_body_with_a_length_ends_there(sent: bytes, size: int, sizes: list[int]) -> None:
    whole = (sent[:size], sent[:size])
    expected = (whole, sent[size:]) if len(sent) >= size else (None, b"")

    assert feed(lambda data: read_sized(data, size), sent, sizes) == expected


chunks = st.lists(st.tuples(st.binary(min_size=1, max_size=30), st.sampled_from([b"", b" ", b";a=b", b" ; x"])))


@given(chunks, st.sampled_from([b"", b"X: y\r\n"]), st.binary(max_size=9), st.lists(st.integers(1, 9)))
def test_a_chunked_body_ends_after_its_last_chunk_however_it_comes(
    pieces: list[tuple[bytes, bytes]], trailer: bytes, rest: bytes, sizes: list[int]
) -> None:
    sent = b"".join(b"%x%b\r\n%b\r\n" % (len(data), more, data) for data, more in pieces) + b"0\r\n" + trailer + b"\r\n"

    content = b"".join(data for data, _ in pieces)
    assert feed(short_chunks, sent + rest, sizes) == ((sent, content), rest)
    assert feed(short_chunks, sent[:-1], sizes) == (None, b"")


def short_chunks(data: bytearray) -> Generator[None, None, tuple[bytes, bytes]]:
    return read_chunks(data, 100_000)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"g\r\n", "a chunk whose size is no hexadecimal number"),
        (b"-1\r\n", "a chunk whose size is no hexadecimal number"),
        (b"0x1\r\n", "a chunk whose size is no hexadecimal number"),
        (b" 1\r\n", "a chunk whose size is no hexadecimal number"),
        (b"\r\n", "a chunk whose size is no hexadecimal number"),
        (b"1;\x01\r\n", "a chunk whose size is no hexadecimal number"),
        (b"1" * 16 + b"\r\n", "a chunk whose size is no hexadecimal number"),
        (b"1\n", "a chunk with a line that is too long, or does not end in CR and LF"),
        (b"1;a\rb", "a chunk with a line that is too long, or does not end in CR and LF"),
        (b"1;" + b"a" * 4095, "a chunk with a line that is too long, or does not end in CR and LF"),
        (b"1\r\nab", "a chunk that is longer than its size"),
        (b"1\r\na0", "a chunk that is longer than its size"),
        (b"1\r\na\r\r", "a chunk that is longer than its size"),
        (b"0\r\nX y\r\n", "a header that is not NAME: VALUE"),
        (b"0\r\n folded\r\n", "a header that is not NAME: VALUE"),
    ],
)
def test_chunks_are_read_in_one_way(data: bytes, problem: str) -> None:
    for sizes in ([], [1] * len(data)):
        with pytest.raises(BadMessageError) as caught:
            feed(short_chunks, data, sizes)
        assert str(caught.value) == problem


@pytest.mark.parametrize("sent", [b"f\r\n", b"1\r\na\r\n" * 3, b"0\r\nA: bc\r\nA: b\r\n"])
def test_chunks_may_have_so_many_bytes_in_all(sent: bytes) -> None:
    with pytest.raises(TooLongError):
        feed(lambda data: read_chunks(data, 14), sent, [])


def test_an_answer_with_a_length_is_split() -> None:
    head = b"HTTP/1.1 201 Created\r\ncontent-length: 3\r\n\r\n"

    assert split_answer(head + b"abcd", 3) == (head, b"abc")
    assert split_answer(head + b"ab", 3) is None
    assert split_answer(head[:-1], 3) is None
    for other in (head.replace(b"3", b"4"), head.replace(b"content-length: 3", b"Transfer-Encoding: chunked")):
        with pytest.raises(BadMessageError, match="a body that is too long, or comes in chunks"):
            split_answer(other, 3)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (b"", b"Connection: close\r\n"),
        (b"Connection: close\r\n", b"Connection: close\r\n"),
        (b"connection:Keep-Alive\r\nKEEP-alive: 5\r\n", b"Connection: close\r\n"),
        (b"Connection: Upgrade\r\nUpgrade: tcp\r\n", b"Upgrade: tcp\r\nConnection: Upgrade, close\r\n"),
        (b"Connection: close\r\nConnection: a,, b ,CLOSE\r\n", b"Connection: a, b, close\r\n"),
    ],
)
def test_a_request_asks_for_the_end_of_its_connection(fields: bytes, expected: bytes) -> None:
    head = POST + fields + b"\r\n"

    assert closing(head, parse_request(head)) == POST + expected + b"\r\n"


def test_a_head_gets_another_body() -> None:
    head = POST + b"content-LENGTH: 3\r\nA: b\r\n\r\n"

    assert with_body(without(head, b"content-length", b"expect"), b"1234") == (
        POST + b"A: b\r\nContent-Length: 4\r\n\r\n1234"
    )
