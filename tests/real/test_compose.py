"""Compose files with shadows, in the hands of docker compose and podman-compose."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab import missing, need_devcontainer_cli
from layout import fill
from paude_venv_hook.launchers.compose import dump
from real.containers import (
    ENVIRONMENT,
    HOOK,
    OWNER,
    Container,
    Engine,
    MakeVenv,
    as_owner,
    devcontainer,
    run,
    tree_hash,
    use_venv,
)

proves = pytest.mark.proves
PROGRAMS = {"docker": ("docker", "compose"), "podman": ("podman-compose",)}


class Compose:
    """A compose program, and one project of it: the workspace's, with a service called app."""

    def __init__(self, engine: Engine, workspace: Path) -> None:
        """Take the engine below the program, and the workspace folder."""
        self.engine, self.workspace = engine, workspace
        self.container = Container(engine, f"paude-venv-hook-test-{uuid.uuid4().hex}")
        self.overlay = workspace.parent / "venv.json"

    def __call__(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run the program on the project's compose.yaml and the file with the shadows."""
        words = (*PROGRAMS[self.engine.name], "-p", self.container.name)
        files = ("-f", self.workspace / "compose.yaml", "-f", self.overlay)
        return run(*words, *files, *arguments, check=check, env=ENVIRONMENT)

    def configure(self, *mounts: str, user: int = 0, **service: object) -> None:
        """Write compose.yaml; a mount is `SOURCE -> TARGET`, the source a path as it is here or a volume's name."""
        volumes = [
            {"type": "bind" if "/" in source or source == "." else "volume", "source": source, "target": target}
            for source, _, target in (mount.partition(" -> ") for mount in mounts)
        ]
        common = {"network_mode": "host", "command": ["sleep", "infinity"], "stop_grace_period": "0s"}
        names = {"image": self.engine.image, "container_name": self.container.name, "user": str(user)}
        named: dict[str, object] = {volume["source"]: None for volume in volumes if volume["type"] == "volume"}
        project = {"services": {"app": {**common, **names, "volumes": volumes, **service}}, "volumes": named}
        (self.workspace / "compose.yaml").write_bytes(b"# made by a test\n" + dump(project).replace(b"$", b"$$"))

    def shadow(self, *, target: str | None = None, engine: str | None = None, service: str | None = "app") -> list[str]:
        """Write the file with the shadows, and return the warnings; only Docker's own compose tells the target."""
        target = None if self.engine.name == "docker" else target
        flags = [f"--engine={engine or self.engine.name}"]
        flags += [f"--{name}={value}" for name, value in (("service", service), ("target", target)) if value]
        done = run(*HOOK, "print", "--format=compose", "--workspace-folder", self.workspace, *flags, env=self.environ)
        self.overlay.write_text(done.stdout)
        return [line.removeprefix("paude-venv-hook: warning: ") for line in done.stderr.splitlines()]

    @property
    def environ(self) -> dict[str, str]:
        """Return the environment of the test, but with the home folder in which docker finds its plugins."""
        return {**os.environ, "HOME": ENVIRONMENT["HOME"], "XDG_CACHE_HOME": str(self.workspace.parent / "cache")}


@pytest.fixture
def compose(engine: Engine, workspace: Path, record_property: Callable[[str, object], None]) -> Iterator[Compose]:
    """Return the compose program of the engine, with a project that is removed at the end."""
    words = PROGRAMS[engine.name]
    version = run(*words, "version", check=False, env=ENVIRONMENT) if shutil.which(words[0]) else None
    if version is None or version.returncode:
        missing(f"{' '.join(words)} does not work")
    found = re.search(r"(?i)compose version v?(\d[\w.]*)", version.stdout)
    record_property("result", f"{' '.join(words)} {found[1] if found else '?'}")
    project = Compose(engine, workspace)
    yield project
    if project.overlay.exists():
        project("down", "--volumes", check=False)


def check_inside(container: Container, venv: str) -> None:
    """Check that the venv at the container path is empty, and that one made there works."""
    assert container.sh('ls -A -- "$1"', venv) == ""
    container.sh('python3 -m venv -- "$1"', venv)
    assert container.sh('"$1/bin/python" -c "import sys; print(sys.prefix)"', venv) == f"{venv}\n"


@pytest.mark.parametrize("user", [pytest.param(0, id="root"), pytest.param(OWNER, id="owner")])
@proves("a service of compose: an empty tmpfs, in which a venv works; host's tree and venv as before")
def test_host_and_service_each_have_a_venv_that_works(
    compose: Compose, workspace: Path, make_host_venv: MakeVenv, wheelhouse: Path, user: int
) -> None:
    venv = make_host_venv(workspace / ".venv")
    compose.configure(". -> /code", f"{wheelhouse} -> /wheels", user=user, working_dir="/code", tmpfs=["/run"])
    before = tree_hash(workspace)

    assert compose.shadow(target="/code") == []
    compose("up", "-d")

    assert compose.container.sh("ls -A .venv") == ""
    kind, options = compose.container.mounts()["/code/.venv"]
    assert (kind, options & {"rw", "ro", "noexec", "nosuid", "nodev"}) == ("tmpfs", {"rw", "nosuid", "nodev"})
    assert compose.container.mounts()["/run"][0] == "tmpfs"
    use_venv(compose.container)
    assert as_owner(venv / "bin/python", "-c", "import markupsafe._speedups; print('ok')") == "ok\n"
    assert tree_hash(workspace) == before


@proves("a service of compose with storage on disk: the venv outlives `down -v`; host's tree and venv as before")
def test_on_disk_the_venv_outlives_the_service(
    compose: Compose, workspace: Path, make_host_venv: MakeVenv, wheelhouse: Path, data: Path
) -> None:
    venv = make_host_venv(workspace / ".venv")
    fill(workspace, 'paude.json = {"venv": [".venv", "my:$env,"], "venv-storage": "disk"}', "my:$env,/")
    compose.configure(". -> /code", f"{wheelhouse} -> /wheels", working_dir="/code")
    before = tree_hash(workspace)

    left_out = "my:$env, not shadowed: podman-compose has no way to mount a store on /code/my:$env,, for its colon"
    warnings = [] if compose.engine.name == "docker" else [f"{left_out}; rename the folder"]
    assert compose.shadow(target="/code") == warnings
    compose("up", "-d")
    assert compose.container.sh("ls -A .venv") == ""
    if not warnings:
        compose.container.sh("touch 'my:$env,/file'")
    use_venv(compose.container)
    compose("down", "--volumes")
    compose("up", "-d")
    compose.container.sh(".venv/bin/python -c 'import markupsafe._speedups'")

    assert compose.shadow(target="/code") == warnings
    assert len([*data.glob("paude/venvs/*/venv/pyvenv.cfg")]) == 1
    assert as_owner(venv / "bin/python", "-c", "import markupsafe._speedups; print('ok')") == "ok\n"
    assert tree_hash(workspace) == before


@proves("a service of compose: any names but those with a colon")
def test_any_name_arrives_as_it_is(compose: Compose, workspace: Path, make_host_venv: MakeVenv) -> None:
    target = "/co de/$HOME ${x} $$/é'\u2028😀"
    names = (".venv", "my $env", "#, \\ü")
    for name in names:
        make_host_venv(workspace / name)
    compose.configure(f". -> {target}")
    before = tree_hash(workspace)

    assert compose.shadow(target=target) == []
    compose("up", "-d")

    for name in names:
        check_inside(compose.container, f"{target}/{name}")
    assert tree_hash(workspace) == before


@proves("a service of compose: nothing to shadow, nothing changed")
def test_a_file_without_shadows_changes_nothing(compose: Compose, workspace: Path, make_host_venv: MakeVenv) -> None:
    make_host_venv(workspace / "env" / "not-at-the-top")
    fill(workspace, 'paude.json = {"venv": []}')
    compose.configure(". -> /code", working_dir="/code")

    why = f"paude-venv-hook: nothing shadowed: venv is none ({workspace}/paude.json)"
    assert compose.shadow(target="/code") == [why]
    compose("up", "-d")

    assert json.loads(compose.overlay.read_text()) == {"services": {"app": {}}}
    assert "pyvenv.cfg" in compose.container.sh("ls env/not-at-the-top").split()
    assert not [path for path in compose.container.mounts() if path.startswith("/code/")]


@proves("a service of compose: the other engine's form is refused")
def test_the_form_of_the_other_engine_is_refused(compose: Compose, workspace: Path, make_host_venv: MakeVenv) -> None:
    make_host_venv(workspace / ".venv")
    compose.configure(". -> /code")

    compose.shadow(target="/code", engine="podman" if compose.engine.name == "docker" else "docker")
    done = compose("up", "-d", check=False)

    assert re.search(r"invalid tmpfs option|invalid mount option", done.stdout + done.stderr)
    assert compose.container.exec("true").returncode != 0


@pytest.fixture
def docker_compose(compose: Compose) -> Compose:
    """Return Docker's compose program, the one that tells where a service has the workspace."""
    if compose.engine.name != "docker":
        pytest.skip("for docker compose, which prints its configuration as JSON")
    return compose


@proves("docker compose config: the target, with a parent, a symlink, a profile and a dollar")
def test_compose_tells_where_the_workspace_is(
    docker_compose: Compose, workspace: Path, make_host_venv: MakeVenv
) -> None:
    make_host_venv(workspace / ".venv")
    (workspace.parent / "$link").symlink_to(workspace)
    sources = f"{workspace.parent} -> /all", f"{workspace.parent}/$link -> /$here/it is", "./app.py -> /a/app.py"
    docker_compose.configure(*sources, profiles=["dev"])
    before = tree_hash(workspace)

    assert docker_compose.shadow() == []
    docker_compose("--profile", "dev", "up", "-d")

    check_inside(docker_compose.container, "/$here/it is/.venv")
    check_inside(docker_compose.container, "/all/app/.venv")
    assert tree_hash(workspace) == before


@proves("docker compose config: what the service has on .venv itself is left alone, and said")
def test_a_volume_of_the_service_on_the_venv_is_left_alone(
    docker_compose: Compose, workspace: Path, make_host_venv: MakeVenv
) -> None:
    make_host_venv(workspace / ".venv")
    make_host_venv(workspace / "env")
    docker_compose.configure(". -> /code", "mine -> /code/.venv/", tmpfs="/code/env:mode=700")

    assert docker_compose.shadow() == [
        ".venv not shadowed: the configuration mounts something on /code/.venv already",
        "env not shadowed: left to your own tmpfs on /code/env",
    ]
    docker_compose("up", "-d")

    asked_for = docker_compose.engine("inspect", "--format", "{{json .HostConfig}}", docker_compose.container.name)
    assert json.loads(asked_for.stdout)["Tmpfs"] == {"/code/env": "mode=700"}
    assert docker_compose.container.sh("ls -A /code/.venv") == ""


@proves("docker compose config: a second look, with the shadows among the project's files, says the same")
def test_the_shadows_may_be_among_the_projects_own_files(
    docker_compose: Compose, workspace: Path, make_host_venv: MakeVenv, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_host_venv(workspace / ".venv")
    docker_compose.configure(". -> /code")
    docker_compose.shadow()
    first = docker_compose.overlay.read_bytes()

    monkeypatch.setenv("COMPOSE_FILE", f"compose.yaml:{docker_compose.overlay}")
    assert docker_compose.shadow() == []

    assert docker_compose.overlay.read_bytes() == first
    assert b"/code/.venv:" in first


@proves("devcontainer up of a service of compose, with --override-config")
def test_a_devcontainer_of_compose(docker_compose: Compose, workspace: Path, make_host_venv: MakeVenv) -> None:
    need_devcontainer_cli()
    venv = make_host_venv(workspace / ".venv")
    docker_compose.configure(f"{workspace.parent} -> /workspaces")
    base = {"dockerComposeFile": ["../compose.yaml"], "service": "app", "workspaceFolder": "/workspaces/app"}
    fill(workspace, f".devcontainer/devcontainer.json = {json.dumps(base)}")
    before = tree_hash(workspace)

    assert docker_compose.shadow(service=None) == []
    override = workspace.parent / "override.json"
    own = ("--engine=docker", "--workspace-folder", workspace, "--output", override)
    run(*HOOK, "devcontainer-config", *own, env=docker_compose.environ)
    words = ("--workspace-folder", workspace, "--override-config", override)
    name = {**ENVIRONMENT, "COMPOSE_PROJECT_NAME": docker_compose.container.name}
    devcontainer("up", *words, env=name)

    inside = devcontainer("exec", *words, "sh", "-c", "pwd; ls -A .venv", env=name)
    assert inside.stdout == "/workspaces/app\n"
    check_inside(docker_compose.container, "/workspaces/app/.venv")
    assert as_owner(venv / "bin/python", "-c", "import markupsafe._speedups; print('ok')") == "ok\n"
    assert tree_hash(workspace) == before
