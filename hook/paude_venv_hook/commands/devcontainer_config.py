"""`devcontainer-config`: a devcontainer.json with the shadows added, for `devcontainer up --override-config`."""

from __future__ import annotations

import os

from paude_venv_hook.command_line.options import OUTPUT, QUIET, WORKSPACE, WorkspaceOptions, write_output
from paude_venv_hook.files import write_if_changed
from paude_venv_hook.launchers.devcontainer_cli import make_override
from paude_venv_hook.launchers.flags import notes_on_nothing
from paude_venv_hook.launchers.ready import made_ready
from paude_venv_hook.terminal import say_notes, write

SUMMARY = "print the devcontainer.json with the run arguments added"
POSITION = 6
ARGUMENTS = (*WORKSPACE, OUTPUT, QUIET)
EXAMPLES = """\
  paude-venv-hook devcontainer-config --output /tmp/app.json &&
    devcontainer up --workspace-folder . --override-config /tmp/app.json
"""


class Options(WorkspaceOptions):
    """The values of the arguments."""

    output: str | None = None
    quiet = False


def execute(options: Options) -> int:
    """Print or write the configuration, and write the files that it names."""
    override = make_override(
        options.workspace_folder,
        os.environ,
        container_workspace_folder=options.container_workspace_folder,
        **options.choices,
    )
    with made_ready(override.answers) as notes_on_made:
        for path, data in override.files.items():
            write_if_changed(path, data)
        if options.output in (None, "-"):
            write(override.data.decode())
        else:
            write_output(options.output, override.data)
    if not options.quiet:
        notes = [note for answer in override.answers for note in answer.notes]
        say_notes([*notes, *notes_on_made, *notes_on_nothing(override.answers)])
    return 0
