"""The socket of the proxy: whose it is, what was there before, and how the command ends."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from conftest import Hook
from docker_lab import answer, answering, proxied, request, run
from paude_venv_hook.commands import docker_proxy
from paude_venv_hook.docker_api import sockets
from paude_venv_hook.docker_api.sockets import engine_at, refuse_podman
from paude_venv_hook.errors import EngineError
from paude_venv_hook.proxy import listener as module
from paude_venv_hook.proxy import server
from paude_venv_hook.proxy.listener import listening, passed_socket

PING = b"GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n"
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder whose path is short enough for sockets."""
    with TemporaryDirectory(dir="/tmp") as path:
        yield Path(path)


@pytest.fixture
def daemon(folder: Path) -> Iterator[Path]:
    """Return the socket of a Docker that gives each connection one answer."""
    with serving(folder / "daemon.sock", {"Components": [{"Name": "Engine"}]}) as path:
        yield path


@contextmanager
def serving(path: Path, version: object) -> Iterator[Path]:
    body = json.dumps(version).encode()
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            asked = connection.recv(1000)
            with suppress(OSError):  # who only looks whether it is there
                connection.sendall(answer)
            if b"HTTP/1.0" in asked:
                connection.close()
            else:
                held.append(connection)

    held: list[socket.socket] = []
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield path
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in held:
                connection.close()


@pytest.fixture
def start(command: list[str], folder: Path) -> Iterator[Start]:
    """Return a function that starts the command, and waits until it says where it listens."""
    started = []

    def run(*arguments: str, **variables: str) -> subprocess.Popen[str]:
        words = [*command, "docker-proxy", *arguments]
        environ = {**os.environ, "XDG_RUNTIME_DIR": str(folder), **variables}
        process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=environ)
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()
        assert process.stderr
        process.stderr.close()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stderr
    return process.stderr.readline()


def ask(path: Path, data: bytes = PING) -> bytes:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(path))
        client.sendall(data)
        return client.recv(1000)


# ---- the socket


def test_it_is_for_its_user_alone_and_gone_afterwards(folder: Path) -> None:
    path = folder / "run" / "docker.sock"
    umask = os.umask(0)
    try:
        with listening(str(path)):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
            assert os.umask(0) == 0
    finally:
        os.umask(umask)
    assert os.listdir(path.parent) == []


def test_one_that_nobody_serves_is_replaced_and_one_that_somebody_serves_is_not(folder: Path) -> None:
    path = folder / "docker.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))

    with listening(str(path)):
        with pytest.raises(EngineError) as caught, listening(str(path)):
            pass
        assert str(caught.value) == f"{path}: a docker-proxy already runs there; use it, or name another --listen"
        assert path.exists()
    assert not path.exists()


def test_what_has_taken_its_place_meanwhile_stays(folder: Path) -> None:
    path = folder / "docker.sock"
    with listening(str(path)):
        path.unlink()
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(path))
    assert path.exists()


@pytest.mark.parametrize("kind", ["file", "link"])
def test_what_is_no_socket_is_left_alone(folder: Path, kind: str) -> None:
    path = folder / "docker.sock"
    if kind == "file":
        path.write_text("mine")
    else:
        path.symlink_to(folder / "elsewhere.sock")

    with pytest.raises(EngineError) as caught, listening(str(path)):
        pass
    assert str(caught.value) == f"{path}: exists and is no socket; remove it, or name another --listen"
    assert os.listdir(folder) == ["docker.sock"]


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o770])
def test_a_folder_of_others_is_refused(folder: Path, mode: int) -> None:
    folder.chmod(mode)

    with pytest.raises(EngineError) as caught, listening(f"{folder}/docker.sock"):
        pass
    assert str(caught.value) == (
        f"{folder}: other users can write to it, and with the proxy's socket they would have your Docker; "
        "name a --listen in a folder that is yours alone"
    )


OPEN = "other users can write to it"
LINK = "is a symlink, which other users can replace"


@pytest.mark.parametrize(
    ("modes", "link", "wrong", "why"),
    [
        pytest.param({"a": 0o777}, "", "a", OPEN, id="others can write"),
        pytest.param({"a": 0o770}, "", "a", OPEN, id="the group can"),
        pytest.param({"a": 0o1777, "a/b": 0o777}, "", "a/b", OPEN, id="the sticky bit is another folder's"),
        pytest.param({"a": 0o1777}, "a/b", "a/b", LINK, id="a symlink among what others may write"),
        pytest.param({"real": 0o777}, "a", "real", OPEN, id="a symlink to such a folder"),
    ],
)
def test_each_folder_above_it_is_looked_at(
    folder: Path, modes: dict[str, int], link: str, wrong: str, why: str
) -> None:
    (folder / "real" / "b" / "c").mkdir(parents=True)
    (folder / "a" / "b" / "c").mkdir(parents=True)
    if link:
        (folder / link).rename(folder / "away")
        (folder / link).symlink_to(folder / "real" if link == "a" else folder / "away")
    for name, mode in modes.items():
        (folder / name).chmod(mode)

    with pytest.raises(EngineError) as caught, listening(f"{folder}/a/b/c/docker.sock"):
        pass
    assert str(caught.value) == (
        f"{folder}/{wrong}: {why}, and with the proxy's socket they would have your Docker; "
        "name a --listen in a folder that is yours alone"
    )


