"""The straight way: read settings, configuration and workspace; plan; render the overlay. Writes nothing."""

from __future__ import annotations

import os

from paude_venv_hook import messages
from paude_venv_hook.engines.choice import choose_engine
from paude_venv_hook.engines.table import COMMON
from paude_venv_hook.files import is_inside
from paude_venv_hook.overlay import as_engine_can, make_document
from paude_venv_hook.plan import Plan, Skipped, make_plan, name_for_people
from paude_venv_hook.records import NamedTuple
from paude_venv_hook.text import shown
from paude_venv_hook.workspace.detection import detect
from paude_venv_hook.workspace.devcontainer import (
    find_devcontainer,
    named_devcontainers,
    set_up_commands,
    set_up_once,
)
from paude_venv_hook.workspace.directories import find_directories
from paude_venv_hook.workspace.found import RESERVED, Found, Kind, Reason, Unshadowed
from paude_venv_hook.workspace.location import Location, check_workspace_folder, locate, refuse_unmountable
from paude_venv_hook.workspace.settings import FILE_NAME, MAX_DIRECTORIES, read_settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from typing import Any

    from paude_venv_hook.engines.mounts import Mount
    from paude_venv_hook.engines.run_grammar import Said
    from paude_venv_hook.stores.purpose import Purpose
    from paude_venv_hook.workspace.settings import Settings


class Prepared(NamedTuple):
    """Everything that is known about one workspace folder; `document` is its overlay.

    With storage on disk, `purposes` maps each engine that has run arguments to what the stores of the shadows are for,
    in their order.
    """

    workspace_folder: str
    settings: Settings
    engine: str
    engine_why: str
    location: Location
    plan: Plan
    warnings: tuple[str, ...]
    document: dict[str, Any]
    purposes: Mapping[str, Sequence[Purpose]]

    def messages(self) -> list[str]:
        """Return what a person should know before the container starts, one line each."""
        return [*self.warnings, *messages.of_plan(self.plan)]

    def made(self, host_paths: Collection[str]) -> list[str]:
        """Return what a person should know of the mount points that had to be made, one line each."""
        made = [shadow for shadow in self.plan.shadows if shadow.host_path in host_paths]
        listed = [shadow for shadow in made if shadow.kind is Kind.LISTED]
        also = [shadow for shadow in made if shadow.kind is Kind.ALSO]
        lines = [messages.made_for_reserve(shadow) for shadow in made if shadow.kind is Kind.RESERVED]
        if listed:
            lines.append(messages.made_for_list(listed, self.settings.venv_source, left_visible(self)))
        if also:
            lines.append(messages.made_for_list(also, self.settings.also_source, ()))
        return lines

    def make_stores(self, engine: str | None = None) -> None:
        """Make the stores of an engine, without one those of the engine that was chosen. Raises StoreError."""
        for purpose in self.purposes.get(engine or self.engine, ()):
            from paude_venv_hook.stores.folder import make_store  # noqa: PLC0415 - not where venvs stay in memory

            make_store(purpose)


def prepare(  # noqa: PLR0913 - keywords, most of them a flag each
    workspace_folder: str,
    environ: Mapping[str, str],
    *,
    location: Location | None = None,
    container_workspace_folder: str | None = None,
    config: str | None = None,
    engine: str = "auto",
    venv: str | None = None,
    storage: str | None = None,
    said: Said | None = None,
) -> Prepared:
    """Return the plan and the overlay of a workspace folder (a host path), from the values of the flags.

    A `location` that is known already, from a command line say, is used instead of looking it up. So it is with
    `said`, what the launch says of its container: without it, a devcontainer.json says it.
    Raises a HookError for whatever is wrong; nothing has been written then, as nothing is ever written here.
    """
    workspace_folder = check_workspace_folder(workspace_folder)
    by_tools = location is None or config is not None
    config = config or find_devcontainer(workspace_folder)
    settings = read_settings(workspace_folder, venv, environ, storage)
    folder, tmpfs = os.stat(workspace_folder), settings.tmpfs
    owner = (folder.st_uid if tmpfs.uid is None else tmpfs.uid, folder.st_gid if tmpfs.gid is None else tmpfs.gid)
    chosen, engine_why = choose_engine(engine, environ)
    warnings: Sequence[str] = ()
    if settings.venv == "none":
        location, plan = Location((), "not looked up, since venv is none"), Plan()
    else:
        location = location or locate(workspace_folder, container_workspace_folder, config, environ)
        for mount in location.mounts:
            refuse_unmountable(mount.source)
            refuse_unmountable(mount.target)
        plan, warnings = _plan(workspace_folder, config, settings, location)
        if by_tools and config is None:
            warnings = [*warnings, *messages.unnamed(named_devcontainers(workspace_folder), workspace_folder)]
    in_memory = settings.storage == "memory"
    if config and by_tools and plan.shadows:
        warnings = (*warnings, *_of_commands(plan, config, workspace_folder, in_memory=in_memory))
    purposes: dict[str, list[Purpose]] = {}
    on_disk = None
    if plan.shadows and not in_memory:
        from paude_venv_hook import storage as disk  # noqa: PLC0415 - not where venvs stay in memory

        if said is None:
            said = disk.read_said(config if by_tools else None, workspace_folder, environ)
        plan = as_engine_can(plan, chosen, settings)
        for name in dict.fromkeys((*COMMON, chosen)):  # a store that nobody asked for is none to make
            purposes[name] = disk.make_purposes(plan, name, said, environ)
        plan = disk.with_stores(plan, purposes[chosen])

        def on_disk(name: str) -> list[str]:
            return disk.run_args(name, purposes.get(name), environ)

    document = make_document(workspace_folder, location.mount, chosen, settings, owner, plan, on_disk)
    return Prepared(
        workspace_folder,
        settings,
        chosen,
        engine_why,
        location,
        as_engine_can(plan, chosen, settings),
        (*settings.warnings, *warnings),
        document,
        {name: found for name, found in purposes.items() if document["engines"][name]["runArgs"] is not None},
    )


