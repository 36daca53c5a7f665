"""What goes through the proxy of Docker's API: all of it, byte for byte, but a container gets its shadows."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import socket
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import MakeVenv
from docker_lab import Lab, answer, answering, proxied, read_message, request, run
from layout import fill
from paude_venv_hook.files import mount_points
from paude_venv_hook.proxy import end, server
from paude_venv_hook.proxy.api import add_shadows

OPTIONS = f"rw,exec,nosuid,nodev,uid={os.getuid()},gid={os.getgid()},mode=1777"
CREATE = "POST /v1.41/containers/create?name=one"
CREATED = answer("201 Created", b'{"Id":"1","Warnings":[]}\n')
PING = b"HEAD /_ping HTTP/1.1\r\nHost: docker\r\n\r\n"
CHUNKED = "Transfer-Encoding: chunked"


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(end, "_GONE_SECONDS", 0.01)
    monkeypatch.setattr(server, "_LINGER_SECONDS", 0.2)


@pytest.fixture
def app(workspace: Path, make_venv: MakeVenv) -> Path:
    """Return a workspace that opted in, with a venv."""
    make_venv(workspace / ".venv")
    return fill(workspace, "paude.json = {}")


def body_for(folder: Path, **more: Any) -> bytes:
    return json.dumps({"Image": "debian", "HostConfig": {"Binds": [f"{folder}:/app"]}, **more}).encode()


def shadowed(folder: Path) -> bytes:
    host = {"Binds": [f"{folder}:/app"], "Tmpfs": {"/app/.venv": OPTIONS}}
    return json.dumps({"Image": "debian", "HostConfig": host}).encode()


def refusal(status: str, sentence: str) -> bytes:
    body = json.dumps({"message": f"paude-venv-hook: {sentence}"}).encode() + b"\n"
    fields = ["Content-Type: application/json", "Connection: close", f"Content-Length: {len(body)}"]
    return "\r\n".join([f"HTTP/1.1 {status}", *fields, "", ""]).encode() + body


# ---- what passes


def test_requests_and_answers_pass_one_after_the_other_as_they_are() -> None:
    chunks = b"5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n".replace(b"X: y\r\n", b"")
    asked = [
        PING,
        request("GET /v1.41/containers/json"),
        request("POST /v1.41/images/load", b"\x00\xff" * 300_000),
        b"POST /build HTTP/1.1\r\nhost:docker\r\nX-Registry-Config: e30=\r\n" + CHUNKED.encode() + b"\r\n\r\n" + chunks,
        request("DELETE /v1.41/containers/create"),
        request("POST /v1.41/containers/create/json", b"{"),
        b"GET /version HTTP/1.1\r\n\r\n",
    ]
    answers = [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n",  # to HEAD, without a body
        answer(body=b"[]"),
        b"HTTP/1.1 200\r\nTRANSFER-encoding: Chunked\r\n\r\n" + chunks,
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + answer("500 Oh", b"x" * 400_000),
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n",
        answer(),
    ]
    seen: list[bytes] = []

    async def scenario() -> None:
        async with proxied(answering(*answers, seen=seen)) as lab, lab.client() as client:
            for question, expected in zip(asked, answers, strict=True):
                await client.say(question)
                assert await client.reader.readexactly(len(expected)) == expected

    run(scenario())
    assert seen == asked


def test_requests_that_come_at_once_are_answered_in_their_order(app: Path) -> None:
    seen: list[bytes] = []

    async def scenario() -> None:
        serve = answering(answer(body=b"1"), CREATED, answer(body=b"3"), seen=seen)
        async with proxied(serve) as lab, lab.client() as client:
            await client.say(request("GET /1") + request(CREATE, body_for(app)) + request("GET /3"))
            client.writer.write_eof()
            assert await client.rest() == answer(body=b"1") + CREATED + answer(body=b"3")

    run(scenario())
    assert seen[1] == request(CREATE, shadowed(app))


# ---- what is created


@pytest.mark.parametrize(
    "fields",
    [
        ["Content-Type: application/json"],
        ["Content-Type: application/json", "Expect: 100-continue"],
        ["Content-Type: application/json", CHUNKED],
        [CHUNKED, "Expect: 100-Continue", "Trailer: X", "Content-Type: application/json"],
    ],
)
def test_a_container_gets_its_shadows(app: Path, fields: list[str]) -> None:
    seen: list[bytes] = []
    body = body_for(app)
    asked = request(CREATE, body, *fields)
    if CHUNKED in fields:
        asked = re.sub(rb"Content-Length: .*\r\n", b"", asked).replace(
            body, b"%x\r\n%b\r\n%x\r\n%b\r\n0\r\nX: y\r\n\r\n" % (9, body[:9], len(body) - 9, body[9:])
        )

    async def scenario() -> None:
        async with proxied(answering(CREATED, seen=seen)) as lab, lab.client() as client:
            head, _, rest = asked.partition(b"\r\n\r\n")
            await client.say(head + b"\r\n\r\n")
            if "Expect" in str(fields):
                assert await read_message(client.reader) == b"HTTP/1.1 100 Continue\r\n\r\n"
            assert await client.ask(rest) == CREATED

    run(scenario())
    assert seen == [request(CREATE, shadowed(app), "Content-Type: application/json")]


def test_what_has_nothing_to_shadow_passes_byte_for_byte(workspace: Path, make_venv: MakeVenv) -> None:
    seen: list[bytes] = []
    make_venv(workspace / ".venv")
    body = json.dumps({"HostConfig": {"Binds": [f"{workspace}:/app"]}}, indent=3).encode()
    chunked = b"POST /containers/create HTTP/1.1\r\nA:b\r\nTransfer-encoding:chunked\r\n\r\n%x;a\r\n%b\r\n0\r\n\r\n"
    asked = [request(CREATE, body), request(CREATE), chunked % (len(body), body)]

    async def scenario() -> None:
        async with proxied(answering(CREATED, seen=seen)) as lab, lab.client() as client:
            for question in asked:
                assert await client.ask(question) == CREATED

    run(scenario())
    assert seen == asked


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        ("POST", "/containers/create", True),
        ("POST", "/v1.41/containers/create?name=a&platform=b", True),
        ("POST", "/v%31.41/containers/%63reate", True),
        ("POST", "/containers%2Fcreate", True),
        ("POST", "http://docker/v1.24/containers/create?", True),
        ("POST", "http:/containers/create", True),
        ("POST", "//containers/create", True),
        ("POST", "/v1.41//containers/./x/../create/", True),
        ("post", "/containers/create", True),
        ("GET", "/containers/create", False),
        ("POST", "/containers/create%3Fx", False),
        ("POST", "/containers/create/json", False),
        ("POST", "/v1.41/containers/one/start", False),
        ("POST", "/v1.41/volumes/create", False),
        ("POST", "/Containers/Create", False),
        ("POST", "/images/create?fromImage=/containers/create", False),
        ("POST", "*", False),
    ],
)
def test_each_form_that_a_daemon_takes_for_the_call_is_known(
    app: Path, method: str, target: str, expected: bool
) -> None:
    """Docker 20.10 took the first six, and answered the next with 301, where its clients do not follow."""
    seen: list[bytes] = []
    asked = request(f"{method} {target}", body_for(app))

    async def scenario() -> None:
        async with proxied(answering(CREATED, seen=seen)) as lab, lab.client() as client:
            await client.ask(asked)

    run(scenario())
    assert seen == ([request(f"{method} {target}", shadowed(app))] if expected else [asked])


def test_the_platform_of_the_query_and_mount_points_and_stores_count(workspace: Path) -> None:
    fill(workspace, 'paude.json = {"venv-storage": "disk", "venv": ["env"]}')
    seen: list[bytes] = []

    async def scenario() -> None:
        async with proxied(answering(CREATED, seen=seen)) as lab, lab.client() as client:
            await client.ask(request(f"{CREATE}&platform=linux%2Farm64", body_for(workspace)))

    run(scenario())
    (mount,) = json.loads(seen[0].partition(b"\r\n\r\n")[2])["HostConfig"]["Mounts"]
    record = json.loads((Path(mount["Source"]).parent / "store.json").read_text())
    assert (record["image"], record["platform"], record["engine"]) == ("debian", "linux/arm64", "docker")
    assert os.listdir(workspace / "env") == []
    assert os.listdir(mount["Source"]) == []


def test_what_a_person_should_know_goes_to_the_client_and_to_stderr(
    workspace: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    fill(workspace, "paude.json = {}", "uv.lock", "app/.venv/pyvenv.cfg")
    said = [
        'app/.venv stays visible in the container; to shadow what is there, write "venv": [".venv", "app/.venv"] '
        "in paude.json",
        "made an empty .venv, so that the container's venv stays out of it (uv.lock); "
        '"venv": "none" in paude.json turns that off',
    ]
    other = answer("201 Created", b"<>")

    async def scenario() -> None:
        created = answer("201 Created", b'{"Id":"1","Warnings":["IPv4"]}\n', "A: b")
        async with proxied(answering(created, other, answer("404 Not Found"))) as lab, lab.client() as client:
            answered = await client.ask(request(CREATE, body_for(workspace)))
            warnings = ["IPv4", *(f"paude-venv-hook: {line}" for line in said)]
            body = json.dumps({"Id": "1", "Warnings": warnings}).encode() + b"\n"
            assert answered == answer("201 Created", body, "A: b")
            assert await client.ask(request(CREATE, body_for(workspace))) == other
            assert await client.ask(request(CREATE, body_for(workspace))) == answer("404 Not Found")

    run(scenario())
    lines = [f"paude-venv-hook: warning: {line}" for line in said]
    assert capfd.readouterr().err.splitlines() == [*lines, lines[0], lines[0]]


def test_what_a_client_was_not_told_it_is_told_when_it_tries_again(workspace: Path) -> None:
    """`docker run` pulls the image that is not there, and creates the container once more."""
    fill(workspace, "paude.json = {}", "uv.lock")
    made = (
        "paude-venv-hook: made an empty .venv, so that the container's venv stays out of it (uv.lock); "
        '"venv": "none" in paude.json turns that off'
    )

    async def scenario() -> None:
        async with proxied(answering(answer("404 Not Found"), CREATED)) as lab, lab.client() as client:
            warnings = []
            for _ in range(3):
                answered = await client.ask(request(CREATE, body_for(workspace)))
                warnings.append(json.loads(answered.partition(b"\r\n\r\n")[2]).get("Warnings"))
            assert warnings == [None, [made], []]

    run(scenario())


def test_a_mount_point_that_cannot_be_made_stops_no_container(
    workspace: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    fill(workspace, 'paude.json = {"venv": ["' + "x" * 300 + '"]}')
    sentence = (
        f"nothing shadowed: {workspace}/{'x' * 300}: the mount point cannot be made: File name too long; "
        'make it, or write "venv": "none" in paude.json'
    )
    seen: list[bytes] = []
    asked = request(CREATE, body_for(workspace))

    async def scenario() -> None:
        async with proxied(answering(CREATED, seen=seen)) as lab, lab.client() as client:
            answered = await client.ask(asked)
            (warning,) = json.loads(answered.partition(b"\r\n\r\n")[2])["Warnings"]
            assert warning == f"paude-venv-hook: {sentence}"

    run(scenario())
    assert seen == [asked]
    assert capfd.readouterr().err == f"paude-venv-hook: warning: {sentence}\n"


def test_a_container_whose_description_is_long_is_described_whole(app: Path) -> None:
    seen: list[bytes] = []
    host = {"Binds": [f"{app}:/app"]}
    body = {"Labels": {"a": "x" * 5_000_000}, "HostConfig": host}

    async def scenario() -> None:
        async with proxied(answering(CREATED, seen=seen)) as lab, lab.client() as client:
            assert await client.ask(request(CREATE, json.dumps(body).encode())) == CREATED

    run(scenario())
    whole = json.dumps({**body, "HostConfig": {**host, "Tmpfs": {"/app/.venv": OPTIONS}}}).encode()
    assert seen == [request(CREATE, whole)]


def test_while_a_file_system_takes_its_time_the_others_are_served(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = threading.Event()

    def slowly(*given: Any) -> Any:
        assert answers.wait(5)
        return add_shadows(*given)

    monkeypatch.setattr(server, "add_shadows", slowly)

    async def scenario() -> None:
        async with proxied(answering(CREATED)) as lab, lab.client() as first, lab.client() as second:
            creating = asyncio.create_task(first.ask(request(CREATE, body_for(app))))
            await asyncio.sleep(0.02)
            assert await second.ask(request("GET /")) == CREATED
            assert not creating.done()
            answers.set()
            assert await creating == CREATED

    run(scenario())


def test_while_this_process_is_somebody_else_nobody_is_connected(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To make a mount point, root becomes the workspace's owner, whom Docker's socket may refuse."""
    fill(workspace, "paude.json = {}", "uv.lock")
    is_ourselves = threading.Event()

    @contextlib.contextmanager
    def slowly(paths: Iterable[str]) -> Iterator[list[str]]:
        assert is_ourselves.wait(5)
        with mount_points(paths) as made:
            yield made

    monkeypatch.setattr(server, "mount_points", slowly)

    async def scenario() -> None:
        async with proxied(answering(CREATED)) as lab, lab.client() as first, lab.client() as second:
            creating = asyncio.create_task(first.ask(request(CREATE, body_for(workspace))))
            await asyncio.sleep(0.05)
            asking = asyncio.create_task(second.ask(request("GET /")))
            await asyncio.sleep(0.05)
            assert not asking.done()
            is_ourselves.set()
            assert await asking == CREATED
            assert b"201 Created" in await creating

    run(scenario())


