"""Install the proxy of Docker's API for a user: what starts it, and a docker context that leads to it.

systemd starts it if it looks after the user's services, else a person does. A plan is a list of steps, so that each can
be shown. Nothing of Docker's configuration is written but by Docker's own client.
"""

from __future__ import annotations

import os

from paude_venv_hook.docker_api.contexts import (
    BEAT_CONTEXTS,
    Context,
    client_folder,
    daemon_in_use,
    find_context,
    without_variables,
)
from paude_venv_hook.docker_api.sockets import (
    Upstream,
    find_docker_socket,
    is_same_socket,
    own_socket,
    socket_in,
)
from paude_venv_hook.engines.programs import find_program
from paude_venv_hook.errors import EngineError
from paude_venv_hook.installation.changes import Change, Command
from paude_venv_hook.installation.docker_record import read_record
from paude_venv_hook.installation.docker_units import SERVICE, SOCKET, is_unit_of_ours, make_units, units_folder
from paude_venv_hook.records import NamedTuple
from paude_venv_hook.text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    Step = Change | Command

CONTEXT = "paude-venv"
# By this a context of ours is known also after its socket has moved.
DESCRIPTION = "Docker through paude-venv-hook, which shadows the venvs of workspaces"


class Client(NamedTuple):
    """Docker's client with one folder of contexts, and the contexts in it.

    `docker` is its host path, "" if there is none that works. `environ` is without what beats contexts. `folder` is the
    host path of that folder; `is_other` tells that the environment names another one. `own` is the host path of the
    proxy's socket. `in_use` is the context that `docker context use` chose, None if that is gone; `ours` is the one
    that is called paude-venv, whoever made it.
    """

    docker: str
    environ: Mapping[str, str]
    folder: str
    is_other: bool
    own: str
    in_use: Context | None
    ours: Context | None

    @property
    def has_ours(self) -> bool:
        """Whether there is a context that we made."""
        return self.ours is not None and is_ours(self.ours, self.own)

    @property
    def uses_ours(self) -> bool:
        """Whether the context in use is ours."""
        return self.in_use is not None and self.in_use.name == CONTEXT and is_ours(self.in_use, self.own)

    def command(self, *words: str) -> Command:
        """Return a command line of Docker's client."""
        config = ("--config", self.folder) if self.is_other else ()
        return Command((self.docker, *config, *words), self.environ)


def find_client(docker: str | None, environ: Mapping[str, str], folder: str = "") -> Client:
    """Return Docker's client with the contexts in a folder, by default in the one that the environment names.

    `docker` is its host path, None if there is none. Raises EngineError for a user without a home folder.
    """
    plain = without_variables(environ)
    current = client_folder(environ)
    is_other = folder not in ("", current)
    if is_other:
        plain["DOCKER_CONFIG"] = folder
    in_use = find_context(docker, plain) if docker else None
    ours = find_context(docker, plain, CONTEXT) if docker else None
    return Client(docker or "", plain, folder or current, is_other, own_socket(environ), in_use, ours)


class UserUnits(NamedTuple):
    """The systemd that looks after the user's services, reached with the program at the host path `systemctl`."""

    systemctl: str
    environ: Mapping[str, str]

    def command(self, *words: str) -> Command:
        """Return a command line for it."""
        return Command((self.systemctl, "--user", *words), self.environ)

    def does(self, *words: str) -> bool:
        """Tell whether a command, which only asks, succeeds."""
        try:
            self.command(*words).do()
        except EngineError:
            return False
        return True


def find_user_units(environ: Mapping[str, str]) -> UserUnits | None:
    """Return the systemd that looks after the user's services, None if there is none."""
    systemctl = find_program("systemctl", environ)
    if not systemctl:
        return None
    units = UserUnits(systemctl, without_variables(environ))
    return units if units.does("show", "--property=Version") else None


def is_ours(context: Context, proxy_socket: str) -> bool:
    """Tell whether we made the context, or would have made the same for the proxy's socket (a host path)."""
    return context.description == DESCRIPTION or bool(context.socket and is_same_socket(context.socket, proxy_socket))


def why_skipped(docker: str, environ: Mapping[str, str]) -> str:
    """Return why the daemon that Docker's client uses is not on this machine, "" if it is."""
    daemon = daemon_in_use(docker, environ)
    if daemon and daemon.host and not daemon.host.startswith("unix:"):
        try:
            socket_in(daemon.host, daemon.said_in)
        except EngineError as error:
            return str(error)
    return ""


class Target(NamedTuple):
    """The socket in front of which the proxy is put; whether it is a new one; and a line on that, or ""."""

    upstream: Upstream
    is_new: bool = False
    change: str = ""


