"""`verify`: ask a running container, through its engine, whether the shadows are there."""

from __future__ import annotations

import json
import os
import re
from collections import namedtuple
from contextlib import suppress

from paude_venv_hook.engines.choice import choose_engine
from paude_venv_hook.engines.mounts import Mount, container_path, is_shared
from paude_venv_hook.engines.programs import ask, find_program
from paude_venv_hook.errors import VerifyError
from paude_venv_hook.files import read_bytes
from paude_venv_hook.options import ENGINE, QUIET, VENV, WORKSPACE_FOLDER, argument
from paude_venv_hook.pipeline import prepare
from paude_venv_hook.terminal import warn, write
from paude_venv_hook.text import shown
from paude_venv_hook.values import get_list, get_object, get_text
from paude_venv_hook.workspace.location import Location, binds_of, check_workspace_folder, parts_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from subprocess import CompletedProcess
    from typing import Any

    from paude_venv_hook.plan import Shadow

SUMMARY = "ask a running container whether the shadows are there"
POSITION = 7
ARGUMENTS = (WORKSPACE_FOLDER, ENGINE, VENV, QUIET, argument("container", metavar="CONTAINER", help="its name or id"))
EXAMPLES = """\
  paude-venv-hook verify my-container
  paude-venv-hook verify --engine docker "$(docker ps --latest --quiet)"
"""

_RECREATE = "recreate the container with the arguments of the overlay"


class Options:
    """The values of the arguments."""

    workspace_folder = "."
    engine = "auto"
    venv: str | None = None
    quiet = False
    container = ""


def execute(options: Options) -> int:
    """Tell for each shadow whether a running container has it; 1 where one is missing."""
    engine, _ = choose_engine(options.engine, os.environ)
    container = inspect(engine, options.container)
    folder = check_workspace_folder(options.workspace_folder)
    location = locate_in(container, folder)
    prepared = prepare(folder, os.environ, location=location, engine=engine, venv=options.venv)
    if not options.quiet:
        warn(prepared.messages())
    checks = check(engine, container, prepared.plan.shadows)
    for item in checks:
        write(f"{shown(item.path)}: {item.problem or 'shadowed'} ({shown(item.destination)})\n")
    return 1 if any(item.problem for item in checks) else 0


class Check(namedtuple("Check", ("path", "destination", "problem"))):
    """One shadow: as the user names it, its container path, and "" or what is wrong and what to do."""

    __slots__ = ()
    path: str
    destination: str
    problem: str


def inspect(engine: str, container: str) -> dict[str, Any]:
    """Return what the engine knows of a container; VerifyError where it knows none, or it does not run."""
    try:
        answer = json.loads(_ask([engine, "container", "inspect", container]))
    except (ValueError, RecursionError):
        answer = None
    found: dict[str, Any] = get_object({"0": answer[0]}, "0") if isinstance(answer, list) and answer else {}
    if not get_text(found, "Id"):
        raise VerifyError(f"{shown(container)}: {engine} does not describe it; check its name")
    if get_object(found, "State").get("Running") is not True:
        raise VerifyError(f"{shown(container)}: does not run; start it first")
    return found


def locate_in(container: Mapping[str, Any], workspace_folder: str) -> Location:
    """Return where the inspected container has the workspace folder (a host path): its own binds say it."""
    mounts = [
        Mount(
            get_text(item, "Type"),
            get_text(item, "Source"),
            container_path(get_text(item, "Destination")),
            is_shared([get_text(item, "Propagation")]),
        )
        for item in get_list(container, "Mounts")
    ]
    binds = binds_of(mounts, workspace_folder)
    if not binds:
        return Location((), "the container has no bind mount that holds the workspace folder")
    parts = [mount for mount in parts_of(mounts, workspace_folder) if mount.target != binds[0].target]
    # A tmpfs is what is looked for.
    mounted = {other.target: other.type for other in mounts if other is not binds[0] and other.type != "tmpfs"}
    return Location((binds[0], *parts), "the container's own mounts", mounted)


