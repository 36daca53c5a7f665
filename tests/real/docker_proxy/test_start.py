"""How the proxy is started: by systemd's own program for socket activation, by an ordinary user, before Podman."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from conftest import MakeVenv
from lab import missing
from layout import fill
from real.containers import AS_OWNER, OWNER, OWNER_GROUP, PROGRAM, Engine, bind, need_engine
from real.docker_proxy.harness import LIMIT, UPSTREAM, Connection, OwnProxy, reached, until

# Podman's service asks for more than some machines allow.
LIMITS = [{"Name": name, "Soft": 1024, "Hard": 1024} for name in ("nofile", "nproc")]
CGROUP_OF_SERVICE = Path("/sys/fs/cgroup/init")
proves = pytest.mark.proves
pytestmark = [pytest.mark.parametrize("way", ["DOCKER_HOST"], indirect=True), pytest.mark.usefixtures("engine")]


@pytest.fixture
def activated() -> Iterator[Path]:
    """Return the socket on which systemd's program listens; it becomes the proxy when the first client comes."""
    if not shutil.which("systemd-socket-activate"):
        missing("there is no systemd-socket-activate on PATH; Debian's package systemd has it")
    with TemporaryDirectory(prefix="paude-proxy-") as folder:
        path = Path(folder, "docker.sock")
        command = ["systemd-socket-activate", f"--listen={path}", f"--setenv=HOME={folder}", str(PROGRAM)]
        command += ["docker-proxy", f"--upstream={UPSTREAM}"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            until(path.exists, "systemd's program listens")
            yield path
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=LIMIT)
            assert (process.returncode, "Traceback" in said) == (0, False), said


@proves("Docker's proxy: activated by systemd's socket, the first client is served too")
def test_the_first_client_is_served(activated: Path, engine: Engine, workspace: Path, make_venv: MakeVenv) -> None:
    make_venv(workspace / ".venv")
    through = reached(engine, activated)

    assert through.run(bind(workspace, "/app"), "ls -A /app/.venv; echo first").stdout == "first\n"
    assert through.run(bind(workspace, "/app"), "ls -A /app/.venv; echo second").stdout == "second\n"


@proves("Docker's proxy: of an ordinary user, in memory and on disk, also where `.venv` is made for the mount")
@pytest.mark.parametrize("storage", ["memory", "disk"])
def test_the_proxy_of_an_ordinary_user(own_proxy: OwnProxy, engine: Engine, workspace: Path, storage: str) -> None:
    # Here it is root who has the daemon's socket, and what Python imports, where an ordinary user reaches neither.
    group = f"--groups={os.stat(UPSTREAM).st_gid}"
    may = tuple(word.replace("=+", "=+dac_override,+") if "caps" in word else word for word in AS_OWNER)
    proxy = own_proxy(before=tuple(group if word == "--clear-groups" else word for word in may))
    for folder in (proxy.home.parent, proxy.home):
        os.chown(folder, OWNER, OWNER_GROUP)
    fill(workspace, f'paude.json = {{"venv-storage": "{storage}"}}')
    proxy.start()
    through = reached(engine, proxy.socket)

    done = through.run(
        bind(workspace, "/app"), f"--user={OWNER}", "ls -A /app/.venv; touch /app/.venv/file; echo started"
    )

    assert done.stdout == "started\n"
    assert "made an empty .venv" in done.stderr
    assert ((workspace / ".venv").stat().st_uid, os.listdir(workspace / ".venv")) == (OWNER, [])
    stores = [*proxy.home.glob(".local/share/paude/venvs/*/venv/file")]
    assert len(stores) == (1 if storage == "disk" else 0)


@pytest.fixture
def podmans_socket(image: str, tmp_path: Path) -> Iterator[Path]:
    """Return a socket on which Podman serves Docker's API."""
    podman = need_engine("podman", image)
    path = tmp_path / "podman.sock"
    with subprocess.Popen([*podman.command, "system", "service", "--time=0", f"unix://{path}"]) as process:
        until(path.exists, "Podman serves")
        yield path
        process.terminate()
    if CGROUP_OF_SERVICE.exists():  # into which it moved every process, and then no ordinary user's Podman starts
        for number in (CGROUP_OF_SERVICE / "cgroup.procs").read_text().split():
            with suppress(OSError):  # it has ended
                (CGROUP_OF_SERVICE.parent / "cgroup.procs").write_text(number)
        with suppress(OSError):
            CGROUP_OF_SERVICE.rmdir()


@proves("Docker's proxy: before Podman's socket, docker's client gets Podman's form of the shadow, empty and writable")
@pytest.mark.parametrize("storage", ["memory", "disk"])
def test_podmans_socket(
    own_proxy: OwnProxy, podmans_socket: Path, engine: Engine, workspace: Path, make_venv: MakeVenv, storage: str
) -> None:
    make_venv(workspace / ".venv")
    fill(workspace, f'paude.json = {{"venv-storage": "{storage}"}}')
    proxy = own_proxy(str(podmans_socket))
    proxy.start()
    body = {
        "Image": engine.image,
        "Cmd": ["sh", "-c", "ls -A /app/.venv; touch /app/.venv/file; ls -A /app/.venv"],
        "HostConfig": {"Binds": [f"{workspace}:/app"], "NetworkMode": "host", "Ulimits": LIMITS},
    }
    with Connection(proxy.socket) as connection:
        made = connection.ask("POST", "/v1.41/containers/create", body)
        assert made.status == 201, made
        container = f"/v1.41/containers/{made.body['Id']}"
        try:
            about = connection.ask("GET", f"{container}/json").body
            started = connection.ask("POST", f"{container}/start")
            assert started.status == 204, started
            assert connection.ask("POST", f"{container}/wait").body["StatusCode"] == 0
            logs = connection.ask("GET", f"{container}/logs?stdout=1").body
        finally:
            connection.ask("DELETE", f"{container}?force=1&v=1")

    tmpfs = (about["HostConfig"].get("Tmpfs") or {}).get("/app/.venv", "")
    assert ("nosuid" in tmpfs) == (storage == "memory")
    assert logs.endswith(b"file\n")
    assert b"pyvenv.cfg" not in logs
    assert os.listdir(workspace / ".venv") == ["pyvenv.cfg"]
