"""Compose: make the compose file that shadows the venvs in its services, and find the workspace in those.

What is made here is added to the project's own files: `docker compose -f compose.yaml -f venv.json up`.
"""

from __future__ import annotations

import os
import re

from paude_venv_hook.decision import decide_workspace, fall_back
from paude_venv_hook.engines import selinux
from paude_venv_hook.engines.choice import choose_engine, engine_called_docker
from paude_venv_hook.engines.compose_grammar import DEFAULT_FILES, find_default_files
from paude_venv_hook.engines.programs import find_program
from paude_venv_hook.engines.table import ENGINES, one_of, refuse_other_forms
from paude_venv_hook.errors import DevcontainerError, UsageError
from paude_venv_hook.json_values import get_list, get_object, parse_json
from paude_venv_hook.launch import LOCAL_FOLDER, SWITCHED_OFF, Launch
from paude_venv_hook.launchers.compose_project import (
    Project,
    compose_files,
    launch_of,
    mounts_of,
    read_config,
    read_project,
    services_of,
)
from paude_venv_hook.launchers.flags import locate
from paude_venv_hook.notes import Note, NoteKind
from paude_venv_hook.plan import skip_colons
from paude_venv_hook.records import NamedTuple
from paude_venv_hook.text import did_you_mean, shown
from paude_venv_hook.workspace.carried import find_carriers, locate_binds
from paude_venv_hook.workspace.devcontainer import find_devcontainer
from paude_venv_hook.workspace.location import Location, Workspace, check_workspace_folder
from paude_venv_hook.workspace.settings import read_settings
from paude_venv_hook.workspace.variables import substitution

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from paude_venv_hook.decision import Answer
    from paude_venv_hook.engines.mounts import Mount
    from paude_venv_hook.plan import Shadow
    from paude_venv_hook.workspace.settings import Settings


class _Known(NamedTuple):
    """What is known of the compose project of a workspace folder (a host path).

    `config` is the host path of its devcontainer.json. `configuration` is that of Docker Compose; if it is empty,
    `problem` is the reason.
    """

    folder: str
    config: str | None
    project: Project
    settings: Settings
    engine: str
    configuration: Mapping[str, Any] = {}
    problem: str = ""


def _settle_nothing(answer: Answer) -> Answer:
    return answer


def decide_compose(  # noqa: PLR0913 - each is a flag of the command line, or says what stands for one
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
    is_by_tools: bool = False,
    settle: Callable[[Answer], Answer] = _settle_nothing,
) -> tuple[list[Answer], dict[str, Any]]:
    """Return the decisions for a workspace folder (a host path), one a service of its project, and the compose file.

    Those are the given `services`, else all that bind the folder or a part of it; the one in devcontainer.json
    (`config` names another one) comes first, also if it binds nothing. Without any service, the only answer says so.
    `target` is where the workspace folder is in the containers of the given services, or of that one; without it,
    Docker Compose is asked. The other arguments are flags. Raises a HookError for whatever is wrong: a UsageError for a
    service, or a target, that has to be given since Compose does not tell it, unless `target_needed` is false, for a
    command that has no such flags: nothing is shadowed then. `is_by_tools` tells that the dev container tools will
    start them, and `settle` makes their stores (`settled.settle_answer`); without it, nothing is written.
    """
    known = _read(workspace_folder, config, engine, venv, storage, environ)
    named, location = _choose_services(known, services, target, environ, is_needed=target_needed)
    if not named:
        workspace = Workspace(known.folder, location)
        launch = Launch(known.engine, folder=known.folder)
        return [decide_workspace(workspace, known.settings, launch, environ)], merge(())

    answers, files = [], []
    for service in dict.fromkeys(named):
        answer = _decide_service(known, service, target, environ, is_by_tools=is_by_tools, is_needed=target_needed)
        answer, file = in_service(service, answer, settle)
        answers.append(answer)
        files.append(file)
    return answers, merge(files)


def _read(
    workspace_folder: str,
    config: str | None,
    engine: str,
    venv: str | None,
    storage: str | None,
    environ: Mapping[str, str],
) -> _Known:
    """Read what is known of the project of a workspace folder; the arguments are those of `decide_compose`."""
    folder = check_workspace_folder(workspace_folder)
    config = find_devcontainer(folder) if config is None else os.path.abspath(config)
    project = Project()
    if config:
        project = read_project(config, folder, environ) or project
    settings = read_settings(folder, venv, environ, storage)
    known = _Known(folder, config, project, settings, choose_compose_engine(engine, environ))
    if settings.venv == "none":
        return known
    configuration, problem = read_config(project.files, folder, environ)
    return known._replace(configuration=configuration, problem=problem)


