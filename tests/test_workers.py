"""Which tests run side by side."""

from __future__ import annotations

import pytest

from workers import choose_workers, engine_of, unit

pytest_plugins = ["pytester"]


@pytest.mark.parametrize(
    ("arguments", "workers"),
    [
        pytest.param([], "auto", id="nothing named"),
        pytest.param(["."], "auto", id="a folder"),
        pytest.param([".", "--pdb"], "auto", id="a debugger, of which pytest-xdist knows"),
        pytest.param(["test_it.py"], None, id="a file"),
        pytest.param([".", "test_it.py::test"], None, id="a test"),
        pytest.param(["-n3", "test_it.py"], 3, id="as many as asked for"),
        pytest.param(["-n0"], 0, id="none asked for"),
    ],
)
def test_a_folders_tests_run_on_all_cores(
    arguments: list[str], workers: object, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile(test_it="def test(): pass")
    config = pytester.parseconfig(*arguments)

    choose_workers(config)

    assert config.option.numprocesses == workers


def test_without_pytest_xdist_there_are_no_workers(pytester: pytest.Pytester) -> None:
    config = pytester.parseconfig("-p", "no:xdist")

    choose_workers(config)

    assert not hasattr(config.option, "numprocesses")


def test_with_coverage_they_have_to_be_asked_for(pytester: pytest.Pytester) -> None:
    """Since pytest-cov looks for them before."""
    config = pytester.parseconfig()
    config.option.cov_source = ["paude_venv_hook"]

    choose_workers(config)

    assert config.option.numprocesses is None


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


@pytest.mark.parametrize(
    "test",
    [
        "tests/test_plan.py::test_it[docker]",
        "tests/real/test_bwrap.py::test_it[root]",
        "tests/real/test_readme.py::test_the_first_command",
    ],
)
def test_those_that_need_no_engine_are_each_by_itself(test: str) -> None:
    assert unit(test) == test


def test_a_sandbox_is_tested_beside_podman() -> None:
    assert engine_of("tests/real/test_bwrap.py::test_it[root]") == "podman"


def test_those_of_one_engine_can_be_run_alone(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("pytest_plugins = ['workers']")
    folder = pytester.mkdir("tests") / "real"
    folder.mkdir()
    parametrized = "@pytest.mark.parametrize('engine', ['docker', 'podman'])\ndef test_it(engine): pass\n"
    (folder / "test_them.py").write_text(f"import pytest\n\n{parametrized}")
    (folder.parent / "test_plan.py").write_text("def test_it(): pass\n")

    result = pytester.runpytest("-p", "no:xdist", "--only-engine", "docker", "-v")

    result.assert_outcomes(passed=1, deselected=2)
    result.stdout.fnmatch_lines(["*test_it*docker* PASSED*"])
