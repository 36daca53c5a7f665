"""The plan: which directories are shadowed, where they are in the container, and what is skipped. Pure."""

from __future__ import annotations

import os
import posixpath

from paude_venv_hook.engines.mountable import can_be_mounted
from paude_venv_hook.files import is_inside
from paude_venv_hook.records import NamedTuple
from paude_venv_hook.text import shown
from paude_venv_hook.workspace.contents import RESERVED, Directory, Kind, Reason, Unshadowed

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


def is_outside(path: str) -> bool:
    """Tell whether a path leads out of the workspace folder: no list of its settings can name it."""
    return path.startswith("../")


def nameable_paths(plan: Plan) -> list[str]:
    """Return the shadowed paths that the list of `venv` can name, and has to if it is to shadow as much."""
    listed = [shadow.path for shadow in plan.shadows if shadow.kind is not Kind.ALSO]
    return [path for path in listed if not is_outside(path)]


class _Place(NamedTuple):
    """One container path of a directory, and the source of the mount that carries it there.

    `is_free` tells that a shadow can be mounted there. If not, `problem` is the reason, "" if another mount of the
    workspace covers the path, and has a place of its own for the directory.
    """

    destination: str
    source: str
    is_free: bool = True
    problem: str = ""


def make_plan(
    directories: Iterable[Directory],
    workspace_folder: str,
    mounts: Sequence[Mount],
    mounted: Mapping[str, str],
    unshadowed: Iterable[Unshadowed] = (),
) -> Plan:
    """Return the plan for directories to shadow, at each place to which a mount carries them.

    `workspace_folder` and the sources of the mounts are real host paths; their targets can be mounted. `mounted` maps
    the container paths that have another mount already to its type: a second one on the same destination is an error on
    Podman and hides the first on Docker.
    """
    placed = [(directory, *_places(directory, workspace_folder, mounts, mounted)) for directory in directories]
    shadows: dict[str, Shadow] = {}  # by destination: a directory that is found twice has one shadow
    for directory, places, _ in placed:
        for place in places:
            shadows.setdefault(place.destination, _shadow(directory, place))
    outermost = [shadow for shadow in shadows.values() if not _lies_in_another(shadow, shadows)]
    by_host_path = {shadow.host_path: shadow for shadow in reversed(outermost)}

    skipped: dict[tuple[str, str], Skipped] = {}
    for directory, _, problem in placed:
        # What lies in a shadow needs no other reason, such as a missing folder: the mount point will be that folder.
        skip = _skip_inside(directory, by_host_path) or problem
        if skip:
            path = name_for_people(directory.path)
            skipped[directory.host_path, path] = skip._replace(path=path)

    visible = []
    for other in unshadowed:
        is_covered = other.host_path in by_host_path or _shadow_above(other.host_path, by_host_path)
        if not is_covered and any(place.is_free for place in _destinations(other.host_path, mounts, mounted)):
            visible.append(other)
    return Plan(tuple(outermost), tuple(skipped.values()), tuple(visible))


def _shadow(directory: Directory, place: _Place) -> Shadow:
    return Shadow(
        path=directory.path,
        host_path=directory.host_path,
        destination=place.destination,
        kind=directory.kind,
        evidence=directory.evidence,
        source=place.source,
        trouble=directory.trouble,
    )


def _lies_in_another(shadow: Shadow, shadows: Mapping[str, Shadow]) -> bool:
    """Tell whether a shadow lies in another one; `shadows` are by their destinations."""
    return any(folder in shadows for folder in _folders_above(shadow.destination, "/"))


def skip_colons(plan: Plan, who: str, what: str = "a tmpfs") -> Plan:
    """Return the plan for a launcher that cannot name a container path with a colon (compose): those are skipped."""
    rule = f"{who} has no way to mount {what} on {{}}, for its colon; rename the folder"
    return skip_if(plan, lambda destination: rule.format(destination) if ":" in destination else "")


def skip_if(plan: Plan, find_problem: Callable[[str], str]) -> Plan:
    """Return the plan without the container paths in which a problem is found: those are skipped."""
    problems = {shadow: find_problem(shadow.destination) for shadow in plan.shadows}
    kept = tuple(shadow for shadow in plan.shadows if not problems[shadow])
    skipped = (Skipped(shadow.path, Reason(problem)) for shadow, problem in problems.items() if problem)
    return plan._replace(shadows=kept, skipped=(*plan.skipped, *skipped))


def name_for_people(path: str) -> str:
    """Return the path as it can be written: with escapes if no engine could mount it either."""
    return path if can_be_mounted(path) else shown(path)


