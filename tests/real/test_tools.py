"""The tools that make environments find them where they left them: no directory is made that a tool takes wrong.

The tools are the real ones, on the host and inside; what they are run on has no dependencies, so that they need no
network then. What went wrong with a directory that was made for nobody is in each test, as its last step.
"""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from lab import missing
from layout import fill
from real.conftest import give_to_owner
from real.containers import (
    AS_OWNER,
    ENVIRONMENT,
    HOOK,
    OWNER,
    PROGRAM,
    Engine,
    Launch,
    as_owner,
    bind,
    overlay_args,
    run,
    tree_hash,
)

proves = pytest.mark.proves
one_engine = pytest.mark.parametrize("engine", ["docker"], indirect=True)  # the tools are the same on another one

TOOLS = {"pdm": "pdm", "pipenv": "pipenv", "pipenv-2025.0.4": "pipenv<=2025.0.4", "poetry": "poetry"}
BARE = 'pyproject.toml = [project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.10"\n'
POETRY = BARE + "[tool.poetry]\npackage-mode = false\n"
PDM = BARE + "[tool.pdm]\ndistribution = false\n"
UV = BARE + "[tool.uv]\n"
IN_PROJECT = "poetry.toml = [virtualenvs]\nin-project = true\n"
PREFIX = "import sys; print(sys.prefix)"


@dataclass(frozen=True)
class Tools:
    """The tools on the host, and the options that bring them into a container."""

    host: Path
    inside: Path
    uv: Path

    def on_host(self, tool: str, *arguments: str, check: bool = True) -> str:
        """Let the owner of the workspace run a tool in the current folder, and return its stdout without the end."""
        program = self.uv if tool == "uv" else self.host / tool / "bin" / tool.partition("-")[0]
        return run(*AS_OWNER, program, *arguments, check=check).stdout.strip()

    def options(self, tool: str) -> list[str]:
        """Return the options of a container in which `$TOOL` is the tool; it is run by the owner of the workspace."""
        if tool == "uv":
            return [bind(self.uv, "/usr/local/bin/uv", read_only=True), "--env=TOOL=uv", "--env=HOME=/tmp"]
        own = [bind(self.inside / tool, "/tools", read_only=True), "--env=PYTHONPATH=/tools", "--env=HOME=/tmp"]
        return [*own, f"--env=TOOL=python3 -m {tool.partition('-')[0]}"]


