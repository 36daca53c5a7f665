"""The engines, a row each: how to read its command line, how to spell its arguments, and what it cannot do.

A new engine is a row here, the functions that spell its arguments (`arguments`) and, unless its command line is read
like that of another one, a grammar (`run_grammar`, or a file like `bwrap_grammar`).
"""

from __future__ import annotations

from paude_venv_hook.engines.arguments import (
    bwrap_bind,
    bwrap_tmpfs,
    container_tmpfs,
    docker_options,
    docker_tmpfs,
    plain_bind,
    podman_options,
    podman_tmpfs,
    quoted_bind,
)
from paude_venv_hook.errors import EngineError, UsageError
from paude_venv_hook.records import NamedTuple
from paude_venv_hook.text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_IN_MEMORY = 'write "venv-storage": "memory" in paude.json'
_CHARACTERS = {":": "colon", ",": "comma", "=": "equals sign"}


class Engine(NamedTuple):
    """An engine.

    - `name`, of its program and for the flags; `label`, for people;
    - `form`, whose language it speaks: `docker` takes what Docker's `run`, `ps`, `inspect` and `exec` take;
    - `tmpfs` and `bind`, the functions that spell its arguments, and the characters of a path for which it has none;
    - `options`, the one that spells what follows the path in `--tmpfs`, in a compose file and in Docker's API;
    - `percent`, whether a tmpfs may be a part of the memory;
    - `selinux`, the word that lets a container into a folder, "" if none is needed, None if there is none;
    - `is_rootless`, whether an ordinary user runs it in a namespace of their own (user_namespaces(7));
    - `machine` and `platform`, the variables that name another machine, and the platform of images.
    """

    name: str
    label: str
    form: str
    tmpfs: Callable[[str, tuple[int, int], str | None], list[str]]
    bind: Callable[[str, str, str], list[str]]
    options: Callable[[tuple[int, int], str | None], str] = docker_options
    no_tmpfs_on: str = ""
    no_bind_on: str = ""
    percent: bool = True
    selinux: str | None = ""
    is_rootless: bool = False
    machine: str = ""
    platform: str = ""


_ROWS = (
    Engine("docker", "Docker", "docker", docker_tmpfs, quoted_bind, no_tmpfs_on=":", selinux=None,
           machine="DOCKER_HOST", platform="DOCKER_DEFAULT_PLATFORM"),
    Engine("podman", "Podman", "docker", podman_tmpfs, quoted_bind, podman_options, selinux="relabel=shared",
           is_rootless=True, machine="CONTAINER_HOST"),
    Engine("nerdctl", "nerdctl", "docker", docker_tmpfs, plain_bind, no_tmpfs_on=":", no_bind_on=",:", selinux=None,
           is_rootless=True),
    Engine("finch", "Finch", "docker", docker_tmpfs, plain_bind, no_tmpfs_on=":", no_bind_on=",:=", selinux=None),
    Engine("container", "container", "container", container_tmpfs, plain_bind, no_tmpfs_on=",=", no_bind_on=",=",
           percent=False, platform="CONTAINER_DEFAULT_PLATFORM"),
    Engine("bwrap", "bwrap", "bwrap", bwrap_tmpfs, bwrap_bind, percent=False),
)  # fmt: skip
ENGINES = {row.name: row for row in _ROWS}
# Those between which `auto` chooses; the others are only taken if somebody names them.
COMMON = ("docker", "podman")


def one_of(names: Iterable[str]) -> str:
    """Return names as people list them: `docker, podman or bwrap`."""
    *others, last = names
    return f"{', '.join(others)} or {last}"


def refuse_other_forms(engine: str, what: str) -> None:
    """Raise UsageError for an engine that does not speak Docker's language; `what` says what needs it."""
    if ENGINES[engine].form != "docker":
        known = one_of(row.name for row in _ROWS if row.form == "docker")
        raise UsageError(f"--engine: {what} is not for {engine}; use {known}")


def why_not(engine: str, destination: str, size: str | None, *, on_disk: bool) -> str:
    """Return "" or why the engine has no arguments for a container path, and what to do."""
    row = ENGINES[engine]
    if not on_disk and size and size.endswith("%") and not row.percent:
        return f'{row.label} takes no size of {size}; write "venv-tmpfs": {{"size": "2g"}}, for example'
    refused = row.no_bind_on if on_disk else row.no_tmpfs_on
    odd = next((character for character in refused if character in destination), "")
    if not odd:
        return ""
    what = "a store" if on_disk else "a tmpfs"
    return f"{row.label} has no way to mount {what} on {destination}, for its {_CHARACTERS[odd]}; rename the folder"


def tmpfs_args(engine: str, destinations: Iterable[str], owner: tuple[int, int], size: str | None) -> list[str]:
    """Return the arguments of an engine that put an empty tmpfs on each destination (container paths).

    Raises EngineError for a destination for which it has none.
    """
    arguments = []
    for destination in destinations:
        problem = why_not(engine, destination, size, on_disk=False)
        if problem:
            raise EngineError(shown(problem))
        arguments += ENGINES[engine].tmpfs(destination, owner, size)
    return arguments


def shadow_args(
    engine: str, destination: str, store: str, owner: tuple[int, int], size: str | None, *, label: bool
) -> list[str]:
    """Return the arguments of an engine for one shadow on a destination (a container path).

    `store` is the host path of its store, "" if it is an empty tmpfs, of which `owner` and `size` tell. With `label`
    SELinux is on. Raises EngineError if the engine has none.
    """
    if store:
        return store_args(engine, [(store, destination)], label=label)
    return tmpfs_args(engine, [destination], owner, size)


def store_args(engine: str, stores: Iterable[tuple[str, str]], *, label: bool) -> list[str]:
    """Return the arguments of an engine that put stores (host paths) on destinations (container paths).

    With `label` SELinux is on, and they let the containers in. Raises EngineError if there are none.
    """
    row = ENGINES[engine]
    if label and row.selinux is None:
        raise EngineError(f"{row.label} does not label a store for SELinux, which keeps containers out; {_IN_MEMORY}")
    selinux = row.selinux or "" if label else ""
    arguments = []
    for store, destination in stores:
        problem = why_not(engine, destination, None, on_disk=True)
        if problem:
            raise EngineError(shown(problem))
        odd = next((c for c in row.no_bind_on if c in store), "")
        if odd:
            raise EngineError(
                f"{row.label} has no way to mount from {shown(store)}, for its {_CHARACTERS[odd]}; {_IN_MEMORY}"
            )
        arguments += row.bind(store, destination, selinux)
    return arguments