# ---- what is refused


def refused(asked: bytes, expected: bytes, serve: Any = None) -> list[bytes]:
    """Ask, and assert what the answer is; return what came to the daemon."""
    seen: list[bytes] = []

    async def scenario() -> None:
        async with proxied(serve or answering(CREATED, seen=seen)) as lab, lab.client() as client:
            await client.say(asked)
            assert await client.rest() == expected

    run(scenario())
    return seen


def test_wrong_settings_answer_with_the_sentence_that_says_it(
    workspace: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    fill(workspace, 'paude.json = {"venv": 3}')
    sentence = f'{workspace}/paude.json: venv: must be "auto", "none" or a list of directories, not a number'

    assert refused(request(CREATE, body_for(workspace)), refusal("400 Bad Request", sentence)) == []
    assert capfd.readouterr().err == f"paude-venv-hook: error[settings]: {sentence}\n"


@pytest.mark.parametrize("kind", [LookupError, PermissionError])
def test_a_bug_of_ours_is_said_and_creates_nothing(
    app: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], kind: type[Exception]
) -> None:
    def fail(*_: Any) -> None:
        raise kind("oh")

    monkeypatch.setattr(server, "add_shadows", fail)
    line = fail.__code__.co_firstlineno + 1
    sentence = f"bug: {kind.__name__} at test_server.py:{line}: oh; please report it"

    assert refused(request(CREATE, body_for(app)), refusal("500 Internal Server Error", sentence)) == []
    assert capfd.readouterr().err == f"paude-venv-hook: {sentence}\n"


