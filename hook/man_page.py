"""The manual page: what `--help` says of each command, and what holds for all of them. Only the build needs it."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Iterator, Mapping

EXIT_CODES = {
    "0": "It is done.",
    "1": "Something is wrong that you can correct: one line on stderr says what, and what to do.",
    "2": "The command line is wrong.",
    "3": "A bug of this program.",
    "125": "From exec and the wrappers paude-venv-docker, paude-venv-podman, paude-venv-docker-compose and "
    "paude-venv-podman-compose: the settings are wrong, and nothing was started. Otherwise the exit code is that of "
    "the program that they start.",
    "126, 127": "From the same: that program cannot be started, or is not there.",
    "129, 130, 143": "Ended by SIGHUP, ^C or SIGTERM.",
    "141": "Nobody reads what is printed.",
}
ENVIRONMENT = {
    "PAUDE_VENV": "What is shadowed, as --venv says it.",
    "PAUDE_VENV_STORAGE": "memory or disk, as --storage says it.",
    "PAUDE_VENV_ENGINE": "auto, docker, podman or another engine, as --engine says it.",
    "PAUDE_VENV_DOCKER, PAUDE_VENV_PODMAN, PAUDE_VENV_DOCKER_COMPOSE, PAUDE_VENV_PODMAN_COMPOSE": "The program that "
    "the wrapper of that name starts: a name on PATH or an absolute path (default: the one on PATH).",
    "XDG_CONFIG_HOME, XDG_CACHE_HOME, XDG_DATA_HOME": "Where the folders below are, on Linux. Elsewhere they are "
    "where the system has such folders.",
    "NO_COLOR": "status is without colours.",
}
FILES = {
    "paude.json": "In the workspace folder: the settings of the project. paude-venv-hook schema paude prints what it "
    "may hold.",
    "~/.config/paude/paude.json": "Your own settings.",
    "~/.cache/paude/venv-overlays": "The overlays, one for each workspace; paude-venv-hook path prints the name.",
    "~/.local/share/paude/venvs": "The venvs of containers that stay on disk.",
}


def render(parser: argparse.ArgumentParser, title: str, version: str, date: str) -> str:
    """Return the page, in the man macros of roff, for the parser of the whole program.

    The title says in one line what it is for; the date is that of the release, or "".
    """
    lines = [
        f'.TH {_quoted(parser.prog.upper())} 1 "{date}" {_quoted(f"{parser.prog} {version}")}',
        *(".nh", ".ad l"),  # the name of an option stays whole
        *(".SH NAME", f"{_text(parser.prog)} \\- {_text(title)}"),
        *(".SH SYNOPSIS", *_usage(parser)),
        *(".SH DESCRIPTION", _text((parser.description or "").replace("\n", " "))),
        *_paragraphs(parser.epilog or ""),
        *(".SH OPTIONS", *_actions(parser)),
        ".SH COMMANDS",
    ]
    for name, command in commands_of(parser).items():
        lines += [f".SS {_quoted(name)}", _text(command.description or ""), ".PP", *_usage(command)]
        lines += [*_actions(command), *_paragraphs(command.epilog or "")]
    for heading, entries in (("EXIT STATUS", EXIT_CODES), ("ENVIRONMENT", ENVIRONMENT), ("FILES", FILES)):
        lines += [f".SH {_quoted(heading)}", *_entries(entries)]
    return "\n".join(lines) + "\n"


def commands_of(parser: argparse.ArgumentParser) -> Mapping[str, argparse.ArgumentParser]:
    """Return the parser of each command."""
    return next(action.choices for action in actions_of(parser) if isinstance(action, argparse._SubParsersAction))  # noqa: SLF001


def actions_of(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Return the arguments of a parser."""
    return parser._actions  # noqa: SLF001 - argparse has no public list of what was added


def _usage(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield the usage line, which is broken between its arguments only."""
    vars(parser)["color"] = False  # which Python 3.14 would use if it is asked for
    words = parser.format_usage().removeprefix("usage: ").removeprefix(parser.prog).split()
    yield f".B {_text(parser.prog)}"
    yield _text(" ".join(words))


def _actions(parser: argparse.ArgumentParser) -> Iterator[str]:
    formatter = parser._get_formatter()  # noqa: SLF001 - choices are shown as --help shows them
    for action in actions_of(parser):
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - a section of their own
            continue
        metavar = formatter._metavar_formatter(action, action.dest.upper())(1)[0]  # noqa: SLF001 - the same
        names = ", ".join(action.option_strings) or metavar
        value = f" \\fI{_text(metavar)}\\fR" if action.option_strings and action.nargs != 0 else ""
        yield from _entry(names, value, formatter._expand_help(action))  # noqa: SLF001 - the same


def _entries(entries: Mapping[str, str]) -> Iterator[str]:
    for name, text in entries.items():
        yield from _entry(name, "", text)


def _entry(name: str, value: str, text: str) -> Iterable[str]:
    return ".TP", f"\\fB{_text(name)}\\fR{value}", _text(text)


def _paragraphs(text: str) -> Iterator[str]:
    """Yield text of paragraphs, of which the indented lines are examples, to be left as they are."""
    for is_example, block in _blocks(text):
        if is_example:
            yield from (".RS 4", ".nf", *(_text(line[2:]) for line in block), ".fi", ".RE")
        else:
            yield from (".PP", *(_text(line) for line in block))


def _blocks(text: str) -> Iterator[tuple[bool, list[str]]]:
    block: list[str] = []
    for line in [*text.split("\n"), ""]:
        if block and (not line or line.startswith("  ") != block[0].startswith("  ")):
            yield block[0].startswith("  "), block
            block = []
        block += [line] if line else []


def _text(line: str) -> str:
    """Return a line in which nothing is a command of roff; a minus stays one, to be copied."""
    line = line.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    line = line.replace("^", "\\(ha").replace("~", "\\(ti").replace('"', "\\(dq")
    line = re.sub(r"[^\x00-\x7f]", lambda match: f"\\[u{ord(match.group()):04X}]", line)
    return f"\\&{line}" if line.startswith(".") else line


def _quoted(argument: str) -> str:
    return f'"{_text(argument)}"'
