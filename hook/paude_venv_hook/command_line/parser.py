"""The parser of the command line, made from what a command declares: one for the command that is asked for."""

from __future__ import annotations

import argparse
from functools import partial

from paude_venv_hook.errors import UsageError
from paude_venv_hook.terminal import PROGRAM
from paude_venv_hook.text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any, NoReturn

    from paude_venv_hook.command_line.options import Command


class _PlainFormatter(argparse.HelpFormatter):
    def _set_color(self, _: bool) -> None:  # noqa: FBT001 - argparse's
        """Load no colours."""


class _Parser(argparse.ArgumentParser):
    def _get_validation_formatter(self) -> argparse.HelpFormatter:
        """Return what Python 3.14 checks each argument with: its own would load colours, for 10 ms."""
        return _PlainFormatter(self.prog, width=80)

    def format_help(self) -> str:
        self.formatter_class = argparse.RawDescriptionHelpFormatter
        return super().format_help()

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{shown(message)}; see {self.prog} --help")


def parse(name: str, command: Command, words: Sequence[str]) -> Any:
    """Return the command's options as the words after its name say. Raises UsageError; `--help` raises SystemExit."""
    options = command.Options()
    _, unknown = make_parser(name, command).parse_known_args(words, namespace=options)
    if unknown:
        raise UsageError(f"unrecognized arguments: {shown(' '.join(unknown))}; see {PROGRAM} --help")
    for names, _ in command.ARGUMENTS:
        # What a script passes on from a variable that is not set would else mean the current folder.
        if getattr(options, names[0].lstrip("-").replace("-", "_")) in ("", [""]):
            raise UsageError(f"{names[0]}: is empty; write a value, or leave it out")
    return options


def make_parser(name: str, command: Command) -> argparse.ArgumentParser:
    """Return the parser of a command; flags that are not given set nothing, so that the defaults of Options stand."""
    parser = _Parser(prog=f"{PROGRAM} {name}", **_keywords(command))
    _add_arguments(parser, command)
    return parser


def _keywords(command: Command) -> dict[str, Any]:
    return {
        "description": command.SUMMARY[0].upper() + command.SUMMARY[1:] + ".",
        "epilog": "examples:\n" + command.EXAMPLES.rstrip("\n"),
        # One is made for each argument, and without a width each would ask shutil for the terminal's: 3 ms.
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
    parser.add_argument("--version", action="store_true", help="show program's version number and exit")
    subparsers = parser.add_subparsers(metavar="COMMAND", parser_class=_Parser)
    listed = [(command.POSITION, name, command) for name, command in commands if command.POSITION is not None]
    for _, name, command in sorted(listed, key=lambda item: item[:2]):
        _add_arguments(subparsers.add_parser(name, help=command.SUMMARY, **_keywords(command)), command)
    return parser
