"""The command `store`: what it lists, which stores it empties or removes, and what it says."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from conftest import Hook
from paude_venv_hook import text
from paude_venv_hook.commands import store as command
from paude_venv_hook.commands.store import render
from paude_venv_hook.stores.folder import Record, make_store, open_folder, stores_folder
from paude_venv_hook.stores.listing import Container, Store
from paude_venv_hook.stores.purpose import Purpose, store_name

Programs = Callable[[str, str], Path]
NOTHING = "paude-venv-hook: nothing is removed: each store is still of use; see paude-venv-hook store list\n"


def emptied(folder: object = "", count: str = "1 store") -> str:
    """Return the sentence after `clean`, of named stores or of a folder's."""
    of_folder = f" of {folder}" if folder else ""
    return f"paude-venv-hook: emptied {count}{of_folder}; the next start finds no venv there\n"


@pytest.fixture
def app(workspace: Path, mocker: MockerFixture) -> Purpose:
    """Return what a store of the workspace is for, on the day 2026-02-03."""
    mocker.patch("paude_venv_hook.stores.folder.time.strftime", return_value="2026-02-03")
    return Purpose(str(workspace), ".venv", "/app/.venv", "docker", image="python:3.12")


@pytest.fixture
def docker(programs: Programs, tmp_path: Path) -> Callable[..., None]:
    """Return a function that lets one container, if any, name the given store."""

    def make(venv: str = "", *, running: bool = False) -> None:
        item = {"Name": "/web", "State": {"Running": running}, "Mounts": [{"Source": venv}]}
        (tmp_path / "inspect.json").write_text(json.dumps([item]))
        programs(
            "docker",
            f'case "$1" in ps) {"echo 1" if venv else ":"} ;; *) /bin/cat "{tmp_path}/inspect.json" ;; esac',
        )

    make()
    return make


def fill(purpose: Purpose) -> Path:
    """Make a store that is not empty, and return what containers mount."""
    venv = Path(make_store(purpose))
    (venv / "lib").mkdir()
    (venv / "lib" / "file").write_bytes(b"x" * 1000)
    return venv


# ---- list


def test_the_list_is_a_table(mocker: MockerFixture) -> None:
    mocker.patch.object(command, "size_of", side_effect=[1_234_567_890, 0])
    app = Purpose("/home/me/app", ".venv", "/app/.venv", "docker", image="python:3.12")
    lib = Purpose("/gone/lib\x1b", "env", "/x/env", "podman", rootless=True, service="web", platform="linux/arm64")
    web = Container("docker", "web", running=False, sources=())
    stores = [
        Store(
            "/v/app-1",
            Record(app, "2026-02-03", "2026-03-04", (), "auto: postCreateCommand makes it once"),
            (web,),
            is_mounted=False,
            unasked="",
            has_workspace=True,
        ),
        Store(
            "/v/lib-2", Record(lib, "2026-02-03", "2026-02-04"), (), is_mounted=False, unasked="", has_workspace=False
        ),
    ]

    assert render(stores).splitlines() == [
        "NAME   STATE           SIZE        LAST USE    ENGINE           IMAGE              VENV                "
        "IN THE CONTAINER  WHY",
        "app-1  in use          1,234.6 MB  2026-03-04  docker           python:3.12        /home/me/app/.venv  "
        "/app/.venv        auto: postCreateCommand makes it once",
        "lib-2  workspace gone  0.0 MB      2026-02-04  podman rootless  linux/arm64 (web)  /gone/lib\\x1b/env   "
        "/x/env            -",
    ]


def test_the_list_shows_each_store(app: Purpose, docker: Callable[..., None], hook: Hook) -> None:
    names = sorted(fill(purpose).parent.name for purpose in (app, app._replace(path="env")))

    done = hook("store", "list")

    assert (done.code, done.err) == (0, "")
    assert [line.split()[:2] for line in done.out.splitlines()] == [["NAME", "STATE"], *([n, "idle"] for n in names)]


