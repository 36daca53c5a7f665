"""`verify`: ask a running container, through its engine, whether the shadows are there."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections import namedtuple
from contextlib import suppress

from paude_venv_hook.engines.choice import choose_engine
from paude_venv_hook.engines.mounts import Mount, container_path, is_shared
from paude_venv_hook.engines.programs import find_program
from paude_venv_hook.errors import VerifyError
from paude_venv_hook.options import ENGINE, QUIET, VENV, WORKSPACE_FOLDER, argument
from paude_venv_hook.pipeline import prepare
from paude_venv_hook.terminal import warn, write
from paude_venv_hook.text import shown
from paude_venv_hook.workspace.location import Location, binds_of, check_workspace_folder, parts_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
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
        found: dict[str, Any] = json.loads(_ask([engine, "container", "inspect", container]))[0]
    except (ValueError, LookupError):
        raise VerifyError(f"{shown(container)}: {engine} does not describe it; check its name") from None
    if not found.get("State", {}).get("Running"):
        raise VerifyError(f"{shown(container)}: does not run; start it first")
    return found


def locate_in(container: Mapping[str, Any], workspace_folder: str) -> Location:
    """Return where the inspected container has the workspace folder (a host path): its own binds say it."""
    mounts = [
        Mount(
            item.get("Type", ""),
            item.get("Source", ""),
            container_path(item.get("Destination", "")),
            is_shared([item.get("Propagation", "")]),
        )
        for item in container.get("Mounts") or ()
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
    name = container["Id"]
    mounts = parse_mountinfo(_ask([engine, "exec", name, "cat", "/proc/self/mountinfo"]))
    asked_for = asked_for_tmpfs(container)
    checks = []
    for shadow in shadows:
        destination = shadow.destination
        problem = find_problem(mounts.get(destination), asked_for.get(destination))
        if not problem and _run([engine, "exec", name, "test", "-w", destination]).returncode:
            problem = f"not writable for the container's user; name it in venv-tmpfs, and {_RECREATE}"
        checks.append(Check(shadow.path, destination, problem))
    return checks


def asked_for_tmpfs(container: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    """Return the options of each tmpfs that the container was to have, by container path.

    An argument asked for it, or Podman's hook, whose additions only the OCI config holds.
    """
    mounts: list[dict[str, Any]] = []
    with suppress(OSError, ValueError), open(container.get("OCIConfigPath") or "", encoding="utf-8") as file:
        mounts = json.load(file).get("mounts") or []
    by_hook = {item["destination"]: item.get("options") or () for item in mounts if item.get("type") == "tmpfs"}
    by_argument: dict[str, str] = container.get("HostConfig", {}).get("Tmpfs") or {}
    options = {**by_hook, **{path: text.split(",") for path, text in by_argument.items()}}
    return {container_path(path): frozenset(words) for path, words in options.items()}


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
        path = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), fields[4])
        mounts[path] = fields[fields.index("-") + 1], frozenset(fields[5].split(","))
    return mounts


def _ask(command: Sequence[str]) -> str:
    done = _run(command)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise VerifyError(f"{' '.join(command[:2])} failed: {shown(said)}; check the container's name")
    return done.stdout


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    program = find_program(command[0], os.environ)
    if program is None:
        raise VerifyError(f"{command[0]}: is not on PATH; install it or use --engine")
    line = [program, *command[1:]]
    try:
        return subprocess.run(line, capture_output=True, encoding="utf-8", errors="surrogateescape", check=False)
    except OSError as error:
        raise VerifyError(f"{command[0]}: cannot be started: {error.strerror}; mend it") from None
