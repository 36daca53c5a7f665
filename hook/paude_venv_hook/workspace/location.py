"""Where a workspace folder is: on the host, and in the container."""

from __future__ import annotations

import os
from collections import namedtuple

from paude_venv_hook.engines.mounts import Mount, container_path
from paude_venv_hook.errors import UsageError, WorkspaceError
from paude_venv_hook.files import is_inside
from paude_venv_hook.names import can_be_mounted
from paude_venv_hook.text import shown
from paude_venv_hook.workspace.devcontainer import find_devcontainer, read_devcontainer
from paude_venv_hook.workspace.settings import FILE_NAME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Location(namedtuple("Location", ("mount", "why", "mounted"), defaults=(frozenset(),))):
    """Where the workspace is in the container.

    `mount` is the workspace mount (its source is a host path as it was written), None where there is none; `why` says
    how that was decided; `mounted` holds the container paths on which the configuration mounts something else.
    """

    __slots__ = ()
    mount: Mount | None
    why: str
    mounted: frozenset[str]


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


def locate(
    workspace_folder: str,
    container_workspace_folder: str | None,
    config: str | None,
    environ: Mapping[str, str],
) -> Location:
    """Return where the workspace folder (an absolute host path) is in the container.

    The flag `--container-workspace-folder` beats devcontainer.json (`config` names another one). Without either the
    workspace is mounted under its host path, as paude does.
    """
    if container_workspace_folder is not None:
        target = container_path(container_workspace_folder)
        if not target.startswith("/") or target == "/" or not can_be_mounted(target):
            raise UsageError(
                f'--container-workspace-folder: "{shown(container_workspace_folder)}" cannot hold the workspace; '
                "write an absolute path below / in the container"
            )
    path = find_devcontainer(workspace_folder) if config is None else os.path.abspath(config)
    found = None if path is None else read_devcontainer(path, workspace_folder, environ)
    mounted = found.targets if found else frozenset()
    if container_workspace_folder is not None:
        is_shared = bool(found and found.mount and found.mount.is_shared)
        return Location(Mount("bind", workspace_folder, target, is_shared), "--container-workspace-folder", mounted)
    if found:
        return Location(found.mount, found.why, mounted)
    if not workspace_folder.startswith("/"):
        raise WorkspaceError(
            f"{shown(workspace_folder)}: is no path in a container; say where it is with --container-workspace-folder"
        )
    return Location(Mount("bind", workspace_folder, workspace_folder), "no devcontainer.json: the same path as here")


def binds_of(mounts: Iterable[Mount], workspace_folder: str) -> list[Mount]:
    """Return the bind mounts that carry the workspace folder (a host path), the one with the nearest source first."""
    real = os.path.realpath(workspace_folder)
    binds = [mount for mount in mounts if mount.type == "bind" and is_inside(real, os.path.realpath(mount.source))]
    return sorted(binds, key=lambda bind: len(os.path.realpath(bind.source)), reverse=True)


def opted_in(folder: str) -> bool:
    """Tell whether the host folder is a workspace by what it holds: a paude.json or a devcontainer.json."""
    return os.path.isfile(os.path.join(folder, FILE_NAME)) or find_devcontainer(folder) is not None
