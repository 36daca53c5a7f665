"""Storage on disk, through the commands that start containers: what is in the venv stays, the host's is as before."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from conftest import MakeVenv
from layout import fill
from real.conftest import engine_or_rootless
from real.containers import ENVIRONMENT, OWNER, Container, Engine, Launch, RunHook, run, tree_hash, use_venv, work
from real.test_exec import Line

proves = pytest.mark.proves
pytestmark = pytest.mark.usefixtures("data")
STILL_THERE = ".venv/bin/python -c 'import markupsafe._speedups as m; print(m.__file__)'"


@pytest.fixture(scope="session", params=["docker", "podman", "rootless"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Return an engine that works: Docker, Podman, or the Podman of an ordinary user."""
    return engine_or_rootless(request)


@pytest.fixture
def workspace(workspace: Path) -> Path:
    """Return a workspace that keeps its container's venv on disk."""
    return fill(workspace, 'paude.json = {"venv-storage": "disk"}')


@proves("storage on disk, by `print`: the venv stays through `restart`, `rm` and another `run`; the host's as before")
def test_the_venv_of_the_container_stays(
    engine: Engine, workspace: Path, launch: Launch, venv: Path, wheels: str, hook_of_engine: RunHook
) -> None:
    own = ("--engine", engine.name, "--workspace-folder", str(workspace))
    before = tree_hash(workspace)

    def start() -> Container:
        printed = hook_of_engine("print", *own, "--format=nul", "--image", engine.image)
        assert (printed.returncode, printed.stderr) == (0, "")
        return launch(workspace, *printed.stdout.split("\0")[:-1], wheels)

    def check(container: Container) -> None:
        assert container.sh(STILL_THERE).startswith(f"{venv}/lib/")
        done = hook_of_engine("verify", *own, container.name)
        assert (done.stdout, done.stderr) == (f".venv: shadowed ({venv})\n", "")

    first = start()
    assert first.sh("ls -A .venv") == ""
    use_venv(first)
    check(first)
    engine("restart", first.name)
    check(first)
    engine("rm", "--force", first.name)
    second = start()
    check(second)
    work(second, OWNER)  # whoever made what is there
    assert tree_hash(workspace) == before
    run(venv / "bin/python", "-B", "-c", "import markupsafe._speedups")


@proves("`verify` with storage on disk: a lost mount, a venv of another Python, and a container without the store")
def test_verify_tells_what_is_wrong(
    engine: Engine, workspace: Path, launch: Launch, make_venv: MakeVenv, hook_of_engine: RunHook
) -> None:
    venv = make_venv(workspace / ".venv")
    own = ("--engine", engine.name, "--workspace-folder", str(workspace))

    def verify(container: Container, *flags: str) -> str:
        return hook_of_engine("verify", *own, *flags, container.name).stdout.removesuffix(f" ({venv})\n")

    printed = hook_of_engine("print", *own, "--format=nul").stdout.split("\0")[:-1]
    in_memory = hook_of_engine("print", *own, "--format=nul", "--storage=memory").stdout.split("\0")[:-1]
    container, other, without = launch(workspace, *printed), launch(workspace, *in_memory), launch(workspace)
    recreate = "recreate the container through paude-venv-hook"

    assert verify(container) == ".venv: shadowed"
    container.sh("mkdir .venv/bin; ln -s /gone/python3 .venv/bin/python")
    name = printed[1].partition("/venvs/")[2].partition("/")[0]
    assert verify(container) == (
        ".venv: its bin/python does not run, since it was made by another Python or for another architecture; "
        f"empty it with paude-venv-hook store clean {name}"
    )
    assert hook_of_engine("store", "clean", name).stdout == f"{name}\n"
    assert verify(container) == ".venv: shadowed"
    assert verify(container, "--storage=memory") == (
        f".venv: on disk, while storage is memory; {recreate}, or use --storage disk"
    )
    assert verify(other) == f".venv: in memory, while storage is disk; {recreate}, or use --storage memory"
    assert verify(without) == f".venv: not shadowed: the container was made without it; {recreate}"

    shutil.rmtree(venv)
    assert verify(container) == (
        ".venv: the mount was lost, since the directory was removed on the host; restart the container"
    )


@pytest.mark.parametrize("engine", ["docker", "podman"], indirect=True)
@pytest.mark.parametrize(
    "how",
    [
        pytest.param("exec", marks=proves("storage on disk, by `exec -- ENGINE run`: one venv for each image")),
        pytest.param("wrapper", marks=proves("storage on disk, by `paude-venv-ENGINE run`: one venv for each image")),
    ],
)
def test_each_image_has_a_venv_of_its_own(
    engine: Engine, workspace: Path, make_venv: MakeVenv, how: str, data: Path
) -> None:
    make_venv(workspace / ".venv")
    before = tree_hash(workspace)
    line = Line(engine, workspace, how)
    by_id = engine("image", "inspect", "--format", "{{.Id}}", engine.image).stdout.strip()
    line.environ = {**ENVIRONMENT, "XDG_DATA_HOME": str(data)}

    def say(image: str, script: str) -> str:
        code, out, _ = line("run", *line.options, image, "sh", "-c", script)
        return f"{code} {out}"

    assert say(engine.image, "ls -A .venv; echo first >.venv/file") == "0 "
    assert say(by_id, "ls -A .venv; echo second >.venv/file") == "0 "
    assert say(engine.image, "cat .venv/file") == "0 first\n"
    assert say(by_id, "cat .venv/file") == "0 second\n"
    assert tree_hash(workspace) == before
