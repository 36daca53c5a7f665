"""The tests themselves stay away from the user's own folders."""

from __future__ import annotations

import os
from pathlib import Path

from paude_venv_hook import overlay
from paude_venv_hook.workspace import settings

REAL_HOME = os.path.expanduser("~")


def test_no_path_of_ours_lies_in_the_real_home_folder(home: Path, tmp_path: Path) -> None:
    paths = [os.path.expanduser("~"), settings.user_file(), overlay.default_path(str(tmp_path))]

    assert [path for path in paths if not path.startswith(str(home))] == []
    assert str(home) != REAL_HOME


def test_no_repository_but_that_of_the_test_is_gits(home: Path) -> None:
    """A hook of git, as pre-commit installs them, has GIT_DIR and more in its environment."""
    assert {name for name in os.environ if name.startswith("GIT_")} == {"GIT_CONFIG_GLOBAL"}
