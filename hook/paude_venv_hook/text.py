"""Words for people: names made safe to print, a guess at what was meant, and a line on stderr."""

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
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def complaint(stderr: str) -> str:
    """Return what a program complains of, for one line of ours: its last line, as far as that is no story."""
    line = shown((stderr.strip().splitlines() or ["no reason given"])[-1])
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ` (did you mean "…"?)` for the known word nearest to `word`, or nothing where none is near."""
    import difflib  # noqa: PLC0415 - only needed on the way to a message

    near = difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.7)
    return f' (did you mean "{near[0]}"?)' if near else ""


def say(line: str) -> None:
    """Write a line to stderr, or nowhere: that nobody can be told (a full disk, a closed terminal) stops no launch."""
    if sys.stderr:  # None where it was closed
        try:
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()
        except (OSError, ValueError):
            sys.stderr = None  # Python would try again at its end, and make that the exit code
