"""Compose: the compose file that shadows the venvs in one service, and where that service has the workspace.

What is made here is added to the project's own files: `docker compose -f compose.yaml -f venv.json up`.
"""

from __future__ import annotations

import os
import re
from collections import namedtuple

from paude_venv_hook.engines import selinux
from paude_venv_hook.engines.choice import choose_engine, engine_called_docker
from paude_venv_hook.engines.commandline import Said
from paude_venv_hook.engines.mounts import Mount, container_path, is_shared
from paude_venv_hook.engines.programs import ask, find_program
from paude_venv_hook.errors import DevcontainerError, EngineError, UsageError
from paude_venv_hook.files import read_start
from paude_venv_hook.pipeline import prepare
from paude_venv_hook.plan import without_colons
from paude_venv_hook.stores.folder import name_in
from paude_venv_hook.text import did_you_mean, shown
from paude_venv_hook.values import get_list, get_object, get_text
from paude_venv_hook.workspace.devcontainer import find_devcontainer, read_devcontainer
from paude_venv_hook.workspace.jsonfile import read_object
from paude_venv_hook.workspace.location import Location, binds_of, check_workspace_folder, locate, parts_of
from paude_venv_hook.workspace.settings import read_settings
from paude_venv_hook.workspace.variables import substitution

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from subprocess import CompletedProcess
    from typing import Any

    from paude_venv_hook.pipeline import Prepared

_OUR_OPTIONS = re.compile(r"rw,exec,nosuid,nodev,(uid=\d+,gid=\d+|notmpcopyup),mode=1777(,size=[^,]*)?")


class Project(namedtuple("Project", ("files", "service", "mounts"), defaults=((), None, ()))):
    """The compose project of a workspace.

    `files` are host paths; without any, compose finds its files by itself. `service` is the one that has the workspace,
    None where nothing names it. `mounts` is what devcontainer.json mounts in it.
    """

    __slots__ = ()
    files: tuple[str, ...]
    service: str | None
    mounts: tuple[Mount, ...]


def prepare_compose(  # noqa: PLR0913 - each is a flag of the command line, or says what stands for one
    workspace_folder: str,
    environ: Mapping[str, str],
    *,
    service: str | None = None,
    target: str | None = None,
    config: str | None = None,
    engine: str = "auto",
    venv: str | None = None,
    storage: str | None = None,
    target_needed: bool = True,
) -> tuple[Prepared, dict[str, Any]]:
    """Return the plan of a workspace folder (a host path) for a service of its compose project, and the compose file.

    `service` beats the one in devcontainer.json (`config` names another one). `target` is where the workspace folder
    is in the service's container; without it, Docker Compose is asked. The other arguments are those of `prepare`.
    Raises a HookError for whatever is wrong: a UsageError for a service that has to be given, and for a target where
    Compose does not tell it, unless `target_needed` is false: nothing is shadowed then.
    """
    workspace_folder = check_workspace_folder(workspace_folder)
    config = find_devcontainer(workspace_folder) if config is None else os.path.abspath(config)
    project = (config and read_project(config, workspace_folder, environ)) or Project()
    service = service or project.service
    if not service:
        raise UsageError("--service: needed, since no devcontainer.json names it; say which service has the workspace")
    location, mounts, said = None, [], Said(service=service)
    settings = read_settings(workspace_folder, venv, environ, storage)
    if settings.venv != "none":
        told, why_not = read_config(project.files, workspace_folder, environ)
        mounts = [] if why_not else mounts_of(told, service)
        said = said_of(told, service)
        if target is not None:
            location = locate(workspace_folder, target, config, environ)
        elif not why_not:
            location = find_workspace(mounts, workspace_folder, service)
        elif target_needed:
            raise UsageError(
                f"--target: needed, since docker compose config does not tell it ({shown(why_not)}); "
                "say where the workspace folder is in the service's container"
            )
        else:
            location = Location((), f"docker compose config does not tell where it is mounted ({shown(why_not)})")
        there = [mount.target for mount in location.mounts]
        parts = [mount for mount in parts_of(mounts, workspace_folder) if mount.target not in there]
        mounted = {mount.target: mount.type for mount in (*project.mounts, *mounts)}
        if any(bind.is_shared for bind in binds_of(mounts, workspace_folder)):  # also where --target says the place
            location = location._replace(mounts=tuple(item._replace(is_shared=True) for item in location.mounts))
        location = location._replace(mounts=(*location.mounts, *parts), mounted=mounted)

    chosen = choose_compose_engine(engine, environ)
    prepared = prepare(
        workspace_folder, environ, location=location, engine=chosen, venv=venv, storage=storage, said=said
    )
    if prepared.settings.storage == "memory":
        prepared = prepared._replace(plan=without_colons(prepared.plan, "compose"))
        return prepared, make_compose_file(service, prepared.document["runArgs"])
    if chosen == "podman":  # podman-compose makes a `-v` of a bind
        prepared = prepared._replace(plan=without_colons(prepared.plan, "podman-compose", "a store"))
    stores = [(shadow.store, shadow.destination) for shadow in prepared.plan.shadows]
    if stores and selinux.is_on():
        raise EngineError(
            "compose does not label a store for SELinux, which keeps containers out; use --storage memory"
        )
    return prepared, make_compose_file(service, (), stores)


