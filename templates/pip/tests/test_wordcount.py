"""The package, the compiled module below it, and the command that the venv installs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from regex import _regex
from wordcount import count_words


def test_words_are_counted_in_any_script() -> None:
    assert count_words("Äpfel, äpfel; 大小") == {"äpfel": 2, "大小": 1}


def test_the_compiled_module_is_the_one_of_this_venv() -> None:
    assert Path(sys.prefix) in Path(_regex.__file__).parents


def test_the_command_of_this_venv_runs() -> None:
    command = shutil.which("wordcount", path=str(Path(sys.executable).parent))
    assert command
    done = subprocess.run([command], input="to be to", capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["2 to", "1 be"]