def _skip_inside(directory: Directory, shadows: Mapping[str, Shadow]) -> Skipped | None:
    """Return why a directory in a shadow needs none of its own; `shadows` are by their host paths."""
    if directory.host_path in shadows:
        return None
    above = _shadow_above(directory.host_path, shadows)
    if above is None:
        return None
    return Skipped(directory.path, Reason(f"lies in {above.path}, which is shadowed as a whole"), is_expected=True)


def _shadow_above(host_path: str, shadows: Mapping[str, Shadow]) -> Shadow | None:
    """Return the outermost shadow that covers a host path from above; `shadows` are by their host paths."""
    above = [folder for folder in _folders_above(host_path, os.sep) if folder in shadows]
    return shadows[above[-1]] if above else None


def _folders_above(path: str, separator: str) -> list[str]:
    """Return the folders that hold the path, the nearest first."""
    parts = path.split(separator)
    return [separator.join(parts[:end]) for end in range(len(parts) - 1, 0, -1)]


def _is_below(path: str, folder: str) -> bool:
    return path != folder and is_inside(path, folder)


def _places(
    directory: Directory, workspace_folder: str, mounts: Sequence[Mount], mounted: Mapping[str, str]
) -> tuple[list[_Place], Skipped | None]:
    """Return the places at which a directory is to be shadowed, and why it is not, or not at each of them."""
    if directory.problem:
        return [], Skipped(directory.path, directory.problem)
    if not can_be_mounted(directory.path) or not can_be_mounted(directory.host_path):
        return [], Skipped(directory.path, Reason("no engine can mount on such a name; rename the directory"))
    places = list(_destinations(directory.host_path, mounts, mounted))
    if not places:
        sources = " or ".join(shown(mount.source) for mount in mounts)
        reason = Reason(f"not inside of {sources}, the folder that is mounted")
        return [], Skipped(directory.path, reason, is_expected=True)
    if is_inside(workspace_folder, directory.host_path):
        return [], Skipped(directory.path, Reason("holds the workspace folder, whose source it would hide"))
    free = [place for place in places if place.is_free]
    shared = [place for place in free if not _was_made_there(directory, place.destination)]
    if shared != free:
        return shared, _left_alone(directory)
    problem = next((place.problem for place in places if place.problem), "")
    return shared, Skipped(directory.path, Reason(problem)) if problem else None


def _destinations(host_path: str, mounts: Sequence[Mount], mounted: Mapping[str, str]) -> Iterator[_Place]:
    """Yield each place to which a mount carries a directory."""
    for mount in mounts:
        if _is_below(host_path, mount.source):
            relative = os.path.relpath(host_path, mount.source).replace(os.sep, "/")
            yield _place(posixpath.join(mount.target, relative), mount, mounts, mounted)


def _place(destination: str, mount: Mount, mounts: Iterable[Mount], mounted: Mapping[str, str]) -> _Place:
    """Return the place on a destination, free or with the reason why not."""
    kind = mounted.get(destination)
    if kind == "tmpfs":
        return _Place(destination, mount.source, is_free=False, problem=f"left to your own tmpfs on {destination}")
    if kind is not None:
        problem = f"the configuration mounts something on {destination} already"
        return _Place(destination, mount.source, is_free=False, problem=problem)
    for folder in _folders_above(destination, "/"):
        if folder in mounted and folder.startswith(mount.target.rstrip("/") + "/"):
            if any(folder == other.target for other in mounts):
                return _Place(destination, mount.source, is_free=False)
            problem = f"lies in {folder}, on which the configuration mounts something else"
            return _Place(destination, mount.source, is_free=False, problem=problem)
    return _Place(destination, mount.source)


def _was_made_there(directory: Directory, destination: str) -> bool:
    """Tell whether a venv was made in a container, at this container path: the container keeps it there for itself.

    Under the same path as here nothing tells a container's from the host's.
    """
    return directory.made_at == destination != directory.host_path


def _left_alone(directory: Directory) -> Skipped:
    """Return that a venv is a container's. Other names than `.venv` are chosen for that."""
    text = f"made in a container, at {shown(directory.made_at)}: left alone"
    if posixpath.basename(directory.path) != RESERVED:
        return Skipped(directory.path, Reason(text), is_expected=True)
    setting = f'"venv": ["{shown(directory.path)}"]'
    advice = f"the host has none; to get one each, remove it on the host, or write {setting} in paude.json"
    return Skipped(directory.path, Reason(text, advice))
