"""Whatever a directory is called, its shadow is on it and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from real.containers import HOOK, Engine, Launch, run, shadow_args, tree_hash

NAMES = [
    "plain",
    "with  blanks",
    "comma,then=equals",
    'double"quotes"',
    "single'quote",
    "$HOME",
    "${HOME}",
    "$(id)`id`",
    "100%s",
    "back\\slash\\n",
    "umlaut-ü-環境-🐍",
    "e\u0301 is not \u00e9",
    "-dash",
    "#;&|<>*?[!]~",
    "size=1,noexec,ro",
]
WITH_COLON = ["co:lon", ":", 'a:b,"c"', "C:\\venv", "x:ro,noexec"]


def make_venvs(workspace: Path, names: list[str]) -> None:
    (workspace / "pyproject.toml").write_text("")  # nothing is reserved beside them
    for name in names:
        (workspace / name).mkdir()
        (workspace / name / "pyvenv.cfg").write_text("home = /usr/bin\n")


def show_shadows(engine: Engine, workspace: Path, launch: Launch, names: list[str]) -> None:
    """Show that each directory is shadowed, and nothing else is there that the host has not."""
    make_venvs(workspace, names)
    before = tree_hash(workspace)

    container = launch(workspace, *shadow_args(workspace, engine.name))

    listed = 'for name; do ls -A -- "./$name"; cp /bin/true "./$name/it runs"; "./$name/it runs"; done'
    assert container.sh(listed, *names) == ""
    inside = {path for path, (kind, _) in container.mounts().items() if kind == "tmpfs"}
    assert {path for path in inside if path.startswith(str(workspace))} == {str(workspace / name) for name in names}
    assert tree_hash(workspace) == before


@pytest.mark.parametrize("folder", ["app", 'it\'s "my" app, $HOME=100% ü'])
@pytest.mark.proves("names with blanks, commas, quotes, `$`, `=`, `%`, Unicode")
def test_a_name_of_any_kind_is_shadowed(engine: Engine, workspace: Path, launch: Launch, folder: str) -> None:
    project = workspace / "projects" / folder
    project.mkdir(parents=True)

    show_shadows(engine, project, launch, NAMES)


@pytest.mark.parametrize("engine", ["podman"], indirect=True)
@pytest.mark.proves("names with a colon")
def test_podman_shadows_a_name_with_a_colon(engine: Engine, workspace: Path, launch: Launch) -> None:
    show_shadows(engine, workspace, launch, WITH_COLON)


@pytest.mark.parametrize("engine", ["docker"], indirect=True)
def test_docker_cannot_shadow_a_name_with_a_colon_and_the_hook_says_so(engine: Engine, workspace: Path) -> None:
    make_venvs(workspace, ["co:lon"])

    done = run(*HOOK, "--engine", engine.name, "--workspace-folder", workspace, check=False)

    why = f"Docker has no way to mount a tmpfs on {workspace}/co:lon, for its colon; rename the folder"
    assert (done.returncode, done.stderr) == (0, f"paude-venv-hook: warning: co:lon not shadowed: {why}\n")
    options = f"--tmpfs={workspace}/co:lon:exec"
    assert "invalid tmpfs option" in engine.run(options, "true", check=False).stderr
