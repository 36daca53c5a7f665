"""The user's folders are those of platformdirs."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import platformdirs
import pytest
from pytest_mock import MockerFixture

from layout import fill
from paude_venv_hook.errors import EngineError, StoreError
from paude_venv_hook.folders import config_home, home_folder, needed_folder, user_folder


@pytest.mark.parametrize("platform", ["linux", "elsewhere"])
@pytest.mark.parametrize("xdg", [None, "", "/xdg", "/xdg/", "relative", "~/x"])
@pytest.mark.parametrize("user_home", ["/home/me", "/home/me/", "/"])
def test_they_are_what_platformdirs_says(
    monkeypatch: pytest.MonkeyPatch, mocker: MockerFixture, platform: str, xdg: str | None, user_home: str
) -> None:
    monkeypatch.setenv("HOME", user_home)
    for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
        if xdg is not None:
            monkeypatch.setenv(name, xdg)
    expected = {
        "config": platformdirs.user_config_dir("paude", appauthor=False),
        "cache": platformdirs.user_cache_dir("paude", appauthor=False),
        "data": platformdirs.user_data_dir("paude", appauthor=False),
    }
    mocker.patch("sys.platform", platform)

    assert {kind: user_folder(kind) for kind in expected} == expected


@pytest.mark.parametrize("said", [None, "", "relative", "~/x"])
def test_without_home_the_list_of_users_tells(monkeypatch: pytest.MonkeyPatch, said: str | None) -> None:
    monkeypatch.delenv("HOME") if said is None else monkeypatch.setenv("HOME", said)
    own = pwd.getpwuid(os.getuid()).pw_dir

    assert user_folder("config") == f"{own.rstrip('/')}/.config/paude"


@pytest.mark.parametrize("platform", ["linux", "elsewhere"])
@pytest.mark.parametrize("kind", ["config", "cache"])
def test_a_user_whom_nobody_knows_has_no_folder(
    monkeypatch: pytest.MonkeyPatch, mocker: MockerFixture, platform: str, kind: str
) -> None:
    """And above all not one that is called `~` in the current folder, which may be a stranger's."""
    monkeypatch.delenv("HOME")
    mocker.patch("pwd.getpwuid", side_effect=KeyError)
    mocker.patch("sys.platform", platform)

    assert user_folder(kind) == ""


def test_a_folder_that_is_needed_is_asked_for_in_one_line() -> None:
    assert needed_folder("/home/me/.cache/paude", EngineError) == "/home/me/.cache/paude"
    with pytest.raises(EngineError, match=r"^HOME: is not set, and this user has no home folder; set it$"):
        needed_folder("", EngineError)
    line = r"^HOME: is not set, and this user has no home folder; set it, or keep venvs in memory$"
    with pytest.raises(StoreError, match=line):
        needed_folder("", StoreError, "keep venvs in memory")


@pytest.mark.parametrize(
    ("variable", "folder"), [("/xdg", "/xdg"), ("", "{}/.config"), ("relative", "{}/.config"), (None, "{}/.config")]
)
def test_where_programs_have_their_configuration(home: Path, variable: str | None, folder: str) -> None:
    environ = {} if variable is None else {"XDG_CONFIG_HOME": variable}

    assert config_home(environ) == folder.format(home)


@pytest.mark.parametrize(
    "words", [["print", "--quiet"], ["exec", "--engine", "podman", "/bin/echo", "run", "-v", ".:/app", "IMG"]]
)
def test_a_user_without_a_home_can_launch(workspace: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    fill(workspace, "~/.config/paude/paude.json = nonsense", ".venv/pyvenv.cfg")
    monkeypatch.delenv("HOME")
    code = "import pwd, sys; from unittest import mock; pwd.getpwuid = mock.Mock(side_effect=KeyError)\n"
    code += "from paude_venv_hook.cli import main; sys.exit(main(sys.argv[1:]))"

    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    path = subprocess.run([sys.executable, "-c", code, "path"], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr.replace("Shadowing venv: .venv\n", "")) == (0, "")
    assert "/.venv:rw," in done.stdout
    assert (path.returncode, path.stdout) == (1, "")
    assert path.stderr == (
        "paude-venv-hook: error[overlay]: HOME: is not set, and this user has no home folder; set it, or use --output\n"
    )


@pytest.mark.parametrize(
    ("uid_map", "user"),
    [
        ("         0          0 4294967295\n", 0),
        ("         0       1000          1\n         1     100000      65536\n", 1000),
        ("      5000          7          1\n", 0),
        (None, 0),
    ],
)
def test_the_home_in_a_user_namespace_is_that_of_the_user_outside_of_it(
    monkeypatch: pytest.MonkeyPatch, mocker: MockerFixture, uid_map: str | None, user: int
) -> None:
    monkeypatch.delenv("HOME")
    mocker.patch("os.getuid", return_value=0)
    mocker.patch("pwd.getpwuid", side_effect=lambda number: SimpleNamespace(pw_dir=f"/home/{number}"))
    mocker.patch(
        "builtins.open", **({"side_effect": OSError} if uid_map is None else {"return_value": StringIO(uid_map)})
    )

    assert home_folder() == f"/home/{user}"