def _plan(
    workspace_folder: str, config: str | None, settings: Settings, location: Location
) -> tuple[Plan, Sequence[str]]:
    real = os.path.realpath(workspace_folder)
    everything = _real(location.mounts, {workspace_folder: real})
    carriers = [item for item in everything if is_inside(real, item.source) or is_inside(item.source, real)]
    mounts = [mount for mount in carriers if not mount.is_shared]
    same_path = not location.mounts or any(mount.source == mount.target for mount in location.mounts)
    own = os.path.join(workspace_folder, FILE_NAME)
    sources = [mount.source for mount in mounts]
    detected = find_directories(real, settings, sources, [config, own] if config else [own], same_path=same_path)
    # The engines have no way to keep a mount in a shared one from the host.
    shared = [
        f"{shown(mount.source)} is mounted shared, so that the host's venv would be covered too; mount it private"
        for mount in carriers
        if mount.is_shared
    ]
    if mounts:
        plan = make_plan(detected.found, real, mounts, location.mounted, detected.unshadowed)
        if len(plan.shadows) > MAX_DIRECTORIES:
            why = f"{len(plan.shadows)} venvs are more than {MAX_DIRECTORIES}; list those that matter"
            plan = Plan((), (Skipped(".", Reason(why)),))
        return plan, [*detected.warnings, *shared]
    why = f"{shown(location.mounts[0].source)} is mounted, which does not hold it" if location.mounts else location.why
    why = shared[0] if shared else why
    others = [
        Skipped(name_for_people(item.path), Reason(f"{item.why}; {why}"), is_expected=True) for item in detected.found
    ]
    advice = "" if "; " in why else 'mount it, or write "venv": "none" in paude.json'
    return Plan((), (Skipped(".", Reason(why, advice)), *others)), ()


def _of_commands(plan: Plan, config: str, workspace_folder: str, *, in_memory: bool) -> list[str]:
    """Return what a person should know of the commands that make the environments, in a devcontainer.json."""
    commands = set_up_commands(config)
    if not commands:
        return []
    from paude_venv_hook.workspace.guards import command_guards  # noqa: PLC0415 - not every workspace has one

    guarded = next((key for key, text in commands.items() if command_guards(text, workspace_folder)), "")
    if guarded and any(os.path.basename(shadow.path) == RESERVED for shadow in plan.shadows):
        return [messages.guarded(guarded)]
    once = set_up_once(commands) if in_memory else ""
    return [messages.emptied(plan.shadows, once)] if once else []


def _real(mounts: Iterable[Mount], known: Mapping[str, str]) -> list[Mount]:
    """Return the mounts with real sources, some of which are known."""
    return [mount._replace(source=known.get(mount.source) or os.path.realpath(mount.source)) for mount in mounts]


def left_visible(prepared: Prepared) -> list[Unshadowed]:
    """Return the environments that a list leaves visible, at the top level and one level down. Reads the workspace."""
    location = prepared.location
    if not isinstance(prepared.settings.venv, tuple) or not location.mounts:
        return []
    real = os.path.realpath(prepared.workspace_folder)
    detected = detect(real, (), (), same_path=False)
    venvs = [Unshadowed(*item[:3]) for item in detected.found if item.kind is not Kind.RESERVED]
    shadowed = [Found(shadow.path, shadow.host_path, shadow.kind) for shadow in prepared.plan.shadows]
    everything = (*venvs, *detected.unshadowed)
    mounts = _real(location.mounts, {prepared.workspace_folder: real})
    return list(make_plan(shadowed, real, mounts, location.mounted, everything).visible)
