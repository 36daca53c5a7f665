"""The daemon that a launch reaches: where it is, and what tells it from others."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from conftest import serving
from installed import StandIns
from paude_venv_hook.engines.daemons import global_options
from paude_venv_hook.stores.daemons import Daemon, find_daemon, identify_docker

pytestmark = pytest.mark.usefixtures("own_socket")
INFO = b'{"ID": "ABCD:EFGH", "DockerRootDir": "/var/lib/docker"}'
CONNECTIONS = '[{"Name": "far", "URI": "ssh://me@far/run", "Default": true}, {"Name": "near", "URI": "unix:///near"}]'


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder with a short name, as sockets need it."""
    with TemporaryDirectory() as name:
        yield Path(name)


def docker_of(stand_ins: StandIns, line: str = "run IMG", **environ: str) -> Daemon:
    """Return the daemon that Docker's client reaches with a command line."""
    program = str(stand_ins.folder / "docker")
    return find_daemon("docker", program, global_options(line.split()), {**os.environ, **environ})


def test_a_docker_daemon_is_known_by_its_id_and_the_folder_of_its_containers(stand_ins: StandIns, folder: Path) -> None:
    """Daemons before Docker 23 that run on one machine have one ID."""
    stand_ins.add("docker")
    here = f"unix://{folder}/docker.sock"
    stand_ins.add_context("rootless", here)
    known = Daemon("", "ABCD:EFGH /var/lib/docker")

    with serving(folder / "docker.sock", INFO):
        assert docker_of(stand_ins, DOCKER_HOST=here) == known
        assert stand_ins.inspections() == 0
        assert docker_of(stand_ins, f"-H {here} run IMG", DOCKER_HOST="ssh://far") == known
        assert docker_of(stand_ins, DOCKER_CONTEXT="rootless") == known
        assert docker_of(stand_ins, "--context rootless run IMG") == known
        stand_ins.use_context("rootless")
        assert docker_of(stand_ins) == known


@pytest.mark.parametrize("answer", [b"", b"{", b"[]", b'{"ID": ""}', b'{"ID": 7, "DockerRootDir": "/x"}', None])
def test_a_daemon_that_does_not_say_who_it_is_is_unknown(
    stand_ins: StandIns, folder: Path, answer: bytes | None
) -> None:
    stand_ins.add("docker")
    here = f"unix://{folder}/docker.sock"
    if answer is None:
        assert docker_of(stand_ins, DOCKER_HOST=here) == Daemon()
        return
    with serving(folder / "docker.sock", answer):
        assert docker_of(stand_ins, DOCKER_HOST=here) == Daemon()


def test_a_daemon_without_a_folder_is_known_by_its_id() -> None:
    assert identify_docker(lambda path: {"ID": path}) == "/info"


def test_a_docker_context_may_lead_to_another_machine(stand_ins: StandIns) -> None:
    stand_ins.add("docker")
    stand_ins.add_context("far", "ssh://me@far")
    elsewhere = Daemon("the docker context far leads to ssh://me@far, which is another machine")

    assert docker_of(stand_ins, "-c far run IMG") == elsewhere
    assert docker_of(stand_ins, DOCKER_CONTEXT="far") == elsewhere
    assert docker_of(stand_ins, "-c gone run IMG") == Daemon()
    assert docker_of(stand_ins, DOCKER_HOST="unix://docker.sock") == Daemon()
    stand_ins.use_context("far")
    assert docker_of(stand_ins) == elsewhere
    assert docker_of(stand_ins, "-H tcp://far run IMG") == Daemon("-H leads to tcp://far, which is another machine")


def test_the_clients_own_folder_of_contexts_counts(programs: Callable[[str, str], Path]) -> None:
    program = programs(
        "docker",
        """printf '[{"Name": "%s", "Endpoints": {"docker": {"Host": "ssh://%s"}}}]' "$3" "$DOCKER_CONFIG" """,
    )
    line = global_options(["--config", "/other", "-c", "mine", "run", "IMG"])

    assert find_daemon("docker", str(program), line, os.environ) == Daemon(
        "the docker context mine leads to ssh:///other, which is another machine"
    )


