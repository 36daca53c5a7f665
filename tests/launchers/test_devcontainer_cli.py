"""devcontainer-config: the base configuration with the run arguments appended."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import MakeVenv
from layout import fill
from paude_venv_hook.cli import main

BASE = """{
  // the base
  "image": "x", "name": "${localWorkspaceFolderBasename}", "runArgs": ["--init"],
  "mounts": ["type=volume,source=cache-${devcontainerId},target=/cache"],
}"""
DOCKER = "rw,exec,nosuid,nodev,uid=1000,gid=1000,mode=1777"


@pytest.fixture
def app(workspace: Path, make_venv: MakeVenv, programs: Callable[[str, str], Path]) -> Path:
    """Return a workspace with a venv and a base; both engines are on PATH."""
    programs("docker", "echo Docker version 28")
    programs("podman", "echo podman version 5")
    make_venv(workspace / ".venv")
    (workspace / ".devcontainer.json").write_text(BASE)
    (workspace / "paude.json").write_text('{"venv-tmpfs": {"uid": 1000, "gid": 1000}}')
    return workspace


def test_all_but_the_run_arguments_means_the_same(app: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["devcontainer-config"]) == 0

    out, err = capfd.readouterr()
    assert json.loads(out) == {
        "image": "x",
        "name": "${localWorkspaceFolderBasename}",
        "runArgs": ["--init", "--tmpfs", f"/workspaces/app/.venv:{DOCKER}"],
        "mounts": ["type=volume,source=cache-${devcontainerId},target=/cache"],
    }
    assert err == ""
    assert (app / ".devcontainer.json").read_text() == BASE


def test_the_engine_is_what_docker_is_though_podman_is_on_path(
    app: Path, programs: Callable[[str, str], Path], capfd: pytest.CaptureFixture[str]
) -> None:
    programs("docker", "echo podman version 5")

    assert main(["devcontainer-config"]) == 0

    podman = "rw,exec,nosuid,nodev,notmpcopyup,mode=1777"
    assert json.loads(capfd.readouterr().out)["runArgs"][-1] == f"/workspaces/app/.venv:{podman}"


@pytest.mark.parametrize("said", ["flag", "environment"])
def test_an_engine_that_is_given_counts(
    app: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], said: str
) -> None:
    if said == "environment":
        monkeypatch.setenv("PAUDE_VENV_ENGINE", "podman")

    assert main(["devcontainer-config", *(["--engine", "podman"] if said == "flag" else [])]) == 0

    assert "notmpcopyup" in capfd.readouterr().out


def test_it_can_be_written_to_a_file(app: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["devcontainer-config", "--output", "out.json"]) == 0

    assert json.loads((app / "out.json").read_text())["runArgs"][0] == "--init"
    assert capfd.readouterr() == ("", "")


def test_a_volume_that_is_a_bind_of_the_workspace_is_shadowed_too(
    app: Path, programs: Callable[[str, str], Path], capfd: pytest.CaptureFixture[str]
) -> None:
    options = {"type": "none", "o": "bind", "device": str(app)}
    programs("docker", f"printf '%s' '{json.dumps([{'Driver': 'local', 'Options': options}])}'")
    fill(app, '.devcontainer.json = {"image": "i", "mounts": ["type=volume,source=code,target=/code"]}')

    assert main(["devcontainer-config", "--engine", "docker", "--quiet"]) == 0

    added = json.loads(capfd.readouterr().out)["runArgs"]
    assert [word.partition(":")[0] for word in added[1::2]] == ["/workspaces/app/.venv", "/code/.venv"]


def test_another_container_of_which_the_engine_does_not_tell_is_one_line(
    app: Path, programs: Callable[[str, str], Path], capfd: pytest.CaptureFixture[str]
) -> None:
    programs("docker", "echo 'Cannot connect' >&2; exit 1")
    fill(app, '.devcontainer.json = {"image": "i", "runArgs": ["--volumes-from=other"]}')

    assert main(["devcontainer-config", "--engine", "docker"]) == 0

    assert capfd.readouterr().err == (
        "paude-venv-hook: warning: nothing shadowed of what --volumes-from other brings: the engine does not tell: "
        "Cannot connect; mount the folder itself, or see whether the engine answers\n"
    )


def test_without_a_base_there_is_nothing_to_print(workspace: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["devcontainer-config"]) == 1

    assert capfd.readouterr() == (
        "",
        f"paude-venv-hook: error[devcontainer]: {workspace}: there is no devcontainer.json; name one with --config\n",
    )


def test_an_argument_that_the_tools_would_change_is_refused(
    tmp_path: Path, make_venv: MakeVenv, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = make_venv(tmp_path / "${localEnv:HOME}" / ".venv").parent
    (folder / ".devcontainer.json").write_text('{"workspaceMount": "type=bind,source=.,target=/a", "image": "x"}')

    assert main(["devcontainer-config", "--workspace-folder", str(folder), "--engine", "podman"]) == 0
    (folder / ".devcontainer.json").write_text('{"image": "x"}')
    assert main(["devcontainer-config", "--workspace-folder", str(folder), "--engine", "podman"]) == 1

    destination = "/workspaces/${localEnv:HOME}/.venv"
    podman = "destination=" + destination  # the colon makes it the --mount form
    assert capfd.readouterr().err == (
        f"paude-venv-hook: error[devcontainer]: type=tmpfs,{podman},notmpcopyup,exec,tmpfs-mode=1777: "
        "holds what devcontainer.json replaces; rename the folder\n"
    )


def test_a_number_that_json_has_not_is_refused(app: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (app / ".devcontainer.json").write_text('{"image": "x", "hostRequirements": {"cpus": Infinity}}')

    assert main(["devcontainer-config"]) == 1

    message = f"{app}/.devcontainer.json: holds a number that JSON cannot write; remove it"
    assert capfd.readouterr() == ("", f"paude-venv-hook: error[devcontainer]: {message}\n")
