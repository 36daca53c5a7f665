"""One decision, whatever the way in, on real engines: many shapes in few containers.

The shapes are those of `tests/launchers/test_ways_in.py`. All that do not depend on the start folder or on a label are
mounts of one container; what differs there has a container of its own.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pytest

from lab import missing, need_devcontainer_cli
from layout import fill
from paude_venv_hook.engines.mountinfo import parse_mountinfo
from paude_venv_hook.workspace.devcontainer import find_devcontainer
from real.conftest import give_to_owner
from real.containers import ENVIRONMENT, PROGRAM, SCRIPTS, Engine, NoEngineError, need_engine, run
from real.dev_containers import Tools, configure
from real.docker_proxy.harness import Proxy
from real.sandboxes import find_sandbox
from real.test_podman_hook import Hook

proves = pytest.mark.proves
VENVS = (
    "whole", "twice", "part", "part/backend", "part/a/b", "listed", "listed/backend", "listed/backend/other",
    "repo", "repo/sub", "parent/app", "parent/two", "worktree/.worktrees/x", "inherited", "volume", "options",
    "itself", "off", "sibling", "beyond/backend", "unopted/app", "both", "both/backend", "taken", "far/below/app",
)  # fmt: skip
ENTRIES = (
    "whole/paude.json = {}",
    "twice/paude.json = {}",
    "link -> whole",
    "part/paude.json = {}",
    'listed/paude.json = {"venv": ["backend/.venv"]}',
    "repo/.git/",
    "repo/sub/.devcontainer.json = {}",
    "parent/app/paude.json = {}",
    "parent/two/.devcontainer/devcontainer.json = {}",
    "worktree/.git/",
    "worktree/.worktrees/x/.git = gitdir: elsewhere",
    "worktree/.worktrees/x/paude.json = {}",
    "inherited/paude.json = {}",
    "volume/paude.json = {}",
    "options/paude.json = {}",
    "itself/paude.json = {}",
    'off/paude.json = {"venv": "none"}',
    "beyond/paude.json = {}",
    "beyond/backend/.git/",
    "data/file = 1",
    "both/paude.json = {}",
    "taken/paude.json = {}",
    "far/below/app/paude.json = {}",
    "start/",
)
BINDS = {
    "whole": "/s/whole",
    "link": "/s/link",
    "part/backend": "/s/part",
    "part/a/b": "/s/deep",
    "listed/backend": "/s/listed",
    "repo": "/s/repo",
    "parent": "/s/parent",
    "worktree/.worktrees/x": "/s/worktree",
    "itself/.venv": "/s/itself",
    "off": "/s/off",
    "both": "/s/both",
    "both/backend": "/s/both-part",
    "taken": "/s/taken",
    "data": "/s/taken/.venv",
}
TWICE = {"twice": ("/s/one", "/s/two")}
SHADOWED = {
    "/s/whole/.venv", "/s/link/.venv", "/s/part/.venv", "/s/deep/.venv", "/s/listed/.venv", "/s/repo/.venv",
    "/s/repo/sub/.venv", "/s/parent/app/.venv", "/s/parent/two/.venv", "/s/worktree/.venv", "/s/one/.venv",
    "/s/two/.venv", "/s/inherited/.venv", "/s/volume/.venv", "/s/options/.venv", "/s/both/.venv",
    "/s/both/backend/.venv", "/s/both-part/.venv",
}  # fmt: skip
VISIBLE = ("/s/itself", "/s/off/.venv", "/s/listed/other/.venv")


class World(NamedTuple):
    """The projects, a container whose binds others take over, and a volume that is a bind."""

    top: Path
    engine: Engine
    other: str
    volume: str

    def binds(self) -> list[tuple[str, str]]:
        """Return the host path and the container path of each bind."""
        pairs = [*BINDS.items(), *((source, target) for source, targets in TWICE.items() for target in targets)]
        return [(f"{self.top}/{source}", target) for source, target in pairs]

    def mounts(self) -> list[str]:
        """Return the options that mount each shape."""
        words = [f"--volume={source}:{target}" for source, target in self.binds()]
        options = f"volume-opt=type=none,volume-opt=o=bind,volume-opt=device={self.top}/options"
        words += [f"--volume={self.volume}:/s/volume", f"--mount=type=volume,target=/s/options,{options}"]
        return [*words, f"--volumes-from={self.other}"]


@pytest.fixture(params=["docker", "podman"])
def world(request: pytest.FixtureRequest, image: str, tmp_path: Path) -> Iterator[World]:
    """Return the projects, as an engine knows them."""
    engine = need_engine(request.param, image)
    fill(tmp_path, *ENTRIES)
    for venv in VENVS:
        fill(tmp_path, f"{venv}/.venv/pyvenv.cfg = home = /usr/bin\n")
    give_to_owner(tmp_path)
    name = f"paude-venv-hook-test-{uuid.uuid4().hex}"
    try:
        engine("volume", "create", "--opt=type=none", "--opt=o=bind", f"--opt=device={tmp_path}/volume", name)
        engine("create", "--name", name, f"--volume={tmp_path}/inherited:/s/inherited", engine.image, "true")
        yield World(tmp_path, engine, name, name)
    finally:
        engine("rm", "--force", "--volumes", name, check=False)
        engine("volume", "rm", "--force", name, check=False)


def seen(printed: str) -> set[str]:
    """Return the container paths of a printed mountinfo on which there is an empty place of the container's own."""
    mounts = parse_mountinfo(printed)
    return {path for path, mount in mounts.items() if mount.type == "tmpfs" and path.startswith("/s/")}


