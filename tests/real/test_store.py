"""A store in a container: the folder of the host that keeps a venv, for whoever works in the container."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from real.conftest import engine_or_rootless, give_to_owner
from real.containers import (
    AS_OWNER,
    HOOK,
    OWNER,
    STRANGER,
    Engine,
    Launch,
    RunHook,
    bind,
    run,
    tree_hash,
    use_venv,
    work,
)

MAKE = """
import sys
from paude_venv_hook.stores.folder import make_store
from paude_venv_hook.stores.purpose import Purpose
source, destination, engine, rootless = sys.argv[1:]
print(make_store(Purpose(source, ".venv", destination, engine, rootless == "True")))
"""
REMOVE = """
import sys
from paude_venv_hook.stores import removal
from paude_venv_hook.stores.folder import read_record
from paude_venv_hook.stores.listing import Store
folder, action = sys.argv[1:]
getattr(removal, action)(Store(folder, read_record(folder), (), False, "", True))
"""
MakeStore = Callable[[Path | str], Path]

pytestmark = pytest.mark.usefixtures("data")


@pytest.fixture(scope="session", params=["docker", "podman", "rootless"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Return an engine that works: Docker, Podman, or the Podman of an ordinary user."""
    return engine_or_rootless(request)


@pytest.fixture
def make_store(workspace: Path, engine: Engine) -> MakeStore:
    """Return a function that lets the owner of the workspace make a store for a container path."""

    def make(destination: Path | str) -> Path:
        words = (workspace, destination, engine.name, str(engine.rootless))
        return Path(run(*AS_OWNER, sys.executable, "-c", MAKE, *map(str, words)).stdout.strip())

    return make


@pytest.fixture
def ask(hook_of_engine: RunHook) -> RunHook:
    """Return a function that runs `store` as the user who has the engine, and returns what it did."""
    return lambda *arguments: hook_of_engine("store", *arguments)


@pytest.mark.proves("a store: empty at first, and root, the owner and a stranger each work in it, one after another")
@pytest.mark.parametrize("options", [[], ["--userns=keep-id"]], ids=["default", "keep-id"])
def test_each_user_works_in_the_store_and_the_host_sees_nothing_of_it(
    engine: Engine,
    workspace: Path,
    launch: Launch,
    venv: Path,
    wheels: str,
    make_store: MakeStore,
    options: list[str],
) -> None:
    if options and not engine.rootless:
        pytest.skip("for an ordinary user only")
    store = make_store(venv)
    before = tree_hash(workspace)

    container = launch(workspace, bind(store, venv), wheels, *options)

    assert container.sh("ls -A .venv") == ""
    use_venv(container)
    for user in (OWNER, STRANGER, 0):
        work(container, user)
    assert tree_hash(workspace) == before
    run(venv / "bin/python", "-B", "-c", "import markupsafe._speedups")

    # Another user of the host does not come near.
    for path in (store, store / "pyvenv.cfg", store.parent / "store.json", store.parent.parent / "CACHEDIR.TAG"):
        assert path.exists()
        words = ("setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups", "ls", "-d")
        assert "Permission denied" in run(*words, path, check=False).stderr

    # The owner can remove what all of them left.
    name = store.parent.name
    done = run(*AS_OWNER, *HOOK, "store", "clean", name)
    assert (done.stdout, os.listdir(store)) == (f"{name}\n", [])


@pytest.mark.proves("a store: it outlives `stop`, `rm`, and what becomes of the host's venv")
def test_the_content_stays(
    engine: Engine,
    workspace: Path,
    launch: Launch,
    venv: Path,
    make_store: MakeStore,
    ask: RunHook,
) -> None:
    store = make_store(venv)
    name = store.parent.name
    container = launch(workspace, bind(store, venv))
    container.sh("python3 -m venv --without-pip .venv; echo first >.venv/said", user=STRANGER)

    engine("restart", container.name)
    assert container.sh("cat .venv/said; .venv/bin/python -c 'print(1)'") == "first\n1\n"

    # The host's venv is removed and made anew while the container runs.
    shutil.rmtree(venv)
    venv.mkdir()
    (venv / "pyvenv.cfg").write_text("the host's new one")
    give_to_owner(venv)
    before = tree_hash(venv)
    engine("restart", container.name)
    assert container.sh("cat .venv/said; .venv/bin/python -c 'print(1)'") == "first\n1\n"
    assert tree_hash(venv) == before

    # Another container at the same time, with the same venv.
    other = launch(workspace, bind(store, venv), user=OWNER)
    other.sh("cat .venv/said; .venv/bin/python -c 'print(1)'; echo second >>.venv/said")
    assert container.sh("cat .venv/said") == "first\nsecond\n"

    listed = ask("list").stdout
    assert f"{name}  in use  " in listed
    pruned = ask("prune", "--older", "0")
    assert (pruned.stdout, pruned.stderr) == (
        "",
        "paude-venv-hook: nothing is removed: each store is still of use; see paude-venv-hook store list\n",
    )

    # Emptied while the containers are stopped, one of which is then removed.
    engine("stop", container.name, other.name)
    engine("rm", other.name)
    assert f"{name}  in use  " in ask("list").stdout
    run(*AS_OWNER, *HOOK, "store", "clean", name)
    engine("start", container.name)
    assert container.sh("ls -A .venv; touch .venv/third") == ""
    engine("rm", "--force", container.name)
    assert engine.run(bind(workspace, workspace), bind(store, venv), f"ls -A {venv}").stdout == "third\n"
    assert tree_hash(venv) == before

    assert f"{name}  idle  " in ask("list").stdout
    assert ask("prune", "--older", "0").stdout == f"{name}\n"
    assert not store.parent.exists()


