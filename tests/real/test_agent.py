"""What a program in the container, an agent say, can do to the venvs that the host's editor and shell start from."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import MakeVenv
from layout import fill
from real.containers import OWNER, Engine, Launch, shadow_args, tree_hash

proves = pytest.mark.proves
ATTEMPTS = (
    "rm -rf .venv",
    "rmdir .venv",
    "mv .venv elsewhere",
    "ln -sfnT /tmp .venv",
    "umount .venv",
    "mount --move .venv /mnt",
    "mount --bind /tmp .venv",
)


@proves("a container can write to no venv of the host at the top level, nor remove, rename or unmount the shadow")
@pytest.mark.parametrize("user", [0, OWNER])
def test_no_interpreter_is_planted_in_a_shadowed_venv(
    engine: Engine, workspace: Path, launch: Launch, venv: Path, user: int
) -> None:
    before = tree_hash(venv)
    container = launch(workspace, *shadow_args(workspace, engine.name), user=user)

    container.sh("mkdir .venv/bin; printf '#!/bin/sh\\necho planted\\n' | tee .venv/bin/python >.venv/bin/pip")
    for attempt in ATTEMPTS:
        assert container.exec(*attempt.split()).returncode != 0, attempt

    assert container.mounts()[str(venv)][0] == "tmpfs"
    assert tree_hash(venv) == before


@proves("control: further down, and through a link, a container can put another directory there")
@pytest.mark.parametrize(
    ("path", "target", "way"),
    [
        ("backend/.venv", "backend/.venv", "mv backend other; mkdir -p backend/.venv"),
        (".venv", "venvs/main", "rm .venv; mkdir .venv"),
    ],
)
def test_what_is_not_a_directory_at_the_top_can_be_replaced(
    engine: Engine, workspace: Path, launch: Launch, make_venv: MakeVenv, path: str, target: str, way: str
) -> None:
    make_venv(workspace / target)
    if path != target:
        fill(workspace, f"{path} -> {target}")
    fill(workspace, f'paude.json = {{"venv": ["{path}"]}}')
    container = launch(workspace, *shadow_args(workspace, engine.name))
    assert container.mounts()[str(workspace / target)][0] == "tmpfs"

    container.sh(f"{way}; touch {path}/planted")

    assert [entry.name for entry in (workspace / path).iterdir()] == ["planted"]
