"""Which directories of the workspace are venvs, or were named by the user: one look at the top level, no recursion."""

from __future__ import annotations

import os
import re
import stat
from collections import namedtuple

from paude_venv_hook.errors import SettingsError, WorkspaceError
from paude_venv_hook.files import is_inside, read_start
from paude_venv_hook.text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

RESERVED = ".venv"

_PROJECT_FILES = frozenset(
    (
        "Pipfile", "hatch.toml", "noxfile.py", "pdm.lock", "poetry.lock", "pylock.toml", "pyproject.toml",
        "setup.cfg", "setup.py", "tox.ini", "uv.lock", "uv.toml",
    )
)  # fmt: skip
_REQUIREMENTS = r"\0requirements[^\0]*\.(txt|in)\0"
_ENVIRONMENT_PARENTS = frozenset((".direnv", ".hatch", ".nox", ".pixi", ".tox"))


class Found(namedtuple("Found", ("path", "host_path", "why", "problem"), defaults=("",))):
    """A directory to shadow, or one that cannot be.

    `path` is how a user names it: relative to the workspace folder, separated by `/`. `host_path` is the real path
    on the host, after any symlink. `why` says what it is; `problem`, if any, why it cannot be shadowed.
    """

    __slots__ = ()
    path: str
    host_path: str
    why: str
    problem: str


def detect(workspace_folder: str, mounted_folder: str, *, same_path: bool) -> tuple[list[Found], list[str]]:
    """Return what `auto` finds, and warnings.

    Looks at the top level of the workspace folder and, where it is another one, of the mounted folder (the git root);
    both are real host paths. `same_path` tells that the mount has the same path in the container, so that absolute
    symlinks hold there. Raises WorkspaceError when the workspace folder cannot be read.
    """
    try:
        found, names = _scan(workspace_folder, workspace_folder, same_path=same_path)
    except OSError as error:
        raise WorkspaceError(f"{shown(workspace_folder)}: cannot be read: {error.strerror}; mend it") from None
    warnings = []
    if _is_file(os.path.join(workspace_folder, "pyvenv.cfg")):
        warnings.append("the workspace folder itself is a venv, which cannot be shadowed: it holds the source")
    elif not found and _may_reserve(workspace_folder, names):
        found.append(Found(RESERVED, os.path.join(workspace_folder, RESERVED), "reserved"))
    if mounted_folder != workspace_folder:
        try:
            found += _scan(mounted_folder, workspace_folder, same_path=same_path)[0]
        except OSError as error:
            warnings.append(f"{shown(mounted_folder)}: cannot be searched for venvs: {error.strerror}")
    shadowed = {item.host_path for item in found if not item.problem}

    def needs_none(link: Found) -> bool:
        """Tell whether a symlink out of the workspace folder leads to the venv of the git root, in both worlds."""
        if not link.problem or link.host_path not in shadowed:
            return False
        return same_path or not os.path.isabs(os.readlink(os.path.join(workspace_folder, link.path)))

    return [item for item in found if not needs_none(item)], warnings


def _scan(folder: str, workspace_folder: str, *, same_path: bool) -> tuple[list[Found], set[str]]:
    """Return what the top level of `folder` holds, and the names of its files and symlinks."""
    found, names = [], set()
    access, exists = os.access, os.F_OK  # two questions a directory, without the cost of an exception
    prefix = "" if folder == workspace_folder else os.path.relpath(folder, workspace_folder).replace(os.sep, "/") + "/"
    with os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name
            if entry.is_dir(follow_symlinks=False):
                path = entry.path
                if access(path + "/pyvenv.cfg", exists) and _is_file(path + "/pyvenv.cfg"):
                    found.append(Found(prefix + name, path, "venv"))
                elif access(path + "/bin/activate", exists) and _is_old_virtualenv(path):
                    found.append(Found(prefix + name, path, "virtualenv without pyvenv.cfg"))
                continue
            names.add(name)
            if entry.is_symlink():
                path = entry.path
                if name == RESERVED or _is_file(path + "/pyvenv.cfg"):
                    host_path, problem = follow_link(path, folder, same_path=same_path)
                    if name == RESERVED or not problem:
                        found.append(Found(prefix + name, host_path, "symlink to a directory", problem))
            elif name == RESERVED and (target := named_by_file(entry.path, folder)):
                found.append(Found(os.path.relpath(target, workspace_folder).replace(os.sep, "/"), target,
                                   "named by the file .venv"))  # fmt: skip
    return sorted(found), names


def _is_file(path: str) -> bool:
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False


def _is_old_virtualenv(path: str) -> bool:
    """Tell whether virtualenv before 20 made the directory: it left `lib/python*/orig-prefix.txt`."""
    try:
        versions = os.listdir(os.path.join(path, "lib"))
    except OSError:
        return False
    return any(_is_file(os.path.join(path, "lib", name, "orig-prefix.txt")) for name in versions)


