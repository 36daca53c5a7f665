"""Add the arguments to a command line of an engine, from the workspaces that it mounts itself."""

from __future__ import annotations

import os
from collections import namedtuple

from paude_venv_hook.engines.choice import is_podman
from paude_venv_hook.engines.commandline import (
    Said,
    UnknownOptionError,
    find_subcommand,
    options,
    parse_run,
    platform_in,
)
from paude_venv_hook.engines.mounts import Mount, UnclearMountError, mounts_in
from paude_venv_hook.engines.programs import replace_process
from paude_venv_hook.errors import WorkspaceError
from paude_venv_hook.files import is_inside, mount_points
from paude_venv_hook.pipeline import prepare
from paude_venv_hook.terminal import announce, complain, guarded, warn
from paude_venv_hook.text import shown
from paude_venv_hook.workspace.detection import RESERVED_WHY, detect
from paude_venv_hook.workspace.location import Location, opted_in
from paude_venv_hook.workspace.settings import read_settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paude_venv_hook.engines.commandline import RunLine
    from paude_venv_hook.pipeline import Prepared

_LOCAL_FOLDER = "devcontainer.local_folder="
_CONFIG_FILE = "devcontainer.config_file="
_COMPOSE = (
    "compose decides what is mounted; use paude-venv-hook devcontainer-config, or print --format compose, which make a "
    "file for it"
)
_COMPOSE_FLAGS = ("--all-resources", "--compatibility", "--dry-run", "--verbose", "--no-ansi")
_COMPOSE_VALUES = (
    "--ansi", "--env-file", "--file", "--parallel", "--profile", "--progress", "--project-directory", "--project-name",
    "-f", "-p",
)  # fmt: skip
_STARTS = ("create", "run", "up", "watch")


class Workspace(namedtuple("Workspace", ("folder", "location", "config", "is_chosen"))):
    """A workspace that a command line mounts: its real host path, where it is in the container, and how it is read.

    `config` is the devcontainer.json by which it is started, None where the line names none. `is_chosen` tells that it
    is the current one or has opted in, so that a list of directories is meant for it.
    """

    __slots__ = ()
    folder: str
    location: Location
    config: str | None
    is_chosen: bool


class Added(namedtuple("Added", ("prepared", "words", "warnings", "nothing"))):
    """What came of a command line: the workspaces that it mounts, its arguments, and what a person should know.

    `nothing` is why nothing was added where that is no warning yet.
    """

    __slots__ = ()
    prepared: list[Prepared]
    words: list[str]
    warnings: list[str]
    nothing: str


def launch(program: str, arguments: Sequence[str], *, explicit: bool = False) -> int:
    """Replace this process by the engine at the host path, with the shadows added to its arguments.

    Where a person asked for it (`explicit`), it is said what is shadowed, or why nothing is. Returns an exit code only
    where the engine cannot be started: 125, as engines do before the start, where the settings are wrong. What is no
    fault of the settings, such as a mount point that cannot be made, stops no launch that works without us.
    """

    def add_and_start() -> int:
        starts = _starts_container(arguments)
        try:
            folder = os.getcwd()
        except OSError as error:
            if starts:
                warn([f"nothing shadowed: the current folder cannot be found: {error.strerror}; change to another one"])
            return replace_process(program, arguments)
        engine = "podman" if starts and is_podman(program, os.environ) else "docker"
        added = prepare_command_line(arguments, engine, os.environ, folder)
        shadows = [shadow for item in added.prepared for shadow in item.plan.shadows]
        try:
            with mount_points(shadow.host_path for shadow in shadows) as made:
                for item in added.prepared:
                    item.make_stores()
                warn(added.warnings)
                if explicit:
                    announce(shadows)
                nothing = added.nothing if starts else why_no_container(program, arguments)
                if nothing and (explicit or (nothing == _COMPOSE and _holds_venv(folder))):
                    complain(f"nothing shadowed: {nothing}")
                for line in (line for item in added.prepared for line in item.made(made)):
                    complain(line)
        except WorkspaceError as error:
            warn([f"nothing shadowed: {error}"])
            return replace_process(program, arguments)
        return replace_process(program, added.words)

    return guarded(add_and_start, refused=125)


def _starts_container(arguments: Sequence[str]) -> bool:
    """Tell whether the words make an engine run or create a container, as far as they are understood."""
    try:
        return find_subcommand(arguments)[0] in ("run", "create")
    except UnknownOptionError:
        return True


def prepare_command_line(arguments: Sequence[str], engine: str, environ: Mapping[str, str], folder: str) -> Added:
    """Return an engine's command line with the arguments added for the workspaces that it mounts.

    `arguments` are those after the program's name, `engine` says whose they are, `folder` is the host folder in which
    the engine starts. A line that runs or creates no container, or that is not understood, comes back as it is.
    Raises HookError for a workspace whose settings are wrong.
    """
    try:
        line = parse_run(arguments)
        workspaces = find_workspaces(line, folder) if line else []
    except UnclearMountError as error:
        return Added([], list(arguments), [f"nothing shadowed: {error}"], "")
    except UnknownOptionError as error:
        warning = f"nothing shadowed: {shown(str(error))} is no option of {engine} that is known here"
        return Added([], list(arguments), [warning], "")
    if line is None:
        return Added([], list(arguments), [], "")
    words = [word for word in arguments[line.image_at :] if word != "--"]
    said = Said(next(iter(words), ""), platform_in(line.options))
    prepared, warnings = [], []
    for workspace in workspaces:
        try:
            prepared.append(_prepare(workspace, environ, engine, said))
        except WorkspaceError as error:
            if workspace.is_chosen:
                raise
            warnings.append(f"nothing shadowed: {error}")
    added = [argument for item in prepared for argument in item.document["runArgs"]]
    warnings += [warning for item in prepared for warning in item.messages()]
    nothing = "" if added or warnings else _why_nothing(prepared)
    return Added(prepared, [*arguments[: line.insert_at], *added, *arguments[line.insert_at :]], warnings, nothing)


