"""What the helpers of the proxy do: they plan a container that is created, and look at one that starts again."""

from __future__ import annotations

from urllib.parse import parse_qs, quote

from paude_venv_hook.docker_api.sockets import engine_at
from paude_venv_hook.errors import HookError, OverlayError, WorkspaceError
from paude_venv_hook.launchers.last_launch import record, record_error
from paude_venv_hook.launchers.ready import made_ready
from paude_venv_hook.notes import nothing, unique_words
from paude_venv_hook.proxy.api import add_shadows, find_missing
from paude_venv_hook.terminal import bug, complain, tell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from paude_venv_hook.notes import Note
    from paude_venv_hook.proxy.setup import Setup


def plan_create(data: bytes, target: bytes, setup: Setup) -> tuple[int, bytes, list[str], str]:
    """Return 0, the body with the shadows added, lines for the client, and the daemon's engine.

    Or the status of a refusal, b"", and why. `target` is that of the call. Makes the mount points and stores that are
    missing, and says on stderr what a person should know.
    """
    query = parse_qs(target.decode("latin-1").partition("?")[2])
    platform = query.get("platform", [""])[-1]
    setup = _with_engine(setup)
    try:
        changed, notes = _shadow(data, platform, setup)
    except HookError as error:
        record_error(error, _through(setup))
        complain(f"error[{error.code}]: {error}")
        return 400, b"", [str(error)], setup.engine
    except Exception as error:  # noqa: BLE001 - the client should know of our bug too
        complain(bug(error))
        return 500, b"", [bug(error)], setup.engine
    tell(notes)
    return 0, changed, unique_words(notes), setup.engine


def look_at_start(container: str, setup: Setup) -> tuple[str]:
    """Return the daemon's engine. Says on stderr what a container that starts again, named by a call, lacks.

    The answer to that call has no place for it, so that it is also kept for `status`.
    """
    setup = _with_engine(setup)
    try:
        about = setup.ask(f"/containers/{quote(container, safe='')}/json")
        decision, notes = find_missing(about, setup)
    except (HookError, OSError):  # it was made so, or is none
        return (setup.engine,)
    except Exception as error:  # noqa: BLE001 - our bug keeps no container from its start
        complain(bug(error))
        return (setup.engine,)
    if notes:
        tell(notes)
        answers = tuple(answer._replace(plan=answer.plan._replace(shadows=())) for answer in decision.answers)
        record(decision._replace(answers=answers, notes=tuple(notes)), _through(setup))
    return (setup.engine,)


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


def _shadow(data: bytes, platform: str, setup: Setup) -> tuple[bytes, list[Note]]:
    try:
        changed, decision = add_shadows(data, platform, setup)
        with made_ready(decision.answers) as notes_on_made:
            decision = decision._replace(notes=(*decision.notes, *notes_on_made))
    except (OverlayError, WorkspaceError) as error:  # no fault of the settings: it works without us
        return data, [nothing(str(error))]
    record(decision, _through(setup))
    return changed, list(decision.notes)


def _through(setup: Setup) -> str:
    return "the proxy" if setup.asked_in is None else "exec"
