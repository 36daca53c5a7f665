"""What a wheel holds beside the package: the completion scripts and the manual page, made of the parser of `--help`.

They lie in `share/`, where shells, `man`, pipx and the packages of a distribution look for them; what looks nowhere
(uv, pip in a venv) has `completion`, which prints them. They are made when the wheel is built and not when they are
asked for, so that nobody needs shtab who installs it, and no launch loads anything for them.
"""

from __future__ import annotations

import argparse
import re

import shtab

import man_page
from paude_venv_hook import __version__, cli
from paude_venv_hook.command_line.parser import program_parser
from paude_venv_hook.commands.completion import SCRIPTS
from paude_venv_hook.terminal import PROGRAM

MANUAL = f"share/man/man1/{PROGRAM}.1"
_BY_METAVAR: dict[str, object] = {"DIR": shtab.DIRECTORY, "FILE": shtab.FILE}
_PROGRAM = {
    "bash": "_paude_venv_hook_programs",
    "zsh": "_command_names -e",
    "fish": "(__fish_complete_command)",
    "preamble": {"bash": '_paude_venv_hook_programs() {\n  compgen -c -- "$1"\n}'},
}


def shared_files(title: str, changelog: str) -> dict[str, str]:
    """Return the text of each file, by its place below the prefix of an installation.

    The title says in one line what the program is for; `changelog` is a host path.
    """
    parser = program_parser((name, cli.load(name)) for name in cli.command_names())
    files = {MANUAL: man_page.render(parser, title, __version__, _release_date(changelog))}
    for names, keywords in cli.load("run").ARGUMENTS:  # which is meant without a command
        parser.add_argument(*names, **keywords)
    for each in (parser, *man_page.commands_of(parser).values()):
        for action in man_page.actions_of(each):
            _say_what_completes(action)
    return files | {place: shtab.complete(parser, shell) for shell, place in SCRIPTS.items()}


def _say_what_completes(action: argparse.Action) -> None:
    """Give an argument what shtab looks for: its metavar tells (`FILE`, `memory|disk`)."""
    metavar = str(action.metavar)
    words = [word for word in metavar.split("|") if word.islower()]
    complete = _PROGRAM if action.nargs == argparse.REMAINDER else _BY_METAVAR.get(metavar)
    if complete:
        vars(action)["complete"] = complete
    elif words and "|" in metavar:
        action.choices = words


def _release_date(changelog: str) -> str:
    """Return the day of this version's release, "" if it was not released yet."""
    with open(changelog, encoding="utf-8") as file:
        return "".join(re.findall(rf"^## \[{re.escape(__version__)}\] - ([0-9-]+)$", file.read(), re.MULTILINE))
