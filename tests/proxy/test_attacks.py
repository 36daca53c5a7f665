"""What somebody may try against the proxy: thousands of clients, bombs of JSON, heads that can be read in two ways."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from docker_lab import answer, answering, descriptors, proxied, request, run, until
from layout import fill

CREATE = "POST /v1.41/containers/create"
CREATED = answer("201 Created", b'{"Id":"1","Warnings":[]}\n')
CLIENTS = 4000
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="these tests look into /proc")


@pytest.fixture
def files() -> Iterator[None]:
    """Let this process have so many clients."""
    before = soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = CLIENTS + 1000
    if soft != resource.RLIM_INFINITY and soft < needed:
        if hard != resource.RLIM_INFINITY and hard < needed:
            pytest.skip(f"a process may have {hard} files here")
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def memory(process: int) -> int:
    """Return how many KiB of memory a process has."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"POST /containers/create HTTP/1.1\r\nContent-", id="half a head"),
        pytest.param(request(CREATE, b"{" * 100)[:-1], id="half a body"),
    ],
)
def test_thousands_of_slow_clients_keep_nobody_waiting_and_take_little(sent: bytes) -> None:
    """Half a body has a connection to the daemon, whose stand-in here is in this process: a third of them then."""
    clients = CLIENTS // 3 if b"{" in sent else CLIENTS

    async def scenario() -> None:
        async with proxied(answering(CREATED)) as lab:
            before, most = descriptors(lab.process), memory(lab.process) + 32 * 1024
            with ExitStack() as stack:
                for _ in range(clients):
                    slow = stack.enter_context(socket.socket(socket.AF_UNIX))
                    slow.setblocking(False)  # noqa: FBT003 - it takes no keyword
                    await asyncio.get_running_loop().sock_connect(slow, lab.proxy)
                    slow.send(sent)
                await until(lambda: descriptors(lab.process) >= before + clients, "all of them are there")
                assert await lab.ask(request("GET /")) == CREATED
                assert await lab.ask(request(CREATE, b"{}")) == CREATED
                assert memory(lab.process) < most

    run(scenario(), seconds=60)


def nested(depth: int) -> bytes:
    return b'{"Labels":' + b"[" * depth + b"]" * depth + b"}"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(nested(1_000_000), b"400", id="deep"),
        pytest.param(b'{"Labels":[' + b"{}," * 1_000_000 + b"{}]}", b"201", id="wide"),
        pytest.param(b'{"Memory":' + b"9" * 5_000_000 + b"}", b"400", id="a long number"),
        pytest.param(b'{"Memory":1e' + b"9" * 5_000_000 + b"}", b"201", id="a large number"),
        pytest.param(b'{"Env":["' + b"\\u0000" * 1_000_000 + b'"]}', b"201", id="a long text"),
        pytest.param(b'{"HostConfig":' * 200_000 + b"1" + b"}" * 200_000, b"400", id="itself in itself"),
    ],
)
def test_a_bomb_of_json_is_passed_on_or_refused_and_leaves_no_memory(body: bytes, status: bytes) -> None:
    async def scenario() -> None:
        async with proxied(answering(CREATED)) as lab:
            await lab.ask(request(CREATE, b"{}"))
            before = memory(lab.process)
            bomb = asyncio.create_task(lab.ask(request(CREATE, body)))
            assert await lab.ask(request("GET /")) == CREATED
            assert (await bomb).split()[1] == status
            assert memory(lab.process) < before + 48 * 1024  # what is parsed takes more, and coverage some

    run(scenario(), seconds=60)


SMUGGLED = request(CREATE, b"{}")


