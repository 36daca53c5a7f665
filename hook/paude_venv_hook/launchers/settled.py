"""Make the stores of a launch, for every way in, before it says what it mounts.

One that cannot be used is no reason not to start: the launch has memory then, and a note says why.
"""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache

from paude_venv_hook.decision import Decision, arguments_for, fall_back, plan_for, with_purposes
from paude_venv_hook.engines.choice import is_rootless
from paude_venv_hook.engines.programs import find_program
from paude_venv_hook.engines.table import ENGINES
from paude_venv_hook.errors import EngineError, StoreError, WorkspaceError
from paude_venv_hook.notes import Note, NoteKind
from paude_venv_hook.records import NamedTuple
from paude_venv_hook.storage import has_stores, is_by_tools

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from paude_venv_hook.decision import Answer
    from paude_venv_hook.stores.aged import Image
    from paude_venv_hook.stores.daemons import Daemon
    from paude_venv_hook.stores.listing import Containers
    from paude_venv_hook.stores.purpose import Purpose


class Asking(NamedTuple):
    """Questions to an engine that matter to stores: all its containers, its daemon, an image by its name.

    Each is asked once at most. `containers` raises StoreError if the engine does not answer; nothing is known of an
    image then.
    """

    containers: Callable[[], Containers]
    daemon: Callable[[], Daemon]
    image: Callable[[str], Image]


def asking(engine: str, environ: Mapping[str, str], command: Sequence[str] = ()) -> Asking:
    """Return the questions for an engine, which its program answers; `command` is that of `ask_containers`."""

    def containers() -> Containers:
        from paude_venv_hook.stores.listing import ask_containers  # noqa: PLC0415 - for dev containers alone

        return ask_containers(engine, environ, rootless=is_rootless(engine), command=command)

    def daemon() -> Daemon:
        from paude_venv_hook.engines.daemons import global_options  # noqa: PLC0415 - for dev containers alone
        from paude_venv_hook.stores.daemons import find_daemon  # noqa: PLC0415 - as above

        words = command or [find_program(engine, environ) or engine]
        return find_daemon(engine, words[0], global_options(words[1:]), environ)

    def image(name: str) -> Image:
        from paude_venv_hook.launchers.asked import describe_image  # noqa: PLC0415 - for storage on disk alone
        from paude_venv_hook.stores.aged import read_image  # noqa: PLC0415 - as above

        words = command or [find_program(engine, environ) or engine]
        return read_image(describe_image(words, environ, name))

    return Asking(cache(containers), cache(daemon), cache(image))


def settle(decision: Decision, ask: Asking, *, why_not: str = "") -> Decision:
    """Return a decision with its stores made, and in memory if they cannot be used.

    `ask` is how the launch's engine is asked; `why_not` is why this way in can use no store, "" if it can.
    """
    answers = [settle_answer(answer, ask, why_not=why_not) for answer in decision.answers]
    notes = [note for answer in answers for note in answer.notes]
    return decision._replace(answers=tuple(answers), notes=tuple(dict.fromkeys([*decision.notes, *notes])))


def settle_answer(answer: Answer, ask: Asking, *, is_ahead: bool = False, why_not: str = "") -> Answer:
    """Return the answer for one workspace with its stores made, and in memory if they cannot be used.

    If `is_ahead`, the container that has them may be there still, and be started again. See `settle`.
    """
    if not answer.purposes:
        _remove_left_stores(answer, ask)
        return answer
    why_not = why_not or ask.daemon().why_remote
    if why_not:
        return fall_back(answer, why_not)
    try:
        purposes = tuple(_make_stores(answer, ask, is_ahead=is_ahead))
        settled = with_purposes(answer, purposes)
    except (StoreError, WorkspaceError) as error:
        return fall_back(answer, str(error))
    _remove_left_stores(settled, ask)
    return settled._replace(notes=(*settled.notes, *_notes_on_aged(settled, ask)))


def _make_stores(answer: Answer, ask: Asking, *, is_ahead: bool) -> Iterator[Purpose]:
    """Make the store for each shadow, and yield what each is for. Raises StoreError."""
    if not answer.storage.is_own:
        for purpose in answer.purposes:
            _make_kept_store(answer, purpose, ask)
            yield purpose
        return
    from paude_venv_hook.stores.lifetime import Users, make_own_store  # noqa: PLC0415 - as above

    users = Users(ask.containers)
    for purpose in answer.purposes:
        yield make_own_store(purpose, users, ask.daemon().identity, answer.storage.why, is_ahead=is_ahead)


def _make_kept_store(answer: Answer, purpose: Purpose, ask: Asking) -> None:
    from paude_venv_hook.stores.folder import is_empty, make_store, store_path  # noqa: PLC0415 - not in memory

    is_new = is_empty(store_path(purpose))
    image_id = ask.image(answer.launch.image).identity if is_new and answer.launch.image else ""
    make_store(purpose, ask.daemon().identity, answer.storage.why, image_id)


def _notes_on_aged(answer: Answer, ask: Asking) -> Iterator[Note]:
    """Yield a note for each venv that stayed on disk and may not work with the image of this launch."""
    if answer.storage.is_own or not answer.launch.image:
        return
    from paude_venv_hook.stores.aged import why_aged  # noqa: PLC0415 - not in memory
    from paude_venv_hook.stores.folder import is_empty, read_record  # noqa: PLC0415 - as above

    for shadow in answer.plan.shadows:
        record = read_record(os.path.dirname(shadow.store))
        if record is None or is_empty(shadow.store):
            continue
        why = why_aged(shadow.store, record.image_id, ask.image(answer.launch.image))
        if why:
            name = os.path.basename(os.path.dirname(shadow.store))
            yield Note(NoteKind.AGED, (shadow.path,), why, f"empty it with paude-venv-hook store clean {name}")


def _remove_left_stores(answer: Answer, ask: Asking) -> None:
    """Remove the stores of a workspace whose dev container is gone, if its tools start one now."""
    if not is_by_tools(answer.launch.labels) or not has_stores():
        return
    from paude_venv_hook.stores.lifetime import Users, remove_left_stores  # noqa: PLC0415 - as above
    from paude_venv_hook.stores.purpose import store_name  # noqa: PLC0415 - as above

    host_paths = [shadow.host_path for shadow in answer.every_shadow]
    kept = [store_name(purpose) for purpose in answer.purposes]
    rootless = is_rootless(answer.engine)
    with suppress(StoreError):
        remove_left_stores(host_paths, answer.engine, rootless=rootless, kept=kept, users=Users(ask.containers))


def settle_line(answer: Answer, environ: Mapping[str, str]) -> Answer:
    """Return the answer for a line that is printed, with the stores made that it mounts."""
    return settle_answer(answer, asking(answer.engine, environ))


def settle_overlay(answer: Answer, environ: Mapping[str, str]) -> Answer:
    """Return the answer for an overlay with the stores made of each engine for which it has arguments.

    It is in memory if they cannot be used.
    """
    settled = settle_line(answer, environ)
    if not settled.purposes:
        return settled
    from paude_venv_hook.stores.folder import make_store  # noqa: PLC0415 - not in memory

    try:
        for engine in ENGINES:
            with suppress(EngineError):
                arguments_for(settled, engine, environ)  # which says whether it has any
                for purpose in plan_for(settled, engine, environ)[1]:
                    make_store(purpose, reason=settled.storage.why)
    except StoreError as error:
        return fall_back(settled, str(error))
    return settled