def _prepare(workspace: Workspace, environ: Mapping[str, str], engine: str, said: Said) -> Prepared:
    folder, location, config, is_chosen = workspace
    listed = isinstance(read_settings(folder, None, environ).venv, tuple)
    venv = "auto" if listed and not is_chosen else None
    return prepare(
        folder,
        environ,
        location=location,
        config=config,
        engine=engine,
        venv=venv,
        said=said,
    )


def _why_nothing(prepared: Sequence[Prepared]) -> str:
    """Return why a line that starts a container needs no shadow."""
    for item in prepared:
        if item.settings.venv in ("none", ()):
            return f"venv is none ({shown(item.settings.venv_source)})"
        for skipped in item.plan.skipped:
            return f"{shown(skipped.path)} is {shown(skipped.why)}"
    if not prepared:
        return "no bind mount of the line carries a workspace"
    folders = ", ".join(shown(item.workspace_folder) for item in prepared)
    return f"no venv in {folders}, and nothing says there will be one"


def why_no_container(program: str, arguments: Sequence[str]) -> str:
    """Return why there is nothing to add to the command line of a program (a host path) that runs no container."""
    name = os.path.basename(program)
    for index, word in enumerate(arguments):
        if os.path.basename(word) in ("docker", "podman") and not name.startswith(("docker", "podman")):
            import shlex  # noqa: PLC0415 - on the way to a message

            before = shlex.join([name, *arguments[:index]])
            return f"{shown(name)} is no engine; write {shown(before)} paude-venv-hook exec -- {shown(word)} …"
    subcommand, index = ("compose", 0) if name.endswith("compose") else find_subcommand(arguments)
    if subcommand == "compose":
        end = index
        for option in options(arguments, index, _COMPOSE_FLAGS, _COMPOSE_VALUES, lenient=True):
            end = option.end
        action = next(iter(arguments[end:]), "")
        return _COMPOSE if action in _STARTS else f"{shown(f'{name} {action}'.strip())} starts no new container"
    if subcommand in ("start", "restart"):
        return "a container keeps the shadows with which it was made"
    return f"{shown(f'{name} {subcommand}'.strip())} starts no container"


def find_workspaces(line: RunLine, folder: str) -> list[Workspace]:
    """Return the workspaces that the line bind-mounts, each with all of its places in the container.

    `folder` is the current host folder. A bind carries a workspace if it is or holds that folder, or the one that the
    dev container tools name in a label; if it lies in the current folder; if its source has opted in, lies beside the
    current folder, or has a venv at its top level. Raises UnclearMountError.
    """
    mounts = list(mounts_in(line.options))
    labels = [option.value or "" for option in line.options if option.name in ("-l", "--label")]
    named = [label.removeprefix(_LOCAL_FOLDER) for label in labels if label.startswith(_LOCAL_FOLDER)]
    configs = [label.removeprefix(_CONFIG_FILE) for label in labels if label.startswith(_CONFIG_FILE)]
    folders = [os.path.realpath(path) for path in (*named, folder)]
    places: dict[str, list[Mount]] = {}
    for mount in mounts:
        source = os.path.realpath(os.path.join(folder, mount.source))
        if mount.type == "bind" and mount.target.startswith("/") and os.path.isdir(source):
            workspace = _workspace_of(source, folders)
            if workspace:
                places.setdefault(workspace, []).append(mount._replace(source=source))
    for inner in list(places):  # a part of a workspace that is there as a whole
        outer = next((path for path in places if path != inner and is_inside(inner, path)), None)
        if outer and not opted_in(inner):
            places[outer] += places.pop(inner)
    found = []
    for workspace, binds in places.items():
        first, *others = sorted(
            binds, key=lambda bind: not is_inside(workspace, bind.source)
        )  # the whole before a part
        mounted = {other.target: other.type for other in mounts if other.target != first.target}
        location = Location((first, *others), "the command line", mounted)
        holds_current = any(is_inside(path, workspace) for path in folders)
        config = configs[0] if configs and named and is_inside(folders[0], workspace) else None
        found.append(Workspace(workspace, location, config, holds_current or opted_in(workspace)))
    return found


def _workspace_of(source: str, folders: Sequence[str]) -> str | None:
    """Return the real path of the workspace that the bind of `source` carries, None where it carries none."""
    for folder in folders:
        if is_inside(folder, source):
            return _nearest_opted_in(folder, source)
        if is_inside(source, folder):
            return _nearest_opted_in(source, folder)
    is_beside = any(os.path.dirname(source) == os.path.dirname(folder) for folder in folders)
    return source if is_beside or opted_in(source) or _holds_venv(source) else None


def _nearest_opted_in(folder: str, top: str) -> str:
    """Return the nearest folder that has opted in, from the host folder up to `top`; without one, the folder itself."""
    above = [folder]
    while above[-1] != top:
        above.append(os.path.dirname(above[-1]))
    return next((path for path in above if opted_in(path)), folder)


def _holds_venv(folder: str) -> bool:
    """Tell whether a host folder holds what looks like a venv."""
    try:
        found = detect(folder, (), (), same_path=False).found
    except WorkspaceError:
        return False
    return any(not item.problem and not item.why.startswith(RESERVED_WHY) for item in found)
