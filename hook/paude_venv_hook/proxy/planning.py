"""The work of the proxy's helpers: plan a container that is created, and check one that starts again."""

from __future__ import annotations

from urllib.parse import parse_qs, quote

from paude_venv_hook.decision import Decision
from paude_venv_hook.docker_api.sockets import engine_at
from paude_venv_hook.errors import HookError, OverlayError, WorkspaceError
from paude_venv_hook.launchers.last_launch import record, record_error
from paude_venv_hook.launchers.ready import made_ready
from paude_venv_hook.notes import note_on_nothing, unique_words
from paude_venv_hook.proxy.api import add_shadows, find_missing
from paude_venv_hook.terminal import SHADOWS, WARNINGS, bug, line_on_shadows, lines_of_notes, say, say_notes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from paude_venv_hook.notes import Note
    from paude_venv_hook.proxy.setup import Setup

    # Keeps what came of a launch, which takes a disk its time: the client does not wait for that.
    Finish = Callable[[], None]


def plan_create(data: bytes, target: bytes, setup: Setup) -> tuple[tuple[int, bytes, list[str], str], Finish]:
    """Return 0, the body with the shadows added, lines, and the daemon's engine; and what keeps them.

    Or the status of a refusal, b"", and why. `target` is that of the call. Makes the mount points and stores that are
    missing. The lines are for the person who asked for the proxy. If nobody did, they are for the client, and stderr
    has what a person should know.
    """
    query = parse_qs(target.decode("latin-1").partition("?")[2])
    platform = query.get("platform", [""])[-1]
    setup = _with_engine(setup)
    try:
        changed, decision = _shadow(data, platform, setup)
    except HookError as error:
        wrong = error
        if setup.asked_in is None:
            say(f"error[{error.code}]: {error}")
        return (400, b"", [str(error)], setup.engine), lambda: record_error(wrong, _through(setup))
    except Exception as error:  # noqa: BLE001 - the client should know of our bug too
        say(bug(error))
        return (500, b"", [bug(error)], setup.engine), nothing_more
    result = (0, changed, _lines(decision, setup), setup.engine)
    return result, lambda: record(decision, _through(setup))


def _lines(decision: Decision, setup: Setup) -> list[str]:
    if setup.asked_in is None:
        say_notes(decision.notes)
        return unique_words(decision.notes)
    shadowing = line_on_shadows(decision.shadows) if setup.verbosity >= SHADOWS else []
    return [*lines_for_person(decision.notes, setup), *shadowing]


def lines_for_person(notes: Iterable[Note], setup: Setup) -> list[str]:
    """Return the lines on notes for the person who asked for a proxy, by that person's verbosity."""
    return lines_of_notes(notes) if setup.verbosity >= WARNINGS else []


def look_at_start(container: str, setup: Setup) -> tuple[tuple[str, list[str]], Finish]:
    """Return the daemon's engine, and lines for the person who asked: what a container lacks that starts again.

    If nobody asked, stderr has it. The answer to the call has no place for it: it is also kept for `status`.
    """
    setup = _with_engine(setup)
    silence: list[str] = []
    try:
        about = setup.ask(f"/containers/{quote(container, safe='')}/json")
        decision, notes = find_missing(about, setup)
    except (HookError, OSError):  # it was made so, or is none
        return (setup.engine, silence), nothing_more
    except Exception as error:  # noqa: BLE001 - our bug keeps no container from its start
        say(bug(error))
        return (setup.engine, silence), nothing_more
    if not notes:
        return (setup.engine, silence), nothing_more
    if setup.asked_in is None:
        say_notes(notes)
    answers = tuple(answer._replace(plan=answer.plan._replace(shadows=())) for answer in decision.answers)
    lacking = decision._replace(answers=answers, notes=tuple(notes))
    return (setup.engine, lines_for_person(notes, setup)), lambda: record(lacking, _through(setup))


def nothing_more() -> None:
    """Keep nothing of a launch."""


def _with_engine(setup: Setup) -> Setup:
    """Return the setup with the engine of its daemon, which is asked once; without one if it is not there."""
    if setup.engine:
        return setup
    try:
        return setup._replace(engine=engine_at(setup.upstream))
    except TimeoutError:  # it is not asked again: each container would wait
        return setup._replace(engine="docker")
    except OSError:
        return setup


def _shadow(data: bytes, platform: str, setup: Setup) -> tuple[bytes, Decision]:
    try:
        changed, decision = add_shadows(data, platform, setup)
        with made_ready(decision.answers) as notes_on_made:
            return changed, decision._replace(notes=(*decision.notes, *notes_on_made))
    except (OverlayError, WorkspaceError) as error:  # no fault of the settings: it works without us
        return data, Decision((), (note_on_nothing(str(error)),))


def _through(setup: Setup) -> str:
    return "the proxy" if setup.asked_in is None else "exec"
