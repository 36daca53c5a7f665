"""List the stores, and the containers that use them."""

from __future__ import annotations

import os
import re
from contextlib import suppress

from paude_venv_hook.engines.choice import is_rootless
from paude_venv_hook.engines.daemons import VARIABLES, global_options
from paude_venv_hook.engines.programs import ask, find_program
from paude_venv_hook.engines.table import ENGINES
from paude_venv_hook.errors import StoreError
from paude_venv_hook.files import remedy
from paude_venv_hook.json_values import get_list, get_text, parse_json
from paude_venv_hook.records import NamedTuple
from paude_venv_hook.stores.daemons import find_daemon
from paude_venv_hook.stores.folder import VENV, Record, open_folder, read_record, stores_folder
from paude_venv_hook.text import last_line, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from paude_venv_hook.stores.purpose import Purpose

TIMEOUT = 30  # seconds for an engine's answer
_ATTEMPTS = 3
# The root of a bind mount in mountinfo (proc(5)), if that is what a container mounts of a store.
_MOUNTED = re.compile(rf"^\d+ \d+ \S+ \S*/([A-Za-z0-9._-]+-[0-9a-f]{{16}})/{VENV} ", re.MULTILINE)


class Container(NamedTuple):
    """A container as its engine describes it; `sources` are the host paths of its mounts."""

    engine: str
    name: str
    running: bool
    sources: tuple[str, ...]


class Containers(NamedTuple):
    """The containers of an engine, and the identity of their daemon (`daemons.Daemon`), "" if it is not known."""

    containers: tuple[Container, ...] = ()
    daemon: str = ""


class Store(NamedTuple):
    """A store: the host path of its folder, what it is for, and which containers use it.

    `containers` are those, running or not, that its engine says were made with it. `is_mounted` is true if any process
    of this machine has it mounted. `unasked` is "", or the reason why one of the daemons for which it was made was not
    asked. `has_workspace` is false if the folder in which its venv would be on the host is gone.
    """

    folder: str
    record: Record
    containers: tuple[Container, ...]
    is_mounted: bool
    unasked: str
    has_workspace: bool

    @property
    def name(self) -> str:
        """The name of its folder."""
        return os.path.basename(self.folder)

    @property
    def venv(self) -> str:
        """The host path of what containers mount."""
        return os.path.join(self.folder, VENV)

    @property
    def is_running(self) -> bool:
        """Whether a running container has it, as far as that is known."""
        return self.is_mounted or any(container.running for container in self.containers)

    @property
    def state(self) -> str:
        """Whether it is needed: "in use", "idle", "workspace gone", or "unknown" if an engine is silent."""
        if self.containers or self.is_mounted:
            return "in use"
        if self.unasked:
            return "unknown"
        return "idle" if self.has_workspace else "workspace gone"


def list_stores(environ: Mapping[str, str]) -> tuple[list[Store], list[str]]:
    """Return all stores, sorted by name, and a line on each problem: no store, a silent engine.

    Each engine that a store names is asked for its containers once. Raises StoreError if the folder of the stores
    cannot be read.
    """
    records, problems = _records(stores_folder())
    answers, silent = _ask_engines(records.values(), environ)
    for (engine, _), problem in silent.items():
        problems.append(f"which containers use the stores of {shown(engine)} is unknown: {problem}")
    mounted = mounted_names()
    unknown: dict[str, list[str]] = {}
    stores = []
    for folder, record in records.items():
        key = record.purpose.engine, record.purpose.rootless
        answer = answers.get(key, Containers())
        name = os.path.basename(folder)
        users = tuple(container for container in answer.containers if _uses(container, name))
        unasked = silent.get(key, "")
        if not unasked:
            unasked = why_unasked(record, answer.daemon)
            if unasked:
                unknown.setdefault(unasked, []).append(name)
        stores.append(Store(folder, record, users, name in mounted, unasked, _has_workspace(record.purpose)))
    problems += [f"{', '.join(names)}: which containers use it is unknown: {why}" for why, names in unknown.items()]
    return stores, problems


