"""`paude-venv-hook verify` asks real containers, and is right about what is in them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from conftest import MakeVenv
from real.containers import (
    ENVIRONMENT,
    OWNER,
    PROGRAM,
    STRANGER,
    Engine,
    Launch,
    run,
    shadow_args,
)

RECREATE = "recreate the container through paude-venv-hook"
EMPTY = "is empty in the container"
proves = pytest.mark.proves


def verify(engine: Engine, workspace: Path, container: str, *flags: str) -> tuple[int, str, str]:
    """Run the program, and return its exit code, and what it prints to stdout and stderr.

    A shadow that nobody has filled is said to be empty: that is left out, and has a test of its own.
    """
    code, out, lines = verify_all(engine, workspace, container, *flags)
    return code, out, "".join(line for line in lines if EMPTY not in line)


def verify_all(engine: Engine, workspace: Path, container: str, *flags: str) -> tuple[int, str, list[str]]:
    """Run the program, and return its exit code, what it prints to stdout, and each line on stderr."""
    own = ("verify", "--engine", engine.name, "--workspace-folder", workspace)
    done = run(PROGRAM, *own, *flags, container, check=False, env=ENVIRONMENT)
    return done.returncode, done.stdout, done.stderr.splitlines(keepends=True)


@proves("`verify` says which shadow is empty, since the image may hold a venv on its path")
def test_an_empty_shadow_is_said(engine: Engine, workspace: Path, launch: Launch, make_venv: MakeVenv) -> None:
    make_venv(workspace / ".venv")
    container = launch(workspace, *shadow_args(workspace, engine.name))

    _, _, empty = verify_all(engine, workspace, container.name)
    container.sh(f"touch {workspace}/.venv/file")
    _, _, filled = verify_all(engine, workspace, container.name)

    assert sum(EMPTY in line for line in empty) == 1
    assert sum(EMPTY in line for line in filled) == 0


@proves("`verify` tells that each shadow is there")
@pytest.mark.parametrize("user", [0, OWNER], ids=["root", "owner"])
def test_all_is_well(engine: Engine, workspace: Path, launch: Launch, make_venv: MakeVenv, user: int) -> None:
    for name in (".venv", "my venv", "packages/api/.venv"):
        make_venv(workspace / name)
    (workspace / "paude.json").write_text('{"venv": [".venv", "my venv", "packages/api/.venv"]}')
    flags = ("--container-workspace-folder", "/workspaces/app")

    container = launch(workspace, *shadow_args(workspace, engine.name, *flags), target="/workspaces/app", user=user)

    assert verify(engine, workspace, container.name) == (
        0,
        ".venv: shadowed (/workspaces/app/.venv)\n"
        "my venv: shadowed (/workspaces/app/my venv)\n"
        "packages/api/.venv: shadowed (/workspaces/app/packages/api/.venv)\n",
        "",
    )


@proves("`verify` follows the symlinks of the container")
@pytest.mark.parametrize("target", ["/lib/app", "/var/run/app", "/bin/deep/app"])
def test_a_workspace_behind_a_symlink_of_the_container_is_well(
    engine: Engine, workspace: Path, launch: Launch, make_venv: MakeVenv, target: str
) -> None:
    make_venv(workspace / ".venv")
    arguments = shadow_args(workspace, engine.name, "--container-workspace-folder", target)

    container = launch(workspace, *arguments, target=target)
    bare = launch(workspace, target=target)

    assert container.sh(f"readlink -f {target}") != f"{target}\n"
    assert verify(engine, workspace, container.name) == (0, f".venv: shadowed ({target}/.venv)\n", "")
    assert verify(engine, workspace, bare.name)[0] == 1


@proves("`verify` tells of a container that was made without the arguments, or before a venv was added")
def test_what_the_container_was_made_without_is_said(
    engine: Engine, workspace: Path, launch: Launch, make_venv: MakeVenv
) -> None:
    make_venv(workspace / ".venv")
    arguments = shadow_args(workspace, engine.name)
    make_venv(workspace / "later")

    container = launch(workspace, *arguments)
    without = launch(workspace)

    problem = f"not shadowed: the container was made without it; {RECREATE}"
    assert verify(engine, workspace, container.name) == (
        1,
        f".venv: shadowed ({workspace}/.venv)\nlater: {problem} ({workspace}/later)\n",
        "",
    )
    assert verify(engine, workspace, without.name, "--venv", ".venv") == (
        1,
        f".venv: {problem} ({workspace}/.venv)\n",
        'paude-venv-hook: warning: later stays visible in the container; to shadow what is there, write "venv": '
        '[".venv", "later"] in paude.json\n',
    )


@pytest.mark.parametrize(
    ("engine", "problem"),
    [
        ("docker", f"mounted noexec, and no program in it starts; {RECREATE}"),
        ("podman", f"filled with what the host's has; {RECREATE}"),
    ],
    indirect=["engine"],
)
@proves("`verify` tells what is wrong with the plain `--mount type=tmpfs`")
def test_the_plain_tmpfs_is_told_from_a_right_one(
    engine: Engine, workspace: Path, launch: Launch, make_venv: MakeVenv, problem: str
) -> None:
    venv = make_venv(workspace / ".venv")

    container = launch(workspace, f"--mount=type=tmpfs,destination={venv}")

    assert verify(engine, workspace, container.name) == (1, f".venv: {problem} ({venv})\n", "")


@proves("`verify` tells of a shadow that the container's user cannot write to")
def test_a_shadow_that_the_user_cannot_write_to_is_said(
    engine: Engine, workspace: Path, launch: Launch, make_venv: MakeVenv
) -> None:
    venv = make_venv(workspace / ".venv")
    options = {"docker": "exec,uid=0,gid=0", "podman": "exec,notmpcopyup"}[engine.name]
    venv.chmod(0o755)  # the mode that an old runc gives the tmpfs

    container = launch(workspace, f"--tmpfs={venv}:{options},mode=0755", user=STRANGER)

    problem = f"not writable for the container's user; name it in venv-tmpfs, and {RECREATE}"
    assert verify(engine, workspace, container.name) == (1, f".venv: {problem} ({venv})\n", "")


@proves("`verify` tells that the host removed the directory below a shadow, and that a restart mends it")
@pytest.mark.parametrize("how", ["rm", "mv"])
def test_a_mount_that_was_lost_is_said(
    engine: Engine, workspace: Path, launch: Launch, make_venv: MakeVenv, how: str
) -> None:
    venv = make_venv(workspace / ".venv")
    container = launch(workspace, *shadow_args(workspace, engine.name))
    assert verify(engine, workspace, container.name) == (0, f".venv: shadowed ({venv})\n", "")

    if how == "rm":
        shutil.rmtree(venv)
    else:
        venv.rename(workspace.parent / "moved")
    make_venv(venv)

    assert container.sh("ls -A .venv") == "pyvenv.cfg\n"
    lost = "the mount was lost, since the directory was removed on the host; restart the container"
    assert verify(engine, workspace, container.name) == (1, f".venv: {lost} ({venv})\n", "")
    engine("restart", container.name)
    assert verify(engine, workspace, container.name) == (0, f".venv: shadowed ({venv})\n", "")


@proves("`verify` finds a workspace in a git root that is mounted at another path")
def test_a_mounted_folder_above_the_workspace_at_another_path(
    engine: Engine, workspace: Path, launch: Launch, make_venv: MakeVenv
) -> None:
    folder = workspace / "packages" / "api"
    make_venv(folder / ".venv")
    make_venv(workspace / "env")
    (workspace / "pyproject.toml").write_text("")  # nothing is reserved beside it
    flags = ("--container-workspace-folder", "/src/app/packages/api")
    container = launch(workspace, *shadow_args(folder, engine.name, *flags), target="/src/app")

    assert verify(engine, folder, container.name) == (
        1,
        ".venv: shadowed (/src/app/packages/api/.venv)\n"
        f"../../env: not shadowed: the container was made without it; {RECREATE} (/src/app/env)\n",
        "",
    )


@proves("`verify` leaves a volume of the container's own alone, and says it")
def test_a_volume_of_its_own_is_no_problem(
    engine: Engine, workspace: Path, launch: Launch, make_venv: MakeVenv
) -> None:
    venv = make_venv(workspace / ".venv")

    container = launch(workspace, f"--volume={venv}")

    warning = f".venv not shadowed: the configuration mounts something on {venv} already"
    assert verify(engine, workspace, container.name) == (0, "", f"paude-venv-hook: warning: {warning}\n")
    assert verify(engine, workspace, container.name, "--quiet") == (0, "", "")


def test_a_container_that_cannot_be_asked_is_named_in_one_line(engine: Engine, workspace: Path, launch: Launch) -> None:
    container = launch(workspace)
    engine("stop", container.name)

    error = "paude-venv-hook: error[verify]: "
    assert verify(engine, workspace, container.name) == (
        1,
        "",
        f"{error}{container.name}: does not run; start it first\n",
    )
    name, none = "paude-venv-hook-test-none", f"{engine.name} has no such container; see {engine.name} ps"
    assert verify(engine, workspace, name) == (1, "", f"{error}{name}: {none}\n")
