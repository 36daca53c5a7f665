"""Which daemon a launch reaches, by its line and the environment."""

from __future__ import annotations

import pytest

from paude_venv_hook.engines.daemons import Address, global_options, named_daemon, why_remote


def options_of(line: str) -> list[tuple[str, str | None]]:
    return [(option.name, option.value) for option in global_options(line.split())]


@pytest.mark.parametrize(
    ("line", "options"),
    [
        ("run -v /a:/b IMG -H x", []),
        ("-H unix:///x run IMG", [("-H", "unix:///x")]),
        ("--host=tcp://far -D run IMG", [("--host", "tcp://far"), ("-D", None)]),
        ("-cfar container run IMG", [("-c", "far")]),
        ("--context far compose -c x up", [("--context", "far")]),
        ("run -c 512 -h name --url unix:///x --rm IMG", [("--url", "unix:///x")]),
        ("--remote create --connection=far IMG", [("--remote", None), ("--connection", "far")]),
        ("ps --connection=far", []),
        ("--new-option run --url unix:///x IMG", [("--new-option", "run"), ("--url", "unix:///x")]),
        ("--new-option --url unix:///x run IMG", [("--new-option", None), ("--url", "unix:///x")]),
        ("run --new-option -x --url unix:///x IMG", [("--url", "unix:///x")]),
        ("-H", [("-H", None)]),
        ("", []),
    ],
)
def test_the_options_that_name_a_daemon_are_those_of_no_subcommand(
    line: str, options: list[tuple[str, str | None]]
) -> None:
    assert options_of(line) == options


DOCKER = {"DOCKER_HOST": "tcp://host", "DOCKER_CONTEXT": "one"}
PODMAN = {"CONTAINER_HOST": "ssh://host", "CONTAINER_CONNECTION": "one"}


@pytest.mark.parametrize(
    ("engine", "line", "environ", "address"),
    [
        ("docker", "", {}, Address()),
        ("docker", "", DOCKER, Address("DOCKER_HOST", "tcp://host")),
        ("docker", "", DOCKER | {"DOCKER_HOST": " "}, Address("DOCKER_CONTEXT", "", "one")),
        ("docker", "-H tcp://line", DOCKER, Address("-H", "tcp://line")),
        ("docker", "--host tcp://line", DOCKER, Address("--host", "tcp://line")),
        ("docker", "--context line", DOCKER, Address("--context", "", "line")),
        ("docker", "-c line", DOCKER, Address("-c", "", "line")),
        ("docker", "-c a -c b", {}, Address("-c", "", "b")),
        ("docker", "", PODMAN, Address()),
        ("podman", "", DOCKER, Address()),
        ("podman", "", PODMAN, Address("CONTAINER_HOST", "ssh://host")),
        ("podman", "--url ssh://line", PODMAN, Address("--url", "ssh://line")),
        ("podman", "--connection line", PODMAN, Address("--connection", "", "line")),
        ("podman", "", {"CONTAINER_CONNECTION": "one"}, Address("CONTAINER_CONNECTION", "", "one")),
        ("nerdctl", "-H far", {}, Address()),
    ],
)
def test_the_line_names_a_daemon_before_the_environment(
    engine: str, line: str, environ: dict[str, str], address: Address
) -> None:
    assert named_daemon(engine, global_options([*line.split(), "run", "IMG"]), environ) == address


@pytest.mark.parametrize(
    ("engine", "line", "environ", "why"),
    [
        ("docker", "run IMG", {}, ""),
        ("docker", "run IMG", {"DOCKER_HOST": "unix:///run/docker.sock"}, ""),
        ("docker", "run IMG", {"DOCKER_HOST": "npipe:////./pipe/docker"}, ""),
        ("docker", "run IMG", {"DOCKER_HOST": "ssh://me@far"}, "DOCKER_HOST leads to ssh://me@far"),
        ("docker", "-H unix:///x run IMG", {"DOCKER_HOST": "ssh://me@far"}, ""),
        ("docker", "-H far\x07 run IMG", {}, r"-H leads to far\x07"),
        ("docker", "--context far run IMG", {}, ""),
        ("podman", "run --url tcp://far IMG", {}, "--url leads to tcp://far"),
        ("podman", "run IMG", {"CONTAINER_HOST": "unix:/run/podman.sock"}, ""),
        ("bwrap", "--url tcp://far", {"DOCKER_HOST": "ssh://me@far"}, ""),
    ],
)
def test_what_is_no_address_of_this_machine_is_elsewhere(
    engine: str, line: str, environ: dict[str, str], why: str
) -> None:
    expected = why and f"{why}, which is another machine"

    assert why_remote(named_daemon(engine, global_options(line.split(" ")), environ)) == expected
