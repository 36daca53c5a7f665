"""`exec` and `print` with bwrap, for real: as root, and as an ordinary user if the machine lets them."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import MakeVenv
from lab import missing
from layout import fill
from real.containers import OWNER, PROGRAM, NoEngineError, run, tree_hash
from real.sandboxes import Sandbox, find_sandbox

proves = pytest.mark.proves
SHADOWING = "Shadowing venv: .venv\n"
MAKE_AND_USE = """
    test -z "$(ls -A .venv)"
    /usr/bin/python3 -m venv .venv
    .venv/bin/pip --version | grep -o "$PWD/.venv/"
    cp /bin/echo .venv/bin/binary
    .venv/bin/binary it runs
    id -u
"""


@pytest.fixture(params=["root", "user"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Sandbox:
    """Return a bwrap that works."""
    try:
        return find_sandbox(request.param, tmp_path)
    except NoEngineError as problem:
        if request.param == "root":
            missing(str(problem))
        pytest.skip(str(problem))


@pytest.fixture
def app(workspace: Path, make_venv: MakeVenv) -> Path:
    """Return a workspace with a venv, all of it the owner's."""
    make_venv(workspace / ".venv")
    fill(workspace, "src/app.py")
    run("chown", "-R", str(OWNER), workspace)
    return workspace


@pytest.mark.parametrize(
    ("line", "folder"),
    [
        ("--bind / / --dev /dev", "{app}"),
        ("--ro-bind / / --dev /dev --proc /proc --unshare-all", "{app}"),
        ("--ro-bind / / --dev /dev --bind {app} {app} --chdir {app}", "{app}"),
        ("--bind / / --dev /dev --tmpfs /mnt --bind . /mnt/w --chdir /mnt/w", "/mnt/w"),
        ("--ro-bind / / --dev /dev --tmpfs /mnt --ro-bind {app} /mnt --chdir /mnt", "/mnt"),
    ],
)
@proves("`exec -- bwrap`: an empty tmpfs in which a venv works, also below `--bind / /`; the host's tree as before")
def test_a_sandbox_has_its_own_venv(engine: Sandbox, app: Path, line: str, folder: str) -> None:
    before = tree_hash(app)

    done = engine.exec(app, *line.format(app=app).split(), "sh", "-euc", MAKE_AND_USE)

    user = "0" if engine.user == "root" else str(OWNER)
    assert (done.stdout, done.stderr) == (f"{folder.format(app=app)}/.venv/\nit runs\n{user}\n", SHADOWING)
    assert done.returncode == 0
    assert tree_hash(app) == before


@proves("control: without the hook, a sandbox of bwrap has the host's venv")
def test_without_it_the_hosts_venv_is_there(engine: Sandbox, app: Path) -> None:
    done = engine.exec(app, "--bind", "/", "/", "ls", "-A", ".venv", hook=False)

    assert (done.stdout, done.stderr) == ("pyvenv.cfg\n", "")


@proves("bwrap with storage on disk: the venv stays from one sandbox to the next; the host's tree as before")
def test_on_disk_the_venv_stays(engine: Sandbox, app: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAUDE_VENV_STORAGE", "disk")
    before = tree_hash(app)
    line = ("--ro-bind", "/", "/", "--dev", "/dev", "sh", "-euc")

    first = engine.exec(app, *line, MAKE_AND_USE)
    second = engine.exec(app, *line, ".venv/bin/binary still; .venv/bin/python -c 'print(1)'")

    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert (second.stdout, second.stderr) == ("still\n1\n", SHADOWING)
    assert tree_hash(app) == before
    assert [path.name.partition("-")[0] for path in (data / "paude" / "venvs").glob("app-*")] == ["app"]


@proves("bwrap: `venv-tmpfs.size` limits it")
def test_the_size_is_kept(engine: Sandbox, app: Path) -> None:
    fill(app, 'paude.json = {"venv-tmpfs": {"size": "1m"}}')

    done = engine.exec(app, "--bind", "/", "/", "df", "--block-size=1", "--output=size", ".venv")

    assert (done.stdout.split()[-1], done.stderr) == ("1048576", SHADOWING)


@proves("bwrap: a reserved `.venv` in a workspace that is bound read-only")
def test_a_venv_that_does_not_exist_yet(engine: Sandbox, workspace: Path) -> None:
    fill(workspace, "uv.lock")
    run("chown", "-R", str(OWNER), workspace)

    done = engine.exec(workspace, "--ro-bind", "/", "/", "--dev", "/dev", "sh", "-euc", MAKE_AND_USE)

    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith(f"{SHADOWING}paude-venv-hook: made an empty .venv, ")
    assert list((workspace / ".venv").iterdir()) == []


@proves("bwrap: what the line itself mounts on `.venv` is left alone, and said")
def test_a_mount_of_its_own_is_left_alone(engine: Sandbox, app: Path, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "kept").touch()

    done = engine.exec(app, "--bind", "/", "/", "--bind", tmp_path / "own", app / ".venv", "ls", "-A", ".venv")

    assert done.stdout == "kept\n"
    assert done.stderr == (
        f"paude-venv-hook: warning: .venv not shadowed: the configuration mounts something on {app}/.venv already\n"
    )


@proves("`print --format bwrap`, after the bind that carries the workspace")
def test_what_is_printed_shadows(engine: Sandbox, app: Path) -> None:
    line = f"{engine.program} --bind / / --dev /dev $({PROGRAM} print --format bwrap) ls -A .venv"

    done = run("env", f"--chdir={app}", *engine.before, "sh", "-euc", line)

    assert done.stdout == ""  # on stderr, what measures coverage may say that it cannot write as this user
