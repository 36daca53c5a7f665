"""The straight way: read settings, configuration and workspace; plan; render the overlay. Writes nothing."""

from __future__ import annotations

import os
from collections import namedtuple

from paude_venv_hook.detection import detect, find_listed, is_inside
from paude_venv_hook.devcontainer import find_devcontainer, read_devcontainer
from paude_venv_hook.engine_choice import choose_engine
from paude_venv_hook.errors import UsageError, WorkspaceError
from paude_venv_hook.mounts import Mount, container_path
from paude_venv_hook.overlay import make_document
from paude_venv_hook.plan import Plan, Skipped, can_be_mounted, make_plan
from paude_venv_hook.settings import read_settings
from paude_venv_hook.text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from paude_venv_hook.settings import Settings


class Location(namedtuple("Location", ("mount", "why", "mounted"), defaults=(frozenset(),))):
    """Where the workspace is in the container.

    `mount` is the workspace mount (its source is a host path as it was written), None where there is none; `why` says
    how that was decided; `mounted` holds the container paths on which the configuration mounts something else.
    """

    __slots__ = ()
    mount: Mount | None
    why: str
    mounted: frozenset[str]


class Prepared(
    namedtuple("Prepared", ("workspace_folder", "settings", "engine", "engine_why", "location", "plan", "warnings",
                            "document"))
):  # fmt: skip
    """Everything that is known about one workspace folder; `document` is its overlay."""

    __slots__ = ()
    workspace_folder: str
    settings: Settings
    engine: str
    engine_why: str
    location: Location
    plan: Plan
    warnings: tuple[str, ...]
    document: dict[str, Any]

    def messages(self) -> list[str]:
        """Return what a person should know before the container starts, one line each."""
        skipped = [
            f"{'nothing' if item.path == '.' else f'{shown(item.path)} not'} shadowed: {shown(item.why)}"
            for item in self.plan.skipped
        ]
        return [*self.warnings, *skipped]


def prepare(
    workspace_folder: str,
    environ: Mapping[str, str],
    *,
    location: Location | None = None,
    container_workspace_folder: str | None = None,
    config: str | None = None,
    engine: str = "auto",
    venv: str | None = None,
) -> Prepared:
    """Return the plan and the overlay of a workspace folder (a host path), from the values of the flags.

    A `location` that is known already, from a command line say, is used instead of looking it up.
    Raises a HookError for whatever is wrong; nothing has been written then, as nothing is ever written here.
    """
    workspace_folder = check_workspace_folder(workspace_folder)
    settings = read_settings(workspace_folder, venv, environ)
    folder, tmpfs = os.stat(workspace_folder), settings.tmpfs
    owner = (folder.st_uid if tmpfs.uid is None else tmpfs.uid, folder.st_gid if tmpfs.gid is None else tmpfs.gid)
    chosen, engine_why = choose_engine(engine, environ)
    warnings: list[str] = []
    if settings.venv == "none":
        location, plan = Location(None, "not looked up, since venv is none"), Plan()
    else:
        location = location or locate(workspace_folder, container_workspace_folder, config, environ)
        for path in (location.mount.source, location.mount.target) if location.mount else ():
            _refuse_unmountable(path)
        plan, warnings = _plan(workspace_folder, settings, location)
    document = make_document(workspace_folder, location.mount, chosen, settings, owner, plan)
    return Prepared(
        workspace_folder,
        settings,
        chosen,
        engine_why,
        location,
        plan,
        (*settings.warnings, *warnings),
        document,
    )


def check_workspace_folder(path: str) -> str:
    """Return the absolute host path of a workspace folder, symlinks kept; WorkspaceError for what cannot be one."""
    path = os.path.abspath(path)
    _refuse_unmountable(path)
    if not os.path.isdir(path):
        problem = "is not a directory" if os.path.lexists(path) else "does not exist"
        raise WorkspaceError(f"{shown(path)}: {problem}; name the workspace folder with --workspace-folder")
    return path


def _refuse_unmountable(path: str) -> None:
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
        return Location(Mount("bind", workspace_folder, target), "--container-workspace-folder", mounted)
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


def _plan(workspace_folder: str, settings: Settings, location: Location) -> tuple[Plan, list[str]]:
    mount = location.mount
    if mount is None:
        return Plan((), (Skipped(".", location.why),)), []
    real = os.path.realpath(workspace_folder)
    source = os.path.realpath(mount.source)
    if not is_inside(real, source) and not is_inside(source, real):
        return Plan((), (Skipped(".", f"{shown(mount.source)} is mounted, which does not hold it"),)), []
    same_path = mount.source == mount.target
    if settings.venv == "auto":
        found, warnings = detect(real, source, same_path=same_path)
    else:
        said_in = settings.venv_source  # a file's path, a flag or a variable
        where = f"{shown(said_in)}: venv" if os.path.isabs(said_in) else said_in
        found, warnings = find_listed(real, settings.venv, where, same_path=same_path), []
    return make_plan(found, real, mount._replace(source=source), location.mounted), warnings
