"""The socket that Docker's client would reach, and the one of the proxy."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from pytest_mock import MockerFixture

from conftest import serving
from paude_venv_hook.docker_api import sockets
from paude_venv_hook.docker_api.sockets import (
    Upstream,
    does_answer,
    find_docker_socket,
    is_same_socket,
    own_socket,
    socket_in,
)
from paude_venv_hook.errors import EngineError

Programs = Callable[[str, str], Path]
OWN = "/run/user/1000/paude/docker.sock"
# A docker that answers as the real one does: DOCKER_HOST beats the context.
CONTEXT = """case $* in
--version) echo Docker version 28 ;;
"context inspect") printf '[{"Name": "mine", "Endpoints": {"docker": {"Host": "%%s"}}}]' "${DOCKER_HOST:-%s}" ;;
esac"""


def listen(path: Path) -> str:
    """Make a socket at the host path, which nobody serves."""
    path.parent.mkdir(parents=True, exist_ok=True)
    here = os.getcwd()
    try:
        os.chdir(path.parent)  # pytest's folders are longer than a socket's path may be
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    finally:
        os.chdir(here)
    return str(path)


@pytest.fixture(autouse=True)
def no_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Let the usual place of Docker's socket be one in which there is none, and nothing name another one."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    default = tmp_path / "docker.sock"
    monkeypatch.setattr(sockets, "_DEFAULT", str(default))
    return default


def test_docker_host_says_it(programs: Programs) -> None:
    programs("docker", CONTEXT % "unix:///context.sock")

    assert find_docker_socket({**os.environ, "DOCKER_HOST": "unix:///host.sock"}, OWN) == Upstream(
        "/host.sock", "DOCKER_HOST"
    )
    assert find_docker_socket({**os.environ, "DOCKER_HOST": ""}, OWN) == Upstream(
        "/context.sock", "the docker context mine"
    )


def test_else_the_context_in_use_says_it(programs: Programs) -> None:
    programs("docker", CONTEXT % "unix:///context.sock")

    assert find_docker_socket(os.environ, OWN) == Upstream("/context.sock", "the docker context mine")


def test_else_it_is_in_one_of_the_usual_places(
    programs: Programs, no_default: Path, tmp_path: Path, home: Path
) -> None:
    programs("docker", "exit 1")
    environ = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path / "run")}
    desktop = listen(home / ".docker" / "run" / "docker.sock")

    assert find_docker_socket(environ, OWN) == Upstream(desktop)
    rootless = listen(tmp_path / "run" / "docker.sock")
    assert find_docker_socket(environ, OWN) == Upstream(rootless)
    assert find_docker_socket(environ, listen(no_default)) == Upstream(rootless)
    assert find_docker_socket(environ, OWN) == Upstream(str(no_default))


def test_the_proxys_own_socket_is_not_dockers(programs: Programs, no_default: Path, tmp_path: Path) -> None:
    own = listen(tmp_path / "run" / "own.sock")
    link = tmp_path / "link.sock"
    link.symlink_to(own)
    listen(no_default)
    programs("docker", CONTEXT % f"unix://{own}")

    assert find_docker_socket({**os.environ, "DOCKER_HOST": f"unix://{link}"}, own) == Upstream(str(no_default))


def test_where_nothing_tells_of_a_socket_it_is_to_be_named(programs: Programs, no_default: Path, home: Path) -> None:
    programs("docker", "echo a bad template; exit 1")

    with pytest.raises(EngineError) as caught:
        find_docker_socket(os.environ, OWN)
    assert str(caught.value) == (
        f"no socket of Docker in {no_default}, {home}/.docker/run/docker.sock; start Docker, or name it in DOCKER_HOST"
    )


@pytest.mark.parametrize("host", ["tcp://10.0.0.1:2375", "ssh://me@there", "npipe:////./pipe/docker", "/docker.sock"])
def test_a_daemon_elsewhere_is_refused(programs: Programs, host: str) -> None:
    elsewhere = (
        "is no socket of this machine, whose folders a daemon elsewhere does not bind; name a "
        "local socket, as unix:///var/run/docker.sock"
    )
    programs("docker", CONTEXT % host)

    with pytest.raises(EngineError) as caught:
        find_docker_socket({**os.environ, "DOCKER_HOST": host}, OWN)
    assert str(caught.value) == f"DOCKER_HOST: {host} {elsewhere}"
    with pytest.raises(EngineError) as caught:
        find_docker_socket(os.environ, OWN)
    assert str(caught.value) == f"the docker context mine: {host} {elsewhere}"


def test_a_socket_without_a_path_is_dockers_default_and_a_relative_one_is_refused(no_default: Path) -> None:
    assert socket_in("unix://", "DOCKER_HOST") == str(no_default)
    with pytest.raises(EngineError) as caught:
        socket_in("unix://docker.sock", "DOCKER_HOST")
    assert str(caught.value) == "DOCKER_HOST: unix://docker.sock is no absolute path; write unix:///PATH"


def test_where_no_daemon_listens_the_line_names_the_path_the_reason_and_what_led_there(tmp_path: Path) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "docker.sock")
        assert Upstream(str(path)).why_silent() == f"{path}: no such file; start Docker"
        assert Upstream(str(path), "DOCKER_HOST").why_silent() == (
            f"DOCKER_HOST leads to {path}: no such file; start Docker"
        )
        with serving(path):
            assert Upstream(str(path)).why_silent() == ""
        assert Upstream(str(path)).why_silent() == f"{path}: Connection refused; start Docker"
        assert Upstream(f"{path}/x").why_silent() == f"{path}/x: Not a directory; see whether Docker runs"
    too_long = "/" + "x" * 200
    assert Upstream(too_long).why_silent() == f"{too_long}: File name too long; see whether Docker runs"


def test_a_daemon_to_which_one_may_not_speak_is_no_missing_one(mocker: MockerFixture) -> None:
    mocker.patch("paude_venv_hook.docker_api.sockets._why_not_connected", return_value=errno.EACCES)

    assert Upstream("/var/run/docker.sock").why_silent() == (
        "/var/run/docker.sock: Permission denied; let this user use it, as a member of the group docker"
    )


def test_a_daemon_that_has_much_to_do_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "_ANSWER_SECONDS", 0.05)
    with TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as server:
        path = f"{folder}/docker.sock"
        server.bind(path)
        server.listen(0)
        waiting = []
        for _ in range(8):
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(0)
            waiting.append(connection)
            with suppress(BlockingIOError):
                connection.connect(path)

        assert Upstream(path).why_silent() == ""
        for connection in waiting:
            connection.close()


def test_nothing_answers_where_no_socket_is_or_no_http_is_spoken(tmp_path: Path) -> None:
    assert does_answer(str(tmp_path / "none.sock")) is False
    assert does_answer(str(tmp_path)) is False
    assert does_answer("/" + "x" * 200) is False


def test_the_proxys_socket_is_in_a_folder_of_its_own(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert own_socket({"XDG_RUNTIME_DIR": "/run/user/1000"}) == OWN
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert own_socket({"XDG_RUNTIME_DIR": "run"}) == (
        "/cache/paude/run/docker.sock" if os.uname().sysname == "Linux" else f"{home}/Library/Caches/paude/docker.sock"
    )


def test_a_path_that_is_too_long_for_a_socket_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "_MOST_BYTES", 107)
    folder = "/run/" + "u" * 84

    assert own_socket({"XDG_RUNTIME_DIR": folder}) == f"{folder}/paude/docker.sock"
    with pytest.raises(EngineError) as caught:
        own_socket({"XDG_RUNTIME_DIR": folder + "u"})
    assert str(caught.value) == (
        f"--listen: {folder}u/paude/docker.sock is longer than the 107 bytes that a socket's path can have; "
        "name a shorter one"
    )


def test_sockets_are_the_same_through_links_also_where_they_are_not_there_yet(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    os.link(listen(tmp_path / "one.sock"), tmp_path / "hard.sock")

    assert is_same_socket(str(tmp_path / "link" / "s"), str(tmp_path / "folder" / "s"))
    assert is_same_socket(str(tmp_path / "one.sock"), str(tmp_path / "hard.sock"))
    assert not is_same_socket(str(tmp_path / "one.sock"), str(tmp_path / "none.sock"))
