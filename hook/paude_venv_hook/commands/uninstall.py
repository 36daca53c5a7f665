"""`uninstall`: take away what `install` made, and put back what was in use."""

from __future__ import annotations

import os
from contextlib import suppress

from paude_venv_hook.command_line.options import DRY_RUN
from paude_venv_hook.docker_api.contexts import find_docker
from paude_venv_hook.errors import HookError
from paude_venv_hook.installation import docker_install, podman_hook
from paude_venv_hook.installation.changes import render
from paude_venv_hook.terminal import complain, warn, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

SUMMARY = "take away what install made, and put back what was in use"
POSITION = 9
ARGUMENTS = (DRY_RUN,)
EXAMPLES = """\
  paude-venv-hook uninstall --dry-run
  paude-venv-hook uninstall
"""


class Options:
    """The values of the arguments."""

    dry_run = False


def execute(options: Options) -> int:
    """Uninstall for each engine, whether or not it is still here; 1 where that fails for one."""
    results = [
        _attempt("podman", lambda: _uninstall_for_podman(dry_run=options.dry_run)),
        _attempt("docker", lambda: _uninstall_for_docker(dry_run=options.dry_run)),
    ]
    return 0 if all(results) else 1


def _attempt(engine: str, uninstall: Callable[[], str]) -> bool:
    try:
        complain(f"{engine}: {uninstall()}")
    except HookError as error:
        complain(f"error[{error.code}]: {engine}: {error}")
        return False
    return True


def _uninstall_for_podman(*, dry_run: bool) -> str:
    folder = podman_hook.config_folder(os.environ)
    if not podman_hook.may_be_installed(folder, os.environ):
        return "not installed"
    changes = podman_hook.uninstall(folder, os.environ, dry_run=dry_run)
    write(render(changes))
    return podman_hook.summary(changes, uninstall=True, dry_run=dry_run)


def _uninstall_for_docker(*, dry_run: bool) -> str:
    found = docker_install.look(find_docker(os.environ), os.environ)
    steps, stays = docker_install.plan_uninstall(found)
    if dry_run:
        write(render(steps))
    else:
        for step in steps:
            write(step.render())
            step.do()
        with suppress(OSError):
            os.rmdir(os.path.dirname(found.own))  # it is empty, or it stays
    warn(stays)
    if not steps:
        return "not installed"
    return "nothing is changed yet: --dry-run" if dry_run else "uninstalled"