@pytest.mark.parametrize("sends_it", [True, False])
def test_a_body_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch, sends_it: bool) -> None:
    monkeypatch.setattr(server, "MOST_BODY_BYTES", 1000)
    expected = refusal(
        "413 Request Entity Too Large", "the container is described in more than 1000 bytes; say less of it"
    )
    whole = request(CREATE, b" " * 1001, "Expect: 100-continue")
    chunked = request(CREATE).replace(b"Content-Length: 0", CHUNKED.encode()) + b"500\r\n" + b" " * 0x500

    assert refused(whole if sends_it else whole[:-1001], expected) == []
    assert refused(chunked, expected) == []


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        (request(CREATE, b"{}", CHUNKED), "a body whose length is said in two ways, or in an unknown one"),
        (request(CREATE, b"{}", "Content-Length: 2"), "a Content-Length that is not one number"),
        (request(CREATE, b"{}").replace(b"\r", b""), "a head with a line that does not end in CR and LF"),
        (request(CREATE, b"{}", "A: b", " c: d"), "a header that is not NAME: VALUE"),
        (b"\r\n" + PING + b"\r\n", "a request line that is not METHOD TARGET HTTP/1.1"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "a request line that is not METHOD TARGET HTTP/1.1"),
        (
            f"{CREATE} HTTP/1.1\r\n{CHUNKED}\r\n\r\n0x2\r\n".encode(),
            "a chunk whose size is no hexadecimal number",
        ),
    ],
)
def test_what_could_be_read_in_two_ways_comes_to_no_daemon(asked: bytes, problem: str) -> None:
    assert refused(asked, refusal("400 Bad Request", f"the request cannot be passed on: {problem}")) == []


