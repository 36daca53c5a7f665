"""Find the workspaces that the mounts of a container carry: one rule, whichever way in the launch came.

A bind carries

- the workspace that its source belongs to: the source itself, or the nearest folder above it that opted in;
- a workspace inside of its source: the one of the folder that a label names, or in which somebody started the launch,
  and, if nothing above rules over the source as a whole, each folder one level down that opted in.

If somebody asked for us, a source need not have opted in: it counts if it lies in the start folder or beside it, or if
it holds a venv.
"""

from __future__ import annotations

import os
import stat

from paude_venv_hook.errors import WorkspaceError
from paude_venv_hook.files import is_inside
from paude_venv_hook.folders import home_folder
from paude_venv_hook.launch import CONFIG_FILE, LOCAL_FOLDER, SWITCH, SWITCH_VALUES, WORKING_DIR
from paude_venv_hook.notes import Note, NoteKind
from paude_venv_hook.records import NamedTuple
from paude_venv_hook.text import did_you_mean, shown
from paude_venv_hook.workspace.detection import detect
from paude_venv_hook.workspace.location import Location, Workspace, has_opted_in
from paude_venv_hook.workspace.venv import is_venv

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from paude_venv_hook.engines.mounts import Mount
    from paude_venv_hook.launch import Launch

_USUAL_NAMES = (".venv", "venv")
MOST_FOLDERS = 1000  # at most this many folders one level down are looked at


class MountedWorkspaces(NamedTuple):
    """The workspaces that a container mounts, each with all of its places in it, and notes for a person."""

    workspaces: tuple[Workspace, ...]
    notes: tuple[Note, ...]


def find_workspaces(launch: Launch) -> MountedWorkspaces:
    """Return the workspaces that a launch mounts. Reads the folders of the host; raises nothing for what is in them."""
    switch, notes = _switch(launch.labels)
    if switch == "none":
        return MountedWorkspaces((), notes)

    named = _named_folders(launch)
    places: dict[str, list[Mount]] = {}
    for mount in launch.mounts:
        source = _find_source(mount, launch.folder or "/")
        if not source:
            continue
        folders = [source] if switch == "auto" else _workspaces_in(source, named, launch)
        if folders and is_venv(source) and not has_opted_in(source):
            notes += (Note(NoteKind.MEANT, (mount.source,), mount.target),)
            continue
        for folder in folders:
            places.setdefault(folder, []).append(mount._replace(source=source))

    _join_parts(places)
    workspaces = [_workspace(folder, binds, launch, named, switch) for folder, binds in places.items()]
    return MountedWorkspaces(tuple(workspaces), notes)


def _switch(labels: Mapping[str, str]) -> tuple[str, tuple[Note, ...]]:
    """Return what the label SWITCH says, "" for nothing, and a note if that is not understood."""
    value = labels.get(SWITCH)
    if value is None:
        return "", ()
    if value in SWITCH_VALUES:
        return value, ()
    hint = did_you_mean(value, SWITCH_VALUES)
    why = f'{SWITCH}: "{shown(value)}" is not known{hint}'
    return "", (Note(NoteKind.SETTING, why=why, advice="use auto or none"),)


def _named_folders(launch: Launch) -> list[str]:
    """Return the real host paths of the folders for which the container is started, that of the tools first."""
    named = [launch.labels.get(LOCAL_FOLDER, ""), launch.labels.get(WORKING_DIR, "")]
    if launch.is_asked:
        named.append(launch.folder)
    return list(dict.fromkeys(os.path.realpath(path) for path in named if os.path.isabs(path)))


def _find_source(mount: Mount, folder: str) -> str:
    """Return the real host path of the directory that a mount binds, "" if it binds none.

    A relative source starts from the host folder. Docker's API takes paths with a zero byte, and starts nothing then.
    """
    is_bind = mount.type == "bind" and mount.target.startswith("/")
    if not is_bind or "\0" in mount.source + mount.target:
        return ""
    source = os.path.realpath(os.path.join(folder, mount.source))
    return source if os.path.isdir(source) else ""


def _workspaces_in(source: str, named: Sequence[str], launch: Launch) -> list[str]:
    """Return the workspaces that the bind of a source (a real host path) carries."""
    folders: list[str] = []
    is_ruled = False  # whether one workspace rules over the source as a whole
    inside = [folder for folder in named if is_inside(folder, source)]
    for folder in inside or [source]:
        nearest = _nearest_opted_in(folder, source) or find_opted_in_above(source)
        if nearest:
            folders.append(nearest)
            is_ruled = is_ruled or is_inside(source, nearest)
        elif launch.is_asked and not folders and _is_meant(folder, source, named, launch):
            folders.append(folder)
    if not is_ruled:
        folders += _opted_in_below(source)
    return list(dict.fromkeys(folders))


def _is_meant(folder: str, source: str, named: Sequence[str], launch: Launch) -> bool:
    """Tell whether who asked means a folder that has not opted in: the one of the launch, or a source near it."""
    if folder != source:
        folders = (launch.labels.get(LOCAL_FOLDER), launch.folder)
        return any(folder == os.path.realpath(path) for path in folders if path)
    is_near = any(_is_near(source, other) for other in named)
    return is_near or is_venv(source) or _holds_venv(source)


