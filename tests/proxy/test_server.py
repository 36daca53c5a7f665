"""What goes through the proxy of Docker's API: all of it, byte for byte, but a container gets its shadows."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import re
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import MakeVenv
from docker_lab import Lab, answer, answering, passed, proxied, read_message, request, run, until
from layout import fill
from paude_venv_hook.docker_api import sockets
from paude_venv_hook.launchers.last_launch import read_last_launch
from paude_venv_hook.proxy import client as module
from paude_venv_hook.proxy import planning, pump
from paude_venv_hook.proxy.api import add_shadows

OPTIONS = f"rw,exec,nosuid,nodev,uid={os.getuid()},gid={os.getgid()},mode=1777"
CREATE = "POST /v1.41/containers/create?name=one"
CREATED = answer("201 Created", b'{"Id":"1","Warnings":[]}\n')
PING = b"HEAD /_ping HTTP/1.1\r\nHost: docker\r\n\r\n"
CHUNKED = "Transfer-Encoding: chunked"


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pump, "LINGER_SECONDS", 0.2)
    monkeypatch.setattr(module, "LINGER_SECONDS", 0.2)


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


def created(folder: Path, *fields: str, target: str = CREATE) -> bytes:
    """Return the request that comes to the daemon, with the shadows."""
    return request(target, shadowed(folder), *fields, "Connection: close")


def test_requests_and_answers_pass_as_they_are_but_for_the_end_of_the_connection() -> None:
    chunks = b"5;a=b\r\nhello\r\n0\r\n\r\n"
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
        async with proxied(answering(*answers, seen=seen)) as lab:
            for question, expected in zip(asked, answers, strict=True):
                assert await lab.ask(question) == expected

    run(scenario())
    assert seen == [passed(question) for question in asked]


def test_a_request_behind_another_one_is_answered_by_nobody(app: Path) -> None:
    seen: list[bytes] = []

    async def scenario() -> None:
        async with proxied(answering(answer(body=b"1"), CREATED, seen=seen)) as lab:
            assert await lab.ask(request("GET /1") + request(CREATE, body_for(app))) == answer(body=b"1")
            assert await lab.ask(request(CREATE, body_for(app)) + request(CREATE, body_for(app))) == CREATED

    run(scenario())
    assert seen == [passed(request("GET /1")), created(app)]


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
    assert seen == [created(app, "Content-Type: application/json")]


def test_what_has_nothing_to_shadow_passes_byte_for_byte(workspace: Path, make_venv: MakeVenv) -> None:
    seen: list[bytes] = []
    make_venv(workspace / ".venv")
    body = json.dumps({"HostConfig": {"Binds": [f"{workspace}:/app"]}}, indent=3).encode()
    chunked = b"POST /containers/create HTTP/1.1\r\nA:b\r\nTransfer-encoding:chunked\r\n\r\n%x;a\r\n%b\r\n0\r\n\r\n"
    asked = [request(CREATE, body), request(CREATE), chunked % (len(body), body)]

    async def scenario() -> None:
        async with proxied(answering(CREATED, seen=seen)) as lab:
            for question in asked:
                assert await lab.ask(question) == CREATED

    run(scenario())
    assert seen == [passed(question) for question in asked]


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
        async with proxied(answering(CREATED, seen=seen)) as lab:
            await lab.ask(asked)

    run(scenario())
    assert seen == [created(app, target=f"{method} {target}") if expected else passed(asked)]


@pytest.mark.parametrize("path", [None, "somewhere"])
def test_podmans_own_api_has_another_form_of_the_call_and_that_is_said(
    app: Path, capfd: pytest.CaptureFixture[str], path: str | None
) -> None:
    seen: list[bytes] = []
    asked = request("POST /v4.0.0/libpod/containers/create", body_for(app))

    async def scenario() -> None:
        async with proxied(answering(CREATED, seen=seen), path) as lab:
            for _ in range(2):
                await lab.ask(asked)

    run(scenario())
    assert seen == [passed(asked)] * 2
    line = "warning: nothing shadowed: Podman's own API was used; use the podman command, or Docker's API"
    assert set(capfd.readouterr().err.splitlines()) == {f"paude-venv-hook: {line}"}


def test_the_platform_of_the_query_and_mount_points_and_stores_count(workspace: Path) -> None:
    fill(workspace, 'paude.json = {"venv-storage": "disk", "venv": ["env"]}')
    seen: list[bytes] = []

    async def scenario() -> None:
        async with proxied(answering(CREATED, seen=seen)) as lab:
            await lab.ask(request(f"{CREATE}&platform=linux%2Farm64", body_for(workspace)))

    run(scenario())
    (create,) = [call for call in seen if call.startswith(b"POST")]  # the daemon is asked who it is besides
    (mount,) = json.loads(create.partition(b"\r\n\r\n")[2])["HostConfig"]["Mounts"]
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
        f"in {workspace}/paude.json",
        "made an empty .venv, to keep the container's venv out of it (uv.lock); "
        f'"venv": "none" in {workspace}/paude.json turns that off',
    ]
    other = answer("201 Created", b"<>")

    async def scenario() -> None:
        ipv4 = answer("201 Created", b'{"Id":"1","Warnings":["IPv4"]}\n', "A: b")
        async with proxied(answering(ipv4, other, answer("404 Not Found"))) as lab:
            answered = await lab.ask(request(CREATE, body_for(workspace)))
            warnings = ["IPv4", *(f"paude-venv-hook: {line}" for line in said)]
            body = json.dumps({"Id": "1", "Warnings": warnings}).encode() + b"\n"
            assert answered == answer("201 Created", body, "A: b")
            assert await lab.ask(request(CREATE, body_for(workspace))) == other
            assert await lab.ask(request(CREATE, body_for(workspace))) == answer("404 Not Found")

    run(scenario())
    stays, made = f"paude-venv-hook: warning: {said[0]}", f"paude-venv-hook: {said[1]}"
    assert capfd.readouterr().err.splitlines() == [stays, made, stays, stays]


def test_what_a_client_was_not_told_it_is_told_when_it_tries_again(workspace: Path) -> None:
    """`docker run` pulls the image that is not there, and creates the container once more."""
    fill(workspace, "paude.json = {}", "uv.lock")
    made = (
        "paude-venv-hook: made an empty .venv, to keep the container's venv out of it (uv.lock); "
        f'"venv": "none" in {workspace}/paude.json turns that off'
    )

    async def scenario() -> None:
        async with proxied(answering(answer("404 Not Found"), CREATED)) as lab:
            warnings = []
            for _ in range(3):
                answered = await lab.ask(request(CREATE, body_for(workspace)))
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
        async with proxied(answering(CREATED, seen=seen)) as lab:
            answered = await lab.ask(asked)
            (warning,) = json.loads(answered.partition(b"\r\n\r\n")[2])["Warnings"]
            assert warning == f"paude-venv-hook: {sentence}"

    run(scenario())
    assert seen == [passed(asked)]
    assert capfd.readouterr().err == f"paude-venv-hook: warning: {sentence}\n"


def test_a_container_whose_description_is_long_is_described_whole(app: Path) -> None:
    seen: list[bytes] = []
    host = {"Binds": [f"{app}:/app"]}
    body = {"Labels": {"a": "x" * 5_000_000}, "HostConfig": host}

    async def scenario() -> None:
        async with proxied(answering(CREATED, seen=seen)) as lab:
            assert await lab.ask(request(CREATE, json.dumps(body).encode())) == CREATED

    run(scenario())
    whole = json.dumps({**body, "HostConfig": {**host, "Tmpfs": {"/app/.venv": OPTIONS}}}).encode()
    assert seen == [request(CREATE, whole, "Connection: close")]


# ---- what starts again

INSPECT = "/containers/one/json"


def told_of(folder: Path) -> dict[str, object]:
    """Return what the daemon tells of a container that binds a folder, and was made without a shadow."""
    mount = {"Type": "bind", "Source": str(folder), "Destination": "/app"}
    return {INSPECT: {"Name": "/one", "Config": {"Image": "debian"}, "HostConfig": {}, "Mounts": [mount]}}


MADE_BEFORE = ".venv not shadowed: the container one was made without that; remove it, and make it anew"


@pytest.mark.parametrize("call", ["start", "restart?t=1"])
def test_a_container_that_starts_again_without_its_shadow_is_noted(
    app: Path, capfd: pytest.CaptureFixture[str], call: str
) -> None:
    seen: list[bytes] = []
    asked = request(f"POST /v1.41/containers/one/{call}")

    async def scenario() -> None:
        async with proxied(answering(answer("204 No Content"), seen=seen, told=told_of(app))) as lab:
            assert await lab.ask(asked) == answer("204 No Content")
            await until(lambda: read_last_launch(str(app)), "it is kept")

    run(scenario())
    assert seen == [passed(asked)]
    assert capfd.readouterr().err == f"paude-venv-hook: warning: {MADE_BEFORE}\n"
    last = read_last_launch(str(app))
    assert last
    assert (last.through, last.shadowed, last.notes) == ("the proxy", (), (MADE_BEFORE,))


def test_a_container_that_was_created_here_is_not_looked_at_when_it_starts(
    app: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The daemon tells nothing of it, so that it would be noted otherwise; started once more, it is."""
    name = "1" * 64
    created_here = answer("201 Created", b'{"Id":"%b","Warnings":[]}\n' % name.encode())
    told = {f"/containers/{name}/json": told_of(app)[INSPECT]}

    async def scenario() -> None:
        async with proxied(answering(created_here, answer("204 No Content"), told=told)) as lab:
            await lab.ask(request(CREATE, body_for(app)))
            await lab.ask(request(f"POST /containers/{name}/start"))
            assert capfd.readouterr().err == ""
            await lab.ask(request(f"POST /containers/{name}/start"))
            assert capfd.readouterr().err == f"paude-venv-hook: warning: {MADE_BEFORE}\n"

    run(scenario())