def _ask_engines(
    records: Iterable[Record], environ: Mapping[str, str]
) -> tuple[dict[tuple[str, bool], Containers], dict[tuple[str, bool], str]]:
    """Return the containers of each engine that has stores, and for each engine that is silent the reason.

    The keys are the name of an engine, and whether it is a rootless one.
    """
    answers: dict[tuple[str, bool], Containers] = {}
    silent: dict[tuple[str, bool], str] = {}
    for key in dict.fromkeys((record.purpose.engine, record.purpose.rootless) for record in records):
        engine, rootless = key
        try:
            answers[key] = ask_containers(engine, environ, rootless=rootless)
        except StoreError as error:
            silent[key] = str(error)
    return answers, silent


def why_unasked(record: Record, daemon: str) -> str:
    """Return "", or which other daemon than the one that was asked may have containers with a store, and what to do."""
    engine = record.purpose.engine
    unasked = [identity for identity in record.daemons if identity != daemon]
    if not unasked:
        return ""
    variables = ", ".join(VARIABLES.get(engine, ()))
    return (
        f"{engine} does not reach {shown(unasked[0])} now, for which it was made; "
        "run this in an environment in which it does "
        f"({variables}), or remove the store yourself, if that is gone"
    )


def records_of(host_path: str) -> dict[str, Record]:
    """Return the records of the stores for a venv (its real host path), by the host paths of the stores.

    Raises StoreError if the folder of the stores cannot be read.
    """
    records, _ = _records(stores_folder())
    return {store: record for store, record in records.items() if record.purpose.host_path == host_path}


def count_stores() -> tuple[int, int]:
    """Return how many stores there are, and how many are for a workspace that is gone; what cannot be read is none."""
    try:
        records, _ = _records(stores_folder())
    except StoreError:
        return 0, 0
    gone = [record for record in records.values() if not _has_workspace(record.purpose)]
    return len(records), len(gone)


def _records(folder: str) -> tuple[dict[str, Record], list[str]]:
    try:
        with os.scandir(folder) as entries:
            paths = sorted(entry.path for entry in entries if entry.is_dir(follow_symlinks=False))
    except FileNotFoundError:
        return {}, []
    except OSError as error:
        raise StoreError(f"{shown(folder)}: cannot be read: {error.strerror}; {remedy(error)}") from None
    records = {}
    problems = []
    for path in paths:
        record = read_record(path)
        if record:
            records[path] = record
        else:
            why = "has no store.json that this version knows"
            problems.append(f"{shown(path)}: {why}; remove it yourself, if nobody needs it")
    return records, problems


def _uses(container: Container, name: str) -> bool:
    # The end of the path, since Docker Desktop shows host paths as its machine has them; names are unique.
    return any(source.endswith(f"/{name}/{VENV}") for source in container.sources)


def _has_workspace(purpose: Purpose) -> bool:
    """Tell whether the folder of the venv is there, or may be: one that cannot be reached is not gone."""
    try:
        os.stat(os.path.dirname(purpose.host_path))
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def mounted_names() -> set[str]:
    """Return the names of stores that any process of this machine has mounted, if the system shows that (/proc).

    It knows of containers of any engine and user, and of mounts that no engine lists: those of Podman's hook.
    """
    names: set[str] = set()
    with suppress(OSError):
        for process in filter(str.isdigit, os.listdir("/proc")):
            with (
                suppress(OSError),
                open(f"/proc/{process}/mountinfo", encoding="utf-8", errors="surrogateescape") as file,
            ):
                names.update(_MOUNTED.findall(file.read()))
    return names


def unused_since(stores: Iterable[Store], day: str | None) -> list[Store]:
    """Return the stores that nobody needs any more: no container has them, and their workspace is gone.

    With a day (YYYY-MM-DD) also those that no container has and no launch has asked for since.
    """
    return [store for store in stores if _is_unused(store, day)]


def _is_unused(store: Store, day: str | None) -> bool:
    if store.state == "workspace gone":
        return True
    return store.state == "idle" and day is not None and store.record.last_used <= day


# ---- Engines


