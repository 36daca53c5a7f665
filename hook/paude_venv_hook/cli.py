"""The command line: chooses the command; its module in `commands` does the rest."""

from __future__ import annotations

import os
import sys

from paude_venv_hook import __version__, commands
from paude_venv_hook.command_line.options import plain_options
from paude_venv_hook.errors import UsageError
from paude_venv_hook.terminal import PROGRAM, guarded, write
from paude_venv_hook.text import did_you_mean, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from paude_venv_hook.command_line.options import Command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, 1 (an error), 2 (usage), 3 (a bug of ours), 130 (^C).

    `exec` returns the code of an engine that could not be started (125, 126, 127), and otherwise does not return.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    return guarded(lambda: _dispatch(words))


def _dispatch(words: Sequence[str]) -> int:
    first = words[0] if words else "run"
    if first in ("-h", "--help"):
        write(_program_help())
        return 0
    if first in ("-V", "--version"):
        write(f"{PROGRAM} {__version__}\n")
        return 0
    if first.startswith("-"):
        return _run_command("run", words, is_named=False)
    return _run_command(first, words[1:], is_named=True)


def _program_help() -> str:
    from paude_venv_hook.command_line.parser import program_parser  # noqa: PLC0415 - argparse is slow to load

    commands = [(name, load(name)) for name in command_names()]
    return program_parser(commands).format_help()


def _run_command(name: str, words: Sequence[str], *, is_named: bool) -> int:
    """Run a command and return its exit code; `is_named` is false if `run` is meant because no command is named."""
    command = load(name)
    options = plain_options(command, words)
    if options is not None:
        return command.execute(options)
    if name == "exec" and words[:1] == ["--"]:  # the words of the program are its own
        options = command.Options()
        options.words = words
        return command.execute(options)
    from paude_venv_hook.command_line.parser import parse  # noqa: PLC0415 - argparse is slow to load

    other_commands = () if is_named else command_names()
    try:
        options = parse(name, command, words, other_commands)
    except SystemExit:  # --help was printed
        write("")
        return 0
    return command.execute(options)


def load(name: str) -> Command:
    """Return the module of the command called `name`. Raises UsageError if there is none."""
    names = command_names()
    if name not in names:
        if os.path.isdir(name):
            raise UsageError(
                f'"{shown(name)}" is a folder and no command; write {PROGRAM} --workspace-folder {shown(name)}'
            )
        raise UsageError(f'"{shown(name)}" is no command{did_you_mean(name, names)}; see {PROGRAM} --help')
    # As importlib does it, which takes time to load.
    command: Command = __import__(f"{commands.__name__}.{name.replace('-', '_')}", fromlist=["execute"])
    return command


def command_names() -> list[str]:
    """Return the names of all commands: those of the modules in `commands`."""
    files = os.listdir(commands.__path__[0])
    return sorted(file[:-3].replace("_", "-") for file in files if file.endswith(".py") and file[0] != "_")
