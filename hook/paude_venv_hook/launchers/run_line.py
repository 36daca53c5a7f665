"""Add the arguments to a command line of an engine, from the workspaces that it mounts itself."""

from __future__ import annotations

import os

from paude_venv_hook.engines.choice import is_podman
from paude_venv_hook.engines.commandline import UnknownOptionError, parse_run
from paude_venv_hook.engines.mounts import Mount, mounts_in
from paude_venv_hook.engines.programs import replace_process
from paude_venv_hook.errors import WorkspaceError
from paude_venv_hook.files import is_inside, mount_points
from paude_venv_hook.pipeline import prepare
from paude_venv_hook.terminal import announce, guarded, warn
from paude_venv_hook.text import shown
from paude_venv_hook.workspace.location import Location, opted_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from paude_venv_hook.engines.commandline import RunLine
    from paude_venv_hook.pipeline import Prepared

_LOCAL_FOLDER_LABEL = "devcontainer.local_folder="


def launch(program: str, arguments: Sequence[str], *, quiet: bool = True) -> int:
    """Replace this process by the engine at the host path, with the shadows added to its arguments.

    Returns an exit code only where that cannot be: 125, as engines do before the start, where the settings are wrong.
    What is no fault of the settings, such as a mount point that cannot be made, stops no launch that works without us.
    """

    def add_and_start() -> int:
        try:
            folder = os.getcwd()
        except OSError as error:
            if "run" in arguments or "create" in arguments:
                warn([f"nothing shadowed: the current folder cannot be found: {error.strerror}; change to another one"])
            return replace_process(program, arguments)
        engine = "podman" if is_podman(program, os.environ) else "docker"
        prepared, words, warnings = prepare_command_line(arguments, engine, os.environ, folder)
        shadows = [shadow for item in prepared for shadow in item.plan.shadows]
        try:
            with mount_points(shadow.host_path for shadow in shadows):
                warn(warnings)
                if not quiet:
                    announce(shadows)
        except WorkspaceError as error:
            warn([f"nothing shadowed: {error}"])
            return replace_process(program, arguments)
        return replace_process(program, words)

    return guarded(add_and_start, refused=125)


def prepare_command_line(
    arguments: Sequence[str], engine: str, environ: Mapping[str, str], folder: str
) -> tuple[list[Prepared], list[str], list[str]]:
    """Return the workspaces that an engine's command line mounts, the arguments with theirs added, and warnings.

    `arguments` are those after the program's name, `engine` says whose they are, `folder` is the host folder in which
    the engine starts. A line that runs or creates no container, or that is not understood, comes back as it is.
    Raises HookError for a workspace whose settings are wrong.
    """
    try:
        line = parse_run(arguments)
    except UnknownOptionError as error:
        return (
            [],
            list(arguments),
            [f"nothing shadowed: {shown(str(error))} is no option of {engine} that is known here"],
        )
    if line is None:
        return [], list(arguments), []
    prepared = [
        prepare(workspace, environ, location=location, engine=engine)
        for workspace, location in find_workspaces(line, folder)
    ]
    added = [argument for item in prepared for argument in item.document["runArgs"]]
    warnings = [warning for item in prepared for warning in item.messages()]
    return prepared, [*arguments[: line.insert_at], *added, *arguments[line.insert_at :]], warnings


def find_workspaces(line: RunLine, folder: str) -> Iterator[tuple[str, Location]]:
    """Yield the workspaces that the line bind-mounts (real host paths), and where each is in the container.

    `folder` is the current host folder: the bind that is it, or holds it, carries a workspace. So does one that
    carries the folder that the dev container tools name in a label, and one whose source has opted in.
    """
    mounts = list(mounts_in(line.options))
    labels = (option.value or "" for option in line.options if option.name in ("-l", "--label"))
    named = [label.removeprefix(_LOCAL_FOLDER_LABEL) for label in labels if label.startswith(_LOCAL_FOLDER_LABEL)]
    for mount in mounts:
        source = os.path.realpath(os.path.join(folder, mount.source))
        if mount.type == "bind" and mount.target.startswith("/") and os.path.isdir(source):
            workspace = _workspace_in(source, [*named, folder])
            if workspace:
                mounted = frozenset(other.target for other in mounts if other is not mount)
                yield workspace, Location(Mount("bind", source, mount.target), "the command line", mounted)


def _workspace_in(source: str, folders: Sequence[str]) -> str | None:
    """Return the real path of the workspace that the bind of `source` carries, None where it carries none."""
    for folder in folders:
        real = os.path.realpath(folder)
        if is_inside(real, source):
            above = [real]
            while above[-1] != source:
                above.append(os.path.dirname(above[-1]))
            return next((path for path in above if opted_in(path)), real)
    return source if opted_in(source) else None
