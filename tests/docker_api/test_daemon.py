"""Where the daemon is that a command line, or a client of the API, reaches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from layout import fill
from paude_venv_hook.docker_api import daemon
from paude_venv_hook.docker_api.builder import selected_builder
from paude_venv_hook.docker_api.daemon import Place, place_of_api, place_of_line
from paude_venv_hook.engines.daemons import global_options

Programs = Callable[[str, str], Path]
USUAL = Place("unix:///var/run/docker.sock", "the usual place")
# Tells of the contexts `a`, and the one in use; and where its configuration is.
DOCKER = """shift 2
case $1 in
"") printf '[{"Name": "used", "Endpoints": {"docker": {"Host": "unix:///used.sock"}}}]' ;;
a) printf '[{"Name": "a", "Endpoints": {"docker": {"Host": "ssh://%s"}}}]' "${DOCKER_CONFIG##*/}" ;;
*) echo no such context >&2; exit 1 ;;
esac"""


@pytest.fixture
def docker(programs: Programs) -> str:
    """Return a Docker that knows contexts."""
    return str(programs("docker", DOCKER))


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Return an environment that names nothing, with a folder of Docker's configuration."""
    return {"PATH": "/bin", "HOME": str(tmp_path / "home"), "DOCKER_CONFIG": str(fill(tmp_path / "config", "x/"))}


@pytest.mark.parametrize(
    ("line", "variables", "place"),
    [
        ("run IMG", {}, USUAL),
        ("run IMG", {"DOCKER_HOST": "unix:///v.sock"}, Place("unix:///v.sock", "DOCKER_HOST")),
        ("run IMG", {"DOCKER_HOST": "unix:///v.sock", "DOCKER_CONTEXT": "a"}, Place("unix:///v.sock", "DOCKER_HOST")),
        ("run IMG", {"DOCKER_CONTEXT": "a"}, Place("ssh://config", "the docker context a", "a")),
        ("run IMG", {"DOCKER_CONTEXT": "default"}, USUAL),
        ("run IMG", {"DOCKER_CONTEXT": "gone"}, None),
        ("-H unix:///h.sock run IMG", {"DOCKER_HOST": "tcp://v"}, Place("unix:///h.sock", "-H")),
        ("--host=tcp://h run IMG", {}, Place("tcp://h", "--host")),
        ("-c a run IMG", {"DOCKER_HOST": "unix:///v.sock"}, Place("ssh://config", "the docker context a", "a")),
        ("--context a --config /x/other run IMG", {}, Place("ssh://other", "the docker context a", "a")),
        ("--context default run IMG", {"DOCKER_HOST": "unix:///v.sock"}, Place("unix:///v.sock", "DOCKER_HOST")),
    ],
)
def test_what_names_it_counts_in_the_order_of_docker(
    docker: str, environ: dict[str, str], line: str, variables: dict[str, str], place: Place | None
) -> None:
    assert place_of_line(global_options(line.split()), docker, {**environ, **variables}) == place


@pytest.mark.parametrize("key", ["currentContext", "CurrentContext"])
def test_the_context_in_use_is_asked_for_if_one_was_chosen(docker: str, environ: dict[str, str], key: str) -> None:
    fill(Path(environ["DOCKER_CONFIG"]), f'config.json = {{"auths": {{}}, "{key}": "used"}}')

    assert place_of_line((), docker, environ) == Place("unix:///used.sock", "the docker context used", "used")
    assert place_of_line((), None, environ) is None


def test_docker_is_not_asked_if_nothing_was_chosen(programs: Programs, environ: dict[str, str], tmp_path: Path) -> None:
    docker = programs("docker", f"touch {tmp_path}/asked")
    fill(Path(environ["DOCKER_CONFIG"]), 'config.json = {"auths": {}}')

    assert place_of_line((), str(docker), environ) == USUAL
    assert not (tmp_path / "asked").exists()


@pytest.mark.parametrize(
    ("host", "socket", "why"),
    [
        ("unix:///x.sock", "/x.sock", ""),
        ("unix://", "/var/run/docker.sock", ""),
        ("tcp://far:2375", "", "-H leads to tcp://far:2375, whose folders are not those of this machine"),
        ("ssh://far", "", "-H leads to ssh://far, whose folders are not those of this machine"),
    ],
)
def test_a_daemon_is_on_this_machine_if_it_has_a_socket(host: str, socket: str, why: str) -> None:
    place = Place(host, "-H")

    assert (place.socket, place.why_remote) == (socket, why)


def test_clients_of_the_api_know_the_usual_place_and_no_contexts(
    docker: str, environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = tmp_path / "docker.sock"
    monkeypatch.setattr(daemon, "_USUAL_SOCKET", str(usual))
    fill(Path(environ["DOCKER_CONFIG"]), 'config.json = {"currentContext": "used"}')

    assert place_of_api(docker, environ) == Place("unix:///used.sock", "the docker context used", "used")
    usual.touch()
    assert place_of_api(docker, environ) == Place(f"unix://{usual}", "the usual place")
    assert place_of_api(docker, {**environ, "DOCKER_HOST": "tcp://x"}) == Place("tcp://x", "DOCKER_HOST")


@pytest.mark.parametrize(
    ("entries", "name"),
    [
        ([], ""),
        (['current = {"Key": "unix:///x.sock", "Name": "mine", "Global": false}'], "mine"),
        (['current = {"Key": "unix:///y.sock", "Name": "mine", "Global": false}'], ""),
        (['current = {"Key": "unix:///y.sock", "Name": "mine", "Global": true}'], "mine"),
        # The first letters of the SHA-256 of unix:///x.sock.
        (['current = {"Key": "unix:///y.sock", "Name": ""}', "defaults/c38efd27f0f0598d2bfc = default"], "default"),
        (["defaults/c38efd27f0f0598d2bfc = default"], "default"),
        (["current = no JSON"], ""),
        (["current = []"], ""),
    ],
)
def test_the_builder_is_the_one_that_buildx_would_take(tmp_path: Path, entries: list[str], name: str) -> None:
    fill(tmp_path, *(f"buildx/{entry}" for entry in entries), "buildx/x")

    assert selected_builder("unix:///x.sock", {"DOCKER_CONFIG": str(tmp_path)}) == name
    assert selected_builder("unix:///x.sock", {"DOCKER_CONFIG": "/", "BUILDX_CONFIG": str(tmp_path / "buildx")}) == name
