"""The parser of the command line, made from the arguments that the chosen command declares."""

from __future__ import annotations

import argparse
from functools import partial

from paude_venv_hook.command_line.options import VARIABLES, WORKSPACE_FOLDER, attribute
from paude_venv_hook.engines.table import one_of
from paude_venv_hook.errors import UsageError
from paude_venv_hook.terminal import PROGRAM
from paude_venv_hook.text import did_you_mean, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from typing import Any, NoReturn

    from paude_venv_hook.command_line.options import Command

# As argparse says it.
_MISSING, _NO_VALUE = "the following arguments are required", "expected one argument"
_TOO_MUCH = "ignored explicit argument"


class _PlainFormatter(argparse.HelpFormatter):
    def _set_color(self, _: bool) -> None:  # noqa: FBT001 - argparse's
        """Use no colours: loading them is slow."""


class _Parser(argparse.ArgumentParser):
    def _get_validation_formatter(self) -> argparse.HelpFormatter:
        """Return the formatter with which Python 3.14 checks each argument; its own would load colours, for 10 ms."""
        return _PlainFormatter(self.prog, width=80)

    def format_help(self) -> str:
        self.formatter_class = argparse.RawDescriptionHelpFormatter
        return super().format_help()

    def error(self, message: str) -> NoReturn:
        """Raise UsageError with argparse's own words, or with the choices that it leaves out."""
        needed = [action for action in self._actions if action.required and action.choices]
        if needed and message.startswith(_MISSING):
            raise UsageError(f"{_name_of(self)}: one word is missing; use {_listed(needed[0])}")
        problem = message.removeprefix("argument ").replace(_NO_VALUE, "needs a value")
        if _TOO_MUCH in problem:
            raise UsageError(f"{problem.partition(':')[0]}: takes no value; leave out what follows the =")
        raise UsageError(f"{shown(problem)}; see {self.prog} --help")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Raise UsageError for a value that is none of the choices."""
        if action.choices is None or value in action.choices:
            return
        name = "/".join(action.option_strings) or _name_of(self)
        hint = did_you_mean(str(value), action.choices)
        raise UsageError(f'{name}: "{shown(str(value))}" is not known{hint}; use {_listed(action)}')


def _name_of(parser: argparse.ArgumentParser) -> str:
    """Return the name of the command that a parser is for."""
    return parser.prog.removeprefix(f"{PROGRAM} ")


def _listed(action: argparse.Action) -> str:
    return one_of(map(str, action.choices or ()))


def parse(name: str, command: Command, words: Sequence[str], other_commands: Collection[str] = ()) -> Any:
    """Return the command's options as the words after its name say. Raises UsageError; `--help` raises SystemExit.

    If no command was named, `other_commands` are those that may have been meant by a word that stands too far back.
    """
    options = command.Options()
    parser = make_parser(name, command)
    _, unknown = parser.parse_known_args(words, namespace=options)
    if unknown:
        raise UsageError(_explain(unknown, words, parser, other_commands))
    for names, _ in command.ARGUMENTS:
        # A script may pass a variable that is not set; an empty path would mean the current folder.
        if getattr(options, attribute(names)) in ("", [""]):
            raise UsageError(f"{names[0]}: is empty; write a value, or leave it out")
    return options


def _explain(
    unknown: Sequence[str], words: Sequence[str], parser: argparse.ArgumentParser, other_commands: Collection[str]
) -> str:
    """Return what is wrong with the words of a command line that its command does not know, and what to write."""
    for word in unknown:
        if word in other_commands:
            others = list(words)
            others.remove(word)
            return f"{word}: a command comes first; write {shown(' '.join((PROGRAM, word, *others)))}"
    first, name = unknown[0], _name_of(parser)
    actions = parser._actions  # noqa: SLF001 - argparse has no other list of them
    options = [option for action in actions for option in action.option_strings]
    if not first.startswith("-"):
        advice = f"see {parser.prog} --help"
        if WORKSPACE_FOLDER[0][0] in options:
            advice = f"to name the folder, write {WORKSPACE_FOLDER[0][0]} {shown(first)}"
        return f'"{shown(first)}" is one argument too many; {advice}'
    option = first.partition("=")[0]
    starts_a_program = any(action.nargs == argparse.REMAINDER for action in actions)
    if starts_a_program and option in VARIABLES:
        return f"{option} is no option of {name}; set {VARIABLES[option]} in the environment"
    return f"{shown(option)} is no option of {name}{did_you_mean(option, options)}; see {parser.prog} --help"


def make_parser(name: str, command: Command) -> argparse.ArgumentParser:
    """Return the parser of a command; options that are not given keep the defaults of its Options."""
    parser = _Parser(prog=f"{PROGRAM} {name}", **_keywords(command))
    _add_arguments(parser, command)
    return parser


def _keywords(command: Command) -> dict[str, Any]:
    return {
        "description": command.SUMMARY[0].upper() + command.SUMMARY[1:] + ".",
        "epilog": "examples:\n" + command.EXAMPLES.rstrip("\n"),
        # argparse makes one for each argument; without a width each asks for the terminal's, for 3 ms in all.
        "formatter_class": partial(argparse.HelpFormatter, width=80),
        "argument_default": argparse.SUPPRESS,
        "allow_abbrev": False,
    }


def _add_arguments(parser: argparse.ArgumentParser, command: Command) -> None:
    for names, keywords in command.ARGUMENTS:
        parser.add_argument(*names, **keywords)


def program_parser(commands: Iterable[tuple[str, Command]]) -> argparse.ArgumentParser:
    """Return the parser of the whole program, for its help, man page and completions, with the commands for people."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Put an empty tmpfs, or a folder that stays, over each Python venv of a workspace\n"
        "in its container, so that host and container each keep a working venv over one\nsource tree.",
        epilog="examples:\n  cd ~/src/app && paude-venv-hook\n  paude-venv-hook status\n\n"
        "Each command has its own --help. Without a command, `run` is meant.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-V", "--version", action="store_true", help="show program's version number and exit")
    subparsers = parser.add_subparsers(metavar="COMMAND", parser_class=_Parser)
    listed = [(command.POSITION, name, command) for name, command in commands if command.POSITION is not None]
    for _, name, command in sorted(listed, key=lambda row: row[:2]):
        _add_arguments(subparsers.add_parser(name, help=command.SUMMARY, **_keywords(command)), command)
    return parser
