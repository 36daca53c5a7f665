"""`run`: write the overlay of a workspace."""

from __future__ import annotations

from paude_venv_hook.command_line.options import (
    IMAGE,
    OR_OUTPUT,
    OUTPUT,
    PLATFORM,
    QUIET,
    WORKSPACE,
    WorkspaceOptions,
    overlay_path,
)
from paude_venv_hook.files import mount_points, write_if_changed
from paude_venv_hook.overlay import dump
from paude_venv_hook.terminal import tell, write
from paude_venv_hook.text import say, shown

SUMMARY = "write the overlay for the workspace (the default)"
POSITION = 1
ARGUMENTS = (*WORKSPACE, IMAGE, PLATFORM, OUTPUT, QUIET)
EXAMPLES = """\
  paude-venv-hook                                   # in the workspace folder
  paude-venv-hook run --workspace-folder ~/src/app --engine docker
  paude-venv-hook run --output - | jq .shadows
  paude-venv-hook run --storage disk --image python:3.13
"""


class Options(WorkspaceOptions):
    """The values of the arguments."""

    output: str | None = None
    quiet = False


def execute(options: Options) -> int:
    """Make the mount points, and the stores for which the overlay has arguments, and write it."""
    prepared = options.prepare()
    data = dump(prepared.document)
    with mount_points(shadow.host_path for shadow in prepared.plan.shadows) as made:
        for engine in prepared.purposes:
            prepared.make_stores(engine)
        if options.output == "-":
            write(data.decode())
        else:
            write_if_changed(overlay_path(options.output, prepared.workspace_folder), data, OR_OUTPUT)
    if not options.quiet:
        tell([prepared], made)
        names = ", ".join(dict.fromkeys(shown(shadow.path) for shadow in prepared.plan.shadows))
        if names:
            say(f"Planned shadow: {names}; the launcher that reads the overlay adds it")
    return 0
