"""Which engine is taken: said by the user, or found on a PATH of (fake) programs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from paude_venv_hook.engines import choice
from paude_venv_hook.engines.choice import choose_engine, engine_called_docker, is_podman
from paude_venv_hook.errors import SettingsError

Programs = Callable[[str, str], Path]
NONE = ("podman", "neither podman nor docker is on PATH")
DOCKER = ("docker", "docker is on PATH")
PODMAN = ("podman", "podman is on PATH")
DISGUISED = ("podman", "docker on PATH is Podman")


@pytest.mark.parametrize(
    ("scripts", "chosen"),
    [
        pytest.param({}, NONE, id="none at all"),
        pytest.param({"docker": "echo Docker version 28.5.2, build x"}, DOCKER, id="Docker"),
        pytest.param({"podman": "exit 1"}, PODMAN, id="Podman, which is not asked"),
        pytest.param({"docker": "exit 1", "podman": "exit 1"}, PODMAN, id="both"),
        pytest.param({"docker": "echo podman version 4.3.1"}, DISGUISED, id="podman-docker"),
        pytest.param({"docker": "echo docker version 5.8.6"}, DISGUISED, id="Podman under the name of docker"),
        pytest.param({"docker": "echo podman version 4.3.1; exit 1"}, DISGUISED, id="... with an exit code"),
        pytest.param({"docker": "exit 1"}, DOCKER, id="a docker that says nothing"),
        pytest.param({"docker": "echo docker version 5.8.6 >&2"}, DOCKER, id="a docker that says it on stderr"),
        pytest.param({"docker": "echo $SAYS"}, DISGUISED, id="the environment is passed on"),
        pytest.param({"docker.exe": "", "podman-remote": ""}, NONE, id="other names"),
    ],
)
def test_the_engine_on_path(programs: Programs, scripts: dict[str, str], chosen: tuple[str, str]) -> None:
    for name, script in scripts.items():
        programs(name, script)

    assert choose_engine("auto", {**os.environ, "SAYS": "podman version 5.4.2"}) == chosen


def test_a_symlink_to_podman_is_podman_without_being_started(programs: Programs, tmp_path: Path) -> None:
    programs("docker", "exit 1").rename(tmp_path / "podman")
    (tmp_path / "programs" / "docker").symlink_to(tmp_path / "podman")

    assert choose_engine("auto", os.environ) == DISGUISED
    assert engine_called_docker(os.environ) == "podman"


def test_a_binary_called_docker_is_docker_without_being_started(programs: Programs, tmp_path: Path) -> None:
    program = programs("docker", "")
    started = tmp_path / "started"
    program.write_text(f"\n: > {started}\n")  # a shell would run it, but it has no #!

    assert choose_engine("auto", os.environ) == DOCKER
    assert not started.exists()


@pytest.mark.parametrize("content", [b"\x7fELF", b"#!/no/such/interpreter\n", b""])
def test_a_program_that_does_not_start_is_no_podman(programs: Programs, tmp_path: Path, content: bytes) -> None:
    programs("docker", "").rename(tmp_path / "engine")
    (tmp_path / "engine").write_bytes(content)
    (tmp_path / "programs" / "docker").symlink_to(tmp_path / "engine")

    assert choose_engine("auto", os.environ) == DOCKER


@pytest.mark.parametrize(
    ("name", "expected"), [("podman", True), ("podman-remote", True), ("docker", False), ("docker-podman", False)]
)
def test_the_name_of_a_program_that_is_gone_decides(tmp_path: Path, name: str, *, expected: bool) -> None:
    assert is_podman(f"{tmp_path}/{name}", os.environ) is expected


def test_files_that_are_no_programs_are_no_engines(programs: Programs, tmp_path: Path) -> None:
    programs("docker", "exit 1").chmod(0o644)
    (tmp_path / "programs" / "podman").mkdir()

    assert choose_engine("auto", os.environ) == NONE
    assert engine_called_docker(os.environ) == "docker"


def test_a_relative_folder_on_path_does_not_count(
    programs: Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs("podman", "exit 1")
    monkeypatch.chdir(tmp_path / "programs")
    path = os.environ["PATH"]

    for entry in ("", ".", "../programs"):
        assert choose_engine("auto", {"PATH": os.pathsep.join([entry, entry])}) == NONE
        assert choose_engine("auto", {"PATH": os.pathsep.join([entry, path])}) == PODMAN


def test_the_flag_beats_the_environment_which_beats_path(programs: Programs) -> None:
    programs("podman", "exit 1")
    environ = {**os.environ, "PAUDE_VENV_ENGINE": "docker"}

    assert choose_engine("podman", environ) == ("podman", "--engine")
    assert choose_engine("docker", os.environ) == ("docker", "--engine")
    assert choose_engine("auto", environ) == ("docker", "PAUDE_VENV_ENGINE")
    assert choose_engine("auto", os.environ) == PODMAN


@pytest.mark.parametrize("value", ["auto", ""])
def test_auto_and_nothing_in_the_environment_mean_path(programs: Programs, value: str) -> None:
    programs("podman", "exit 1")

    assert choose_engine("auto", {**os.environ, "PAUDE_VENV_ENGINE": value}) == PODMAN


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("Docker", '"Docker" is no engine (did you mean "docker"?)'),
        ("podmann", '"podmann" is no engine (did you mean "podman"?)'),
        ("containerd", '"containerd" is no engine (did you mean "container"?)'),
        ("rkt", '"rkt" is no engine'),
        ("docker\n", r'"docker\n" is no engine (did you mean "docker"?)'),
    ],
)
def test_an_unknown_engine_in_the_environment_is_refused(value: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        choose_engine("auto", {"PAUDE_VENV_ENGINE": value})

    assert (
        str(caught.value)
        == f"PAUDE_VENV_ENGINE: {message}; use auto, docker, podman, nerdctl, finch, container or bwrap"
    )


@pytest.mark.parametrize("script", ['exec /usr/bin/podman "$@"', 'echo hint >&2\nexec podman "$@"'])
def test_a_script_that_becomes_podman_at_its_end_is_not_started(
    programs: Programs, tmp_path: Path, script: str
) -> None:
    """That is podman-docker, word for word."""
    program = programs("docker", f"echo started >{tmp_path}/started\n{script}\n")

    assert is_podman(str(program), os.environ)
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize("script", ["read line; echo podman version $line", "/bin/cat; echo docker version 4"])
def test_a_program_that_is_asked_reads_nothing_of_ours(programs: Programs, script: str) -> None:
    program = programs("docker", script)
    words = "import os, sys; from paude_venv_hook.engines.choice import is_podman; is_podman(sys.argv[1], os.environ)"
    code = f"{words}; print(sys.stdin.read())"

    done = subprocess.run(
        [sys.executable, "-c", code, str(program)], input="all", capture_output=True, text=True, check=True
    )

    assert done.stdout == "all\n"


def test_a_program_that_does_not_answer_is_no_podman(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "_VERSION_SECONDS", 0.05)
    program = programs("docker", "while :; do :; done")

    assert not is_podman(str(program), os.environ)
