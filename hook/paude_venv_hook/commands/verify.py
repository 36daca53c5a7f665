"""`verify`: ask a running container, through its engine, whether the shadows are there."""

from __future__ import annotations

import json
import os
from contextlib import suppress

from paude_venv_hook.command_line.options import ENGINE, QUIET, STORAGE, VENV, WORKSPACE_FOLDER, argument
from paude_venv_hook.decision import decide, make_purposes
from paude_venv_hook.engines.choice import choose_engine, engine_called_docker
from paude_venv_hook.engines.mountinfo import Mounted, parse_mountinfo
from paude_venv_hook.engines.mounts import container_path
from paude_venv_hook.engines.programs import ask, find_program
from paude_venv_hook.engines.table import COMMON, refuse_other_forms
from paude_venv_hook.engines.volumes import mounts_of_container, resolve
from paude_venv_hook.errors import EngineError, UsageError, VerifyError
from paude_venv_hook.files import is_inside, read_bytes
from paude_venv_hook.json_values import get_list, get_object, get_text, parse_json
from paude_venv_hook.launch import SERVICE, SWITCHED_OFF, Launch
from paude_venv_hook.launchers.asked import questions
from paude_venv_hook.launchers.last_launch import read_last_launch
from paude_venv_hook.notes import Note, NoteKind, note_on_nothing, unique_words
from paude_venv_hook.records import NamedTuple
from paude_venv_hook.storage import AUTO, DISK
from paude_venv_hook.stores.folder import name_in, read_record, stores_folder
from paude_venv_hook.terminal import say, say_notes, write
from paude_venv_hook.text import last_line, shown
from paude_venv_hook.workspace.location import check_workspace_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from subprocess import CompletedProcess
    from typing import Any

    from paude_venv_hook.decision import Answer, Decision
    from paude_venv_hook.stores.purpose import Purpose

SUMMARY = "ask a running container whether the shadows are there"
POSITION = 7
ARGUMENTS = (
    WORKSPACE_FOLDER,
    ENGINE,
    VENV,
    STORAGE,
    QUIET,
    argument("--json", action="store_true", help="print JSON, for programs"),
    argument("--service", metavar="NAME", help="the containers of this service of compose that bind the workspace"),
    argument("container", metavar="CONTAINER", nargs="?", help="its name or id; needed without --service"),
)
EXAMPLES = """\
  paude-venv-hook verify my-container
  paude-venv-hook verify --engine docker "$(docker ps --latest --quiet)"
  paude-venv-hook verify --engine docker --service web
  paude-venv-hook verify --json my-container | jq '.containers[].shadows'
"""

_UNKNOWN = (b"no such container", b"no such object")  # and not "no such file", of the daemon's socket
_RECREATE = "recreate the container through paude-venv-hook"


class Options:
    """The values of the arguments."""

    workspace_folder = "."
    engine = "auto"
    venv: str | None = None
    storage: str | None = None
    quiet = False
    json = False
    service: str | None = None
    container: str | None = None


