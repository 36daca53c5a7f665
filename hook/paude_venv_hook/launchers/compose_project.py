"""Read a compose project: from devcontainer.json, and by asking a compose program."""

from __future__ import annotations

import os
import re

from paude_venv_hook.engines.mounts import Mount, bound_device, container_path, is_shared
from paude_venv_hook.engines.programs import ask, find_program
from paude_venv_hook.files import read_start
from paude_venv_hook.json_values import get_list, get_object, get_text, parse_json
from paude_venv_hook.launch import Launch
from paude_venv_hook.records import NamedTuple
from paude_venv_hook.stores.folder import name_in
from paude_venv_hook.text import last_line, shown
from paude_venv_hook.workspace.carried import find_carriers
from paude_venv_hook.workspace.devcontainer import check_list, check_text, read_devcontainer
from paude_venv_hook.workspace.jsonfile import read_object
from paude_venv_hook.workspace.variables import substitution

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from subprocess import CompletedProcess
    from typing import Any


OUR_OPTIONS = re.compile(r"rw,exec,nosuid,nodev,(uid=\d+,gid=\d+|notmpcopyup),mode=1777(,size=[^,]*)?")


class Project(NamedTuple):
    """The compose project of a workspace.

    `files` are host paths; without any, compose finds its files by itself. `service` is the one that has the workspace,
    None if nothing names it. `mounts` is what devcontainer.json mounts in it.
    """

    files: tuple[str, ...] = ()
    service: str | None = None
    mounts: tuple[Mount, ...] = ()


def read_project(path: str, workspace_folder: str, environ: Mapping[str, str]) -> Project | None:
    """Return the compose project of a devcontainer.json (a host path), None if it is not based on compose.

    Raises JsonFileError, or DevcontainerError for a value of the wrong type.
    """
    mounts = read_devcontainer(path, workspace_folder, environ).mounts
    base = read_object(path, unique_keys=False)
    if "dockerComposeFile" not in base:
        return None
    check_text(path, base, "service", "app")
    service = base.get("service")
    service = service and substitution(path, workspace_folder, base.get("workspaceFolder") or "/", environ)(service)
    return Project(tuple(compose_files(path, base, workspace_folder, environ)), service, mounts)


def compose_files(path: str, base: Mapping[str, Any], workspace_folder: str, environ: Mapping[str, str]) -> list[str]:
    """Return the host paths of the compose files that a devcontainer.json (of the host path `path`) names.

    For an empty list they are what the dev container tools take then: COMPOSE_FILE, or docker-compose.yml.
    """
    named = base.get("dockerComposeFile") or []
    files = [named] if isinstance(named, str) else named
    check_list(path, "dockerComposeFile", files, "compose.yaml")
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
    """Return the services that bind a workspace folder (a host path) or a part of it."""
    real = os.path.realpath(workspace_folder)
    return [name for name in get_object(config, "services") if find_carriers(real, mounts_of(config, name))]


def launch_of(config: Mapping[str, Any], service: str, engine: str, folder: str) -> Launch:
    """Return what a project says of a service's container, from what `docker compose config` printed. Pure.

    `folder` is the host folder in which somebody asks. A volume of the project that is a bind is one here, and
    `volumes_from` brings what the other service mounts.
    """
    described = get_object(get_object(config, "services"), service)
    labels = get_object(described, "labels")
    return Launch(
        engine,
        "docker compose config",
        tuple(mounts_of(config, service)),
        labels={key: _undoubled(get_text(labels, key)) for key in labels},
        folder=folder,
        image=_undoubled(get_text(described, "image")),
        platform=_undoubled(get_text(described, "platform")),
        service=service,
    )


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

    All profiles are asked for, since `up` and `run` may want any of them; if one of their services is what is
    wrong, without them. `stdin` is for `-f -`. The text is "", or why it does not tell.
    """

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
    except OSError as error:
        return {}, f"{shown(name)} cannot be asked: {error.strerror}"
    config = parse_json(done.stdout)
    return (config, "") if isinstance(config, dict) else ({}, "it prints no JSON object")


def _complaint(stderr: bytes) -> str:
    lines = stderr.decode(errors="replace").splitlines()
    complaints = [line.strip() for line in lines if line.strip() and not line.startswith("time=")]  # those are warnings
    return f"it says: {last_line(complaints[0])}" if complaints else "it gives no reason"


def mounts_of(config: Mapping[str, Any], service: str) -> list[Mount]:
    """Return what a service mounts, from what `docker compose config` printed, in which each `$` is doubled. Pure.

    Shadows and stores do not count: else a file of ours among the project's own would make the next one come out empty.
    """
    mounts: dict[str, Mount] = {}
    services = [service]
    for name in services:  # it grows by those whose volumes are taken over
        described = get_object(get_object(config, "services"), name)
        for mount in _own_mounts(config, described):
            if name == service or mount.type != "tmpfs":
                mounts.setdefault(mount.target, mount)
        for other in get_list(described, "volumes_from"):  # SERVICE[:ro], or container:NAME, which is none of ours
            inherited = str(other).partition(":")[0]
            if inherited not in services:
                services.append(inherited)
    return [mount for mount in mounts.values() if not name_in(mount.source)]


def _own_mounts(config: Mapping[str, Any], service: Mapping[str, Any]) -> Iterator[Mount]:
    for entry in get_list(service, "volumes"):
        kind, source = get_text(entry, "type"), _undoubled(get_text(entry, "source"))
        device = _device(config, source) if kind == "volume" else ""
        if device:
            kind, source = "bind", device
        target = container_path(_undoubled(get_text(entry, "target")))
        if target:
            yield Mount(kind, source, target, is_shared([get_text(get_object(entry, "bind"), "propagation")]))
    for entry in filter(_is_text, get_list(service, "tmpfs")):
        target, _, options = entry.partition(":")
        if not OUR_OPTIONS.fullmatch(options):
            yield Mount("tmpfs", "", container_path(_undoubled(target)))


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _device(config: Mapping[str, Any], volume: str) -> str:
    """Return the host folder that a volume of the project binds, "" if it is no such volume."""
    described = get_object(get_object(config, "volumes"), volume)
    return _undoubled(bound_device(get_text(described, "driver"), get_object(described, "driver_opts")))


def _undoubled(text: str) -> str:
    return text.replace("$$", "$")