def _choose_services(
    known: _Known, services: Sequence[str], target: str | None, environ: Mapping[str, str], *, is_needed: bool
) -> tuple[list[str], Location]:
    """Return the services to decide for; for none of them, the location says why.

    Raises UsageError if a service has to be named, unless `is_needed` is false.
    """
    _check_services(services, known.configuration, "")
    named = list(services)
    if not services and known.project.service:
        named.append(known.project.service)
        _check_services(named, known.configuration, f"{known.config}: ")
    if not named and (known.problem or target is not None):
        problem = known.problem if target is None else ""
        has_files = bool(known.project.files) or _finds_files(known.folder, environ)
        why = _service_unknown(problem, has_files=has_files, is_error=is_needed)
        return [], Location((), why, advice="")
    if not services and target is None:
        named += services_of(known.configuration, known.folder)
    return named, Location((), "no service of compose has a bind mount that holds the workspace folder")


def _decide_service(
    known: _Known,
    service: str,
    target: str | None,
    environ: Mapping[str, str],
    *,
    is_by_tools: bool,
    is_needed: bool,
) -> Answer:
    """Return the decision for one service; the arguments are those of `decide_compose`."""
    launch = launch_of(known.configuration, service, known.engine, known.folder)
    if is_by_tools:
        launch = launch._replace(labels={**launch.labels, LOCAL_FOLDER: known.folder})
    is_dev_container = service == known.project.service
    by_tools = known.project.mounts if is_dev_container else ()
    if known.settings.venv == "none":
        location = Location((), "")
    elif target is not None:
        location = _at_target(known.folder, locate(known.folder, target, known.config, environ), launch, by_tools)
    elif launch.is_switched_off:
        location = Location((), SWITCHED_OFF, advice="")
    elif known.problem:
        location = _unknown_place(known.problem, is_error=is_needed)
    else:
        location = _in_service(known.folder, launch, by_tools)
    config = known.config if is_by_tools or is_dev_container else None
    return decide_workspace(Workspace(known.folder, location, config), known.settings, launch, environ)


def _in_service(folder: str, launch: Launch, by_tools: Sequence[Mount]) -> Location:
    """Return where a service has the workspace, by its binds. `by_tools` is what devcontainer.json mounts besides."""
    binds = find_carriers(os.path.realpath(folder), launch.mounts)
    if not binds:
        why = f"the service {shown(launch.service)} has no bind mount that holds the workspace folder"
        return Location((), why)
    location = locate_binds(os.path.realpath(folder), binds, launch)
    mounted = {mount.target: mount.type for mount in by_tools}
    return location._replace(mounted={**mounted, **location.mounted})


def _at_target(folder: str, location: Location, launch: Launch, by_tools: Sequence[Mount]) -> Location:
    """Return the place that a flag names, with the parts of the workspace that the service binds besides."""
    binds = find_carriers(os.path.realpath(folder), launch.mounts)
    targets = {mount.target for mount in location.mounts}
    parts = [bind for bind in binds if bind.target not in targets]
    mounts = (*location.mounts, *parts)
    if any(bind.is_shared for bind in binds):
        mounts = tuple(mount._replace(is_shared=True) for mount in mounts)
    mounted = {mount.target: mount.type for mount in (*by_tools, *launch.mounts)}
    return location._replace(mounts=mounts, mounted=mounted)


def _unknown_place(problem: str, *, is_error: bool) -> Location:
    """Return the location of a service in which the workspace cannot be found; raises UsageError if `is_error`."""
    if is_error:
        raise UsageError(
            f"--target: needed, since docker compose config does not tell it ({shown(problem)}); "
            "say where the workspace folder is in the service's container"
        )
    why = f"docker compose config does not tell where it is mounted ({shown(problem)})"
    return Location((), why, advice="run docker compose config to see what is wrong")


def _check_services(named: Iterable[str], configuration: Mapping[str, Any], file: str) -> None:
    """Raise an error for a service that is not in the project; `file` is the one that names it, "" for the flag."""
    services = get_object(configuration, "services")
    for service in named:
        if configuration and service not in services:
            use = ", ".join(map(shown, services)) or "other files, since these have none"
            hint = did_you_mean(service, services)
            problem = f'service: "{shown(service)}" is no service of the compose files{hint}; use {use}'
            raise DevcontainerError(f"{shown(file)}{problem}") if file else UsageError(f"--{problem}")


def _service_unknown(why_not: str, *, has_files: bool, is_error: bool) -> str:
    """Return why no service is known to have the workspace; raises UsageError if `is_error`."""
    if is_error and why_not and not has_files:
        raise UsageError(
            f"--format compose: no {one_of(DEFAULT_FILES)} here or above; "
            "use --workspace-folder, or --service and --target"
        )
    not_told = f"docker compose config does not tell it ({shown(why_not)})"
    since = not_told if why_not else "no devcontainer.json names it"
    if is_error:
        raise UsageError(f"--service: needed, since {since}; say which service has the workspace")
    return f"the service that has the workspace is unknown: {since}; name it in devcontainer.json"