@pytest.mark.proves("a store: what the image holds there is not copied into it")
def test_what_the_image_holds_at_the_destination_is_not_copied(engine: Engine, make_store: MakeStore) -> None:
    store = make_store("/etc/apt")

    assert engine.run("ls -A /etc/apt").stdout != ""
    assert engine.run(bind(store, "/etc/apt"), "ls -A /etc/apt; touch /etc/apt/new").stdout == ""
    assert os.listdir(store) == ["new"]


@pytest.mark.parametrize("action", ["empty_store", "remove_store"])
@pytest.mark.proves("a store: where its owner may not remove something, the command that is named does")
def test_what_the_owner_may_not_remove_goes_with_the_command_that_is_named(
    engine: Engine, make_store: MakeStore, request: pytest.FixtureRequest, action: str
) -> None:
    store = make_store("/x")
    engine.run(f"--user={STRANGER}", bind(store, "/x"), "mkdir -m 700 /x/closed && touch /x/closed/file")

    environ = {name: value for name, value in os.environ.items() if not name.startswith("COV")}  # its data is root's
    done = run(*AS_OWNER, sys.executable, "-c", REMOVE, store.parent, action, check=False, env=environ)

    start, _, line = done.stderr.strip().splitlines()[-1].partition("; run ")
    assert start.endswith(f"StoreError: {store.parent.name}: cannot be removed: Permission denied")
    if engine.rootless:
        assert line.startswith("podman unshare ")
        run(request.getfixturevalue("as_user"), "sh", "-c", line)
    else:
        assert line.startswith("sudo ")
        run("sh", "-c", line.removeprefix("sudo "))
    if action == "empty_store":
        assert os.listdir(store) == []
    else:
        assert not store.parent.exists()


def test_a_mount_that_no_engine_lists_is_seen(workspace: Path, home: Path, make_store: MakeStore) -> None:
    """As Podman's hook makes them."""
    if os.getuid() != 0:
        pytest.skip("only root may mount")
    store = make_store("/app")
    script = 'mount --bind "$1" "$2" && echo mounted && read -r _'
    mounter = ("unshare", "--mount", "sh", "-c", script, "sh", store, home)
    with subprocess.Popen(mounter, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "mounted\n"
        listed = run(*HOOK, "store", "list").stdout
        process.communicate("\n")

    assert f"{store.parent.name}  in use  " in listed
    assert f"{store.parent.name}  in use  " not in run(*HOOK, "store", "list").stdout


@pytest.fixture
def volume(engine: Engine) -> Iterator[str]:
    """Return the name of a new volume."""
    name = f"paude-venv-hook-test-{uuid.uuid4().hex}"
    engine("volume", "create", name)
    yield name
    engine("volume", "rm", "--force", name, check=False)


@pytest.mark.parametrize("engine", ["docker"], indirect=True)
@pytest.mark.proves("control: a stranger cannot work in a named volume")
def test_a_stranger_cannot_work_in_a_named_volume(
    engine: Engine, workspace: Path, launch: Launch, venv: Path, volume: str
) -> None:
    container = launch(workspace, f"--mount=type=volume,source={volume},target={venv}")

    done = container.exec("python3", "-m", "venv", "--without-pip", ".venv", user=STRANGER)

    assert (done.returncode, "Permission denied" in done.stderr) == (1, True)


@pytest.mark.proves("control: without the ACL, mode 1777 is not enough for a second user")
def test_without_the_acl_a_second_user_cannot_make_the_venv_anew(
    engine: Engine, workspace: Path, launch: Launch, venv: Path, data: Path
) -> None:
    store = data / "plain"
    store.mkdir()
    give_to_owner(store)
    store.chmod(0o1777)
    container = launch(workspace, bind(store, venv))
    container.sh("python3 -m venv --without-pip .venv")

    done = container.exec("python3", "-m", "venv", "--clear", "--without-pip", ".venv", user=STRANGER)

    assert (done.returncode, "Error: " in done.stderr + done.stdout) == (1, True)