def test_a_body_that_goes_wrong_later_is_refused_too() -> None:
    asked = f"POST /build HTTP/1.1\r\n{CHUNKED}\r\n\r\n1\r\na\r\n".encode()
    problem = "a chunk whose size is no hexadecimal number"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.read() == asked

    async def scenario() -> None:
        async with proxied(serve) as lab, lab.client() as client:
            await client.say(asked)
            await asyncio.sleep(0.05)
            await client.say(b"x\r\n")
            assert await client.rest() == refusal("400 Bad Request", f"the request cannot be passed on: {problem}")

    run(scenario())


def test_where_no_daemon_is_the_client_is_told_which_socket_and_head_gets_no_body() -> None:
    async def scenario() -> None:
        async with proxied(answering(CREATED)) as lab:
            os.unlink(lab.daemon)
            why = f"Docker cannot be reached at {lab.daemon}: No such file or directory; start it, or try again"
            async with lab.client() as client:
                await client.say(request("GET /_ping"))
                assert await client.rest() == refusal("502 Bad Gateway", why)
            async with lab.client() as client:
                await client.say(PING)
                assert await client.rest() == refusal("502 Bad Gateway", why).partition(b"{")[0]

    run(scenario())


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        (b"SSH-2.0-OpenSSH\r\n\r\n", "a status line that is not HTTP/1.1 STATUS"),
        (b"HTTP/1.1 200 OK\n\n", "a head with a line that does not end in CR and LF"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n", "a Content-Length that is not one number"),
    ],
)
def test_an_answer_that_is_no_http_is_said(said: bytes, problem: str) -> None:
    why = f"Docker's answer is none that can be passed on: {problem}; restart it"

    refused(request("GET /"), refusal("502 Bad Gateway", why), answering(said))


