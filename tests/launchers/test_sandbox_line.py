"""Command lines of bwrap: which workspaces count, and what is added where."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import MakeVenv
from layout import fill
from outcomes import Outcome, outcome
from paude_venv_hook.launchers.sandbox_line import rewrite_sandbox_line
from paude_venv_hook.stores.folder import store_path
from paude_venv_hook.stores.purpose import Purpose

PRINT = "add what print --format bwrap says"
Programs = Callable[[str, str], Path]


@pytest.fixture
def app(workspace: Path, make_venv: MakeVenv) -> Path:
    """Return a workspace with a venv."""
    make_venv(workspace / ".venv")
    return workspace


def prepared(line: str, folder: Path, program: str = "/no/bwrap") -> Outcome:
    """Return what comes of a line; `{app}` in it stands for the folder, and `{top}` for the one above."""
    words = shlex.split(line.format(app=folder, top=folder.parent))
    return outcome(rewrite_sandbox_line(program, words, dict(os.environ), str(folder)))


def covered(added: Outcome) -> list[str]:
    """Return the paths that a tmpfs of ours covers, in their order."""
    return [added.words[index + 1] for index, word in enumerate(added.words) if word == "--tmpfs"]


@pytest.mark.parametrize(
    "line",
    [
        "--bind / / HERE --dev /dev --proc /proc sh",
        "--dev-bind / / HERE -- sh -c 'x y'",
        "--ro-bind / / HERE --unshare-all sh",
        "--ro-bind / / --bind {app} {app} HERE --chdir {app} sh",
        "--ro-bind / / --bind-try {app} {app} HERE --tmpfs /tmp/elsewhere sh",
        "--ro-bind / / --tmpfs {top} --bind {app} {app} HERE sh",
        "--bind {top} {top} HERE --remount-ro {top} sh",
        "--ro-bind {app} {app} --ro-bind / / HERE sh",
        "--ro-bind / / HERE --perms 0700 --tmpfs {app}/.venv/lib sh",
        "--ro-bind / / HERE --ro-bind {app}/src /src sh",
    ],
)
def test_the_venv_is_covered_after_what_carries_the_workspace_and_all_above_it(app: Path, line: str) -> None:
    fill(app, "src/app.py")
    before, after = line.split("HERE")
    at = len(shlex.split(before))

    added = prepared(before + after, app)

    assert added.words[at : at + 4] == ["--perms", "1777", "--tmpfs", f"{app}/.venv"]
    assert [*added.words[:at], *added.words[at + 4 :]] == shlex.split((before + after).format(app=app, top=app.parent))
    assert (added.warnings, added.nothing) == ([], "")


@pytest.mark.parametrize(
    ("line", "destinations"),
    [
        ("--bind {app} /w --bind {top} /top sh", ["/w/.venv", "/top/app/.venv"]),
        ("--bind . w --chdir w sh", ["/w/.venv"]),
        ("--bind {app} /w --ro-bind {app}/src /w/src sh", ["/w/.venv"]),
        ("--ro-bind / / --bind {top}/other /other --chdir /other sh", ["/other/.venv", "{top}/other/.venv"]),
        ("--bind / / --chdir {top}/other sh", ["{top}/other/.venv"]),
        ("--bind {top}/other /other sh", ["/other/.venv"]),
    ],
)
def test_each_place_in_the_sandbox_is_covered(
    app: Path, make_venv: MakeVenv, line: str, destinations: list[str]
) -> None:
    make_venv(app.parent / "other" / ".venv")
    fill(app, "src/app.py")

    added = prepared(line, app)

    assert sorted(covered(added)) == sorted(path.format(top=app.parent) for path in destinations)
    assert added.warnings == []


@pytest.mark.parametrize(
    ("line", "warnings", "nothing"),
    [
        ("--ro-bind /usr /usr sh", [], "no bind mount of the line carries a workspace"),
        ("--bind / / --tmpfs {top} sh", [], "no bind mount of the line carries a workspace"),
        ("--tmpfs {app} --chdir {app} sh", [], "no bind mount of the line carries a workspace"),
        ("--version", [], "no bind mount of the line carries a workspace"),
        (
            "--bind / / --bind /usr {app}/.venv sh",
            [".venv not shadowed: the configuration mounts something on {app}/.venv already"],
            "",
        ),
        ("--bind / / --tmpfs {app}/.venv sh", [".venv not shadowed: left to your own tmpfs on {app}/.venv"], ""),
        (
            "--bind / / --args 3 sh",
            ["nothing shadowed: --args brings options that cannot be read here; write them on the line"],
            "",
        ),
        ("--future / / sh", [f"nothing shadowed: --future is no option of bwrap that is known here; {PRINT}"], ""),
        (
            "--overlay-src {app} --tmp-overlay {app} sh",
            ["what --overlay-src brings of the workspace is not shadowed; bind the workspace instead"],
            "",
        ),
        ("--overlay-src /usr --tmp-overlay /usr sh", [], "no bind mount of the line carries a workspace"),
    ],
)
def test_what_gets_nothing_says_why(app: Path, line: str, warnings: list[str], nothing: str) -> None:
    added = prepared(line, app)

    places = {"app": app, "top": app.parent}
    assert added.words == shlex.split(line.format(**places))
    assert (added.warnings, added.nothing) == ([text.format(**places) for text in warnings], nothing)


def test_a_bind_of_the_whole_root_brings_the_git_root_and_no_other_folders_venvs(
    workspace: Path, make_venv: MakeVenv
) -> None:
    subprocess.run(["git", "init", "-q", str(workspace)], check=True)
    for folder in (workspace, workspace / "packages" / "api", workspace.parent):
        make_venv(folder / ".venv")

    added = prepared("--bind / / sh", workspace / "packages" / "api")
    assert covered(added) == [f"{workspace}/packages/api/.venv", f"{workspace}/.venv"]
    make_venv(workspace / "packages" / ".venv")
    added = prepared("--bind {top} /p sh", workspace / "packages" / "api")
    assert covered(added) == ["/p/api/.venv", "/p/.venv"]


def test_a_file_descriptor_is_looked_up_as_bwrap_does(app: Path) -> None:
    descriptor = os.open(app, os.O_RDONLY)
    try:
        added = prepared(f"--bind-fd {descriptor} /w sh", app)
    finally:
        os.close(descriptor)

    assert added.words == ["--bind-fd", str(descriptor), "/w", "--perms", "1777", "--tmpfs", "/w/.venv", "sh"]


def test_on_disk_a_store_is_bound_for_the_root_that_the_sandbox_has(
    app: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAUDE_VENV_STORAGE", "disk")
    (tmp_path / "rootfs").mkdir()

    for root, image in (("/", ""), (str(tmp_path / "rootfs"), str(tmp_path / "rootfs"))):
        added = prepared(f"--bind {root} / --bind {app} /w sh", app)

        purpose = Purpose(str(app), ".venv", "/w/.venv", "bwrap", image=image)
        at = added.words.index(store_path(purpose))
        assert added.words[at - 3 :] == [str(app), "/w", "--bind", store_path(purpose), "/w/.venv", "sh"]
        assert [purpose] == [item for answer in added.answers for item in answer.purposes][-1:]


@pytest.mark.parametrize(
    ("said", "size", "problem"),
    [
        ("bubblewrap 0.4.1", "", "bwrap 0.4 has no --perms, which came with 0.5; install a newer one"),
        ("bubblewrap 0.4.1", "1g", "bwrap 0.4 has no --perms, which came with 0.5; install a newer one"),
        ("bubblewrap 0.6.2", "1g", "bwrap 0.6 has no --size, which came with 0.7; install a newer one"),
        ("bubblewrap 0.6.2", "", ""),
        ("bubblewrap 0.11.0", "1g", ""),
        ("bubblewrap 1.0", "1g", ""),
        ("nothing of use", "1g", ""),
    ],
)
def test_a_bwrap_that_is_too_old_starts_as_without_us(
    app: Path, programs: Programs, said: str, size: str, problem: str
) -> None:
    if size:
        fill(app, f'paude.json = {{"venv-tmpfs": {{"size": "{size}"}}}}')
    program = programs("bwrap", f"echo {said}")

    added = prepared("--bind / / sh", app, str(program))

    assert added.warnings == ([f"nothing shadowed: {problem}"] if problem else [])
    assert (added.words == ["--bind", "/", "/", "sh"]) == bool(problem)


@pytest.mark.parametrize(("user", "lacks"), [(0, False), (1000, True)])
def test_a_setuid_bwrap_takes_no_size_from_an_ordinary_user(
    app: Path, programs: Programs, monkeypatch: pytest.MonkeyPatch, user: int, *, lacks: bool
) -> None:
    fill(app, 'paude.json = {"venv-tmpfs": {"size": "1g"}}')
    program = programs("bwrap", "echo bubblewrap 0.8.0")
    program.chmod(0o4755)
    monkeypatch.setattr(os, "getuid", lambda: user)

    added = prepared("--bind / / sh", app, str(program))

    problem = "nothing shadowed: bwrap takes no --size if it is setuid; leave out size in venv-tmpfs"
    assert added.warnings == ([problem] if lacks else [])


def test_what_only_takes_the_arguments_of_bwrap_is_not_started_to_be_asked(
    app: Path, programs: Programs, tmp_path: Path
) -> None:
    program = programs("sandbox", f": >{tmp_path}/started; echo bubblewrap 0.1")

    assert covered(prepared("--bind / / sh", app, str(program))) == [f"{app}/.venv"]
    assert not (tmp_path / "started").exists()


def test_a_part_of_the_memory_is_no_size_for_it(app: Path) -> None:
    fill(app, 'paude.json = {"venv-tmpfs": {"size": "50%"}}')

    added = prepared("--bind / / sh", app)

    assert added.words == ["--bind", "/", "/", "sh"]
    assert added.warnings == [
        ('.venv not shadowed: bwrap takes no size of 50%; write "venv-tmpfs": {"size": "2g"}, for example')
    ]


@pytest.mark.parametrize(
    ("line", "works"),
    [
        ("--ro-bind / / --bind {app} {app} --chdir {app} sh", True),
        ("--dev-bind / / sh", True),
        ("--ro-bind {python} {python} --bind {app} {app} sh", True),
        ("--ro-bind / / --tmpfs {python} --bind {app} {app} sh", False),
        ("--bind {app} {app} sh", False),
    ],
)
def test_a_sandbox_in_which_the_hosts_venv_would_work_is_told_so(
    workspace: Path, tmp_path: Path, line: str, *, works: bool
) -> None:
    python = tmp_path / "pythons"
    fill(python, "bin/python3")
    made = f"VIRTUAL_ENV={workspace}/.venv\n"
    fill(workspace, f".venv/pyvenv.cfg = home = {python}/bin\n", f".venv/bin/activate = {made}")

    added = prepared(line.replace("{python}", str(python)), workspace)

    assert f"{workspace}/.venv" in covered(added)
    assert any("would work here" in warning for warning in added.warnings) == works