def check(engine: str, container: Mapping[str, Any], shadows: Sequence[Shadow]) -> list[Check]:
    """Return for each shadow whether the inspected container has it: a tmpfs, exec, writable for its user."""
    name = get_text(container, "Id")
    mounts = parse_mountinfo(_ask([engine, "exec", name, "cat", "/proc/self/mountinfo"]))
    asked_for = asked_for_tmpfs(container)
    checks = []
    for shadow in shadows:
        destination = shadow.destination
        mount = mounts.get(destination) or mounts.get(_resolve(engine, name, destination))
        problem = find_problem(mount, asked_for.get(destination))
        if not problem and _run([engine, "exec", name, "test", "-w", destination]).returncode:
            problem = f"not writable for the container's user; name it in venv-tmpfs, and {_RECREATE}"
        checks.append(Check(shadow.path, destination, problem))
    return checks


def asked_for_tmpfs(container: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    """Return the options of each tmpfs that the container was to have, by container path.

    An argument asked for it, or Podman's hook, whose additions only the OCI config holds.
    """
    config = None
    with suppress(OSError, ValueError, RecursionError):
        config = json.loads(read_bytes(get_text(container, "OCIConfigPath")))
    by_hook = {
        get_text(item, "destination"): [word for word in get_list(item, "options") if isinstance(word, str)]
        for item in get_list(config, "mounts")
        if get_text(item, "type") == "tmpfs"
    }
    by_argument = get_object(get_object(container, "HostConfig"), "Tmpfs")
    options = {**by_hook, **{path: get_text(by_argument, path).split(",") for path in by_argument}}
    return {container_path(path): frozenset(words) for path, words in options.items()}


def _resolve(engine: str, container: str, path: str) -> str:
    """Return the container path after any symlink in it, as the list of mounts has it (`/lib` is one to `/usr/lib`).

    The folder above is asked for, since a directory that is gone has no path. An image without `readlink` gives "".
    """
    folder, name = os.path.split(path)
    done = _run([engine, "exec", container, "readlink", "-f", folder])
    return os.path.join(os.fsdecode(done.stdout).strip("\n"), name) if done.returncode == 0 else ""


def find_problem(mount: tuple[str, frozenset[str]] | None, asked_for: Collection[str] | None) -> str:
    """Return "" or what is wrong with the mount on a destination (its type and options, None where nothing is).

    `asked_for` holds the options of the tmpfs that the container was to have there, None where it was to have none.
    """
    if mount is None:
        if asked_for is not None:
            return "the mount was lost, since the directory was removed on the host; restart the container"
        return f"not shadowed: the container was made without it; {_RECREATE}"
    kind, options = mount
    if kind != "tmpfs":
        return f"not shadowed: a mount of type {kind} is there; {_RECREATE}"
    if "noexec" in options:
        return f"mounted noexec, so that no program in it starts; {_RECREATE}"
    if "ro" in options:
        return f"mounted read-only; {_RECREATE}"
    if "tmpcopyup" in (asked_for or ()):  # Podman's default
        return f"filled with what the host's has; {_RECREATE}"
    return ""


def parse_mountinfo(text: str) -> dict[str, tuple[str, frozenset[str]]]:
    """Return the type and the options of the topmost mount on each path, from /proc/self/mountinfo (proc(5))."""
    mounts = {}
    for line in text.splitlines():
        fields = line.split(" ")
        if "-" not in fields[6:-1]:  # no line of a mount
            continue
        path = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), fields[4])
        mounts[path] = fields[fields.index("-") + 1], frozenset(fields[5].split(","))
    return mounts


def _ask(command: Sequence[str]) -> str:
    done = _run(command)
    if done.returncode:
        said = (os.fsdecode(done.stderr).strip().splitlines() or ["no reason given"])[-1]
        raise VerifyError(f"{' '.join(command[:2])} failed: {shown(said)}; check the container's name")
    return os.fsdecode(done.stdout)


def _run(command: Sequence[str]) -> CompletedProcess[bytes]:
    program = find_program(command[0], os.environ)
    if program is None:
        raise VerifyError(f"{command[0]}: is not on PATH; install it or use --engine")
    try:
        return ask([program, *command[1:]], os.environ)
    except OSError as error:
        raise VerifyError(f"{command[0]}: cannot be asked: {error.strerror}; mend it") from None
