"""Add the arguments to a command line of bwrap, each after what mounts on or above its path.

A sandbox often binds much more than a workspace: `--bind / /`, or the home folder. What counts there is the folder in
which it starts, with its git root, and not all that lies in the bind.
"""

from __future__ import annotations

import os
import posixpath
import re
import stat

from paude_venv_hook.engines.bwrap_grammar import parse_sandbox
from paude_venv_hook.engines.programs import ask
from paude_venv_hook.engines.run_grammar import Said, UnknownOptionError
from paude_venv_hook.files import is_inside
from paude_venv_hook.launchers.added import Added, prepare_workspaces, why_nothing
from paude_venv_hook.text import shown
from paude_venv_hook.workspace.binds import find_workspaces
from paude_venv_hook.workspace.git_root import git_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paude_venv_hook.engines.bwrap_grammar import SandboxLine
    from paude_venv_hook.engines.mounts import Mount
    from paude_venv_hook.pipeline import Prepared
    from paude_venv_hook.workspace.binds import Workspace

_SINCE = {"--perms": (0, 5), "--size": (0, 7)}
_ANY_VERSION = (9, 9)


def prepare_sandbox_line(program: str, arguments: Sequence[str], environ: Mapping[str, str], folder: str) -> Added:
    """Return a command line of bwrap with the arguments added for the workspaces that it binds.

    `arguments` are those after the program (a host path), `folder` is the host folder in which it starts. A line that
    is not understood comes back as it is. Raises HookError for a workspace whose settings are wrong.
    """
    try:
        line = parse_sandbox(arguments)
    except UnknownOptionError as error:
        name = shown(str(error))
        why = f"{name} is no option of bwrap that is known here; add what print --format bwrap says"
        if name == "--args":
            why = "--args brings options that cannot be read here; write them on the line"
        return Added([], list(arguments), [f"nothing shadowed: {why}"], "")
    mounts = [mount._replace(source=os.path.join(folder, mount.source)) for mount in line.mounts]
    starts_in = _on_host(line.chdir, mounts) if line.chdir else ""
    folders = [starts_in, folder] if starts_in else [folder]
    workspaces = [_narrowed(item, mounts, environ) for item in find_workspaces(mounts, [], folders, "the command line")]
    root = next((os.path.realpath(mount.source) for mount in mounts if (mount.type, mount.target) == ("bind", "/")), "")
    prepared, warnings = prepare_workspaces(
        (item for item in workspaces if item.location.mounts), environ, "bwrap", Said(root.removesuffix("/"))
    )
    added = [words for item in prepared for words in _of_shadows(item)]
    warnings += [warning for item in prepared for warning in item.messages()]
    if added and (problem := _refuses(program, {word for words in added for word in words}, environ)):
        return Added([], list(arguments), [f"nothing shadowed: {problem}"], "")
    if any(_holds(os.path.join(folder, path), item) for path in line.overlaid for item in folders):
        warnings.append("what --overlay-src brings of the workspace is not shadowed; bind the workspace instead")
    nothing = "" if added or warnings else why_nothing(prepared, "no bind mount of the line carries a workspace")
    return Added(prepared, _insert(arguments, added, line), warnings, nothing)


def _on_host(path: str, mounts: Sequence[Mount]) -> str:
    """Return the host path of a path of the sandbox, "" where that is not one of the host's."""
    mount = _nearest(path, mounts)
    if mount is None or mount.type != "bind":
        return ""
    return os.path.normpath(os.path.join(mount.source, posixpath.relpath(path, mount.target)))


def _nearest(path: str, mounts: Sequence[Mount]) -> Mount | None:
    """Return the mount in which a path of the sandbox lies, of those that none covers."""
    return next((mount for mount in reversed(mounts) if is_inside(path, mount.target)), None)


def _narrowed(workspace: Workspace, mounts: Sequence[Mount], environ: Mapping[str, str]) -> Workspace:
    """Return the workspace with binds of no more than its git root, and only those that are seen in the sandbox."""
    folder, location = workspace.folder, workspace.location
    top = os.path.realpath(git_root(folder, environ) or folder)
    seen = []
    for bind in location.mounts:
        source = top if is_inside(top, bind.source) else bind.source
        target = posixpath.normpath(posixpath.join(bind.target, os.path.relpath(source, bind.source)))
        nearest = _nearest(target, mounts)
        if nearest and nearest.target == bind.target:
            seen.append(bind._replace(source=source, target=target))
    first = seen[0].target if seen else ""
    mounted = {mount.target: mount.type for mount in mounts if mount.target != first}
    return workspace._replace(location=location._replace(mounts=tuple(seen), mounted=mounted))


def _of_shadows(prepared: Prepared) -> list[list[str]]:
    """Return the arguments of each shadow: as many for one as for another, and its path in the sandbox at the end."""
    arguments = prepared.document["runArgs"]
    count = len(arguments) // len(prepared.plan.shadows) if arguments else 1
    return [arguments[at : at + count] for at in range(0, len(arguments), count)]


def _insert(arguments: Sequence[str], added: Sequence[list[str]], line: SandboxLine) -> list[str]:
    places = [(line.place_for(words[-1]), words) for words in added]
    result: list[str] = []
    for index in range(len(arguments) + 1):
        result += [word for place, words in places if place == index for word in words]
        result += arguments[index : index + 1]
    return result


def _refuses(program: str, words: set[str], environ: Mapping[str, str]) -> str:
    """Return "" or which of the words this bwrap does not take: it would not start then.

    What only takes the same arguments is not asked for its version.
    """
    if os.path.basename(os.path.realpath(program)) != "bwrap":
        return ""
    try:
        if "--size" in words and os.getuid() and os.stat(program).st_mode & stat.S_ISUID:
            return "bwrap takes no --size where it is setuid; leave out size in venv-tmpfs"
        said = ask([program, "--version"], environ).stdout.decode(errors="replace")
    except OSError:
        return ""
    match = re.search(r"(\d+)\.(\d+)", said)
    version = (int(match[1]), int(match[2])) if match else _ANY_VERSION
    for word, since in _SINCE.items():
        if word in words and version < since:
            wanted, there = (".".join(map(str, item)) for item in (since, version))
            return f"bwrap {there} has no {word}, which came with {wanted}; install a newer one"
    return ""


def _holds(path: str, folder: str) -> bool:
    path, folder = os.path.realpath(path), os.path.realpath(folder)
    return is_inside(folder, path) or is_inside(path, folder)
