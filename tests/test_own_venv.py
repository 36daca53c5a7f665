"""own-venv.sh of the templates: inside of a container, it guards the host's venv."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from layout import fill
from template_files import GUARD, IDS, ROOT, TEMPLATES, texts_of


def test_the_guard_is_the_same_everywhere() -> None:
    assert {(TEMPLATES / template / GUARD).read_bytes() for template in IDS} == {(ROOT / GUARD).read_bytes()}


Guard = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def guard(workspace: Path) -> Guard:
    """Return a function that runs the guard in the workspace, which the host has at `/home/me/app`."""

    def run(*directories: str, host: str | None = "/home/me/app") -> subprocess.CompletedProcess[str]:
        environ = {name: value for name, value in os.environ.items() if name != "LOCAL_WORKSPACE_FOLDER"}
        environ |= {} if host is None else {"LOCAL_WORKSPACE_FOLDER": host}
        return subprocess.run(
            ["sh", ROOT / GUARD, *(directories or (".venv",))],
            cwd=workspace,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def refused(directory: str) -> tuple[int, str, str]:
    message = (
        f"{directory} may be the host's and is left alone. For one of the container's own, install paude-venv-hook "
        "and run: devcontainer up --workspace-folder . --docker-path paude-venv-docker --remove-existing-container "
        "(VS Code: set dev.containers.dockerPath to paude-venv-docker, and rebuild). To share one instead, remove it "
        "first.\n"
    )
    return 1, "", message


def what(done: subprocess.CompletedProcess[str]) -> tuple[int, str, str]:
    return done.returncode, done.stdout, done.stderr


ALLOWED = (0, "", "")

# How each tool writes down where a venv was made: lines of bin/activate.
RECORDS = {
    "venv": 'VIRTUAL_ENV="{}"\nexport VIRTUAL_ENV\n',
    "venv of 3.12": '    export VIRTUAL_ENV=$(cygpath "{0}")\nelse\n    export VIRTUAL_ENV="{0}"\nfi\n',
    "venv of 3.13": "        VIRTUAL_ENV=$(cygpath {0})\n        ;;\n    *)\n        export VIRTUAL_ENV={0}\n",
    "virtualenv": '    if [ -d "$CURRENT_ENV" ]; then\n        VIRTUAL_ENV="$CURRENT_ENV"\n'
    "    else\n        VIRTUAL_ENV={}\n    fi\n",
    "uv": "VIRTUAL_ENV='{}'\n    VIRTUAL_ENV=$(cygpath -u \"$VIRTUAL_ENV\")\nexport VIRTUAL_ENV\n",
}


def make_venv_of(folder: Path, made_at: Path | str, record: str = RECORDS["venv"]) -> None:
    """Make what counts as a venv, which says that it was made at the path."""
    fill(folder, "pyvenv.cfg", f"bin/activate = {record.format(made_at)}")


@pytest.mark.parametrize(
    "entries",
    [
        (),
        (".venv/",),
        (".venv/.gitkeep",),
        (".venv/.gitignore = *", ".venv/CACHEDIR.TAG"),  # where uv was interrupted
        ("venvs/x/", ".venv -> venvs/x"),
    ],
)
def test_where_there_is_no_venv_the_setup_runs(guard: Guard, workspace: Path, entries: tuple[str, ...]) -> None:
    fill(workspace, *entries)

    assert what(guard()) == ALLOWED
    assert what(guard(host=str(workspace))) == ALLOWED


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
def test_a_venv_made_at_the_containers_path_is_its_own(guard: Guard, workspace: Path, record: str) -> None:
    make_venv_of(workspace / ".venv", workspace / ".venv", record)

    assert what(guard()) == ALLOWED


def test_a_real_venv_is_told_by_where_it_was_made(guard: Guard, workspace: Path) -> None:
    for path in (".venv", "venvs/with a blank"):
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", workspace / path], check=True)

    assert what(guard(".venv", "venvs/with a blank")) == ALLOWED
    (workspace / ".venv").rename(workspace / "moved")
    assert what(guard("moved")) == refused("moved")


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
@pytest.mark.parametrize(
    "path", ["/home/me/app/.venv", "{}/.venv2", "{}/.ven", "{}.venv", "/x{}/.venv", "{}/.venv/", ""]
)
def test_a_venv_made_at_another_path_stops_the_setup(guard: Guard, workspace: Path, record: str, path: str) -> None:
    make_venv_of(workspace / ".venv", path.format(workspace), record)

    assert what(guard()) == refused(".venv")


@pytest.mark.parametrize(
    "entries",
    [
        (".venv/pyvenv.cfg = home = /nowhere",),
        (".venv/pyvenv.cfg", ".venv/bin/activate/"),
        (".venv/pyvenv.cfg", ".venv/Scripts/activate = x"),  # of Windows
        (".venv/bin/activate = VIRTUAL_ENV=$(dirname $0)",),  # made before virtualenv 20, or relocatable
        (".venv/conda-meta/history",),
        (".venv/default/pyvenv.cfg",),
        (".venv = /home/me/.virtualenvs/app",),
        (".venv -> /home/me/.virtualenvs/app",),
        (".venv -> .venv",),
    ],
)
def test_a_venv_that_does_not_say_where_it_was_made_stops_the_setup(
    guard: Guard, workspace: Path, entries: tuple[str, ...]
) -> None:
    fill(workspace, *entries)
    before = texts_of(workspace)

    assert what(guard()) == refused(".venv")
    assert texts_of(workspace) == before


@pytest.mark.usefixtures("powerless")
def test_a_venv_that_cannot_be_looked_into_stops_the_setup(guard: Guard, workspace: Path) -> None:
    make_venv_of(workspace / ".venv", workspace / ".venv")
    (workspace / ".venv").chmod(0)

    assert what(guard()) == refused(".venv")


@pytest.mark.parametrize("host", [None, "", "{}", "{}/below", "{parent}"])
def test_where_the_host_may_have_the_same_path_the_path_tells_nothing(
    guard: Guard, workspace: Path, host: str | None
) -> None:
    make_venv_of(workspace / ".venv", workspace / ".venv")

    same = host and host.format(workspace, parent=workspace.parent)

    assert what(guard(host=same)) == refused(".venv")


@pytest.mark.parametrize("host", ["{}2", "{parent}/ap", "${{localWorkspaceFolder}}"])
def test_a_host_path_that_looks_much_alike_is_another_one(guard: Guard, workspace: Path, host: str) -> None:
    """The last is what VS Code says if it cloned a repository into a volume: there is no such folder."""
    make_venv_of(workspace / ".venv", workspace / ".venv")

    assert what(guard(host=host.format(workspace, parent=workspace.parent))) == ALLOWED


Mount = Callable[..., None]


@pytest.fixture
def mount(programs: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch) -> Mount:
    """Return a function that makes the guard see these mount points, written as the kernel does, and no others."""

    def run(*paths: Path | str) -> None:
        escaped = [str(path).replace("\\", r"\134").replace(" ", r"\040") for path in paths]
        program = programs("cut", f"printf '%s\\n' / {shlex.join(escaped)} /proc")
        monkeypatch.setenv("PATH", f"{program.parent}:{os.defpath}")

    return run


@pytest.mark.parametrize("name", ["app", "my app", r"a\040b", "a*[b]$c", "it's"])
def test_what_is_mounted_there_is_the_containers_own(guard: Guard, workspace: Path, mount: Mount, name: str) -> None:
    venv = workspace / name / ".venv"
    make_venv_of(venv, "/home/me/app/.venv")

    mount(venv)
    assert what(guard(f"{name}/.venv")) == ALLOWED
    assert what(guard(f"{name}/.venv", host=None)) == ALLOWED

    mount(venv.parent, f"{venv}2", str(venv)[:-1], f"/x{venv}", venv / "lib")
    assert what(guard(f"{name}/.venv")) == refused(f"{name}/.venv")


def test_a_symlink_counts_as_what_it_leads_to(guard: Guard, workspace: Path, mount: Mount) -> None:
    fill(workspace, ".venv -> venvs/x")
    make_venv_of(workspace / "venvs/x", "/home/me/app/venvs/x")

    mount()
    assert what(guard()) == refused(".venv")
    mount(workspace / "venvs/x")
    assert what(guard()) == ALLOWED


def test_each_directory_counts(guard: Guard, workspace: Path) -> None:
    make_venv_of(workspace / ".venv", workspace / ".venv")
    make_venv_of(workspace / "legacy/.venv", "/home/me/app/legacy/.venv")

    assert what(guard(".venv", "legacy/.venv")) == refused("legacy/.venv")
    assert what(guard("legacy/.venv", ".venv")) == refused("legacy/.venv")


def test_environments_one_level_down_count(guard: Guard, workspace: Path) -> None:
    make_venv_of(workspace / ".hatch/default", workspace / ".hatch/default")
    assert what(guard(".hatch")) == ALLOWED

    make_venv_of(workspace / ".hatch/docs", "/home/me/app/.hatch/docs")
    assert what(guard(".hatch")) == refused(".hatch")
