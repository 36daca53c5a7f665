"""What every test has: a home folder of its own, and a workspace to fill."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socket import AF_UNIX, socket
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, settings

from distributions import Built, build, install, shared
from installed import StandIns
from layout import fill
from paude_venv_hook.cli import main
from paude_venv_hook.docker_api import sockets
from paude_venv_hook.installation import podman_hook
from readmes import MARKED, commands

pytest_plugins = ["workers", "dispositions", "closing", "own_home"]

# How many rounds a generated test has; CI has `--hypothesis-profile ci`. A busy machine fails none.
UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
settings.register_profile("quick", UNTIMED, max_examples=50)
settings.register_profile("ci", UNTIMED, max_examples=500)
settings.load_profile("quick")

MakeVenv = Callable[[Path], Path]


class Done(NamedTuple):
    """What a command did."""

    code: int
    out: str
    err: str


Hook = Callable[..., Done]


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test an empty home folder, in which platformdirs then finds its folders too."""
    folder = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if name.startswith(("GIT_", "XDG_", "PAUDE_VENV")) and not name.startswith("PAUDE_VENV_HOOK_"):
            monkeypatch.delenv(name)
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(folder))
    for name in ("APPDATA", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(folder / name))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(folder / "gitconfig"))
    return folder


@pytest.fixture
def machine_folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder that stands in for /etc/containers, where root installs and everybody looks."""
    folder = home / "etc-containers"
    monkeypatch.setattr(podman_hook, "MACHINE_FOLDER", str(folder))
    return folder


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder, which is the current one; git looks for a repository no higher than its parent."""
    folder = tmp_path / "app"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    return folder


@pytest.fixture(params=["without devcontainer.json", "with devcontainer.json"])
def with_devcontainer(request: pytest.FixtureRequest, workspace: Path) -> bool:
    """Run a test in both kinds of project, and return whether it has a devcontainer.json, by which it is elsewhere."""
    is_there: bool = request.param == "with devcontainer.json"
    if is_there:
        fill(workspace, '.devcontainer/devcontainer.json = {"image": "docker.io/library/python:3.11"}')
    return is_there


@pytest.fixture
def make_venv() -> MakeVenv:
    """Return a function that makes what counts as a venv, in no time."""

    def make(folder: Path) -> Path:
        folder.mkdir(parents=True)
        (folder / "pyvenv.cfg").write_text("version = 3.11.2\n")
        return folder

    return make


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Empty PATH, but for the `/bin/sh` scripts that the test makes with the function that this returns."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def make(name: str, script: str) -> Path:
        program = folder / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        return program

    return make


@pytest.fixture
def stand_ins(programs: Callable[[str, str], Path], tmp_path: Path, home: Path, machine_folder: Path) -> StandIns:
    """Return stand-ins for docker, podman and systemctl, of which none is on PATH yet, and nothing else is."""
    return StandIns(tmp_path / "programs", tmp_path / "stand-ins", home)


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the program that runs, as far as its first word tells. Not root runs it: what root installs differs."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    path = tmp_path / "bin" / "paude-venv-hook"
    path.parent.mkdir()
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    monkeypatch.setattr(sys, "argv", [str(path)])
    return path


@pytest.fixture
def local_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no variable name an engine that is elsewhere."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "CONTAINER_HOST", "CONTAINERS_CONF"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def own_socket(monkeypatch: pytest.MonkeyPatch, local_engines: None) -> Iterator[Path]:
    """Return where the proxy's socket is, in a folder with a short name, as sockets need it; no engine is elsewhere."""
    with TemporaryDirectory() as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield Path(folder, "paude", "docker.sock")


@pytest.fixture
def powerless() -> Iterator[None]:
    """Let a test, and what it starts, be refused what a file's mode refuses, also if it is root's."""
    if os.geteuid() != 0:
        yield
        return
    if sys.platform != "linux":
        pytest.skip("root may read, write and look everywhere")
    libc, securebits = ctypes.CDLL(None), 28  # PR_SET_SECUREBITS
    thread = (ctypes.c_uint32 * 2)(0x20080522, 0)  # capget(2), version 3: effective, permitted, inheritable; twice
    all_ = (ctypes.c_uint32 * 6)()
    assert libc.capget(thread, all_) == 0
    fewer = (ctypes.c_uint32 * 6)(*all_)
    fewer[0] &= ~(1 << 1 | 1 << 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    assert (libc.prctl(securebits, 1), libc.capset(thread, fewer)) == (0, 0)  # a program of root's has none either
    try:
        yield
    finally:
        assert (libc.capset(thread, all_), libc.prctl(securebits, 0)) == (0, 0)


@contextmanager
def serving(path: Path, body: bytes = b"") -> Iterator[None]:
    """Let something answer each request at a socket with this body."""
    ended = Event()
    with socket(AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        server.settimeout(0.01)

        def serve() -> None:
            while not ended.is_set():
                with suppress(OSError), server.accept()[0] as connection:  # who only connects reads nothing
                    connection.recv(4096)
                    connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + body)

        thread = Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


@pytest.fixture
def proxy(own_socket: Path) -> Iterator[None]:
    """Let something answer at the proxy's socket."""
    own_socket.parent.mkdir()
    with serving(own_socket):
        yield


@pytest.fixture
def daemons(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Return the places of sockets at which daemons listen, as far as the tests are concerned: they are not ours."""
    alive = {"/var/run/docker.sock", "/run/user/1000/docker.sock", "/run/other.sock"}
    real = sockets._why_not_connected  # noqa: SLF001 - a socket cannot be made in those folders
    monkeypatch.setattr(sockets, "_why_not_connected", lambda path: 0 if path in alive else real(path))
    return alive


@pytest.fixture
def hook(capsysbinary: pytest.CaptureFixture[bytes]) -> Hook:
    """Return a function that runs the command line in this process."""

    def run(*arguments: str) -> Done:
        code = main(arguments)
        out, err = capsysbinary.readouterr()
        return Done(code, out.decode(), err.decode())

    return run


@pytest.fixture
def command() -> list[str]:
    """Return the words that start the hook as a process of its own."""
    return [sys.executable, "-m", "paude_venv_hook"]


@pytest.fixture
def written(request: pytest.FixtureRequest) -> list[str]:
    """Return what the READMEs say that this test runs: the texts with its name in their marks."""
    name = request.function.__name__
    texts = [command.text for readme in MARKED for command in commands(readme) if command.test == name]
    assert texts, f"no README has the mark: run by {name}"
    return texts


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Return the distributions of this source."""
    return build(shared(tmp_path_factory) / "dist")


@pytest.fixture(scope="session")
def installed(built: Built) -> Path:
    """Return the folder of the programs of an environment that holds the wheel and nothing else."""
    return install(built)
