"""The tests themselves stay away from the user's own folders."""

from __future__ import annotations

import os
from pathlib import Path

import own_home
from paude_venv_hook import overlay
from paude_venv_hook.workspace import settings

HOME_OF_THE_RUN = os.path.expanduser("~")


def test_no_path_of_ours_lies_in_the_real_home_folder(home: Path, tmp_path: Path) -> None:
    paths = [os.path.expanduser("~"), settings.user_file(), overlay.default_path(str(tmp_path))]

    assert [path for path in paths if not path.startswith(str(home))] == []
    assert len({str(home), HOME_OF_THE_RUN, os.environ[own_home.PERSONS]}) == 3


def test_a_run_finds_what_engines_and_installers_are_told_and_writes_elsewhere(tmp_path: Path) -> None:
    person, other, own = (tmp_path / name for name in ("person", "other", "own"))
    for folder in (person / ".docker", person / ".config/pip", person / ".config/paude", other / "containers", own):
        folder.mkdir(parents=True)

    environ = own_home.furnish(own, {**os.environ, "HOME": str(person), "XDG_DATA_HOME": str(other)})

    assert {str(path.relative_to(own)): path.readlink() for path in own.rglob("*") if path.is_symlink()} == {
        ".docker": person / ".docker",
        ".config/pip": person / ".config/pip",
        ".local/share/containers": other / "containers",
    }
    assert (environ["HOME"], environ[own_home.PERSONS]) == (str(own), str(person))
    assert "XDG_DATA_HOME" not in environ


def test_no_repository_but_that_of_the_test_is_gits(home: Path) -> None:
    """A hook of git, as pre-commit installs them, has GIT_DIR and more in its environment."""
    assert {name for name in os.environ if name.startswith("GIT_")} == {"GIT_CONFIG_GLOBAL"}