@pytest.mark.parametrize(
    ("line", "environ", "daemon"),
    [
        ("run IMG", {}, Daemon("", "local")),
        ("--root /other run IMG", {}, Daemon("", "local /other")),
        ("run IMG", {"CONTAINERS_STORAGE_CONF": "/conf"}, Daemon("", "local /conf")),
        ("--url unix:///other run IMG", {}, Daemon("", "unix:///other")),
        ("run IMG", {"CONTAINER_HOST": "unix:///other"}, Daemon("", "unix:///other")),
        ("run IMG", {"CONTAINER_CONNECTION": "near"}, Daemon("", "unix:///near")),
        ("-c near run IMG", {}, Daemon("", "unix:///near")),
        ("--connection far run IMG", {}, Daemon("the Podman connection far leads to ssh://me@far/run, which is "
         "another machine")),
        ("--remote run IMG", {}, Daemon("the Podman connection far leads to ssh://me@far/run, which is another "
         "machine")),
        ("--remote --url unix:///other run IMG", {}, Daemon("", "unix:///other")),
        ("-c gone run IMG", {}, Daemon("", "local")),
        ("run IMG", {"CONTAINER_HOST": "tcp://far"}, Daemon("CONTAINER_HOST leads to tcp://far, which is another "
         "machine")),
    ],
)  # fmt: skip
def test_a_podman_is_known_by_how_it_is_reached(
    programs: Callable[[str, str], Path], line: str, environ: dict[str, str], daemon: Daemon
) -> None:
    """It has no daemon, and to ask it who it is takes as long as the start of a container."""
    program = programs("podman", f"[ \"$*\" = 'system connection list --format json' ] && echo '{CONNECTIONS}'")

    assert find_daemon("podman", str(program), global_options(line.split()), environ) == daemon


@pytest.mark.parametrize("script", ["exit 1", "echo '{'", "echo '{\"Name\": 1}'", "echo '[1]'"])
def test_a_podman_that_lists_no_connections_is_local(programs: Callable[[str, str], Path], script: str) -> None:
    program = programs("podman", script)

    assert find_daemon("podman", str(program), global_options(["--remote"]), {}) == Daemon("", "local")
    assert find_daemon("podman", "/no/podman", global_options(["-c", "far"]), {}) == Daemon("", "local")


@pytest.mark.parametrize("spelling", ["unix://{}", "unix:{}", "unix:/{}"])
def test_the_service_of_the_same_user_has_the_same_containers(
    monkeypatch: pytest.MonkeyPatch, folder: Path, spelling: str
) -> None:
    monkeypatch.setattr("paude_venv_hook.stores.daemons.is_rootless", lambda _: True)
    service = folder / "podman" / "podman.sock"
    service.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(service))
    environ = {"XDG_RUNTIME_DIR": str(folder), "CONTAINER_HOST": spelling.format(service)}

    assert find_daemon("podman", "/no/podman", [], environ) == Daemon("", "local")


def test_roots_service_is_another_one_for_an_ordinary_user(monkeypatch: pytest.MonkeyPatch) -> None:
    environ = {"CONTAINER_HOST": "unix:///run/podman/podman.sock"}
    monkeypatch.setattr("paude_venv_hook.stores.daemons.is_rootless", lambda _: True)
    assert find_daemon("podman", "/no/podman", [], environ) == Daemon("", "unix:///run/podman/podman.sock")

    monkeypatch.setattr("paude_venv_hook.stores.daemons.is_rootless", lambda _: False)
    assert find_daemon("podman", "/no/podman", [], environ) == Daemon("", "local")


def test_of_other_engines_nothing_is_known() -> None:
    assert find_daemon("nerdctl", "/no/nerdctl", [], {"DOCKER_HOST": "ssh://far"}) == Daemon()
