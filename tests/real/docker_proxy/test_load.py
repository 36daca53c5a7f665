"""Many clients at once, many requests, and streams that are larger than what the proxy may keep of them."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from conftest import MakeVenv
from layout import fill
from real.containers import OWNER, Engine
from real.docker_proxy.harness import Connection, Proxy

proves = pytest.mark.proves
pytestmark = [pytest.mark.parametrize("way", ["DOCKER_HOST"], indirect=True), pytest.mark.usefixtures("engine")]
GIB = 1 << 30
KEPT = 48  # MiB that the proxy may grow by, whatever passes
CREATE = "/containers/create"


def at_once(clients: int, work: Callable[[int], object]) -> list[object]:
    """Return what the work returns for each of so many clients, all of which run at the same time."""
    with ThreadPoolExecutor(clients) as pool:
        return [*pool.map(work, range(clients))]


@proves("Docker's proxy: 50 clients at once, each with a container from `create` to `rm`")
@pytest.mark.parametrize("storage", ["memory", "disk"])
def test_fifty_clients_at_once(engine: Engine, proxy: Proxy, workspace: Path, storage: str) -> None:
    fill(workspace, f'paude.json = {{"venv-storage": "{storage}"}}')
    host = {"Binds": [f"{workspace}:/app"], "NetworkMode": "host"}

    def use(client: int) -> object:
        command = ["sh", "-c", f"ls -A /app/.venv; echo {client}"]
        with Connection(proxy.socket) as connection:
            made = connection.ask("POST", CREATE, {"Image": engine.image, "Cmd": command, "HostConfig": host})
            container = f"/containers/{made.body['Id']}"
            try:
                assert connection.ask("POST", f"{container}/start").status == 204
                assert connection.ask("POST", f"{container}/wait").body["StatusCode"] == 0
                return connection.ask("GET", f"{container}/logs?stdout=1").body[8:]
            finally:
                assert connection.ask("DELETE", f"{container}?force=1&v=1").status == 204

    assert at_once(50, use) == [f"{client}\n".encode() for client in range(50)]
    assert ((workspace / ".venv").stat().st_uid, os.listdir(workspace / ".venv")) == (OWNER, [])


@proves("Docker's proxy: 1,000 containers made and removed on kept connections")
def test_a_thousand_creates(engine: Engine, proxy: Proxy, workspace: Path, make_venv: MakeVenv) -> None:
    make_venv(workspace / ".venv")
    body = {
        "Image": engine.image,
        "Cmd": ["true"],
        "HostConfig": {"Binds": [f"{workspace}:/app"], "NetworkMode": "host"},
    }
    before = proxy.memory()

    def use(_: int) -> object:
        with Connection(proxy.socket) as connection:
            for _ in range(125):
                made = connection.ask("POST", CREATE, body)
                assert made.status == 201, made
                assert connection.ask("DELETE", f"/containers/{made.body['Id']}").status == 204
        return None

    at_once(8, use)
    assert proxy.memory() < before + KEPT


@pytest.fixture
def large(engine: Engine) -> Iterator[str]:
    """Yield the name of a container that has 1 GiB of zeros in `/large`, which take no place."""
    with engine.running() as container:
        container.sh("truncate -s 1G /large")
        yield container.name


@proves("Docker's proxy: flat memory on 1 GiB from the daemon, however slowly the client reads")
def test_a_large_answer(proxy: Proxy, large: str) -> None:
    proxy.forget_peak()
    before = proxy.memory()
    buffer = bytearray(1 << 20)

    with Connection(proxy.socket) as connection:
        connection.request("GET", f"/containers/{large}/archive?path=/large")
        response = connection.getresponse()
        passed = response.readinto(buffer)
        time.sleep(1)  # for the daemon to send what it can
        assert proxy.memory() < before + KEPT
        while count := response.readinto(buffer):
            passed += count

    assert passed > GIB
    assert proxy.peak() < before + KEPT


@proves("Docker's proxy: flat memory on 1 GiB to the daemon, through a stream that was taken over")
def test_a_large_input(engine: Engine, proxy: Proxy) -> None:
    proxy.forget_peak()
    before = proxy.memory()
    words = [
        *engine.command,
        "run",
        "--rm",
        "--interactive",
        "--network=host",
        engine.image,
        "sh",
        "-c",
        "sleep 1; wc -c",
    ]

    with subprocess.Popen(["head", "--bytes=1G", "/dev/zero"], stdout=subprocess.PIPE) as zeros:
        counted = subprocess.run(words, stdin=zeros.stdout, capture_output=True, check=True).stdout

    assert int(counted) == GIB
    assert proxy.peak() < before + KEPT


@proves("Docker's proxy: flat memory on 256 MiB in a chunked body")
def test_a_large_body(proxy: Proxy, large: str) -> None:
    proxy.forget_peak()
    before = proxy.memory()
    size = 256 << 20
    header = b"zeros".ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2 + b"%011o\0" % size + b"%011o\0" % 0
    header = header + b"%06o\0 " % (sum(header) + 8 * 32 + ord("0")) + b"0" + bytes(512 - 157)

    def archive() -> Iterator[bytes]:
        yield header
        for _ in range(size >> 20):
            yield bytes(1 << 20)
        yield bytes(1024)

    headers = {"Transfer-Encoding": "chunked", "Content-Type": "application/x-tar"}
    with Connection(proxy.socket) as connection:
        connection.request("PUT", f"/containers/{large}/archive?path=/dev", archive(), headers, encode_chunked=True)
        response = connection.getresponse()
        assert (response.status, response.read()) == (200, b"")

    assert proxy.peak() < before + KEPT
