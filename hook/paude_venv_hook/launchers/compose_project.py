"""The project of compose: what devcontainer.json says of it, and what compose answers when it is asked."""

from __future__ import annotations

import os
import re

from paude_venv_hook.engines.mounts import Mount, container_path, is_shared
from paude_venv_hook.engines.programs import ask, find_program
from paude_venv_hook.engines.run_grammar import Said
from paude_venv_hook.errors import DevcontainerError
from paude_venv_hook.files import read_start
from paude_venv_hook.json_values import get_list, get_object, get_text
from paude_venv_hook.records import NamedTuple
from paude_venv_hook.stores.folder import name_in
from paude_venv_hook.text import complaint, shown
from paude_venv_hook.workspace.devcontainer import read_devcontainer
from paude_venv_hook.workspace.jsonfile import read_object
from paude_venv_hook.workspace.location import Location, binds_of, parts_of
from paude_venv_hook.workspace.variables import substitution

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from subprocess import CompletedProcess
    from typing import Any


OUR_OPTIONS = re.compile(r"rw,exec,nosuid,nodev,(uid=\d+,gid=\d+|notmpcopyup),mode=1777(,size=[^,]*)?")


class Project(NamedTuple):
    """The compose project of a workspace.

    `files` are host paths; without any, compose finds its files by itself. `service` is the one that has the workspace,
    None where nothing names it. `mounts` is what devcontainer.json mounts in it.
    """

    files: tuple[str, ...] = ()
    service: str | None = None
    mounts: tuple[Mount, ...] = ()


def read_project(path: str, workspace_folder: str, environ: Mapping[str, str]) -> Project | None:
    """Return the compose project of a devcontainer.json (a host path), None where it is not based on compose.

    Raises JsonFileError, or DevcontainerError for a value of the wrong type.
    """
    mounts = read_devcontainer(path, workspace_folder, environ).mounts
    base = read_object(path, unique_keys=False)
    if "dockerComposeFile" not in base:
        return None
    service = base.get("service")
    if not isinstance(service, (str, type(None))):
        raise DevcontainerError(f"{shown(path)}: service: must be text; mend it")
    service = service and substitution(path, workspace_folder, base.get("workspaceFolder") or "/", environ)(service)
    return Project(tuple(compose_files(path, base, workspace_folder, environ)), service, mounts)


def compose_files(path: str, base: Mapping[str, Any], workspace_folder: str, environ: Mapping[str, str]) -> list[str]:
    """Return the host paths of the compose files that a devcontainer.json (of the host path `path`) names.

    For an empty list they are what the dev container tools take then: COMPOSE_FILE, or docker-compose.yml.
    """
    named = base.get("dockerComposeFile") or []
    files = [named] if isinstance(named, str) else named
    if not isinstance(files, list) or not all(isinstance(file, str) for file in files):
        raise DevcontainerError(f"{shown(path)}: dockerComposeFile: must be text or a list of text; mend it")
    substitute = substitution(path, workspace_folder, base.get("workspaceFolder") or "/", environ)
    folder, files = os.path.dirname(path), [substitute(file) for file in files]
    if not files:
        folder, files = workspace_folder, _default_files(workspace_folder, environ)
    return [os.path.normpath(os.path.join(folder, file)) for file in files]


def _default_files(workspace_folder: str, environ: Mapping[str, str]) -> list[str]:
    named = environ.get("COMPOSE_FILE")
    if not named:
        text = read_start(os.path.join(workspace_folder, ".env")).decode(errors="replace")
        named = "".join(re.findall(r"^COMPOSE_FILE=(.+)$", text, re.MULTILINE)[:1]).strip()
    if named:
        return named.split(os.pathsep)
    override = "docker-compose.override.yml"
    return ["docker-compose.yml"] + [override] * os.path.isfile(os.path.join(workspace_folder, override))


def services_of(config: Mapping[str, Any], workspace_folder: str) -> list[str]:
    """Return the services that bind a workspace folder (a host path) or a part of it, as compose tells it."""

    def binds(service: str) -> bool:
        mounts = mounts_of(config, service)
        return bool(binds_of(mounts, workspace_folder) or parts_of(mounts, workspace_folder))

    return list(filter(binds, get_object(config, "services")))