def choose_compose_engine(flag: str, environ: Mapping[str, str]) -> str:
    """Return the engine below compose: as `choose_engine`, but `auto` takes what `docker` on PATH is, if it is there.

    `docker compose` is what people start, also where there is a Podman beside it.
    """
    undecided = flag == "auto" and environ.get("PAUDE_VENV_ENGINE", "") in ("", "auto")
    if undecided and find_program("docker", environ):
        return engine_called_docker(environ)
    return choose_engine(flag, environ)[0]


def make_compose_file(service: str, run_args: Sequence[str], stores: Iterable[tuple[str, str]] = ()) -> dict[str, Any]:
    """Return the compose file that gives the service what each `--tmpfs` of the run arguments gives a container.

    The other option, Podman's `--mount` for a path with a colon, has no counterpart in compose, and is left out.
    `stores` are host paths, each with the container path on which to mount it.
    Compose's short syntax takes what `--tmpfs` of the engine below it takes; the long one is noexec on Docker. Without
    anything to mount it is a file that changes nothing, which docker-compose 1 only knows by a service in it.
    """
    options = zip(run_args[::2], run_args[1::2], strict=True)
    tmpfs = [_doubled(value) for option, value in options if option == "--tmpfs"]
    volumes = [
        {
            "type": "bind",
            "source": _doubled(store),
            "target": _doubled(destination),
            "bind": {"create_host_path": False},
        }
        for store, destination in stores
    ]
    named = {"tmpfs": tmpfs, "volumes": volumes}
    return {"services": {service: {key: value for key, value in named.items() if value}}}


def dump(document: Mapping[str, Any]) -> bytes:
    """Return the bytes of a compose file: JSON, written so that every YAML parser reads the same.

    YAML takes U+2028 and its like for line breaks, and knows no surrogate pairs: it is all escaped but what needs one.
    """
    import json  # noqa: PLC0415 - only where there is something to write

    text = json.dumps(document, indent=2, ensure_ascii=False)
    return (re.sub("[\x7f-\uffff]", lambda match: f"\\u{ord(match[0]):04x}", text) + "\n").encode()


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


def add_compose_file(
    path: str, base: Mapping[str, Any], compose_file: str, workspace_folder: str, environ: Mapping[str, str]
) -> dict[str, Any]:
    """Return a compose-based devcontainer.json (of the host path `path`) with a compose file appended to its own.

    The tools replace variables in it once more: DevcontainerError where a path holds one.
    """
    files = [*compose_files(path, base, workspace_folder, environ), compose_file]
    substitute = substitution(path, workspace_folder, "/", environ)
    for file in files:
        if substitute(file) != file:
            raise DevcontainerError(f"{shown(file)}: holds what devcontainer.json replaces; rename the folder")
    return {**base, "dockerComposeFile": files}