@pytest.fixture(scope="session")
def tools(engine: Engine, venv_tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Tools:
    """Return the tools, each in a folder of its own."""
    folder = tmp_path_factory.mktemp("environments")
    folder.chmod(0o755)
    uv = venv_tools / "uv"
    version = engine.run(f"python3 -c '{'import sys; print(*sys.version_info[:2], sep=chr(46))'}'").stdout.strip()
    for tool, requirement in TOOLS.items():
        run(uv, "venv", "--quiet", "--python", sys.executable, folder / "host" / tool, env=ENVIRONMENT)
        for where in (
            f"--python={folder}/host/{tool}",
            f"--target={folder}/inside/{tool} --python-version={version} --only-binary=:all:",
        ):
            done = run(uv, "pip", "install", "--quiet", *where.split(" "), requirement, check=False, env=ENVIRONMENT)
            if done.returncode:
                missing(f"{requirement} cannot be installed: {done.stderr.strip()}")
    return Tools(folder / "host", folder / "inside", uv)


@pytest.fixture(autouse=True)
def home(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a home folder that its owner can reach as `access` sees it: virtualenv asks that."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)  # the tools would take the developer's for the project's
    return folder


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    """Return the home folder of the container's user, which an image ships."""
    folder = tmp_path / "image" / "home"
    folder.mkdir(parents=True)
    give_to_owner(folder)
    return folder


def hooked(engine: Engine) -> Engine:
    """Return the engine as a person starts it who has the hook: `paude-venv-hook exec -- ENGINE …`."""
    return replace(engine, command=(str(PROGRAM), "exec", "--", *engine.command))


def write(workspace: Path, *entries: str) -> None:
    """Fill the workspace as `fill` does, for its owner."""
    give_to_owner(fill(workspace, *entries))


# How each makes its environment, how it says where that is, and whether a `.venv` made it forget one that it had.
STORES = {
    "poetry": (("install", "--no-root"), ("env", "info", "--path"), True),
    "pipenv": (("--python", "3"), ("--venv",), False),
    "pipenv-2025.0.4": (("--python", "3"), ("--venv",), True),
}


@one_engine
@pytest.mark.parametrize("tool", STORES)
@proves("Poetry and Pipenv find the environments in their own stores as before: on the host, inside, and in an image")
def test_an_environment_in_the_tools_own_store_is_found_as_before(
    engine: Engine, workspace: Path, tools: Tools, shipped: Path, tool: str
) -> None:
    make, ask, forgets = STORES[tool]
    write(workspace, *([POETRY] if tool == "poetry" else [BARE, "Pipfile"]))
    options = [
        *(f"--user={OWNER}", "--workdir=/workspaces/app", bind(workspace, "/workspaces/app")),
        *(*tools.options(tool), bind(shipped, "/home/app"), "--env=HOME=/home/app"),
    ]

    def inside(engine: Engine) -> tuple[str, str]:
        done = engine.run(*options, f"$TOOL {' '.join(ask)}", check=False)
        return done.stdout.strip(), done.stderr

    engine.run(*options, f"$TOOL {' '.join(make)}")
    tools.on_host(tool, *make)
    on_host = tools.on_host(tool, *ask)
    in_image, _ = inside(engine)
    assert (Path(on_host, "pyvenv.cfg").is_file(), in_image[:10]) == (True, "/home/app/")

    as_owner(*HOOK, "run", "--engine", engine.name)
    found, said = inside(hooked(engine))

    assert (found, tools.on_host(tool, *ask)) == (in_image, on_host)
    nothing = (
        f"paude-venv-hook: nothing shadowed: no venv in {workspace}, and nothing says there will be one; "
        'if so, write "venv": [".venv"] in paude.json\n'
    )
    assert said == nothing
    assert not (workspace / ".venv").exists()

    as_owner("mkdir", workspace / ".venv")
    assert (tools.on_host(tool, *ask, check=False) != on_host, inside(engine)[0] != in_image) == (forgets, forgets)


@one_engine
@proves("Poetry with `virtualenvs.create = false` keeps the Python of the image, and of the host")
def test_poetry_that_makes_no_environment_uses_the_same_python_as_before(
    engine: Engine, workspace: Path, tools: Tools
) -> None:
    write(workspace, POETRY, "poetry.toml = [virtualenvs]\ncreate = false\n")
    options = [f"--user={OWNER}", bind(workspace, "/app"), "--workdir=/app", *tools.options("poetry")]

    def inside(engine: Engine) -> str:
        return engine.run(*options, f"$TOOL env info --path; $TOOL run python3 -c '{PREFIX}'").stdout

    def on_host() -> str:
        return tools.on_host("poetry", "env", "info", "--path", check=False)

    assert (inside(engine), on_host()) == ("/usr\n", "")  # of no environment, it prints no path

    as_owner(*HOOK, "run", "--engine", engine.name)

    assert (inside(hooked(engine)), on_host()) == ("/usr\n", "")
    assert not (workspace / ".venv").exists()

    as_owner("mkdir", workspace / ".venv")
    assert on_host() == f"{workspace}/.venv"


@one_engine
@pytest.mark.parametrize("guard", ["make", "direnv"])
@pytest.mark.parametrize("project", [BARE, UV], ids=["bare", "uv"])
@proves("a Makefile's `.venv:` and direnv's `[ -d .venv ] ||` make the host's venv, which the next launch shadows")
def test_what_makes_a_venv_only_where_no_directory_is_makes_it_still(
    engine: Engine, workspace: Path, guard: str, project: str
) -> None:
    python = f"{sys.executable} -m venv --without-pip .venv"
    write(workspace, project, f"Makefile = .venv:\n\t: && {python}\n", f".envrc = [ -d .venv ] || {python}\n")
    # Through a shell, which runs what only `access` would refuse to this user; direnv evaluates its file as one does.
    words = {"make": ["make", ".venv"], "direnv": ["sh", ".envrc"]}[guard]
    if not shutil.which(words[0]):
        missing(f"{words[0]} is not on PATH")
    options = [bind(workspace, "/app"), "--workdir=/app"]

    as_owner(*HOOK, "run", "--engine", engine.name)
    assert ".venv" not in hooked(engine).run(*options, "ls -A").stdout.split()
    as_owner(*words)

    assert run(workspace / ".venv/bin/python", "-c", PREFIX).stdout == f"{workspace}/.venv\n"
    before = tree_hash(workspace / ".venv")
    done = hooked(engine).run(*options, "ls -A .venv; touch .venv/file")
    assert (done.stdout, done.stderr) == ("", "Shadowing venv: .venv\n")
    assert tree_hash(workspace / ".venv") == before

    shutil.rmtree(workspace / ".venv")
    as_owner("mkdir", workspace / ".venv")
    as_owner(*words)
    assert os.listdir(workspace / ".venv") == []


FRESH = {
    "uv": ([UV], ("sync", "--offline")),
    "pdm": ([PDM], ("install",)),
    "poetry": ([POETRY, IN_PROJECT], ("install", "--no-root")),
}


@pytest.mark.parametrize("tool", FRESH)
@proves("a fresh clone with uv, pdm, or Poetry `in-project`: the container's venv stays out of the host's tree")
def test_on_a_fresh_clone_each_side_keeps_the_venv_that_its_tool_makes(
    engine: Engine, workspace: Path, launch: Launch, tools: Tools, tool: str
) -> None:
    files, make = FRESH[tool]
    write(workspace, *files)
    venv = workspace / ".venv"
    inside = f"$TOOL {' '.join(make)}"

    container = launch(workspace, *overlay_args(workspace, engine.name), *tools.options(tool), user=OWNER)
    container.sh(inside)

    assert container.sh(f".venv/bin/python -c '{PREFIX}'") == f"{venv}\n"
    assert os.listdir(venv) == []

    tools.on_host(tool, *make, *(["--python", sys.executable] if tool == "uv" else []))

    host = tree_hash(venv)
    assert run(venv / "bin/python", "-B", "-c", PREFIX).stdout == f"{venv}\n"
    told = run(PROGRAM, "verify", "--quiet", "--engine", engine.name, container.name, check=False, env=ENVIRONMENT)
    if tool == "poetry":
        lost = "the mount was lost, since the directory was removed on the host; restart the container"
        assert (told.returncode, told.stdout) == (1, f".venv: {lost} ({venv})\n")
        engine("restart", "--time=0", container.name)
    else:
        assert (told.returncode, told.stdout) == (0, f".venv: shadowed ({venv})\n")
        assert container.sh(f".venv/bin/python -c '{PREFIX}'") == f"{venv}\n"
    container.sh(inside)
    assert container.sh(f".venv/bin/python -c '{PREFIX}'") == f"{venv}\n"
    assert tree_hash(venv) == host


@one_engine
@pytest.mark.parametrize("tool", FRESH)
def test_without_the_hook_the_containers_venv_lands_in_the_hosts_tree(
    engine: Engine, workspace: Path, launch: Launch, tools: Tools, tool: str
) -> None:
    files, make = FRESH[tool]
    write(workspace, *files)

    launch(workspace, *tools.options(tool), user=OWNER).sh(f"$TOOL {' '.join(make)}")

    assert "\nhome = /usr/bin\n" in "\n" + (workspace / ".venv/pyvenv.cfg").read_text()


@pytest.mark.parametrize("target", ["/workspaces/app", None], ids=["another path", "the same path"])
@proves("venvs that a container made for itself, beside the host's `.venv`: the next launch leaves them alone")
def test_the_next_launch_leaves_alone_what_a_container_made_for_itself(
    engine: Engine, workspace: Path, launch: Launch, tools: Tools, target: str | None
) -> None:
    write(workspace, UV)
    venv = workspace / ".venv"
    as_owner(sys.executable, "-m", "venv", "--without-pip", venv)
    folder = target or str(workspace)
    own = ["--container-workspace-folder", folder]
    python = "/usr/local/sbin/python3"  # an image's own: the host has that folder, and no Python in it
    set_up = f"ln -s /usr/bin/python3 {python}"
    names = (".docker-venv", ".venv-docker")
    before = tree_hash(venv)

    def start() -> list[str]:
        arguments = overlay_args(workspace, engine.name, *own)
        container = launch(workspace, *arguments, *tools.options("uv"), target=target)
        container.sh(set_up)
        if not (workspace / names[0]).exists():
            container.sh(f"{python} -m venv --without-pip .docker-venv")
            container.sh(f"UV_PROJECT_ENVIRONMENT=.venv-docker uv sync --offline --no-managed-python --python {python}")
        assert container.sh("ls -A .venv") == ""
        return [container.sh(f"{name}/bin/python -c '{PREFIX}'").strip() for name in names]

    expected = [f"{folder}/{name}" for name in names]
    assert start() == expected
    assert start() == expected

    status = as_owner(*HOOK, "status", "--engine", engine.name, *own)
    for name in names:
        assert f"{name} skipped made in a container, at {folder}/{name}: left alone" in " ".join(status.split())
    assert tree_hash(venv) == before
    as_owner("mv", workspace / ".docker-venv", workspace / "env")
    assert "env shadowed venv" in " ".join(as_owner(*HOOK, "status", "--engine", engine.name, *own).split())


@proves("a set-up that makes `.venv` only where no directory is: the container's venv is there, and the next launch's")
def test_a_set_up_with_a_guard_works_as_without_the_hook(engine: Engine, workspace: Path, launch: Launch) -> None:
    target = "/workspaces/app"
    set_up = "[ -d .venv ] || python3 -m venv --without-pip .venv; .venv/bin/python"
    write(workspace, UV, f'.devcontainer.json = {{"postCreateCommand": "{set_up} app.py"}}')

    for _ in range(2):
        container = launch(workspace, *overlay_args(workspace, engine.name), target=target)
        assert container.sh(f"{set_up} -c '{PREFIX}'") == f"{target}/.venv\n"

    shutil.rmtree(workspace / ".venv")
    as_owner("mkdir", workspace / ".venv")
    assert container.exec("sh", "-c", f"{set_up} --version").returncode == 127
