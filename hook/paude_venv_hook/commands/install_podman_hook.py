"""`install-podman-hook`: make Podman call us at each start of a container, or no longer."""

from __future__ import annotations

import os

from paude_venv_hook.command_line.options import DRY_RUN, argument
from paude_venv_hook.installation import podman_hook
from paude_venv_hook.installation.changes import render
from paude_venv_hook.installation.own_program import own_program
from paude_venv_hook.terminal import complain, write

SUMMARY = "make an unchanged `podman run` shadow the venvs of workspaces"
POSITION = 9
ARGUMENTS = (argument("--uninstall", action="store_true", help="take it away again"), DRY_RUN)
EXAMPLES = """\
  paude-venv-hook install-podman-hook --dry-run
  paude-venv-hook install-podman-hook
  sudo paude-venv-hook install-podman-hook          # for root's containers
  paude-venv-hook install-podman-hook --uninstall
"""


class Options:
    """The values of the arguments."""

    uninstall = False
    dry_run = False


def execute(options: Options) -> int:
    """Install or uninstall it, and say what changed."""
    folder = podman_hook.config_folder(os.environ)
    if options.uninstall:
        changes = podman_hook.uninstall(folder, os.environ, dry_run=options.dry_run)
    else:
        program = own_program(os.environ)
        changes = podman_hook.install(program, folder, os.environ, dry_run=options.dry_run)
    write(render(changes))
    complain(podman_hook.summary(changes, uninstall=options.uninstall, dry_run=options.dry_run))
    return 0
