"""paude before 0.6, which bind-mounts the workspace, from PyPI: real programs, and a podman that writes down its lines.

`.ci/run` brings each release as the program `paude-VERSION` on PATH.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from itertools import pairwise
from pathlib import Path

import pytest

from conftest import MakeVenv
from lab import missing
from layout import fill

WRAPPER = Path(sysconfig.get_path("scripts")) / "paude-venv-podman"
OWN_OPTIONS = "notmpcopyup,tmpfs-mode=1777"
OUR_OPTIONS = "rw,exec,nosuid,nodev,notmpcopyup,mode=1777"


class Paude:
    """A release of paude in a workspace, and a `podman` that has every image and no container."""

    def __init__(self, version: str, workspace: Path, folder: Path) -> None:
        """Take an empty folder for the programs and for what they write down."""
        self.program = shutil.which(f"paude-{version}") or missing(
            "not each release of paude is on PATH, as paude-VERSION"
        )
        self.workspace, self.lines = workspace, folder / "lines"
        self.engine, self.wrapper = folder / "engine", folder / "wrapper"
        script = f"""\
            printf '%s\\0' "$@" end-of-line >>'{self.lines}'
            [ "$1" != container ]
        """
        fill(folder, f"engine/podman = #!/bin/sh\n{script}", f"wrapper/podman -> {WRAPPER}")
        (self.engine / "podman").chmod(0o755)

    def create(self, *before: Path) -> str:
        """Run `paude create` with these folders first on PATH, and return what it said."""
        path = os.pathsep.join(map(str, (*before, self.engine, "/usr/bin", "/bin")))
        done = subprocess.run(
            [self.program, "create", "demo"],
            cwd=self.workspace, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.stdout + done.stderr

    def mounts(self, *before: Path) -> list[str]:
        """Return what the line that creates the container has in it of mounts, of which there is one."""
        said = self.create(*before)
        assert "Session 'demo' created (stopped).\n" in said, said
        lines = [line.split("\0") for line in self.lines.read_text().split("\0end-of-line\0")]
        (line,) = (line for line in lines if line[0] == "create")
        self.lines.unlink()
        return [" ".join(pair) for pair in pairwise(line) if pair[0] in ("-v", "--mount", "--tmpfs")]


@pytest.fixture(params=["0.4.0", "0.5.0"])
def paude(request: pytest.FixtureRequest, workspace: Path, tmp_path: Path) -> Paude:
    """Return a release of paude that bind-mounts the workspace."""
    return Paude(request.param, workspace, tmp_path / "programs")


def test_the_wrapper_as_podman_adds_the_venvs_that_paude_does_not_know_by_name(
    paude: Paude, workspace: Path, make_venv: MakeVenv
) -> None:
    for name in (".venv", "venv", "myenv"):
        make_venv(workspace / name)
    own = [
        f"-v {workspace}:{workspace}:rw",
        *(f"--mount type=tmpfs,destination={workspace}/{name},{OWN_OPTIONS}" for name in (".venv", "venv")),
        "-v paude-demo-workspace:/pvc",
    ]

    assert paude.mounts() == own
    assert paude.mounts(paude.wrapper) == [f"--tmpfs {workspace}/myenv:{OUR_OPTIONS}", *own]


def test_the_wrapper_as_podman_covers_the_venv_of_a_fresh_clone(paude: Paude, workspace: Path) -> None:
    fill(workspace, "uv.lock")
    own = [f"-v {workspace}:{workspace}:rw", "-v paude-demo-workspace:/pvc"]

    assert paude.mounts() == own
    assert paude.mounts(paude.wrapper) == [f"--tmpfs {workspace}/.venv:{OUR_OPTIONS}", *own]


def test_paude_reads_strict_json(paude: Paude, workspace: Path) -> None:
    fill(workspace, 'paude.json = {"venv": "none",} // ours alone')

    assert f"Error parsing config: Invalid JSON in {workspace}/paude.json: " in paude.create(paude.wrapper)


def test_from_0_6_on_the_workspace_is_a_volume_and_nothing_is_added(workspace: Path, tmp_path: Path) -> None:
    """Its own shadows are still in the line, over nothing."""
    fill(workspace, "uv.lock", "myenv/pyvenv.cfg")
    paude = Paude("0.6.0", workspace, tmp_path / "programs")

    assert paude.mounts(paude.wrapper) == paude.mounts() == ["-v paude-demo-workspace:/pvc"]
    assert not (workspace / ".venv").exists()
