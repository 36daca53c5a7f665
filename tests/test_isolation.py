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