def ask_containers(
    engine: str, environ: Mapping[str, str], *, rootless: bool, command: Sequence[str] = ()
) -> Containers:
    """Return all containers of the engine, running or not. Raises StoreError if it cannot be asked.

    `command` is its program (a host path) with the options that say which daemon is meant; without it, the one on PATH
    is asked. A sandbox of bwrap is its process: there is none when that ends, and while it runs, the system shows its
    mounts.
    """
    if engine == "bwrap":
        return Containers()
    words = list(command) or [_program(engine, environ, rootless=rootless)]
    daemon = find_daemon(engine, words[0], global_options(words[1:]), environ)
    if daemon.why_remote:
        raise StoreError(f"{daemon.why_remote}; ask there")
    for _ in range(_ATTEMPTS):  # a container may go between the two questions
        listed, problem = _ask([*words, "ps", "--all", "--quiet", "--no-trunc"], environ)
        if listed is None or not listed.split():
            break
        listed, problem = _ask([*words, "container", "inspect", *listed.split()], environ)
        if listed is not None:
            break
    if listed is None:
        raise StoreError(f"{engine} does not answer: {problem}; see whether {engine} ps works")
    try:
        containers = tuple(_container(engine, described) for described in parse_json(listed.strip() or "[]"))
    except (LookupError, TypeError, AttributeError):
        raise StoreError(
            f"{engine} describes its containers in a way that is not known here; please report it"
        ) from None
    return Containers(containers, daemon.identity)


def read_containers(ask_daemon: Callable[[str], Any], daemon: str) -> Containers:
    """Return all containers of a Docker daemon, running or not. Raises StoreError if it does not tell.

    `ask_daemon` returns its answer to a GET of a path, or raises OSError; `daemon` is its identity.
    """
    try:
        answer = ask_daemon("/containers/json?all=1")
    except OSError as error:
        raise StoreError(f"docker does not answer: {error.strerror}; see whether docker ps works") from None
    containers = []
    for described in answer if isinstance(answer, list) else []:
        names = [str(name) for name in get_list(described, "Names")] or [""]
        sources = tuple(get_text(mount, "Source") for mount in get_list(described, "Mounts"))
        is_running = get_text(described, "State") == "running"
        containers.append(Container("docker", names[0].removeprefix("/"), is_running, sources))
    return Containers(tuple(containers), daemon)


def _program(engine: str, environ: Mapping[str, str], *, rootless: bool) -> str:
    row = ENGINES.get(engine)
    if row and row.form != "docker":
        raise StoreError(f"{engine} does not describe its containers as Docker does; see {engine} list --all")
    if row and row.is_rootless and rootless != is_rootless(engine):
        owner = "an ordinary user" if rootless else "root"
        raise StoreError(f"{engine} of {owner} cannot be asked by this user; ask as that one")
    program = find_program(engine, environ) if row else None
    if program is None:
        raise StoreError(f"{shown(engine)} is not on PATH; install it")
    return program


def _container(engine: str, described: dict[str, Any]) -> Container:
    sources = tuple(str(mount.get("Source", "")) for mount in described["Mounts"] or ())
    return Container(engine, str(described["Name"]).removeprefix("/"), bool(described["State"]["Running"]), sources)


def _ask(command: Sequence[str], environ: Mapping[str, str]) -> tuple[str | None, str]:
    """Return what the engine says on stdout, None if it fails, and the last line of its stderr."""
    try:
        done = ask(command, environ, seconds=TIMEOUT)
    except OSError as error:
        return None, str(error.strerror)
    problem = last_line(done.stderr.decode(errors="surrogateescape"))
    if done.returncode:
        return None, problem
    return done.stdout.decode(errors="surrogateescape"), problem


# ---- Sizes


def size_of(folder: str) -> int:
    """Return how many bytes a host folder takes on the disk, without what cannot be read; no link is followed."""
    total = 0
    seen: set[tuple[int, int]] = set()
    folders = [folder]
    while folders:
        path = folders.pop()
        with suppress(OSError):
            descriptor = open_folder(path)
            try:
                with os.scandir(descriptor) as entries:
                    for entry in entries:
                        status = entry.stat(follow_symlinks=False)
                        if entry.is_dir(follow_symlinks=False):
                            folders.append(os.path.join(path, entry.name))
                        if (status.st_dev, status.st_ino) not in seen:
                            seen.add((status.st_dev, status.st_ino))
                            total += status.st_blocks * 512
            finally:
                os.close(descriptor)
    return total