def said_of(config: Mapping[str, Any], service: str) -> Said:
    """Return what the project says of a service's container, from what `docker compose config` printed. Pure."""
    described = get_object(get_object(config, "services"), service)
    image, platform = (_undoubled(get_text(described, key)) for key in ("image", "platform"))
    return Said(image, platform, service)


def read_config(files: Sequence[str], workspace_folder: str, environ: Mapping[str, str]) -> tuple[dict[str, Any], str]:
    """Return the project as Docker Compose reads it: merged, with variables replaced, sources absolute.

    `files`, and `workspace_folder`, in which it is started, are host paths. The text is "", or why it does not tell.
    """
    import json  # noqa: PLC0415 - 2 ms, and with venv none it does not come to this

    docker = find_program("docker", environ)
    if docker is None:
        return {}, "docker is not on PATH"

    def run(*arguments: str) -> CompletedProcess[bytes]:
        return ask([docker, "compose", *arguments], environ, folder=workspace_folder)

    named = [argument for file in files for argument in ("-f", file)]
    try:
        done = run(*named, "--profile", "*", "config", "--format", "json")
        if done.returncode:
            # Without its plugin, docker takes `-f` and the like for options of its own and complains about those.
            installed = run("version").returncode == 0
            return {}, _complaint(done.stderr) if installed else "it is not installed"
        told = json.loads(done.stdout)
    except OSError as error:
        return {}, f"docker cannot be asked: {error.strerror}"
    except (ValueError, RecursionError):
        return {}, "it prints no JSON"
    return (told, "") if isinstance(told, dict) else ({}, "it prints no JSON object")


def _complaint(stderr: bytes) -> str:
    lines = stderr.decode(errors="replace").splitlines()
    said = [line.strip() for line in lines if line.strip() and not line.startswith("time=")]  # those are warnings
    return f"it says: {said[0]}" if said else "it gives no reason"


def mounts_of(config: Mapping[str, Any], service: str) -> list[Mount]:
    """Return what a service mounts, from what `docker compose config` printed, in which each `$` is doubled. Pure.

    Shadows and stores do not count: else a file of ours among the project's own would make the next one come out empty.
    Raises UsageError for a service that is not there.
    """
    services = get_object(config, "services")
    if service not in services:
        names = ", ".join(shown(name) for name in services) or "none"
        hint = did_you_mean(service, services)
        raise UsageError(f'--service: "{shown(service)}" is no service of the compose files{hint}; they have {names}')
    mounts = [
        Mount(
            get_text(entry, "type"),
            _undoubled(get_text(entry, "source")),
            container_path(_undoubled(get_text(entry, "target"))),
            is_shared([get_text(get_object(entry, "bind"), "propagation")]),
        )
        for entry in get_list(services[service], "volumes")
        if get_text(entry, "target")
    ]
    for entry in [text for text in get_list(services[service], "tmpfs") if isinstance(text, str)]:
        target, _, options = entry.partition(":")
        if not _OUR_OPTIONS.fullmatch(options):
            mounts.append(Mount("tmpfs", "", container_path(_undoubled(target))))
    return [mount for mount in mounts if not name_in(mount.source)]


def _doubled(text: str) -> str:
    return text.replace("$", "$$")


def _undoubled(text: str) -> str:
    return text.replace("$$", "$")


def find_workspace(mounts: Sequence[Mount], workspace_folder: str, service: str) -> Location:
    """Return where a service has the workspace folder (a host path): the nearest of its binds that holds it, if any."""
    binds = binds_of(mounts, workspace_folder)
    if not binds:
        return Location((), f"the service {shown(service)} has no bind mount that holds the workspace folder")
    return Location(tuple(binds[:1]), "docker compose config")
