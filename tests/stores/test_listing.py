"""Which containers have a store: what the engines say, and what is made of an engine that says nothing."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from pytest_mock import MockerFixture

from conftest import serving
from paude_venv_hook.docker_api import contexts
from paude_venv_hook.errors import StoreError
from paude_venv_hook.stores import listing
from paude_venv_hook.stores.folder import make_store, stores_folder
from paude_venv_hook.stores.listing import Store, list_stores, size_of, unused_since
from paude_venv_hook.stores.purpose import Purpose, store_name

ROOTLESS = os.getuid() != 0
Programs = Callable[[str, str], Path]
CAT = "/bin/cat"


@pytest.fixture
def app(workspace: Path) -> Purpose:
    """Return what a store of the workspace is for."""
    return Purpose(str(workspace), ".venv", "/app/.venv", "docker")


def described(name: str, *sources: str, running: bool = False) -> dict[str, object]:
    """Return a container as Docker describes it."""
    mounts = [{"Type": "bind", "Source": source, "Destination": "/x"} for source in sources]
    return {"Id": "abc", "Name": name, "State": {"Running": running}, "Mounts": mounts}


@pytest.fixture
def fake(programs: Programs, tmp_path: Path, local_engines: None) -> Callable[..., None]:
    """Return a function that makes an engine with the given containers."""

    def make(name: str, *containers: dict[str, object]) -> None:
        (tmp_path / f"{name}.json").write_text(json.dumps(containers))
        programs(
            name,
            f"""echo "$@" >>"{tmp_path}/asked"
            case "$*" in
                "ps --all --quiet --no-trunc") {"echo 1 && echo 2" if containers else ":"} ;;
                "container inspect 1 2") {CAT} "{tmp_path}/{name}.json" ;;
                *) echo "what?" >&2; exit 125 ;;
            esac""",
        )

    return make


def the_store() -> Store:
    """Return the one store that there is, with no problem."""
    stores, problems = list_stores(os.environ)
    assert problems == []
    (store,) = stores
    return store


def test_without_stores_no_engine_is_asked(fake: Callable[..., None], tmp_path: Path) -> None:
    fake("docker")

    assert list_stores(os.environ) == ([], [])
    assert not (tmp_path / "asked").exists()
    assert not os.path.exists(stores_folder())


@pytest.mark.parametrize(
    ("containers", "state", "running"),
    [
        ([], "idle", False),
        ([described("/other", "/somewhere/venv", running=True)], "idle", False),
        ([described("/mine", "STORE")], "in use", False),
        ([described("/other"), described("mine", "/home", "STORE", running=True)], "in use", True),
        ([described("/mine", "/host_mntSTORE", running=True)], "in use", True),
    ],
)
def test_a_store_is_in_use_where_a_container_names_it(
    app: Purpose, fake: Callable[..., None], containers: list[dict[str, object]], state: str, running: bool
) -> None:
    venv = make_store(app)
    fake("docker", *json.loads(json.dumps(containers).replace("STORE", venv)))

    store = the_store()

    assert (store.name, store.venv, store.record.purpose) == (store_name(app), venv, app)
    assert (store.state, store.is_running) == (state, running)
    assert [container.name for container in store.containers] == (["mine"] if state == "in use" else [])


def test_each_engine_is_asked_once_and_only_where_a_store_names_it(
    app: Purpose, fake: Callable[..., None], tmp_path: Path
) -> None:
    for engine in ("docker", "podman"):
        fake(engine)
    for path in (".venv", "env", "venv"):
        make_store(app._replace(path=path))

    assert [store.state for store in list_stores(os.environ)[0]] == ["idle"] * 3
    assert (tmp_path / "asked").read_text() == "context inspect\nps --all --quiet --no-trunc\n"


def test_the_workspace_is_gone_where_the_folder_of_the_venv_is(
    app: Purpose, fake: Callable[..., None], tmp_path: Path
) -> None:
    fake("docker")
    for purpose in (app._replace(path="packages/x/.venv"), app._replace(source=str(tmp_path / "gone"))):
        make_store(purpose)
    make_store(app)

    states = {store.record.purpose: store.state for store in list_stores(os.environ)[0]}

    assert states.pop(app) == "idle"
    assert set(states.values()) == {"workspace gone"}


def test_a_workspace_that_cannot_be_reached_is_not_gone(
    app: Purpose, fake: Callable[..., None], mocker: MockerFixture
) -> None:
    fake("docker")
    make_store(app)
    mocker.patch("os.stat", side_effect=PermissionError)

    assert listing._has_workspace(app)  # noqa: SLF001 - no other way is open to root


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (None, "docker is not on PATH; install it"),
        (
            "echo first >&2; echo 'no\x07 daemon' >&2; exit 1",
            r"docker does not answer: no\x07 daemon; see whether docker ps works",
        ),
        ("exit 1", "docker does not answer: no reason given; see whether docker ps works"),
        (
            '[ "$1" = ps ] && echo 1 && exit; echo gone >&2; exit 1',
            "docker does not answer: gone; see whether docker ps works",
        ),
        (
            '[ "$1" = ps ] && echo 1 && exit; echo "{"',
            "docker describes its containers in a way that is not known here; please report it",
        ),
        (
            '[ "$1" = ps ] && echo 1 && exit; echo "[{}]"',
            "docker describes its containers in a way that is not known here; please report it",
        ),
        (
            '[ "$1" = ps ] && echo 1 && exit; echo "[7]"',
            "docker describes its containers in a way that is not known here; please report it",
        ),
    ],
)
def test_an_engine_that_cannot_be_asked_makes_its_stores_unknown(
    app: Purpose, programs: Programs, script: str | None, why: str
) -> None:
    if script:
        programs("docker", script)
    make_store(app._replace(source="/gone"))

    stores, problems = list_stores(os.environ)

    assert [(store.state, store.unasked, store.has_workspace) for store in stores] == [("unknown", why, False)]
    assert problems == [f"which containers use the stores of docker is unknown: {why}"]
    assert unused_since(stores, "9999-12-31") == []


def test_an_engine_that_cannot_be_started_is_silent_too(app: Purpose, programs: Programs) -> None:
    programs("docker", "").write_bytes(b"\x7fELF, but no more")
    make_store(app)

    assert list_stores(os.environ)[1] == [
        "which containers use the stores of docker is unknown: docker does not answer: "
        "Exec format error; see whether docker ps works"
    ]


def test_an_engine_that_does_not_end_is_not_waited_for(app: Purpose, programs: Programs, mocker: MockerFixture) -> None:
    programs("docker", "exec /bin/sleep 60")
    make_store(app)
    mocker.patch.object(listing, "TIMEOUT", 0.01)
    mocker.patch.object(contexts, "_SECONDS", 0.01)  # it is asked for its context before

    assert list_stores(os.environ)[1] == [
        "which containers use the stores of docker is unknown: docker does not answer: "
        "no answer within 0.01 seconds; see whether docker ps works"
    ]


def test_the_engine_gets_nothing_of_stdin(app: Purpose, programs: Programs, command: list[str]) -> None:
    programs("docker", '[ -z "$(/bin/cat)" ]')
    make_store(app)

    done = subprocess.run([*command, "store", "list"], input="text", capture_output=True, text=True, check=True)

    assert done.stderr == ""


def test_a_container_that_goes_meanwhile_is_no_problem(app: Purpose, programs: Programs, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.touch()
    programs(
        "docker",
        f"""case "$1" in
            ps) [ ! -e {there} ] || echo 1 ;;
            *) /bin/rm {there}; echo "no such container" >&2; exit 1 ;;
        esac""",
    )
    make_store(app)

    assert the_store().state == "idle"


@pytest.mark.parametrize(("variable", "engine"), [("DOCKER_HOST", "docker"), ("CONTAINER_HOST", "podman")])
def test_an_engine_on_another_machine_is_not_asked(
    app: Purpose, fake: Callable[..., None], monkeypatch: pytest.MonkeyPatch, variable: str, engine: str
) -> None:
    fake(engine)
    make_store(app._replace(engine=engine, rootless=engine == "podman" and ROOTLESS))
    for here in ("", "unix:///run/user/1000/x.sock"):
        monkeypatch.setenv(variable, here)
        assert the_store().state == "idle"

    monkeypatch.setenv(variable, "ssh://me@elsewhere")
    assert list_stores(os.environ)[1] == [
        f"which containers use the stores of {engine} is unknown: "
        f"{variable} leads to ssh://me@elsewhere, which is another machine; ask there"
    ]


def test_the_store_of_a_container_of_another_daemon_is_not_needless(
    app: Purpose, fake: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stopped container of that one would not start any more."""
    with TemporaryDirectory() as folder:
        fake("docker")
        monkeypatch.setenv("DOCKER_HOST", f"unix://{folder}/docker.sock")
        for path, daemon in (
            (".venv", ""), ("a", "THIS /docker"), ("b", "OTHER /docker"), ("c", "THIS /docker"), ("c", "x")
        ):  # fmt: skip
            make_store(app._replace(source="/gone", path=path), daemon)
        with serving(Path(folder, "docker.sock"), b'{"ID": "THIS", "DockerRootDir": "/docker"}'):
            stores, problems = list_stores(os.environ)

    states = {store.record.purpose.path: store.state for store in stores}
    assert states == {".venv": "workspace gone", "a": "workspace gone", "b": "unknown", "c": "unknown"}
    names = {store.record.purpose.path: store.name for store in stores}
    why = {
        path: f"docker does not reach {other} now, for which it was made; run this in "
        "an environment in which it does (DOCKER_HOST, "
        "DOCKER_CONTEXT), or remove the store yourself, if that is gone"
        for path, other in (("b", "OTHER /docker"), ("c", "x"))
    }
    assert sorted(problems) == sorted(
        f"{names[path]}: which containers use it is unknown: {why[path]}" for path in ("b", "c")
    )
    assert {store.record.purpose.path for store in unused_since(stores, "9999-12-31")} == {".venv", "a"}