@pytest.mark.parametrize("fails", ["it hangs", "it is no container", "its settings are wrong", "a bug of ours"])
def test_a_container_starts_whatever_comes_of_looking_at_it(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], fails: str
) -> None:
    fill(workspace, 'paude.json = {"venv": 3}')
    told = told_of(workspace)

    def fail(*_: Any) -> None:
        raise KeyError("oh")

    if fails == "it is no container":
        told = {INSPECT: {"message": "No such container"}}
    if fails == "a bug of ours":
        monkeypatch.setattr(planning, "find_missing", fail)
    if fails == "it hangs":
        monkeypatch.setattr(module, "_LOOK_SECONDS", 0.05)
        monkeypatch.setattr(planning, "find_missing", lambda *_: time.sleep(60))

    async def scenario() -> None:
        async with proxied(answering(answer("204 No Content"), told=told)) as lab:
            assert await lab.ask(request("POST /containers/one/start")) == answer("204 No Content")

    run(scenario())
    assert ("bug: KeyError" in capfd.readouterr().err) == (fails == "a bug of ours")


# ---- whose daemon it is


@pytest.mark.parametrize(
    ("engine", "options"),
    [("Engine", OPTIONS), ("Podman Engine", "rw,exec,nosuid,nodev,notmpcopyup,mode=1777")],
)
def test_the_daemon_is_asked_once_which_engine_it_is(app: Path, engine: str, options: str) -> None:
    seen: list[bytes] = []
    asked: list[bytes] = []
    serve = answering(CREATED, seen=seen, engine=engine)

    async def counted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        start = await reader.readexactly(12)
        asked.append(start)
        reader._buffer[:0] = start  # type: ignore[attr-defined]  # noqa: SLF001 - it is to be read again
        await serve(reader, writer)

    async def scenario() -> None:
        async with proxied(counted) as lab:
            for _ in range(3):
                assert await lab.ask(request(CREATE, body_for(app))) == CREATED

    run(scenario())
    assert [json.loads(one.partition(b"\r\n\r\n")[2])["HostConfig"]["Tmpfs"] for one in seen] == [
        {"/app/.venv": options}
    ] * 3
    assert asked.count(b"GET /version") == 1