def start(world: World, words: list[str], *options: str, folder: str, environ: Mapping[str, str]) -> set[str]:
    """Run a container that says what is mounted in it, and see that what is to stay visible does."""
    look = "cat /proc/self/mountinfo"
    if "--volumes-from" in " ".join(options):
        look += "; " + "; ".join(f"test -e {path}/pyvenv.cfg || echo gone {path}" for path in VISIBLE)
    line = [*words, "run", "--rm", "--network=host", *options, world.engine.image, "sh", "-c", look]
    done = run("env", "--chdir", world.top / folder, *line, env=environ)
    assert "gone" not in done.stdout
    return seen(done.stdout)


class Entry(NamedTuple):
    """A way in: the words that start an engine by it, and their environment."""

    words: list[str]
    environ: Mapping[str, str]


@pytest.fixture(params=["exec", "exec of a script", "wrapper", "standing"])
def way(request: pytest.FixtureRequest, world: World) -> Iterator[Entry]:
    """Return a way in of the engine; the one that sees every container is the proxy, or Podman's hook."""
    engine = world.engine
    if request.param == "exec":
        yield Entry([str(PROGRAM), "exec", "--", *engine.command], ENVIRONMENT)
    elif request.param == "exec of a script":
        script = ["sh", "-c", '"$@"; exit $?', "sh"]
        yield Entry([str(PROGRAM), "exec", "--", *script, *engine.command], ENVIRONMENT)
    elif request.param == "wrapper":
        yield Entry([str(SCRIPTS / f"paude-venv-{engine.name}"), *engine.command[1:]], ENVIRONMENT)
    else:
        with TemporaryDirectory(prefix="paude-ways-") as folder, ExitStack() as stack:
            yield standing(engine, Path(folder), stack)


def standing(engine: Engine, folder: Path, stack: ExitStack) -> Entry:
    """Return the way in that sees every container of an engine."""
    if engine.name == "podman":
        return Entry([*Hook(folder).engine(engine).command], ENVIRONMENT)
    proxy = Proxy(folder)
    proxy.start()
    stack.callback(proxy.stop)
    return Entry([*engine.command], {**ENVIRONMENT, "DOCKER_HOST": f"unix://{proxy.socket}"})


@proves("each shape of a launch gets the same shadows by `exec`, the wrapper, and what sees every container")
def test_each_shape_is_shadowed(world: World, way: Entry) -> None:
    options = [*world.mounts(), "--workdir=/"]

    assert start(world, way.words, *options, folder="start", environ=way.environ) == SHADOWED


@pytest.mark.parametrize(
    ("label", "folder", "source", "shadowed"),
    [
        ("devcontainer.local_folder", "repo/sub", "repo", {"/s/it/.venv", "/s/it/sub/.venv"}),
        ("devcontainer.local_folder", "far/below/app", "far", {"/s/it/below/app/.venv"}),
        ("com.docker.compose.project.working_dir", "far/below/app/.devcontainer", "far", {"/s/it/below/app/.venv"}),
    ],
    ids=["git root", "parent", "parent, by compose"],
)
def test_a_label_names_the_workspace_in_a_bind(
    label: str, folder: str, source: str, shadowed: set[str], world: World, way: Entry
) -> None:
    """Podman's hook sees no labels: it looks one level down, and no deeper."""
    options = [f"--volume={world.top}/{source}:/s/it", f"--label={label}={world.top}/{folder}", "--workdir=/"]
    is_blind = way.words[0] == "podman"

    found = start(world, way.words, *options, folder="start", environ=way.environ)

    assert found == (set() if is_blind and source == "far" else shadowed)