def test_a_daemon_that_does_not_say_who_it_is_spares_what_was_made_for_one(
    app: Purpose, fake: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake("docker")
    make_store(app._replace(source="/gone"), "OTHER /docker")

    stores, _ = list_stores(os.environ)

    assert (stores[0].state, unused_since(stores, "9999-12-31")) == ("unknown", [])


def test_podman_of_another_user_is_not_asked(app: Purpose, fake: Callable[..., None]) -> None:
    """It would name the containers of this one."""
    fake("podman")
    make_store(app._replace(engine="podman", rootless=not ROOTLESS))

    whose = "root" if ROOTLESS else "an ordinary user"
    assert list_stores(os.environ)[1] == [
        "which containers use the stores of podman is unknown: "
        f"podman of {whose} cannot be asked by this user; ask as that one"
    ]


def test_a_mount_that_no_engine_lists_is_in_use(app: Purpose, fake: Callable[..., None], mocker: MockerFixture) -> None:
    fake("docker")
    make_store(app)
    line = "31 30 8:1 /home/me/.local/share/paude/venvs/NAME/venv{} /app/.venv rw - ext4 /dev/sda1 rw\n"
    text = "22 1 0:20 / / rw - overlay overlay rw\n" + line.replace("NAME", store_name(app))

    mocker.patch.object(listing, "open", mocker.mock_open(read_data=text.format("")), create=True)
    assert (the_store().state, the_store().is_running, the_store().containers) == ("in use", True, ())
    mocker.patch.object(listing, "open", mocker.mock_open(read_data=text.format("//deleted")), create=True)
    assert the_store().state == "idle"


def test_a_system_without_proc_shows_no_mounts(app: Purpose, fake: Callable[..., None], mocker: MockerFixture) -> None:
    fake("docker")
    make_store(app)
    mocker.patch("os.listdir", side_effect=FileNotFoundError)

    assert the_store().state == "idle"


def test_what_is_no_store_is_told_and_left_alone(app: Purpose, fake: Callable[..., None], tmp_path: Path) -> None:
    fake("docker")
    make_store(app)
    stores = Path(stores_folder())
    (stores / "mine\n").mkdir()
    (stores / "link").symlink_to(tmp_path)
    (stores / "file").touch()

    listed, problems = list_stores(os.environ)

    assert [store.name for store in listed] == [store_name(app)]
    assert problems == [
        rf"{stores}/mine\n: has no store.json that this version knows; remove it yourself, if nobody needs it"
    ]


def test_a_folder_of_stores_that_is_none_is_one_line(home: Path) -> None:
    stores = Path(stores_folder())
    stores.parent.mkdir(parents=True)
    stores.touch()

    with pytest.raises(StoreError) as caught:
        list_stores(os.environ)

    assert str(caught.value) == f"{stores}: cannot be read: Not a directory; remove what is in the way"


def test_unused_is_what_nobody_has_and_whose_workspace_is_gone_or_that_is_old(
    app: Purpose, fake: Callable[..., None]
) -> None:
    make_store(app)
    fake("docker")
    idle = the_store()
    old = idle._replace(record=idle.record._replace(last_used="2020-01-02"))
    gone = idle._replace(has_workspace=False)
    used = old._replace(is_mounted=True)
    unknown = old._replace(unasked="docker is not on PATH", has_workspace=False)
    stores = [idle, old, gone, used, unknown]

    assert unused_since(stores, None) == [gone]
    assert unused_since(stores, "2020-01-01") == [gone]
    assert unused_since(stores, "2020-01-02") == [old, gone]
    assert unused_since(stores, "9999-12-31") == [idle, old, gone]


def test_the_size_is_what_is_on_the_disk_of_all_that_is_below(tmp_path: Path) -> None:
    assert size_of(str(tmp_path / "gone")) == 0
    outside = tmp_path / "outside"
    outside.write_bytes(b"x" * 1_000_000)
    folder = tmp_path / "store"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "file").write_bytes(b"x" * 100_000)
    (folder / "hard").hardlink_to(folder / "deep" / "file")
    (folder / "link").symlink_to(outside)
    (folder / "up").symlink_to(tmp_path)

    assert 100_000 <= size_of(str(folder)) < 200_000
    assert size_of(str(folder / "up")) == 0