def _may_reserve(workspace_folder: str, names: set[str]) -> bool:
    # One search in all names: to ask one by one takes a tenth of the scan.
    if _PROJECT_FILES.isdisjoint(names) and not re.search(_REQUIREMENTS, "\0".join(("", *names, ""))):
        return False
    try:
        return not os.listdir(os.path.join(workspace_folder, RESERVED))
    except FileNotFoundError:
        return True
    except OSError:
        return False


def follow_link(link: str, folder: str, *, same_path: bool) -> tuple[str, str]:
    """Return the real path of the directory that a symlink leads to, and "" or why it cannot be shadowed.

    The engines resolve a link inside of the container, so only one that leads to a directory of `folder` in both
    worlds is good (facts of docker with runc, podman with crun: all else mounts over the container's own folders,
    makes directories in its root, or stops the start).
    """
    text = os.readlink(link)
    try:
        real = os.path.realpath(link, strict=True)
    except OSError:
        return link, f"a symlink to {shown(text)}, which does not exist or loops"
    if not os.path.isdir(real):
        return real, f"a symlink to {shown(text)}, which is a file"
    if is_inside(os.path.realpath(folder), real):
        return real, f"a symlink to {shown(text)}, which holds the source"
    if not is_inside(real, folder):
        return real, f"a symlink to {shown(text)}, outside of the workspace"
    if os.path.isabs(text) and not same_path:
        return real, f"an absolute symlink to {shown(text)}, which is another place in the container"
    return real, ""


def named_by_file(path: str, folder: str) -> str | None:
    """Return the real path of the directory inside `folder` that a `.venv` *file* names, or None.

    virtualenv and pipenv write such files. What pipenv's names is often no path but a venv in its own store, which may
    be called like a directory of sources, or of logs, here: the directory has to be a venv.
    """
    text = os.fsdecode(read_start(path)).strip()
    if not text or "\0" in text:
        return None
    target = os.path.realpath(os.path.join(folder, text))
    if target == folder or not is_inside(target, folder) or not os.path.isdir(target):
        return None
    is_venv = _is_file(os.path.join(target, "pyvenv.cfg")) or _is_old_virtualenv(target)
    return target if is_venv else None


def find_listed(workspace_folder: str, names: Iterable[str], where: str, *, same_path: bool) -> list[Found]:
    """Return the listed directories of the workspace folder (a real host path), whether or not they exist.

    The names are those of `settings.check_name`; `where` names the list in errors. Raises SettingsError for one that
    is a file, or leaves the workspace folder through a symlink.
    """
    found = []
    for index, name in enumerate(names):
        text = f'{where}[{index}]: "{shown(name)}"'
        path = os.path.join(workspace_folder, *name.split("/"))
        parent = os.path.realpath(os.path.dirname(path))
        host_path, problem = os.path.join(parent, os.path.basename(path)), ""
        if not is_inside(parent, workspace_folder):
            raise SettingsError(f"{text} leaves the workspace folder through a symlink; name a directory inside of it")
        if os.path.islink(host_path):
            host_path, refusal = follow_link(host_path, workspace_folder, same_path=same_path)
            if refusal:
                raise SettingsError(f"{text} is {refusal}; name the directory itself, or remove the entry")
        elif not os.path.isdir(parent):
            state = "is no directory" if os.path.lexists(parent) else "does not exist"
            problem = f"{shown(os.path.dirname(name))} {state}, so there is no place for a mount point"
        elif os.path.lexists(host_path) and not os.path.isdir(host_path):
            raise SettingsError(f"{text} is a file; only a directory can be shadowed")
        found.append(Found(name, host_path, "listed", problem))
    return found


def unshadowed(workspace_folder: str) -> Iterator[tuple[str, str]]:
    """Yield the names of what `auto` leaves alone although it holds, or might hold, environments, each with a reason.

    Only for people to read (`status`): it looks into every directory of the top level.
    """
    for name in sorted(_safe_listdir(workspace_folder)):
        path = os.path.join(workspace_folder, name)
        if name == RESERVED and _is_file(path):
            if named_by_file(path, workspace_folder) is None:
                yield name, "a file that names no venv of the workspace"
        elif os.path.islink(path) or not os.path.isdir(path) or _is_file(os.path.join(path, "pyvenv.cfg")):
            continue
        elif name in _ENVIRONMENT_PARENTS:
            yield name, "holds environments one level down"
        elif os.path.isdir(os.path.join(path, "conda-meta")):
            yield name, "a conda environment"
        elif name == RESERVED and (inner := _safe_listdir(path)):
            nested = any(_is_file(os.path.join(path, item, "pyvenv.cfg")) for item in inner)
            yield name, "holds environments one level down" if nested else "no venv: it has no pyvenv.cfg"


def _safe_listdir(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except OSError:
        return []
