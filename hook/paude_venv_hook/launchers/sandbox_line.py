"""Add the arguments to a command line of bwrap, each after what mounts on or above its path.

A sandbox often binds much more than a workspace: `--bind / /`, or the home folder. What counts there is the folder in
which it starts, with its git root, and not all that lies in the bind.
"""

from __future__ import annotations

import os
import posixpath
import re
import stat

from paude_venv_hook.decision import decide, why_nothing
from paude_venv_hook.engines.bwrap_grammar import parse_sandbox
from paude_venv_hook.engines.programs import ask
from paude_venv_hook.engines.run_grammar import UnknownOptionError
from paude_venv_hook.files import is_inside
from paude_venv_hook.launch import Launch
from paude_venv_hook.launchers.rewritten import NO_WORKSPACE, Rewritten, unchanged
from paude_venv_hook.launchers.settled import asking, settle
from paude_venv_hook.notes import Note, NoteKind
from paude_venv_hook.text import shown
from paude_venv_hook.workspace.git_root import git_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paude_venv_hook.engines.bwrap_grammar import SandboxLine
    from paude_venv_hook.engines.mounts import Mount

_SINCE = {"--perms": (0, 5), "--size": (0, 7)}
_ANY_VERSION = (9, 9)


def rewrite_sandbox_line(program: str, arguments: Sequence[str], environ: Mapping[str, str], folder: str) -> Rewritten:
    """Return a command line of bwrap with the arguments added for the workspaces that it binds.

    `arguments` are those after the program (a host path), `folder` is the host folder in which it starts. A line that
    is not understood comes back as it is. Raises HookError for a workspace whose settings are wrong.
    """
    try:
        line = parse_sandbox(arguments)
    except UnknownOptionError as error:
        name = shown(str(error))
        if name == "--args":
            return unchanged(arguments, "--args brings options that cannot be read here", "write them on the line")
        return unchanged(
            arguments, f"{name} is no option of bwrap that is known here", "add what print --format bwrap says"
        )

    launch = _read_launch(line, environ, folder)
    decision = settle(decide(launch, environ), asking("bwrap", environ))
    added = decision.arguments()
    problem = _refuses(program, {word for words in added for word in words}, environ) if added else ""
    if problem:
        return unchanged(arguments, problem)

    workspaces = [launch.folder, folder]
    if any(_holds(os.path.join(folder, path), workspace) for path in line.overlaid for workspace in workspaces):
        overlaid = "what --overlay-src brings of the workspace is not shadowed"
        note = Note(NoteKind.WORKSPACE, why=overlaid, advice="bind the workspace instead")
        decision = decision._replace(notes=(*decision.notes, note))
    is_silent = not added and not decision.notes
    why = why_nothing(decision, NO_WORKSPACE) if is_silent else None
    return Rewritten(_insert(arguments, added, line), decision, why)


def _read_launch(line: SandboxLine, environ: Mapping[str, str], folder: str) -> Launch:
    """Return the launch that a line describes; binds of much more than a workspace are narrowed to that."""
    mounts = [mount._replace(source=os.path.join(folder, mount.source)) for mount in line.mounts]
    root = next((os.path.realpath(mount.source) for mount in mounts if (mount.type, mount.target) == ("bind", "/")), "")
    starts_in = _on_host(line.chdir, mounts) if line.chdir else ""
    start = starts_in or folder
    narrowed = _narrowed(mounts, os.path.realpath(start), environ)
    return Launch("bwrap", mounts=tuple(narrowed), seen=tuple(mounts), folder=start, image=root.removesuffix("/"))


def _on_host(path: str, mounts: Sequence[Mount]) -> str:
    """Return the host path of a path of the sandbox, "" if that is not one of the host's."""
    mount = _nearest(path, mounts)
    if mount is None or mount.type != "bind":
        return ""
    return os.path.normpath(os.path.join(mount.source, posixpath.relpath(path, mount.target)))


def _nearest(path: str, mounts: Sequence[Mount]) -> Mount | None:
    """Return the mount in which a path of the sandbox lies, of those that none covers."""
    return next((mount for mount in reversed(mounts) if is_inside(path, mount.target)), None)


def _narrowed(mounts: Sequence[Mount], start: str, environ: Mapping[str, str]) -> list[Mount]:
    """Return the mounts, with a bind of much more than the git root of the start folder as a bind of just that.

    Both are real host paths. What a later mount covers in the sandbox is left out.
    """
    top = os.path.realpath(git_root(start, environ) or start)
    narrowed = []
    for mount in mounts:
        source, target = os.path.realpath(mount.source), mount.target
        if mount.type == "bind" and is_inside(top, source):
            target = posixpath.normpath(posixpath.join(target, os.path.relpath(top, source)))
            source = top
        nearest = _nearest(target, mounts)
        if mount.type != "bind":
            narrowed.append(mount)
        elif nearest and nearest.target == mount.target:
            narrowed.append(mount._replace(source=source, target=target))
    return narrowed


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
            return "bwrap takes no --size if it is setuid; leave out size in venv-tmpfs"
        output = ask([program, "--version"], environ).stdout.decode(errors="replace")
    except OSError:
        return ""
    match = re.search(r"(\d+)\.(\d+)", output)
    version = (int(match[1]), int(match[2])) if match else _ANY_VERSION
    for word, since in _SINCE.items():
        if word in words and version < since:
            wanted, found_version = (".".join(map(str, numbers)) for numbers in (since, version))
            return f"bwrap {found_version} has no {word}, which came with {wanted}; install a newer one"
    return ""


def _holds(path: str, folder: str) -> bool:
    path, folder = os.path.realpath(path), os.path.realpath(folder)
    return is_inside(folder, path) or is_inside(path, folder)