def test_nothing_is_made_in_a_folder_that_is_refused(folder: Path) -> None:
    folder.chmod(0o777)

    with pytest.raises(EngineError, match=OPEN), listening(f"{folder}/a/b/docker.sock"):
        pass
    assert os.listdir(folder) == []


def test_folders_of_root_with_the_sticky_bit_and_links_among_ones_own_are_right(folder: Path) -> None:
    umask = os.umask(0)
    (folder / "sticky").mkdir(mode=0o1777)
    (folder / "sticky").chmod(0o1777)
    (folder / "sticky" / "own").mkdir(mode=0o700)
    (folder / "link").symlink_to("sticky/../sticky/own")
    try:
        with listening(f"{folder}/link/made/too/docker.sock"):
            for made in ("made", "made/too"):
                assert stat.S_IMODE((folder / "sticky" / "own" / made).stat().st_mode) == 0o700
    finally:
        os.umask(umask)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_above_it_of_another_user_is_refused(folder: Path) -> None:
    (folder / "a" / "b").mkdir(parents=True)
    os.chown(folder / "a", 1000, 1000)

    with pytest.raises(EngineError, match=f"^{folder}/a: {OPEN}"), listening(f"{folder}/a/b/docker.sock"):
        pass


def test_what_the_system_refuses_is_said(folder: Path) -> None:
    (folder / "file").write_text("")

    with pytest.raises(EngineError) as caught, listening(f"{folder}/file/docker.sock"):
        pass
    assert str(caught.value) == (
        f"{folder}/file/docker.sock: cannot be listened on: File exists; name another --listen"
    )


def test_a_path_that_is_too_long_is_said(folder: Path) -> None:
    with pytest.raises(EngineError, match=r"longer than the 10[37] bytes that a socket's path can have"):
        listening(f"{folder}/{'x' * 110}").__enter__()


def test_where_no_more_files_can_be_opened_a_client_waits(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(server, "_PAUSE_SECONDS", 0.01)
    accept = socket.socket.accept
    failures = [OSError(errno.EMFILE, "Too many open files"), BlockingIOError(errno.EAGAIN, "Nobody is there any more")]

    def fail(sock: socket.socket) -> Any:
        if failures and sock.getsockname().endswith("proxy.sock"):
            raise failures.pop()
        return accept(sock)

    monkeypatch.setattr(socket.socket, "accept", fail)

    async def scenario() -> None:
        async with proxied(answering(answer())) as lab:
            assert await lab.ask(request("GET /")) == answer()

    run(scenario())
    assert capfd.readouterr().err == "paude-venv-hook: warning: a client has to wait: Too many open files\n"


# ---- systemd's


def test_systemd_may_pass_the_socket(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "passed.sock"))
        listener.listen()
        monkeypatch.setattr(module, "_FIRST_PASSED", os.dup(listener.fileno()))
        environ = {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid()), "LISTEN_FDNAMES": "docker.socket", "A": "b"}
        passed = passed_socket(environ)

        assert passed
        with closing(passed):
            assert passed.getsockname() == str(folder / "passed.sock")
        assert environ == {"A": "b"}
        assert passed_socket(environ) is None
        assert passed_socket({"LISTEN_FDS": "1", "LISTEN_PID": "1"}) is None


def test_what_systemd_passes_has_to_be_one_socket_that_listens_at_a_path(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = str(os.getpid())
    with pytest.raises(EngineError) as caught:
        passed_socket({"LISTEN_FDS": "2", "LISTEN_PID": mine})
    assert str(caught.value) == "LISTEN_FDS: 2 sockets were passed; let ListenStream= of the unit name one"
    no_path = "LISTEN_FDS: what was passed listens at no path; let ListenStream= of the unit be one"
    for kind in (socket.AF_INET, socket.AF_UNIX):
        with socket.socket(kind) as other:
            if kind == socket.AF_INET:
                other.bind(("127.0.0.1", 0))
                other.listen()
            monkeypatch.setattr(module, "_FIRST_PASSED", os.dup(other.fileno()))
            with pytest.raises(EngineError) as caught:
                passed_socket({"LISTEN_FDS": "1", "LISTEN_PID": mine})
            assert str(caught.value) == no_path


def test_the_command_serves_on_the_socket_that_was_passed_and_leaves_it(folder: Path, daemon: Path) -> None:
    code = (
        "import os, sys; os.dup2(int(sys.argv[1]), 3); os.set_inheritable(3, True); "
        "os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid())); os.execv(sys.executable, sys.argv[2:])"
    )
    path = folder / "passed.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        number = listener.fileno()
        own = [sys.executable, "-m", "paude_venv_hook", "docker-proxy", "--upstream", str(daemon)]
        words = [sys.executable, "-c", code, str(number), *own]
        with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, pass_fds=[number]) as process:
            try:
                assert ask(path).startswith(b"HTTP/1.1 200 OK")
                process.terminate()
                assert process.wait(10) == 0
                assert said(process) == started(daemon, path)
            finally:
                process.kill()
    assert path.exists()


