"""Which tests run side by side."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from test_dispositions import environ, pytest_line
from workers import unit


@pytest.mark.parametrize(
    ("arguments", "workers"),
    [
        pytest.param([], "2", id="nothing named"),
        pytest.param(["test_it.py::test[0]"], "none", id="a test"),
        pytest.param(["-n1", "test_it.py"], "1", id="as many as asked for"),
        pytest.param(["-p", "no:xdist"], "none", id="pytest-xdist turned off"),
        pytest.param(["--cov=os"], "none", id="coverage"),
    ],
)
def test_a_folders_tests_run_on_all_cores(arguments: list[str], workers: str, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import os, pytest\n"
        "@pytest.mark.parametrize('number', range(2))\n"
        "def test(number): print('workers:', os.environ.get('PYTEST_XDIST_WORKER_COUNT', 'none'))\n"
    )
    done = subprocess.run(
        pytest_line("-rP", "-p", "workers", *arguments), cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**environ(), "PYTEST_XDIST_AUTO_NUM_WORKERS": "2"},
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert set(re.findall(r"^workers: (\w+)", done.stdout, re.MULTILINE)) == {workers}


@pytest.mark.parametrize(
    ("test", "engine"),
    [
        ("tests/real/test_exec.py::test_it[docker-exec]", "docker"),
        ("tests/real/test_exec.py::test_it[exec-docker]", "docker"),
        ("tests/real/test_store.py::test_it[rootless]", "rootless"),
        ("tests/real/test_rootless.py::test_it", "rootless"),
        ("tests/real/docker_proxy/test_load.py::test_it[DOCKER_HOST]", "docker"),
        ("tests/real/test_templates.py::test_it[uv]", "docker"),
        ("tests/real/test_exec.py::test_docker[podman]", "podman"),
        ("tests/real/test_kubernetes.py::test_it", "podman"),
    ],
)
def test_one_worker_runs_the_tests_of_an_engine(test: str, engine: str) -> None:
    assert unit(test) == engine


def test_other_tests_are_each_by_itself() -> None:
    assert unit("tests/test_plan.py::test_it[docker]") == "tests/test_plan.py::test_it[docker]"
