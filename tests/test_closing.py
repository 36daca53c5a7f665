"""What a run says at its end."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

TESTS = """
import pytest

@pytest.mark.parametrize("number", range(3))
def test_rare(number):
    pytest.skip("nothing here")

def test_loud():
    pytest.skip("NOT RUN HERE: an engine")

@pytest.mark.skipif(True, reason="another machine's")
def test_other():
    pass

def test_that_passes():
    pass
"""


@pytest.mark.parametrize("workers", ["-n0", "-n1"])
def test_each_reason_for_a_skip_is_one_line_and_the_loud_one_is_first(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, workers: str
) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # a worker begins sooner
    pytester.makepyfile(TESTS)

    done = pytester.runpytest_inprocess("-p", "closing", "-p", "xdist", workers)

    done.stdout.fnmatch_lines([
        "=* what was not run, and why =*",
        "    1  NOT RUN HERE: an engine",
        "    3  nothing here",
        "    1  another machine's",
    ], consecutive=True)  # fmt: skip
    done.stdout.fnmatch_lines(["=* 1 passed, 5 skipped in *"])


def test_where_all_was_run_nothing_more_is_said(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test(): pass")

    done = pytester.runpytest_inprocess("-p", "closing", "-n0")

    done.stdout.no_fnmatch_line("*what was*")
