"""What a helper of the proxy does: the body of a call that creates a container gets the shadows."""

from __future__ import annotations

import os
from urllib.parse import parse_qs

from paude_venv_hook.docker_api.sockets import ask_docker
from paude_venv_hook.errors import HookError, OverlayError, WorkspaceError
from paude_venv_hook.files import mount_points
from paude_venv_hook.proxy.api import add_shadows
from paude_venv_hook.terminal import bug, complain, warn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def plan_create(data: bytes, target: bytes, upstream: str, environ: Mapping[str, str]) -> tuple[int, bytes, list[str]]:
    """Return 0, the body with the shadows added, and lines for the client; or the status of a refusal, b"", and why.

    `target` is that of the call, `upstream` the host path of the daemon's socket. Makes the mount points and stores
    that are missing, and says on stderr what a person should know.
    """
    query = parse_qs(target.decode("latin-1").partition("?")[2])
    platform = query.get("platform", [""])[-1]
    try:
        changed, warnings = _shadow(data, platform, upstream, environ)
    except HookError as error:
        complain(f"error[{error.code}]: {error}")
        return 400, b"", [str(error)]
    except Exception as error:  # noqa: BLE001 - the client should know of our bug too
        complain(bug(error))
        return 500, b"", [bug(error)]
    warn(warnings)
    return 0, changed, warnings


def _shadow(data: bytes, platform: str, upstream: str, environ: Mapping[str, str]) -> tuple[bytes, list[str]]:
    try:
        changed, found, warnings = add_shadows(data, platform, environ, lambda target: ask_docker(upstream, target))
        paths = (shadow.host_path for item in found for shadow in item.plan.shadows)
        missing = [path for path in paths if not os.path.isdir(path)]
        with mount_points(missing) as made:
            for item in found:
                item.make_stores()
        return changed, list(dict.fromkeys([*warnings, *(line for item in found for line in item.made(made))]))
    except (OverlayError, WorkspaceError) as error:  # no fault of the settings: it works without us
        return data, [f"nothing shadowed: {error}"]