def test_a_label_turns_shadowing_off_and_on(world: World, way: Entry) -> None:
    """Podman's hook is told of annotations, and not of labels."""
    kinds = ["annotation", "label"] if world.engine.name == "podman" else ["label"]

    def shadowed(source: str, value: str) -> set[str]:
        switch = [f"--{kind}=paude.venv={value}" for kind in kinds]
        bind = f"--volume={world.top}/{source}:/s/it"
        return start(world, way.words, bind, *switch, "--workdir=/", folder="start", environ=way.environ)

    assert shadowed("whole", "none") == set()
    assert shadowed("unopted/app", "auto") == {"/s/it/.venv"}


def test_what_holds_no_project_is_as_without_us(world: World, way: Entry) -> None:
    """Only a line that is given to `exec` itself says why nothing is shadowed: whoever writes it expects something."""
    line = [*way.words, "run", "--rm", "--network=host", f"--volume={world.top}/data:/s/data", world.engine.image]

    done = run("env", "--chdir", world.top / "start", *line, "ls", "/s/data", env=way.environ)

    said = f"paude-venv-hook: nothing shadowed: no venv in {world.top}/data, and nothing says there will be one"
    assert done.stdout == "file\n"
    if way.words[1:4] == ["exec", "--", world.engine.name]:
        assert done.stderr.startswith(said)
    else:
        assert done.stderr == ""


@pytest.mark.parametrize("way", ["exec", "wrapper"], indirect=True)
def test_who_asks_means_the_start_folder_and_what_lies_beside_it(world: World, way: Entry) -> None:
    """Nothing has opted in there: a bind of the parent, of a sibling, and of a part that is a repository of its own."""
    binds = {"unopted": "/s/unopted", "beyond/backend": "/s/beyond"}
    options = [f"--volume={world.top}/{source}:{target}" for source, target in binds.items()]

    shadowed = start(world, way.words, *options, folder="unopted/app", environ=way.environ)

    assert shadowed == {"/s/unopted/app/.venv", "/s/beyond/.venv"}


@pytest.mark.parametrize("world", ["podman"], indirect=True)
def test_what_a_pod_binds_is_shadowed_in_its_containers(world: World, way: Entry) -> None:
    pod = f"{world.other}-pod"
    binds = [f"--volume={world.top}/whole:/s/whole", f"--volume={world.volume}:/s/volume"]
    world.engine("pod", "create", "--name", pod, "--share=ipc", "--network=host", *binds)
    try:
        shadowed = start(world, way.words, f"--pod={pod}", "--workdir=/", folder="start", environ=way.environ)
    finally:
        world.engine("pod", "rm", "--force", pod)

    assert shadowed == {"/s/whole/.venv", "/s/volume/.venv"}


@pytest.mark.parametrize("world", ["docker"], indirect=True)
@pytest.mark.parametrize("way", ["exec", "standing"], indirect=True)
def test_each_shape_is_shadowed_in_a_service_of_compose(world: World, way: Entry) -> None:
    if not shutil.which("docker") or run("docker", "compose", "version", check=False, env=ENVIRONMENT).returncode:
        missing("docker has no compose")
    binds = [f"{source}:{target}" for source, target in world.binds()]
    device = {"type": "none", "o": "bind", "device": f"{world.top}/options"}
    services = {
        "web": {
            "image": world.engine.image,
            "network_mode": "host",
            "command": ["cat", "/proc/self/mountinfo"],
            "volumes": [*binds, "of-the-project:/s/options"],
            "volumes_from": ["base"],
            "depends_on": {"part": {"condition": "service_completed_successfully"}},
        },
        "part": {
            "image": world.engine.image,
            "network_mode": "host",
            "command": ["cat", "/proc/self/mountinfo"],
            "volumes": [f"{world.top}/part/backend:/s/alone"],
        },
        "base": {
            "image": world.engine.image,
            "network_mode": "host",
            "command": ["true"],
            "volumes": [f"{world.top}/inherited:/s/inherited"],
        },
    }
    project = {"services": services, "volumes": {"of-the-project": {"driver_opts": device}}}
    fill(world.top, f"start/compose.yaml = {json.dumps(project)}")
    name = ["compose", "--project-name", f"paude-{uuid.uuid4().hex[:8]}"]
    words = [*way.words, *name]
    folder = world.top / "start"
    try:
        done = run(
            "env", "--chdir", folder, *words, "up", "--no-log-prefix", "--exit-code-from=web", "--timeout=0",
            env=way.environ,
        )  # fmt: skip
        assert seen(done.stdout) == (SHADOWED | {"/s/alone/.venv"}) - {"/s/volume/.venv"}
        assert listed_by_status(world, folder / "compose.yaml") == seen(done.stdout)
    finally:
        down = [*world.engine.command, *name, "down", "--volumes", "--timeout=0"]
        run("env", "--chdir", folder, *down, check=False, env=ENVIRONMENT)