# ---- what takes the connection over

UPGRADE = request("POST /v1.41/exec/1/start", b"{}", "Connection: Upgrade", "Upgrade: tcp")
TAKEN = [
    b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n",
]


@pytest.mark.parametrize("taken", TAKEN)
@pytest.mark.parametrize("early", [b"", b"POST /containers/create HTTP/1.1\n\n\0"])
def test_after_it_both_directions_are_raw_until_the_daemon_ends(taken: bytes, early: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await read_message(reader) == UPGRADE
        await asyncio.sleep(0.02)
        writer.write(taken + b"first")
        while data := await reader.read(1000):
            writer.write(data.upper())
        await asyncio.sleep(0.02)  # the client has finished, and gets the rest
        writer.write(b"last")

    async def scenario() -> None:
        async with proxied(serve) as lab, lab.client() as client:
            await client.say(UPGRADE + early)
            assert await client.reader.readexactly(len(taken) + 5 + len(early)) == taken + b"first" + early.upper()
            await client.say(b"\xff raw")
            assert await client.reader.readexactly(5) == b"\xff RAW"
            client.writer.write_eof()
            assert await client.rest() == b"last"

    run(scenario())


def test_where_it_is_refused_the_next_container_is_still_seen(app: Path) -> None:
    seen: list[bytes] = []
    conflict = answer("409 Conflict")

    async def scenario() -> None:
        async with proxied(answering(conflict, CREATED, seen=seen)) as lab, lab.client() as client:
            assert await client.ask(UPGRADE) == conflict
            assert await client.ask(request(CREATE, body_for(app))) == CREATED

    run(scenario())
    assert seen == [UPGRADE, request(CREATE, shadowed(app))]


def test_a_stream_of_a_daemon_that_ends_ends_for_the_client() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_message(reader)
        writer.write(TAKEN[0] + b"bye")

    async def scenario() -> None:
        async with proxied(serve) as lab, lab.client() as client:
            await client.say(UPGRADE)
            assert await client.rest() == TAKEN[0] + b"bye"

    run(scenario())


# ---- who ends, and when


def test_a_daemon_that_ends_between_requests_ends_the_connection() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_message(reader)
        writer.write(answer())

    async def scenario() -> None:
        async with proxied(serve) as lab, lab.client() as client:
            assert await client.ask(request("GET /")) == answer()
            assert await client.rest() == b""

    run(scenario())


def test_a_client_that_has_finished_gets_its_answer() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_message(reader)
        assert await reader.read() == b""
        writer.write(answer())

    async def scenario() -> None:
        async with proxied(serve) as lab, lab.client() as client:
            await client.say(request("GET /"))
            client.writer.write_eof()
            assert await client.rest() == answer()

    run(scenario())


def test_a_daemon_that_has_had_enough_of_a_body_is_still_heard() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer("400 Bad Request"))

    async def scenario() -> None:
        async with proxied(serve) as lab, lab.client() as client:
            await client.say(request("POST /build", b"x" * 1000)[:-1])
            assert await client.rest() == answer("400 Bad Request")

    run(scenario())