def _is_near(source: str, folder: str) -> bool:
    """Tell whether a source holds a folder, lies in it, or lies beside it."""
    is_beside = os.path.dirname(source) == os.path.dirname(folder)
    return is_beside or is_inside(source, folder) or is_inside(folder, source)


def _nearest_opted_in(folder: str, top: str) -> str | None:
    """Return the nearest folder that has opted in, from a host folder up to `top`; None if none has."""
    while True:
        if has_opted_in(folder):
            return folder
        if folder == top:
            return None
        folder = os.path.dirname(folder)


def find_opted_in_above(folder: str) -> str | None:
    """Return the nearest folder above a host folder that has opted in, None if there is none.

    The search ends with a folder that holds `.git`, before the home folder and `/`, and before a folder of another
    owner, one that other users can write, and another file system: what lies there is not the user's word.
    """
    home = os.path.realpath(home_folder() or "/")
    try:
        status = os.stat(folder)
        while not os.path.lexists(os.path.join(folder, ".git")):
            above = os.path.dirname(folder)
            if above in (folder, "/", home) or not _is_same_hand(os.stat(above), status):
                return None
            if has_opted_in(above):
                return above
            folder = above
    except OSError:
        pass
    return None


def workspace_above(folder: str) -> str | None:
    """Return the folder above a host folder that seems to be its workspace, None if there is none.

    It has opted in or holds a venv of a usual name. A folder that has opted in, or that holds `.git`, is taken for a
    workspace itself.
    """
    home = os.path.realpath(home_folder() or "/")
    folder = os.path.realpath(folder)
    while not has_opted_in(folder) and not os.path.lexists(os.path.join(folder, ".git")):
        above = os.path.dirname(folder)
        if above in (folder, "/", home):
            return None
        if has_opted_in(above) or any(is_venv(os.path.join(above, name)) for name in _USUAL_NAMES):
            return above
        folder = above
    return None


def _is_same_hand(above: os.stat_result, below: os.stat_result) -> bool:
    """Tell whether only the owner of the folder below could have put something into the one above."""
    if (above.st_uid, above.st_dev) != (below.st_uid, below.st_dev):
        return False
    # A group of the user's own has the user's number (umask 002 is for these: useradd(8), USERGROUPS_ENAB).
    is_groups = above.st_mode & stat.S_IWGRP and above.st_gid != above.st_uid
    return not is_groups and not above.st_mode & stat.S_IWOTH


def _opted_in_below(source: str) -> list[str]:
    """Return the folders one level down that have opted in, of the first MOST_FOLDERS.

    Those of a home folder, and of what holds one, are not meant if all of it is bound (by a toolbox, a sandbox).
    """
    home = os.path.realpath(home_folder() or "/")
    if is_inside(home, source):
        return []
    folders = []
    try:
        with os.scandir(source) as entries:
            for count, entry in enumerate(entries):
                if count >= MOST_FOLDERS:
                    break
                if entry.is_dir(follow_symlinks=False) and has_opted_in(entry.path):
                    folders.append(entry.path)
    except OSError:
        return []
    return sorted(folders)


def _holds_venv(folder: str) -> bool:
    """Tell whether a host folder holds what looks like a venv."""
    try:
        detected = detect(folder, (), (), same_path=False)
    except WorkspaceError:
        return False
    return any(directory.exists for directory in detected.directories)


def _join_parts(places: dict[str, list[Mount]]) -> None:
    """Give the binds of a part of a workspace to that workspace, if it is mounted too and the part has not opted in."""
    for inner in list(places):
        outer = [path for path in places if path != inner and is_inside(inner, path)]
        if outer and not has_opted_in(inner):
            nearest = max(outer, key=len)
            places[nearest] += places.pop(inner)


def _workspace(folder: str, binds: Sequence[Mount], launch: Launch, named: Sequence[str], switch: str) -> Workspace:
    location = locate_binds(folder, binds, launch)
    is_current = any(is_inside(path, folder) for path in named)
    is_above = not is_inside(folder, location.mounts[0].source)

    config = None
    local_folder = launch.labels.get(LOCAL_FOLDER)
    if local_folder and is_inside(os.path.realpath(local_folder), folder):
        config = launch.labels.get(CONFIG_FILE)

    venv = switch if switch and not has_opted_in(folder) else None
    return Workspace(folder, location, config, is_current or has_opted_in(folder), is_above, venv)


def locate_binds(folder: str, binds: Sequence[Mount], launch: Launch) -> Location:
    """Return where binds (with real host paths as sources) have a workspace: the nearest bind of all of it first."""
    whole = [bind for bind in binds if is_inside(folder, bind.source)]
    parts = [bind for bind in binds if bind not in whole]
    first = max(whole, key=lambda bind: len(bind.source)) if whole else parts[0]
    others = [bind for bind in (*whole, *parts) if bind is not first]
    mounted = {mount.target: mount.type for mount in launch.mounts if mount.target != first.target}
    return Location((first, *others), launch.told_by, mounted)


def find_carriers(folder: str, mounts: Iterable[Mount]) -> list[Mount]:
    """Return the binds among mounts that carry a known workspace (a real host path), or a part of it.

    Their sources become real host paths; relative ones start from the workspace.
    """
    binds = []
    for mount in mounts:
        source = _find_source(mount, folder)
        overlaps = is_inside(folder, source) or is_inside(source, folder)
        if source and overlaps and mount.target != "/":
            binds.append(mount._replace(source=source))
    return binds
