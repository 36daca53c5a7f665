"""What covers launches that name us nowhere: what is told of each engine, and that little is asked for it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from installed import StandIns
from layout import fill
from paude_venv_hook.installation.coverage import find_launches, why_proxy_is_down

pytestmark = pytest.mark.usefixtures("own_socket")

DESCRIPTION = "Docker through paude-venv-hook, which shadows the venvs of workspaces"
NAMES = "`paude-venv-hook install` names the one that is here"
INSTALL = "`paude-venv-hook install` changes that"
RECORD = '.local/share/paude/docker-before.json = {"context": "default", "upstream": "/var/run/docker.sock"}'
SERVICE = (
    ".config/systemd/user/paude-venv-docker-proxy.service = "
    "# Made by `paude-venv-hook install`; `paude-venv-hook uninstall` removes it.\n"
)


@pytest.fixture(autouse=True)
def machine(machine_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return what stands for the machine's folder of containers.conf. Not root asks."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    return machine_folder


@pytest.fixture
def workspace(workspace: Path) -> Path:
    """Return a workspace that opted in."""
    return fill(workspace, "paude.json = {}")


@pytest.fixture
def link(tmp_path: Path) -> Callable[[str, str], Path]:
    """Return a function that makes a link on PATH, called as an engine is, to an installed wrapper."""

    def make(name: str, wrapper: str) -> Path:
        fill(tmp_path, f"venv/bin/{wrapper} = #!/bin/sh\nexit 1\n", f"bin/{wrapper} -> ../venv/bin/{wrapper}")
        (tmp_path / "venv" / "bin" / wrapper).chmod(0o755)
        path = tmp_path / "programs" / name
        path.symlink_to(tmp_path / "bin" / wrapper)
        return path

    return make


def told(folder: Path) -> list[tuple[str, str, str]]:
    """Return what is said of the launches in a workspace folder."""
    return [(item.engine, item.by, item.why) for item in find_launches(str(folder), os.environ)]


def hook_file(folder: Path, program: Path) -> Path:
    """Make the hook file of an installed hook, as far as it tells of its program."""
    text = json.dumps({"hook": {"path": "/bin/sh", "args": ["sh", "-c", "…", str(program)]}})
    return fill(folder, f"paude-venv-hook.json = {text}") / "paude-venv-hook.json"


# ---- Podman


def test_without_an_engine_there_is_nothing_to_say(workspace: Path, stand_ins: StandIns) -> None:
    assert told(workspace) == []


def test_nothing_covers_what_nobody_installed(workspace: Path, stand_ins: StandIns) -> None:
    stand_ins.add("docker", "podman")

    assert told(workspace) == [("docker", "", INSTALL), ("podman", "", INSTALL)]


@pytest.mark.parametrize("whose", ["user", "machine", "configured"])
def test_podmans_hook_covers_podman_which_is_not_started_for_it(
    workspace: Path, stand_ins: StandIns, home: Path, machine: Path, tmp_path: Path, whose: str
) -> None:
    program = stand_ins.folder / "podman"
    fill(stand_ins.folder, "podman = #!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    own = home / ".config" / "containers"
    if whose == "configured":
        path = hook_file(tmp_path / "hooks", program)
        fill(own, f"paude-venv-hook.folders = {tmp_path}/hooks\n")
    else:
        path = hook_file((own if whose == "user" else machine) / "paude-venv-hook.d", program)

    assert told(workspace) == [("podman", "hook", f"Podman's hook {path}")]


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"hook": {"args": []}}', '{"hook": {"args": [1]}}'])
def test_a_hook_file_that_starts_nothing_covers_nothing(
    workspace: Path, stand_ins: StandIns, home: Path, text: str
) -> None:
    stand_ins.add("podman")
    folder = fill(home / ".config/containers/paude-venv-hook.d", f"paude-venv-hook.json = {text}")

    assert told(workspace) == [
        ("podman", "", f"Podman's hook {folder}/paude-venv-hook.json starts a program that is gone; {NAMES}")
    ]


def test_a_hook_whose_program_is_gone_covers_nothing(
    workspace: Path, stand_ins: StandIns, home: Path, tmp_path: Path
) -> None:
    stand_ins.add("podman")
    path = hook_file(home / ".config/containers/paude-venv-hook.d", tmp_path / "gone")

    assert told(workspace) == [("podman", "", f"Podman's hook {path} starts a program that is gone; {NAMES}")]


def test_podman_is_asked_where_it_may_read_another_configuration(
    workspace: Path, stand_ins: StandIns, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_ins.add("podman")
    hook_file(home / ".config/containers/paude-venv-hook.d", stand_ins.folder / "podman")
    monkeypatch.setenv("CONTAINERS_CONF", "/own.conf")

    podman = stand_ins.folder / "podman"
    reads = f"{podman} reads no paude-venv-hook.json; run `paude-venv-hook install` again"
    assert told(workspace) == [("podman", "", reads)]
    path = hook_file(home / "hooks", podman)
    assert told(workspace) == [("podman", "hook", f"Podman's hook {path}")]


def test_the_containers_of_another_machine_are_not_covered(
    workspace: Path, stand_ins: StandIns, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_ins.add("podman")
    hook_file(home / ".config/containers/paude-venv-hook.d", stand_ins.folder / "podman")
    monkeypatch.setenv("CONTAINER_HOST", "ssh://me@far/run/podman.sock")

    assert told(workspace) == [
        ("podman", "", "CONTAINER_HOST leads to ssh://me@far/run/podman.sock, which is another machine")
    ]


def test_a_connection_may_lead_to_another_machine(
    workspace: Path, programs: Callable[[str, str], Path], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    podman = programs("podman", """echo '[{"Name": "far", "URI": "ssh://me@far"}]'""")
    hook_file(home / ".config/containers/paude-venv-hook.d", podman)
    monkeypatch.setenv("CONTAINER_CONNECTION", "far")

    why = "the Podman connection far leads to ssh://me@far, which is another machine"
    assert told(workspace) == [("podman", "", why)]


def test_a_docker_that_is_podman_is_covered_by_what_covers_podman(
    workspace: Path, stand_ins: StandIns, home: Path
) -> None:
    stand_ins.add("podman")
    (stand_ins.folder / "docker").symlink_to("podman")
    path = hook_file(home / ".config/containers/paude-venv-hook.d", stand_ins.folder / "podman")

    assert told(workspace) == [
        ("docker", "hook", f"is Podman: Podman's hook {path}"), ("podman", "hook", f"Podman's hook {path}")
    ]  # fmt: skip


def test_a_folder_that_did_not_opt_in_is_not_covered(
    workspace: Path, stand_ins: StandIns, home: Path, own_socket: Path, proxy: None
) -> None:
    stand_ins.add("docker", "podman")
    path = hook_file(home / ".config/containers/paude-venv-hook.d", stand_ins.folder / "podman")
    stand_ins.add_context("paude-venv", f"unix://{own_socket}", DESCRIPTION)
    stand_ins.use_context("paude-venv")
    (workspace / "paude.json").unlink()

    but = ", only for folders with a paude.json or a devcontainer.json; add one here"
    assert told(workspace) == [
        ("docker", "", f"the docker context paude-venv{but}"), ("podman", "", f"Podman's hook {path}{but}")
    ]  # fmt: skip
    fill(workspace, ".devcontainer/devcontainer.json = {}")
    assert [item[1] for item in told(workspace)] == ["context", "hook"]


# ---- the wrappers


@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_a_link_to_a_wrapper_first_on_path_covers_what_starts_the_command(
    workspace: Path, stand_ins: StandIns, link: Callable[[str, str], Path], engine: str
) -> None:
    path = link(engine, f"paude-venv-{engine}")
    (workspace / "paude.json").unlink()  # a wrapper asks for no such file

    assert told(workspace) == [(engine, "wrapper", f"the wrapper {path}, for what starts that command")]


def test_a_docker_that_leads_to_podmans_wrapper_is_covered(
    workspace: Path, stand_ins: StandIns, link: Callable[[str, str], Path], programs: Callable[[str, str], Path]
) -> None:
    path = link("docker", "paude-venv-podman")
    programs("../venv/bin/paude-venv-podman", "echo podman version 5.0.0")

    assert told(workspace) == [("docker", "wrapper", f"is Podman: the wrapper {path}, for what starts that command")]


# ---- Docker


def test_a_context_in_use_that_leads_to_the_proxy_covers_docker(
    workspace: Path, stand_ins: StandIns, own_socket: Path, proxy: None
) -> None:
    stand_ins.add("docker")
    stand_ins.add_context("paude-venv", f"unix://{own_socket}", DESCRIPTION)
    stand_ins.use_context("paude-venv")

    assert told(workspace) == [("docker", "context", "the docker context paude-venv")]
    assert (stand_ins.inspections(), stand_ins.calls()) == (1, [])


@pytest.mark.parametrize(
    "spelling", ["unix://{}/docker.sock", "unix://{}/../paude/docker.sock", " unix://{}/docker.sock "]
)
def test_docker_host_that_leads_to_the_proxy_covers_docker(
    workspace: Path, stand_ins: StandIns, own_socket: Path, proxy: None, spelling: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_ins.add("docker")
    monkeypatch.setenv("DOCKER_HOST", spelling.format(own_socket.parent))

    assert told(workspace) == [("docker", "DOCKER_HOST", "DOCKER_HOST")]
    assert stand_ins.inspections() == 0


def test_a_context_of_ours_counts_where_the_runtime_folder_is_not_known(
    workspace: Path, stand_ins: StandIns, own_socket: Path, proxy: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_ins.add("docker")
    stand_ins.add_context("paude-venv", f"unix://{own_socket}", DESCRIPTION)
    stand_ins.use_context("paude-venv")
    monkeypatch.delenv("XDG_RUNTIME_DIR")

    assert told(workspace) == [("docker", "context", "the docker context paude-venv")]


@pytest.mark.parametrize("by_systemd", [True, False])
@pytest.mark.parametrize("variable", [True, False])
def test_a_proxy_that_is_dead_is_said_with_what_mends_it(
    workspace: Path, stand_ins: StandIns, home: Path, own_socket: Path, by_systemd: bool, variable: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    stand_ins.add("docker")
    fill(home, RECORD)
    if by_systemd:
        fill(home, SERVICE)
    if variable:
        monkeypatch.setenv("DOCKER_HOST", f"unix://{own_socket}")
    else:
        stand_ins.add_context("paude-venv", f"unix://{own_socket}", DESCRIPTION)
        stand_ins.use_context("paude-venv")

    said_in = "DOCKER_HOST" if variable else "the docker context paude-venv"
    advice = (
        "`systemctl --user restart paude-venv-docker-proxy.service` starts it again"
        if by_systemd
        else "it has to be kept running: `paude-venv-hook docker-proxy --upstream /var/run/docker.sock`"
    )
    line = f"{said_in} leads to the proxy at {own_socket}, which is down; {advice}"
    assert told(workspace) == [("docker", "", line)]
    assert why_proxy_is_down(os.environ) == line


def test_a_context_that_is_installed_and_not_in_use_is_named(
    workspace: Path, stand_ins: StandIns, home: Path, own_socket: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_ins.add("docker")
    fill(home, RECORD, SERVICE)

    use = "`paude-venv-hook install --use` changes that"
    assert told(workspace) == [("docker", "", f"the docker context default is in use; {use}")]
    monkeypatch.setenv("DOCKER_CONTEXT", "default")
    beats = "is set, and beats the context in use; unset it, or set it to"
    assert told(workspace) == [("docker", "", f"DOCKER_CONTEXT {beats} paude-venv")]
    monkeypatch.setenv("DOCKER_HOST", "unix:///var/run/docker.sock")
    assert told(workspace) == [("docker", "", f"DOCKER_HOST {beats} unix://{own_socket}")]


def test_without_systemd_a_proxy_that_is_down_has_to_be_kept_running(
    workspace: Path, stand_ins: StandIns, home: Path, own_socket: Path
) -> None:
    stand_ins.add("docker")
    fill(home, RECORD)

    assert told(workspace) == [
        (
            "docker",
            "",
            f"the docker context default is in use, and the proxy at {own_socket} is down; it has to be kept running: "
            "`paude-venv-hook docker-proxy --upstream /var/run/docker.sock`",
        )
    ]
    assert why_proxy_is_down(os.environ) == ""


def test_without_systemd_a_proxy_that_runs_can_be_used(
    workspace: Path, stand_ins: StandIns, home: Path, proxy: None
) -> None:
    stand_ins.add("docker")
    fill(home, RECORD)

    use = "`paude-venv-hook install --use` changes that"
    assert told(workspace) == [("docker", "", f"the docker context default is in use; {use}")]


def test_a_proxy_of_which_no_record_tells_finds_its_daemon_itself(
    workspace: Path, stand_ins: StandIns, own_socket: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_ins.add("docker")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{own_socket}")

    assert why_proxy_is_down(os.environ) == (
        f"DOCKER_HOST leads to the proxy at {own_socket}, which is down; it has to be kept running: "
        "`paude-venv-hook docker-proxy`"
    )


@pytest.mark.parametrize("docker", [None, "exit 1"])
def test_without_a_docker_that_tells_of_its_daemon_no_proxy_is_down(
    own_socket: Path, programs: Callable[[str, str], Path], docker: str | None
) -> None:
    if docker:
        programs("docker", f'[ "$1" != --version ] || exec echo Docker version 28; {docker}')

    assert why_proxy_is_down(os.environ) == ""


def test_a_proxy_that_runs_is_not_down(stand_ins: StandIns, own_socket: Path, proxy: None) -> None:
    stand_ins.add("docker")
    stand_ins.add_context("paude-venv", f"unix://{own_socket}", DESCRIPTION)
    stand_ins.use_context("paude-venv")

    assert why_proxy_is_down(os.environ) == ""


@pytest.mark.parametrize("variable", [True, False])
def test_a_daemon_of_another_machine_is_not_covered(
    workspace: Path, stand_ins: StandIns, variable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_ins.add("docker")
    stand_ins.add_context("far", "ssh://me@far")
    stand_ins.use_context("far")
    if variable:
        monkeypatch.setenv("DOCKER_HOST", "ssh://me@far")

    said_in = "DOCKER_HOST" if variable else "the docker context far"
    assert told(workspace) == [
        ("docker", "", f"{said_in} leads to ssh://me@far, whose folders are not those of this machine")
    ]


@pytest.mark.parametrize("script", ["exit 1", "echo '[{}, {}]'", "echo '[]'", "echo '[1]'", "echo '{'"])
def test_a_docker_that_says_nothing_of_its_context_is_not_covered(
    workspace: Path, programs: Callable[[str, str], Path], script: str
) -> None:
    programs("docker", f'[ "$1" != --version ] || exec echo Docker version 28; {script}')

    assert told(workspace) == [("docker", "", INSTALL)]


def test_a_user_for_whom_no_proxy_can_be_is_told_why(
    workspace: Path, stand_ins: StandIns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_ins.add("docker", "podman")
    runtime = f"/run/{'x' * 100}"
    monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)

    (docker, podman) = told(workspace)

    assert docker[:2] == ("docker", "")
    assert docker[2].startswith(f"--listen: {runtime}/paude/docker.sock is longer than the 10")
    assert podman == ("podman", "", INSTALL)
