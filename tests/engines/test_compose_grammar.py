"""Command lines of compose: which words are compose's own, and what may start containers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from layout import fill
from paude_venv_hook.engines.compose_grammar import find_default_files, parse_compose, without_options


@pytest.mark.parametrize(
    ("line", "action", "files"),
    [
        ("docker compose up -d", "up", []),
        ("docker compose -f a.yaml --file=b.yaml -f- up", "up", ["a.yaml", "b.yaml", "-"]),
        ("docker compose -f - -f x up", "up", ["-", "x"]),
        ("docker --context x compose --ansi never --progress=plain -p run --profile up run --rm web up", "run", []),
        ("docker -H unix:///x.sock compose --all-resources --compatibility --dry-run create", "create", []),
        ("docker compose --parallel 2 --env-file .env --project-directory d --verbose watch", "watch", []),
        ("docker compose --future -f a scale web=3", "scale", ["a"]),
        ("docker-compose -f a -H unix:///x.sock --tls up", "up", ["a"]),
        ("/opt/docker-compose -f a up", "up", ["a"]),
        ("docker-compose-v2 -f a up", "up", ["a"]),
        ("podman-compose --in-pod false --podman-run-args=--rm --podman-path p -f a up", "up", ["a"]),
        ("podman compose -f a ps", "ps", ["a"]),
        ("docker compose", "", []),
        ("docker-compose", "", []),
        ("docker compose -f", "", [""]),
    ],
)
def test_options_and_subcommand_of_compose_are_read(line: str, action: str, files: list[str]) -> None:
    program, *arguments = line.split()

    parsed = parse_compose(os.path.basename(program), arguments)

    assert parsed
    assert (parsed.action, parsed.values("-f", "--file")) == (action, files)
    assert arguments[parsed.end : parsed.end + 1] == ([action] if action else [])


@pytest.mark.parametrize("action", ["up", "run", "create", "start", "restart", "watch", "scale", "alpha", "unheard-of"])
def test_what_may_start_a_container(action: str) -> None:
    parsed = parse_compose("docker", ["compose", "-p", "ps", action, "ps"])

    assert parsed
    assert parsed.starts


@pytest.mark.parametrize(
    "action",
    ["attach", "build", "config", "cp", "down", "events", "exec", "images", "kill", "logs", "ls", "ps", "pull", "stop"],
)
def test_what_starts_none(action: str) -> None:
    parsed = parse_compose("docker-compose", ["-f", "up", action, "up"])

    assert parsed
    assert not parsed.starts


@pytest.mark.parametrize("words", [[], ["--help"], ["--version"], ["-f", "up"]])
def test_no_subcommand_starts_none(words: list[str]) -> None:
    parsed = parse_compose("docker", ["compose", *words])

    assert parsed
    assert not parsed.starts


@pytest.mark.parametrize(
    "line",
    [
        "docker run compose",
        "docker ps",
        "make compose up",
        "docker --future x compose up",
        "podman",
        "nerdctl compose up",
    ],
)
def test_other_lines_are_none_of_compose(line: str) -> None:
    program, *arguments = line.split()

    assert parse_compose(program, arguments) is None


@pytest.mark.parametrize(
    ("line", "left"),
    [
        ("docker compose up", "docker compose up"),
        ("docker -H unix:///x compose -f a up -H", "docker compose -f a up -H"),
        ("docker -DH unix:///x --log-level debug compose up", "docker -D --log-level=debug compose up"),
        ("docker --context=a --config b -c c compose -p d up", "docker --config=b compose -p d up"),
        ("docker-compose --host unix:///x --tls=false -fa up", "docker-compose --tls=false -f a up"),
    ],
)
def test_options_are_taken_away(line: str, left: str) -> None:
    program, *arguments = line.split()
    parsed = parse_compose(program, arguments)

    assert parsed
    assert without_options(parsed, arguments, ("-H", "--host", "-c", "--context")) == left.split()[1:]


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        (["compose.yaml", "compose.yml", "docker-compose.yml"], ["compose.yaml"]),
        (["docker-compose.yaml", "compose.override.yaml"], ["docker-compose.yaml", "compose.override.yaml"]),
        (["compose.yml", "compose.override.yml", "compose.override.yaml"], ["compose.yml", "compose.override.yml"]),
        (["compose.yml", "src/compose.override.yml"], ["compose.yml"]),
        (["src/compose.yml", "compose.yml"], ["src/compose.yml"]),
    ],
)
def test_files_that_nothing_names_are_found_upwards(tmp_path: Path, entries: list[str], found: list[str]) -> None:
    fill(tmp_path, "src/deep/", *entries)

    assert find_default_files(str(tmp_path / "src" / "deep")) == [str(tmp_path / name) for name in found]


def test_without_any_file_of_a_project_there_is_none(tmp_path: Path) -> None:
    assert find_default_files(str(tmp_path)) == []
