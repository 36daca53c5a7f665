"""The stores of a launch are made here, for every way in, before it says what it mounts.

One that cannot be used is no reason not to start: the launch has memory then, and a note says why.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cache

from paude_venv_hook.decision import Decision, arguments_for, fall_back, plan_for, with_purposes
from paude_venv_hook.engines.choice import is_rootless
from paude_venv_hook.engines.programs import find_program
from paude_venv_hook.engines.table import ENGINES
from paude_venv_hook.errors import EngineError, StoreError, WorkspaceError
from paude_venv_hook.records import NamedTuple
from paude_venv_hook.storage import has_stores, is_by_tools

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from paude_venv_hook.decision import Answer
    from paude_venv_hook.stores.daemons import Daemon
    from paude_venv_hook.stores.listing import Containers
    from paude_venv_hook.stores.purpose import Purpose


class Asking(NamedTuple):
    """How an engine is asked for what matters to stores: all its containers, and its daemon, each once at most.

    `containers` raises StoreError if the engine does not answer.
    """

    containers: Callable[[], Containers]
    daemon: Callable[[], Daemon]


def asking(engine: str, environ: Mapping[str, str], command: Sequence[str] = ()) -> Asking:
    """Return how an engine is asked by its program; `command` is that of `ask_containers`."""

    def containers() -> Containers:
        from paude_venv_hook.stores.listing import ask_containers  # noqa: PLC0415 - for dev containers alone

        return ask_containers(engine, environ, rootless=is_rootless(engine), command=command)

    def daemon() -> Daemon:
        from paude_venv_hook.engines.daemons import global_options  # noqa: PLC0415 - for dev containers alone
        from paude_venv_hook.stores.daemons import find_daemon  # noqa: PLC0415 - as above

        words = command or [find_program(engine, environ) or engine]
        return find_daemon(engine, words[0], global_options(words[1:]), environ)

    return Asking(cache(containers), cache(daemon))


def settle(decision: Decision, ask: Asking, *, why_not: str = "") -> Decision:
    """Return a decision with its stores made, and in memory where they cannot be used.

    `ask` is how the launch's engine is asked; `why_not` is why this way in can use no store, "" if it can.
    """
    answers = [settle_answer(answer, ask, why_not=why_not) for answer in decision.answers]
    notes = [note for answer in answers for note in answer.notes]
    return Decision(tuple(answers), tuple(dict.fromkeys([*decision.notes, *notes])))


def settle_answer(answer: Answer, ask: Asking, *, is_ahead: bool = False, why_not: str = "") -> Answer:
    """Return the answer for one workspace with its stores made, and in memory if they cannot be used.

    If `is_ahead`, the container that has them may be there still, and be started again. See `settle`.
    """
    if not answer.purposes:
        _remove_left_stores(answer, ask)
        return answer
    why_not = why_not or ask.daemon().elsewhere
    if why_not:
        return fall_back(answer, why_not)
    try:
        purposes = tuple(_make_stores(answer, ask, is_ahead=is_ahead))
        settled = with_purposes(answer, purposes)
    except (StoreError, WorkspaceError) as error:
        return fall_back(answer, str(error))
    _remove_left_stores(settled, ask)
    return settled


def _make_stores(answer: Answer, ask: Asking, *, is_ahead: bool) -> Iterator[Purpose]:
    """Make the store for each shadow, and yield what each is for. Raises StoreError."""
    if not answer.storage.is_own:
        _make_kept_stores(answer, answer.purposes, ask.daemon().identity)
        yield from answer.purposes
        return
    from paude_venv_hook.stores.lifetime import Users, make_own_store  # noqa: PLC0415 - as above

    users = Users(ask.containers)
    for purpose in answer.purposes:
        yield make_own_store(purpose, users, ask.daemon().identity, answer.storage.why, is_ahead=is_ahead)


def _make_kept_stores(answer: Answer, purposes: Iterable[Purpose], daemon: str = "") -> None:
    from paude_venv_hook.stores.folder import make_store  # noqa: PLC0415 - not for venvs in memory

    for purpose in purposes:
        make_store(purpose, daemon, answer.storage.why)


def _remove_left_stores(answer: Answer, ask: Asking) -> None:
    """Remove the stores of a workspace whose dev container is gone, if its tools start one now."""
    if not is_by_tools(answer.launch.labels) or not has_stores():
        return
    from paude_venv_hook.stores.lifetime import Users, remove_left_stores  # noqa: PLC0415 - as above
    from paude_venv_hook.stores.purpose import store_name  # noqa: PLC0415 - as above

    with suppress(StoreError):
        remove_left_stores(
            [shadow.host_path for shadow in answer.every_shadow],
            answer.engine,
            rootless=is_rootless(answer.engine),
            kept=[store_name(purpose) for purpose in answer.purposes],
            users=Users(ask.containers),
        )


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
    try:
        for engine in ENGINES:
            with suppress(EngineError):
                arguments_for(settled, engine, environ)  # which says whether it has any
                _make_kept_stores(settled, plan_for(settled, engine, environ)[1])
    except StoreError as error:
        return fall_back(settled, str(error))
    return settled
