"""Programs that tests start have signals as usual, even if whoever started the tests ignores some (`nohup`, `&`).

A handler that does nothing is as good as ignoring it, and a program that is started does not inherit a handler.
"""

from __future__ import annotations

import signal
from typing import Any

import pytest

SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
IGNORED = pytest.StashKey[list[int]]()


def pytest_configure(config: pytest.Config) -> None:
    """Ignore by a handler what is ignored; a worker ignores what the process that started it does."""
    ignored = getattr(config, "workerinput", {}).get("ignored")
    if ignored is None:
        ignored = [int(number) for number in SIGNALS if signal.getsignal(number) == signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, do_nothing)
    config.stash[IGNORED] = ignored


@pytest.hookimpl(optionalhook=True)  # there is no such hook without pytest-xdist
def pytest_configure_node(node: Any) -> None:  # pytest-xdist has no types
    """Tell a worker."""
    node.workerinput["ignored"] = node.config.stash[IGNORED]


def do_nothing(*_: object) -> None:
    """Handle a signal."""
