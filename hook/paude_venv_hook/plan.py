"""The plan: which directories are shadowed, where they are in the container, and what is skipped. Pure."""

from __future__ import annotations

import os
import posixpath

from paude_venv_hook.engines.mountable import can_be_mounted
from paude_venv_hook.files import is_inside
from paude_venv_hook.records import NamedTuple
from paude_venv_hook.text import shown
from paude_venv_hook.workspace.found import RESERVED, Found, Kind, Reason, Unshadowed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from paude_venv_hook.engines.mounts import Mount


class Shadow(NamedTuple):
    """One directory to shadow: as the user names it, its real host path, its container path, and what it is.

    `evidence` says what tells that a venv will be there, if it is reserved.
    `source` is the real host path of the mount that carries it. `store` is the host path of the folder that covers it,
    "" if an empty tmpfs does. `trouble` is why the venv does not run on this machine, and what to do, "" if it runs.
    """

    path: str
    host_path: str
    destination: str
    kind: Kind
    evidence: str = ""
    source: str = ""
    store: str = ""
    trouble: str = ""

    @property
    def why(self) -> str:
        """What it is, in words."""
        return f"{self.kind.value}: {self.evidence}" if self.evidence else self.kind.value


class Skipped(NamedTuple):
    """A directory that is not shadowed: as the user names it, "." for all of them, and the reason.

    Expected skips are shown by `status` only: nothing of the host leaks.
    """

    path: str
    reason: Reason
    is_expected: bool = False


