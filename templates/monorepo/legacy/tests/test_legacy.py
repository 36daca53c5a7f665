"""The project beside the workspace, in its own venv."""

from __future__ import annotations

import sys
from pathlib import Path

from legacy import words
from regex import _regex


def test_words_keep_their_order() -> None:
    assert words("to be, or not") == ["to", "be", "or", "not"]


def test_the_compiled_module_is_the_one_of_this_venv() -> None:
    assert Path(sys.prefix) in Path(_regex.__file__).parents
