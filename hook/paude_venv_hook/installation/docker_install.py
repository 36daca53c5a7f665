"""Install the proxy of Docker's API for a user: what starts it, and a docker context that leads to it.

systemd starts it where it looks after the user's services; elsewhere a person does. A plan is a list of steps, so that
each can be shown. Nothing of Docker's configuration is written but by Docker's own client.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress

from paude_venv_hook.docker_api.contexts import (
    BEAT_CONTEXTS,
    Context,
    daemon_in_use,
    find_context,
    without_variables,
)
from paude_venv_hook.docker_api.sockets import find_docker_socket, is_same_socket, is_socket, own_socket, socket_in
from paude_venv_hook.engines.programs import find_program
from paude_venv_hook.errors import EngineError
from paude_venv_hook.files import read_start
from paude_venv_hook.folders import needed_folder, user_folder
from paude_venv_hook.installation.changes import Change, Command
from paude_venv_hook.installation.docker_units import SERVICE, SOCKET, is_unit_of_ours, make_units, units_folder
from paude_venv_hook.json_values import get_text, parse_json
from paude_venv_hook.records import NamedTuple
from paude_venv_hook.text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    Step = Change | Command

CONTEXT = "paude-venv"
# By this a context of ours is known also where the socket has moved.
DESCRIPTION = "Docker through paude-venv-hook, which shadows the venvs of workspaces"
RECORD = "docker-before.json"


class Found(NamedTuple):
    """What is here.

    `docker` and `systemctl` are host paths of programs, "" where there is none that works. `environ` is without what
    beats contexts. `own` is the host path of the proxy's socket. `in_use` is the context that `docker context use`
    chose, and `ours` the one that is called paude-venv, whoever made it.
    """

    docker: str
    systemctl: str
    environ: Mapping[str, str]
    own: str
    in_use: Context | None
    ours: Context | None

    @property
    def is_used(self) -> bool:
        """Whether the context in use is ours."""
        return self.in_use is not None and self.in_use.name == CONTEXT and is_ours(self.in_use, self.own)

    def run(self, *words: str) -> Command:
        """Return a command line of Docker's client."""
        return Command((self.docker, *words), self.environ)

    def user_units(self, *words: str) -> Command:
        """Return a command line for the services of the user."""
        return Command((self.systemctl, "--user", *words), self.environ)


def look(docker: str | None, environ: Mapping[str, str]) -> Found:
    """Return what is here. `docker` is the host path of Docker's client. Raises EngineError without a home folder."""
    plain = without_variables(environ)
    in_use, ours = (find_context(docker, plain, name) if docker else None for name in ("", CONTEXT))
    return Found(docker or "", _find_systemctl(environ), plain, own_socket(environ), in_use, ours)


def _find_systemctl(environ: Mapping[str, str]) -> str:
    """Return the host path of systemctl where it reaches a systemd that looks after the user's services, else ""."""
    systemctl = find_program("systemctl", environ)
    if systemctl:
        with suppress(EngineError):
            Command((systemctl, "--user", "show", "--property=Version"), environ).do()
            return systemctl
    return ""


def is_ours(context: Context, own: str) -> bool:
    """Tell whether we made the context, or would have made the same; `own` is the host path of the proxy's socket."""
    return context.description == DESCRIPTION or bool(context.socket and is_same_socket(context.socket, own))


def record_path() -> str:
    """Return the host path of the file that tells what was there before us.

    Its keys are `context`, the one in use, and `upstream`, the host path of Docker's socket. Raises EngineError for a
    user without a home folder.
    """
    return os.path.join(needed_folder(user_folder("data"), EngineError), RECORD)


def recorded(key: str) -> str:
    """Return what was there before us, "" where nothing tells."""
    return get_text(parse_json(read_start(record_path())), key)


def why_elsewhere(docker: str, environ: Mapping[str, str]) -> str:
    """Return why the daemon that Docker's client uses is none of this machine, "" where it is one."""
    daemon = daemon_in_use(docker, environ)
    if daemon and daemon.host and not daemon.host.startswith("unix:"):
        try:
            socket_in(daemon.host, daemon.said_in)
        except EngineError as error:
            return str(error)
    return ""


def find_upstream(found: Found, environ: Mapping[str, str]) -> str:
    """Return the host path of the socket that Docker's client would reach without us. Raises EngineError."""
    daemon = daemon_in_use(found.docker, environ)
    before = recorded("upstream")
    if not daemon or is_ours(daemon, found.own):
        return before or find_docker_socket(found.environ, found.own)
    path = find_docker_socket(environ, found.own)
    # Who unsets DOCKER_HOST, since it beats the context, means the same daemon still.
    return before if is_socket(before) and not is_socket(path) else path


