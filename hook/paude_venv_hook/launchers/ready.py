"""Make a launch ready: the mount points of its shadows are made here, for every way in."""

from __future__ import annotations

from contextlib import contextmanager

from paude_venv_hook.decision import notes_on_made
from paude_venv_hook.files import mount_points

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from paude_venv_hook.decision import Answer
    from paude_venv_hook.notes import Note


@contextmanager
def made_ready(answers: Iterable[Answer]) -> Iterator[list[Note]]:
    """Make the mount points that the answers need, and yield notes on them.

    If the block fails, those that were made are removed again. Raises WorkspaceError.
    """
    answers = list(answers)
    with mount_points(shadow.host_path for answer in answers for shadow in answer.plan.shadows) as new:
        yield [note for answer in answers for note in notes_on_made(answer, new)]
