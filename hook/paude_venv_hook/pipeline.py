"""The straight way: read settings, configuration and workspace; plan; render the overlay. Writes nothing."""

from __future__ import annotations

import os
from collections import namedtuple

from paude_venv_hook.engines.choice import choose_engine
from paude_venv_hook.files import is_inside
from paude_venv_hook.overlay import make_document
from paude_venv_hook.plan import Plan, Skipped, make_plan, without_colons
from paude_venv_hook.text import shown
from paude_venv_hook.workspace.detection import detect, find_listed
from paude_venv_hook.workspace.location import Location, check_workspace_folder, locate, refuse_unmountable
from paude_venv_hook.workspace.settings import MAX_DIRECTORIES, read_settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from paude_venv_hook.workspace.settings import Settings


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
            refuse_unmountable(path)
        plan, warnings = _plan(workspace_folder, settings, location)
    document = make_document(workspace_folder, location.mount, chosen, settings, owner, plan)
    if chosen == "docker":
        plan = without_colons(plan, "Docker")
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


def _plan(workspace_folder: str, settings: Settings, location: Location) -> tuple[Plan, list[str]]:
    mount = location.mount
    if mount is None:
        return Plan((), (Skipped(".", location.why),)), []
    real = os.path.realpath(workspace_folder)
    source = os.path.realpath(mount.source)
    if not is_inside(real, source) and not is_inside(source, real):
        return Plan((), (Skipped(".", f"{shown(mount.source)} is mounted, which does not hold it"),)), []
    if mount.is_shared:  # the engines have no way to keep a mount in it from the host
        why = f"{shown(mount.source)} is mounted shared, so that the host's venv would be covered too; mount it private"
        return Plan((), (Skipped(".", why),)), []
    same_path = mount.source == mount.target
    if settings.venv == "auto":
        found, warnings = detect(real, source, same_path=same_path)
    else:
        said_in = settings.venv_source  # a file's path, a flag or a variable
        where = f"{shown(said_in)}: venv" if os.path.isabs(said_in) else said_in
        found, warnings = find_listed(real, settings.venv, where, same_path=same_path), []
    plan = make_plan(found, real, mount._replace(source=source), location.mounted)
    if len(plan.shadows) > MAX_DIRECTORIES:
        why = f"{len(plan.shadows)} venvs are more than {MAX_DIRECTORIES}; list those that matter"
        plan = Plan((), (Skipped(".", why),))
    return plan, warnings
