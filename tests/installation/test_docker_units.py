"""The units of systemd name each path as systemd reads it, whatever is in it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from paude_venv_hook.errors import EngineError
from paude_venv_hook.installation.docker_units import make_units, units_folder

NAMES = ["plain", "a blank", "100%h %u", "$HOME ${HOME}", "quo'tes\"", "back\\slash\\n", "ünï ;#@-:!+", " ends "]


def line(text: bytes | None, key: str) -> str:
    """Return what a unit says for a key."""
    lines = (text or b"").decode().splitlines()
    return next(item.removeprefix(f"{key}=") for item in lines if item.startswith(f"{key}="))


@pytest.mark.parametrize(
    ("program", "upstream", "command"),
    [
        ("/p/paude-venv-hook", "/run/s", "/p/paude-venv-hook docker-proxy --upstream /run/s"),
        ("/a b/p", "/c d/s", '"/a b/p" docker-proxy --upstream "/c d/s"'),
        ("/%h/p", "/%h/s", '"/%%h/p" docker-proxy --upstream "/%%h/s"'),
        ("/$A/p", "/$A/s", '"/$A/p" docker-proxy --upstream "/$$A/s"'),  # no variable stands for a program
        ("/p", "/q'u\"o/s", '/p docker-proxy --upstream "/q\'u\\"o/s"'),
        ("/p", "/b\\n/s", '/p docker-proxy --upstream "/b\\\\n/s"'),
        ("/q'/p", "/s", '/bin/sh -c "exec \\"$$0\\" \\"$$@\\"" "/q\'/p" docker-proxy --upstream /s'),
        ("/b\\/$p", "/s", '/bin/sh -c "exec \\"$$0\\" \\"$$@\\"" "/b\\\\/$$p" docker-proxy --upstream /s'),
    ],
)  # fmt: skip
def test_the_command_line_is_quoted(program: str, upstream: str, command: str) -> None:
    _, service = make_units(program, "/run/own.sock", upstream, {"HOME": "/home/me"})

    assert line(service.data, "ExecStart") == command


def test_the_service_finds_the_settings_and_the_stores_of_the_user() -> None:
    kept = {"XDG_CONFIG_HOME": "/my config/100%", "XDG_DATA_HOME": "/data", "XDG_CACHE_HOME": "/no", "XDG_STATE": "/no"}

    _, service = make_units("/p", "/s", "/u", {"HOME": "/home/me", **kept})

    assert (service.data or b"").decode().split("[Service]\n")[1] == (
        'Environment="XDG_CONFIG_HOME=/my config/100%%"\nEnvironment=XDG_DATA_HOME=/data\n'
        "ExecStart=/p docker-proxy --upstream /u\n"
    )
    assert service.path == "/my config/100%/systemd/user/paude-venv-docker-proxy.service"


@pytest.mark.parametrize("value", ["", "relative"])
def test_a_configuration_folder_that_is_no_absolute_path_does_not_count(value: str, home: Path) -> None:
    assert units_folder({"XDG_CONFIG_HOME": value}) == f"{home}/.config/systemd/user"


def test_a_user_without_a_home_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("paude_venv_hook.folders.home_folder", lambda: "")

    with pytest.raises(EngineError, match=r"^HOME: is not set, and this user has no home folder; set it$"):
        units_folder({})


@pytest.mark.parametrize("path", ["/a\nb", "/a\x1b", "/\udcff"])
def test_what_no_unit_can_name_is_refused(path: str) -> None:
    for words in ((path, "/s", "/u"), ("/p", path, "/u"), ("/p", "/s", path)):
        with pytest.raises(EngineError) as error:
            make_units(*words, {"HOME": "/home/me"})
        escaped = path.encode("unicode_escape").decode()
        assert str(error.value) == f"{escaped}: a unit of systemd cannot name such a path; rename it"


def test_a_socket_whose_path_is_too_long_is_refused() -> None:
    path = f"/{'x' * 107}"

    with pytest.raises(EngineError) as error:
        make_units("/p", path, "/u", {"HOME": "/home/me"})

    assert str(error.value).startswith(f"paude-venv-docker-proxy.socket: {path} is longer than the 1")


@pytest.mark.parametrize("name", NAMES)
def test_systemd_finds_nothing_wrong_with_the_units(name: str) -> None:
    analyze = shutil.which("systemd-analyze")
    if not analyze:
        pytest.skip("there is no systemd-analyze here")
    with TemporaryDirectory() as runtime:  # short, for the sake of the socket
        folder = Path(runtime, name)
        folder.mkdir()
        program = folder / "paude-venv-hook"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        environ = {"XDG_CONFIG_HOME": runtime, "XDG_DATA_HOME": f"{folder}/data"}
        units = make_units(str(program), f"{folder}/own.sock", f"{folder}/docker.sock", environ)
        for unit in units:
            unit.do()

        done = subprocess.run(
            [analyze, "verify", "--user", "--man=no", *(unit.path for unit in units)],
            capture_output=True, text=True, check=False, env={**os.environ, **environ, "XDG_RUNTIME_DIR": runtime},
        )  # fmt: skip

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
