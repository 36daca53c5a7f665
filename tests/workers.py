"""Who runs the tests, and which: one process a core for a whole folder, one alone for a file, or those of an engine."""

from __future__ import annotations

import re
from collections.abc import Generator
from pathlib import Path

import pytest

# The tests of one engine run one after another. Which engine it is: by what the test is called, or by its parameters.
ENGINES = (
    ("docker", re.compile(r"/docker_proxy/|/test_templates\.py|[\[-]docker[\]-]")),
    ("rootless", re.compile(r"/test_rootless\.py|[\[-]rootless[\]-]")),
    ("podman", re.compile("")),
)
_WITHOUT_ENGINE = re.compile(r"/test_bwrap\.py|/test_readme\.py::test_the_first_command")  # of tests/real


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the tests of one engine be run alone, as `.ci/run` does: each engine's in namespaces of their own."""
    engines = [engine for engine, _ in ENGINES]
    parser.addoption("--only-engine", choices=engines, help="of tests/real, run those of one engine alone")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is not of the engine that is asked for."""
    only = config.option.only_engine
    if only:
        config.hook.pytest_deselected(items=[item for item in items if engine_of(item.nodeid) != only])
        items[:] = [item for item in items if engine_of(item.nodeid) == only]


@pytest.hookimpl(wrapper=True)
def pytest_cmdline_main(config: pytest.Config) -> Generator[None, object, object]:
    """Choose the workers before pytest-xdist starts them."""
    choose_workers(config)
    return (yield)


def choose_workers(config: pytest.Config) -> None:
    """Choose one worker a core, unless the command line chooses, or names files or tests to run.

    A single test needs no workers, and an IDE or a debugger wants none; pytest-xdist itself knows of `--pdb`. With
    `--cov` it takes `-n`: pytest-cov has looked for workers by now.
    """
    if not config.pluginmanager.hasplugin("xdist") or hasattr(config, "workerinput"):
        return
    options = config.option
    is_chosen = options.numprocesses is not None or options.tx or getattr(options, "cov_source", None)
    if not is_chosen and all(Path(argument).is_dir() for argument in config.args):
        options.numprocesses = "auto"


@pytest.hookimpl(optionalhook=True)  # there is no such hook without pytest-xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Return what hands out single tests, but all of one engine to one worker, unless `--dist` wants another way."""
    # It need not be installed, and has no types.
    from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]  # noqa: PLC0415

    class OneWorkerAnEngine(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return unit(nodeid)

    return OneWorkerAnEngine(config, log) if config.option.dist == "load" else None


def unit(test: str) -> str:
    """Return what a worker runs as one: the test, or the name of the engine whose tests belong together."""
    return test if _WITHOUT_ENGINE.search(test) else engine_of(test) or test


def engine_of(test: str) -> str:
    """Return the engine with whose tests a test of tests/real is run, "" for others."""
    if "tests/real/" not in test and not test.startswith("real/"):
        return ""
    return next(engine for engine, pattern in ENGINES if pattern.search(test))
