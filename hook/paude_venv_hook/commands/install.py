"""`install`: shadow unchanged launches, with what each engine on this machine needs."""

from __future__ import annotations

import os
from collections.abc import Callable

from paude_venv_hook.command_line.options import DRY_RUN, argument
from paude_venv_hook.docker_api.contexts import find_docker
from paude_venv_hook.docker_api.sockets import does_answer, refuse_podman
from paude_venv_hook.engines.programs import find_program
from paude_venv_hook.engines.table import COMMON
from paude_venv_hook.errors import EngineError, HookError
from paude_venv_hook.installation import docker_install, podman_hook
from paude_venv_hook.installation.changes import carry_out, render
from paude_venv_hook.installation.docker_install import CONTEXT
from paude_venv_hook.installation.own_program import own_program
from paude_venv_hook.terminal import say, say_warnings, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from paude_venv_hook.installation.docker_install import Client, Target, UserUnits

SUMMARY = "shadow the venvs in all launches from now on: Podman's hook, and a proxy for every client of Docker"
POSITION = 9
ARGUMENTS = (
    argument("--engine", choices=COMMON, help="for this one alone (default: for each that is here)"),
    argument("--use", action="store_true", help=f"then `docker context use {CONTEXT}`, if that works"),
    DRY_RUN,
)
EXAMPLES = """\
  paude-venv-hook install --dry-run
  paude-venv-hook install
  paude-venv-hook install --use
  paude-venv-hook install --engine podman
  sudo paude-venv-hook install --engine podman      # for root's containers
"""


class Options:
    """The values of the arguments."""

    engine: str | None = None
    use = False
    dry_run = False


def execute(options: Options) -> int:
    """Install for each engine that is here, or for the one that is named; 1 if that fails for one, or is for none."""
    podman = find_program("podman", os.environ) if options.engine != "docker" else None
    docker = find_docker(os.environ) if options.engine != "podman" else None
    if not podman and not docker:
        raise EngineError(_why_none(options.engine))
    program = own_program(os.environ)
    results = []
    if podman:
        results.append(_attempt("podman", lambda: _install_for_podman(podman, program, options)))
    if docker:
        results.append(_attempt("docker", lambda: _install_for_docker(docker, program, options)))
    return 0 if "installed" in results and "failed" not in results else 1


def _why_none(engine: str | None) -> str:
    if engine == "docker" and find_program("docker", os.environ):
        return "docker on PATH is Podman; use --engine podman"
    if engine:
        return f"{engine} is not on PATH; install it"
    return "neither docker nor podman is on PATH; install one of them, and run this again"


def _attempt(engine: str, install: Callable[[], tuple[str, str]]) -> str:
    """Install for an engine, say the result in a line, and return it as a word."""
    try:
        result, line = install()
    except HookError as error:
        say(f"error[{error.code}]: {engine}: {error}")
        return "failed"
    say(f"{engine}: {line}")
    return result


def _install_for_podman(podman: str, program: str, options: Options) -> tuple[str, str]:
    why = podman_hook.why_skipped(podman, os.environ)
    if why:
        return "skipped", f"skipped: {why}"
    folder = podman_hook.config_folder(os.environ)
    changes = podman_hook.install(podman, program, folder, os.environ, dry_run=options.dry_run)
    return "installed", podman_hook.summary(podman, changes, os.environ, dry_run=options.dry_run)


def _install_for_docker(docker: str, program: str, options: Options) -> tuple[str, str]:
    why = docker_install.why_skipped(docker, os.environ)
    if why:
        return "skipped", f"skipped: {why}"
    client = docker_install.find_client(docker, os.environ)
    target = docker_install.find_target(client, os.environ)
    try:
        refuse_podman(target.upstream.path)
    except EngineError as error:
        return "skipped", f"skipped: {error}"
    if target.change:
        say_warnings([target.change])
    units = docker_install.find_user_units(os.environ)
    steps = docker_install.plan_install(client, units, program, target.upstream.path)
    use = docker_install.plan_use(client) if options.use else []
    problems = _problems_with_docker(client, target, units, program)
    if options.dry_run:
        write(render([*steps, *use]))
        line = "nothing is changed yet: --dry-run" if steps or use else "already installed"
        return "installed", line + problems
    carry_out(steps)
    line = "installed" if steps else "already installed"
    if problems and use:
        raise EngineError(f"{line}, but not in use, since nothing answers there yet{problems}")
    if problems:
        return "installed", line + problems
    version = docker_install.ask_version(client, units)
    carry_out(use)
    variable = docker_install.why_context_is_not_used(client.own, os.environ)
    if variable:
        say_warnings([variable])
    line += f" (Docker {version} answers through the context {CONTEXT}"
    if use or client.uses_ours:
        return "installed", f"{line}, which is in use)"
    return "installed", f"{line}); `docker context use {CONTEXT}` lets every docker command use it"


def _problems_with_docker(client: Client, target: Target, units: UserUnits | None, program: str) -> str:
    """Return why nothing answers through the proxy yet, and what to do, each after a semicolon."""
    problems = []
    silent = target.upstream.why_silent()
    if silent:
        problems.append(silent)
    if not units and (target.is_new or not does_answer(client.own)):
        command = docker_install.proxy_command(program, target.upstream.path)
        problems.append(f"keep this running for it: {command}")
    return "".join(f"; {problem}" for problem in problems)
