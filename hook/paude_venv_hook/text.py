"""Text for people: names that are safe to print, the known word nearest to a wrong one, a line on stderr."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST = 80


def shown(name: str) -> str:
    """Return `name` as one printable line: control characters, lone surrogates and the like become escapes."""
    if name.isprintable():
        return name
    return "".join(map(_printable, name))


def _printable(character: str) -> str:
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode()


def last_line(stderr: str) -> str:
    """Return the last line of a program's stderr, shortened to fit into one line of ours."""
    lines = stderr.strip().splitlines() or ["no reason given"]
    line = shown(lines[-1])
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ` (did you mean "…"?)` for the known word nearest to `word`, "" if none is near."""
    import difflib  # noqa: PLC0415 - only for an error

    near = difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.7)
    return f' (did you mean "{near[0]}"?)' if near else ""


def print_line(line: str) -> None:
    """Print a line on stderr; if that fails (a full disk, a closed terminal) the launch goes on."""
    if sys.stderr:  # None if it was closed
        try:
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()
        except (OSError, ValueError):
            sys.stderr = None  # else Python tries again when it exits, and fails
