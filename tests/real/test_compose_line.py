"""Compose as people start it, through `exec`, the wrappers and the dev container tools, on real engines."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lab import missing, need_devcontainer_cli
from layout import fill
from real.containers import (
    ENVIRONMENT,
    HOOK,
    PATIENCE_SECONDS,
    PROGRAM,
    SCRIPTS,
    Container,
    Engine,
    MakeVenv,
    devcontainer,
    run,
    tree_hash,
    use_venv,
)
from real.test_podman_hook import Hook

proves = pytest.mark.proves
WORDS = {"docker": ["docker", "compose"], "podman": ["podman-compose"]}
PLUGINS = ("/usr/local/lib/docker", "/usr/local/libexec/docker", "/usr/lib/docker", "/usr/libexec/docker")
SAYS = "Shadowing venv: .venv"
SERVICE = {"network_mode": "host", "command": ["sleep", "infinity"], "stop_grace_period": "0s"}


class Project:
    """A compose project in the workspace folder, and the ways to start it."""

    def __init__(self, engine: Engine, workspace: Path) -> None:
        """Take the engine below compose, and the folder."""
        self.engine, self.folder, self.name = engine, workspace, f"paude-venv-hook-test-{uuid.uuid4().hex}"
        folders = [ENVIRONMENT.get("DOCKER_CONFIG") or f"{ENVIRONMENT['HOME']}/.docker", *PLUGINS]
        plugins = [Path(folder, "cli-plugins", "docker-compose") for folder in folders]
        cache = {"XDG_CACHE_HOME": str(workspace.parent / "cache"), "COMPOSE_PROJECT_NAME": self.name}
        self.environ = {**ENVIRONMENT, **cache}
        for plugin in [path for path in plugins if path.exists()][:1]:  # there may be no docker-compose on PATH
            self.environ["PAUDE_VENV_DOCKER_COMPOSE"] = str(plugin)

    def __call__(
        self, how: str, *arguments: str, folder: Path | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run compose in the folder: `direct`, `exec`, `wrapper` of the engine, or `compose` for that of compose."""
        words = self.words(how)
        done = subprocess.run(
            [*words, *arguments], capture_output=True, text=True, check=False, cwd=folder or self.folder,
            env=self.environ, stdin=subprocess.DEVNULL, timeout=PATIENCE_SECONDS,
        )  # fmt: skip
        if check and done.returncode:
            raise AssertionError(f"exit code {done.returncode}: {words} {arguments}\n{done.stdout}{done.stderr}")
        return done

    def down(self) -> None:
        """Stop and remove the containers at once.

        `down -t 0` sends two signals, one right after the other, for which Docker 20.10 may wait for ever.
        """
        self("direct", "kill")
        self("direct", "down")

    def words(self, how: str) -> list[str]:
        """Return the words that start compose in one of the ways."""
        own = WORDS[self.engine.name]
        return {
            "direct": own,
            "exec": [str(PROGRAM), "exec", "--", *own],
            "wrapper": [str(SCRIPTS / f"paude-venv-{own[0]}"), *own[1:]],
            "compose": [str(SCRIPTS / f"paude-venv-{self.engine.name}-compose")],
        }[how]

    @contextmanager
    def started(self, how: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """Start compose and leave it running; it does not outlive the block."""
        with subprocess.Popen(
            [*self.words(how), *arguments], cwd=self.folder, env=self.environ, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        ) as process:  # fmt: skip
            try:
                yield process
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)

    def configure(self, path: str = "compose.yaml", **services: dict[str, object]) -> None:
        """Write a compose file with these services."""
        described = {name: {"image": self.engine.image, **SERVICE, **own} for name, own in services.items()}
        fill(self.folder, f"{path} = # made by a test\n{json.dumps({'services': described})}")

    def containers(self, service: str) -> list[Container]:
        """Return the containers of a service that run."""
        labels = {"project": self.name, "service": service}
        filters = [f"--filter=label=com.docker.compose.{key}={value}" for key, value in labels.items()]
        return [Container(self.engine, name) for name in self.engine("ps", "--quiet", *filters).stdout.split()]

    def container(self, service: str) -> Container:
        """Return the only container of a service."""
        [found] = self.containers(service)
        return found

    def described(self, service: str) -> dict[str, Any]:
        """Return what the engine knows of the service's container."""
        [found] = json.loads(self.engine("inspect", self.container(service).name).stdout)
        described: dict[str, Any] = found
        return described


