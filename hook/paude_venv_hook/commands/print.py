"""`print`: the run arguments, the whole overlay or a compose file on stdout."""

from __future__ import annotations

import os

from paude_venv_hook.options import (
    CONFIG,
    ENGINE,
    IMAGE,
    PLATFORM,
    QUIET,
    STORAGE,
    VENV,
    WORKSPACE_FOLDER,
    WorkspaceOptions,
    argument,
    container_workspace_folder,
)
from paude_venv_hook.overlay import dump
from paude_venv_hook.terminal import warn, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from paude_venv_hook.pipeline import Prepared

SUMMARY = "print the run arguments; with storage on disk, make the folders that they mount"
POSITION = 2
ARGUMENTS = (
    WORKSPACE_FOLDER,
    container_workspace_folder("--target"),  # a short word for its --format compose
    CONFIG,
    ENGINE,
    VENV,
    STORAGE,
    IMAGE,
    PLATFORM,
    argument(
        "--format",
        choices=("args", "lines", "nul", "json", "compose"),
        help="one shell-quoted line (default), one argument a line, NUL-separated, the whole overlay, "
        "or a compose file",
    ),
    argument("--service", metavar="NAME", help="with compose: the service that has the workspace"),
    QUIET,
)
EXAMPLES = """\
  eval "podman run --rm -it -v '$PWD:$PWD' -w '$PWD' $(paude-venv-hook print) IMAGE bash"
  mapfile -d '' args < <(paude-venv-hook print --format nul)
  paude-venv-hook print --format json | jq .engines
  paude-venv-hook print --storage disk --image python:3.13
  paude-venv-hook print --format compose --service app --target /app > venv.json &&
    docker compose -f compose.yaml -f venv.json up
"""


class Options(WorkspaceOptions):
    """The values of the arguments."""

    format = "args"
    service: str | None = None
    quiet = False


def execute(options: Options) -> int:
    """Print what the format asks for.

    No mount point is made, since this may be for another time or machine. Stores are: a line that mounts one that is
    missing fails.
    """
    if options.format == "compose":
        prepared, text = _compose(options)
    else:
        prepared = options.prepare()
        text = _render(prepared, options.format)
    for engine in prepared.purposes if options.format == "json" else (prepared.engine,):
        prepared.make_stores(engine)
    write(text)
    if not options.quiet:
        warn(prepared.messages())
    return 0


def _render(prepared: Prepared, form: str) -> str:
    arguments: list[str] = prepared.document["runArgs"]
    if form == "json":
        return dump(prepared.document).decode()
    if form == "args":
        import shlex  # noqa: PLC0415 - not for a launcher, which asks for another format

        return shlex.join(arguments) + "\n"
    # No argument of ours holds a newline (control characters are refused), so that one a line is safe.
    return "".join(item + ("\n" if form == "lines" else "\0") for item in arguments)


def _compose(options: Options) -> tuple[Prepared, str]:
    from paude_venv_hook.launchers import compose  # noqa: PLC0415 - only for this format

    prepared, project = compose.prepare_compose(
        options.workspace_folder,
        os.environ,
        service=options.service,
        target=options.container_workspace_folder,
        config=options.config,
        engine=options.engine,
        venv=options.venv,
        storage=options.storage,
    )
    return prepared, compose.dump(project).decode()
