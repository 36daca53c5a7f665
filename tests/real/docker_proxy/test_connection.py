"""One connection with requests of any kind, in turn and at once: each answer is that of the plain socket."""

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


@proves("Docker's proxy: a kept connection, with every kind of answer in turn")
def test_a_kept_connection(proxy: Proxy, engine: Engine) -> None:
    body = {"Image": engine.image, "Cmd": ["sleep", "infinity"], "HostConfig": {"NetworkMode": "host"}}
    is_kept = []
    for path in (proxy.socket, UPSTREAM):
        name = f"paude-venv-hook-test-{uuid.uuid4().hex}"
        with Connection(path) as connection:
            for method, target, status in ASKED:
                headers = UPGRADE if "attach" in target else {}
                sent = body if "create" in target else None
                assert connection.ask(method, target.format(name=name), sent, headers=headers).status == status
                is_kept.append(connection.sock is not None)

    assert is_kept[: len(ASKED)] == is_kept[len(ASKED) :]
    assert is_kept.count(False) == 2  # the connection that was to be taken over


PING = "GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n"
LAST = "GET /no/such/call HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n"


@proves("Docker's proxy: requests that are sent at once, and a client that says no more, get each their answer")
@pytest.mark.parametrize("half_closed", [False, True])
@pytest.mark.parametrize(
    "requests", [[LAST], [PING, LAST], [PING] * 50 + [LAST], [PING.replace("1.1", "1.0")]], ids=["1", "2", "51", "1.0"]
)
def test_requests_at_once(proxy: Proxy, way: Way, requests: list[str], half_closed: bool) -> None:
    answers = [exchange(path, "".join(requests), half_closed=half_closed) for path in (proxy.socket, UPSTREAM)]

    without_date = [re.sub(rb"\r\nDate: [^\r]*", b"", answer) for answer in answers]
    assert without_date[0] == without_date[1]
    assert without_date[0].count(b"HTTP/1.") == len(requests)


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
