"""What only an engine knows of a container's mounts: volumes that are binds, and what comes from other containers."""

from __future__ import annotations

from paude_venv_hook.engines.mounts import Mount, bound_device, container_path, is_shared
from paude_venv_hook.json_values import get_list, get_object, get_text
from paude_venv_hook.notes import Note, NoteKind
from paude_venv_hook.records import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any


class Questions(NamedTuple):
    """How an engine is asked: for a volume, for a container, and for a pod of Podman, by name.

    Each returns what the engine's `inspect` tells, None if it has no such thing, and raises OSError if it cannot be
    asked.
    """

    volume: Callable[[str], Any]
    container: Callable[[str], Any]
    pod: Callable[[str], Any] = lambda _: None


class Resolved(NamedTuple):
    """The mounts of a container, in which volumes that are binds have become binds, and what a person should know."""

    mounts: list[Mount]
    notes: list[Note]


def resolve(
    mounts: Iterable[Mount], volumes_from: Iterable[str], questions: Questions, pods: Iterable[str] = ()
) -> Resolved:
    """Return the mounts of a container with each volume that is a bind as that bind, and those that it takes over.

    `volumes_from` are the names of other containers, each perhaps with options after a colon, and `pods` the pod in
    which it is (podman-pod-create(1), `--volume`). What the container mounts itself goes first (docker-run(1)).
    """
    mounts_of_launch = list(mounts)
    resolved = Resolved([], [])
    for mount in mounts_of_launch:
        resolved.mounts.append(_resolve_volume(mount, questions, resolved.notes))

    taken = {mount.target for mount in mounts_of_launch}
    inherited: list[Mount] = []
    for value in volumes_from:
        inherited += _inherited(value.partition(":")[0], questions, resolved.notes)
    for pod in pods:
        inherited += _of_pod(pod, questions, resolved.notes)
    for mount in inherited:
        if mount.target not in taken:
            taken.add(mount.target)
            resolved.mounts.append(_resolve_volume(mount, questions, resolved.notes))
    return resolved


def _resolve_volume(mount: Mount, questions: Questions, notes: list[Note]) -> Mount:
    if mount.type != "volume":
        return mount
    device = mount.device
    if mount.source:  # a volume that is there keeps the options with which it was made
        volume = _ask(questions.volume, mount.source, f"the volume {mount.source}", notes)
        if volume is not None:
            device = bound_device(get_text(volume, "Driver"), get_object(volume, "Options"))
    return mount._replace(type="bind", source=device) if device else mount


def _inherited(name: str, questions: Questions, notes: list[Note]) -> list[Mount]:
    container = _ask(questions.container, name, f"--volumes-from {name}", notes)
    return [mount for mount in mounts_of_container(container) if mount.type != "tmpfs"]


def _of_pod(name: str, questions: Questions, notes: list[Note]) -> list[Mount]:
    return _mounts_in(get_list(_ask(questions.pod, name, f"--pod {name}", notes), "mounts"))


def _ask(question: Callable[[str], Any], name: str, what: str, notes: list[Note]) -> Any:
    """Return the answer of the engine; an empty one, with a note that names `what` was asked, if it gives none."""
    try:
        return question(name)
    except OSError as error:
        why = f"the engine does not tell: {error.strerror or error}"
        advice = "mount the folder itself, or see whether the engine answers"
        notes.append(Note(NoteKind.UNASKED, (what,), why, advice))
        return {}


def mounts_of_container(container: Any) -> list[Mount]:
    """Return what a container mounts, from what `inspect` tells; the source of a volume is its name."""
    return _mounts_in(get_list(container, "Mounts"))


def _mounts_in(described: Iterable[Any]) -> list[Mount]:
    mounts = []
    for mount in described:
        kind = get_text(mount, "Type")
        source = get_text(mount, "Source")
        if kind == "volume":
            source = get_text(mount, "Name")
        target = container_path(get_text(mount, "Destination"))
        mounts.append(Mount(kind, source, target, is_shared([get_text(mount, "Propagation")])))
    return mounts