def test_a_daemon_that_does_not_say_which_engine_it_is_is_asked_once(
    app: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "_ANSWER_SECONDS", 0.05)
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await read_message(reader)).partition(b" HTTP")[0])
        if asked[-1] == b"GET /version":
            await reader.read()
        else:
            writer.write(CREATED)

    async def scenario() -> None:
        async with proxied(serve) as lab:
            for _ in range(2):
                assert await lab.ask(request(CREATE, body_for(app))) == CREATED

    run(scenario())
    assert asked == [b"GET /version", CREATE.encode(), CREATE.encode()]


def test_for_somebody_who_asked_the_start_folder_counts_without_an_opt_in(workspace: Path, make_venv: MakeVenv) -> None:
    make_venv(workspace / ".venv")
    seen: list[bytes] = []

    async def scenario() -> None:
        async with proxied(answering(CREATED, seen=seen), str(workspace)) as lab:
            assert await lab.ask(request(CREATE, body_for(workspace))) == CREATED

    run(scenario())
    assert seen == [created(workspace)]


# ---- who waits for whom


@pytest.fixture
def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Let each plan wait, and return a function that lets one of them go on."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    gate = os.open(path, os.O_RDWR)

    def slowly(data: bytes, *given: Any) -> Any:
        if b"slow" in data:
            os.read(gate, 1)
        return add_shadows(data, *given)

    monkeypatch.setattr(planning, "add_shadows", slowly)

    def go_on() -> None:
        os.write(gate, b"x")

    return go_on


