"""What a helper of the proxy does: the body of a call that creates a container gets the shadows."""

from __future__ import annotations

from urllib.parse import parse_qs

from paude_venv_hook.docker_api.sockets import ask_docker
from paude_venv_hook.errors import HookError, OverlayError, WorkspaceError
from paude_venv_hook.launchers.last_launch import record, record_error
from paude_venv_hook.launchers.ready import made_ready
from paude_venv_hook.notes import nothing, unique_words
from paude_venv_hook.proxy.api import add_shadows
from paude_venv_hook.terminal import bug, complain, tell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from paude_venv_hook.notes import Note

_THROUGH = "the proxy"


def plan_create(data: bytes, target: bytes, upstream: str, environ: Mapping[str, str]) -> tuple[int, bytes, list[str]]:
    """Return 0, the body with the shadows added, and lines for the client; or the status of a refusal, b"", and why.

    `target` is that of the call, `upstream` the host path of the daemon's socket. Makes the mount points and stores
    that are missing, and says on stderr what a person should know.
    """
    query = parse_qs(target.decode("latin-1").partition("?")[2])
    platform = query.get("platform", [""])[-1]
    try:
        changed, notes = _shadow(data, platform, upstream, environ)
    except HookError as error:
        record_error(error, _THROUGH)
        complain(f"error[{error.code}]: {error}")
        return 400, b"", [str(error)]
    except Exception as error:  # noqa: BLE001 - the client should know of our bug too
        complain(bug(error))
        return 500, b"", [bug(error)]
    tell(notes)
    return 0, changed, unique_words(notes)


def _shadow(data: bytes, platform: str, upstream: str, environ: Mapping[str, str]) -> tuple[bytes, list[Note]]:
    try:
        changed, decision = add_shadows(data, platform, environ, lambda target: ask_docker(upstream, target))
        with made_ready(decision.answers) as notes_on_made:
            decision = decision._replace(notes=(*decision.notes, *notes_on_made))
    except (OverlayError, WorkspaceError) as error:  # no fault of the settings: it works without us
        return data, [nothing(str(error))]
    record(decision, _THROUGH)
    return changed, list(decision.notes)