def execute(options: Options) -> int:
    """Tell for each shadow whether a running container has it; 1 if one is missing."""
    if options.service is None and options.container is None:
        raise UsageError("CONTAINER: needed, or --service in its place; name one of them")
    if options.service is not None and options.container is not None:
        raise UsageError(f"--service and {shown(options.container)}: one of them is too many; leave one out")
    folder = check_workspace_folder(options.workspace_folder)
    engines = engines_to_ask(options.engine)
    if options.service is None:
        containers = [find_container(engines, options.container or "")]
    else:
        containers = find_service(engines, options.service, folder)

    results = [examine(engine, container, folder, options) for engine, container in containers]
    last_launch = read_last_launch(folder)
    last_lines = last_launch.lines() if last_launch else []
    if options.json:
        report = make_report(folder, results, last_lines)
        write(json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    else:
        _print(results, last_lines, quiet=options.quiet)
    return 1 if any(result.has_problem for result in results) else 0


def _notes_on_empty(checks: Iterable[Check]) -> list[Note]:
    paths = tuple(check.path for check in checks if check.is_empty)
    return [Note(NoteKind.EMPTY, paths)] if paths else []


def _print(results: Sequence[Result], last_lines: Iterable[str], *, quiet: bool) -> None:
    if not quiet:
        for result in results:
            say_notes(result.notes)
        for line in last_lines:
            say(f"last launch: {line}")
    for result in results:
        for check in result.checks:
            state = check.problem or "shadowed"
            write(f"{shown(check.path)}: {state} ({shown(check.destination)})\n")


def make_report(folder: str, results: Sequence[Result], last_lines: Sequence[str]) -> dict[str, Any]:
    """Return what `verify --json` prints: for each container its engine, its name, each shadow and the warnings."""
    containers = []
    for result in results:
        shadows = [_as_json(check) for check in result.checks]
        warnings = unique_words(result.notes)
        containers.append({"engine": result.engine, "name": result.name, "shadows": shadows, "warnings": warnings})
    return {"workspaceFolder": folder, "containers": containers, "lastLaunch": list(last_lines) or None}


def _as_json(check: Check) -> dict[str, Any]:
    return {
        "path": check.path,
        "destination": check.destination,
        "isShadowed": not check.problem,
        "problem": check.problem or None,
    }


def examine(engine: str, container: Mapping[str, Any], folder: str, options: Options) -> Result:
    """Return what an inspected container has of the shadows of a workspace folder (a host path)."""
    launch = read_launch(engine, container, folder)
    decision = decide(launch, os.environ, venv=options.venv, storage=options.storage)
    checks: list[Check] = []
    for answer in decision.answers:
        checks += check_shadows(container, answer)
    notes = [*decision.notes, *_notes_on_no_workspace(launch, decision, folder), *_notes_on_empty(checks)]
    name = get_text(container, "Name").removeprefix("/") or get_text(container, "Id")
    return Result(engine, name, checks, notes)


def _notes_on_no_workspace(launch: Launch, decision: Decision, workspace_folder: str) -> list[Note]:
    """Return a note if the container binds neither the workspace folder (a host path) nor a part of it."""
    if launch.is_switched_off:
        return [note_on_nothing(SWITCHED_OFF)]
    if _has_workspace(decision, workspace_folder):
        return []
    why = "the container has no bind mount that holds the workspace folder"
    return [note_on_nothing(why, 'mount it, or write "venv": "none" in paude.json')]


def engines_to_ask(flag: str) -> list[str]:
    """Return the engines that may know a container, the likely one first: the one that is named, or both.

    Raises UsageError for one whose containers cannot be asked.
    """
    engine, _ = choose_engine(flag, os.environ)
    refuse_other_forms(engine, "verify")
    is_named = flag != "auto" or os.environ.get("PAUDE_VENV_ENGINE", "auto") not in ("", "auto")
    if is_named:
        return [engine]
    others = [name for name in COMMON if name != engine and find_program(name, os.environ)]
    if engine_called_docker(os.environ) == "podman":
        others = [name for name in others if name != "docker"]
    return [engine, *others]


def find_container(engines: Sequence[str], container: str) -> tuple[str, dict[str, Any]]:
    """Return the engine that knows a container, and what it knows.

    Raises VerifyError if none does, UsageError for a folder.
    """
    problems = []
    for engine in engines:
        try:
            return engine, inspect(engine, container)
        except NoSuchContainerError:
            continue
        except VerifyError as error:
            problems.append(error)
    if os.path.isdir(container):
        name = shown(container)
        raise UsageError(f'"{name}" is a folder and no container; write --workspace-folder {name} CONTAINER')
    if problems:
        raise problems[0]
    names = " and ".join(engines)
    verb = "have" if len(engines) > 1 else "has"
    commands = " and ".join(f"{engine} ps" for engine in engines)
    raise VerifyError(f"{shown(container)}: {names} {verb} no such container; see {commands}")


def find_service(engines: Sequence[str], service: str, workspace_folder: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the running containers of a service that bind the workspace folder (a host path), each with its engine.

    Compose programs label them all, whatever the project is called. Raises VerifyError if there is none.
    """
    containers: list[tuple[str, dict[str, Any]]] = []
    problems = []
    for engine in engines:
        try:
            containers += _find_service(engine, service, workspace_folder)
        except VerifyError as error:
            problems.append(error)
    if problems and not containers:
        raise problems[0]
    if not containers:
        raise VerifyError(f"{shown(service)}: no running container of such a service binds the workspace; start one")
    return containers


def _find_service(engine: str, service: str, workspace_folder: str) -> Iterator[tuple[str, dict[str, Any]]]:
    command = [engine, "ps", "--quiet", "--filter", f"label={SERVICE}={service}"]
    for name in _ask(command).split():
        with suppress(NoSuchContainerError):  # it has just ended
            container = inspect(engine, name)
            decision = decide(read_launch(engine, container, workspace_folder), os.environ)
            if _has_workspace(decision, workspace_folder):
                yield engine, container


def _has_workspace(decision: Decision, workspace_folder: str) -> bool:
    """Tell whether one of the workspaces is a folder (a host path), holds it, or is a part of it."""
    real = os.path.realpath(workspace_folder)
    folders = [answer.workspace_folder for answer in decision.answers]
    return any(is_inside(real, folder) or is_inside(folder, real) for folder in folders)


class Check(NamedTuple):
    """One shadow: as the user names it, its container path, and "" or what is wrong and what to do.

    `is_empty` tells that nothing is wrong, and that nothing is in it.
    """

    path: str
    destination: str
    problem: str
    is_empty: bool = False


class Result(NamedTuple):
    """A container, by its engine and its name: its shadows, and what a person should know."""

    engine: str
    name: str
    checks: list[Check]
    notes: list[Note]

    @property
    def has_problem(self) -> bool:
        """Whether one of its shadows is missing or of no use."""
        return any(check.problem for check in self.checks)


class NoSuchContainerError(Exception):
    """The engine has no container of that name."""


def inspect(engine: str, container: str) -> dict[str, Any]:
    """Return what the engine knows of a container.

    Raises NoSuchContainerError, and VerifyError if the engine cannot be asked or the container does not run.
    """
    command = [engine, "container", "inspect", container]
    done = _run(command)
    if done.returncode and any(words in done.stderr.lower() for words in _UNKNOWN):
        raise NoSuchContainerError
    answer = parse_json(_output(done, command))
    described: dict[str, Any] = {}
    if isinstance(answer, list) and answer and isinstance(answer[0], dict):
        described = answer[0]
    if not get_text(described, "Id"):
        raise VerifyError(f"{shown(container)}: {engine} does not describe it; check its name")
    if get_object(described, "State").get("Running") is not True:
        raise VerifyError(f"{shown(container)}: does not run; start it first")
    return described


def read_launch(engine: str, container: Mapping[str, Any], workspace_folder: str) -> Launch:
    """Return what an inspected container says of its launch; somebody asks in the workspace folder (a host path).

    A tmpfs or a store of ours is what is looked for, and does not count as a mount.
    """
    program = find_program(engine, os.environ) or engine
    # Podman does not list what comes from other containers among the mounts.
    names = get_list(get_object(container, "HostConfig"), "VolumesFrom")
    volumes_from = [name for name in names if isinstance(name, str)]
    resolved = resolve(mounts_of_container(container), volumes_from, questions(program, (), os.environ))
    mounts = [mount for mount in resolved.mounts if mount.type != "tmpfs" and not name_in(mount.source)]
    config = get_object(container, "Config")
    labels = get_object(config, "Labels")
    return Launch(
        engine,
        "the container's own mounts",
        tuple(mounts),
        labels={key: get_text(labels, key) for key in labels},
        folder=workspace_folder,
        image=get_text(config, "Image"),
        service=get_text(labels, SERVICE),
        notes=tuple(resolved.notes),
    )


def check_shadows(container: Mapping[str, Any], answer: Answer) -> list[Check]:
    """Return for each shadow whether the inspected container has it, and whether it is of use to its user.

    In memory it is a tmpfs, exec and writable; on disk a store of this workspace, writable, and a venv that is in it
    has to work.
    """
    in_container = [answer.engine, "exec", get_text(container, "Id")]
    mounts = parse_mountinfo(_ask([*in_container, "cat", "/proc/self/mountinfo"], "use an image that has cat"))
    asked_for = asked_for_tmpfs(container) | asked_for_stores(container)
    purposes = make_purposes(answer.plan, answer.engine, answer, os.environ)
    checks = []
    for shadow, purpose in zip(answer.plan.shadows, purposes, strict=True):
        destination = shadow.destination
        mount = mounts.get(destination) or mounts.get(_resolve(in_container, destination))
        is_on_disk = _is_on_disk(answer, mount)
        if is_on_disk:
            problem = find_store_problem(mount, purpose, is_asked_for=destination in asked_for)
        else:
            problem = find_problem(mount, asked_for.get(destination))
        problem = problem or _find_problem_in_use(in_container, destination, mount, is_on_disk=is_on_disk)
        is_empty = not problem and _is_empty(in_container, destination)
        checks.append(Check(shadow.path, destination, problem, is_empty))
    return checks


def _find_problem_in_use(
    in_container: Sequence[str], destination: str, mount: Mounted | None, *, is_on_disk: bool
) -> str:
    """Return "" or why a shadow that is mounted is of no use to the user of the container, and what to do."""
    if _run([*in_container, "test", "-w", destination]).returncode:
        advice = _RECREATE if is_on_disk else f"name it in venv-tmpfs, and {_RECREATE}"
        return f"not writable for the container's user; {advice}"
    if mount and is_on_disk:
        return _find_python_problem(in_container, destination, name_in(mount.root))
    return ""


def _is_empty(in_container: Sequence[str], directory: str) -> bool:
    """Tell whether a container path is an empty directory. An image without `ls` tells of none."""
    done = _run([*in_container, "ls", "-A", directory])
    return done.returncode == 0 and not done.stdout


def _is_on_disk(answer: Answer, mount: Mounted | None) -> bool:
    """Tell whether a shadow should be a store: as the settings say it; with `auto` as it is, which may be either."""
    if answer.settings.storage == AUTO and mount:
        return bool(name_in(mount.root))
    return answer.storage.kind == DISK


def _find_python_problem(in_container: Sequence[str], venv: str, store: str) -> str:
    """Return "" or that the venv at a container path, if there is one, has no Python that runs here."""
    python = f"{venv}/bin/python"
    is_missing = all(_run([*in_container, "test", flag, python]).returncode for flag in ("-e", "-L"))
    if is_missing or _run([*in_container, python, "-c", ""]).returncode == 0:
        return ""
    return (
        "its bin/python does not run, since it was made by another Python or for another architecture; "
        f"empty it with paude-venv-hook store clean {store}"
    )


def asked_for_stores(container: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    """Return the container paths on which the container was to have stores; there are no options to know."""
    mounts = get_list(container, "Mounts")
    by_argument = {get_text(mount, "Destination"): get_text(mount, "Source") for mount in mounts}
    by_hook = {get_text(mount, "destination"): get_text(mount, "source") for mount in _oci_mounts(container)}
    sources = {**by_hook, **by_argument}
    return {container_path(path): frozenset() for path, source in sources.items() if name_in(source)}


def _oci_mounts(container: Mapping[str, Any]) -> list[Any]:
    try:
        data = read_bytes(get_text(container, "OCIConfigPath"))
    except OSError:
        return []
    return get_list(parse_json(data), "mounts")


def asked_for_tmpfs(container: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    """Return the options of each tmpfs that the container was to have, by container path.

    An argument asked for it, or Podman's hook, whose additions only the OCI config holds.
    """
    options = {}
    for mount in _oci_mounts(container):
        if get_text(mount, "type") == "tmpfs":
            words = [word for word in get_list(mount, "options") if isinstance(word, str)]
            options[container_path(get_text(mount, "destination"))] = frozenset(words)
    by_argument = get_object(get_object(container, "HostConfig"), "Tmpfs")
    for path in by_argument:
        options[container_path(path)] = frozenset(get_text(by_argument, path).split(","))
    return options


def _resolve(in_container: Sequence[str], path: str) -> str:
    """Return the container path after any symlink in it, as the list of mounts has it (`/lib` is one to `/usr/lib`).

    The folder above is asked for, since a directory that is gone has no path. An image without `readlink` gives "".
    """
    folder, name = os.path.split(path)
    done = _run([*in_container, "readlink", "-f", folder])
    return os.path.join(os.fsdecode(done.stdout).strip("\n"), name) if done.returncode == 0 else ""


def find_problem(mount: Mounted | None, asked_for: Collection[str] | None) -> str:
    """Return "" or what is wrong with the mount on a destination (None if nothing is), with storage in memory.

    `asked_for` holds the options of the tmpfs that the container was to have there, None if it was to have none.
    """
    if mount is None:
        return _why_no_mount(is_asked_for=asked_for is not None)
    kind, options, root = mount
    if name_in(root):
        return f"on disk, while storage is memory; {_RECREATE}, or use --storage disk"
    if kind != "tmpfs":
        return f"not shadowed: a mount of type {kind} is there; {_RECREATE}"
    if "noexec" in options:
        return f"mounted noexec, and no program in it starts; {_RECREATE}"
    if "ro" in options:
        return f"mounted read-only; {_RECREATE}"
    if "tmpcopyup" in (asked_for or ()):  # Podman's default
        return f"filled with what the host's has; {_RECREATE}"
    return ""


def find_store_problem(mount: Mounted | None, purpose: Purpose, *, is_asked_for: bool) -> str:
    """Return "" or what is wrong with the mount on a destination (None if nothing is), with storage on disk.

    The store may be that of any image: engines do not keep its name as it was written.
    """
    if mount is None:
        return _why_no_mount(is_asked_for=is_asked_for)
    name = name_in(mount.root)
    if not name and mount.type == "tmpfs":
        return f"in memory, while storage is disk; {_RECREATE}, or use --storage memory"
    if not name:
        return f"not shadowed: a mount of type {mount.type} is there; {_RECREATE}"
    record = read_record(os.path.join(stores_folder(), name))
    if record is None or record.purpose[:5] != purpose[:5]:
        return f"the store {name} is there, which is not for this workspace; {_RECREATE}"
    return f"mounted read-only; {_RECREATE}" if "ro" in mount.options else ""


def _why_no_mount(*, is_asked_for: bool) -> str:
    if is_asked_for:
        return "the mount was lost, since the directory was removed on the host; restart the container"
    return f"not shadowed: the container was made without it; {_RECREATE}"


def _advice(engine: str) -> str:
    """Return what to do if an engine does not answer: a proxy of ours may be down."""
    from paude_venv_hook.installation.coverage import why_proxy_is_down  # noqa: PLC0415 - on the way to a message

    why = ""
    if engine == "docker":
        with suppress(EngineError):  # of a user without a home folder, who has no proxy
            why = why_proxy_is_down(os.environ)
    return why or f"see whether {engine} ps works"


def _ask(command: Sequence[str], advice: str = "") -> str:
    return _output(_run(command), command, advice)


def _output(done: CompletedProcess[bytes], command: Sequence[str], advice: str = "") -> str:
    """Return what a command of an engine wrote. Raises VerifyError with the advice if it failed."""
    if done.returncode:
        why = last_line(os.fsdecode(done.stderr))
        advice = advice or _advice(command[0])
        raise VerifyError(f"{' '.join(command[:2])} failed: {why}; {advice}")
    return os.fsdecode(done.stdout)


def _run(command: Sequence[str]) -> CompletedProcess[bytes]:
    program = find_program(command[0], os.environ)
    if program is None:
        raise VerifyError(f"{command[0]}: is not on PATH; install it or use --engine")
    try:
        return ask([program, *command[1:]], os.environ)
    except OSError as error:
        raise VerifyError(
            f"{command[0]}: cannot be asked: {error.strerror}; see whether {command[0]} ps works"
        ) from None
