"""A command line that starts containers, with what is added to it."""

from __future__ import annotations

from paude_venv_hook.decision import Decision
from paude_venv_hook.notes import note_on_nothing
from paude_venv_hook.records import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from paude_venv_hook.notes import Note


NO_WORKSPACE = "no bind mount of the line carries a workspace"


class Rewritten(NamedTuple):
    """The words of a command line after the program, and the decision behind what was added.

    `why_nothing` says why there is nothing to add, None if something was, or if the notes say it.
    """

    words: list[str]
    decision: Decision
    why_nothing: Note | None = None


def unchanged(words: Sequence[str], why: str = "", advice: str = "") -> Rewritten:
    """Return a command line as it is, with a warning if there is a reason why nothing is shadowed."""
    notes = (note_on_nothing(why, advice),) if why else ()
    return Rewritten(list(words), Decision((), notes))
