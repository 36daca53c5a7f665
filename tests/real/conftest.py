"""Fixtures of the tests on real engines.

`tests/real/start-engines python -m pytest tests/real` gives them Docker and Podman on a bare Debian 12 machine.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from fcntl import LOCK_EX, LOCK_SH, LOCK_UN, flock
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

import own_home
from distributions import once, shared
from lab import LOUD, missing
from real.containers import (
    AS_OWNER,
    ENVIRONMENT,
    HOOK,
    OWNER,
    OWNER_GROUP,
    Container,
    Engine,
    Launch,
    MakeVenv,
    NoEngineError,
    RunHook,
    bind,
    find_engine,
    need_engine,
    run,
)
from real.sandboxes import Sandbox


@pytest.fixture(scope="session", autouse=True)
def persons_home() -> Iterator[None]:
    """Fail in CI if a test wrote into the home folder of who runs them; elsewhere that person may launch things."""
    home = os.environ[own_home.PERSONS]
    before = own_home.listed(home)
    yield
    if os.environ.get("PAUDE_VENV_HOOK_REQUIRE_ENGINES") == "1":
        assert own_home.listed(home) - before == set()


@pytest.fixture(scope="session")
def image() -> str:
    """Return the name of an image with Python, by which each engine knows it."""
    return os.environ.get("PAUDE_VENV_HOOK_TEST_IMAGE") or missing(
        "PAUDE_VENV_HOOK_TEST_IMAGE names no image with Python; tests/real/start-engines brings one"
    )


@pytest.fixture(scope="session", params=["docker", "podman"])
def engine(request: pytest.FixtureRequest, image: str) -> Engine:
    """Return an engine that works."""
    return need_engine(request.param, image)


@pytest.fixture(scope="session")
def as_user() -> str:
    """Return the program that runs its arguments as an ordinary user; the engines are private then."""
    program = os.environ.get("PAUDE_VENV_HOOK_TEST_AS_USER")
    if not program:
        pytest.skip("PAUDE_VENV_HOOK_TEST_AS_USER names no program; tests/real/start-engines makes one")
    return program


@pytest.fixture(scope="session")
def users_podman(image: str, as_user: str) -> Engine:
    """Return the Podman of an ordinary user, if the machine allows one: that is a matter of its cgroups."""
    try:
        return find_engine("podman", image, (as_user, "podman"))
    except NoEngineError as problem:
        pytest.skip(f"{LOUD}an ordinary user's Podman, which does not work: {str(problem).splitlines()[-1]}")


def engine_or_rootless(request: pytest.FixtureRequest) -> Engine:
    """Return the engine that the parameter names: `docker`, `podman`, or `rootless` for a user's Podman."""
    if request.param == "rootless":
        rootless: Engine = request.getfixturevalue("users_podman")
        return rootless
    return need_engine(request.param, request.getfixturevalue("image"))


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the data folder be one that the owner of the workspaces, and that user's Podman, can reach."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)
    give_to_owner(folder)
    monkeypatch.setenv("XDG_DATA_HOME", str(folder))
    return folder


