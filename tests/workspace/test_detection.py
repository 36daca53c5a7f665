"""What is found in real folders: venvs, symlinks, `.venv` files, and where `.venv` is reserved."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from layout import fill
from paude_venv_hook.errors import WorkspaceError
from paude_venv_hook.files import is_inside, read_start
from paude_venv_hook.notes import Note, NoteKind
from paude_venv_hook.workspace.contents import Directory, Kind
from paude_venv_hook.workspace.detection import Detection, detect

IS_VENV = Note(
    NoteKind.WORKSPACE,
    why="the workspace folder itself is a venv, which cannot be shadowed: it holds the source",
    advice="make it anew in .venv",
)
VENV = "venv"
OLD = "virtualenv without pyvenv.cfg"
LINK = "symlink to a directory"
FILE = "named by the file .venv"


def look(folder: Path, mounted: Path | None = None, *, same_path: bool = False) -> list[tuple[str, str]]:
    """Return the path and the reason, or the problem, of all that `auto` finds without a warning."""
    detected = detect(str(folder), (str(mounted or folder),), (), same_path=same_path)
    assert list(detected.notes) == []
    return [(item.path, item.problem.text if item.problem else item.why) for item in detected.directories]


def left(folder: Path) -> list[tuple[str, str]]:
    """Return the path and the reason of all that `auto` leaves alone."""
    detected = detect(str(folder), (), (), same_path=False)
    found = {item.host_path for item in detected.directories}
    return [(item.path, item.why) for item in detected.unshadowed if item.host_path not in found]


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        pytest.param([], [], id="an empty folder"),
        pytest.param(
            [f"{name}/pyvenv.cfg" for name in (".env", ".venv", ".virtualenv", "a b", "a,b", "env", "myenv", "vénv")],
            [(name, VENV) for name in (".env", ".venv", ".virtualenv", "a b", "a,b", "env", "myenv", "vénv")],
            id="a directory with a pyvenv.cfg, whatever its name",
        ),
        pytest.param(["v/real.cfg", "v/pyvenv.cfg -> real.cfg"], [("v", VENV)], id="a pyvenv.cfg behind a symlink"),
        pytest.param(["v/pyvenv.cfg/"], [], id="a directory called pyvenv.cfg"),
        pytest.param(["v/pyvenv.cfg -> /dev/null"], [], id="a device called pyvenv.cfg"),
        pytest.param(["v/pyvenv.cfg -> gone"], [], id="a dangling pyvenv.cfg"),
        pytest.param(["packages/api/.venv/pyvenv.cfg"], [], id="a venv further down"),
        pytest.param(
            ["old/bin/activate", "old/lib/python2.7/orig-prefix.txt"], [("old", OLD)], id="virtualenv before 20"
        ),
        pytest.param(["v/bin/activate", "v/lib/python3.9/site-packages/"], [], id="no orig-prefix.txt in lib"),
        pytest.param(["v/bin/activate"], [], id="only an activate script"),
        pytest.param(["v/lib/python2.7/orig-prefix.txt"], [], id="no activate script"),
        pytest.param(["v/bin/activate", "v/lib"], [], id="lib is a file"),
        pytest.param(["conda/conda-meta/history", "conda/bin/python"], [], id="a conda environment"),
        pytest.param(
            [
                ".tox/py/pyvenv.cfg",
                ".nox/tests/pyvenv.cfg",
                ".hatch/app/pyvenv.cfg",
                ".pixi/envs/default/conda-meta/history",
                ".direnv/python-3.11/pyvenv.cfg",
                "backend/.venv/pyvenv.cfg",
            ],
            [],
            id="environments one level down",
        ),
        pytest.param([".env = SECRET=1", "venv = text"], [], id="files called like venvs"),
        pytest.param(
            [".venv/app/pyvenv.cfg", ".venv/docs/bin/"],
            [(".venv", "holds venvs one level down")],
            id="venvs in a directory called .venv",
        ),
    ],
)
def test_a_marker_at_the_top_level(workspace: Path, entries: list[str], found: list[tuple[str, str]]) -> None:
    assert look(fill(workspace, *entries)) == found


def test_a_fifo_called_pyvenv_cfg_is_not_opened(workspace: Path) -> None:
    (workspace / "v").mkdir()
    os.mkfifo(workspace / "v" / "pyvenv.cfg")

    assert look(workspace) == []


def test_a_workspace_folder_that_is_a_venv_itself_is_warned_of_and_nothing_is_reserved_in_it(workspace: Path) -> None:
    fill(workspace, "pyvenv.cfg", "pyproject.toml", "env/pyvenv.cfg", ".venv = .")

    found, _, notes = detect(str(workspace), (str(workspace),), (), same_path=False)

    assert found == [Directory("env", f"{workspace}/env", Kind.VENV)]
    assert list(notes) == [IS_VENV]


@pytest.mark.parametrize(
    ("entries", "host_path"),
    [
        ([".venv -> envs/main", "envs/main/"], "envs/main"),
        ([".venv -> ./envs//main/", "envs/main/"], "envs/main"),
        ([".venv -> envs/../envs/main", "envs/main/"], "envs/main"),
        ([".venv -> ../app/envs/main", "envs/main/"], "envs/main"),
        ([".venv -> second", "second -> envs/main", "envs/main/"], "envs/main"),
        ([".venv -> envs/main", "envs -> real", "real/main/"], "real/main"),
        (["env -> envs/main", "envs/main/pyvenv.cfg"], "envs/main"),
    ],
)
def test_a_relative_symlink_inside_of_the_workspace_gives_its_target(
    workspace: Path, entries: list[str], host_path: str
) -> None:
    fill(workspace, *entries)
    name = entries[0].partition(" ")[0]

    found, _, _ = detect(str(workspace), (str(workspace),), (), same_path=False)

    assert found == [Directory(name, f"{workspace}/{host_path}", Kind.LINK)]


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ("/usr", "a symlink to /usr, outside of the workspace"),
        ("/usr/no/such", "a symlink to /usr/no/such, which does not exist or loops"),
        ("../outside", "a symlink to ../outside, outside of the workspace"),
        ("../app2", "a symlink to ../app2, outside of the workspace"),
        ("src/../../outside", "a symlink to src/../../outside, outside of the workspace"),
        ("gone", "a symlink to gone, which does not exist or loops"),
        ("../gone", "a symlink to ../gone, which does not exist or loops"),
        (".venv", "a symlink to .venv, which does not exist or loops"),
        ("loop", "a symlink to loop, which does not exist or loops"),
        ("file", "a symlink to file, which is a file"),
        ("file/x", "a symlink to file/x, which does not exist or loops"),
        (".", "a symlink to ., which holds the source"),
        ("..", "a symlink to .., which holds the source"),
        ("/", "a symlink to /, which holds the source"),
        ("go\nne", r"a symlink to go\nne, which does not exist or loops"),
    ],
)
def test_any_other_venv_symlink_is_named_with_the_reason_and_nothing_is_reserved(
    workspace: Path, target: str, problem: str
) -> None:
    fill(workspace.parent, "outside/", "app2/pyvenv.cfg")
    fill(workspace, "pyproject.toml", "file", "src/", "loop -> .venv", f".venv -> {target}")

    assert look(workspace) == [(".venv", problem)]


def test_an_absolute_symlink_holds_only_where_the_container_has_the_same_path(workspace: Path) -> None:
    fill(workspace, "envs/main/", f".venv -> {workspace}/envs/main")

    assert look(workspace, same_path=True) == [(".venv", LINK)]
    assert look(workspace) == [
        (".venv", f"an absolute symlink to {workspace}/envs/main, which is another place in the container")
    ]


def test_a_symlink_of_another_name_counts_only_as_a_venv_of_the_workspace(workspace: Path) -> None:
    fill(workspace.parent, "outside/pyvenv.cfg")
    fill(workspace, "env -> ../outside", "docs -> src", "src/", "gone -> nowhere", "self -> self")

    assert look(workspace) == []


@pytest.mark.parametrize(
    ("text", "entries", "path"),
    [
        pytest.param("envs/main", ["envs/main/pyvenv.cfg"], "envs/main", id="a venv further down"),
        pytest.param("./envs/main/\n", ["envs/main/pyvenv.cfg"], "envs/main", id="not normalised, with a newline"),
        pytest.param("logs", ["logs/"], None, id="an empty directory"),
        pytest.param("logs/\n", ["logs/old/app.log"], None, id="a directory of something else"),
        pytest.param("link", ["link -> logs", "logs/"], None, id="a symlink to an empty directory"),
        pytest.param("up/a", ["up/a -> ../envs/main", "envs/main/pyvenv.cfg"], "envs/main", id="a symlink"),
        pytest.param(
            "envs/old", ["envs/old/bin/activate", "envs/old/lib/python2/orig-prefix.txt"], "envs/old", id="virtualenv"
        ),
        pytest.param("app", ["app/__init__.py"], None, id="a venv elsewhere that is called like a package here"),
        pytest.param("app-Xy12", [], None, id="a name in the store of pipenv"),
        pytest.param("../outside", [], None, id="outside"),
        pytest.param("/usr", [], None, id="absolute and outside"),
        pytest.param(".", [], None, id="the workspace folder itself"),
        pytest.param("", [], None, id="empty"),
        pytest.param(" \n", [], None, id="blank"),
        pytest.param("a\0b", [], None, id="a NUL"),
        pytest.param("file", ["file"], None, id="a file"),
        pytest.param("x" * 10000, [], None, id="too long for a path"),
    ],
)
def test_a_venv_file_gives_the_directory_that_it_names(
    workspace: Path, text: str, entries: list[str], path: str | None
) -> None:
    fill(workspace.parent, "outside/pyvenv.cfg")
    fill(workspace, "pyproject.toml", f".venv = {text}", *entries)

    found, _, warnings = detect(str(workspace), (str(workspace),), (), same_path=False)

    assert found == ([Directory(path, f"{workspace}/{path}", Kind.NAMED_BY_FILE)] if path else [])
    assert list(warnings) == []


def test_a_venv_file_beside_the_venv_that_it_names_gives_one_host_path(workspace: Path) -> None:
    fill(workspace, ".venv = venv", "venv/pyvenv.cfg")

    found, _, _ = detect(str(workspace), (str(workspace),), (), same_path=False)

    assert {item.host_path for item in found} == {f"{workspace}/venv"}


def test_an_absolute_path_into_the_workspace_in_a_venv_file_counts(workspace: Path) -> None:
    fill(workspace, f".venv = {workspace}/envs/main", "envs/main/pyvenv.cfg")

    assert look(workspace) == [("envs/main", FILE)]


def test_a_fifo_called_venv_does_not_block(workspace: Path) -> None:
    fill(workspace, "pyproject.toml")
    os.mkfifo(workspace / ".venv")

    assert look(workspace) == []
    assert left(workspace) == []


def test_below_a_git_root_both_top_levels_count_and_each_venv_that_is_kept_there_is_reserved(
    tmp_path: Path,
) -> None:
    fill(tmp_path, "pyproject.toml", ".venv/pyvenv.cfg", "packages/env/pyvenv.cfg", "packages/api/uv.lock")

    found, _, warnings = detect(str(tmp_path / "packages" / "api"), (str(tmp_path),), (), same_path=False)

    assert found == [
        Directory(".venv", f"{tmp_path}/packages/api/.venv", Kind.RESERVED, "uv.lock"),
        Directory("../../.venv", f"{tmp_path}/.venv", Kind.VENV),
    ]
    assert list(warnings) == []


@pytest.mark.parametrize(
    ("link", "same_path"),
    [("../.venv", False), ("../../mono/.venv", False), ("../link", False), ("../.venv", True), ("{}/mono/.venv", True)],
)
def test_a_symlink_to_the_venv_of_the_git_root_needs_no_shadow_and_no_word(
    tmp_path: Path, link: str, same_path: bool
) -> None:
    fill(tmp_path / "mono", ".venv/pyvenv.cfg", "link -> .venv", f"pkg/.venv -> {link.format(tmp_path)}")

    found, _, _ = detect(str(tmp_path / "mono" / "pkg"), [str(tmp_path / "mono")], (), same_path=same_path)

    assert {(item.host_path, item.problem) for item in found} == {(f"{tmp_path}/mono/.venv", None)}


@pytest.mark.parametrize("link", ["{}/mono/.venv", "../src", "../../other"])
def test_a_symlink_from_below_the_git_root_to_anything_else_is_named(tmp_path: Path, link: str) -> None:
    fill(
        tmp_path, "mono/.venv/pyvenv.cfg", "mono/src/", "other/pyvenv.cfg", f"mono/pkg/.venv -> {link.format(tmp_path)}"
    )

    found, _, _ = detect(str(tmp_path / "mono" / "pkg"), [str(tmp_path / "mono")], (), same_path=False)

    assert [(item.path, bool(item.problem)) for item in found] == [(".venv", True), ("../.venv", False)]


def test_what_holds_the_workspace_folder_is_found_like_any_venv_of_the_git_root(tmp_path: Path) -> None:
    fill(tmp_path, "pyvenv.cfg", "top/pyvenv.cfg", "top/app/pyvenv.cfg", "top/app/env/pyvenv.cfg")

    assert detect(str(tmp_path / "top" / "app"), [str(tmp_path)], (), same_path=False) == Detection(
        [Directory("env", f"{tmp_path}/top/app/env", Kind.VENV), Directory("../../top", f"{tmp_path}/top", Kind.VENV)],
        [],
        [IS_VENV],
    )


def test_a_symlink_and_a_file_at_the_git_root_are_read_from_there(tmp_path: Path) -> None:
    fill(tmp_path, "app/", "env -> envs/main", "envs/main/pyvenv.cfg", "envs/file/pyvenv.cfg", ".venv = envs/file")

    assert look(tmp_path / "app", tmp_path) == [("../env", LINK), ("../envs/file", FILE)]


def test_where_a_folder_of_the_workspace_is_mounted_its_top_level_counts_too(workspace: Path) -> None:
    fill(workspace, "backend/.venv/pyvenv.cfg", "env/pyvenv.cfg")

    assert look(workspace, workspace / "backend") == [("env", VENV), ("backend/.venv", VENV)]


def test_ancestors_that_look_like_venvs_do_not_matter(tmp_path: Path) -> None:
    fill(tmp_path, "pyvenv.cfg", "bin/activate", "app/env/pyvenv.cfg")

    assert look(tmp_path / "app") == [("env", VENV)]


@pytest.mark.skipif(sys.platform == "darwin", reason="the file system of macOS takes only UTF-8")
def test_a_name_that_is_not_utf8_is_found_as_the_system_gives_it(workspace: Path) -> None:
    folder = os.path.join(os.fsencode(workspace), b"v\xff")
    os.mkdir(folder)
    (Path(os.fsdecode(folder)) / "pyvenv.cfg").touch()

    assert look(workspace) == [("v\udcff", VENV)]


def test_a_name_with_control_characters_is_found(workspace: Path) -> None:
    assert look(fill(workspace, "v\n\x1b/pyvenv.cfg")) == [("v\n\x1b", VENV)]


def test_a_directory_that_vanishes_during_the_scan_is_not_found(workspace: Path, mocker: MockerFixture) -> None:
    fill(workspace, "env/pyvenv.cfg", "old/bin/activate", "stays/pyvenv.cfg")
    real = os.scandir

    @contextmanager
    def scan(folder: str) -> Iterator[list[os.DirEntry[str]]]:
        with real(folder) as entries:
            listed = list(entries)
        for name in ("env", "old"):
            (workspace / name).rename(workspace.parent / name)
        yield listed

    mocker.patch("os.scandir", scan)

    assert look(workspace) == [("stays", VENV)]


def test_a_workspace_folder_that_is_gone_is_an_error_and_has_nothing_to_name(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError) as caught:
        detect(f"{tmp_path}/gone", [str(tmp_path)], (), same_path=False)

    assert str(caught.value) == (
        f"{tmp_path}/gone: cannot be read: No such file or directory; restore it, or remove the link to it"
    )


def test_a_git_root_that_cannot_be_read_is_warned_of(workspace: Path) -> None:
    fill(workspace, "env/pyvenv.cfg")

    assert detect(str(workspace), [f"{workspace}/gone"], (), same_path=False) == Detection(
        [Directory("env", f"{workspace}/env", Kind.VENV)],
        [],
        [
            Note(
                NoteKind.WORKSPACE,
                why=f"{workspace}/gone: cannot be searched for venvs: No such file or directory",
                advice="restore it, or remove the link to it",
            )
        ],
    )


@pytest.mark.skipif(not hasattr(os, "setuid"), reason="permissions are those of POSIX")
def test_what_an_ordinary_user_may_not_read_is_no_venv_and_an_unreadable_workspace_an_error(workspace: Path) -> None:
    fill(workspace, "pyproject.toml", "locked/pyvenv.cfg", "old/bin/activate", "old/lib/", ".venv/")
    fill(workspace.parent, "sealed/")
    for name in ("locked", "old/lib", ".venv", "../sealed"):
        (workspace / name).chmod(0)
    code = """if True:
        import os
        from paude_venv_hook.workspace import links, reserve
        from paude_venv_hook.workspace.detection import detect
        from paude_venv_hook.errors import WorkspaceError
        os.setuid(os.getuid() or 65534)
        print(tuple(detect(".", (), (), same_path=False)))
        try:
            detect("../sealed", (), (), same_path=False)
        except WorkspaceError as error:
            print(error)
    """
    # A folder of pytest's is closed to other users, but not when it is the current one.
    done = subprocess.run([sys.executable, "-c", code], cwd=workspace, capture_output=True, text=True, check=True)

    assert done.stdout.splitlines() == [
        "([], [], [])",
        "../sealed: cannot be read: Permission denied; let yourself read it",
    ]


def test_what_auto_leaves_alone_is_named(workspace: Path) -> None:
    fill(workspace, ".tox/py/", ".nox/", ".hatch/x/", ".pixi/config.toml", ".direnv/python-3/", "miniconda/conda-meta/")
    fill(
        workspace, "env/pyvenv.cfg", "link -> .tox", "src/a", "file", "backend/.venv/pyvenv.cfg", "dev/venv/pyvenv.cfg"
    )
    fill(workspace, ".virtualenvs/x/pyvenv.cfg", ".worktrees/x/.venv/pyvenv.cfg", "packages/a/.venv/pyvenv.cfg")
    fill(workspace, "node_modules/a/.venv/pyvenv.cfg", ".git/x/pyvenv.cfg", "packages/a/b/.venv/pyvenv.cfg")
    one_level_down = "holds environments one level down"
    a_venv = "a venv one level down"

    assert left(workspace) == [
        (".direnv", one_level_down),
        (".hatch", one_level_down),
        (".tox", one_level_down),
        (".virtualenvs/x", a_venv),
        (".worktrees/x/.venv", a_venv),
        ("backend/.venv", a_venv),
        ("dev/venv", a_venv),
        ("miniconda", "a conda environment"),
        ("packages/a/.venv", a_venv),
    ]


def test_a_venv_with_another_in_it_is_named_once(workspace: Path) -> None:
    fill(workspace, "tools/env/pyvenv.cfg", "tools/env/.venv/pyvenv.cfg")

    assert left(workspace) == [("tools/env", "a venv one level down")]


def test_a_file_system_that_counts_no_links_hides_no_venv(workspace: Path, mocker: MockerFixture) -> None:
    """As btrfs and overlay: each directory has one link, however many directories are in it."""
    fill(workspace, "backend/.venv/pyvenv.cfg", "old/bin/activate", "old/lib/python2.7/orig-prefix.txt")
    real = os.scandir

    class Entry:
        def __init__(self, entry: os.DirEntry[str]) -> None:
            self.entry = entry

        def __getattr__(self, name: str) -> object:
            return getattr(self.entry, name)

        def stat(self, *, follow_symlinks: bool) -> os.stat_result:
            fields = list(self.entry.stat(follow_symlinks=follow_symlinks))
            fields[stat.ST_NLINK] = 1
            return os.stat_result(fields)

    @contextmanager
    def scan(folder: str) -> Iterator[list[Entry]]:
        with real(folder) as entries:
            yield [Entry(entry) for entry in entries]

    mocker.patch("os.scandir", scan)

    assert left(workspace) == [("backend/.venv", "a venv one level down")]
    assert look(workspace) == [("old", OLD)]


def test_what_two_mounted_folders_hold_is_named_once(tmp_path: Path) -> None:
    fill(
        tmp_path,
        "autogen/python/.venv/pyvenv.cfg",
        "autogen/.tox/py/",
        "autogen/.venv = nothing",
        "other/env/pyvenv.cfg",
    )
    folder = str(tmp_path / "autogen")

    detected = detect(folder, (folder, str(tmp_path), f"{folder}/python"), (), same_path=False)

    assert [item.path for item in detected.unshadowed] == [".tox", ".venv", "python/.venv", "../other/env"]


def test_of_pixi_only_the_environments_are_named(workspace: Path) -> None:
    fill(workspace, ".pixi/config.toml", ".pixi/envs/default/conda-meta/")

    assert left(workspace) == [(".pixi/envs", "holds environments one level down")]


@pytest.mark.parametrize(
    ("entries", "why"),
    [
        ([".venv/README"], None),
        ([".venv/bin/python"], "no venv: it has no pyvenv.cfg"),
        ([".venv = app-Xy12"], "a file that names no venv of the workspace"),
        ([".venv = envs/main", "envs/main/pyvenv.cfg"], None),
        ([".venv = logs", "logs/"], "a file that names no venv of the workspace"),
        ([".venv/"], None),
        ([".venv -> gone"], None),
        ([".venv/pyvenv.cfg"], None),
        ([".venv/app/pyvenv.cfg"], None),
        ([".venv/conda-meta/"], "no venv: it has no pyvenv.cfg"),
        ([".tox"], None),
        ([".tox/pyvenv.cfg"], None),
    ],
)
def test_a_venv_that_auto_leaves_alone_is_named_with_the_reason(
    workspace: Path, entries: list[str], why: str | None
) -> None:
    assert left(fill(workspace, *entries)) == ([(".venv", why)] if why else [])


@pytest.mark.skipif(os.name == "nt", reason="a venv there has no bin/activate")
@pytest.mark.parametrize(
    ("entries", "made_at"),
    [
        (['env/bin/activate = VIRTUAL_ENV="/srv/app/env"\n'], "/srv/app/env"),
        (["env/bin/activate = # a\nexport VIRTUAL_ENV=/c/env\n"], "/c/env"),
        (["env/bin/activate =     VIRTUAL_ENV=$(cygpath /x)\n    export VIRTUAL_ENV='/c/a b/env'\n"], "/c/a b/env"),
        (["env/bin/activate = VIRTUAL_ENV=$(cd .. && pwd)\n"], ""),
        ([], ""),
    ],
)
def test_a_venv_says_where_it_was_made(workspace: Path, entries: list[str], made_at: str) -> None:
    fill(workspace, "env/pyvenv.cfg", *entries)

    (found,) = detect(str(workspace), (), (), same_path=False).directories

    assert found.made_at == made_at


def test_pyvenv_cfg_says_it_too_and_whether_its_python_is_here(workspace: Path) -> None:
    fill(workspace, "env/pyvenv.cfg = home = /no/such/bin\ncommand = /usr/bin/python3 -m venv --clear /srv/a b/env\n")
    fill(workspace, f"here/pyvenv.cfg = home = {os.path.dirname(sys.executable)}\n")

    found = detect(str(workspace), (), (), same_path=False).directories

    assert [(item.made_at, item.has_python) for item in found] == [("/srv/a b/env", False), ("", True)]


@pytest.mark.parametrize(
    ("cfg", "is_here"),
    [
        ("home = {top}/bin\n", True),
        ("home = {top}/bin\nexecutable = {top}/bin/python3.11\n", True),
        ("home = {top}/bin\nexecutable = {top}/bin/python3.12\n", False),
        ("home = {top}/local\n", False),  # a folder that this machine has as well, but for other things
        ("", True),
    ],
)
def test_the_python_of_a_venv_is_looked_for_and_not_only_its_folder(
    workspace: Path, tmp_path: Path, cfg: str, is_here: bool
) -> None:
    fill(tmp_path, "bin/python", "bin/python3.11", "local/other")
    fill(workspace, f"env/pyvenv.cfg = {cfg.format(top=tmp_path)}")

    assert detect(str(workspace), (), (), same_path=True).directories[0].has_python == is_here


@pytest.mark.parametrize(
    ("path", "folder", "inside"),
    [
        ("/a", "/a", True),
        ("/a/b", "/a", True),
        ("/a/b", "/", True),
        ("/", "/", True),
        ("/ab", "/a", False),
        ("/", "/a", False),
        ("/a", "/a/b", False),
    ],
)
def test_inside_is_a_matter_of_whole_names(path: str, folder: str, *, inside: bool) -> None:
    assert is_inside(path, folder) is inside


def test_only_the_start_of_a_regular_file_is_read(tmp_path: Path) -> None:
    fill(tmp_path, "file = text", "folder/")
    (tmp_path / "large").write_bytes(b"x" * 100_000)
    os.mkfifo(tmp_path / "fifo")

    starts = {name: read_start(f"{tmp_path}/{name}") for name in ("file", "large", "folder", "fifo", "gone")}

    assert starts == {"file": b"text", "large": b"x" * 65536, "folder": b"", "fifo": b"", "gone": b""}
