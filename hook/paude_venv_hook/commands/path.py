"""`path`: where the overlay of a workspace is."""

from __future__ import annotations

from paude_venv_hook.command_line.options import OUTPUT, WORKSPACE_FOLDER, overlay_path
from paude_venv_hook.terminal import write
from paude_venv_hook.workspace.location import check_workspace_folder

SUMMARY = "print where the overlay is"
POSITION = 4
ARGUMENTS = (WORKSPACE_FOLDER, OUTPUT)
EXAMPLES = """\
  jq -r '.engines.docker.runArgs[]' "$(paude-venv-hook path)"
"""


class Options:
    """The values of the arguments."""

    workspace_folder = "."
    output: str | None = None


def execute(options: Options) -> int:
    """Print the host path of the overlay."""
    write(overlay_path(options.output, check_workspace_folder(options.workspace_folder)) + "\n")
    return 0
