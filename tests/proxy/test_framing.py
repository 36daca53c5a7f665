"""Where a message of HTTP ends, and which ones are refused since they could end elsewhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paude_venv_hook.proxy.framing import (
    MOST_HEAD_BYTES,
    BadMessageError,
    Chunked,
    Head,
    Sized,
    decode_chunks,
    head_length,
    parse_request,
    parse_response,
    request_body,
    response_body,
    with_body,
    without,
)

POST = b"POST /v1.41/build HTTP/1.1\r\nHost: docker\r\n"


def body_of(*fields: bytes, version: bytes = b"1") -> Sized | Chunked:
    head = b"\r\n".join([b"POST /build HTTP/1." + version, *fields, b"", b""])
    return request_body(parse_request(head))


def answered(status: bytes, *fields: bytes, method: bytes = b"GET") -> Sized | Chunked | None:
    head = b"\r\n".join([b"HTTP/1.1 " + status, *fields, b"", b""])
    return response_body(parse_response(head), method)


def feed(data: bytes, sizes: list[int]) -> tuple[bytes, bool]:
    """Return what of the data belongs to a chunked body, and whether that is whole, with the data in such pieces."""
    body, taken, at = Chunked(), 0, 0
    for size in [*sizes, len(data)]:
        piece, at = data[at : at + size], at + size
        end = body.feed(piece)
        taken += end
        if end < len(piece):
            break
    return data[:taken], body.is_whole


@given(st.binary(max_size=40), st.integers(0, 80))
def test_a_head_ends_at_its_empty_line_however_it_comes(rest: bytes, cut: int) -> None:
    head = POST + b"X: y\r\n\r\n"
    whole = head + rest

    assert head_length(whole) == len(head)
    assert head_length(whole[: min(cut, len(head) - 1)]) == 0


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
    with pytest.raises(BadMessageError, match="a line that does not end in CR and LF"):
        head_length(data)


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
    assert parse_response(b"HTTP/1.1 101 UPGRADED\r\n\r\n") == (b"101", b"", b"1", [])
    assert parse_response(b"HTTP/1.0 200\r\n\r\n") == (b"200", b"", b"0", [])


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


@pytest.mark.parametrize("line", [b"", b"HTTP/1.1", b"HTTP/1.1 20", b"HTTP/1.1 2000", b"HTTP/1.1 099 X", b"ICY 200 OK"])
def test_a_status_line_is_read_in_one_way(line: bytes) -> None:
    with pytest.raises(BadMessageError, match=r"a status line that is not HTTP/1\.1 STATUS"):
        parse_response(line + b"\r\n\r\n")


@pytest.mark.parametrize(
    "field",
    [b"A", b": b", b" A: b", b"\tfolded", b"A : b", b"A\t: b", b"A(: b", b"A: \x7f", b"A: \x0b", b"A\xe9: b", b""],
)
def test_a_field_is_read_in_one_way(field: bytes) -> None:
    with pytest.raises(BadMessageError, match="a header that is not NAME: VALUE"):
        parse_request(POST + field + b"\r\n" + b"X: y\r\n\r\n")


def test_the_length_of_a_requests_body() -> None:
    none, sized, chunked = body_of(), body_of(b"content-length: 0012"), body_of(b"Transfer-Encoding: Chunked")

    assert isinstance(none, Sized)
    assert isinstance(sized, Sized)
    assert isinstance(chunked, Chunked)
    assert (none.left, sized.left) == (0, 12)


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
        body_of(*fields)


def test_chunks_are_not_for_http_1_0_which_daemons_read_without() -> None:
    with pytest.raises(BadMessageError, match="a body whose length is said in two ways, or in an unknown one"):
        body_of(b"Transfer-Encoding: chunked", version=b"0")


@pytest.mark.parametrize(
    "sizes", [[b"1", b"1"], [b"1", b"2"], [b"1, 1"], [b"-1"], [b"+1"], [b"1.0"], [b"0x1"], [b""], [b"1" * 19], [b"1 1"]]
)
def test_a_length_is_one_number(sizes: list[bytes]) -> None:
    with pytest.raises(BadMessageError, match="a Content-Length that is not one number"):
        body_of(*(b"Content-Length: " + size for size in sizes))


def test_the_length_of_an_answers_body() -> None:
    length = b"Content-Length: 5"
    for status in (b"204 No Content", b"304 Not Modified"):
        body = answered(status)
        assert body is not None
        assert body.is_whole
    of_head = answered(b"200 OK", length, method=b"HEAD")
    assert of_head is not None
    assert of_head.is_whole
    sized = answered(b"200 OK", length)
    assert isinstance(sized, Sized)
    assert sized.left == 5
    assert isinstance(answered(b"200 OK", b"Transfer-Encoding: chunked"), Chunked)
    assert answered(b"200 OK", b"Content-Type: application/vnd.docker.raw-stream") is None
    assert answered(b"101 UPGRADED", b"Upgrade: tcp") is None
    assert answered(b"101 UPGRADED", length) is None


@given(st.integers(0, 50), st.lists(st.binary(max_size=20)))
def test_a_body_with_a_length_ends_there(size: int, blocks: list[bytes]) -> None:
    body, taken = Sized(size), 0
    for block in blocks:
        taken += body.feed(block)

    assert taken == min(size, sum(map(len, blocks)))
    assert body.is_whole == (taken == size)


chunks = st.lists(st.tuples(st.binary(min_size=1, max_size=30), st.sampled_from([b"", b" ", b";a=b", b" ; x"])))


@given(chunks, st.sampled_from([b"", b"X: y\r\n"]), st.binary(max_size=9), st.lists(st.integers(1, 9)))
def test_a_chunked_body_ends_after_its_last_chunk_however_it_comes(
    pieces: list[tuple[bytes, bytes]], trailer: bytes, rest: bytes, sizes: list[int]
) -> None:
    sent = b"".join(b"%x%b\r\n%b\r\n" % (len(data), more, data) for data, more in pieces) + b"0\r\n" + trailer + b"\r\n"

    assert feed(sent + rest, sizes) == (sent, True)
    assert decode_chunks(sent) == b"".join(data for data, _ in pieces)
    assert feed(sent[:-1], sizes) == (sent[:-1], False)


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
        (b"1\r\na\r\r", "a chunk with a line that is too long, or does not end in CR and LF"),
        (b"0\r\nX y\r\n", "a header that is not NAME: VALUE"),
        (b"0\r\n folded\r\n", "a header that is not NAME: VALUE"),
    ],
)
def test_chunks_are_read_in_one_way(data: bytes, problem: str) -> None:
    for sizes in ([], [1] * len(data)):
        with pytest.raises(BadMessageError) as caught:
            feed(data, sizes)
        assert str(caught.value) == problem


def test_a_head_gets_another_body() -> None:
    head = POST + b"content-LENGTH: 3\r\nA: b\r\n\r\n"

    assert with_body(without(head, b"content-length", b"expect"), b"1234") == (
        POST + b"A: b\r\nContent-Length: 4\r\n\r\n1234"
    )
