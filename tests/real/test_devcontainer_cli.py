"""The real devcontainer CLI, through the wrapper and through --override-config."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab import need_devcontainer_cli
from layout import fill
from real.containers import (
    ENVIRONMENT,
    OWNER,
    OWNER_GROUP,
    Container,
    Engine,
    run,
    tree_hash,
)
from real.dev_containers import Tools, check_host, configure

MakeVenv = Callable[[Path], Path]
WORKS = "python3 -m venv .venv && .venv/bin/pip --version && .venv/bin/python -c 'import ssl, _ctypes'"


@pytest.fixture(params=["wrapper", "override"])
def tools(request: pytest.FixtureRequest, engine: Engine, tmp_path: Path) -> Iterator[Tools]:
    """Return the devcontainer CLI; its containers are removed at the end."""
    need_devcontainer_cli()
    (tmp_path / "scratch").mkdir(mode=0o755)
    tools = Tools(engine, request.param, tmp_path / "scratch")
    yield tools
    tools.remove(tmp_path)


def check_inside(container: Container, folder: str = "/workspaces/app", user: int | None = None) -> None:
    """Check that the venv of the container path is empty inside, and that one made there works."""
    assert container.sh("ls -A $1/.venv", folder, user=user) == ""
    assert "/lib/python3" in container.sh(f"cd $1; {WORKS}", folder, user=user)


@pytest.mark.proves("devcontainer up, again on a running and a stopped container, and anew")
def test_up_and_up_again(workspace: Path, make_host_venv: MakeVenv, image: str, tools: Tools) -> None:
    configure(workspace, image)
    venv = make_host_venv(workspace / ".venv")
    before = tree_hash(workspace)

    first = tools.up(workspace)
    assert tools("exec", workspace, "sh", "-c", f"ls -A .venv; {WORKS}").stdout.startswith("pip ")
    assert tools.up(workspace).name == first.name
    assert "bin" in first.sh("ls /workspaces/app/.venv").split()  # the same container with the same venv
    tools.engine("stop", "--time", "0", first.name)
    assert tools.up(workspace).name == first.name
    check_inside(first)
    anew = tools.up(workspace, "--remove-existing-container")
    assert anew.name != first.name
    check_inside(anew)

    assert tree_hash(workspace) == before
    check_host(venv)


@pytest.mark.proves(
    "devcontainer up with storage on disk: `postCreateCommand` is enough; the venv outlives the container"
)
def test_on_disk_the_venv_outlives_the_container(
    workspace: Path, make_host_venv: MakeVenv, image: str, tools: Tools, data: Path
) -> None:
    setup = "[ -e .venv/bin/python ] || python3 -m venv --without-pip .venv; date +%N >>.venv/setups"
    configure(workspace, image, postCreateCommand=setup)
    fill(workspace, 'paude.json = {"venv-storage": "disk"}')
    venv = make_host_venv(workspace / ".venv")
    before = tree_hash(workspace)
    tools.variables = {"XDG_DATA_HOME": str(data)}
    script = "/workspaces/app/.venv/bin/python -c 'import sys; print(sys.prefix)'; wc -l </workspaces/app/.venv/setups"

    first = tools.up(workspace)
    assert first.sh(script) == "/workspaces/app/.venv\n1\n"
    tools.engine("stop", "--time", "0", first.name)
    assert tools.up(workspace).name == first.name
    assert first.sh(script) == "/workspaces/app/.venv\n1\n"
    anew = tools.up(workspace, "--remove-existing-container")
    assert anew.name != first.name
    assert anew.sh(script) == "/workspaces/app/.venv\n2\n"

    assert tree_hash(workspace) == before
    check_host(venv)


@pytest.mark.proves("devcontainer up in a subfolder of a git repository")
def test_a_subfolder_of_a_git_repository(workspace: Path, make_host_venv: MakeVenv, image: str, tools: Tools) -> None:
    run("git", "init", "--quiet", workspace, env=ENVIRONMENT)
    config = Path(os.environ["HOME"]) / "gitconfig"
    config.write_text("[safe]\n\tdirectory = *\n")  # git refuses a repository of another user
    folder = workspace / "packages" / "api"
    folder.mkdir(parents=True)
    configure(folder, image)
    make_host_venv(workspace / ".venv")
    make_host_venv(folder / ".venv")
    before = tree_hash(workspace)

    tools.variables = {"GIT_CONFIG_GLOBAL": str(config)}
    container = tools.up(folder)

    check_inside(container, "/workspaces/app/packages/api")
    check_inside(container)
    assert tree_hash(workspace) == before


@pytest.mark.proves("devcontainer up with variables, a Dockerfile and a workspaceMount")
def test_variables_and_a_relative_dockerfile(
    workspace: Path, make_host_venv: MakeVenv, image: str, tools: Tools
) -> None:
    configure(
        workspace,
        image,
        build={"dockerfile": "Dockerfile", "context": ".."},
        workspaceMount="source=${localWorkspaceFolder},dst=/src/${localEnv:WHERE:x},type=bind",
        workspaceFolder="/src/${localEnv:WHERE}",
        containerEnv={"GREETING": "${localEnv:GREETING:hello}"},
    )
    (workspace / ".devcontainer" / "Dockerfile").write_text(f"FROM {image}\nCOPY app.py /copied.py\n")
    make_host_venv(workspace / ".venv")
    before = tree_hash(workspace)

    tools.variables = {"WHERE": "here"}
    container = tools.up(workspace)

    seen = tools("exec", workspace, "sh", "-c", "pwd; cat /copied.py; echo $GREETING").stdout
    assert seen == "/src/here\nprint('hello')\nhello\n"
    check_inside(container, "/src/here")
    assert tree_hash(workspace) == before


@pytest.mark.proves("devcontainer up with a volume of its own on .venv: left alone, and said")
def test_a_volume_of_its_own_on_the_venv_is_left_alone(
    workspace: Path, make_host_venv: MakeVenv, image: str, tools: Tools
) -> None:
    volume = "type=volume,source=paude-venv-hook-test-${devcontainerId},target=${containerWorkspaceFolder}/.venv"
    configure(workspace, image, mounts=[volume])
    make_host_venv(workspace / ".venv")
    before = tree_hash(workspace)

    container = tools.up(workspace)

    mounts = tools.engine("inspect", "--format", "{{json .Mounts}} {{json .HostConfig.Tmpfs}}", container.name).stdout
    assert '"/workspaces/app/.venv":' not in mounts
    assert container.sh("ls -A /workspaces/app/.venv") == ""
    assert tree_hash(workspace) == before
    volumes = tools.engine("inspect", "--format", "{{range .Mounts}}{{.Name}} {{end}}", container.name).stdout.split()
    tools.engine("rm", "--force", container.name)
    tools.engine("volume", "rm", *volumes)


@pytest.mark.proves("devcontainer up as an ordinary user, with a remoteUser whose uid is updated")
def test_a_remote_user_gets_the_hosts_uid(
    workspace: Path, make_host_venv: MakeVenv, image: str, engine: Engine, tools: Tools
) -> None:
    socket = os.environ.get("DOCKER_HOST", "").removeprefix("unix://")
    if os.getuid() or engine.name == "podman" or "PAUDE_VENV_HOOK_TEST_AS_USER" not in os.environ:
        pytest.skip("for a private Docker daemon that an ordinary user can reach, and for root, who can become one")
    (workspace / ".devcontainer").mkdir()
    dockerfile = f"FROM {image}\nRUN useradd --create-home --uid 1234 dev\n"
    (workspace / ".devcontainer" / "Dockerfile").write_text(dockerfile)
    configure(workspace, image, build={"dockerfile": "Dockerfile"}, remoteUser="dev")
    make_host_venv(workspace / ".venv")
    run("chown", "-R", f"{OWNER}:{OWNER_GROUP}", workspace, tools.scratch, Path(os.environ["HOME"]))
    for folder in workspace.parents[:3]:  # pytest keeps them to itself
        folder.chmod(folder.stat().st_mode | 0o111)
    group = os.stat(socket).st_gid
    may = "+dac_read_search,+dac_override"
    tools.before = ("setpriv", f"--reuid={OWNER}", f"--regid={OWNER_GROUP}", f"--groups={group}",
                     f"--inh-caps={may}", f"--ambient-caps={may}")  # fmt: skip
    before = tree_hash(workspace)

    tools.variables = {"HOME": os.environ["HOME"], "TMPDIR": str(tools.scratch)}
    container = tools.up(workspace)

    assert tools("exec", workspace, "sh", "-c", "id -u; whoami").stdout.split() == [str(OWNER), "dev"]
    check_inside(container, user=OWNER)
    assert tree_hash(workspace) == before


@pytest.mark.proves("the wrapper leaves no `events` process behind")
def test_no_process_is_left_behind(workspace: Path, image: str, tools: Tools) -> None:
    configure(workspace, image)

    tools.up(workspace)

    deadline = time.monotonic() + 10
    while (left := events_processes(tools.program, tools.engine.name)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left == []


def events_processes(program: str, engine: str) -> list[str]:
    """Return the command lines of the processes that wait for the events of this engine."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        names = {os.path.basename(word) for word in words[:2]}
        if "events" in words and names & {os.path.basename(program), engine}:
            found.append(" ".join(words))
    return found