@pytest.fixture
def project(engine: Engine, workspace: Path, record_property: Callable[[str, object], None]) -> Iterator[Project]:
    """Return a project of the compose program that belongs to the engine; it is removed at the end."""
    words = WORDS[engine.name]
    version = run(*words, "version", check=False, env=ENVIRONMENT) if shutil.which(words[0]) else None
    if version is None or version.returncode:
        missing(f"{' '.join(words)} does not work")
    record_property("result", " ".join(words))
    found = Project(engine, workspace)
    yield found
    names = engine("ps", "--all", "--quiet", f"--filter=label=com.docker.compose.project={found.name}").stdout.split()
    now = ("--time=0",) if engine.name == "podman" else ()
    if names:
        engine("rm", "--force", "--volumes", *now, *names, check=False)


@pytest.fixture
def docker_project(project: Project) -> Project:
    """Return a project of docker compose."""
    if project.engine.name != "docker":
        pytest.skip("for docker compose")
    return project


def listed(container: Container, folder: str) -> list[str]:
    """Return what is in a folder of the container."""
    return container.sh('ls -A -- "$1"', folder).split()


@pytest.mark.parametrize(
    "how",
    [
        pytest.param(
            "exec", marks=proves("`exec -- … compose up`: every service that binds the workspace is shadowed")
        ),
        pytest.param("compose", marks=proves("`paude-venv-…-compose up`: the same")),
    ],
)
def test_every_service_that_binds_the_workspace_is_shadowed(
    project: Project, workspace: Path, make_host_venv: MakeVenv, wheelhouse: Path, how: str
) -> None:
    make_host_venv(workspace / ".venv")
    (workspace / "backend" / ".venv").mkdir(parents=True)
    fill(workspace, "backend/.venv/pyvenv.cfg", "backend/app.py")
    project.configure(
        web={"volumes": [".:/code", f"{wheelhouse}:/wheels"], "working_dir": "/code"},
        api={"volumes": ["./backend:/srv", "..:/all"]},
        db={},
    )
    before = tree_hash(workspace)

    assert listed_after(project, "direct") == (["backend"], ["pyvenv.cfg"])  # the control: the host's
    done = project(how, "up", "-d")
    web, api = project.container("web"), project.container("api")

    assert listed(web, "/code/.venv") == listed(api, "/all/app/.venv") == listed(api, "/srv/.venv") == []
    assert listed(api, "/srv") == [".venv", "app.py"]
    if how == "exec":
        assert SAYS in done.stderr
    use_venv(web)
    assert "web" in project(how, "ps").stdout
    project.down()
    assert project.containers("web") == []
    assert tree_hash(workspace) == before


def listed_after(project: Project, how: str) -> tuple[list[str], list[str]]:
    """Return what a service sees of two folders, when it is brought up in this way; it is gone afterwards."""
    project(how, "up", "-d", "web", "api")
    seen = listed(project.container("web"), "/code/backend")[-1:], listed(project.container("api"), "/srv/.venv")
    assert "bin" in listed(project.container("web"), "/code/.venv")
    project.down()
    return (["backend"] if seen[0] else [], seen[1])


