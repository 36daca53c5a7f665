"""The tests pass even if whoever starts them ignores signals, as `nohup` and a script's `&` do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SENSITIVE = ("tests/launchers/test_wrapper.py", "tests/proxy/test_listener.py", "-k", "wrapper_loads or ends_cleanly")


def test_tests_of_signals_pass_where_signals_are_ignored() -> None:
    done = subprocess.run(
        ["sh", "-c", 'trap "" INT HUP PIPE QUIT; exec "$@"', "sh", *pytest_line("-p", "xdist", "-n1", *SENSITIVE)],
        cwd=ROOT, env=environ(), capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert " passed" in done.stdout


def test_what_is_ignored_does_not_end_the_run(tmp_path: Path) -> None:
    path = tmp_path / "test_it.py"
    path.write_text("import os, signal\ndef test(): os.kill(os.getpid(), signal.SIGHUP)\n")

    done = subprocess.run(
        ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *pytest_line("-p", "dispositions", path)],
        cwd=tmp_path, env=environ(), capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout


def pytest_line(*arguments: str | Path) -> list[str | Path]:
    """Return the words that run pytest."""
    return [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]


def environ() -> dict[str, str]:
    """Return the environment of a run that is not this one's worker, with the plugins that it names, to begin soon."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV"))}
    return {**own, "PYTHONPATH": str(ROOT / "tests"), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
