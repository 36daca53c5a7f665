"""`run`: write the overlay of a workspace."""

from __future__ import annotations

import os

from paude_venv_hook.command_line.options import (
    IMAGE,
    OR_OUTPUT,
    OUTPUT,
    PLATFORM,
    QUIET,
    WORKSPACE,
    WorkspaceOptions,
    overlay_path,
    write_output,
)
from paude_venv_hook.files import write_if_changed
from paude_venv_hook.launchers.flags import notes_on_nothing
from paude_venv_hook.launchers.ready import made_ready
from paude_venv_hook.overlay import dump, make_document
from paude_venv_hook.terminal import say_notes, write
from paude_venv_hook.text import print_line, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from paude_venv_hook.decision import Answer

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
    answer = options.decide()
    if answer.concerns_stores:
        from paude_venv_hook.launchers.settled import settle_overlay  # noqa: PLC0415 - for storage on disk alone

        answer = settle_overlay(answer, os.environ)
    data = dump(make_document(answer, os.environ))
    with made_ready([answer]) as notes_on_made:
        if options.output == "-":
            write(data.decode())
        elif options.output is not None:
            write_output(options.output, data)
        else:
            write_if_changed(overlay_path(None, answer.workspace_folder), data, OR_OUTPUT)
    if not options.quiet:
        say_notes([*answer.notes, *notes_on_made, *notes_on_nothing([answer])])
        _say_plan(answer)
    return 0


def _say_plan(answer: Answer) -> None:
    """Print what is planned, if anything, and for which place in the container if that is not the host's path."""
    names = ", ".join(dict.fromkeys(shown(shadow.path) for shadow in answer.plan.shadows))
    if not names:
        return
    mount = answer.location.mount
    place = ""
    if mount and mount.source != mount.target:
        place = f", for {shown(mount.source)} mounted on {shown(mount.target)}"
    print_line(f"Planned shadow: {names}{place}; the launcher that reads the overlay adds it")
