"""The user units of systemd that start the proxy of Docker's API at the first connection to its socket."""

from __future__ import annotations

import os
from collections.abc import Mapping

from paude_venv_hook.docker_api.sockets import refuse_long
from paude_venv_hook.engines.mountable import can_be_mounted
from paude_venv_hook.errors import EngineError
from paude_venv_hook.files import read_start
from paude_venv_hook.folders import config_home, needed_folder
from paude_venv_hook.installation.changes import Change
from paude_venv_hook.terminal import PROGRAM
from paude_venv_hook.text import shown

SOCKET = "paude-venv-docker-proxy.socket"
SERVICE = "paude-venv-docker-proxy.service"
MARK = f"# Made by `{PROGRAM} install`; `{PROGRAM} uninstall` removes it.\n"
# Where the settings and the stores of the user are; systemd gives a service a HOME, and none of these.
_KEPT = ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")


def units_folder(environ: Mapping[str, str]) -> str:
    """Return the host path of the folder in which systemd looks for units of the user (systemd.unit(5)).

    Raises EngineError for a user without a home folder.
    """
    return os.path.join(needed_folder(config_home(environ), EngineError), "systemd", "user")


def make_units(program: str, proxy_socket: str, upstream: str, environ: Mapping[str, str]) -> tuple[Change, Change]:
    """Return the files of the socket and of the service.

    All are host paths: `program` is this one, `proxy_socket` the one on which to listen, `upstream` Docker's. Raises
    EngineError for one that cannot stand in a unit.
    """
    kept = [f"{name}={environ[name]}" for name in _KEPT if os.path.isabs(environ.get(name, ""))]
    for text in (program, proxy_socket, upstream, *kept):
        if not can_be_mounted(text):
            raise EngineError(f"{shown(text)}: a unit of systemd cannot name such a path; rename it")
    folder = units_folder(environ)
    listen = _specifiers(refuse_long(proxy_socket, SOCKET))
    socket = (
        f"{MARK}[Unit]\nDescription=Docker's API, with the venvs of workspaces shadowed\n\n"
        # Not unquoted: systemd takes all of the line as the path.
        f"[Socket]\nListenStream={listen}\nSocketMode=0600\nDirectoryMode=0700\n"
        "RemoveOnStop=yes\n\n"
        "[Install]\nWantedBy=sockets.target\n"
    )
    settings = "".join(f"Environment={_quoted(text)}\n" for text in kept)
    service = (
        f"{MARK}[Unit]\nDescription=Docker's API, with the venvs of workspaces shadowed\n"
        f"Requires={SOCKET}\nAfter={SOCKET}\n\n"
        f"[Service]\n{settings}ExecStart={_command_line([program, 'docker-proxy', '--upstream', upstream])}\n"
    )
    return (
        Change(os.path.join(folder, SOCKET), socket.encode()),
        Change(os.path.join(folder, SERVICE), service.encode()),
    )


def is_unit_of_ours(path: str) -> bool:
    """Tell whether we made the unit at a host path."""
    return read_start(path).startswith(MARK.encode())


def _command_line(words: list[str]) -> str:
    """Return the words as systemd.service(5) wants a command line; the first is the host path of a program."""
    if set(words[0]) & set("\"'\\"):  # systemd starts no program of such a name, in whatever way it is quoted
        words = ["/bin/sh", "-c", 'exec "$0" "$@"', *words]
    program, *arguments = map(_quoted, words)
    return " ".join([program, *(word.replace("$", "$$") for word in arguments)])  # no variable stands for a program


def _quoted(word: str) -> str:
    """Return the word as one of systemd.syntax(7), also if it is plain: between double quotes all else is itself."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{_specifiers(escaped)}"' if set(word) - _PLAIN else word


_PLAIN = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+=,:@~")


def _specifiers(text: str) -> str:
    return text.replace("%", "%%")  # systemd.unit(5), Specifiers
