"""The options of plain calls, which are read without argparse: as argparse would read them, or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paude_venv_hook.cli import command_names, load
from paude_venv_hook.command_line.options import plain_options
from paude_venv_hook.command_line.parser import parse

COMMANDS = {name: load(name) for name in command_names()}
NAMES = sorted({name for command in COMMANDS.values() for names, _ in command.ARGUMENTS for name in names})
VALUES = ["", "-", "--", "-x", "-1", "x", "x y", "docker", "nul", "auto", "--help", "--quiet=", "--engine=docker", "@x"]


@given(st.sampled_from(sorted(COMMANDS)), st.lists(st.sampled_from([*NAMES, *VALUES]), max_size=6))
def test_what_is_read_is_what_argparse_reads(name: str, words: list[str]) -> None:
    options = plain_options(COMMANDS[name], words)

    if options is not None:
        assert vars(options) == vars(parse(name, COMMANDS[name], words))


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_each_option_with_a_value_is_as_argparse_has_it(name: str) -> None:
    command = COMMANDS[name]
    lines = [[option, value] for names, _ in command.ARGUMENTS for option in names for value in ("x", "docker", "auto")]
    for words in [*lines, *([words[0]] for words in lines)]:
        options = plain_options(command, words)
        if options is not None:
            assert vars(options) == vars(parse(name, command, words)), words


@pytest.mark.parametrize(
    ("words", "values"),
    [
        ([], {}),
        (["--workspace-folder", "a b", "--engine", "podman"], {"workspace_folder": "a b", "engine": "podman"}),
        (["--format", "nul", "--quiet", "--target", "/app"],
         {"format": "nul", "quiet": True, "container_workspace_folder": "/app"}),
        (["--output", "-"], {"output": "-"}),
    ],
)  # fmt: skip
def test_the_calls_of_launchers_are_plain(words: list[str], values: dict[str, object]) -> None:
    assert vars(plain_options(COMMANDS["print"], words)) == values


@pytest.mark.parametrize(
    "words",
    [
        ["--engine", "dokcer"],
        ["--engine=docker"],
        ["--engine"],
        ["--quiet", "x"],
        ["--service", "web"],
        ["--help"],
        ["x"],
    ],
)
def test_all_else_is_left_to_argparse(words: list[str]) -> None:
    assert plain_options(COMMANDS["print"], words) is None
    assert plain_options(COMMANDS["completion"], ["bash"]) is None