def test_without_stores_the_list_is_empty(workspace: Path, hook: Hook) -> None:
    assert hook("store", "list") == (0, "", "")
    assert json.loads(hook("store", "list", "--json").out) == {"folder": stores_folder(), "stores": []}


def test_programs_get_everything_as_json(app: Purpose, docker: Callable[..., None], hook: Hook) -> None:
    venv = fill(app)
    docker(str(venv), running=True)

    done = hook("store", "list", "--json")

    (store,) = json.loads(done.out)["stores"]
    assert (done.code, done.err) == (0, "")
    assert store.pop("size") >= 1000
    assert store == {
        "name": store_name(app),
        "path": str(venv),
        "state": "in use",
        "containers": [{"name": "web", "running": True}],
        "made": "2026-02-03",
        "lastUsed": "2026-02-03",
        "venv": app.host_path,
        "workspaceMount": app.source,
        "destination": "/app/.venv",
        "engine": "docker",
        "rootless": False,
        "service": "",
        "image": "python:3.12",
        "platform": "",
        "configuration": "",
        "lifetime": "kept",
        "reason": "",
    }


def test_an_engine_that_cannot_be_asked_is_a_warning(app: Purpose, programs: Programs, hook: Hook) -> None:
    make_store(app)

    done = hook("store", "list")

    assert (done.code, "  unknown  " in done.out) == (0, True)
    assert done.err == (
        "paude-venv-hook: warning: which containers use the stores of docker is unknown: docker is not on PATH; "
        "install it\n"
    )


# ---- clean


def test_clean_empties_what_is_of_the_current_folders_workspace(
    app: Purpose, docker: Callable[..., None], hook: Hook, workspace: Path, tmp_path: Path
) -> None:
    mine, deeper = fill(app), fill(app._replace(path="packages/x/.venv"))
    below = fill(app._replace(source=str(workspace / "lib")))
    other = fill(app._replace(source=str(tmp_path / "app2")))

    done = hook("store", "clean")

    assert (done.code, sorted(done.out.split())) == (0, sorted((mine.parent.name, deeper.parent.name)))
    assert done.err == emptied(workspace, "2 stores")
    assert [os.listdir(venv) for venv in (mine, deeper, below, other)] == [[], [], ["lib"], ["lib"]]


def test_a_folder_of_a_git_repository_that_is_mounted_as_a_whole_has_stores_of_its_own(
    app: Purpose, docker: Callable[..., None], hook: Hook, workspace: Path, tmp_path: Path
) -> None:
    mine, beside = (fill(app._replace(source=str(workspace.parent), path=path)) for path in ("app/.venv", "lib/.venv"))

    assert hook("store", "clean").err == emptied(workspace)
    assert (os.listdir(mine), os.listdir(beside)) == ([], ["lib"])


