"""Find the venvs at the top level of a workspace, which `auto` shadows.

One level down, and in a `.venv` there, it looks too, to name what stays visible.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from paude_venv_hook.errors import WorkspaceError
from paude_venv_hook.files import can_make, is_file, remedy
from paude_venv_hook.notes import Note, NoteKind
from paude_venv_hook.records import NamedTuple
from paude_venv_hook.text import shown
from paude_venv_hook.workspace.contents import RESERVED, Directory, Kind, Unshadowed, no_mount_point
from paude_venv_hook.workspace.lifecycle import read_all_set_ups
from paude_venv_hook.workspace.venv import WITHOUT_VENVS, is_old_virtualenv, read_origin

# The directories of tools, and the folder in each that holds the environments. In .pixi there is the project's
# config.toml as well.
_ENVIRONMENT_PARENTS = {".direnv": "", ".hatch": "", ".nox": "", ".pixi": "/envs", ".tox": ""}
_NO_FOLDERS_INSIDE = 2  # st_nlink of a directory without subdirectories; some file systems always report 1


class Detection(NamedTuple):
    """The directories to shadow, those that are left alone, and what a person should know."""

    directories: Sequence[Directory] = ()
    unshadowed: Sequence[Unshadowed] = ()
    notes: Sequence[Note] = ()


def detect(
    workspace_folder: str, mounted_folders: Iterable[str], configurations: Sequence[str], *, same_path: bool
) -> Detection:
    """Return what `auto` finds at the top level of the workspace folder, and of other folders that are mounted.

    All are real host paths: `mounted_folders` are the sources of the mounts (the git root, a folder of the workspace),
    `configurations` the workspace's devcontainer.json and paude.json. `same_path` tells that a mount has the same path
    in the container: absolute symlinks hold there, then. Raises WorkspaceError if the workspace folder cannot be read.
    """
    try:
        detection = _detect_in(workspace_folder, workspace_folder, configurations, same_path=same_path)
    except OSError as error:
        raise WorkspaceError(f"{shown(workspace_folder)}: cannot be read: {error.strerror}; {remedy(error)}") from None
    directories, unshadowed, notes = list(detection.directories), list(detection.unshadowed), list(detection.notes)
    for folder in dict.fromkeys(mounted_folders):
        if folder == workspace_folder:
            continue
        try:
            detection = _detect_in(folder, workspace_folder, (), same_path=same_path)
        except OSError as error:
            why = f"{shown(folder)}: cannot be searched for venvs: {error.strerror}"
            notes.append(Note(NoteKind.WORKSPACE, why=why, advice=remedy(error)))
            continue
        directories += detection.directories
        unshadowed += detection.unshadowed
        notes += detection.notes
    directories = _without_known_links(directories, workspace_folder, same_path=same_path)
    return Detection(directories, _named_once(unshadowed), notes)


def _detect_in(folder: str, workspace_folder: str, configurations: Sequence[str], *, same_path: bool) -> Detection:
    """Return what the top level of one folder holds, or will hold. Raises OSError if it cannot be read."""
    directories, unshadowed = _scan(folder, workspace_folder, same_path=same_path)
    if folder == workspace_folder and is_file(os.path.join(folder, "pyvenv.cfg")):
        why = "the workspace folder itself is a venv, which cannot be shadowed: it holds the source"
        return Detection(directories, unshadowed, [Note(NoteKind.WORKSPACE, why=why, advice="make it anew in .venv")])
    reserved, notes = _reserve(folder, workspace_folder, directories, configurations)
    return Detection([*directories, *reserved], unshadowed, notes)


def _without_known_links(
    directories: Iterable[Directory], workspace_folder: str, *, same_path: bool
) -> list[Directory]:
    """Return the directories without the symlinks to one of them: those out of the workspace folder, to the git root.

    A link counts only if it leads there in the container too.
    """
    directories = list(directories)
    shadowed = {directory.host_path for directory in directories if not directory.problem}
    needed = []
    for directory in directories:
        is_known = directory.problem and directory.host_path in shadowed
        link = os.path.join(workspace_folder, directory.path)
        if is_known and (same_path or not os.path.isabs(os.readlink(link))):
            continue
        needed.append(directory)
    return needed


def _named_once(unshadowed: Iterable[Unshadowed]) -> list[Unshadowed]:
    """Return what is left alone, each under its first name."""
    by_host_path: dict[str, Unshadowed] = {}
    for directory in unshadowed:
        by_host_path.setdefault(directory.host_path, directory)
    return list(by_host_path.values())


def _reserve(
    folder: str, workspace_folder: str, directories: Iterable[Directory], configurations: Sequence[str]
) -> tuple[list[Directory], Sequence[Note]]:
    """Return the `.venv` of a folder whose project keeps its venv there, and notes.

    It is none if `directories`, which were found, have it.
    """
    host_path = os.path.join(folder, RESERVED)
    for directory in directories:
        if directory.host_path == host_path or os.path.basename(directory.path) == RESERVED:
            return [], _notes_on_set_ups(folder, configurations)
    from paude_venv_hook.workspace.reserve import find_evidence  # noqa: PLC0415 - most workspaces have a .venv

    evidence = find_evidence(folder, configurations)
    if not evidence.text:
        return [], evidence.notes
    problem = None
    if not os.path.isdir(host_path) and not can_make(folder):
        problem = no_mount_point(folder)
    path = _relative(host_path, workspace_folder)
    return [Directory(path, host_path, Kind.RESERVED, evidence.text, problem)], evidence.notes


def _notes_on_set_ups(folder: str, configurations: Sequence[str]) -> Sequence[Note]:
    set_ups = read_all_set_ups(configurations, folder)
    if not set_ups:
        return ()
    from paude_venv_hook.workspace.reserve import notes_on_others  # noqa: PLC0415 - few have such a command

    return notes_on_others(folder, set_ups)


def _relative(path: str, workspace_folder: str) -> str:
    return os.path.relpath(path, workspace_folder).replace(os.sep, "/")


def _scan(folder: str, workspace_folder: str, *, same_path: bool) -> tuple[list[Directory], list[Unshadowed]]:
    """Return the directories at the top level of a folder that are to be shadowed, and what is left alone there."""
    contents: list[Directory | Unshadowed] = []
    access, exists = os.access, os.F_OK  # a question without the cost of an exception
    prefix = "" if folder == workspace_folder else _relative(folder, workspace_folder) + "/"
    with os.scandir(folder) as entries:
        for entry in entries:
            name, path = prefix + entry.name, entry.path
            if entry.is_dir(follow_symlinks=False):
                if access(path + "/pyvenv.cfg", exists) and is_file(path + "/pyvenv.cfg"):
                    contents.append(_venv(name, path, Kind.VENV))
                elif _count_links(entry) != _NO_FOLDERS_INSIDE:
                    contents += _look_inside(name, path)
            elif entry.is_symlink():
                contents += _follow_symlink(name, path, folder, same_path=same_path)
            elif entry.name == RESERVED:
                contents += _follow_file(entry, folder, prefix)
    if access(folder + "/.git/worktrees", exists):
        from paude_venv_hook.workspace.deep import venvs_of_worktrees  # noqa: PLC0415 - few repositories have one

        for venv in venvs_of_worktrees(folder):
            contents.append(Unshadowed(prefix + _relative(venv, folder), venv, Kind.OF_WORKTREE))
    contents.sort(key=_path)
    directories = [directory for directory in contents if isinstance(directory, Directory)]
    return directories, [directory for directory in contents if isinstance(directory, Unshadowed)]


def _path(directory: Directory | Unshadowed) -> str:
    return directory.path


def _follow_symlink(name: str, path: str, folder: str, *, same_path: bool) -> Iterator[Directory]:
    """Yield the directory that a symlink (a host path in the folder) leads to, if it is a venv or called `.venv`."""
    from paude_venv_hook.workspace.links import follow_link  # noqa: PLC0415 - few workspaces have one

    is_reserved = os.path.basename(path) == RESERVED
    if is_reserved or is_file(path + "/pyvenv.cfg"):
        host_path, problem = follow_link(path, folder, same_path=same_path)
        if is_reserved or not problem:
            yield Directory(name, host_path, Kind.LINK, problem=problem)


def _follow_file(entry: os.DirEntry[str], folder: str, prefix: str) -> Iterator[Directory | Unshadowed]:
    """Yield the venv in the folder that a file called `.venv` names, or else the file."""
    from paude_venv_hook.workspace.links import named_by_file  # noqa: PLC0415 - few workspaces have one

    target = named_by_file(entry.path, folder)
    if target:
        yield Directory(prefix + _relative(target, folder), target, Kind.NAMED_BY_FILE)
    elif entry.is_file():
        yield Unshadowed(prefix + RESERVED, entry.path, Kind.NAMES_NO_VENV)


def _count_links(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat(follow_symlinks=False).st_nlink
    except OSError:  # it is gone
        return _NO_FOLDERS_INSIDE


def _venv(path: str, host_path: str, kind: Kind) -> Directory:
    made_at, has_python = read_origin(host_path)
    return Directory(path, host_path, kind, made_at=made_at, has_python=has_python)


def _look_inside(name: str, path: str) -> Iterator[Directory | Unshadowed]:
    """Yield what a directory without pyvenv.cfg (its name for users, its host path) is, or holds one level down."""
    base = os.path.basename(path)
    if os.access(path + "/bin/activate", os.F_OK) and is_old_virtualenv(path):
        yield _venv(name, path, Kind.OLD_VIRTUALENV)
    elif base == RESERVED:
        if any(_venvs_inside(path)):
            yield Directory(name, path, Kind.HOLDS_VENVS)
        else:
            yield Unshadowed(name, path, Kind.NO_VENV)
    elif base in _ENVIRONMENT_PARENTS:
        inside = _ENVIRONMENT_PARENTS[base]
        if _has_folders(path + inside):
            yield Unshadowed(name + inside, path + inside, Kind.HOLDS_ENVIRONMENTS)
    elif os.access(path + "/conda-meta", os.F_OK):
        yield Unshadowed(name, path, Kind.CONDA)
    elif base not in WITHOUT_VENVS:
        yield from _below(name, path)


def _below(name: str, path: str) -> Iterator[Unshadowed]:
    """Yield the venvs one level down in a directory, and in the worktrees that it holds."""
    for inner in _venvs_inside(path):
        yield Unshadowed(f"{name}/{inner}", os.path.join(path, inner), Kind.FURTHER_DOWN)
    if os.access(path + "/worktrees", os.F_OK):
        from paude_venv_hook.workspace.deep import venvs_below  # noqa: PLC0415 - few workspaces have one

        for venv in venvs_below(path + "/worktrees"):
            yield Unshadowed(name + venv.removeprefix(path), venv, Kind.OF_WORKTREE)


def _venvs_inside(folder: str) -> Iterator[str]:
    """Yield the venvs in a folder, and the `.venv` in each of its folders: those of packages and worktrees."""
    for name in _folders(folder):
        for inner in (name, f"{name}/{RESERVED}"):
            if os.access(f"{folder}/{inner}/pyvenv.cfg", os.F_OK):
                yield inner
                break


def _has_folders(folder: str) -> bool:
    return any(True for _ in _folders(folder))


def _folders(folder: str) -> Iterator[str]:
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield entry.name
