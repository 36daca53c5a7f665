"""Compose: the compose file that shadows the venvs in its services, and where those have the workspace.

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
    services: Sequence[str] = (),
    target: str | None = None,
    config: str | None = None,
    engine: str = "auto",
    venv: str | None = None,
    storage: str | None = None,
    target_needed: bool = True,
) -> tuple[list[Prepared], dict[str, Any]]:
    """Return the plans of a workspace folder (a host path), one for each service of its project, and the compose file.

    Those are the given `services`, else all that bind the folder or a part of it; the one in devcontainer.json
    (`config` names another one) comes first, also where it binds nothing. Where there is none the only plan says so.
    `target` is where the workspace folder is in the containers of the given services, or of that one; without it,
    Docker Compose is asked. The other arguments are those of `prepare`. Raises a HookError for whatever is wrong: a
    UsageError for a service, or a target, that has to be given where Compose does not tell it, unless `target_needed`
    is false: nothing is shadowed then.
    """
    workspace_folder = check_workspace_folder(workspace_folder)
    config = find_devcontainer(workspace_folder) if config is None else os.path.abspath(config)
    project = (config and read_project(config, workspace_folder, environ)) or Project()
    is_none = read_settings(workspace_folder, venv, environ, storage).venv == "none"
    told, why_not = ({}, "") if is_none else read_config(project.files, workspace_folder, environ)
    named = list(services) or ([project.service] if project.service else [])
    if not named and (why_not or target is not None):
        not_told = f"docker compose config does not tell it ({shown(why_not)})"
        since = not_told if target is None else "no devcontainer.json names it"
        raise UsageError(f"--service: needed, since {since}; say which service has the workspace")
    if not services and target is None:
        named += services_of(told, workspace_folder)

    def find(service: str) -> Location:
        mounts = [] if why_not else mounts_of(told, service)
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
        by_tools = project.mounts if service == project.service else ()
        mounted = {mount.target: mount.type for mount in (*by_tools, *mounts)}
        if any(bind.is_shared for bind in binds_of(mounts, workspace_folder)):  # also where --target says the place
            location = location._replace(mounts=tuple(item._replace(is_shared=True) for item in location.mounts))
        return location._replace(mounts=(*location.mounts, *parts), mounted=mounted)

    def plan(location: Location | None, said: Said) -> Prepared:
        return prepare(
            workspace_folder, environ, location=location, engine=chosen, venv=venv, storage=storage, said=said
        )

    chosen = choose_compose_engine(engine, environ)
    if not named:
        nowhere = Location((), "no service of compose has a bind mount that holds the workspace folder")
        return [plan(nowhere, Said())], merge(())
    made = [
        in_service(service, plan(None if is_none else find(service), said_of(told, service)))
        for service in dict.fromkeys(named)
    ]
    return [prepared for prepared, _ in made], merge(file for _, file in made)


def services_of(config: Mapping[str, Any], workspace_folder: str) -> list[str]:
    """Return the services that bind a workspace folder (a host path) or a part of it, as compose tells it."""

    def binds(service: str) -> bool:
        mounts = mounts_of(config, service)
        return bool(binds_of(mounts, workspace_folder) or parts_of(mounts, workspace_folder))

    return list(filter(binds, get_object(config, "services")))


def in_service(service: str, prepared: Prepared) -> tuple[Prepared, dict[str, Any]]:
    """Return the plan as far as compose can name it, and the compose file that has it for a service.

    Raises EngineError for a store on a machine where compose cannot label it for SELinux.
    """
    if prepared.settings.storage == "memory":
        prepared = prepared._replace(plan=without_colons(prepared.plan, "compose"))
        return prepared, make_compose_file(service, prepared.document["runArgs"])
    if prepared.engine == "podman":  # podman-compose makes a `-v` of a bind
        prepared = prepared._replace(plan=without_colons(prepared.plan, "podman-compose", "a store"))
    stores = [(shadow.store, shadow.destination) for shadow in prepared.plan.shadows]
    if stores and selinux.is_on():
        raise EngineError(
            "compose does not label a store for SELinux, which keeps containers out; use --storage memory"
        )
    return prepared, make_compose_file(service, (), stores)


def merge(files: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return one compose file for what is in several made here; each entry of a service is there once. Pure."""
    services: dict[str, dict[str, list[Any]]] = {}
    for file in files:
        for service, described in file["services"].items():
            lists = services.setdefault(service, {})
            for key, entries in described.items():
                there = lists.setdefault(key, [])
                there += [entry for entry in entries if entry not in there]
    return {"services": services}


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


def labels_of(config: Mapping[str, Any], service: str) -> list[str]:
    """Return the labels of a service as `KEY=VALUE`, from what `docker compose config` printed. Pure."""
    labels = get_object(get_object(get_object(config, "services"), service), "labels")
    return [f"{key}={_undoubled(get_text(labels, key))}" for key in labels]


def is_ours(data: bytes) -> bool:
    """Tell whether the bytes of a compose file hold what is made here, and nothing else."""
    import json  # noqa: PLC0415 - only where there is such a file

    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return False
    services = get_object(document, "services")
    return (
        isinstance(document, dict)
        and list(document) == ["services"]
        and all(
            set(get_object(services, name)) <= {"tmpfs", "volumes"}
            and all(isinstance(entry, dict) for entry in get_list(services[name], "volumes"))
            and not mounts_of(document, name)
            for name in services
        )
    )


def _undoubled(text: str) -> str:
    return text.replace("$$", "$")


def find_workspace(mounts: Sequence[Mount], workspace_folder: str, service: str) -> Location:
    """Return where a service has the workspace folder (a host path): the nearest of its binds that holds it, if any."""
    binds = binds_of(mounts, workspace_folder)
    if not binds:
        return Location((), f"the service {shown(service)} has no bind mount that holds the workspace folder")
    return Location(tuple(binds[:1]), "docker compose config")
