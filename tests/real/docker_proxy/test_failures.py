"""Clients that leave in each phase, a daemon that restarts, a proxy that is killed: nothing hangs, nothing is left."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import tarfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from conftest import MakeVenv
from layout import fill
from real.containers import ENVIRONMENT, Engine, bind
from real.docker_proxy.harness import (
    LIMIT,
    UPSTREAM,
    Connection,
    Dialogue,
    OwnProxy,
    Proxy,
    ask,
    nothing_is_left,
    reached,
    until,
)

proves = pytest.mark.proves
pytestmark = [pytest.mark.parametrize("way", ["DOCKER_HOST"], indirect=True), pytest.mark.usefixtures("engine")]
HOST = " HTTP/1.1\r\nHost: docker\r\n"
CREATE = "POST /containers/create?name={name}" + HOST + "Content-Type: application/json\r\n"
LENGTH = "Content-Length: {length}\r\n\r\n"
CHUNKED = "Transfer-Encoding: chunked\r\n\r\n"
PING = "GET /_ping" + HOST + "\r\n"
STREAM = "POST /containers/{container}/attach?stream=1&stdin=1&stdout=1" + HOST
SILENT = STREAM.replace("{container}", "{silent}")
UPGRADE = "Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n"


@proves("Docker's proxy: a client that leaves, in each phase; its half of the connection is closed too")
@pytest.mark.parametrize("half_closed", [False, True], ids=["closed", "half closed first"])
@pytest.mark.parametrize(
    "steps",  # what is sent, what is awaited, and so on
    [
        pytest.param([], id="nothing sent"),
        pytest.param(["POST /containers/cre"], id="half a head"),
        pytest.param([CREATE + LENGTH], id="head without its body"),
        pytest.param([CREATE + LENGTH + "{half}"], id="half a body"),
        pytest.param([CREATE + CHUNKED + '5\r\n{{"Im'], id="half a chunked body"),
        pytest.param([CREATE + "Expect: 100-continue\r\n" + LENGTH, "100 Continue"], id="told to continue"),
        pytest.param([CREATE + LENGTH + "{body}"], id="no answer awaited"),
        pytest.param([CREATE + LENGTH + "{body}", "201 Created"], id="half an answer"),
        pytest.param([PING, "OK"], id="an answer"),
        pytest.param([PING * 99, "OK"], id="many requests"),
        pytest.param(["GET /events" + HOST + "\r\n", "200 OK"], id="events"),
        pytest.param(["POST /containers/{container}/wait" + HOST + "\r\n"], id="wait"),
        pytest.param(["GET /containers/{container}/archive?path=/large" + HOST + "\r\n", "\0" * 9], id="archive"),
        pytest.param(
            ["PUT /containers/{container}/archive?path=/" + HOST + CHUNKED + "600\r\nfile"], id="half an archive"
        ),
        pytest.param([STREAM], id="half a head of a stream"),
        pytest.param([STREAM + UPGRADE], id="stream, no answer awaited"),
        pytest.param([STREAM + UPGRADE, "101 UPGRADED"], id="stream"),
        pytest.param([STREAM + UPGRADE, "101 UPGRADED", "input\n", "input\n"], id="stream in use"),
        pytest.param([STREAM + "\r\n", "200 OK", "input\n", "input\n"], id="stream without Upgrade"),
        pytest.param([SILENT + UPGRADE, "101 UPGRADED"], id="stream of a container that says nothing"),
        pytest.param(["GET /events" + HOST + "\r\n" + PING, "200 OK"], id="a request behind events"),
        pytest.param(["nonsense\r\n\r\n"], id="no HTTP"),
        pytest.param(["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"], id="HTTP/2"),
    ],
)
def test_a_client_that_leaves(
    proxy: Proxy, engine: Engine, echoing: str, silent: str, steps: list[str], half_closed: bool
) -> None:
    name = f"paude-venv-hook-test-{uuid.uuid4().hex}"
    body = json.dumps({"Image": engine.image, "Cmd": ["true"]})
    values = {
        "name": name,
        "container": echoing,
        "silent": silent,
        "body": body,
        "half": body[:9],
        "length": str(len(body)),
    }

    with nothing_is_left(proxy), socket.socket(socket.AF_UNIX) as client:
        client.settimeout(LIMIT)
        client.connect(str(proxy.socket))
        for sent, awaited in zip(steps[::2], [*steps[1::2], ""], strict=False):
            client.sendall(sent.format(**values).encode())
            seen = b""
            while awaited.encode() not in seen:
                chunk = client.recv(1000)
                assert chunk, seen
                seen += chunk
        if half_closed:
            client.shutdown(socket.SHUT_WR)
        client.close()

    assert ask(proxy.socket, "GET", "/_ping").status == 200
    engine("rm", "--force", name, check=False)


@pytest.fixture(scope="module")
def echoing(docker: Engine) -> Iterator[str]:
    """Return the name of a container that says what it is told, and has 1 GiB of zeros in `/large`."""
    name = f"paude-venv-hook-test-{uuid.uuid4().hex}"
    command = ("sh", "-c", "truncate -s 1G /large; while :; do cat; sleep 0.1; done")
    docker("run", "--detach", "--interactive", "--name", name, "--network=host", docker.image, *command)
    try:
        yield name
    finally:
        docker("rm", "--force", "--volumes", name)


@proves("Docker's proxy: killed, its clients end and containers go on; started anew, it serves again")
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL], ids=lambda how: how.name)
def test_a_proxy_that_ends(
    own_proxy: OwnProxy, engine: Engine, workspace: Path, make_venv: MakeVenv, how: signal.Signals
) -> None:
    make_venv(workspace / ".venv")
    proxy = own_proxy()
    proxy.start()
    through = reached(engine, proxy.socket)
    with through.running(bind(workspace, "/app")) as container:
        with (
            Dialogue(*through.command, "events", "--since=1", f"--filter=container={container.name}") as events,
            Dialogue(*through.command, "exec", "--interactive", container.name, "cat") as stream,
        ):
            events.expect("start")
            stream.send("through\n")
            stream.expect("through\n")
            code = proxy.stop(how)
            assert code == {signal.SIGTERM: 0, signal.SIGINT: 130, signal.SIGKILL: -signal.SIGKILL}[how]
            stream.end()
            assert events.wait() != 124
            assert stream.wait() != 124
        refused = through("ps", check=False)
        assert (refused.returncode, "Cannot connect to the Docker daemon" in refused.stderr) == (1, True)

        proxy.start()
        assert container.sh("ls -A /app/.venv") == ""
        assert through.run(bind(workspace, "/app"), "ls -A /app/.venv").stdout == ""


@proves("Docker's proxy: a second one on the same socket is refused, and the first one serves on")
def test_a_second_proxy_is_refused(proxy: Proxy) -> None:
    second = subprocess.run(
        proxy.command, env=proxy.environ, timeout=LIMIT, capture_output=True, text=True, check=False
    )

    said = f"{proxy.socket}: a docker-proxy already runs there; use it, or name another --listen"
    assert (second.returncode, second.stdout, second.stderr) == (1, "", f"paude-venv-hook: error[engine]: {said}\n")
    assert ask(proxy.socket, "GET", "/_ping").status == 200


@proves("Docker's proxy: out of file descriptors, clients wait or are told; it serves again when others have gone")
@pytest.mark.parametrize("most", [40, 41])  # either the client or the daemon is one too many
def test_a_proxy_without_descriptors(own_proxy: OwnProxy, most: int) -> None:
    proxy = own_proxy(before=("prlimit", f"--nofile={most}:{most}"))
    proxy.start()
    with nothing_is_left(proxy), ExitStack() as stack:
        clients = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(60)]
        for client in clients:
            client.settimeout(LIMIT)
            client.connect(str(proxy.socket))
            client.sendall(PING.encode())
        until(lambda: "has to wait" in proxy.said(), "it says that a client has to wait")
        statuses = []
        for client in clients:
            statuses.append(client.recv(1000).partition(b"\r\n")[0])
            client.close()

    assert set(statuses) <= {b"HTTP/1.1 200 OK", b"HTTP/1.1 502 Bad Gateway"}
    assert ask(proxy.socket, "GET", "/_ping").status == 200


class Daemon:
    """A Docker daemon of the test's own, in a folder; configured like that of the engine."""

    def __init__(self, folder: Path, configuration: Path) -> None:
        """Write its configuration."""
        self.socket, self.file, self.log = folder / "docker.sock", folder / "daemon.json", folder / "log"
        own = {"hosts": [f"unix://{self.socket}"], "data-root": str(folder / "data"),
               "exec-root": str(folder / "run"), "pidfile": str(folder / "pid")}  # fmt: skip
        self.file.write_text(json.dumps({**json.loads(configuration.read_text()), **own}))
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it serves."""
        with self.log.open("ab") as log:
            words = ["dockerd", "--config-file", str(self.file)]
            self.process = subprocess.Popen(words, env=ENVIRONMENT, stdout=log, stderr=log, start_new_session=True)
        until(self._serves, f"the daemon serves: {self.log.read_text()}")

    def _serves(self) -> bool:
        try:
            return ask(self.socket, "GET", "/_ping").status == 200
        except OSError:
            return False

    def stop(self) -> None:
        """End it, if it runs."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(LIMIT)


