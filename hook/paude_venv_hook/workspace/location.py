"""Where a workspace folder is: on the host, and in the container."""

from __future__ import annotations

import os

from paude_venv_hook.engines.mountable import can_be_mounted
from paude_venv_hook.engines.mounts import Mount, container_path
from paude_venv_hook.errors import UsageError, WorkspaceError
from paude_venv_hook.files import is_inside
from paude_venv_hook.records import NamedTuple
from paude_venv_hook.text import shown
from paude_venv_hook.workspace.devcontainer import (
    find_devcontainer,
    is_containers_own,
    named_devcontainers,
    read_devcontainer,
)
from paude_venv_hook.workspace.settings import FILE_NAME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Location(NamedTuple):
    """Where the workspace is in the container.

    `mounts` are the binds that carry it, or a part of it (their sources are host paths as they were written): the
    workspace mount first, nothing where there is none. `why` says how that was decided. `mounted` maps the container
    paths of all other mounts, and of those after the first, to their types.
    """

    mounts: tuple[Mount, ...]
    why: str
    mounted: Mapping[str, str] = {}

    @property
    def mount(self) -> Mount | None:
        """The workspace mount."""
        return self.mounts[0] if self.mounts else None


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
    target = None if container_workspace_folder is None else container_folder(container_workspace_folder)
    path = find_devcontainer(workspace_folder) if config is None else os.path.abspath(config)
    found = None if path is None else read_devcontainer(path, workspace_folder, environ)
    others = found.mounts if found else ()
    mounted = {mount.target: mount.type for mount in others}
    parts = parts_of((mount for mount in others if not is_containers_own(mount.target)), workspace_folder)
    if target is not None:
        is_shared = bool(found and found.mount and found.mount.is_shared)
        mount = Mount("bind", workspace_folder, target, is_shared)
        return Location((mount, *parts), "--container-workspace-folder", mounted)
    if found:
        mounts = (found.mount, *parts) if found.mount else ()
        return Location(mounts, found.why, mounted)
    if not workspace_folder.startswith("/"):
        raise WorkspaceError(
            f"{shown(workspace_folder)}: is no path in a container; say where it is with --container-workspace-folder"
        )
    mount = Mount("bind", workspace_folder, workspace_folder)
    return Location((mount,), "no devcontainer.json: the same path as here")


def container_folder(text: str) -> str:
    """Return the container path that a value of `--container-workspace-folder` means. Raises UsageError."""
    target = container_path(text)
    if not target.startswith("/") or target == "/" or not can_be_mounted(target):
        raise UsageError(
            f'--container-workspace-folder: "{shown(text)}" cannot hold the workspace; '
            "write an absolute path below / in the container"
        )
    return target


def parts_of(mounts: Iterable[Mount], workspace_folder: str) -> list[Mount]:
    """Return the binds that carry the workspace folder (a host path) or a directory in it."""
    real = os.path.realpath(workspace_folder)

    def carries(mount: Mount) -> bool:
        source = os.path.realpath(os.path.join(real, mount.source))
        return (is_inside(real, source) or is_inside(source, real)) and os.path.isdir(source)

    return [
        mount._replace(source=os.path.join(workspace_folder, mount.source))
        for mount in mounts
        if mount.type == "bind" and mount.target.startswith("/") and mount.target != "/" and carries(mount)
    ]


def binds_of(mounts: Iterable[Mount], workspace_folder: str) -> list[Mount]:
    """Return the bind mounts that carry the workspace folder (a host path), the one with the nearest source first."""
    real = os.path.realpath(workspace_folder)
    binds = [mount for mount in mounts if mount.type == "bind" and is_inside(real, os.path.realpath(mount.source))]
    return sorted(binds, key=lambda bind: len(os.path.realpath(bind.source)), reverse=True)


def opted_in(folder: str) -> bool:
    """Tell whether the host folder is a workspace by what it holds: a paude.json or a devcontainer.json."""
    if os.path.isfile(os.path.join(folder, FILE_NAME)) or find_devcontainer(folder) is not None:
        return True
    return bool(named_devcontainers(folder))
