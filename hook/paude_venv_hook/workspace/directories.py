"""Find the directories that the settings mean: what `auto` finds, or a list, and those of `venv-also`."""

from __future__ import annotations

import os

from paude_venv_hook.text import shown
from paude_venv_hook.workspace.contents import Kind, Unshadowed
from paude_venv_hook.workspace.detection import Detection, detect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from paude_venv_hook.workspace.settings import Settings


def find_directories(
    workspace_folder: str,
    settings: Settings,
    mounted_folders: Sequence[str],
    configurations: Sequence[str],
    *,
    same_path: bool,
) -> Detection:
    """Return what is to be shadowed in a workspace folder, unless its `venv` is "none", and what is left alone.

    Of a list these are the venvs at the top level, whether or not it names them. The arguments are those of `detect`.
    Raises WorkspaceError, and SettingsError for a list that names what cannot be shadowed.
    """
    if settings.venv == "auto":
        detected = detect(workspace_folder, mounted_folders, configurations, same_path=same_path)
    else:
        from paude_venv_hook.workspace.listed import find_listed  # noqa: PLC0415 - few workspaces have a list

        where = _name_list(settings.venv_source, "venv")
        listed = find_listed(workspace_folder, settings.venv, where, same_path=same_path)
        detected = Detection(listed, _not_listed(workspace_folder, settings.venv, mounted_folders))
    if not settings.also:
        return detected
    from paude_venv_hook.workspace.listed import find_listed  # noqa: PLC0415 - as above

    where = _name_list(settings.also_source, "venv-also")
    also = find_listed(workspace_folder, settings.also, where, Kind.ALSO, same_path=same_path)
    return detected._replace(directories=[*detected.directories, *also])


def _not_listed(workspace_folder: str, listed: Sequence[str], mounted_folders: Sequence[str]) -> list[Unshadowed]:
    """Return the venvs at the top level of the workspace and of what is mounted, which a list may leave visible.

    Who lists nothing at all means it.
    """
    if not listed:
        return []
    detected = detect(workspace_folder, mounted_folders, (), same_path=False)
    existing = [directory for directory in detected.directories if directory.exists]
    return [Unshadowed(venv.path, venv.host_path, venv.kind) for venv in existing]


def _name_list(source: str, key: str) -> str:
    """Return how errors name a list; its source is a file's path, a flag or a variable."""
    return f"{shown(source)}: {key}" if os.path.isabs(source) else source