@pytest.fixture(scope="module")
def silent(docker: Engine) -> Iterator[str]:
    """Return the name of a container that says nothing, even if its stdin ends."""
    own = ("--interactive", "--network=host", docker.image, "sleep", "infinity")
    name = docker("create", *own).stdout.strip()
    docker("start", name)
    yield name
    docker("rm", "--force", "--volumes", name)


@pytest.fixture
def daemon(docker: Engine) -> Iterator[Daemon]:
    """Return a daemon of the test's own, which is not started yet."""
    configuration = Path(UPSTREAM).parent / "daemon.json"
    if not configuration.exists() or os.getuid() or not shutil.which("dockerd"):
        pytest.skip("the engine is no private one; tests/real/start-engines starts one")
    with TemporaryDirectory(dir=configuration.parent, ignore_cleanup_errors=True) as folder:
        daemon = Daemon(Path(folder), configuration)
        yield daemon
        daemon.stop()


@proves("Docker's proxy: the daemon restarts, and is away: each client is told at once; after that all is as before")
def test_a_daemon_that_restarts(
    own_proxy: OwnProxy,
    daemon: Daemon,
    engine: Engine,
    workspace: Path,
    make_venv: MakeVenv,
    tmp_path: Path,
) -> None:
    make_venv(workspace / ".venv")
    proxy = own_proxy(str(daemon.socket))
    proxy.start()
    through = reached(engine, proxy.socket)
    away = through("ps", check=False)
    assert (away.returncode, str(daemon.socket) in away.stderr) == (1, True)

    with tarfile.open(tmp_path / "root.tar", "w") as archive:
        archive.add(fill(tmp_path / "root", "file"), "/")
    daemon.start()
    through("import", tmp_path / "root.tar", "small")
    body = {"Image": "small", "Cmd": ["none"], "HostConfig": {"Binds": [f"{workspace}:/app"]}}
    with (
        nothing_is_left(proxy),
        Connection(proxy.socket) as kept,
        Dialogue(*through.command, "events", "--since=1") as events,
    ):
        events.expect("import")
        assert kept.ask("POST", "/containers/create", body).status == 201
        daemon.stop()
        assert events.wait() != 124
        gone = through("ps", check=False)
        assert (gone.returncode, str(daemon.socket) in gone.stderr) == (1, True)
        assert ask(proxy.socket, "POST", "/containers/create", body).status == 502

        daemon.start()
        made = ask(proxy.socket, "POST", "/containers/create", body)
        assert made.status == 201
        about = ask(proxy.socket, "GET", f"/containers/{made.body['Id']}/json")
        assert [*about.body["HostConfig"]["Tmpfs"]] == ["/app/.venv"]
