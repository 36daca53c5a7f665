"""Which directories of the workspace are venvs, or were named by the user.

`auto` shadows what is at the top level. One level down, and in a `.venv` there, it looks too, so that it can say what
stays visible.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from paude_venv_hook.errors import WorkspaceError
from paude_venv_hook.files import can_make, is_file, read_start
from paude_venv_hook.notes import Note, NoteKind
from paude_venv_hook.records import NamedTuple
from paude_venv_hook.text import shown
from paude_venv_hook.workspace.found import RESERVED, Found, Kind, Reason, Unshadowed
from paude_venv_hook.workspace.venv import WITHOUT_VENVS, is_old_virtualenv, origin

_ENVIRONMENT_PARENTS = frozenset((".direnv", ".hatch", ".nox", ".tox"))
_COMMANDS = rb'(?:Create|Content|Start|Attach)Command|"?setup"?\s*:'
_NO_FOLDERS_INSIDE = 2  # links to a directory without any: its name, and its own `.`; file systems without count say 1


class Detected(NamedTuple):
    """What is to be shadowed, what is left alone, and what a person should know."""

    found: Sequence[Found] = ()
    unshadowed: Sequence[Unshadowed] = ()
    notes: Sequence[Note] = ()


def detect(
    workspace_folder: str, mounted_folders: Iterable[str], configurations: Sequence[str], *, same_path: bool
) -> Detected:
    """Return what `auto` finds at the top level of the workspace folder, and of other folders that are mounted.

    All are real host paths: `mounted_folders` are the sources of the mounts (the git root, a folder of the workspace),
    `configurations` the workspace's devcontainer.json and paude.json. `same_path` tells that a mount has the same path
    in the container, so that absolute symlinks hold there. Raises WorkspaceError when the workspace folder cannot be
    read.
    """
    try:
        found, left = _scan(workspace_folder, workspace_folder, same_path=same_path)
    except OSError as error:
        raise WorkspaceError(
            f"{shown(workspace_folder)}: cannot be read: {error.strerror}; let yourself read it"
        ) from None
    unshadowed = _named_once(left)
    notes: list[Note] = []
    if is_file(os.path.join(workspace_folder, "pyvenv.cfg")):
        why = "the workspace folder itself is a venv, which cannot be shadowed: it holds the source"
        notes.append(Note(NoteKind.WORKSPACE, why=why, advice="make it anew in .venv"))
    else:
        reserved, more_notes = _reserve(workspace_folder, workspace_folder, found, configurations)
        found += reserved
        notes += more_notes
    for folder in dict.fromkeys(mounted_folders):
        if folder == workspace_folder:
            continue
        try:
            more, left = _scan(folder, workspace_folder, same_path=same_path)
        except OSError as error:
            why = f"{shown(folder)}: cannot be searched for venvs: {error.strerror}"
            notes.append(Note(NoteKind.WORKSPACE, why=why, advice="let yourself read it"))
            continue
        reserved, more_notes = _reserve(folder, workspace_folder, more, ())
        found += [*more, *reserved]
        notes += more_notes
        unshadowed = _named_once([*unshadowed, *left])
    shadowed = {directory.host_path for directory in found if not directory.problem}

    def needs_none(link: Found) -> bool:
        """Tell whether a symlink out of the workspace folder leads to the venv of the git root, in both worlds."""
        if not link.problem or link.host_path not in shadowed:
            return False
        return same_path or not os.path.isabs(os.readlink(os.path.join(workspace_folder, link.path)))

    return Detected([directory for directory in found if not needs_none(directory)], unshadowed, notes)


def _named_once(unshadowed: Iterable[Unshadowed]) -> list[Unshadowed]:
    """Return what is left alone, each under its first name."""
    by_host_path: dict[str, Unshadowed] = {}
    for directory in unshadowed:
        by_host_path.setdefault(directory.host_path, directory)
    return list(by_host_path.values())


def _reserve(
    folder: str, workspace_folder: str, found: Iterable[Found], configurations: Sequence[str]
) -> tuple[list[Found], Sequence[Note]]:
    """Return the `.venv` of a folder whose project keeps its venv there, unless it was found, and notes."""
    host_path = os.path.join(folder, RESERVED)
    if any(directory.host_path == host_path or os.path.basename(directory.path) == RESERVED for directory in found):
        return [], _notes_on_set_ups(folder, configurations)
    from paude_venv_hook.workspace.reserve import find_evidence  # noqa: PLC0415 - most workspaces have a .venv

    evidence = find_evidence(folder, configurations)
    if not evidence.text:
        return [], evidence.notes
    is_possible = os.path.isdir(host_path) or can_make(folder)
    problem = None if is_possible else Reason(f"{shown(folder)} cannot be written, so that it cannot be made; make it")
    path = _relative(host_path, workspace_folder)
    return [Found(path, host_path, Kind.RESERVED, evidence.text, problem)], evidence.notes


def _notes_on_set_ups(folder: str, configurations: Sequence[str]) -> Sequence[Note]:
    if not any(re.search(_COMMANDS, read_start(path)) for path in configurations):
        return ()
    from paude_venv_hook.workspace.reserve import notes_on_others  # noqa: PLC0415 - few have a command

    return notes_on_others(folder, configurations)


def _relative(path: str, workspace_folder: str) -> str:
    return os.path.relpath(path, workspace_folder).replace(os.sep, "/")


def _scan(folder: str, workspace_folder: str, *, same_path: bool) -> tuple[list[Found], list[Unshadowed]]:
    """Return what the top level of `folder` holds, and what is left alone there."""
    found: list[Found] = []
    unshadowed: list[Unshadowed] = []
    access, exists = os.access, os.F_OK  # a question without the cost of an exception
    prefix = "" if folder == workspace_folder else _relative(folder, workspace_folder) + "/"
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                path = entry.path
                if access(path + "/pyvenv.cfg", exists) and is_file(path + "/pyvenv.cfg"):
                    found.append(_found_venv(prefix + entry.name, path, Kind.VENV))
                elif _links(entry) != _NO_FOLDERS_INSIDE:
                    _look_inside(prefix + entry.name, path, found, unshadowed)
            elif entry.is_symlink() or entry.name == RESERVED:
                _follow(entry, folder, prefix, found, unshadowed, same_path=same_path)
    if access(folder + "/.git/worktrees", exists):
        from paude_venv_hook.workspace.deep import venvs_of_worktrees  # noqa: PLC0415 - few repositories have one

        of_worktrees = venvs_of_worktrees(folder)
        unshadowed += [Unshadowed(prefix + _relative(venv, folder), venv, Kind.OF_WORKTREE) for venv in of_worktrees]
    return sorted(found, key=_path), sorted(unshadowed, key=_path)


def _path(directory: Found | Unshadowed) -> str:
    return directory.path


def _follow(
    entry: os.DirEntry[str],
    folder: str,
    prefix: str,
    found: list[Found],
    unshadowed: list[Unshadowed],
    *,
    same_path: bool,
) -> None:
    """Add what a symlink, or a file called `.venv`, leads to."""
    from paude_venv_hook.workspace.links import follow_link, named_by_file  # noqa: PLC0415 - few workspaces have one

    if entry.is_symlink():
        if entry.name == RESERVED or is_file(entry.path + "/pyvenv.cfg"):
            host_path, problem = follow_link(entry.path, folder, same_path=same_path)
            if entry.name == RESERVED or not problem:
                found.append(Found(prefix + entry.name, host_path, Kind.LINK, problem=problem))
    elif target := named_by_file(entry.path, folder):
        found.append(Found(prefix + _relative(target, folder), target, Kind.NAMED_BY_FILE))
    elif entry.is_file():
        unshadowed.append(Unshadowed(prefix + RESERVED, entry.path, Kind.NAMES_NO_VENV))


def _links(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat(follow_symlinks=False).st_nlink
    except OSError:  # it is gone
        return _NO_FOLDERS_INSIDE


def _found_venv(path: str, host_path: str, kind: Kind) -> Found:
    made_at, has_python = origin(host_path)
    return Found(path, host_path, kind, made_at=made_at, has_python=has_python)


def _look_inside(name: str, path: str, found: list[Found], unshadowed: list[Unshadowed]) -> None:
    """Add what a directory that is no venv, of the name and host path, is all the same, or holds one level down."""
    base = os.path.basename(path)
    if os.access(path + "/bin/activate", os.F_OK) and is_old_virtualenv(path):
        found.append(_found_venv(name, path, Kind.OLD_VIRTUALENV))
    elif base == RESERVED:
        if any(_venvs_inside(path)):
            found.append(Found(name, path, Kind.HOLDS_VENVS))
        else:
            unshadowed.append(Unshadowed(name, path, Kind.NO_VENV))
    elif base in _ENVIRONMENT_PARENTS:
        if _has_folders(path):
            unshadowed.append(Unshadowed(name, path, Kind.HOLDS_ENVIRONMENTS))
    elif base == ".pixi":  # its config.toml is the project's
        if _has_folders(path + "/envs"):
            unshadowed.append(Unshadowed(name + "/envs", path + "/envs", Kind.HOLDS_ENVIRONMENTS))
    elif os.access(path + "/conda-meta", os.F_OK):
        unshadowed.append(Unshadowed(name, path, Kind.CONDA))
    elif base not in WITHOUT_VENVS:
        unshadowed += _below(name, path)


def _below(name: str, path: str) -> list[Unshadowed]:
    """Return the venvs one level down in a directory, and in the worktrees that it holds."""
    venvs = [
        Unshadowed(f"{name}/{inner}", os.path.join(path, inner), Kind.FURTHER_DOWN) for inner in _venvs_inside(path)
    ]
    if os.access(path + "/worktrees", os.F_OK):
        from paude_venv_hook.workspace.deep import venvs_below  # noqa: PLC0415 - few workspaces have one

        of_worktrees = venvs_below(path + "/worktrees")
        venvs += [Unshadowed(name + venv.removeprefix(path), venv, Kind.OF_WORKTREE) for venv in of_worktrees]
    return venvs


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