def test_nobody_waits_for_the_file_system_of_somebody_else(app: Path, slow: Callable[[], None]) -> None:
    async def scenario() -> None:
        async with proxied(answering(CREATED)) as lab:
            creating = [asyncio.create_task(lab.ask(request(CREATE, body_for(app, slow=number)))) for number in "ab"]
            await asyncio.sleep(0.05)
            assert await lab.ask(request("GET /")) == CREATED
            assert await lab.ask(request(CREATE, b"{}")) == CREATED
            assert await lab.ask(request(CREATE, body_for(app))) == CREATED
            slow()
            _, others = await asyncio.wait(creating, return_when=asyncio.FIRST_COMPLETED)
            assert len(others) == 1
            slow()
            for task in creating:
                assert await task == CREATED

    run(scenario())


def test_while_its_container_is_planned_a_client_may_hang_up(app: Path, slow: Callable[[], None]) -> None:
    """Nothing is created then, and what plans it is ended, as `proxied` sees."""
    seen: list[bytes] = []

    async def scenario() -> None:
        async with proxied(answering(CREATED, seen=seen)) as lab:
            async with lab.client() as client:
                await client.say(request(CREATE, body_for(app, slow=True)))
                await until(lambda: children(lab.process), "it is planned")
            await until(lambda: not children(lab.process), "what plans it has ended")

    run(scenario())
    assert seen == []


