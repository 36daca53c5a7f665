"""`uninstall`: take away what `install` made, and put back what was in use."""

from __future__ import annotations

import os
from contextlib import suppress

from paude_venv_hook.command_line.options import DRY_RUN, argument
from paude_venv_hook.docker_api.contexts import find_docker
from paude_venv_hook.engines.table import COMMON
from paude_venv_hook.errors import HookError
from paude_venv_hook.installation import docker_removal, podman_hook
from paude_venv_hook.installation.changes import carry_out, render
from paude_venv_hook.terminal import say, say_warnings, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from paude_venv_hook.installation.docker_install import Step

SUMMARY = "take away what install made, and put back what was in use"
POSITION = 9
ARGUMENTS = (argument("--engine", choices=COMMON, help="for this one alone (default: for both)"), DRY_RUN)
EXAMPLES = """\
  paude-venv-hook uninstall --dry-run
  paude-venv-hook uninstall
  paude-venv-hook uninstall --engine podman
"""


class Options:
    """The values of the arguments."""

    engine: str | None = None
    dry_run = False


def execute(options: Options) -> int:
    """Uninstall for each engine, or for the one that is named, whether or not it is still here; 1 if one fails."""
    results = []
    if options.engine != "docker":
        results.append(_attempt("podman", lambda: _uninstall_for_podman(dry_run=options.dry_run)))
    if options.engine != "podman":
        results.append(_attempt("docker", lambda: _uninstall_for_docker(dry_run=options.dry_run)))
    return 0 if all(results) else 1


def _attempt(engine: str, uninstall: Callable[[], str]) -> bool:
    try:
        line = uninstall()
    except HookError as error:
        say(f"error[{error.code}]: {engine}: {error}")
        return False
    say(f"{engine}: {line}")
    return True


def _uninstall_for_podman(*, dry_run: bool) -> str:
    folder = podman_hook.config_folder(os.environ)
    changes = podman_hook.plan_uninstall(folder, os.environ)
    _do(changes, dry_run=dry_run)
    if not dry_run:
        podman_hook.remove_own_folders(changes)
    return _summary(changes, dry_run=dry_run)


def _uninstall_for_docker(*, dry_run: bool) -> str:
    removal = docker_removal.plan_uninstall(find_docker(os.environ), os.environ)
    _do(removal.steps, dry_run=dry_run)
    if not dry_run:
        for folder in removal.folders:
            with suppress(OSError):
                os.rmdir(folder)  # it is empty, or it stays
    say_warnings(removal.stays)
    return _summary(removal.steps, dry_run=dry_run)


def _do(steps: Sequence[Step], *, dry_run: bool) -> None:
    if dry_run:
        write(render(steps))
    else:
        carry_out(steps)


def _summary(steps: Sequence[Step], *, dry_run: bool) -> str:
    if not steps:
        return "not installed"
    return "nothing is changed yet: --dry-run" if dry_run else "uninstalled"
