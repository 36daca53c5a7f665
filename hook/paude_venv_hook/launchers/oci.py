"""Podman's precreate hook: the OCI config of a container, with a mount added over each venv of a bound workspace.

Podman hands the hook the config on stdin and starts the container with what it reads from the hook's stdout, so that
an unchanged `podman run` is shadowed (oci-hooks(5)). A hook that fails stops the container: whatever goes wrong here,
the config goes back as it came. Podman gives the hook no environment but the hook file's, and drops its stderr.
"""

from __future__ import annotations

import json
import os
import re

from paude_venv_hook.engines import selinux
from paude_venv_hook.engines.mounts import Mount, container_path, is_shared
from paude_venv_hook.errors import EngineError, HookError
from paude_venv_hook.files import mount_points
from paude_venv_hook.pipeline import prepare
from paude_venv_hook.text import did_you_mean, shown
from paude_venv_hook.values import get_list, get_object, get_text
from paude_venv_hook.workspace.location import Location, opted_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from paude_venv_hook.pipeline import Prepared
    from paude_venv_hook.plan import Shadow

# The annotation of a container. `auto`: each directory that it binds is a workspace, whether or not it opted in.
# `none`: none of them is.
ANNOTATION = "paude.venv"
_ANNOTATION_VALUES = ("auto", "none")

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
        raise EngineError("stdin holds no OCI config; let Podman start this, see install-podman-hook --help")
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
    annotation, warnings = _read_annotation(config)
    mounts = get_list(config, "mounts")
    result: list[Any] = []
    found: list[Prepared] = []
    for mount in mounts:
        result.append(mount)
        if annotation == "none" or not _binds_directory(mount):
            continue
        source = os.path.realpath(mount["source"])
        if opted_in(source):
            venv = None  # what its settings say
        elif annotation == "auto":
            venv = annotation  # the user's own list of directories is for workspaces, not for every folder
        else:
            continue
        others = [other for other in mounts if other is not mount]
        mounted = {container_path(get_text(other, "destination")): get_text(other, "type") for other in others}
        bind = Mount("bind", source, container_path(mount["destination"]), is_shared(_options(mount)))
        location = Location((bind,), "the OCI config", mounted)
        prepared = prepare(source, environ, location=location, engine="podman", venv=venv)
        result += [_mount(shadow, prepared.settings.tmpfs.size) for shadow in prepared.plan.shadows]
        found.append(prepared)
        warnings += prepared.messages()
    return {**config, "mounts": result}, found, warnings


def _read_annotation(config: Mapping[str, Any]) -> tuple[str | None, list[str]]:
    annotations = get_object(config, "annotations")
    value = get_text(annotations, ANNOTATION)
    if ANNOTATION not in annotations:
        return None, []
    if value in _ANNOTATION_VALUES:
        return value, []
    hint = did_you_mean(value, _ANNOTATION_VALUES)
    return None, [f'annotation {ANNOTATION}: "{shown(value)}" is not known{hint}; use auto or none']


def _binds_directory(mount: Any) -> bool:
    """Tell whether the mount is a bind of a host directory. Podman binds its named volumes too, which are none."""
    source = get_text(mount, "source")
    is_bind = get_text(mount, "type") == "bind" or not _options(mount).isdisjoint(("bind", "rbind"))
    is_whole = os.path.isabs(source) and get_text(mount, "destination").startswith("/")
    return is_bind and is_whole and os.path.isdir(source) and not _NAMED_VOLUME.search(source)


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