# ---- the command


def started(upstream: Path, path: Path) -> str:
    return f"paude-venv-hook: in front of {upstream}; for what is to use it: export DOCKER_HOST=unix://{path}\n"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130), (signal.SIGHUP, 129)], ids=str)
def test_it_says_where_it_is_serves_and_ends_cleanly(folder: Path, start: Start, number: int, code: int) -> None:
    with serving(folder / "daemon.sock", {}) as upstream:
        path = folder / "paude" / "docker.sock"
        process = start(DOCKER_HOST=f"unix://{upstream}")
        assert said(process) == started(upstream, path)
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(str(path))
            client.sendall(PING)
            answer = b""
            while not answer.endswith(b"{}"):
                answer += client.recv(1000)

            process.send_signal(number)

            assert client.recv(1000) == b""
        assert (process.wait(10), process.communicate()[1]) == (code, "")
        assert not path.exists()


def test_another_one_is_refused_and_a_killed_one_is_followed_by_the_next(
    folder: Path, daemon: Path, start: Start
) -> None:
    path = folder / "paude" / "docker.sock"
    first = start("--upstream", f"unix://{daemon}")
    assert said(first) == started(daemon, path)

    second = start("--upstream", str(daemon))
    assert second.communicate()[1] == (
        f"paude-venv-hook: error[engine]: {path}: a docker-proxy already runs there; use it, or name another --listen\n"
    )
    assert second.returncode == 1

    first.kill()
    first.wait()
    third = start("--upstream", str(daemon))
    assert said(third) == started(daemon, path)
    assert ask(path).startswith(b"HTTP/1.1 200 OK")


def test_the_proxys_own_socket_is_no_daemon_also_by_another_name(folder: Path, hook: Hook) -> None:
    (folder / "link").symlink_to(folder)

    done = hook("docker-proxy", "--listen", f"{folder}/a.sock", "--upstream", f"{folder}/link/a.sock")

    assert (done.code, done.err) == (
        1,
        f"paude-venv-hook: error[engine]: --upstream: {folder}/link/a.sock is the proxy's own socket; name Docker's\n",
    )
    assert os.listdir(folder) == ["link"]


@pytest.mark.parametrize("flag", ["--listen", "--upstream"])
def test_there_is_no_tcp(hook: Hook, folder: Path, flag: str) -> None:
    done = hook("docker-proxy", "--listen", f"{folder}/a.sock", flag, "tcp://127.0.0.1:2375")

    assert (done.code, done.err) == (
        1,
        f"paude-venv-hook: error[engine]: {flag}: tcp://127.0.0.1:2375 is no socket of this machine, "
        "whose folders a daemon elsewhere does not bind; name a local socket, as "
        "unix:///var/run/docker.sock\n",
    )


@pytest.mark.parametrize("version", [{}, {"Components": None}, [], {"Components": [{"Name": "Engine"}, 3]}])
def test_any_daemon_is_docker_but_podman(folder: Path, version: object) -> None:
    with serving(folder / "docker.sock", version) as path:
        assert engine_at(str(path)) == "docker"
        refuse_podman(str(path))
    with serving(folder / "podman.sock", {"Components": [{"Name": "Podman Engine"}, {"Name": "Conmon"}]}) as path:
        assert engine_at(str(path)) == "podman"
        with pytest.raises(EngineError, match="is Podman's socket; for every client of Podman, run"):
            refuse_podman(str(path))
    for missing in ("docker.sock", "none.sock"):
        with pytest.raises(OSError, match=r"Connection refused|No such file"):
            engine_at(str(folder / missing))
        refuse_podman(str(folder / missing))


def test_on_windows_it_says_where_it_would_work(hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker_proxy, "is_windows", lambda: True)

    done = hook("docker-proxy")

    assert (done.code, done.err) == (
        1,
        "paude-venv-hook: error[engine]: docker-proxy: needs Unix sockets, which Docker has none of on Windows; "
        "run it in WSL\n",
    )


def test_a_daemon_that_does_not_answer_is_waited_for_a_while_only(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "_ANSWER_SECONDS", 0.05)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(folder / "silent.sock"))
        silent.listen()
        refuse_podman(str(folder / "silent.sock"))
