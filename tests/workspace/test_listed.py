"""The directories that a list names: whether or not they exist, by a pattern, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from layout import fill
from paude_venv_hook.errors import SettingsError
from paude_venv_hook.workspace.contents import Directory, Kind, Reason
from paude_venv_hook.workspace.listed import find_listed


@pytest.mark.parametrize(
    ("names", "found"),
    [
        pytest.param(["env", ".tox"], [("env", "env", ""), (".tox", ".tox", "")], id="in the order of the list"),
        pytest.param(["gone", "envs/gone"], [("gone", "gone", ""), ("envs/gone", "envs/gone", "")], id="missing"),
        pytest.param(
            ["no/such/.venv"],
            [
                (
                    "no/such/.venv",
                    "no/such/.venv",
                    "no/such does not exist, so there is no place for a mount point; make it",
                )
            ],
            id="no parent",
        ),
        pytest.param(
            ["file/.venv"],
            [("file/.venv", "file/.venv", "file is no directory, so there is no place for a mount point; make it")],
            id="below a file",
        ),
        pytest.param(["link"], [("link", "envs/main", "")], id="a symlink inside of the workspace"),
        pytest.param(["up/env"], [("up/env", "env", "")], id="below a symlink to the workspace folder"),
        pytest.param(["folder/main"], [("folder/main", "envs/main", "")], id="below a symlink"),
        pytest.param(
            ["dangling/x"],
            [("dangling/x", "nowhere/x", "dangling does not exist, so there is no place for a mount point; make it")],
            id="below a dangling symlink",
        ),
        pytest.param([], [], id="an empty list"),
    ],
)
def test_listed_directories_are_taken_whether_or_not_they_exist(
    workspace: Path, names: list[str], found: list[tuple[str, str, str]]
) -> None:
    fill(workspace, "env/", ".tox/", "envs/main/", "file", "link -> envs/main", "folder -> envs", "up -> .")
    fill(workspace, "dangling -> nowhere")

    assert find_listed(str(workspace), names, "paude.json: venv", same_path=False) == [
        Directory(path, f"{workspace}/{host_path}", Kind.LISTED, problem=Reason(problem) if problem else None)
        for path, host_path, problem in found
    ]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("file", "is a file, and only a directory can be shadowed; remove the entry"),
        ("outside", "is a symlink to .., which holds the source; name the directory itself, or remove the entry"),
        ("usr", "is a symlink to /usr, outside of the workspace; name the directory itself, or remove the entry"),
        ("self", "is a symlink to self, which does not exist or loops; name the directory itself, or remove the entry"),
        ("link", "is a symlink to file, which is a file; name the directory itself, or remove the entry"),
        ("outside/x", "leaves the workspace folder through a symlink; name a directory inside of it"),
        ("usr/local", "leaves the workspace folder through a symlink; name a directory inside of it"),
        ("sub/out/x", "leaves the workspace folder through a symlink; name a directory inside of it"),
    ],
)
def test_a_listed_file_or_a_symlink_that_leaves_is_refused(workspace: Path, name: str, problem: str) -> None:
    fill(workspace, "file", "outside -> ..", "usr -> /usr", "self -> self", "link -> file", "sub/out -> ../..")

    with pytest.raises(SettingsError) as caught:
        find_listed(str(workspace), ["env", name], "paude.json: venv", same_path=False)

    assert str(caught.value) == f'paude.json: venv[1]: "{name}" {problem}'


def test_a_listed_absolute_symlink_is_refused_unless_the_container_has_the_same_path(workspace: Path) -> None:
    fill(workspace, "envs/main/", f"env -> {workspace}/envs/main")
    found = [Directory("env", f"{workspace}/envs/main", Kind.LISTED)]

    assert find_listed(str(workspace), ["env"], "--venv", same_path=True) == found
    with pytest.raises(SettingsError) as caught:
        find_listed(str(workspace), ["env"], "--venv", same_path=False)
    assert str(caught.value) == (
        f'--venv[0]: "env" is an absolute symlink to {workspace}/envs/main, which is another place in the container; '
        "name the directory itself, or remove the entry"
    )


def test_what_cannot_be_made_is_named_and_the_rest_taken(workspace: Path, mocker: MockerFixture) -> None:
    fill(workspace, "env/")
    mocker.patch("paude_venv_hook.workspace.listed.can_make", return_value=False)

    assert find_listed(str(workspace), ["env", "gone"], "--venv", same_path=False) == [
        Directory("env", f"{workspace}/env", Kind.LISTED),
        Directory(
            "gone",
            f"{workspace}/gone",
            Kind.LISTED,
            problem=Reason(f"{workspace} cannot be written, so no mount point can be made in it; make it"),
        ),
    ]


@pytest.mark.parametrize(
    ("pattern", "paths"),
    [
        ("packages/*/.venv", ["packages/a/.venv", "packages/b/.venv"]),
        ("packages/[a]/.venv", ["packages/a/.venv"]),
        ("packages/?/.venv", ["packages/a/.venv", "packages/b/.venv"]),
        ("*/.venv", []),  # what a symlink leads to has a name of its own
        (".*env", [".venv"]),
        ("old*", ["old"]),
        ("odd[1]", ["odd[1]"]),
        ("link/*/.venv", ["link/a/.venv", "link/b/.venv"]),
        ("linked/?/.venv", ["linked/c/.venv"]),
        ("gone/*/.venv", []),
    ],
)
def test_a_pattern_gives_the_venvs_that_match_it(workspace: Path, pattern: str, paths: list[str]) -> None:
    fill(workspace, "packages/a/.venv/pyvenv.cfg", "packages/b/.venv/", "packages/c/.venv/notes", "packages/d/")
    fill(workspace, "old/bin/activate", "old/lib/python2.7/orig-prefix.txt", "odd[1]/", "odd1/pyvenv.cfg")
    fill(workspace, "packages/e/.venv -> /usr", ".venv/pyvenv.cfg", "up -> .", "out -> ..", "link -> packages")
    fill(workspace, "linked/c/.venv -> ../../.venv")

    found = find_listed(str(workspace), [pattern], "paude.json: venv", same_path=False)

    assert [item.path for item in found if not item.problem] == paths
    assert [item.path for item in found if item.problem] == ([] if paths else [pattern])


def test_a_pattern_that_matches_no_venv_says_so(workspace: Path) -> None:
    fill(workspace, "packages/a/src/")

    assert find_listed(str(workspace), ["packages/*/.venv"], "--venv", same_path=False) == [
        Directory(
            "packages/*/.venv",
            f"{workspace}/packages/*/.venv",
            Kind.LISTED,
            problem=Reason("no venv matches it; make one, or remove the entry"),
        )
    ]


def test_a_pattern_reaches_nothing_outside_of_the_workspace(workspace: Path) -> None:
    fill(workspace.parent, "outside/x/pyvenv.cfg")
    fill(workspace, "out -> ../outside", "in/y/pyvenv.cfg")

    assert [item.path for item in find_listed(str(workspace), ["*/?"], "--venv", same_path=False)] == ["in/y"]


def test_a_pattern_opens_no_folder_outside_of_the_workspace(workspace: Path, mocker: MockerFixture) -> None:
    fill(workspace.parent, "outside/x/y/pyvenv.cfg")
    fill(workspace, "out -> ../outside", "in/out -> ../../outside")
    scandir = mocker.spy(os, "scandir")

    for pattern in ("out/*/*", "out/x/*", "*/*/*", "in/*/?", "in/out/*"):
        assert [item.problem for item in find_listed(str(workspace), [pattern], "--venv", same_path=False)]

    assert {os.path.realpath(call.args[0]) for call in scandir.call_args_list} <= {str(workspace), f"{workspace}/in"}


@pytest.mark.parametrize("part", ["*", "l?", "l[0-9]"])
def test_a_pattern_follows_no_symlinks_round_and_round(workspace: Path, mocker: MockerFixture, part: str) -> None:
    fill(workspace, *(f"l{index} -> ." for index in range(8)), "deep/x/")
    scandir = mocker.spy(os, "scandir")

    found = find_listed(str(workspace), ["/".join([part] * 12 + ["x"])], "--venv", same_path=False)

    assert [item.problem for item in found] == [Reason("no venv matches it; make one, or remove the entry")]
    assert scandir.call_count < 10


def test_patterns_look_at_a_bounded_number_of_directories_and_say_so_in_one_line(
    workspace: Path, mocker: MockerFixture
) -> None:
    for name in ("a", "b"):
        for number in range(40):
            fill(workspace, f"{name}/{number:02}/.venv/pyvenv.cfg")
    mocker.patch("paude_venv_hook.workspace.patterns.MOST_DIRECTORIES", 60)
    scandir = mocker.spy(os, "scandir")

    found = find_listed(str(workspace), ["*/*/.venv", "a/*/.venv", "a/0*/.venv", "env"], "--venv", same_path=False)

    assert scandir.call_count <= 60
    assert [item.path for item in found if not item.problem][:2] == ["a/00/.venv", "a/01/.venv"]
    assert [item.path for item in found if not item.problem][-1] == "env"
    assert [(item.path, item.problem) for item in found if item.problem] == [
        (
            "*/*/.venv and 2 more",
            Reason(
                "more than 5000 directories would have to be searched, and what was not stays visible; "
                "write names in place of some wildcards"
            ),
        )
    ]


def test_a_pattern_of_any_length_is_searched(workspace: Path) -> None:
    fill(workspace, "a/")

    (found,) = find_listed(str(workspace), ["*/" * 100_000 + "x"], "--venv", same_path=False)

    assert found.problem == Reason("no venv matches it; make one, or remove the entry")


@pytest.mark.parametrize("pattern", ["packages/*/.venv", "packages/[a-z]/.v*", "*/?/.venv"])
def test_a_pattern_reserves_the_venv_of_each_project_that_keeps_it_there(workspace: Path, pattern: str) -> None:
    fill(workspace, "packages/a/uv.lock", "packages/b/pyproject.toml = [project]", "packages/c/.venv/pyvenv.cfg")
    fill(workspace, "packages/d/poetry.toml = virtualenvs.in-project = true", "packages/e/.venv/notes")
    fill(workspace, "packages/f/uv.lock", "packages/f/Makefile = .venv:", "packages/g/uv.lock", "packages/g/.venv")
    fill(workspace, "packages/h/uv.lock", "packages/h/.venv/keep", "link -> packages")

    found = find_listed(str(workspace), [pattern], "--venv", same_path=False)

    assert found == [
        Directory("packages/a/.venv", f"{workspace}/packages/a/.venv", Kind.LISTED, "uv.lock"),
        Directory("packages/c/.venv", f"{workspace}/packages/c/.venv", Kind.LISTED),
        Directory("packages/d/.venv", f"{workspace}/packages/d/.venv", Kind.LISTED, "poetry.toml"),
    ]


def test_a_pattern_of_another_name_reserves_nothing(workspace: Path) -> None:
    fill(workspace, "packages/a/uv.lock")

    for pattern in ("packages/*/venv", "packages/*/*", "packages/*/.venv-*"):
        (found,) = find_listed(str(workspace), [pattern], "--venv", same_path=False)
        assert found.problem


@pytest.mark.parametrize(
    ("names", "paths"),
    [
        (["node_modules"], ["node_modules"]),
        (["packages/*/node_modules"], ["packages/a/node_modules", "packages/b/node_modules"]),
        (["*"], ["node_modules", "packages"]),
        (["packages/?"], ["packages/a", "packages/b", "packages/c"]),
        (["packages/*/.venv"], ["packages/c/.venv"]),
    ],
)
def test_venv_also_takes_any_directory(workspace: Path, names: list[str], paths: list[str]) -> None:
    fill(workspace, "packages/a/node_modules/x/", "packages/b/node_modules/", "packages/c/uv.lock", "node_modules/y")
    fill(workspace, "packages/d", "packages/node_modules", "up -> ..")

    found = find_listed(str(workspace), names, "paude.json: venv-also", Kind.ALSO, same_path=False)

    assert [(item.path, item.kind, item.problem) for item in found] == [(path, Kind.ALSO, None) for path in paths]


def test_venv_also_says_which_pattern_matches_no_directory(workspace: Path) -> None:
    (found,) = find_listed(str(workspace), ["a/*"], "paude.json: venv-also", Kind.ALSO, same_path=False)

    assert found.problem == Reason("no directory matches it; make one, or remove the entry")


def test_a_pattern_names_what_cannot_be_made(workspace: Path, mocker: MockerFixture) -> None:
    fill(workspace, "packages/a/uv.lock")
    mocker.patch("paude_venv_hook.workspace.listed.can_make", return_value=False)

    (found,) = find_listed(str(workspace), ["packages/*/.venv"], "--venv", same_path=False)

    assert found.problem == Reason(
        f"{workspace}/packages/a cannot be written, so no mount point can be made in it; make it"
    )