def listed_by_status(world: World, file: Path) -> set[str]:
    """Return what `status` says is shadowed in the services, asked in each workspace that a project mounts."""
    no_workspaces = ("beyond", "both/", "far", "listed/", "part/", "sibling", "unopted", "volume")
    folders = {folder for folder in VENVS if not folder.startswith(no_workspaces)}
    printed: list[str] = []
    for folder in folders:
        shutil.copy(file, world.top / folder)
        devcontainer = find_devcontainer(str(world.top / folder))
        if devcontainer:
            configuration = {"dockerComposeFile": f"{world.top}/{folder}/compose.yaml", "service": "web"}
            Path(devcontainer).write_text(json.dumps(configuration))
        words = ["status", "--json", "--engine=docker", f"--workspace-folder={world.top}/{folder}"]
        printed.append(run(PROGRAM, *words, env=ENVIRONMENT).stdout)
    rows = [row for text in printed for row in json.loads(text)["directories"]]
    return {row["destination"] for row in rows if row["state"] == "shadowed"}


@pytest.mark.parametrize("how", ["wrapper", "override", "exec", "standing"])
def test_each_shape_is_shadowed_in_a_dev_container(world: World, how: str) -> None:
    need_devcontainer_cli()
    folder = world.top / "start"
    configure(folder, world.engine.image, runArgs=["--network=host", *world.mounts()])
    with TemporaryDirectory(prefix="paude-ways-") as scratch, ExitStack() as stack:
        tools = Tools(world.engine, how, Path(scratch))
        if how == "standing":
            entry = standing(world.engine, Path(scratch), stack)
            program = Path(scratch, world.engine.name)
            program.write_text(f'#!/bin/sh\nexec {shlex.join(entry.words)} "$@"\n')
            program.chmod(0o755)
            tools.program, tools.variables = str(program), dict(entry.environ)
        stack.callback(tools.remove, world.top)

        container = tools.up(folder)

        assert seen(container.sh("cat /proc/self/mountinfo")) == SHADOWED


@pytest.mark.parametrize("world", ["docker"], indirect=True)
def test_each_shape_of_a_bind_is_shadowed_in_a_sandbox(world: World) -> None:
    try:
        sandbox = find_sandbox("root", world.top)
    except NoEngineError as problem:
        missing(str(problem))
    above = ("/s/repo", "/s/parent")  # of a bind that holds more than the git root, only that counts
    binds = [pair for pair in world.binds() if pair[1] not in above]
    words = [word for source, target in binds for word in ("--bind", source, target)]
    system = ["--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib"]
    system += ["--symlink", "usr/lib64", "/lib64", "--proc", "/proc", "--dev", "/dev"]

    done = sandbox.exec(world.top / "start", *system, *words, "cat", "/proc/self/mountinfo")

    of_volumes = {"/s/inherited/.venv", "/s/volume/.venv", "/s/options/.venv"}
    expected = {path for path in SHADOWED - of_volumes if not path.startswith(above)}
    assert (seen(done.stdout), done.returncode) == (expected, 0), done.stderr


def test_verify_finds_what_the_launch_got(world: World) -> None:
    engine = replace(world.engine, command=(str(PROGRAM), "exec", "--quiet", "--", *world.engine.command))
    environ = {**ENVIRONMENT, "XDG_STATE_HOME": str(world.top / "state")}
    here = os.getcwd()
    os.chdir(world.top / "start")
    try:
        with engine.running(*world.mounts()) as container:
            done = run(
                PROGRAM, "verify", "--workspace-folder", world.top / "start", container.name, check=False, env=environ
            )
    finally:
        os.chdir(here)

    shadowed = {line.rpartition("(")[2].rstrip(")") for line in done.stdout.splitlines() if ": shadowed (" in line}
    assert (shadowed, done.returncode) == (SHADOWED, 0), done.stdout + done.stderr
