"""Storage `auto` with the real devcontainer CLI: what nobody makes again stays, and nothing else does."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from lab import missing, need_devcontainer_cli
from layout import fill
from real.conftest import give_to_owner
from real.containers import ENVIRONMENT, HOOK, PROGRAM, Container, Engine, need_engine, run, tree_hash
from real.dev_containers import Tools, check_host, configure
from real.docker_proxy.harness import Proxy

MakeVenv = Callable[[Path], Path]
proves = pytest.mark.proves
VENV = "/workspaces/app/.venv"
MAKE = "python3 -m venv --without-pip .venv"
HEAL = f"test -x .venv/bin/python || {MAKE}"
ONCE = {"postCreateCommand": MAKE}
FILES = {
    ".devcontainer/post.sh": f"set -e\n{MAKE}\n",
    ".devcontainer/vnc.sh": "echo a display is served\n",
    "Makefile": f"venv-of-ours:\n\t{MAKE}\n",
    # The image has no make.
    "tools/make": '#!/bin/sh\nexec sh -ec "$(sed -n "/^$1:/{n;s/^\\t//;p;}" Makefile)"\n',
}
SHAPES: dict[str, tuple[dict[str, Any], str]] = {
    "postCreateCommand": (ONCE, "disk"),
    "onCreateCommand, a list": ({"onCreateCommand": ["sh", "-c", MAKE]}, "disk"),
    "updateContentCommand, an object": ({"updateContentCommand": {"venv": MAKE, "other": "true"}}, "disk"),
    "a script": ({"postCreateCommand": "sh .devcontainer/post.sh"}, "disk"),
    "a target of a Makefile": ({"postCreateCommand": "PATH=$PWD/tools:$PATH make venv-of-ours"}, "disk"),
    "a script at each start that makes none": ({**ONCE, "postStartCommand": "sh .devcontainer/vnc.sh"}, "disk"),
    "healed at a start": ({**ONCE, "postStartCommand": HEAL}, "disk"),
    "postStartCommand": ({"postStartCommand": MAKE}, "memory"),
    "both": ({**ONCE, "postStartCommand": MAKE}, "memory"),
}


@pytest.fixture
def tools(engine: Engine, tmp_path: Path, data: Path) -> Iterator[Tools]:
    """Return the devcontainer CLI with the wrapper; its containers are removed at the end."""
    yield from launched(engine, "wrapper", tmp_path, data)


def launched(engine: Engine, how: str, tmp_path: Path, data: Path) -> Iterator[Tools]:
    """Yield the devcontainer CLI, launched in one way; its containers are removed at the end."""
    need_devcontainer_cli()
    (tmp_path / "scratch").mkdir(mode=0o755, exist_ok=True)
    tools = Tools(engine, how, tmp_path / "scratch")
    tools.variables = {"XDG_DATA_HOME": str(data)}
    yield tools
    tools.remove(tmp_path)


@pytest.fixture
def workspace(workspace: Path) -> Path:
    """Return a workspace with the scripts of the set-ups."""
    for name, text in FILES.items():
        fill(workspace, f"{name} = {text}")
    (workspace / "tools/make").chmod(0o755)
    give_to_owner(workspace)
    return workspace


def kind(container: Container, path: str = VENV) -> str:
    """Return the storage that a container has on a path."""
    found, _ = container.mounts()[path]
    return "memory" if found == "tmpfs" else "disk"


def check_venv(container: Container, folder: str = "/workspaces/app") -> None:
    """Check that the container's venv works."""
    assert container.sh("$1/.venv/bin/python -c 'import sys; print(sys.prefix)'", folder) == f"{folder}/.venv\n"


def restart(tools: Tools, workspace: Path, container: Container, *arguments: str) -> None:
    """Stop a container, and let the tools start the same one again."""
    tools.engine("stop", "--time", "0", container.name)
    assert tools.up(workspace, *arguments).name == container.name


def check_life(tools: Tools, workspace: Path) -> None:
    """Check that the venv is on disk, stays when its container restarts, and is made afresh for a new container."""
    container = tools.up(workspace)
    assert kind(container) == "disk"
    container.sh(f"echo old >{VENV}/name")
    restart(tools, workspace, container)
    check_venv(container)
    anew = tools.up(workspace, "--remove-existing-container")
    assert anew.exec("cat", f"{VENV}/name").returncode == 1
    check_venv(anew)


def check_lives(every: Iterable[Tools], workspace: Path, **how: Any) -> None:
    """Check the life of a venv with each of the tools, `how` they run, and that the workspace stays as it is."""
    before = tree_hash(workspace)
    for tools in every:
        for name, value in how.items():
            setattr(tools, name, value)
        check_life(tools, workspace)

    assert tree_hash(workspace) == before


@pytest.mark.parametrize("shape", [pytest.param(name, marks=proves(f"auto: {name}")) for name in SHAPES])
def test_what_is_made_once_stays(
    shape: str, workspace: Path, make_host_venv: MakeVenv, image: str, tools: Tools
) -> None:
    config, expected = SHAPES[shape]
    configure(workspace, image, **config)
    venv = make_host_venv(workspace / ".venv")
    before = tree_hash(workspace)

    container = tools.up(workspace)
    assert kind(container) == expected
    check_venv(container)
    restart(tools, workspace, container)
    assert kind(container) == expected
    check_venv(container)

    assert tree_hash(workspace) == before
    check_host(venv)