@proves("docker compose: a project in a parent folder, profiles, `run --rm`, `--scale`, `--no-deps`, `include`, `-f -`")
def test_the_ways_to_start_it(docker_project: Project, workspace: Path, make_venv: MakeVenv) -> None:
    make_venv(workspace / ".venv")
    fill(workspace, "src/deep/")
    project = docker_project
    project.configure("team/compose.yaml", api={"volumes": ["..:/code"]})
    project.configure(
        web={"volumes": [".:/code"], "depends_on": ["db"]},
        tool={"volumes": [".:/code"], "profiles": ["dev"], "command": ["ls", "-A", "/code/.venv", "/code/src"]},
        db={},
    )
    whole = json.loads((workspace / "compose.yaml").read_text().partition("\n")[2])
    fill(workspace, f"compose.yaml = {json.dumps({**whole, 'include': ['team/compose.yaml']})}")

    project("wrapper", "up", "-d", "--no-deps", "--scale", "web=2", "web", "api", folder=workspace / "src" / "deep")
    assert [listed(item, "/code/.venv") for item in project.containers("web")] == [[], []]
    assert listed(project.container("api"), "/code/.venv") == []
    assert project.containers("db") == []
    done = project("wrapper", "--profile", "dev", "run", "--rm", "--no-deps", "tool")
    assert done.stdout.split() == ["/code/.venv:", "/code/src:", "deep"]
    assert project("direct", "run", "--rm", "tool").stdout.split()[:2] == ["/code/.venv:", "pyvenv.cfg"]  # the control

    done = project("wrapper", "run", "--rm", "--volume", ".:/given", "db", "ls", "-A", "/given/.venv", "/given/src")
    assert done.stdout.split() == ["/given/.venv:", "/given/src:", "deep"]

    words = [str(SCRIPTS / "paude-venv-docker"), "compose", "-f", "-", "run", "--rm", "tool"]
    with (workspace / "compose.yaml").open() as stdin:
        done = subprocess.run(
            words, stdin=stdin, capture_output=True, text=True, check=False, cwd=workspace, env=project.environ
        )
    assert done.stderr == ""
    assert done.stdout.split() == ["/code/.venv:", "/code/src:", "deep"]


@proves("Podman's hook under podman-compose, alone and beside the wrapper")
@pytest.mark.parametrize("how", ["direct", "compose"])
def test_podmans_hook_shadows_what_podman_compose_starts(
    project: Project, workspace: Path, make_venv: MakeVenv, tmp_path: Path, how: str
) -> None:
    if project.engine.name != "podman":
        pytest.skip("for Podman")
    make_venv(workspace / ".venv")
    fill(workspace, "paude.json = {}")
    project.configure(web={"volumes": [".:/code"]})

    project(how, f"--podman-args=--hooks-dir={Hook(tmp_path).folder}", "up", "-d")

    assert listed(project.container("web"), "/code/.venv") == []
    assert listed(project.container("web"), "/code") == [
        ".venv",
        "app.py",
        "compose.yaml",
        "paude.json",
        "pyproject.toml",
    ]


@proves("compose with storage on disk: each service has a venv of its own, which stays")
def test_with_storage_on_disk_the_venv_stays(project: Project, workspace: Path, make_venv: MakeVenv) -> None:
    make_venv(workspace / ".venv")
    project.configure(web={"volumes": [".:/code"]}, api={"volumes": [".:/code"]})
    data = {"XDG_DATA_HOME": str(workspace.parent / "data"), "PAUDE_VENV_STORAGE": "disk"}
    project.environ |= data

    for expected in ([], ["kept"]):
        project("compose", "up", "-d")
        assert listed(project.container("web"), "/code/.venv") == expected
        assert listed(project.container("api"), "/code/.venv") == []
        project.container("web").sh("touch /code/.venv/kept")
        project.down()
    assert os.listdir(workspace / ".venv") == ["pyvenv.cfg"]


@proves("docker compose: `up --watch`, with a folder that is synchronised")
def test_a_project_that_is_watched(docker_project: Project, workspace: Path, make_venv: MakeVenv) -> None:
    make_venv(workspace / ".venv")
    fill(workspace, "assets/first")
    project = docker_project
    watch = [{"path": "./assets", "action": "sync", "target": "/assets"}]
    project.configure(web={"volumes": [".:/code"]}, static={"develop": {"watch": watch}})

    with project.started("wrapper", "up", "--watch") as process:
        wait_for(lambda: project.containers("static") and project.containers("web"))
        assert listed(project.container("web"), "/code/.venv") == []
        static = project.container("static")

        def is_synchronised() -> bool:
            fill(workspace, f"assets/f{uuid.uuid4().hex}")
            time.sleep(1.5)  # it waits until nothing has changed for a while
            return "f" in static.sh("ls /assets 2>/dev/null || :")

        wait_for(is_synchronised)
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until the condition holds, for a minute at the most."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