class Plan(NamedTuple):
    """What to do: the shadows, the skipped directories, and what else of the host's stays visible.

    Each is in the order in which it was found.
    """

    shadows: tuple[Shadow, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    visible: tuple[Unshadowed, ...] = ()


def make_plan(
    found: Iterable[Found],
    workspace_folder: str,
    mounts: Sequence[Mount],
    mounted: Mapping[str, str],
    unshadowed: Iterable[Unshadowed] = (),
) -> Plan:
    """Return the plan for what was found, at each place where a mount carries it.

    `workspace_folder` and the sources of the mounts are real host paths; their targets can be mounted. `mounted` maps
    the container paths that have another mount already to its type: a second one on the same destination is an error on
    Podman and hides the first on Docker.
    """
    placed = [(item, *_places(item, workspace_folder, mounts, mounted)) for item in found]
    shadows: dict[str, Shadow] = {}  # by destination, so that what is found twice is one
    for item, places, _ in placed:
        for destination, source in places:
            shadow = Shadow(
                item.path, item.host_path, destination, item.kind, item.evidence, source, trouble=item.trouble
            )
            shadows.setdefault(destination, shadow)
    outermost = [item for item in shadows.values() if not any(map(shadows.get, _folders_above(item.destination, "/")))]
    by_host_path = {shadow.host_path: shadow for shadow in reversed(outermost)}
    skipped: dict[tuple[str, str], Skipped] = {}
    for item, _, problem in placed:
        # What lies in a shadow needs no other reason, such as a missing folder: the mount point will be that folder.
        above = "" if item.host_path in by_host_path else _lies_in(item.host_path, by_host_path)
        skip = Skipped(item.path, Reason(above), is_expected=True) if above else problem
        if skip:
            path = name_for_people(item.path)
            skipped[item.host_path, path] = skip._replace(path=path)
    visible = (
        item
        for item in unshadowed
        if item.host_path not in by_host_path
        and not _lies_in(item.host_path, by_host_path)
        and any(why is None for _, _, why in _destinations(item.host_path, mounts, mounted))
    )
    return Plan(tuple(outermost), tuple(skipped.values()), tuple(visible))


def without_colons(plan: Plan, who: str, what: str = "a tmpfs") -> Plan:
    """Return the plan for one who cannot name a container path with a colon (compose): those are skipped."""

    def why(destination: str) -> str:
        problem = f"{who} has no way to mount {what} on {destination}, for its colon; rename the folder"
        return problem if ":" in destination else ""

    return without(plan, why)


def without(plan: Plan, why: Callable[[str], str]) -> Plan:
    """Return the plan without the container paths for which `why` gives a reason: those are skipped."""
    problems = {shadow: why(shadow.destination) for shadow in plan.shadows}
    kept = tuple(shadow for shadow in plan.shadows if not problems[shadow])
    skipped = (Skipped(shadow.path, Reason(problem)) for shadow, problem in problems.items() if problem)
    return plan._replace(shadows=kept, skipped=(*plan.skipped, *skipped))


def name_for_people(path: str) -> str:
    """Return the path as it can be written: with escapes if no engine could mount it either."""
    return path if can_be_mounted(path) else shown(path)


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


def _places(
    item: Found, workspace_folder: str, mounts: Sequence[Mount], mounted: Mapping[str, str]
) -> tuple[list[tuple[str, str]], Skipped | None]:
    """Return where the directory is to be shadowed, and why it is not, or not at each of its places.

    A place is a container path and the source of the mount that carries it.
    """

    def skip(why: str, *, is_expected: bool = False) -> tuple[list[tuple[str, str]], Skipped]:
        return [], Skipped(item.path, Reason(why), is_expected)

    if item.problem:
        return [], Skipped(item.path, item.problem)
    if not can_be_mounted(item.path) or not can_be_mounted(item.host_path):
        return skip("no engine can mount on such a name; rename the directory")
    destinations = list(_destinations(item.host_path, mounts, mounted))
    if not destinations:
        sources = " or ".join(shown(mount.source) for mount in mounts)
        return skip(f"not inside of {sources}, the folder that is mounted", is_expected=True)
    if is_inside(workspace_folder, item.host_path):
        return skip("holds the workspace folder, whose source it would hide")
    free = [(destination, source) for destination, source, why in destinations if why is None]
    places = [place for place in free if not _was_made_there(item, place[0])]
    if places != free:
        return places, _left_alone(item)
    problem = next((why for _, _, why in destinations if why), "")
    return places, Skipped(item.path, Reason(problem)) if problem else None


def _destinations(
    host_path: str, mounts: Sequence[Mount], mounted: Mapping[str, str]
) -> Iterator[tuple[str, str, str | None]]:
    """Yield each container path of a directory, the source of the mount that carries it, and why it is left alone.

    None stands for a place where something is to be shadowed.
    """
    for mount in mounts:
        if _is_below(host_path, mount.source):
            relative = os.path.relpath(host_path, mount.source).replace(os.sep, "/")
            destination = posixpath.join(mount.target, relative)
            yield destination, mount.source, _taken(destination, mount, mounts, mounted)


def _was_made_there(item: Found, destination: str) -> bool:
    """Tell whether a venv was made in a container, at this container path: the container keeps it there for itself.

    Under the same path as here nothing tells a container's from the host's.
    """
    return item.made_at == destination != item.host_path


def _left_alone(item: Found) -> Skipped:
    """Return that a venv is a container's. Other names than `.venv` are chosen for that."""
    text = f"made in a container, at {shown(item.made_at)}: left alone"
    if posixpath.basename(item.path) != RESERVED:
        return Skipped(item.path, Reason(text), is_expected=True)
    setting = f'"venv": ["{shown(item.path)}"]'
    advice = f"the host has none; to get one each, remove it on the host, or write {setting} in paude.json"
    return Skipped(item.path, Reason(text, advice))


def _taken(destination: str, mount: Mount, mounts: Iterable[Mount], mounted: Mapping[str, str]) -> str | None:
    """Return why there is nothing to shadow on the destination, None if there is.

    "" means that another mount of the workspace is there, at whose turn it is looked at.
    """
    kind = mounted.get(destination)
    if kind == "tmpfs":
        return f"left to your own tmpfs on {destination}"
    if kind is not None:
        return f"the configuration mounts something on {destination} already"
    for folder in _folders_above(destination, "/"):
        if folder in mounted and folder.startswith(mount.target.rstrip("/") + "/"):
            if any(folder == other.target for other in mounts):
                return ""
            return f"lies in {folder}, on which the configuration mounts something else"
    return None
