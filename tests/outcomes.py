"""What comes of a launch, in a form that tests compare."""

from __future__ import annotations

from typing import NamedTuple

from paude_venv_hook.decision import Answer, Decision
from paude_venv_hook.launchers.rewritten import Rewritten
from paude_venv_hook.notes import Note, unique_words


class Outcome(NamedTuple):
    """A command line with what was added, what a person is told, and why nothing was added, "" if that is no note."""

    answers: tuple[Answer, ...]
    words: list[str]
    warnings: list[str]
    nothing: str


def outcome(rewritten: Rewritten) -> Outcome:
    """Return what came of a command line."""
    decision = rewritten.decision
    nothing = reason(rewritten.why_nothing) if rewritten.why_nothing else ""
    warnings = unique_words(decision.notes)
    return Outcome(decision.answers, rewritten.words, warnings, nothing)


def reason(note: Note) -> str:
    """Return why and what to do, without the words that say what."""
    return f"{note.why}; {note.advice}" if note.advice else note.why


def destinations(decision: Decision | Outcome) -> list[str]:
    """Return the container paths that are shadowed."""
    return [shadow.destination for answer in decision.answers for shadow in answer.plan.shadows]
