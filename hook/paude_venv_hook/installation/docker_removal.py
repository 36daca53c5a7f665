"""Remove what an installation for Docker made, by its record and by what the environment names now."""

from __future__ import annotations

import os

from paude_venv_hook.docker_api.contexts import client_folder, find_context
from paude_venv_hook.docker_api.sockets import does_answer, own_socket
from paude_venv_hook.installation.changes import Change
from paude_venv_hook.installation.docker_install import CONTEXT, find_client, find_user_units, variable_in_use
from paude_venv_hook.installation.docker_record import read_record, record_path
from paude_venv_hook.installation.docker_units import SERVICE, SOCKET, is_unit_of_ours, units_folder
from paude_venv_hook.records import NamedTuple
from paude_venv_hook.text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paude_venv_hook.installation.docker_install import Client, Step, UserUnits
    from paude_venv_hook.installation.docker_record import Record


class Removal(NamedTuple):
    """The steps of a removal, lines on what stays, and folders to remove if they are empty."""

    steps: list[Step]
    stays: list[str]
    folders: list[str]


def plan_uninstall(docker: str | None, environ: Mapping[str, str]) -> Removal:
    """Return the removal of all that an installation made.

    That is what the environment names, and what the record does. `docker` is the host path of Docker's client, None if
    there is none. Raises EngineError for a user without a home folder.
    """
    record = read_record()
    proxy_socket = own_socket(environ)
    contexts, stays = _plan_contexts_away(docker, environ, record)
    units, foreign = _plan_units_away(environ, record)
    sockets = dict.fromkeys([proxy_socket, *record.sockets])
    removed = [Change(path, None) for path in sockets if os.path.lexists(path)]
    steps: list[Step] = [*contexts, *units, *removed]
    stays += foreign
    if removed and not units and does_answer(proxy_socket):
        stays.append("a docker-proxy that nobody reaches any more still runs; end it")
    path = record_path()
    if os.path.lexists(path):
        if docker:
            steps.append(Change(path, None))
        else:
            stays.append(f"without docker on PATH its context {CONTEXT} stays; with it, run this again")
    if steps:
        stays += _still_named(proxy_socket, environ)
    return Removal(steps, stays, [os.path.dirname(path) for path in sockets])


def _plan_contexts_away(docker: str | None, environ: Mapping[str, str], record: Record) -> tuple[list[Step], list[str]]:
    steps: list[Step] = []
    stays = []
    for folder in dict.fromkeys([client_folder(environ), *record.contexts]):
        client = find_client(docker, environ, folder)
        before = record.context_before(folder)
        is_gone = bool(before) and not client.in_use and not client.ours  # somebody removed it while it was in use
        if client.uses_ours or (is_gone and _has_context(client, "default")):
            steps.append(client.command("context", "use", before if _has_context(client, before) else "default"))
        if client.has_ours:
            steps.append(client.command("context", "rm", CONTEXT))
        elif client.ours:
            stays.append(f"the docker context {CONTEXT} leads to {shown(client.ours.host)}, and is not ours: it stays")
    return steps, stays


def _has_context(client: Client, name: str) -> bool:
    """Tell whether Docker's client has a context, which is not ours."""
    return bool(client.docker) and name not in ("", CONTEXT) and bool(find_context(client.docker, client.environ, name))


def _plan_units_away(environ: Mapping[str, str], record: Record) -> tuple[list[Step], list[str]]:
    systemd = find_user_units(environ)
    stops: list[Step] = []
    removed: list[Step] = []
    foreign: list[str] = []
    for folder in dict.fromkeys([units_folder(environ), *record.units]):
        units = _find_units(folder)
        active = []
        if systemd and not stops:  # systemd knows one folder
            active = [name for name in units.ours if systemd.does("cat", name)]
            stops += _stop(systemd, active)
        foreign += [f"{shown(os.path.join(folder, name))} is not ours: it stays" for name in units.foreign]
        removed += [Change(os.path.join(folder, name), None) for name in units.ours]
        link = os.path.join(folder, "sockets.target.wants", SOCKET)  # what enables it, and `disable` removes
        if os.path.lexists(link) and SOCKET not in active and SOCKET not in units.foreign:
            removed.append(Change(link, None))
    if systemd and removed:
        removed.append(systemd.command("daemon-reload"))
    return [*stops, *removed], foreign


class _Units(NamedTuple):
    """The names of the units in a folder: those that we made, and those of the same names that we did not."""

    ours: list[str]
    foreign: list[str]


def _find_units(folder: str) -> _Units:
    units = _Units([], [])
    for name in (SOCKET, SERVICE):
        path = os.path.join(folder, name)
        if not os.path.lexists(path):
            continue
        if is_unit_of_ours(path):
            units.ours.append(name)
        else:
            units.foreign.append(name)
    return units


def _stop(systemd: UserUnits, names: Sequence[str]) -> list[Step]:
    """Return the steps that stop units, and let none start again."""
    steps: list[Step] = []
    if names:
        steps.append(systemd.command("stop", *names))
    if SOCKET in names:
        steps.append(systemd.command("disable", SOCKET))
    return steps


def _still_named(proxy_socket: str, environ: Mapping[str, str]) -> list[str]:
    """Return lines on the variable that leads to a proxy, or a context, that is there no longer."""
    variable = variable_in_use(environ)
    value = environ.get(variable, "").strip()
    if value in (CONTEXT, f"unix://{proxy_socket}"):
        return [f"{variable} is {shown(value)} still, and nothing is there any more; unset it"]
    return []