def test_more_plans_than_can_be_made_at_once_wait_for_their_turn(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_HELPERS", 2)

    async def scenario() -> None:
        async with proxied(answering(CREATED)) as lab:
            answers = await asyncio.gather(*(lab.ask(request(CREATE, body_for(app))) for _ in range(9)))
            assert answers == [CREATED] * 9

    run(scenario())


def test_a_plan_that_cannot_be_started_is_said(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(module, "Helper", fail)
    said = "the container cannot be planned now: Resource temporarily unavailable; try again"
    assert refused(request(CREATE, body_for(app)), refusal("500 Internal Server Error", said)) == []


def test_a_plan_that_is_killed_is_said(app: Path, slow: Callable[[], None]) -> None:
    async def scenario() -> None:
        async with proxied(answering(CREATED)) as lab:
            creating = asyncio.create_task(lab.ask(request(CREATE, body_for(app, slow=True))))
            await until(lambda: children(lab.process), "it is planned")
            for process in children(lab.process):
                os.kill(process, signal.SIGKILL)
            said = "what plans the container has ended; try again"
            assert await creating == refusal("500 Internal Server Error", said)

    run(scenario())


def is_running(process: int) -> bool:
    """Tell whether a process runs; one that nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes() != b""
    except FileNotFoundError:
        return False


def children(process: int) -> list[int]:
    """Return the processes that a process has started, and that have not ended."""
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


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

    monkeypatch.setattr(planning, "add_shadows", fail)
    line = fail.__code__.co_firstlineno + 1
    sentence = f"bug: {kind.__name__} at test_server.py:{line}: oh; please report it"

    assert refused(request(CREATE, body_for(app)), refusal("500 Internal Server Error", sentence)) == []
    assert capfd.readouterr().err == f"paude-venv-hook: {sentence}\n"


@pytest.mark.parametrize("sends_it", [True, False])
def test_a_body_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch, sends_it: bool) -> None:
    monkeypatch.setattr(module, "MOST_BODY_BYTES", 1000)
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
    "said",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 200 OK\n\n",
        b"HTTP/1.1 201 Created\r\nContent-Length: 1, 1\r\n\r\n1",
        b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 201 Created\r\nContent-Length: 9\r\n\r\nhalf",
    ],
)
def test_an_answer_that_cannot_hold_a_warning_passes_as_it_is(workspace: Path, said: bytes) -> None:
    fill(workspace, "paude.json = {}", "uv.lock")

    refused(request(CREATE, body_for(workspace)), said, answering(said))


# ---- what takes the connection over

UPGRADE = request("POST /v1.41/exec/1/start", b"{}", "Connection: Upgrade", "Upgrade: tcp")
UPGRADED = UPGRADE.replace(b"Connection: Upgrade\r\n", b"").replace(
    b"\r\n\r\n", b"\r\nConnection: Upgrade, close\r\n\r\n"
)
TAKEN = [
    b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n",
]


@pytest.mark.parametrize("taken", TAKEN)
@pytest.mark.parametrize("early", [b"", b"POST /containers/create HTTP/1.1\n\n\0"])
def test_after_it_both_directions_are_raw_until_the_daemon_ends(taken: bytes, early: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await read_message(reader) == UPGRADED
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
        async with proxied(serve) as lab, lab.client() as client:
            client.writer.write(sent)
            await asyncio.sleep(0.02)

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
        async with proxied(serve) as lab, lab.client() as client:
            await client.say(UPGRADE)
            assert await client.reader.readexactly(len(TAKEN[0])) == TAKEN[0]

    run(scenario())


def test_it_ends_at_once_whatever_is_under_way(app: Path, slow: Callable[[], None]) -> None:
    """A client that sends nothing, one in the midst of a stream, and one whose container is being planned."""
    sent = [b"", UPGRADE, request(CREATE, body_for(app, slow=True))]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(TAKEN[0])
        await reader.read()

    async def scenario() -> None:
        async with proxied(serve) as lab, contextlib.AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(lab.client()) for _ in sent]
            for client, data in zip(clients, sent, strict=True):
                await client.say(data)
            await clients[1].reader.readexactly(len(TAKEN[0]))
            await until(lambda: children(lab.process), "it is planned")
            (helper,) = children(lab.process)
            lab.stop.close()
            assert [await client.rest() for client in clients] == [b"", b"", b""]
            await until(lambda: not is_running(helper), "what plans it has ended")

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
            client.reader._transport.pause_reading()  # type: ignore[attr-defined]  # noqa: SLF001 - as who reads nothing
            await client.say(UPGRADE)
            await fill_up(client.writer, read)
            client.writer.transport.abort()

    run(scenario())
    assert 0 < sum(written) < 4_000_000
    assert 0 < sum(read) < 4_000_000


def test_a_large_answer_and_a_large_body_pass_whole() -> None:
    large = os.urandom(1_000_000) * 8

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await read_message(reader)
        writer.write(answer(body=asked.partition(b"\r\n\r\n")[2]))
        await writer.drain()

    async def scenario() -> None:
        async with proxied(serve) as lab:
            assert await lab.ask(request("POST /images/load", large)) == answer(body=large)

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
    apps = [tmp_path / f"app{number}" for number in range(30)]
    for app in apps:
        make_venv(app / ".venv")
        fill(app, "paude.json = {}")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await read_message(reader)
        writer.write(answer("201 Created", asked.partition(b"\r\n\r\n")[2]))

    async def one(lab: Lab, app: Path) -> None:
        for _ in range(2):
            assert await lab.ask(request(CREATE, body_for(app))) == answer("201 Created", shadowed(app))

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


@given(hostile)
def test_whatever_comes_it_is_the_daemons_answer_or_one_clear_refusal(sent: bytes) -> None:
    """Here `containers/create` comes to the daemon only as what was read here as such."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await read_message(reader)
        assert asked == b"" or b"Connection: close\r\n" in asked
        writer.write(DAEMONS)

    async def scenario() -> None:
        async with proxied(serve) as lab, lab.client() as client:
            await client.say(sent)
            client.writer.write_eof()
            left = (await client.rest()).removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n").removesuffix(DAEMONS)
            assert left == b"" or re.fullmatch(
                rb'HTTP/1\.1 400 Bad Request\r\n[^{]+\{"message": "paude-venv-hook: [^"]+"\}\n', left
            )

    run(scenario())