@proves("auto: a fresh clone, whose host has no venv yet, and a second container of it")
def test_a_fresh_clone(workspace: Path, image: str, tools: Tools) -> None:
    configure(workspace, image, **ONCE)

    container = tools.up(workspace)
    assert kind(container) == "disk"
    restart(tools, workspace, container)
    check_venv(container)

    assert os.listdir(workspace / ".venv") == []


@proves("auto: a rebuild with Python at another path starts afresh")
def test_a_rebuild_with_another_python(workspace: Path, make_host_venv: MakeVenv, image: str, tools: Tools) -> None:
    name = f"localhost/paude-venv-hook-test-moved:{os.getpid()}"
    configure(workspace, name, **ONCE)
    make_host_venv(workspace / ".venv")
    before = tree_hash(workspace)
    python = f"readlink {VENV}/bin/python3; ls {VENV}"
    try:
        tools.engine("tag", image, name)
        first = tools.up(workspace)
        first.sh(f"touch {VENV}/old")
        assert first.sh(python).split()[0] == "/usr/bin/python3"
        moved = "mkdir -p /opt/python/bin && cp -P /usr/bin/python3* /opt/python/bin/ && rm /usr/bin/python3"
        path = "/opt/python/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        with tools.engine.running() as other:
            other.sh(moved)
            tools.engine("commit", "--change", f"ENV PATH={path}", other.name, name)

        anew = tools.up(workspace, "--remove-existing-container")
        assert anew.name != first.name
        link, *names = anew.sh(python).split()
        assert link == "/opt/python/bin/python3"
        assert "old" not in names
        restart(tools, workspace, anew)
        check_venv(anew)
    finally:
        tools.remove(workspace)
        tools.engine("rmi", "--force", name, check=False)

    assert tree_hash(workspace) == before


@proves("auto: two configurations of one folder, side by side, each with its own venv; one goes, and its store with it")
def test_two_configurations_of_one_folder(
    workspace: Path, make_host_venv: MakeVenv, image: str, tools: Tools, data: Path
) -> None:
    configs = [configure(workspace, image, name, **ONCE) for name in ("one", "two")]
    make_host_venv(workspace / ".venv")
    before = tree_hash(workspace)

    containers = [tools.up(workspace, "--config", str(config)) for config in configs]
    for container in containers:
        container.sh(f"echo {container.name} >{VENV}/name")
    for config, container in zip(configs, containers, strict=True):
        restart(tools, workspace, container, "--config", str(config))
        check_venv(container)
        assert container.sh(f"cat {VENV}/name") == f"{container.name}\n"
    assert len(stores(data)) == 2

    tools.engine("rm", "--force", containers[1].name)
    for store in stores(data):
        os.utime(store, (0, 0))  # ten minutes later
    tools.up(workspace, "--config", str(configs[0]), "--remove-existing-container")
    assert len(stores(data)) == 1
    assert tree_hash(workspace) == before


def stores(data: Path) -> list[Path]:
    """Return the folders of the stores that there are."""
    return [path for path in (data / "paude/venvs").iterdir() if path.is_dir()]


@proves("auto: two dev containers of one configuration at once have a store each")
def test_two_containers_of_one_configuration(workspace: Path, image: str, tools: Tools, data: Path) -> None:
    configure(workspace, image, **ONCE)

    first = tools.up(workspace)
    second = tools.up(workspace, "--id-label", "paude-venv-hook-test-second=1", "--id-label", f"folder={workspace}")
    try:
        assert first.name != second.name
        first.sh(f"echo first >{VENV}/name")
        check_venv(second)
        assert second.exec("cat", f"{VENV}/name").returncode == 1
    finally:
        tools.engine("rm", "--force", second.name)


@proves("auto: --override-config keeps the venv through a stop; what made it is not removed yet at a rebuild")
def test_override_config(workspace: Path, image: str, engine: Engine, tmp_path: Path, data: Path) -> None:
    configure(workspace, image, **ONCE)
    for tools in launched(engine, "override", tmp_path, data):
        container = tools.up(workspace)
        assert kind(container) == "disk"
        container.sh(f"echo kept >{VENV}/name")
        restart(tools, workspace, container)
        check_venv(container)
        anew = tools.up(workspace, "--remove-existing-container")
        assert anew.sh(f"cat {VENV}/name") == "kept\n"
        tools.remove(tmp_path)
        anew = tools.up(workspace)
        assert anew.exec("cat", f"{VENV}/name").returncode == 1
        check_venv(anew)


@pytest.fixture(scope="session")
def docker(image: str) -> Engine:
    """Return Docker."""
    return need_engine("docker", image)


