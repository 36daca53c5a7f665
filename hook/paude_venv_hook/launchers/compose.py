"""Compose: the compose file that shadows the venvs in its services, and where those have the workspace.

What is made here is added to the project's own files: `docker compose -f compose.yaml -f venv.json up`.
"""

from __future__ import annotations

import os
import re

from paude_venv_hook.engines import selinux
from paude_venv_hook.engines.choice import choose_engine, engine_called_docker
from paude_venv_hook.engines.programs import find_program
from paude_venv_hook.engines.run_grammar import Said
from paude_venv_hook.engines.table import refuse_other_forms
from paude_venv_hook.errors import DevcontainerError, EngineError, UsageError
from paude_venv_hook.json_values import get_list, get_object
from paude_venv_hook.launchers.compose_project import (
    Project,
    compose_files,
    find_workspace,
    mounts_of,
    read_config,
    read_project,
    said_of,
    services_of,
)
from paude_venv_hook.pipeline import prepare
from paude_venv_hook.plan import without_colons
from paude_venv_hook.text import did_you_mean, shown
from paude_venv_hook.workspace.devcontainer import find_devcontainer
from paude_venv_hook.workspace.location import Location, binds_of, check_workspace_folder, locate, parts_of
from paude_venv_hook.workspace.settings import read_settings
from paude_venv_hook.workspace.variables import substitution

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from paude_venv_hook.pipeline import Prepared


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
    is false, for a command that has no such flags: nothing is shadowed then.
    """
    workspace_folder = check_workspace_folder(workspace_folder)
    config = find_devcontainer(workspace_folder) if config is None else os.path.abspath(config)
    project = (config and read_project(config, workspace_folder, environ)) or Project()
    is_none = read_settings(workspace_folder, venv, environ, storage).venv == "none"
    told, why_not = ({}, "") if is_none else read_config(project.files, workspace_folder, environ)
    named = list(services) or ([project.service] if project.service else [])
    _check_services(named, told, "" if services else f"{config}: ")
    nowhere = "no service of compose has a bind mount that holds the workspace folder"
    if not named and (why_not or target is not None):
        nowhere = _service_unknown(why_not if target is None else "", is_error=target_needed)
    elif not services and target is None:
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
            location = Location(
                (), f"docker compose config does not tell where it is mounted ({shown(why_not)}); mend that"
            )
        there = [mount.target for mount in location.mounts]
        parts = [mount for mount in parts_of(mounts, workspace_folder) if mount.target not in there]
        by_tools = project.mounts if service == project.service else ()
        mounted = {mount.target: mount.type for mount in (*by_tools, *mounts)}
        if any(bind.is_shared for bind in binds_of(mounts, workspace_folder)):  # also where --target says the place
            location = location._replace(mounts=tuple(item._replace(is_shared=True) for item in location.mounts))
        why = location.why if location.mounts or not parts else "docker compose config"
        return location._replace(mounts=(*location.mounts, *parts), why=why, mounted=mounted)

    def plan(location: Location | None, said: Said) -> Prepared:
        return prepare(
            workspace_folder, environ, location=location, engine=chosen, venv=venv, storage=storage, said=said
        )

    chosen = choose_compose_engine(engine, environ)
    if not named:
        return [plan(Location((), nowhere), Said())], merge(())
    made = [
        in_service(service, plan(None if is_none else find(service), said_of(told, service)))
        for service in dict.fromkeys(named)
    ]
    return [prepared for prepared, _ in made], merge(file for _, file in made)


def _check_services(named: Iterable[str], told: Mapping[str, Any], file: str) -> None:
    """Raise an error for a service that the project has not; `file` is the one that names it, "" for the flag."""
    services = get_object(told, "services")
    for service in named:
        if told and service not in services:
            use = ", ".join(map(shown, services)) or "other files, since these have none"
            hint = did_you_mean(service, services)
            problem = f'service: "{shown(service)}" is no service of the compose files{hint}; use {use}'
            raise DevcontainerError(f"{shown(file)}{problem}") if file else UsageError(f"--{problem}")


def _service_unknown(why_not: str, *, is_error: bool) -> str:
    """Return, or raise as UsageError, that a service has to be named, since compose or devcontainer.json does not."""
    not_told = f"docker compose config does not tell it ({shown(why_not)})"
    since = not_told if why_not else "no devcontainer.json names it"
    if is_error:
        raise UsageError(f"--service: needed, since {since}; say which service has the workspace")
    return f"the service that has the workspace is unknown: {since}; name it in devcontainer.json"


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
            "compose does not label a store for SELinux, which keeps containers out; "
            'write "venv-storage": "memory" in paude.json'
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

    `docker compose` is what people start, also where there is a Podman beside it. Raises UsageError for an engine
    that has none.
    """
    undecided = flag == "auto" and environ.get("PAUDE_VENV_ENGINE", "") in ("", "auto")
    if undecided and find_program("docker", environ):
        return engine_called_docker(environ)
    engine = choose_engine(flag, environ)[0]
    refuse_other_forms(engine, "compose")
    return engine


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


def _doubled(text: str) -> str:
    return text.replace("$", "$$")


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