@pytest.mark.parametrize(
    "head",
    [
        "GET /x HTTP/1.1|Content-Length: {size}|Transfer-Encoding: chunked",
        "GET /x HTTP/1.1|Transfer-Encoding: chunked|Transfer-Encoding: identity",
        "GET /x HTTP/1.1|Transfer-Encoding: x, chunked",
        "GET /x HTTP/1.1|Transfer-Encoding : chunked",
        "GET /x HTTP/1.1|Content-Length: {size}, 0",
        "GET /x HTTP/1.1|Content-Length: +{size}",
        "GET /x HTTP/1.1|Content-Length: 0|Content-Length: {size}",
        "GET /x HTTP/1.1| Content-Length: {size}",
        "GET /x HTTP/1.1|X: y\n|Content-Length: {size}",
        "GET /x HTTP/1.1|X: \0",
        "GET /x HTTP/1.0|Transfer-Encoding: chunked",
        "GET /x HTTP/1.1|Connection: keep-alive\r|Content-Length: {size}",
        "GET  /x HTTP/1.1",
        "GET /x\x0bHTTP/1.1",
        "GET /x HTTP/0.9",
        "GET /x",
    ],
)
def test_no_request_is_hidden_in_another_one(head: str) -> None:
    seen: list[bytes] = []
    sent = (head.format(size=len(SMUGGLED)).replace("|", "\r\n") + "\r\n\r\n").encode() + SMUGGLED

    async def scenario() -> None:
        async with proxied(answering(CREATED, seen=seen)) as lab:
            assert (await lab.ask(sent)).startswith(b"HTTP/1.1 400 Bad Request\r\n")

    run(scenario())
    assert seen == []


@pytest.mark.parametrize("fields", [[], ["Connection: keep-alive"], ["Connection: Upgrade", "Upgrade: tcp"]])
def test_the_daemon_is_always_asked_to_end_the_connection(fields: list[str]) -> None:
    """So that what follows is not served, for Go even behind an upgrade that was not granted."""
    seen: list[bytes] = []

    async def scenario() -> None:
        async with proxied(answering(answer("404 Not Found"), CREATED, seen=seen)) as lab:
            first = request("POST /exec/none/start", b"{}", *fields)
            assert await lab.ask(first + SMUGGLED) == answer("404 Not Found")

    run(scenario())
    assert len(seen) == 1
    assert b"close\r\n" in seen[0]


HANGS = """\
import os, sys
open_really = os.open
def open_slowly(path, *more, **named):
    if str(path).endswith("slow/paude.json"):
        sys.stdin.read()
    return open_really(path, *more, **named)
os.open = open_slowly
"""


@pytest.fixture
def slow_proxy(command: list[str], tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Return the command, and where it listens; a paude.json in a folder `slow` is on a file system that hangs."""
    (tmp_path / "sitecustomize.py").write_text(HANGS)
    with TemporaryDirectory(dir="/tmp") as folder, socket.socket(socket.AF_UNIX) as daemon:
        daemon.bind(f"{folder}/daemon.sock")
        daemon.listen()
        threading.Thread(target=serve_each, args=(daemon,), daemon=True).start()
        path = f"{folder}/own/proxy.sock"
        words = [*command, "docker-proxy", f"--listen={path}", f"--upstream={folder}/daemon.sock"]
        environ = {**os.environ, "PYTHONPATH": str(tmp_path)}
        with subprocess.Popen(words, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=environ) as process:
            try:
                assert process.stderr
                assert b"in front of" in process.stderr.readline()
                yield process, path
            finally:
                process.kill()


def serve_each(daemon: socket.socket) -> None:
    """Answer each connection, as soon as it asks."""
    while True:
        try:
            connection, _ = daemon.accept()
        except OSError:  # the test is over
            return
        threading.Thread(target=serve_one, args=(connection,), daemon=True).start()


def serve_one(connection: socket.socket) -> None:
    with connection:
        if connection.recv(100_000):
            connection.sendall(CREATED)


def test_a_plan_that_hangs_keeps_neither_the_others_nor_the_end(
    slow_proxy: tuple[subprocess.Popen[bytes], str], tmp_path: Path
) -> None:
    process, path = slow_proxy
    bodies = []
    for name in ("slow", "quick"):
        app = fill(tmp_path / name, "paude.json = {}", ".venv/pyvenv.cfg")
        bodies.append(json.dumps({"HostConfig": {"Binds": [f"{app}:/app"]}}).encode())
    with ExitStack() as stack:
        clients = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(3)]
        for client, body in zip(clients, [*bodies, b"{}"], strict=True):
            client.settimeout(10)
            client.connect(path)
            client.sendall(request(CREATE, body))
        hanging, *others = clients
        assert [client.recv(1000) for client in others] == [CREATED, CREATED]

        process.send_signal(signal.SIGTERM)

        assert process.wait(10) == 0
        assert hanging.recv(1000) == b""
