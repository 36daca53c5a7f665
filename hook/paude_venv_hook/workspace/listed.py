"""The directories that a list in the settings names, whether or not they exist, and those that its patterns match."""

from __future__ import annotations

import os

from paude_venv_hook.errors import SettingsError
from paude_venv_hook.files import can_make, is_inside
from paude_venv_hook.text import shown
from paude_venv_hook.workspace.found import Found, Kind, Reason
from paude_venv_hook.workspace.links import follow_link
from paude_venv_hook.workspace.reserve import is_unused
from paude_venv_hook.workspace.venv import is_venv

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


_NO_MATCH = Reason("no venv matches it; make one, or remove the entry")


def find_listed(workspace_folder: str, names: Iterable[str], where: str, *, same_path: bool) -> list[Found]:
    """Return the listed directories of the workspace folder (a real host path), whether or not they exist.

    The names are those of `settings.check_name`; `where` names the list in errors. A pattern such as `packages/*/.venv`
    gives the venvs that match it. Raises SettingsError for a name that is a file, or leaves the workspace folder
    through a symlink.
    """
    found = []
    for index, name in enumerate(names):
        text = f'{where}[{index}]: "{shown(name)}"'
        if is_pattern(name) and not os.path.lexists(os.path.join(workspace_folder, name)):
            found += _match(workspace_folder, name, same_path=same_path)
            continue
        host_path, problem, refusal = _resolve(workspace_folder, name, same_path=same_path)
        if refusal:
            raise SettingsError(f"{text} {refusal}")
        found.append(Found(name, host_path, Kind.LISTED, problem=problem))
    return found


def is_pattern(name: str) -> bool:
    """Tell whether a listed name is a pattern, as for glob(7), unless there is a directory of that very name."""
    return any(c in name for c in "*?[")


def _match(workspace_folder: str, pattern: str, *, same_path: bool) -> list[Found]:
    import glob  # noqa: PLC0415 - 2 ms, for the few lists that hold a pattern

    found = []
    for name in sorted(glob.glob(pattern, root_dir=workspace_folder)):
        path = os.path.join(workspace_folder, name)
        if os.path.isdir(path) and (is_venv(path) or is_unused(path)):
            host_path, _, refusal = _resolve(workspace_folder, name, same_path=same_path)
            if not refusal:
                found.append(Found(name.replace(os.sep, "/"), host_path, Kind.LISTED))
    return found or [Found(pattern, os.path.join(workspace_folder, pattern), Kind.LISTED, problem=_NO_MATCH)]


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
        return host_path, Reason(f"{shown(parent)} cannot be written, so that it cannot be made; make it"), ""
    return host_path, None, ""