@proves("auto: through the installed proxy, an unchanged devcontainer CLI")
def test_through_the_installed_proxy(
    workspace: Path, make_host_venv: MakeVenv, image: str, docker: Engine, tmp_path: Path, data: Path
) -> None:
    configure(workspace, image, **ONCE)
    make_host_venv(workspace / ".venv")
    with TemporaryDirectory(prefix="paude-proxy-") as folder:
        proxy = Proxy(Path(folder))
        proxy.start()
        reach_proxy = {"DOCKER_HOST": f"unix://{proxy.socket}"}
        check_lives(launched(docker, "plain", tmp_path, data), workspace, variables=reach_proxy)
        proxy.stop()


@proves("auto: `exec -- devcontainer up`, an unchanged devcontainer CLI")
def test_through_the_private_proxy_of_exec(
    workspace: Path, make_host_venv: MakeVenv, image: str, engine: Engine, tmp_path: Path, data: Path
) -> None:
    configure(workspace, image, **ONCE)
    make_host_venv(workspace / ".venv")
    check_lives(launched(engine, "plain", tmp_path, data), workspace, before=(*HOOK, "exec", "--"))


@proves("auto: the services of a compose dev container, and compose by hand in memory")
@pytest.mark.parametrize("way", ["wrapper", "proxy"])
def test_a_compose_dev_container(
    way: str, workspace: Path, make_host_venv: MakeVenv, image: str, docker: Engine, tmp_path: Path, data: Path
) -> None:
    if run("docker", "compose", "version", check=False, env=ENVIRONMENT).returncode:
        missing("docker has no compose plugin")
    project = f"paude-venv-hook-test-{os.getpid()}-{way}"
    service = {
        "image": image,
        "command": ["sleep", "infinity"],
        "network_mode": "host",
        "volumes": [".:/workspaces/app"],
    }
    services = {"app": service, "worker": {**service, "depends_on": ["app"]}}
    fill(workspace, f"compose.yaml = {json.dumps({'services': services})}")
    config = {"dockerComposeFile": "../compose.yaml", "service": "app", "workspaceFolder": "/workspaces/app"}
    configure(workspace, image, **config, **ONCE)
    make_host_venv(workspace / ".venv")
    before = tree_hash(workspace)
    with TemporaryDirectory(prefix="paude-proxy-") as folder:
        proxy = Proxy(Path(folder))
        if way == "proxy":
            proxy.start()
        for tools in launched(docker, "wrapper" if way == "wrapper" else "plain", tmp_path, data):
            tools.variables |= {"COMPOSE_PROJECT_NAME": project}
            if way == "proxy":
                tools.variables["DOCKER_HOST"] = f"unix://{proxy.socket}"
            try:
                container = tools.up(workspace)
                worker = of_service(docker, project, "worker")
                assert [kind(container), kind(worker)] == ["disk", "disk"]
                check_venv(container)
                for name in (container.name, worker.name):
                    docker("stop", "--time", "0", name)
                assert tools.up(workspace).name == container.name
                check_venv(container)
            finally:
                docker("rm", "--force", *ids(docker, project), check=False)
        if way == "proxy":
            proxy.stop()
    assert tree_hash(workspace) == before


def ids(docker: Engine, project: str, *filters: str) -> list[str]:
    """Return the containers of a compose project."""
    label = f"label=com.docker.compose.project={project}"
    return docker("ps", "--all", "--quiet", "--filter", label, *filters).stdout.split()


def of_service(docker: Engine, project: str, service: str) -> Container:
    """Return the container of a service."""
    (name,) = ids(docker, project, "--filter", f"label=com.docker.compose.service={service}")
    return Container(docker, name)


@proves("auto: Podman's hook sees no labels: in memory, noted by status, healed by a guarded postStartCommand")
def test_podmans_hook(workspace: Path, make_host_venv: MakeVenv, image: str, tmp_path: Path, data: Path) -> None:
    podman = need_engine("podman", image)
    configure(workspace, image, **ONCE, postStartCommand=HEAL)
    make_host_venv(workspace / ".venv")
    before = tree_hash(workspace)
    home, folder = tmp_path / "hook-home", tmp_path / "hooks.d"
    home.mkdir()
    conf = tmp_path / "containers.conf"
    conf.write_text(f'[engine]\nhooks_dir = ["{folder}"]\n')
    own = {"CONTAINERS_CONF": str(conf), "HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config")}
    run(PROGRAM, "install", "--engine", "podman", env={**ENVIRONMENT, **own})
    (path,) = folder.glob("*.json")
    document: dict[str, Any] = json.loads(path.read_text())
    document["hook"]["env"] = [f"HOME={home}"]
    path.write_text(json.dumps(document))
    script = tmp_path / "podman"
    script.write_text(f'#!/bin/sh\nexec podman --hooks-dir={folder} "$@"\n')
    script.chmod(0o755)

    for tools in launched(podman, "plain", tmp_path, data):
        tools.program = str(script)
        container = tools.up(workspace)
        assert kind(container) == "memory"
        check_venv(container)
        restart(tools, workspace, container)
        check_venv(container)
    status = run(*HOOK, "status", "--workspace-folder", workspace, env={**ENVIRONMENT, "HOME": str(home)}).stdout
    assert "a restart empties .venv, since Podman's hook does not see" in " ".join(status.split())
    assert tree_hash(workspace) == before
