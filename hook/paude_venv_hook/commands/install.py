"""`install`: let an unchanged launch be shadowed, by what reaches each engine that is here."""

from __future__ import annotations

import os

from paude_venv_hook.command_line.options import DRY_RUN, argument
from paude_venv_hook.docker_api.contexts import find_docker
from paude_venv_hook.docker_api.sockets import refuse_podman
from paude_venv_hook.engines.programs import find_program
from paude_venv_hook.errors import EngineError, HookError
from paude_venv_hook.installation import docker_install, podman_hook
from paude_venv_hook.installation.changes import render
from paude_venv_hook.installation.coverage import answers
from paude_venv_hook.installation.docker_install import CONTEXT
from paude_venv_hook.installation.own_program import own_program
from paude_venv_hook.terminal import complain, warn, write
from paude_venv_hook.text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SUMMARY = "shadow the venvs in all launches from now on: Podman's hook, and a proxy for every client of Docker"
POSITION = 9
ARGUMENTS = (
    argument("--use", action="store_true", help=f"then `docker context use {CONTEXT}`, if that works"),
    DRY_RUN,
)
EXAMPLES = """\
  paude-venv-hook install --dry-run
  paude-venv-hook install
  paude-venv-hook install --use
"""


class Options:
    """The values of the arguments."""

    use = False
    dry_run = False


def execute(options: Options) -> int:
    """Install for each engine that is here; 1 where that fails for one, or is for none."""
    podman, docker = find_program("podman", os.environ), find_docker(os.environ)
    if not podman and not docker:
        raise EngineError("neither docker nor podman is on PATH; install one of them, and run this again")
    program = own_program(os.environ)
    results = []
    if podman:
        results.append(_attempt("podman", lambda: _install_for_podman(podman, program, options)))
    if docker:
        results.append(_attempt("docker", lambda: _install_for_docker(docker, program, options)))
    return 0 if "installed" in results and "failed" not in results else 1


def _attempt(engine: str, install: Callable[[], tuple[str, str]]) -> str:
    """Install for an engine, say in a line what came of it, and return it as a word."""
    try:
        result, line = install()
        complain(f"{engine}: {line}")
    except HookError as error:
        complain(f"error[{error.code}]: {engine}: {error}")
        return "failed"
    return result


def _install_for_podman(podman: str, program: str, options: Options) -> tuple[str, str]:
    if why := podman_hook.why_elsewhere(podman, os.environ):
        return "skipped", f"skipped: {why}"
    folder = podman_hook.config_folder(os.environ)
    changes = podman_hook.install(program, folder, os.environ, dry_run=options.dry_run)
    write(render(changes))
    line = podman_hook.summary(changes, uninstall=False, dry_run=options.dry_run)
    read = "" if options.dry_run else f" (Podman reads {shown(podman_hook.read_hook(podman, os.environ))})"
    return "installed", line + read


def _install_for_docker(docker: str, program: str, options: Options) -> tuple[str, str]:
    if why := docker_install.why_elsewhere(docker, os.environ):
        return "skipped", f"skipped: {why}"
    found = docker_install.look(docker, os.environ)
    upstream = docker_install.find_upstream(found, os.environ)
    try:
        refuse_podman(upstream)
    except EngineError as error:
        return "skipped", f"skipped: {error}"
    steps = docker_install.plan_install(found, program, upstream)
    use = docker_install.plan_use(found) if options.use else []
    by_hand = ""
    if not found.systemctl and not answers(found.own):
        by_hand = f"; keep this running for it: {docker_install.by_hand(program, upstream)}"
    if options.dry_run:
        write(render([*steps, *use]))
        line = "nothing is changed yet: --dry-run" if steps or use else "already installed"
        return "installed", line + by_hand
    _do(steps)
    line = "installed" if steps else "already installed"
    if by_hand and use:
        raise EngineError(f"{line}, but not in use, since nothing answers there yet{by_hand}")
    if by_hand:
        return "installed", line + by_hand
    line += f" (Docker {docker_install.ask_version(found)} answers through the context {CONTEXT}"
    _do(use)
    warn(filter(None, [docker_install.beaten(found.own, os.environ)]))
    if use or found.is_used:
        return "installed", f"{line}, which is in use)"
    return "installed", f"{line}); `docker context use {CONTEXT}` lets every docker command use it"


def _do(steps: Iterable[docker_install.Step]) -> None:
    for step in steps:
        write(step.render())
        step.do()