def test_clean_empties_what_is_of_workspaces_below_only_with_all(
    app: Purpose, docker: Callable[..., None], hook: Hook, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    venvs = [fill(app), fill(app._replace(source=str(workspace.parent / "lib")))]
    monkeypatch.chdir(workspace.parent)

    assert hook("store", "clean") == (
        0,
        "",
        f"paude-venv-hook: nothing is emptied: no store is for a venv of {workspace.parent}; "
        "for 2 stores of folders below it: store clean --all\n",
    )
    assert [os.listdir(venv) for venv in venvs] == [["lib"], ["lib"]]

    assert hook("store", "clean", "--all").err == emptied(workspace.parent, "2 stores")
    assert [os.listdir(venv) for venv in venvs] == [[], []]


def test_in_a_subfolder_clean_names_the_workspace(
    app: Purpose, docker: Callable[..., None], hook: Hook, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    venv = fill(app)
    (workspace / "src").mkdir()
    monkeypatch.chdir(workspace / "src")

    assert hook("store", "clean") == (
        0,
        "",
        f"paude-venv-hook: nothing is emptied: no store is for a venv of {workspace}/src; "
        f"the workspace is {workspace}: change to it\n",
    )
    assert os.listdir(venv) == ["lib"]


def test_clean_empties_what_a_stopped_container_has(app: Purpose, docker: Callable[..., None], hook: Hook) -> None:
    venv = fill(app)
    docker(str(venv))

    assert hook("store", "clean") == (0, f"{store_name(app)}\n", emptied(app.source))
    assert os.listdir(venv) == []


def test_clean_spares_all_where_a_container_runs_unless_the_store_is_named(
    app: Purpose, docker: Callable[..., None], hook: Hook
) -> None:
    venv, other = fill(app), fill(app._replace(path="env"))
    docker(str(venv), running=True)
    name = store_name(app)

    assert hook("store", "clean") == (
        1,
        "",
        f"paude-venv-hook: error[store]: {name}: web runs with it; stop that, or empty it all the same with: "
        f"store clean {name}\n",
    )
    assert (os.listdir(venv), os.listdir(other)) == (["lib"], ["lib"])

    assert hook("store", "clean", name, name) == (0, f"{name}\n", emptied())
    assert (os.listdir(venv), os.listdir(other)) == ([], ["lib"])


def test_clean_spares_what_may_be_running(app: Purpose, programs: Programs, hook: Hook) -> None:
    venv = fill(app)
    name = store_name(app)

    done = hook("store", "clean")

    assert (done.code, done.err.splitlines()[1:]) == (
        1,
        [
            f"paude-venv-hook: error[store]: {name}: whether a container runs with it is unknown "
            f"(docker is not on PATH; install it); if none does: store clean {name}"
        ],
    )
    assert os.listdir(venv) == ["lib"]


def test_a_folder_without_stores_has_nothing_to_clean(workspace: Path, hook: Hook) -> None:
    assert hook("store", "clean") == (
        0,
        "",
        f"paude-venv-hook: nothing is emptied: no store is for a venv of {workspace}; see paude-venv-hook store list\n",
    )


def test_a_name_that_is_none_empties_nothing(app: Purpose, docker: Callable[..., None], hook: Hook) -> None:
    venv = fill(app)
    name = store_name(app)

    assert hook("store", "clean", name, name[:-1] + "\n") == (
        2,
        "",
        f'paude-venv-hook: error[usage]: "{name[:-1]}\\n" is no store (did you mean "{name}"?); '
        "see paude-venv-hook store list\n",
    )
    assert hook("store", "clean", "x").err == (
        'paude-venv-hook: error[usage]: "x" is no store; see paude-venv-hook store list\n'
    )
    assert os.listdir(venv) == ["lib"]


# ---- prune


def test_prune_removes_what_nobody_needs(app: Purpose, docker: Callable[..., None], hook: Hook, tmp_path: Path) -> None:
    idle, gone = fill(app), fill(app._replace(source=str(tmp_path / "gone")))
    docker(str(idle))

    assert hook("store", "prune", "--dry-run") == (
        0,
        f"{gone.parent.name}\n",
        "paude-venv-hook: would remove 1 store; nothing is changed yet\n",
    )
    assert gone.exists()
    assert hook("store", "prune") == (0, f"{gone.parent.name}\n", "paude-venv-hook: removed 1 store\n")
    assert (gone.parent.exists(), os.listdir(idle)) == (False, ["lib"])
    assert hook("store", "prune") == (0, "", NOTHING)


def test_prune_keeps_what_a_container_has(
    app: Purpose, docker: Callable[..., None], hook: Hook, tmp_path: Path
) -> None:
    gone = fill(app._replace(source=str(tmp_path / "gone")))
    docker(str(gone))

    assert hook("store", "prune", "--older", "0") == (0, "", NOTHING)
    assert gone.exists()


def test_prune_keeps_what_may_be_in_use(app: Purpose, programs: Programs, hook: Hook, tmp_path: Path) -> None:
    gone = fill(app._replace(source=str(tmp_path / "gone")))

    assert hook("store", "prune", "--older", "0").out == ""
    assert gone.exists()


def test_older_removes_what_no_launch_asked_for_in_these_days(
    app: Purpose, docker: Callable[..., None], hook: Hook, mocker: MockerFixture
) -> None:
    venv = fill(app)
    today = mocker.patch("paude_venv_hook.commands.store.date", wraps=date).today
    today.return_value = date(2026, 3, 5)  # 30 days later

    assert hook("store", "prune").out == hook("store", "prune", "--older", "31").out == ""
    assert hook("store", "prune", "--older", "30").out == f"{store_name(app)}\n"
    assert not venv.exists()


def test_what_cannot_be_removed_spares_the_others(
    app: Purpose, docker: Callable[..., None], hook: Hook, tmp_path: Path, mocker: MockerFixture
) -> None:
    first, second = (fill(app._replace(source=str(tmp_path / name))).parent for name in ("a-gone", "b-gone"))
    real = open_folder

    def fail(path: str, above: int | None = None) -> int:
        if path.startswith(str(first)):
            raise PermissionError(13, "Permission denied")
        return real(path, above)

    mocker.patch("paude_venv_hook.stores.removal.open_folder", fail)

    assert hook("store", "prune") == (
        1,
        f"{second.name}\n",
        f"paude-venv-hook: error[store]: {first.name}: cannot be removed: Permission denied; run sudo rm -rf {first}\n"
        "paude-venv-hook: removed 1 store\n",
    )


@pytest.mark.parametrize(
    ("action", "word", "did"), [("clean", "Emptying", "emptied"), ("prune", "Removing", "removed")]
)
def test_what_takes_long_says_what_it_does(
    app: Purpose, docker: Callable[..., None], hook: Hook, mocker: MockerFixture, action: str, word: str, did: str
) -> None:
    purpose = app if action == "clean" else app._replace(source="/gone")
    fill(purpose)
    said = threading.Event()
    real, print_line = open_folder, text.print_line

    def print_and_note(line: str) -> None:
        print_line(line)
        said.set()

    def wait(path: str, above: int | None = None) -> int:
        assert said.wait(60)
        return real(path, above)

    mocker.patch("paude_venv_hook.stores.removal.open_folder", wait)
    mocker.patch.object(command, "print_line", print_and_note)
    mocker.patch.object(command, "PATIENCE", 0)

    name = store_name(purpose)
    done = hook("store", action)

    assert (done.code, done.out) == (0, f"{name}\n")
    assert done.err.startswith(f"{word} {name} …\npaude-venv-hook: {did} 1 store")


# ---- The command line


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ([], "store: one word is missing; use list, clean or prune"),
        (["lst"], 'store: "lst" is not known (did you mean "list"?); use list, clean or prune'),
        (["clean", "x", "--all"], "--all does not go with a NAME; leave one of them out"),
        (["prune", "--all"], "--all does not go with prune, only with clean; leave it out"),
        (["list", "x"], "a NAME does not go with list, only with clean; leave it out"),
        (["prune", "x"], "a NAME does not go with prune, only with clean; leave it out"),
        (["clean", "--json"], "--json does not go with clean, only with list; leave it out"),
        (["list", "--dry-run"], "--dry-run does not go with list, only with prune; leave it out"),
        (["clean", "--older", "0"], "--older does not go with clean, only with prune; leave it out"),
        (["prune", "--older", "-1"], '--older: "-1" is no number of days; use 0 to 36500'),
        (["prune", "--older", "36501"], '--older: "36501" is no number of days; use 0 to 36500'),
        (["prune", "--older", "x"], '--older: "x" is no number of days; use 0 to 36500'),
    ],
)
def test_words_that_do_not_fit_are_one_line(workspace: Path, hook: Hook, words: list[str], problem: str) -> None:
    assert hook("store", *words) == (2, "", f"paude-venv-hook: error[usage]: {problem}\n")
