"""The tools that make environments find them where they left them: no directory is made that a tool takes wrong.

The tools are the real ones, on the host and inside; what they are run on has no dependencies, so that they need no
network then. What went wrong with a directory that was made for nobody is in each test, as its last step.
"""

from __future__ import annotations

import json
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
    OWNER_GROUP,
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

TOOLS = {
    "just": "rust-just",
    "pdm": "pdm",
    "pipenv": "pipenv",
    "pipenv-2025.0.4": "pipenv<=2025.0.4",
    "poetry": "poetry",
    "poetry-1.8": "poetry<1.9",
}
BARE = 'pyproject.toml = [project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.10"\n'
POETRY = BARE + '[tool.poetry]\nname = "app"\nversion = "1"\ndescription = ""\nauthors = []\npackage-mode = false\n'
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
    own = [f"XDG_{name}_HOME={os.environ['HOME']}/{name.lower()}" for name in ("DATA", "STATE")]
    return replace(engine, command=("env", *own, str(PROGRAM), "exec", "--", *engine.command))


def write(workspace: Path, *entries: str) -> None:
    """Fill the workspace as `fill` does, for its owner."""
    give_to_owner(fill(workspace, *entries))


# How each makes its environment, how it says where that is, and whether a `.venv` made it forget one that it had.
STORES = {
    "poetry": (("install", "--no-root"), ("env", "info", "--path"), True),
    "poetry-1.8": (("install", "--no-root"), ("env", "info", "--path"), True),
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
    write(workspace, *([POETRY] if tool.startswith("poetry") else [BARE, "Pipfile"]))
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


GUARDS = {
    "make": ("Makefile = .venv:\n\t: && {make}\n", ["make", ".venv"]),
    "a script": ("set-up.sh = [ -d .venv ] || {make}\n", ["sh", "set-up.sh"]),
    "just": ("justfile = venv:\n    test -d .venv || {make}\n", ["just", "venv"]),
    "direnv": (".envrc = [ -d .venv ] || {make}\n", ["direnv", "exec", ".", "true"]),
    "direnv's layout": (".envrc = export VIRTUAL_ENV=.venv\nlayout python {python}\n", ["direnv", "exec", ".", "true"]),
}


@one_engine
@pytest.mark.parametrize("guard", GUARDS)
@pytest.mark.parametrize("project", [BARE, UV], ids=["bare", "uv"])
@proves("make, just, direnv, its layouts and a script that make `.venv` only if there is none make the host's still")
def test_what_makes_a_venv_only_where_no_directory_is_makes_it_still(
    engine: Engine, workspace: Path, tools: Tools, guard: str, project: str
) -> None:
    # Through a shell, which runs what only `access` would refuse to this user.
    make = f"{sys.executable} -m venv --without-pip .venv"
    entry, words = GUARDS[guard]
    write(workspace, project, entry.format(make=make, python=sys.executable))
    program = tools.host / "just/bin/just" if words[0] == "just" else shutil.which(words[0])
    if program is None:
        missing(f"{words[0]} is not on PATH")
    words = [str(program), *words[1:]]
    if words[1] == "exec":
        as_owner(words[0], "allow", ".")
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


EDITOR = {"customizations": {"vscode": {"settings": {"python.defaultInterpreterPath": "${workspaceFolder}/.venv"}}}}
SWITCHES = {"POETRY_VIRTUALENVS_IN_PROJECT": "true", "PIPENV_VENV_IN_PROJECT": "1"}


@one_engine
@pytest.mark.parametrize("tool", ["poetry", "poetry-1.8", "pipenv"])
@pytest.mark.parametrize("config", [EDITOR, {"containerEnv": SWITCHES}], ids=["an editor", "a variable"])
@proves("an editor setting, or a variable for the container, makes no host's Poetry or Pipenv forget its environment")
def test_the_host_keeps_its_environment_whatever_devcontainer_json_says_for_the_container(
    engine: Engine, workspace: Path, tools: Tools, tool: str, config: dict[str, object]
) -> None:
    make, ask, _ = STORES[tool]
    files = [POETRY] if tool.startswith("poetry") else [BARE, "Pipfile"]
    write(workspace, *files, f".devcontainer.json = {json.dumps({'image': 'x', **config})}")
    tools.on_host(tool, *make)
    environment = tools.on_host(tool, *ask)
    assert Path(environment, "pyvenv.cfg").is_file()

    err = run(*AS_OWNER, *HOOK, "run", "--engine", engine.name).stderr

    is_said = config is not EDITOR
    line = f"since the host's environment in {environment} would be forgotten for it"
    assert ((line in err), (workspace / ".venv").exists()) == (is_said, False)
    assert tools.on_host(tool, *ask) == environment


@proves("uv's central environments: the line's variable keeps host and container apart, in this launch and the next")
def test_uvs_central_environments_are_kept_apart_by_a_relative_variable(
    engine: Engine, workspace: Path, tools: Tools
) -> None:
    write(workspace, BARE + "[tool.uv]\npreview = true\n")
    options = [f"--user={OWNER}", bind(workspace, "/app"), "--workdir=/app", *tools.options("uv")]
    apart = "to keep both sides apart, set UV_PROJECT_ENVIRONMENT=.venv-container in the container's environment"
    on_host = ("sync", "--offline", "--python", sys.executable)

    fresh = hooked(engine).run(*options, "ls -A")
    assert (
        f"uv keeps its environments in its cache ([tool.uv] in pyproject.toml), not in .venv; {apart}\n" in fresh.stderr
    )
    assert ".venv" not in fresh.stdout.split()
    tools.on_host("uv", *on_host)
    link = os.readlink(workspace / ".venv")
    assert "/environments-v" in link

    inside = f"uv sync --offline -q && .venv-container/bin/python -c '{PREFIX}'"
    for _ in range(2):
        done = hooked(engine).run(*options, "--env=UV_PROJECT_ENVIRONMENT=.venv-container", inside)
        assert done.stdout == "/app/.venv-container\n"
        assert f".venv not shadowed: uv's link to its cache; {apart}\n" in done.stderr
        tools.on_host("uv", *on_host)
        assert os.readlink(workspace / ".venv") == link
        assert run(workspace / ".venv/bin/python", "-c", PREFIX).stdout == f"{workspace}/.venv\n"

    # What the line could say instead makes uv fail inside, and without any variable the host's link is moved.
    done = engine.run(*options, "--env=UV_PROJECT_ENVIRONMENT=.venv", "uv sync --offline", check=False)
    assert (done.returncode, "File exists" in done.stderr) == (2, True)
    engine.run(*options, "uv sync --offline -q")
    assert os.readlink(workspace / ".venv") != link


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


@proves("venvs that a container made for itself, beside the host's `.venv`: the next launch leaves them alone")
def test_the_next_launch_leaves_alone_what_a_container_made_for_itself(
    engine: Engine, workspace: Path, launch: Launch, tools: Tools
) -> None:
    write(workspace, UV)
    venv = workspace / ".venv"
    as_owner(sys.executable, "-m", "venv", "--without-pip", venv)
    folder = "/workspaces/app"
    own = ["--container-workspace-folder", folder]
    python = "/usr/local/sbin/python3"  # an image's own: the host has that folder, and no Python in it
    set_up = f"ln -s /usr/bin/python3 {python}"
    names = (".docker-venv", ".venv-docker")
    before = tree_hash(venv)

    def start() -> list[str]:
        arguments = overlay_args(workspace, engine.name, *own)
        container = launch(workspace, *arguments, *tools.options("uv"), target=folder)
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
    assert "env would be shadowed venv" in " ".join(as_owner(*HOOK, "status", "--engine", engine.name, *own).split())


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


@pytest.mark.parametrize("storage", ["memory", "disk"])
@proves("a `.venv` that only a container made works in the next container, which is told whose it is")
def test_a_venv_that_only_a_container_made_works_there_still(engine: Engine, workspace: Path, storage: str) -> None:
    write(workspace, UV, f'paude.json = {{"venv-storage": "{storage}"}}')
    owner = f"--user={OWNER}:{OWNER_GROUP}"
    options = [owner, bind(workspace, "/workspaces/app"), "--workdir=/workspaces/app"]
    engine.run(*options, "python3 -m venv --without-pip .venv")
    before = tree_hash(workspace / ".venv")

    done = hooked(engine).run(*options, f".venv/bin/python -c '{PREFIX}'")

    assert done.stdout == "/workspaces/app/.venv\n"
    assert done.stderr == (
        "paude-venv-hook: warning: .venv not shadowed: made in a container, at /workspaces/app/.venv: left alone; the "
        'host has none; to get one each, remove it on the host, or write "venv": [".venv"] in paude.json\n'
    )
    write(workspace, f'paude.json = {{"venv": [".venv"], "venv-storage": "{storage}"}}')
    assert hooked(engine).run(*options, "ls -A .venv").stdout == ""
    assert tree_hash(workspace / ".venv") == before


@pytest.mark.parametrize("name", [".venv", "env"])
@proves("under the same path nothing tells a container's venv from the host's: the next container gets its own")
def test_under_the_same_path_no_container_rewrites_a_venv(engine: Engine, workspace: Path, name: str) -> None:
    python = "/usr/local/sbin/python3"  # an image's own: the host has that folder, and no Python in it
    make = f"ln -s /usr/bin/python3 {python}; {python} -m venv --without-pip {name}"
    write(workspace, BARE)
    options = [bind(workspace, str(workspace)), f"--workdir={workspace}"]
    engine.run(*options, make)
    before = tree_hash(workspace / name)

    done = hooked(engine).run(*options, f"ls -A {name}; {make} && {name}/bin/python -c '{PREFIX}'")

    assert done.stdout == f"{workspace}/{name}\n"
    trouble = "its Python is not here, so a container may have made it: make it anew"
    assert done.stderr == (
        f"paude-venv-hook: warning: {name} does not run on this machine: {trouble}\nShadowing venv: {name}\n"
    )
    assert tree_hash(workspace / name) == before


@proves(
    "npm install and ci in a shadow of `venv-also`: right, and kept on disk, with the host's node_modules unchanged"
)
def test_npm_fills_a_node_modules_of_its_own(engine: Engine, workspace: Path, tmp_path: Path) -> None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if not (node and npm):
        missing("node and npm are not on PATH")
    shutil.copy(Path(node).resolve(), tmp_path / "node")  # the engines of another suite do not see /usr
    shutil.copytree(Path(npm).resolve().parents[2], tmp_path / "modules", symlinks=True)  # npm/bin/npm-cli.js
    package = fill(
        tmp_path / "dep", 'package.json = {"name": "dep", "version": "1.0.0"}', "index.js = module.exports = 7"
    )
    run(npm, "pack", "--silent", "--pack-destination", workspace, package)
    settings = {"venv": [], "venv-also": ["node_modules"], "venv-storage": "disk"}
    write(
        workspace,
        'package.json = {"name": "app", "dependencies": {"dep": "file:dep-1.0.0.tgz"}}',
        f"paude.json = {json.dumps(settings)}",
        "node_modules/of-the-host",
    )
    options = [
        *(f"--user={OWNER}", bind(workspace, "/app"), "--workdir=/app", "--env=HOME=/tmp"),
        bind(tmp_path / "node", "/usr/local/bin/node", read_only=True),
        bind(tmp_path / "modules", "/modules", read_only=True),
    ]
    install = (
        "node /modules/npm/bin/npm-cli.js {} --offline --no-audit --no-fund --silent && node -p 'require(\"dep\")'"
    )

    assert hooked(engine).run(*options, install.format("install")).stdout == "7\n"
    assert hooked(engine).run(*options, "ls node_modules").stdout == "dep\n"
    assert hooked(engine).run(*options, install.format("ci")).stdout == "7\n"
    assert os.listdir(workspace / "node_modules") == ["of-the-host"]
