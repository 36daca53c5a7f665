"""Podman of an ordinary user, with that user's id in the container (`--userns=keep-id`) and without."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import json5
import platformdirs
import pytest

import paude_venv_hook
from conftest import MakeVenv
from layout import fill
from paude_venv_hook.installation import podman_hook
from real.containers import (
    OWNER,
    STRANGER,
    Engine,
    Launch,
    bind,
    run,
    shadow_args,
    tree_hash,
    use_venv,
)


@pytest.fixture(scope="session")
def engine(users_podman: Engine) -> Engine:
    """Return the user's Podman."""
    return users_podman


PROVES = "a venv works on both sides, as the default user and another one"


@pytest.mark.parametrize(
    "options",
    [
        pytest.param([], marks=pytest.mark.proves(PROVES), id="mapped"),
        pytest.param(
            ["--userns=keep-id"], marks=pytest.mark.proves(f"{PROVES}, with `--userns=keep-id`"), id="keep-id"
        ),
    ],
)
@pytest.mark.parametrize("user", [None, STRANGER], ids=["default", "stranger"])
def test_host_and_container_each_have_a_venv_that_works(
    engine: Engine,
    workspace: Path,
    launch: Launch,
    venv: Path,
    wheelhouse: Path,
    options: list[str],
    user: int | None,
) -> None:
    wheels = shutil.copytree(wheelhouse, workspace.parent / "wheels")
    before = tree_hash(workspace)

    options = [*shadow_args(workspace, engine.name), bind(wheels, "/wheels", read_only=True), *options]
    container = launch(workspace, *options, user=user)

    assert container.sh("ls -A .venv; cat app.py") == "print('hello')\n"
    use_venv(container)
    assert tree_hash(workspace) == before
    run(venv / "bin/python", "-B", "-c", "import markupsafe._speedups")


@pytest.fixture
def users_program(as_user: str, tmp_path: Path) -> Iterator[str]:
    """Install Podman's hook for the user and return its program, a copy that the user can reach, as is its Python."""
    ask = "command -v python3 && python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))'"
    found = run(as_user, "sh", "-c", ask, check=False)
    if found.returncode:
        pytest.skip("the user has no Python 3.10 or newer")
    for module in (paude_venv_hook, json5, platformdirs):
        package = Path(str(module.__file__)).parent
        shutil.copytree(package, tmp_path / "lib" / package.name)
    program = tmp_path / "paude-venv-hook"
    program.write_text(
        f"#!{found.stdout.strip()}\nimport sys\nsys.path.insert(0, {str(tmp_path / 'lib')!r})\n"
        "from paude_venv_hook.cli import main\nsys.exit(main())\n"
    )
    program.chmod(0o755)
    try:
        run(as_user, program, "install", "--engine", "podman")
        yield str(program)
    finally:
        run(as_user, program, "uninstall", "--engine", "podman")


@pytest.mark.parametrize("options", [[], ["--userns=keep-id"]], ids=["mapped", "keep-id"])
@pytest.mark.proves("Podman's hook: installed by the user, Podman finds it by itself")
def test_the_users_own_hook_shadows_an_unchanged_run(
    as_user: str,
    engine: Engine,
    users_program: str,
    workspace: Path,
    launch: Launch,
    make_venv: MakeVenv,
    options: list[str],
) -> None:
    make_venv(workspace / "env")
    (workspace / "paude.json").write_text('{"venv": ["env", ".venv"]}')
    before = tree_hash(workspace / "env")

    container = launch(workspace, *options, user=None)

    assert container.sh("ls -A env .venv") == ".venv:\n\nenv:\n"
    for path in ("env", ".venv"):
        container.sh('python3 -m venv --without-pip "$1"; cp /bin/echo "$1/echo"; "$1/echo"', path)
        container.sh('touch "$1/file"', path, user=STRANGER)
    engine("restart", container.name)
    assert container.sh("ls -A env .venv") == ".venv:\n\nenv:\n"
    assert tree_hash(workspace / "env") == before
    assert (os.listdir(workspace / ".venv"), (workspace / ".venv").stat().st_uid) == ([], OWNER)

    # On disk: by the hook, and by `exec` (which is then the first to mount), each with its own store.
    (workspace / "paude.json").write_text('{"venv": ["env", ".venv"], "venv-storage": "disk"}')
    own = [*options, bind(workspace, workspace), f"--workdir={workspace}"]
    for start in ([], [as_user, users_program, "exec", "--"]):
        command = (*start, *engine.command[bool(start) :])
        on_disk = replace(engine, command=command)
        assert on_disk.run(*own, "ls -A env .venv; echo kept >env/file").stdout == ".venv:\n\nenv:\n"
        assert on_disk.run(*own, f"--user={STRANGER}", "cat env/file; echo more >>env/file").stdout == "kept\n"
    assert run(as_user, users_program, "store", "list").stdout.count("  idle  ") == 4
    assert tree_hash(workspace / "env") == before

    run(as_user, users_program, "uninstall", "--engine", "podman")
    assert engine.run(bind(workspace, "/app"), "ls -A /app/env").stdout == "pyvenv.cfg\n"


@pytest.mark.proves("Podman's hook: installed by root, it finds the settings of each user")
def test_the_hook_of_root_finds_the_own_settings_of_the_user(
    as_user: str,
    engine: Engine,
    users_program: str,
    workspace: Path,
    make_venv: MakeVenv,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run(as_user, users_program, "uninstall", "--engine", "podman")
    monkeypatch.setattr(podman_hook, "is_root", lambda: True)
    hook_file, *_ = podman_hook.plan_install([str(tmp_path / "hooks")], users_program, str(tmp_path / "none"), {})
    fill(tmp_path, f"hooks/paude-venv-hook.json = {(hook_file.data or b'').decode()}")
    make_venv(workspace / "mine")
    make_venv(workspace / "other")
    (workspace / "paude.json").write_text("{}")
    home = run(as_user, "sh", "-c", 'getent passwd "$(id -u)" | cut -d: -f6').stdout.strip()
    settings = f"{home}/.config/paude"

    run(as_user, "sh", "-c", f'mkdir -p {settings} && echo \'{{"venv": ["mine"]}}\' >{settings}/paude.json')
    try:
        podman = replace(engine, command=(*engine.command, f"--hooks-dir={tmp_path / 'hooks'}"))
        seen = podman.run(bind(workspace, "/app"), "cd /app; ls -A mine other").stdout
    finally:
        run(as_user, "rm", "-r", settings)

    assert seen == "mine:\n\nother:\npyvenv.cfg\n"
