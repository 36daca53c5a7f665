"""The plan: which directories are shadowed, where they are in the container, and what is skipped. Pure."""

from __future__ import annotations

import os
import posixpath
from collections import namedtuple

from paude_venv_hook.files import is_inside
from paude_venv_hook.names import can_be_mounted
from paude_venv_hook.text import shown
from paude_venv_hook.workspace.detection import Found

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from paude_venv_hook.engines.mounts import Mount


class Shadow(namedtuple("Shadow", ("path", "host_path", "destination", "why"))):
    """One directory to shadow: as the user names it, its real host path, its container path, and what it is."""

    __slots__ = ()
    path: str
    host_path: str
    destination: str
    why: str


class Skipped(namedtuple("Skipped", ("path", "why"))):
    """A directory that is not shadowed: as the user names it, and the reason."""

    __slots__ = ()
    path: str
    why: str


class Plan(namedtuple("Plan", ("shadows", "skipped"), defaults=((), ()))):
    """What to do: the shadows and the skipped directories, each in the order in which they were found."""

    __slots__ = ()
    shadows: tuple[Shadow, ...]
    skipped: tuple[Skipped, ...]


def make_plan(found: Iterable[Found], workspace_folder: str, mount: Mount, mounted: Collection[str]) -> Plan:
    """Return the plan for what was found.

    `workspace_folder` and `mount.source` are real host paths; `mount.target` can be mounted. `mounted` holds the
    container paths that have a mount already: a second one on the same destination is an error on Podman and hides the
    first on Docker.
    """
    shadows: dict[str, Shadow] = {}  # by host path, so that what is found twice is one
    problems = []
    for item in found:
        destination, problem = _destination(item, workspace_folder, mount, mounted)
        problems.append((item, problem))
        if not problem:
            shadows.setdefault(item.host_path, Shadow(item.path, item.host_path, destination, item.why))
    skipped: dict[tuple[str, str], Skipped] = {}
    for item, problem in problems:
        # What lies in a shadow needs no other reason, such as a missing folder: the mount point will be that folder.
        why = _lies_in(item.host_path, shadows) or problem
        if why:
            path = item.path if can_be_mounted(item.path) else shown(item.path)
            skipped[item.host_path, path] = Skipped(path, why)
    outermost = (shadow for path, shadow in shadows.items() if not _lies_in(path, shadows))
    return Plan(tuple(outermost), tuple(skipped.values()))


def without_colons(plan: Plan, who: str) -> Plan:
    """Return the plan for one who cannot name a container path with a colon (Docker, compose): those are skipped."""
    kept, skipped = [], list(plan.skipped)
    for shadow in plan.shadows:
        if ":" in shadow.destination:
            why = f"{who} has no way to mount a tmpfs on {shadow.destination}, for its colon; rename the folder"
            skipped.append(Skipped(shadow.path, why))
        else:
            kept.append(shadow)
    return Plan(tuple(kept), tuple(skipped))


def _lies_in(host_path: str, shadows: Mapping[str, Shadow]) -> str:
    """Return "" or the reason why what lies in a shadow needs none of its own."""
    above = [folder for folder in _folders_above(host_path, os.sep) if folder in shadows]
    return f"lies in {shadows[above[-1]].path}, which is shadowed as a whole" if above else ""


def _folders_above(path: str, separator: str) -> list[str]:
    """Return the folders that hold the path, the nearest first."""
    parts = path.split(separator)
    return [separator.join(parts[:end]) for end in range(len(parts) - 1, 0, -1)]


def _is_below(path: str, folder: str) -> bool:
    return path != folder and is_inside(path, folder)


def _destination(item: Found, workspace_folder: str, mount: Mount, mounted: Collection[str]) -> tuple[str, str]:
    """Return the container path of the directory, and "" or why it is not shadowed."""
    if item.problem:
        return "", item.problem
    if not can_be_mounted(item.path) or not can_be_mounted(item.host_path):
        return "", "no engine can mount on such a name; rename the directory"
    if not _is_below(item.host_path, mount.source):
        return "", f"not inside of {shown(mount.source)}, the folder that is mounted"
    if is_inside(workspace_folder, item.host_path):
        return "", "holds the workspace folder, whose source it would hide"
    relative = os.path.relpath(item.host_path, mount.source).replace(os.sep, "/")
    destination = posixpath.join(mount.target, relative)
    if destination in mounted:
        return "", f"the configuration mounts something on {destination} already"
    for folder in _folders_above(destination, "/"):
        if folder in mounted and folder.startswith(mount.target.rstrip("/") + "/"):
            return "", f"lies in {folder}, on which the configuration mounts something else"
    return destination, ""
