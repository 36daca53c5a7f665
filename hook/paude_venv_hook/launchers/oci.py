"""Podman's precreate hook: the OCI config of a container, with a mount added over each venv of a bound workspace.

Podman hands the hook the config on stdin and starts the container with what it reads from the hook's stdout, so that
an unchanged `podman run` is shadowed (oci-hooks(5)). A hook that fails stops the container: whatever goes wrong here,
the config goes back as it came. Podman gives the hook no environment but the hook file's, and drops its stderr.
"""

from __future__ import annotations

import json
import re

from paude_venv_hook.decision import Decision, decide
from paude_venv_hook.engines import selinux
from paude_venv_hook.engines.mounts import Mount, container_path, is_shared
from paude_venv_hook.engines.programs import find_program
from paude_venv_hook.engines.volumes import Questions, resolve
from paude_venv_hook.errors import EngineError, HookError
from paude_venv_hook.files import is_inside
from paude_venv_hook.json_values import get_list, get_object, get_text, parse_json
from paude_venv_hook.launch import Launch
from paude_venv_hook.launchers.asked import questions
from paude_venv_hook.launchers.last_launch import record, record_error
from paude_venv_hook.launchers.ready import made_ready
from paude_venv_hook.launchers.settled import asking, settle
from paude_venv_hook.notes import unique_words
from paude_venv_hook.text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from paude_venv_hook.plan import Shadow

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_THROUGH = "Podman's hook"
_NAMED_VOLUME = re.compile(r"/volumes/([^/]+)/_data")


def filter_config(data: bytes, environ: Mapping[str, str]) -> tuple[bytes, list[str]]:
    """Return the OCI config with the shadows added, and lines for a person.

    Makes the mount points and the stores that are missing. Never fails: on any trouble, and if there is nothing to add,
    the config comes back byte for byte. Podman drops what a hook says, so that it is kept for `status` besides.
    """
    try:
        config = _parse(data)
        why_not = "a hook cannot label a store for SELinux, which keeps containers out" if selinux.is_on() else ""
        decision = settle(decide(_read_launch(config, environ), environ), asking("podman", environ), why_not=why_not)
        with made_ready(decision.answers) as notes_on_made:
            changed = _dump(_with_shadows(config, decision)) if decision.shadows else data
        record(decision._replace(notes=(*decision.notes, *notes_on_made)), _THROUGH)
        return changed, unique_words(decision.notes)
    except HookError as error:
        record_error(error, _THROUGH)
        return data, [f"nothing shadowed: {error}"]
    except Exception as error:  # noqa: BLE001 - our bug must not stop every container of the user
        return data, [f"nothing shadowed: bug: {type(error).__name__}: {shown(str(error))}; please report it"]


def _parse(data: bytes) -> dict[str, Any]:
    config = parse_json(data)
    if not isinstance(config, dict):
        raise EngineError("stdin holds no OCI config; let Podman start this, see install --help")
    return config


def _dump(config: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(config, allow_nan=False).encode()
    except ValueError:
        raise EngineError("the OCI config holds a number that JSON cannot write; remove it") from None


def _read_launch(config: Mapping[str, Any], environ: Mapping[str, str]) -> Launch:
    """Return the launch that an OCI config describes; Podman is asked only for volumes, never for a container."""
    annotations = get_object(config, "annotations")
    labels = {key: get_text(annotations, key) for key in annotations}
    mounts, notes = resolve(map(_read_mount, get_list(config, "mounts")), (), _questions(environ))
    return Launch(
        "podman", "the OCI config", tuple(mounts), labels, is_asked=False, has_labels=False, notes=tuple(notes)
    )


def _questions(environ: Mapping[str, str]) -> Questions:
    # A hook has no PATH of its own; Podman's `inspect` of a container would wait for the one that starts.
    podman = find_program("podman", {"PATH": environ.get("PATH") or _PATH})
    return questions(podman or "podman", (), environ)


def _with_shadows(config: Mapping[str, Any], decision: Decision) -> dict[str, Any]:
    """Return the config with a mount for each shadow, after the mounts on and above its path.

    What is mounted further down then lies on top of it.
    """
    mounts = get_list(config, "mounts")
    added: dict[int, list[Any]] = {}
    for answer in decision.answers:
        for shadow in answer.plan.shadows:
            place = _place_for(shadow.destination, mounts)
            added.setdefault(place, []).append(_mount(shadow, answer.settings.tmpfs.size))
    result = []
    for place, mount in enumerate([*mounts, None]):
        result += added.get(place, [])
        if place < len(mounts):
            result.append(mount)
    return {**config, "mounts": result}


def _place_for(destination: str, mounts: Sequence[Any]) -> int:
    """Return the index after the last of the mounts that are on a container path, or above it."""
    place = 0
    for index, mount in enumerate(mounts, start=1):
        target = container_path(get_text(mount, "destination"))
        if target and is_inside(destination, target):
            place = index
    return place


def _read_mount(mount: Any) -> Mount:
    """Return a mount of the config. Podman binds its named volumes too: those are no folders of the user."""
    source = get_text(mount, "source")
    kind = get_text(mount, "type")
    if not _options(mount).isdisjoint(("bind", "rbind")):
        kind = "bind"
    volume = _NAMED_VOLUME.search(source)
    if volume:
        kind, source = "volume", volume[1]
    return Mount(kind, source, container_path(get_text(mount, "destination")), is_shared(_options(mount)))


def _options(mount: Any) -> set[str]:
    return {option for option in get_list(mount, "options") if isinstance(option, str)}


def _mount(shadow: Shadow, size: str | None) -> dict[str, Any]:
    if shadow.store:
        options = ["rbind", "rw", "nosuid", "nodev", "rprivate"]
        return {"destination": shadow.destination, "type": "bind", "source": shadow.store, "options": options}
    # noexec and copy-up are defaults of the engines above, not of a runtime.
    options = ["rw", "nosuid", "nodev", "mode=1777", *([f"size={size}"] if size else [])]
    return {"destination": shadow.destination, "type": "tmpfs", "source": "tmpfs", "options": options}
