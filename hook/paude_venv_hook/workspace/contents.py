"""What a folder of the workspace holds: directories to shadow, and what is left alone."""

from __future__ import annotations

from enum import Enum

from paude_venv_hook.records import NamedTuple
from paude_venv_hook.text import shown

RESERVED = ".venv"  # where a venv is awaited, and what a symlink or a file may stand for


class Kind(Enum):
    """What something in the workspace is; the value is what people read."""

    VENV = "venv"
    OLD_VIRTUALENV = "virtualenv without pyvenv.cfg"
    HOLDS_VENVS = "holds venvs one level down"
    LINK = "symlink to a directory"
    NAMED_BY_FILE = "named by the file .venv"
    LISTED = "listed"
    ALSO = "listed in venv-also"
    RESERVED = "reserved"

    # These are left alone.
    NAMES_NO_VENV = "a file that names no venv of the workspace"
    NO_VENV = "no venv: it has no pyvenv.cfg"
    HOLDS_ENVIRONMENTS = "holds environments one level down"
    CONDA = "a conda environment"
    FURTHER_DOWN = "a venv one level down"
    OF_WORKTREE = "a venv of a worktree"
    DEEP = "a venv further down"


def why(kind: Kind, evidence: str) -> str:
    """Return what something is, in words; `evidence` is "" unless it is reserved."""
    return f"{kind.value}: {evidence}" if evidence else kind.value


class Reason(NamedTuple):
    """Why something is not shadowed, and what to do about it ("" if that is plain, or if there is nothing to do)."""

    text: str
    advice: str = ""


def no_mount_point(folder: str) -> Reason:
    """Return why a directory that does not exist cannot be shadowed in a host folder that this user cannot write."""
    return Reason(f"{shown(folder)} cannot be written, so no mount point can be made in it; make it")


class Directory(NamedTuple):
    """A directory to shadow, or one that cannot be.

    `path` is how a user names it: relative to the workspace folder, separated by `/`. `host_path` is the real path
    on the host, after any symlink. `evidence` says what tells that a venv will be there, if it is reserved. `problem`
    says why it cannot be shadowed, if so. Of a venv, `made_at` is the path at which it was made, "" if it does not say,
    and `has_python` tells whether this machine has the Python that made it.
    """

    path: str
    host_path: str
    kind: Kind
    evidence: str = ""
    problem: Reason | None = None
    made_at: str = ""
    has_python: bool = True

    @property
    def exists(self) -> bool:
        """Whether it can be shadowed, and is there already."""
        return self.kind is not Kind.RESERVED and not self.problem

    @property
    def why(self) -> str:
        """What it is, in words."""
        return why(self.kind, self.evidence)

    @property
    def trouble(self) -> str:
        """Why a venv does not run on this machine, and what to do, "" if it runs."""
        if self.has_python:
            return ""
        if self.made_at in ("", self.host_path):
            return "its Python is not here, so a container may have made it: make it anew"
        return f"made in a container at {shown(self.made_at)}: make it anew"


class Unshadowed(NamedTuple):
    """What `auto` leaves alone although it holds, or might hold, an environment of the host."""

    path: str
    host_path: str
    kind: Kind

    @property
    def why(self) -> str:
        """What it is, in words."""
        return self.kind.value
