"""bwrap, as the engine tests use it: of root, or of the owner of the workspaces."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from real.containers import AS_OWNER, HOOK, OWNER, NoEngineError, run

# What lets root's tests become the owner is more than bwrap takes from an ordinary user.
_AS_USER = '#!/bin/sh\nexec setpriv --inh-caps=-all --ambient-caps=-all "$0.real" "$@"\n'


@dataclass(frozen=True)
class Sandbox:
    """A bwrap that works, and the words by which its user starts something."""

    program: Path
    before: tuple[str, ...]
    version: str
    user: str

    def __str__(self) -> str:
        """Return the head of its column."""
        return f"bwrap {self.version}, of {self.user}"

    def exec(self, folder: Path, *words: str | Path, hook: bool = True) -> subprocess.CompletedProcess[str]:
        """Start bwrap with these words in a folder, by `paude-venv-hook exec` or, without the hook, alone."""
        exec_ = (*HOOK, "exec", "--") if hook else ()
        return run("env", f"--chdir={folder}", *self.before, *exec_, self.program, *words, check=False)


def find_sandbox(user: str, folder: Path) -> Sandbox:
    """Return the bwrap of `root`, or of a `user`; NoEngineError if none works.

    A folder is for the program, which the tests have to start in their own way.
    """
    found = run("sh", "-c", "command -v bwrap", check=False).stdout.strip()
    if not found:
        raise NoEngineError("bwrap is not on PATH; Debian's package is bubblewrap")
    program = Path(found)
    before: tuple[str, ...] = ()
    if user == "root" and os.getuid():
        raise NoEngineError("these tests are not root's")
    if user != "root":
        program, before = folder / "bwrap", AS_OWNER
        (folder / "bwrap.real").symlink_to(found)
        program.write_text(_AS_USER)
        program.chmod(0o755)
    version = run(found, "--version").stdout.split()[-1]
    sandbox = Sandbox(program, before, version, "root" if user == "root" else f"user {OWNER}")
    tried = sandbox.exec(folder, "--ro-bind", "/", "/", "true", hook=False)
    if tried.returncode:
        raise NoEngineError(f"bwrap does not work for {sandbox.user}: {tried.stderr.strip()}")
    return sandbox
