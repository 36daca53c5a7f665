"""Where a workspace folder is: on the host, and in the container."""

from __future__ import annotations

import os
from collections.abc import Mapping

from paude_venv_hook.engines.mountable import can_be_mounted
from paude_venv_hook.engines.mounts import Mount, container_path
from paude_venv_hook.errors import UsageError, WorkspaceError
from paude_venv_hook.records import NamedTuple
from paude_venv_hook.text import shown
from paude_venv_hook.workspace.devcontainer import (
    find_devcontainer,
    named_devcontainers,
)
from paude_venv_hook.workspace.settings import FILE_NAME


class Location(NamedTuple):
    """Where the workspace is in the container.

    `mounts` are the binds that carry it, or a part of it (their sources are host paths): the workspace mount first,
    nothing if there is none. `why` says how that was decided, `advice` what to do if there is none (None: mount it).
    `mounted` maps the container paths of all other mounts, and of those after the first, to their types.
    `is_by_compose` tells that only compose files say what is mounted.
    """

    mounts: tuple[Mount, ...]
    why: str
    mounted: Mapping[str, str] = {}
    advice: str | None = None
    is_by_compose: bool = False

    @property
    def mount(self) -> Mount | None:
        """The workspace mount."""
        return self.mounts[0] if self.mounts else None


class Workspace(NamedTuple):
    """A workspace that a container mounts: its real host path, where it is in the container, and how it is read.

    `config` is the devcontainer.json by which it is started, None if no label names one. `is_chosen` tells that it is
    the one of the start folder or of a label, or has opted in, so that a list of directories is meant for it.
    `is_above` tells that no bind has it as a whole. `venv` is the mode that a label asks for, None if none does.
    """

    folder: str
    location: Location
    config: str | None = None
    is_chosen: bool = True
    is_above: bool = False
    venv: str | None = None


def check_workspace_folder(path: str) -> str:
    """Return the absolute host path of a workspace folder, symlinks kept; WorkspaceError for what cannot be one."""
    path = os.path.abspath(path)
    refuse_unmountable(path)
    if not os.path.isdir(path):
        problem = "is not a directory" if os.path.lexists(path) else "does not exist"
        raise WorkspaceError(f"{shown(path)}: {problem}; name the workspace folder with --workspace-folder")
    return path


def refuse_unmountable(path: str) -> None:
    """Raise WorkspaceError for a path on which, or from which, no engine can mount."""
    if not can_be_mounted(path):
        raise WorkspaceError(f"{shown(path)}: no engine can mount a path with such characters; rename the folder")


def container_folder(text: str) -> str:
    """Return the container path that a value of `--container-workspace-folder` means. Raises UsageError."""
    target = container_path(text)
    if not target.startswith("/") or target == "/" or not can_be_mounted(target):
        raise UsageError(
            f'--container-workspace-folder: "{shown(text)}" cannot hold the workspace; '
            "write an absolute path below / in the container"
        )
    return target


def has_opted_in(folder: str) -> bool:
    """Tell whether the host folder is a workspace by what it holds: a paude.json or a devcontainer.json."""
    if os.path.isfile(os.path.join(folder, FILE_NAME)) or find_devcontainer(folder) is not None:
        return True
    return bool(named_devcontainers(folder))
