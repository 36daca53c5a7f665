"""Podman's precreate hook: the OCI config of a container, with a mount added over each venv of a bound workspace.

Podman hands the hook the config on stdin and starts the container with what it reads from the hook's stdout, so that
an unchanged `podman run` is shadowed (oci-hooks(5)). A hook that fails stops the container: whatever goes wrong here,
the config goes back as it came. Podman gives the hook no environment but the hook file's, and drops its stderr.
"""

from __future__ import annotations

import json
import re

from paude_venv_hook.engines import selinux
from paude_venv_hook.engines.mounts import Mount, container_path, is_shared
from paude_venv_hook.errors import EngineError, HookError
from paude_venv_hook.files import mount_points
from paude_venv_hook.json_values import get_list, get_object, get_text
from paude_venv_hook.launchers.bound import prepare_binds, read_switch
from paude_venv_hook.text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from paude_venv_hook.pipeline import Prepared
    from paude_venv_hook.plan import Shadow

_NAMED_VOLUME = re.compile(r"/volumes/[^/]+/_data")


def filter_config(data: bytes, environ: Mapping[str, str]) -> tuple[bytes, list[str]]:
    """Return the OCI config with the shadows added, and what a person should know, one line each.

    Makes the mount points and the stores that are missing. Never fails: on any trouble, and where there is nothing to
    add, the config comes back byte for byte.
    """
    try:
        config, found, warnings = add_shadows(_parse(data), environ)
        shadows = [shadow for prepared in found for shadow in prepared.plan.shadows]
        with mount_points(shadow.host_path for shadow in shadows):
            for prepared in found:
                prepared.make_stores()
            return _dump(config) if shadows else data, warnings
    except HookError as error:
        return data, [f"nothing shadowed: {error}"]
    except Exception as error:  # noqa: BLE001 - our bug must not stop every container of the user
        return data, [f"nothing shadowed: bug: {type(error).__name__}: {shown(str(error))}; please report it"]


def _parse(data: bytes) -> dict[str, Any]:
    try:
        config = json.loads(data)
    except (ValueError, RecursionError):
        config = None
    if not isinstance(config, dict):
        raise EngineError("stdin holds no OCI config; let Podman start this, see install --help")
    return config


def _dump(config: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(config, allow_nan=False).encode()
    except ValueError:
        raise EngineError("the OCI config holds a number that JSON cannot write; remove it") from None


def add_shadows(config: dict[str, Any], environ: Mapping[str, str]) -> tuple[dict[str, Any], list[Prepared], list[str]]:
    """Return the OCI config with a mount over each directory to shadow, the workspaces, and warnings. Writes nothing.

    Each mount follows the bind that carries its workspace, so that what is mounted further down comes on top of it.
    Raises HookError for a workspace whose settings are wrong.
    """
    switch, warnings = read_switch(get_object(config, "annotations"), "annotation")
    mounts = get_list(config, "mounts")
    found = prepare_binds([*map(_read_mount, mounts)], switch, environ, engine="podman", why="the OCI config")
    result: list[Any] = []
    for index, mount in enumerate(mounts):
        result.append(mount)
        if index in found:
            size = found[index].settings.tmpfs.size
            result += [_mount(shadow, size) for shadow in found[index].plan.shadows]
            warnings += found[index].messages()
    return {**config, "mounts": result}, list(found.values()), warnings


def _read_mount(mount: Any) -> Mount:
    """Return a mount of the config. Podman binds its named volumes too: those are no folders of the user."""
    source = get_text(mount, "source")
    is_bind = get_text(mount, "type") == "bind" or not _options(mount).isdisjoint(("bind", "rbind"))
    kind = "volume" if _NAMED_VOLUME.search(source) else "bind" if is_bind else get_text(mount, "type")
    return Mount(kind, source, container_path(get_text(mount, "destination")), is_shared(_options(mount)))


def _options(mount: Any) -> set[str]:
    return {option for option in get_list(mount, "options") if isinstance(option, str)}


def _mount(shadow: Shadow, size: str | None) -> dict[str, Any]:
    if shadow.store:
        if selinux.is_on():
            raise EngineError(
                "a hook cannot label a store for SELinux, which keeps containers out; use storage in memory"
            )
        options = ["rbind", "rw", "nosuid", "nodev", "rprivate"]
        return {"destination": shadow.destination, "type": "bind", "source": shadow.store, "options": options}
    # noexec and copy-up are defaults of the engines above, not of a runtime.
    options = ["rw", "nosuid", "nodev", "mode=1777", *([f"size={size}"] if size else [])]
    return {"destination": shadow.destination, "type": "tmpfs", "source": "tmpfs", "options": options}
