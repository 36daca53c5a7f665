"""Stores that live as long as their container: which one a new container gets, and which ones go."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from paude_venv_hook.errors import StoreError
from paude_venv_hook.stores import lifetime
from paude_venv_hook.stores.folder import make_store, read_record, store_path, stores_folder
from paude_venv_hook.stores.lifetime import Users, make_own_store, remove_left_stores
from paude_venv_hook.stores.listing import Container, Containers
from paude_venv_hook.stores.purpose import CONTAINER, Purpose, store_name

APP = Purpose("/home/me/app", ".venv", "/app/.venv", "docker")
FIRST, SECOND, THIRD = (APP._replace(lifetime=CONTAINER, copy=copy) for copy in ("", "2", "3"))
DAEMON = "ONE /docker"
LONG_AGO = 1_000_000_000


def users(*purposes: Purpose, daemon: str = DAEMON, asked: list[str] | None = None) -> Users:
    """Return what tells that each of these stores has a container, stopped or not; `asked` gets an item a question."""

    def ask() -> Containers:
        if asked is not None:
            asked.append("all")
        containers = [Container("docker", "x", False, (f"/else{store_path(item)}", "/home")) for item in purposes]  # noqa: FBT003
        return Containers(tuple(containers), daemon)

    return Users(ask)


def silent() -> Users:
    def ask() -> Containers:
        raise StoreError("docker does not answer: no; see whether docker ps works")

    return Users(ask)


def fill(purpose: Purpose) -> Path:
    """Make the store of a purpose long ago, with a venv in it, and return what containers mount."""
    venv = Path(make_store(purpose, DAEMON))
    (venv / "pyvenv.cfg").touch()
    os.utime(venv.parent, (LONG_AGO, LONG_AGO))
    return venv


def own(who: Users, *, is_ahead: bool = False) -> Purpose:
    return make_own_store(APP, who, DAEMON, "because", is_ahead=is_ahead)


def names() -> set[str]:
    return set(os.listdir(stores_folder())) - {"CACHEDIR.TAG"}


def test_the_first_container_gets_a_store_of_its_own_and_no_engine_is_asked() -> None:
    asked: list[str] = []

    assert own(users(asked=asked)) == FIRST
    assert os.listdir(store_path(FIRST)) == []
    assert asked == []
    record = read_record(os.path.dirname(store_path(FIRST)))
    assert record is not None
    assert (record.purpose, record.daemons, record.reason) == (FIRST, (DAEMON,), "because")


def test_what_stays_is_never_met() -> None:
    venv = fill(APP)

    assert own(users()) == FIRST
    assert os.listdir(venv) == ["pyvenv.cfg"]


def test_an_empty_store_serves_again_and_no_engine_is_asked() -> None:
    asked: list[str] = []
    make_store(FIRST)

    assert own(users(FIRST, asked=asked)) == FIRST
    assert asked == []


def test_a_store_that_no_container_mounts_is_emptied() -> None:
    venv = fill(FIRST)
    before = os.stat(venv).st_ino

    assert own(users(SECOND)) == FIRST
    assert os.listdir(venv) == []
    assert os.stat(venv).st_ino == before  # a stopped container that is not known starts still


def test_a_store_that_a_container_mounts_is_left_and_another_one_is_used() -> None:
    venvs = [fill(FIRST), fill(SECOND)]
    asked: list[str] = []

    assert own(users(FIRST, SECOND, asked=asked)) == THIRD
    assert [os.listdir(venv) for venv in venvs] == [["pyvenv.cfg"]] * 2
    assert asked == ["all"]
    assert own(users(SECOND)) == FIRST


def test_before_the_old_container_is_removed_its_store_is_kept_as_it_is() -> None:
    venv = fill(FIRST)

    assert own(users(FIRST), is_ahead=True) == FIRST
    assert os.listdir(venv) == ["pyvenv.cfg"]
    assert own(users(), is_ahead=True) == FIRST
    assert os.listdir(venv) == []


def test_nothing_is_emptied_if_the_engine_cannot_be_asked() -> None:
    venv = fill(FIRST)

    assert own(silent()) == SECOND
    assert os.listdir(venv) == ["pyvenv.cfg"]


def test_nothing_is_emptied_that_another_daemon_may_have() -> None:
    venv = fill(FIRST)

    assert own(users(daemon="TWO /docker")) == SECOND
    assert os.listdir(venv) == ["pyvenv.cfg"]


def test_a_store_that_a_process_has_mounted_is_left(mocker: MockerFixture) -> None:
    venv = fill(FIRST)
    mocker.patch.object(lifetime, "mounted_names", return_value={store_name(FIRST)})

    assert own(users()) == SECOND
    assert os.listdir(venv) == ["pyvenv.cfg"]


def test_a_store_that_cannot_be_emptied_is_left_and_another_one_is_used(mocker: MockerFixture) -> None:
    fill(FIRST)
    mocker.patch.object(lifetime, "empty_store", side_effect=StoreError("root's"))

    assert own(users()) == SECOND


@pytest.mark.usefixtures("powerless")
def test_a_store_that_a_container_closed_is_not_taken_for_empty() -> None:
    fill(FIRST).chmod(0)

    assert own(users(FIRST)) == SECOND


def test_there_is_an_end_to_further_stores(mocker: MockerFixture) -> None:
    mocker.patch.object(lifetime, "_MOST_COPIES", 3)
    fill(FIRST)
    fill(SECOND)

    with pytest.raises(StoreError) as caught:
        own(users(FIRST, SECOND))

    assert str(caught.value) == "/home/me/app/.venv: has 3 stores already; see paude-venv-hook store list"


# ---- Those that go

Remove = Callable[..., None]


def remove(who: Users, *kept: Purpose, engine: str = "docker") -> None:
    remove_left_stores([APP.host_path], engine, rootless=False, kept={store_name(item) for item in kept}, users=who)


def test_a_store_that_no_container_mounts_any_more_goes() -> None:
    for purpose in (FIRST, SECOND, THIRD):
        fill(purpose)

    remove(users(SECOND), THIRD)

    assert names() == {store_name(SECOND), store_name(THIRD)}


@pytest.mark.parametrize(
    "change",
    [{"lifetime": ""}, {"path": "env"}, {"source": "/home/me/other"}, {"engine": "podman"}, {"rootless": True}],
)
def test_a_store_for_something_else_stays(change: dict[str, object]) -> None:
    other = FIRST._replace(**change)  # type: ignore[arg-type] # each is of its field
    fill(other)
    asked: list[str] = []

    remove(users(asked=asked))

    assert names() == {store_name(other)}
    assert asked == []


def test_a_store_of_another_image_or_configuration_goes_too() -> None:
    fill(FIRST._replace(image="python:3.12"))
    fill(FIRST._replace(configuration=".devcontainer/gpu/devcontainer.json"))

    remove(users())

    assert names() == set()


def test_a_store_that_was_given_to_a_launch_just_now_stays() -> None:
    fill(FIRST)
    own(users(FIRST))  # whose container is not made yet

    remove(users(FIRST))

    assert names() == {store_name(FIRST), store_name(SECOND)}
    os.utime(os.path.dirname(store_path(SECOND)), (LONG_AGO, LONG_AGO))
    remove(users(FIRST))
    assert names() == {store_name(FIRST)}


def test_a_store_that_is_given_away_again_counts_from_then(mocker: MockerFixture) -> None:
    fill(FIRST)

    own(users())
    remove(users())

    assert names() == {store_name(FIRST)}


def test_no_store_goes_if_the_engine_cannot_be_asked() -> None:
    fill(FIRST)

    remove(silent())

    assert names() == {store_name(FIRST)}


def test_what_cannot_be_removed_stops_no_launch(mocker: MockerFixture) -> None:
    fill(FIRST)
    mocker.patch.object(lifetime, "remove_store", side_effect=StoreError("root's"))

    remove(users())

    assert names() == {store_name(FIRST)}


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_without_stores_there_is_nothing_to_remove() -> None:
    asked: list[str] = []

    remove(users(asked=asked))

    assert asked == []
