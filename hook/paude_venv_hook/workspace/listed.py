"""The directories that a list in the settings names, whether or not they exist, and those that its patterns match."""

from __future__ import annotations

import os
from collections.abc import Iterable

from paude_venv_hook.errors import SettingsError
from paude_venv_hook.files import can_make, is_inside
from paude_venv_hook.text import shown
from paude_venv_hook.workspace.contents import RESERVED, Directory, Kind, Reason, no_mount_point
from paude_venv_hook.workspace.links import follow_link
from paude_venv_hook.workspace.patterns import MOST_DIRECTORIES, Search, is_pattern, matches
from paude_venv_hook.workspace.reserve import find_evidence, is_unused
from paude_venv_hook.workspace.venv import is_venv

_NO_MATCH = {
    Kind.LISTED: Reason("no venv matches it; make one, or remove the entry"),
    Kind.ALSO: Reason("no directory matches it; make one, or remove the entry"),
}
_TOO_MANY = Reason(
    f"more than {MOST_DIRECTORIES} directories would have to be searched, and what was not stays visible; "
    "write names in place of some wildcards"
)


def find_listed(
    workspace_folder: str, names: Iterable[str], where: str, kind: Kind = Kind.LISTED, *, same_path: bool
) -> list[Directory]:
    """Return the listed directories of the workspace folder (a real host path), whether or not they exist.

    The names are those of `settings.check_name`; `where` names the list in errors. A pattern such as `packages/*/.venv`
    gives the venvs that match it (all directories, for the kind ALSO), and each `.venv` that a project in a folder that
    matches keeps but did not make yet.
    Raises SettingsError for a name that is a file, or leaves the workspace folder through a symlink.
    """
    directories = []
    unfinished = []
    search = Search(workspace_folder)
    for index, name in enumerate(names):
        if is_pattern(name) and not os.path.lexists(os.path.join(workspace_folder, name)):
            directories += _match(workspace_folder, name, kind, search, same_path=same_path)
            if search.is_exhausted:
                unfinished.append(name)
            continue
        host_path, problem, refusal = _resolve(workspace_folder, name, same_path=same_path)
        if refusal:
            raise SettingsError(f'{where}[{index}]: "{shown(name)}" {refusal}')
        directories.append(Directory(name, host_path, kind, problem=problem))
    if unfinished:
        others = len(unfinished) - 1
        patterns = f"{unfinished[0]} and {others} more" if others else unfinished[0]
        directories.append(Directory(patterns, os.path.join(workspace_folder, unfinished[0]), kind, problem=_TOO_MANY))
    return directories


def _match(workspace_folder: str, pattern: str, kind: Kind, search: Search, *, same_path: bool) -> list[Directory]:
    directories = []
    last = pattern.rpartition("/")[2]
    for folder, names in search.find(pattern):
        parent = os.path.join(workspace_folder, folder)
        for name in names:
            path = os.path.join(parent, name)
            if os.path.isdir(path) and (kind is Kind.ALSO or is_venv(path) or is_unused(path)):
                directories += _matched(workspace_folder, _below(folder, name), kind, "", same_path=same_path)
        if RESERVED not in names and matches(RESERVED, last):
            evidence = find_evidence(parent).text
            if evidence:
                directories += _matched(workspace_folder, _below(folder, RESERVED), kind, evidence, same_path=same_path)
    if directories or search.is_exhausted:
        return directories
    return [Directory(pattern, os.path.join(workspace_folder, pattern), kind, problem=_NO_MATCH[kind])]


def _matched(workspace_folder: str, name: str, kind: Kind, evidence: str, *, same_path: bool) -> list[Directory]:
    """Return a directory that a pattern matches; none for one that leaves the workspace folder."""
    host_path, problem, refusal = _resolve(workspace_folder, name, same_path=same_path)
    return [] if refusal else [Directory(name, host_path, kind, evidence, problem)]


def _below(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _resolve(workspace_folder: str, name: str, *, same_path: bool) -> tuple[str, Reason | None, str]:
    """Return the real path of a listed directory, why it cannot be shadowed, if so, and "" or why that is an error."""
    path = os.path.join(workspace_folder, *name.split("/"))
    parent = os.path.realpath(os.path.dirname(path))
    host_path = os.path.join(parent, os.path.basename(path))
    if not is_inside(parent, workspace_folder):
        refusal = "leaves the workspace folder through a symlink; name a directory inside of it"
        return host_path, None, refusal
    if os.path.islink(host_path):
        host_path, why = follow_link(host_path, workspace_folder, same_path=same_path)
        refusal = f"is {why.text}; name the directory itself, or remove the entry" if why else ""
        return host_path, None, refusal
    if not os.path.isdir(parent):
        state = "is no directory" if os.path.lexists(parent) else "does not exist"
        why = Reason(f"{shown(os.path.dirname(name))} {state}, so there is no place for a mount point; make it")
        return host_path, why, ""
    if os.path.lexists(host_path) and not os.path.isdir(host_path):
        return host_path, None, "is a file, and only a directory can be shadowed; remove the entry"
    if not os.path.lexists(host_path) and not can_make(parent):
        return host_path, no_mount_point(parent), ""
    return host_path, None, ""
