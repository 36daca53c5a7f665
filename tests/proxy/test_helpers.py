"""Work in a process of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from layout import fill
from paude_venv_hook.proxy.helpers import Helper
from paude_venv_hook.proxy.loop import Loop


def nothing() -> None:
    """Have nothing more to do."""


def test_what_the_work_has_loaded_is_loaded_for_the_next_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, "paude_test_loaded.py = VALUE = 7")
    monkeypatch.syspath_prepend(str(tmp_path))
    loop, results = Loop(), []
    stop, stopping = os.pipe()

    def work() -> tuple[int, Callable[[], None]]:
        import paude_test_loaded  # type: ignore[import-not-found]  # noqa: PLC0415 - the point of it

        return paude_test_loaded.VALUE, nothing

    def done(result: object) -> None:
        results.append((result, "paude_test_loaded" in sys.modules))
        loop.later(0, lambda: loop.later(0, lambda: os.close(stopping)))

    Helper(loop, work, done)
    loop.run(stop)
    loop.close()
    os.close(stop)

    assert results == [(7, False)]
    assert sys.modules.pop("paude_test_loaded").VALUE == 7
