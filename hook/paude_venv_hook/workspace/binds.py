"""Which bind mounts of a container carry a workspace: the same rule for a run line and for a service of compose."""

from __future__ import annotations

import os

from paude_venv_hook.errors import WorkspaceError
from paude_venv_hook.files import is_inside
from paude_venv_hook.records import NamedTuple
from paude_venv_hook.workspace.detection import detect
from paude_venv_hook.workspace.found import Kind
from paude_venv_hook.workspace.location import Location, opted_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from paude_venv_hook.engines.mounts import Mount

_LOCAL_FOLDER = "devcontainer.local_folder="
_CONFIG_FILE = "devcontainer.config_file="


class Workspace(NamedTuple):
    """A workspace that a container mounts: its real host path, where it is in the container, and how it is read.

    `config` is the devcontainer.json by which it is started, None where no label names one. `is_chosen` tells that it
    is the current one or has opted in, so that a list of directories is meant for it.
    """

    folder: str
    location: Location
    config: str | None
    is_chosen: bool


def find_workspaces(
    mounts: Sequence[Mount], labels: Sequence[str], folders: Sequence[str], why: str
) -> list[Workspace]:
    """Return the workspaces that a container bind-mounts, each with all of its places in it.

    `labels` are the container's, as `KEY=VALUE`. `folders` are host folders: the current one, from which relative
    sources start, and a compose project's own. `why` says who tells of the mounts. A bind carries a workspace if it is
    or holds one of the folders, or the one that the dev container tools name in a label; if it lies in one of them; if
    its source has opted in, lies beside one of them, or has a venv at its top level.
    """
    named = [label.removeprefix(_LOCAL_FOLDER) for label in labels if label.startswith(_LOCAL_FOLDER)]
    configs = [label.removeprefix(_CONFIG_FILE) for label in labels if label.startswith(_CONFIG_FILE)]
    real = [os.path.realpath(path) for path in (*named, *folders)]
    places: dict[str, list[Mount]] = {}
    for mount in mounts:
        source = os.path.realpath(os.path.join(folders[0], mount.source))
        if mount.type == "bind" and mount.target.startswith("/") and os.path.isdir(source):
            workspace = _workspace_of(source, real)
            if workspace:
                places.setdefault(workspace, []).append(mount._replace(source=source))
    for inner in list(places):  # a part of a workspace that is there as a whole
        outer = next((path for path in places if path != inner and is_inside(inner, path)), None)
        if outer and not opted_in(inner):
            places[outer] += places.pop(inner)
    found = []
    for workspace, binds in places.items():
        first, *others = sorted(
            binds, key=lambda bind: not is_inside(workspace, bind.source)
        )  # the whole before a part
        mounted = {other.target: other.type for other in mounts if other.target != first.target}
        location = Location((first, *others), why, mounted)
        holds_current = any(is_inside(path, workspace) for path in real)
        config = configs[0] if configs and named and is_inside(real[0], workspace) else None
        found.append(Workspace(workspace, location, config, holds_current or opted_in(workspace)))
    return found


def _workspace_of(source: str, folders: Sequence[str]) -> str | None:
    """Return the real path of the workspace that the bind of `source` carries, None where it carries none."""
    for folder in folders:
        if is_inside(folder, source):
            return _nearest_opted_in(folder, source)
        if is_inside(source, folder):
            return _nearest_opted_in(source, folder)
    is_beside = any(os.path.dirname(source) == os.path.dirname(folder) for folder in folders)
    return source if is_beside or opted_in(source) or _holds_venv(source) else None


def _nearest_opted_in(folder: str, top: str) -> str:
    """Return the nearest folder that has opted in, from the host folder up to `top`; without one, the folder itself."""
    above = [folder]
    while above[-1] != top:
        above.append(os.path.dirname(above[-1]))
    return next((path for path in above if opted_in(path)), folder)


def _holds_venv(folder: str) -> bool:
    """Tell whether a host folder holds what looks like a venv."""
    try:
        found = detect(folder, (), (), same_path=False).found
    except WorkspaceError:
        return False
    return any(not item.problem and item.kind is not Kind.RESERVED for item in found)
