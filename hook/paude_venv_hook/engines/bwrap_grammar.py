"""How bwrap reads its command line (bubblewrap.c, 0.4 to 0.11): operations in order, and then a command."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from paude_venv_hook.engines.mounts import Mount
from paude_venv_hook.engines.run_grammar import UnknownOptionError
from paude_venv_hook.records import NamedTuple

# How many words follow each option. Those of what mounts on a path of the sandbox end in it.
_MOUNTS = {
    "--bind": 2, "--bind-try": 2, "--ro-bind": 2, "--ro-bind-try": 2, "--dev-bind": 2, "--dev-bind-try": 2,
    "--bind-fd": 2, "--ro-bind-fd": 2, "--bind-data": 2, "--ro-bind-data": 2,
    "--tmpfs": 1, "--proc": 1, "--dev": 1, "--mqueue": 1, "--tmp-overlay": 1, "--ro-overlay": 1, "--overlay": 3,
}  # fmt: skip
_OTHERS = {
    **dict.fromkeys(
        """
        --as-pid-1 --assert-userns-disabled --clearenv --die-with-parent --disable-userns --help --level-prefix
        --new-session --share-net --unshare-all --unshare-cgroup --unshare-cgroup-try --unshare-ipc --unshare-net
        --unshare-pid --unshare-user --unshare-user-try --unshare-uts --version
        """.split(),  # noqa: SIM905 - a list of words reads better than a list of quotes
        0,
    ),
    **dict.fromkeys(
        """
        --add-seccomp-fd --argv0 --block-fd --cap-add --cap-drop --chdir --dir --exec-label --file-label --gid
        --hostname --info-fd --json-status-fd --lock-file --overlay-src --perms --pidns --remount-ro --seccomp --size
        --sync-fd --uid --unsetenv --userns --userns-block-fd --userns2
        """.split(),  # noqa: SIM905
        1,
    ),
    **dict.fromkeys(("--chmod", "--file", "--setenv", "--symlink"), 2),
}
_WORDS = {**_MOUNTS, **_OTHERS}


class Operation(NamedTuple):
    """A mount of the sandbox, and the index of the word after what makes it."""

    mount: Mount
    end: int


class SandboxLine(NamedTuple):
    """The mounts of a line, in its order; the folder of the sandbox in which it starts, or ""; the overlays' folders.

    The last are the host paths of `--overlay-src`.
    """

    operations: tuple[Operation, ...]
    chdir: str
    overlaid: tuple[str, ...]

    @property
    def mounts(self) -> list[Mount]:
        """The mounts that are not covered by a later one on the same path, or above it."""
        seen: list[Mount] = []
        for mount, _ in self.operations:
            seen = [*(other for other in seen if not _is_in(other.target, mount.target)), mount]
        return seen

    def place_for(self, path: str) -> int:
        """Return the index for an operation on a path of the sandbox: behind what would cover it."""
        return max((end for mount, end in self.operations if _is_in(path, mount.target)), default=0)


def parse_sandbox(arguments: Sequence[str]) -> SandboxLine:
    """Return what bwrap is told with these arguments.

    A file descriptor stands for its path below /proc/self, as bwrap has it. Raises UnknownOptionError for an option
    that is not known, whose words cannot be told from a command, and for `--args`, which brings more options from
    elsewhere.
    """
    operations, overlaid, chdir, index = [], [], "", 0
    while index < len(arguments) and arguments[index].startswith("-") and arguments[index] != "--":
        name = arguments[index]
        if name not in _WORDS:
            raise UnknownOptionError(name)
        end = index + 1 + _WORDS[name]
        words = arguments[index + 1 : end]
        index = end
        if len(words) < _WORDS[name]:  # bwrap refuses it
            break
        if name == "--chdir":
            chdir = sandbox_path(words[0])
        elif name == "--overlay-src":
            overlaid.append(words[0])
        elif name in _MOUNTS:
            operations.append(Operation(_mount(name, words), end))
    return SandboxLine(tuple(operations), chdir, tuple(overlaid))


def _mount(name: str, words: Sequence[str]) -> Mount:
    target = sandbox_path(words[-1])
    if name.endswith("bind-fd"):
        return Mount("bind", f"/proc/self/fd/{words[0]}", target)
    if name.removesuffix("-try").endswith("bind"):
        return Mount("bind", words[0], target)
    return Mount(name.lstrip("-"), "", target)


def sandbox_path(path: str) -> str:
    """Return a path of the sandbox as bwrap takes it, from the sandbox's root on, without `//`, `.`, `..`."""
    return posixpath.normpath("/" + path.lstrip("/"))


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