def _finds_files(folder: str, environ: Mapping[str, str]) -> bool:
    """Tell whether compose finds files by itself, from a host folder upwards, or the environment names some."""
    return bool(environ.get("COMPOSE_FILE") or find_default_files(folder))


def in_service(
    service: str, answer: Answer, settle: Callable[[Answer], Answer] = _settle_nothing
) -> tuple[Answer, dict[str, Any]]:
    """Return the decision as far as compose can name it, and the compose file that has it for a service.

    `settle` makes its stores (`settled.settle_answer`); without it, nothing is written.
    """
    if answer.purposes and selinux.is_on():
        answer = fall_back(answer, "compose does not label a store for SELinux, which keeps containers out")
    answer = settle(answer)
    plan = answer.plan
    if not answer.purposes:
        plan = skip_colons(plan, "compose")
    elif answer.engine == "podman":  # podman-compose makes a `-v` of a bind
        plan = skip_colons(plan, "podman-compose", "a store")
    skipped = plan.skipped[len(answer.plan.skipped) :]
    notes = [Note(NoteKind.SKIPPED, (directory.path,), directory.reason.text) for directory in skipped]
    answer = answer._replace(plan=plan, notes=(*answer.notes, *notes))
    options = ENGINES[answer.engine].options(answer.owner, answer.settings.tmpfs.size)
    return answer, make_compose_file(service, plan.shadows, options)


def merge(files: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return one compose file for what is in several made here; each entry of a service is there once. Pure."""
    services: dict[str, dict[str, list[Any]]] = {}
    for file in files:
        for service, described in file["services"].items():
            lists = services.setdefault(service, {})
            for key, entries in described.items():
                values = lists.setdefault(key, [])
                values += [entry for entry in entries if entry not in values]
    return {"services": services}


def choose_compose_engine(flag: str, environ: Mapping[str, str]) -> str:
    """Return the engine below compose: as `choose_engine`, but `auto` takes what `docker` on PATH is, if it is there.

    `docker compose` is what people start, also if there is a Podman beside it. Raises UsageError for an engine
    that has none.
    """
    undecided = flag == "auto" and environ.get("PAUDE_VENV_ENGINE", "") in ("", "auto")
    if undecided and find_program("docker", environ):
        return engine_called_docker(environ)
    engine = choose_engine(flag, environ)[0]
    refuse_other_forms(engine, "compose")
    return engine


def make_compose_file(service: str, shadows: Iterable[Shadow], options: str) -> dict[str, Any]:
    """Return the compose file that gives a service the shadows; `options` are those of a `--tmpfs` of the engine.

    Compose's short syntax takes what `--tmpfs` of the engine below it takes; the long one is noexec on Docker. Without
    anything to mount it is a file that changes nothing, which docker-compose 1 only knows by a service in it.
    """
    tmpfs, volumes = [], []
    for shadow in shadows:
        if shadow.store:
            bind = {"type": "bind", "source": _doubled(shadow.store), "target": _doubled(shadow.destination)}
            volumes.append({**bind, "bind": {"create_host_path": False}})
        else:
            tmpfs.append(_doubled(f"{shadow.destination}:{options}"))
    lists = {"tmpfs": tmpfs, "volumes": volumes}
    return {"services": {service: {key: entries for key, entries in lists.items() if entries}}}


def dump(document: Mapping[str, Any]) -> bytes:
    """Return the bytes of a compose file: JSON that every YAML parser reads in the same way.

    YAML takes U+2028 and its like for line breaks, and knows no surrogate pairs: it is all escaped but what needs one.
    """
    import json  # noqa: PLC0415 - only if there is something to write

    text = json.dumps(document, indent=2, ensure_ascii=False)
    return (re.sub("[\x7f-\uffff]", lambda match: f"\\u{ord(match[0]):04x}", text) + "\n").encode()


def add_compose_file(
    path: str, base: Mapping[str, Any], compose_file: str, workspace_folder: str, environ: Mapping[str, str]
) -> dict[str, Any]:
    """Return a compose-based devcontainer.json (of the host path `path`) with a compose file appended to its own.

    The tools replace variables in it once more: DevcontainerError if a path holds one.
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
    document = parse_json(data)
    if not isinstance(document, dict) or list(document) != ["services"]:
        return False
    services = get_object(document, "services")
    for name in services:
        volumes = get_list(services[name], "volumes")
        if not set(get_object(services, name)) <= {"tmpfs", "volumes"} or mounts_of(document, name):
            return False
        if not all(isinstance(volume, dict) for volume in volumes):
            return False
    return True