def said_of(config: Mapping[str, Any], service: str) -> Said:
    """Return what the project says of a service's container, from what `docker compose config` printed. Pure."""
    described = get_object(get_object(config, "services"), service)
    image, platform = (_undoubled(get_text(described, key)) for key in ("image", "platform"))
    return Said(image, platform, service)


def read_config(files: Sequence[str], workspace_folder: str, environ: Mapping[str, str]) -> tuple[dict[str, Any], str]:
    """Return the project as Docker Compose reads it: merged, with variables replaced, sources absolute.

    `files`, and `workspace_folder`, in which it is started, are host paths. The text is "", or why it does not tell.
    """
    docker = find_program("docker", environ)
    if docker is None:
        return {}, "docker is not on PATH"
    named = [argument for file in files for argument in ("-f", file)]
    return ask_config([docker, "compose"], named, workspace_folder, environ)


def ask_config(
    command: Sequence[str], named: Sequence[str], folder: str, environ: Mapping[str, str], stdin: bytes = b""
) -> tuple[dict[str, Any], str]:
    """Return what a compose program, started in a host folder with these options, tells of its project.

    All profiles are asked for, since `up` and `run` may want any of them; where one of their services is what is
    wrong, without them. `stdin` is for `-f -`. The text is "", or why it does not tell.
    """
    import json  # noqa: PLC0415 - 2 ms, and with venv none it does not come to this

    def run(*arguments: str) -> CompletedProcess[bytes]:
        return ask([*command, *arguments], environ, folder=folder, stdin=stdin)

    name = os.path.basename(command[0])
    try:
        done = run(*named, "--profile", "*", "config", "--format", "json")
        if done.returncode:
            # Without its plugin, docker takes `-f` and the like for options of its own and complains about those.
            if run("version").returncode:
                return {}, "it is not installed"
            done = run(*named, "config", "--format", "json")
        if done.returncode:
            return {}, _complaint(done.stderr)
        told = json.loads(done.stdout)
    except OSError as error:
        return {}, f"{shown(name)} cannot be asked: {error.strerror}"
    except (ValueError, RecursionError):
        return {}, "it prints no JSON"
    return (told, "") if isinstance(told, dict) else ({}, "it prints no JSON object")


def _complaint(stderr: bytes) -> str:
    lines = stderr.decode(errors="replace").splitlines()
    said = [line.strip() for line in lines if line.strip() and not line.startswith("time=")]  # those are warnings
    return f"it says: {complaint(said[0])}" if said else "it gives no reason"


def mounts_of(config: Mapping[str, Any], service: str) -> list[Mount]:
    """Return what a service mounts, from what `docker compose config` printed, in which each `$` is doubled. Pure.

    Shadows and stores do not count: else a file of ours among the project's own would make the next one come out empty.
    """
    described = get_object(get_object(config, "services"), service)
    mounts = [
        Mount(
            get_text(entry, "type"),
            _undoubled(get_text(entry, "source")),
            container_path(_undoubled(get_text(entry, "target"))),
            is_shared([get_text(get_object(entry, "bind"), "propagation")]),
        )
        for entry in get_list(described, "volumes")
        if get_text(entry, "target")
    ]
    for entry in [text for text in get_list(described, "tmpfs") if isinstance(text, str)]:
        target, _, options = entry.partition(":")
        if not OUR_OPTIONS.fullmatch(options):
            mounts.append(Mount("tmpfs", "", container_path(_undoubled(target))))
    return [mount for mount in mounts if not name_in(mount.source)]


def labels_of(config: Mapping[str, Any], service: str) -> list[str]:
    """Return the labels of a service as `KEY=VALUE`, from what `docker compose config` printed. Pure."""
    labels = get_object(get_object(get_object(config, "services"), service), "labels")
    return [f"{key}={_undoubled(get_text(labels, key))}" for key in labels]


def _undoubled(text: str) -> str:
    return text.replace("$$", "$")


def find_workspace(mounts: Sequence[Mount], workspace_folder: str, service: str) -> Location:
    """Return where a service has the workspace folder (a host path): the nearest of its binds that holds it, if any."""
    binds = binds_of(mounts, workspace_folder)
    if not binds:
        return Location((), f"the service {shown(service)} has no bind mount that holds the workspace folder")
    return Location(tuple(binds[:1]), "docker compose config")