@proves("compose: an anonymous volume of the service on .venv is left alone, and said")
def test_a_volume_on_the_venv_is_left_alone(project: Project, workspace: Path, make_venv: MakeVenv) -> None:
    make_venv(workspace / ".venv")
    project.configure(web={"volumes": [".:/code", "/code/.venv"]})

    done = project("wrapper" if project.engine.name == "docker" else "compose", "up", "-d")

    left_alone = ".venv not shadowed: the configuration mounts something on /code/.venv already"
    assert left_alone in done.stderr + done.stdout
    mounts = project.described("web")["Mounts"]
    assert {item["Destination"]: item["Type"] for item in mounts} == {"/code": "bind", "/code/.venv": "volume"}


@proves("docker compose: a project that is wrong is left to compose, which says what is wrong")
def test_a_project_that_is_wrong_is_left_to_compose(docker_project: Project, workspace: Path) -> None:
    docker_project.configure(web={"volumes": [".:/code"], "env_file": ["missing.env"]})

    direct, wrapped = (docker_project(how, "up", "-d", check=False) for how in ("direct", "wrapper"))

    assert wrapped.returncode == direct.returncode != 0
    assert wrapped.stderr == direct.stderr


@proves("compose.override.yaml, made by `print`: a plain `docker compose up` is shadowed; `verify --service`")
def test_a_file_that_compose_reads_by_itself(docker_project: Project, workspace: Path, make_venv: MakeVenv) -> None:
    make_venv(workspace / ".venv")
    docker_project.configure(web={"volumes": [".:/code"]}, api={"volumes": ["..:/all"]}, db={})
    flags = ("--workspace-folder", workspace, "--engine=docker")
    output = ("--format=compose", "--output", workspace / "compose.override.yaml")

    for _ in range(2):
        run(*HOOK, "print", *flags, *output, env=docker_project.environ)
    docker_project("direct", "up", "-d")

    assert listed(docker_project.container("web"), "/code/.venv") == []
    assert listed(docker_project.container("api"), "/all/app/.venv") == []
    done = run(*HOOK, "verify", *flags, "--service=web", env=docker_project.environ)
    assert done.stdout == ".venv: shadowed (/code/.venv)\n"


@proves("devcontainer up of a project of two services, through `--docker-path` alone")
def test_a_devcontainer_of_two_services(docker_project: Project, workspace: Path, make_host_venv: MakeVenv) -> None:
    need_devcontainer_cli()
    make_host_venv(workspace / ".venv")
    project = docker_project
    project.configure(app={"volumes": ["..:/workspaces"]}, worker={"volumes": [".:/code"]})
    base = {"dockerComposeFile": ["../compose.yaml"], "service": "app", "workspaceFolder": "/workspaces/app"}
    fill(workspace, f".devcontainer/devcontainer.json = {json.dumps(base)}")
    before = tree_hash(workspace)

    words = ("--workspace-folder", workspace, "--docker-path", str(SCRIPTS / "paude-venv-docker"))
    first = json.loads(devcontainer("up", *words, env=project.environ).stdout.splitlines()[-1])["containerId"]
    again = json.loads(devcontainer("up", *words, env=project.environ).stdout.splitlines()[-1])["containerId"]

    assert first == again == project.described("app")["Id"]
    assert listed(project.container("worker"), "/code/.venv") == []
    app = project.container("app")
    assert listed(app, "/workspaces/app/.venv") == []
    assert devcontainer("exec", *words, "ls", "-A", ".venv", env=project.environ).stdout == ""
    assert tree_hash(workspace) == before
    assert os.path.isdir(workspace / ".venv" / "bin")