def plan_install(found: Found, program: str, upstream: str) -> list[Step]:
    """Return what is missing, in the order in which it is to be done. `program` is the host path of this one.

    Raises EngineError where something that is not ours has its place.
    """
    if found.ours and not is_ours(found.ours, found.own):
        raise EngineError(
            f"the docker context {CONTEXT} leads to {shown(found.ours.host)}, and is not ours; remove it "
            f"(docker context rm {CONTEXT}), and run this again"
        )
    steps = _plan_units(found, program, upstream) if found.systemctl else []
    before = recorded("context") if found.is_used else found.in_use and found.in_use.name
    record = json.dumps({"context": before or "default", "upstream": upstream}, ensure_ascii=False).encode() + b"\n"
    steps += [change for change in [Change(record_path(), record)] if change.differs()]
    endpoint = ("--docker", f"host=unix://{found.own}")
    if not found.ours:
        steps.append(found.run("context", "create", CONTEXT, "--description", DESCRIPTION, *endpoint))
    elif found.ours.socket != found.own:
        steps.append(found.run("context", "update", CONTEXT, *endpoint))
    return steps


def _plan_units(found: Found, program: str, upstream: str) -> list[Step]:
    units = make_units(program, found.own, upstream, found.environ)
    there = [unit for unit in units if os.path.lexists(unit.path)]
    for unit in there:
        if not is_unit_of_ours(unit.path):
            raise EngineError(f"{shown(unit.path)}: is there, and not ours; rename it, and run this again")
    changed = [unit for unit in units if unit.differs()]
    start = found.user_units("enable", "--now", SOCKET)
    if changed:
        again = [found.user_units("stop", SOCKET, SERVICE)] if there else []
        return [*changed, found.user_units("daemon-reload"), *again, start]
    try:
        for question in ("is-active", "is-enabled"):
            found.user_units(question, SOCKET).do()
    except EngineError:
        return [start]
    return []


def plan_use(found: Found) -> list[Step]:
    """Return the step that makes our context the one in use, unless it is."""
    return [] if found.is_used else [found.run("context", "use", CONTEXT)]


def beaten(own: str, environ: Mapping[str, str]) -> str:
    """Return what is to be said of a variable that leads Docker's client past our context, "" for none.

    `own` is the host path of the proxy's socket.
    """
    variable = next((name for name in BEAT_CONTEXTS if environ.get(name, "").strip()), "")
    wanted = f"unix://{own}" if variable == "DOCKER_HOST" else CONTEXT
    if not variable or environ[variable].strip() == wanted:
        return ""
    return f"{variable} is set, and beats the context in use; unset it, or set it to {shown(wanted)}"


def by_hand(program: str, upstream: str) -> str:
    """Return the command line that is to be kept running where systemd does not start the proxy."""
    import shlex  # noqa: PLC0415 - not wanted by `status`

    return shown(shlex.join([program, "docker-proxy", "--upstream", upstream]))


def ask_version(found: Found) -> str:
    """Return the version of the Docker that answers through our context. Raises EngineError where none does."""
    try:
        return found.run("--context", CONTEXT, "version", "--format", "{{.Server.Version}}").do()
    except EngineError as error:
        more = f"; `systemctl --user status {SERVICE}` tells more" if found.systemctl else ""
        raise EngineError(f"{error}{more}") from None


def plan_uninstall(found: Found) -> tuple[list[Step], list[str]]:
    """Return the steps that take away what is there of us, and what stays and why, one line each."""
    steps, stays = _plan_units_away(found)
    before = recorded("context")
    if found.ours and is_ours(found.ours, found.own):
        exists = before not in ("", CONTEXT) and find_context(found.docker, found.environ, before)
        back = [found.run("context", "use", before if exists else "default")] if found.is_used else []
        steps = [*back, found.run("context", "rm", CONTEXT), *steps]
    elif found.ours:
        stays.append(f"the docker context {CONTEXT} leads to {shown(found.ours.host)}, and is not ours: it stays")
    record = record_path()
    if os.path.lexists(record):
        if found.docker:
            steps.append(Change(record, None))
        else:
            stays.append(f"without docker on PATH its context {CONTEXT} stays; with it, run this again")
    return steps, stays


def _plan_units_away(found: Found) -> tuple[list[Step], list[str]]:
    folder = units_folder(found.environ)
    units = [name for name in (SOCKET, SERVICE) if os.path.lexists(os.path.join(folder, name))]
    ours = [name for name in units if is_unit_of_ours(os.path.join(folder, name))]
    stays = [f"{shown(os.path.join(folder, name))} is not ours: it stays" for name in units if name not in ours]
    paths = [os.path.join(folder, name) for name in ours]
    before: list[Step] = [found.user_units("stop", *ours)] if ours and found.systemctl else []
    if SOCKET in ours and found.systemctl:
        before.append(found.user_units("disable", SOCKET))
    elif SOCKET in ours or SOCKET not in units:
        paths.append(os.path.join(folder, "sockets.target.wants", SOCKET))  # what enables it
    after: list[Step] = [found.user_units("daemon-reload")] if ours and found.systemctl else []
    removed = [Change(path, None) for path in (*paths, found.own) if os.path.lexists(path)]
    return [*before, *removed, *after], stays
