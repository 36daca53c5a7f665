"""How compose programs read their command line, and which files they find by themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from layout import fill
from paude_venv_hook.engines.compose_grammar import default_files, env_files, parse_compose, volumes_of_run


@pytest.mark.parametrize(
    ("line", "action", "files"),
    [
        ("docker compose up -d", "up", []),
        ("docker compose -f a.yaml --file=b.yaml -f- up", "up", ["a.yaml", "b.yaml", "-"]),
        ("docker --context x compose --ansi never --progress=plain -p run --profile up run --rm web up", "run", []),
        ("docker -H unix:///x.sock compose --all-resources --compatibility --dry-run create", "create", []),
        ("docker compose --parallel 2 --env-file .env --project-directory d --verbose watch", "watch", []),
        ("docker compose --future -f a scale web=3", "scale", ["a"]),
        ("docker-compose -f a -H unix:///x.sock --tls up", "up", ["a"]),
        ("podman-compose --in-pod false --podman-run-args=--rm --podman-path p -f a up", "up", ["a"]),
        ("podman compose -f a ps", "ps", ["a"]),
        ("docker compose", "", []),
        ("docker-compose", "", []),
        ("docker compose -f", "", [""]),
    ],
)
def test_options_and_subcommand_of_compose_are_read(line: str, action: str, files: list[str]) -> None:
    program, *arguments = line.split()

    parsed = parse_compose(program, arguments)

    assert parsed
    assert (parsed.action, parsed.values("-f", "--file")) == (action, files)
    assert arguments[parsed.end : parsed.end + 1] == ([action] if action else [])
    assert parsed.starts == (action in ("create", "run", "scale", "up", "watch"))


@pytest.mark.parametrize(
    "line",
    ["docker run compose", "docker ps", "make compose up", "docker --future x compose up", "podman"],
)
def test_other_lines_are_none_of_compose(line: str) -> None:
    program, *arguments = line.split()

    assert parse_compose(program, arguments) is None


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("run web", ("web", [])),
        (
            "-f a run --rm -itv .:/code --volume=/x:/y:ro -e A=1 --name n web ls -v /no:/no",
            ("web", [".:/code", "/x:/y:ro"]),
        ),
        ("run --no-deps -T", ("", [])),
        ("up -v web", ("", [])),
    ],
)
def test_the_volumes_of_run_are_read(line: str, said: tuple[str, list[str]]) -> None:
    parsed = parse_compose("docker-compose", line.split())

    assert parsed
    assert volumes_of_run(parsed, line.split()) == said


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

    assert default_files(str(tmp_path / "src" / "deep")) == [str(tmp_path / name) for name in found]


@pytest.mark.parametrize(
    ("line", "variable", "files"),
    [
        ("up", "", [".env"]),
        ("--project-directory sub up", "", ["sub/.env"]),
        ("--project-directory a --project-directory b up", "", ["b/.env"]),
        ("--env-file one --env-file sub/two up", "three", ["one", "sub/two"]),
        ("up", "one,,two", ["one", "two"]),
        ("--project-directory sub up", "one", ["one"]),
        ("--env-file=/etc/env up", "", ["/etc/env"]),
    ],
)
def test_the_files_with_variables_are_those_of_the_line_then_of_the_variable(
    line: str, variable: str, files: list[str]
) -> None:
    parsed = parse_compose("docker-compose", line.split())

    assert parsed
    named = [path if path.startswith("/") else f"/src/{path}" for path in files]
    assert env_files(parsed, {"COMPOSE_ENV_FILES": variable}, "/src") == named


def test_without_any_file_of_a_project_there_is_none(tmp_path: Path) -> None:
    assert default_files(str(tmp_path)) == []