def find_target(client: Client, environ: Mapping[str, str]) -> Target:
    """Return the socket that Docker's client would reach without us. Raises EngineError.

    If nothing but the proxy is in use, that is the one of the last installation. So it is if something else is named
    at which no daemon is: whoever unsets DOCKER_HOST, since it beats the context, still means the same daemon.
    """
    daemon = daemon_in_use(client.docker, environ)
    before = read_record().upstream
    if not daemon or is_ours(daemon, client.own):
        return Target(Upstream(before) if before else find_docker_socket(client.environ, client.own))
    upstream = find_docker_socket(environ, client.own)
    if not before or is_same_socket(before, upstream.path):
        return Target(upstream)
    silent = upstream.why_silent()
    if silent and not Upstream(before).why_silent():
        return Target(Upstream(before), change=f"{silent}; the proxy stays in front of {shown(before)}")
    led = f", to which {upstream.said_in} leads" if upstream.said_in else ""
    return Target(
        upstream,
        is_new=True,
        change=f"an earlier installation put the proxy in front of {shown(before)}; this one puts it in front of "
        f"{shown(upstream.path)}{led}",
    )


def plan_install(client: Client, units: UserUnits | None, program: str, upstream: str) -> list[Step]:
    """Return the steps that are still to be done, in their order.

    `program` is the host path of this one, `upstream` that of Docker's socket. Raises EngineError if something that is
    not ours has its place.
    """
    if client.ours and not client.has_ours:
        raise EngineError(
            f"the docker context {CONTEXT} leads to {shown(client.ours.host)}, and is not ours; remove it "
            f"(docker context rm {CONTEXT}), and run this again"
        )
    steps = _plan_units(client, units, program, upstream) if units else []
    change = _plan_record(client, units, upstream)
    if change.differs():
        steps.append(change)
    endpoint = ("--docker", f"host=unix://{client.own}")
    if not client.ours:
        steps.append(client.command("context", "create", CONTEXT, "--description", DESCRIPTION, *endpoint))
    elif client.ours.socket != client.own:
        steps.append(client.command("context", "update", CONTEXT, *endpoint))
    return steps


def _plan_record(client: Client, units: UserUnits | None, upstream: str) -> Change:
    record = read_record()
    before = record.context_before(client.folder)
    if client.in_use and not client.uses_ours:
        before = client.in_use.name
    folder = units_folder(client.environ) if units else ""
    return record.with_places(upstream, client.folder, before or "default", folder, client.own).to_change()


def _plan_units(client: Client, units: UserUnits, program: str, upstream: str) -> list[Step]:
    files = make_units(program, client.own, upstream, client.environ)
    present = [file for file in files if os.path.lexists(file.path)]
    for file in present:
        if not is_unit_of_ours(file.path):
            raise EngineError(f"{shown(file.path)}: is there, and not ours; rename it, and run this again")
    start = units.command("enable", "--now", SOCKET)
    changed = [file for file in files if file.differs()]
    if changed:
        stop = [units.command("stop", SOCKET, SERVICE)] if present else []
        return [*changed, units.command("daemon-reload"), *stop, start]
    if units.does("is-active", SOCKET) and units.does("is-enabled", SOCKET):
        return []
    return [start]


def plan_use(client: Client) -> list[Step]:
    """Return the step that makes our context the one in use, unless it is."""
    return [] if client.uses_ours else [client.command("context", "use", CONTEXT)]


def why_context_is_not_used(proxy_socket: str, environ: Mapping[str, str]) -> str:
    """Return a line on the variable that leads Docker's client past our context, "" if there is none.

    `proxy_socket` is the host path of the proxy's socket.
    """
    variable = variable_in_use(environ)
    wanted = f"unix://{proxy_socket}" if variable == "DOCKER_HOST" else CONTEXT
    if not variable or environ[variable].strip() == wanted:
        return ""
    return f"{variable} is set, and beats the context in use; unset it, or set it to {shown(wanted)}"


def variable_in_use(environ: Mapping[str, str]) -> str:
    """Return the variable that says where Docker's client finds its daemon, "" if none does."""
    for name in BEAT_CONTEXTS:
        if environ.get(name, "").strip():
            return name
    return ""


def proxy_command(program: str, upstream: str) -> str:
    """Return the command line that has to be kept running if systemd does not start the proxy."""
    import shlex  # noqa: PLC0415 - not wanted by `status`

    named = ["--upstream", upstream] if upstream else []
    return shown(shlex.join([program, "docker-proxy", *named]))


def ask_version(client: Client, units: UserUnits | None) -> str:
    """Return the version of the Docker that answers through our context. Raises EngineError if none does."""
    try:
        return client.command("--context", CONTEXT, "version", "--format", "{{.Server.Version}}").do()
    except EngineError as error:
        more = f"; `systemctl --user status {SERVICE}` tells more" if units else ""
        raise EngineError(f"{error}{more}") from None
