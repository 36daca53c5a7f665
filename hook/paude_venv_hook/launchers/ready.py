"""Make a launch ready: what its shadows need on the host is made here, for every way in."""

from __future__ import annotations

from contextlib import contextmanager, suppress

from paude_venv_hook.decision import arguments_for, notes_on_made, plan_for
from paude_venv_hook.engines.table import ENGINES
from paude_venv_hook.errors import EngineError
from paude_venv_hook.files import mount_points

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from paude_venv_hook.decision import Answer
    from paude_venv_hook.notes import Note
    from paude_venv_hook.stores.purpose import Purpose


@contextmanager
def made_ready(answers: Iterable[Answer]) -> Iterator[list[Note]]:
    """Make the mount points and the stores that the answers need, and yield what a person should know of them.

    If the block fails, the mount points that were made are removed again. Raises WorkspaceError for a mount point and
    StoreError for a store that cannot be made.
    """
    answers = list(answers)
    with mount_points(shadow.host_path for answer in answers for shadow in answer.plan.shadows) as made:
        for answer in answers:
            make_stores(answer.purposes)
        yield [note for answer in answers for note in notes_on_made(answer, made)]


def make_stores_of_overlay(answer: Answer, environ: Mapping[str, str]) -> None:
    """Make the stores of each engine for which an overlay has arguments. Raises StoreError."""
    if not answer.purposes:
        return
    for engine in ENGINES:
        with suppress(EngineError):
            arguments_for(answer, engine, environ)  # which says whether it has any
            make_stores(plan_for(answer, engine, environ)[1])


def make_stores(purposes: Iterable[Purpose]) -> None:
    """Make the stores that are missing. Raises StoreError."""
    for purpose in purposes:
        from paude_venv_hook.stores.folder import make_store  # noqa: PLC0415 - not for venvs in memory

        make_store(purpose)
