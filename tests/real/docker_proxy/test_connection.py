"""Requests of any kind, in turn and at once: each is answered as on the plain socket, on a connection of its own."""

from __future__ import annotations

import re
import socket
import uuid
from pathlib import Path

import pytest

from real.containers import Engine
from real.docker_proxy.harness import LIMIT, UPSTREAM, Connection, Proxy, Way

proves = pytest.mark.proves
pytestmark = [pytest.mark.parametrize("way", ["DOCKER_HOST"], indirect=True), pytest.mark.usefixtures("engine")]
UPGRADE = {"Connection": "Upgrade", "Upgrade": "tcp"}


# What is asked, and the statuses of the answers.
ASKED = (
    ("HEAD", "/_ping", 200),
    ("GET", "/_ping", 200),
    ("POST", "/containers/create?name={name}", 201),
    ("POST", "/containers/create?name={name}", 409),
    ("POST", "/containers/{name}/start", 204),
    ("POST", "/containers/{name}/start", 304),
    ("GET", "/containers/{name}/json", 200),
    ("HEAD", "/containers/{name}/archive?path=/etc", 200),
    ("GET", "/containers/{name}/archive?path=/etc/hostname", 200),
    ("POST", "/containers/none/attach?stream=1&stdin=1", 404),
    ("POST", "/no/such/call", 404),
    ("DELETE", "/containers/{name}?force=1", 204),
    ("DELETE", "/containers/{name}?force=1", 404),
)


@proves("Docker's proxy: every kind of answer in turn; each connection ends with its answer")
def test_a_connection_for_each_request(proxy: Proxy, engine: Engine) -> None:
    body = {"Image": engine.image, "Cmd": ["sleep", "infinity"], "HostConfig": {"NetworkMode": "host"}}
    is_kept: dict[object, list[bool]] = {proxy.socket: [], UPSTREAM: []}
    for path in (proxy.socket, UPSTREAM):
        name = f"paude-venv-hook-test-{uuid.uuid4().hex}"
        with Connection(path) as connection:
            for method, target, status in ASKED:
                headers = UPGRADE if "attach" in target else {}
                sent = body if "create" in target else None
                assert connection.ask(method, target.format(name=name), sent, headers=headers).status == status
                is_kept[path].append(connection.sock is not None)

    assert is_kept[UPSTREAM].count(False) == 1  # the connection that was to be taken over
    assert not any(is_kept[proxy.socket])


PING = "GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n"
LAST = "GET /no/such/call HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n"
NOT_TAKEN = "POST /exec/none/start HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"


@proves("Docker's proxy: a request alone, also of a client that says no more, gets the answer of the plain socket")
@pytest.mark.parametrize("half_closed", [False, True])
@pytest.mark.parametrize("request_", [LAST, PING.replace("1.1", "1.0")], ids=["1.1", "1.0"])
def test_a_request_alone(proxy: Proxy, way: Way, request_: str, half_closed: bool) -> None:
    answers = [exchange(path, request_, half_closed=half_closed) for path in (proxy.socket, UPSTREAM)]

    without_date = [re.sub(rb"\r\nDate: [^\r]*", b"", answer) for answer in answers]
    assert without_date[0] == without_date[1]
    assert without_date[0].startswith(b"HTTP/1.")


@proves("Docker's proxy: no request behind another one is served, also after an upgrade that was not granted")
@pytest.mark.parametrize("half_closed", [False, True])
@pytest.mark.parametrize("first", [PING, LAST, NOT_TAKEN], ids=["ping", "not found", "no upgrade"])
def test_a_request_behind_another_one(proxy: Proxy, way: Way, first: str, half_closed: bool) -> None:
    answer = exchange(proxy.socket, first + PING * 50, half_closed=half_closed)

    assert answer.count(b"HTTP/1.") == 1


def exchange(path: Path | str, text: str, *, half_closed: bool) -> bytes:
    """Return all that comes back for a text, to its end."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(LIMIT)
        client.connect(str(path))
        client.sendall(text.encode())
        if half_closed:
            client.shutdown(socket.SHUT_WR)
        received = b""
        while chunk := client.recv(65536):
            received += chunk
        return received