@pytest.fixture
def hook_of_engine(engine: Engine, data: Path, tmp_path: Path, request: pytest.FixtureRequest) -> RunHook:
    """Return a function that runs the hook as the user who has the engine, and returns what it did."""
    words, environ = HOOK, {**ENVIRONMENT}
    if engine.rootless:
        printed = run(request.getfixturevalue("as_user"), "env").stdout.splitlines()
        words, environ = (*AS_OWNER, *HOOK), dict(line.split("=", 1) for line in printed)
        # Podman itself has its containers in its own data folder.
        program = tmp_path / "podman"
        program.write_text(f'#!/bin/sh\nPATH={environ["PATH"]}\nunset XDG_DATA_HOME\nexec podman "$@"\n')
        program.chmod(0o755)
        environ["PATH"] = f"{tmp_path}:{environ['PATH']}"
    environ["XDG_DATA_HOME"] = str(data)
    return lambda *arguments: run(*words, *arguments, env=environ, check=False)


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """Return a folder that every user can reach, unlike pytest's own."""
    with TemporaryDirectory(prefix="paude-venv-hook-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)  # noqa: S103 - the point of it
        yield Path(folder).resolve()


@pytest.fixture
def workspace(workspace: Path, home: Path) -> Path:
    """Return the workspace, a small Python project; it and the home folder are those of an ordinary user."""
    (workspace / "pyproject.toml").write_text('[project]\nname = "app"\nversion = "1"\n[tool.uv]\n')
    (workspace / "app.py").write_text("print('hello')\n")
    give_to_owner(workspace, home)
    return workspace


def give_to_owner(*folders: Path) -> None:
    """Make the owner of the workspaces the owner of all that is in the folders."""
    if os.getuid() == 0:
        run("chown", "--recursive", "--no-dereference", f"{OWNER}:{OWNER_GROUP}", *folders)


@pytest.fixture
def launch(engine: Engine) -> Iterator[Launch]:
    """Return a function that starts containers, which are removed at the end."""
    with ExitStack() as stack:

        def start(
            workspace: Path,
            *options: str,
            target: str | None = None,
            user: int | None = 0,
            read_only: bool = False,
        ) -> Container:
            path = target or str(workspace)
            own = [bind(workspace, path, read_only=read_only), f"--workdir={path}"]
            own += [] if user is None else [f"--user={user}"]
            return stack.enter_context(engine.running(*own, *options))

        yield start


@pytest.fixture(scope="session")
def host_venv(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a venv of this machine in which markupsafe is installed, to be copied."""
    request.getfixturevalue("image")  # it takes seconds, and without an image no test uses it
    folder = shared(tmp_path_factory) / "host"
    with once(folder) as is_first:
        if is_first:
            run(sys.executable, "-m", "venv", folder / ".venv")
            _pip(folder / ".venv", "install", "markupsafe")
    return folder / ".venv"


@pytest.fixture
def wheels(wheelhouse: Path, workspace: Path) -> str:
    """Return the option that mounts a wheel of markupsafe on `/wheels`."""
    return bind(shutil.copytree(wheelhouse, workspace.parent / "wheels"), "/wheels", read_only=True)


@pytest.fixture
def make_host_venv(host_venv: Path) -> MakeVenv:
    """Return a function that makes a real venv of this machine, with markupsafe, at a path."""

    def make(folder: Path) -> Path:
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(host_venv, folder, symlinks=True)
        give_to_owner(folder)
        return folder

    return make


@pytest.fixture
def venv(workspace: Path, make_host_venv: MakeVenv) -> Path:
    """Return the workspace's `.venv`, a real venv of this machine, with markupsafe."""
    return make_host_venv(workspace / ".venv")


@pytest.fixture(scope="session")
def venv_tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of programs of this machine, with uv, virtualenv and tox."""
    folder = shared(tmp_path_factory) / "tools"
    with once(folder) as is_first:
        if is_first:
            run(sys.executable, "-m", "venv", folder)
            _pip(folder, "install", "uv", "virtualenv", "tox")
    return folder / "bin"


@pytest.fixture(scope="session")
def wheelhouse(tmp_path_factory: pytest.TempPathFactory, engine: Engine, host_venv: Path) -> Path:
    """Return a folder with a wheel of markupsafe, which has a compiled module, for the image's Python."""
    folder = shared(tmp_path_factory) / "wheels"
    with once(folder) as is_first:
        if is_first:
            about = "import platform; print('.'.join(platform.python_version_tuple()[:2]), platform.machine())"
            version, machine = engine.run(f'python3 -c "{about}"').stdout.split()
            wanted = (f"--python-version={version}", f"--platform=manylinux2014_{machine}", "--only-binary=:all:")
            _pip(host_venv, "download", "--quiet", *wanted, f"--dest={folder}", "markupsafe")
            folder.chmod(0o755)
    return folder


def _pip(venv: Path, *arguments: str) -> None:
    command: list[str | Path] = [
        venv / "bin/python",
        "-m",
        "pip",
        "--no-cache-dir",
        "--disable-pip-version-check",
        *arguments,
    ]
    done = run(*command, check=False, env=ENVIRONMENT)
    if done.returncode:
        missing(f"pip {arguments[0]}: {done.stderr.strip().splitlines()[-1]}")


# ---- side by side: `workers.py` gives the tests of each engine to a worker of its own


@pytest.fixture(autouse=True)
def turn(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let a test that changes /etc/containers, by its fixture `etc`, run while no worker runs another test."""
    folder = shared(tmp_path_factory)
    with open(folder / "queue", "w") as queue, open(folder / "room", "w") as room:
        flock(queue, LOCK_EX)  # who waits for the room to be empty keeps others from entering it
        flock(room, LOCK_EX if "etc" in request.fixturenames else LOCK_SH)
        flock(queue, LOCK_UN)
        yield


# ---- what the tests with the marker `proves` and the fixture `engine` proved, for the table of `closing.py`


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "proves(what): what the test proves about the engine on which it runs")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Function) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    engine = item.funcargs.get("engine")
    if isinstance(engine, (Engine, Sandbox)) and (report.when == "call" or report.failed):
        report.user_properties += [("proves", (mark.args[0], str(engine))) for mark in item.iter_markers("proves")]
    return report
