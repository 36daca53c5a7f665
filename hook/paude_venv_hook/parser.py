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

    from paude_venv_hook.options import Command


class _Parser(argparse.ArgumentParser):
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
    parser = _Parser(
        prog=f"{PROGRAM} {name}",
        description=command.SUMMARY[0].upper() + command.SUMMARY[1:] + ".",
        epilog="examples:\n" + command.EXAMPLES.rstrip("\n"),
        # One is made for each argument, and without a width each would ask shutil for the terminal's: 3 ms.
        formatter_class=partial(argparse.HelpFormatter, width=80),
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    for names, keywords in command.ARGUMENTS:
        parser.add_argument(*names, **keywords)
    return parser


def format_help(commands: Iterable[tuple[str, Command]]) -> str:
    """Return the help of the program, which lists the commands."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Put an empty tmpfs, or a folder that stays, over each Python venv of a workspace in its "
        "container, so that host and container each keep a working venv over one source tree.",
        epilog="examples:\n  cd ~/src/app && paude-venv-hook\n  paude-venv-hook status\n\n"
        "Each command has its own --help. Without a command, `run` is meant.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="store_true", help="show program's version number and exit")
    subparsers = parser.add_subparsers(metavar="COMMAND")
    for name, command in sorted(commands, key=lambda item: item[1].POSITION):
        subparsers.add_parser(name, help=command.SUMMARY)
    return parser.format_help()