PHASES = {
    "nothing": b"",
    "half a head": PING[:20],
    "a head": request(CREATE, b"{}")[:-2],
    "half a body": request("POST /build", b"x" * 500_000)[:-9],
    "a request": request("GET /events"),
    "a stream": UPGRADE,
    "a stream, and more": UPGRADE + b"x" * 500_000,
}


@pytest.mark.parametrize("sent", PHASES.values(), ids=PHASES)
@pytest.mark.parametrize("starts", [b"", TAKEN[0], b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx"])
def test_a_client_that_hangs_up_leaves_nothing(sent: bytes, starts: bytes) -> None:
    """The daemon starts to answer, or not, and notices only that its own client, the proxy, hangs up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_message(reader)
        writer.write(starts)
        while await reader.read(100_000):
            pass
        while starts and not writer.is_closing():
            await asyncio.sleep(0.01)
            writer.write(b".")

    async def scenario() -> None:
        async with proxied(serve) as lab:
            async with lab.client() as client:
                client.writer.write(sent)
                await asyncio.sleep(0.02)
            await lab.all_gone()

    run(scenario())


def test_a_client_that_hangs_up_a_silent_stream_is_noticed_also_by_the_daemon() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_message(reader)
        writer.write(TAKEN[0])
        assert await reader.read() == b""
        while not writer.is_closing():
            await asyncio.sleep(0.01)
            writer.write(b"x")

    async def scenario() -> None:
        async with proxied(serve) as lab:
            async with lab.client() as client:
                await client.say(UPGRADE)
                assert await client.reader.readexactly(len(TAKEN[0])) == TAKEN[0]
            await lab.all_gone()

    run(scenario())


# ---- much, and many


def test_who_does_not_read_stops_who_writes() -> None:
    block, written, read = b"x" * 65536, [0], [0]

    async def fill_up(writer: asyncio.StreamWriter, done: list[int]) -> None:
        writer.transport.set_write_buffer_limits(high=0)
        with contextlib.suppress(asyncio.TimeoutError):
            while sum(done) < 10_000_000:
                writer.write(block)
                await asyncio.wait_for(writer.drain(), 0.2)
                done.append(len(block))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(TAKEN[0])
        await fill_up(writer, written)

    async def scenario() -> None:
        async with proxied(serve) as lab, lab.client() as client:
            await client.say(UPGRADE)
            await asyncio.sleep(0.1)
            client.reader._transport.pause_reading()  # type: ignore[attr-defined]  # noqa: SLF001 - as who reads no more
            await fill_up(client.writer, read)
            client.writer.transport.abort()

    run(scenario())
    assert sum(written) < 4_000_000
    assert sum(read) < 4_000_000


def test_a_large_answer_and_a_large_body_pass_whole() -> None:
    large = os.urandom(1_000_000) * 8

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while asked := await read_message(reader):
            writer.write(answer(body=asked.partition(b"\r\n\r\n")[2]))
            await writer.drain()

    async def scenario() -> None:
        async with proxied(serve) as lab, lab.client() as client:
            for _ in range(2):
                assert await client.ask(request("POST /images/load", large)) == answer(body=large)

    run(scenario())


def test_clients_wait_for_a_daemon_whose_queue_is_full() -> None:
    async def scenario() -> None:
        async with proxied(answering(answer())) as lab:
            os.unlink(lab.daemon)
            with socket.socket(socket.AF_UNIX) as busy:
                busy.bind(lab.daemon)
                busy.listen(0)
                busy.settimeout(0)
                async with lab.client() as first, lab.client() as second:
                    for client in (first, second):
                        await client.say(request("GET /"))
                    await asyncio.sleep(0.05)
                    for _ in (first, second):
                        connection, _ = await asyncio.get_running_loop().sock_accept(busy)
                        await asyncio.sleep(0.05)
                        connection.sendall(answer())
                        connection.close()
                    for client in (first, second):
                        assert await read_message(client.reader) == answer()

    run(scenario())


def test_many_clients_at_once_each_get_their_own(tmp_path: Path, make_venv: MakeVenv) -> None:
    apps = [tmp_path / f"app{number}" for number in range(60)]
    for app in apps:
        make_venv(app / ".venv")
        fill(app, "paude.json = {}")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while asked := await read_message(reader):
            writer.write(answer("201 Created", asked.partition(b"\r\n\r\n")[2]))

    async def one(lab: Lab, app: Path) -> None:
        async with lab.client() as client:
            for _ in range(2):
                answered = await client.ask(request(CREATE, body_for(app)))
                assert answered == answer("201 Created", shadowed(app))

    async def scenario() -> None:
        async with proxied(serve) as lab:
            await asyncio.gather(*(one(lab, app) for app in apps))

    run(scenario())


# ---- whatever comes

PIECES = [
    b"POST ", b"GET ", b"/containers/create", b" HTTP/1.1", b" HTTP/1.0", b"\r\n", b"\r\n", b"\n", b"\r", b" ", b"\0",
    b"Content-Length: 2", b"Content-Length: 5", b"Transfer-Encoding: chunked", b"Expect: 100-continue", b"A: b", b":",
    b"{}", b"2\r\n{}\r\n0\r\n\r\n", b"0\r\n\r\n", b"\xff", b"\r\n\r\n",
]  # fmt: skip
WHOLE = [
    PING,
    request(CREATE, b"{}"),
    request("POST /build", b"ab"),
    request(CREATE, b"{", CHUNKED),
    request(CREATE, b"{"),
]
hostile = st.lists(st.sampled_from([*PIECES, *WHOLE]), max_size=12).map(b"".join) | st.binary(max_size=60)
DAEMONS = answer(body=b"daemon")


@settings(max_examples=150)
@given(hostile)
def test_whatever_comes_it_is_the_daemons_answer_or_one_clear_refusal(sent: bytes) -> None:
    """Here `containers/create` comes to the daemon only as what was read here as such."""
    read: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while asked := await read_message(reader):
            read.append(asked)
            writer.write(DAEMONS if not asked.startswith(b"HEAD") else DAEMONS[:-6])

    async def scenario() -> None:
        async with proxied(serve) as lab, lab.client() as client:
            await client.say(sent)
            client.writer.write_eof()
            answers = (await client.rest()).replace(b"HTTP/1.1 100 Continue\r\n\r\n", b"")
            left = answers.replace(DAEMONS, b"").replace(DAEMONS[:-6], b"")
            assert left == b"" or re.fullmatch(
                rb'HTTP/1\.1 400 Bad Request\r\n[^{]+\{"message": "paude-venv-hook: [^"]+"\}\n', left
            )

    run(scenario())
