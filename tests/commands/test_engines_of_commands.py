"""`--engine` of the commands: all that print know each engine, and those that need Docker's language say so."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import Hook, MakeVenv
from layout import fill
from paude_venv_hook import overlay
from paude_venv_hook.errors import EngineError

Programs = Callable[[str, str], Path]
USE = "use docker, podman, nerdctl or finch\n"


@pytest.fixture
def app(workspace: Path, make_venv: MakeVenv) -> Path:
    """Return a workspace with a venv."""
    make_venv(workspace / ".venv")
    return workspace


@pytest.mark.parametrize("flags", [("--format", "bwrap"), ("--engine", "bwrap"), ("--format=bwrap", "--engine=bwrap")])
def test_print_has_the_line_of_bwrap(app: Path, hook: Hook, flags: tuple[str, ...]) -> None:
    assert hook("print", *flags) == (0, f"--perms 1777 --tmpfs {app}/.venv\n", "")


@pytest.mark.usefixtures("app")
def test_the_format_of_bwrap_is_for_no_other_engine(hook: Hook) -> None:
    problem = "--format bwrap: is not for --engine podman; leave one of them out"

    assert hook("print", "--format", "bwrap", "--engine", "podman") == (
        2,
        "",
        f"paude-venv-hook: error[usage]: {problem}\n",
    )


@pytest.mark.parametrize(
    ("engine", "printed"),
    [
        ("nerdctl", "--tmpfs\n{app}/.venv:rw,exec,nosuid,nodev,uid={uid},gid={gid},mode=1777\n"),
        ("finch", "--tmpfs\n{app}/.venv:rw,exec,nosuid,nodev,uid={uid},gid={gid},mode=1777\n"),
        ("container", "--mount\ntype=tmpfs,destination={app}/.venv,mode=1777\n"),
    ],
)
def test_print_and_status_know_each_engine(app: Path, hook: Hook, engine: str, printed: str) -> None:
    assert hook("print", "--format", "lines", "--engine", engine).out == printed.format(
        app=app, uid=os.getuid(), gid=os.getgid()
    )
    assert json.loads(hook("status", "--json", "--engine", engine).out)["engine"] == engine


def test_run_writes_an_overlay_that_serves_each_engine(app: Path, hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAUDE_VENV_ENGINE", "container")

    assert hook("run", "--quiet").code == 0
    document = overlay.load(overlay.default_path(str(app)))

    assert document["engine"] == "container"
    assert overlay.run_args(document) == overlay.run_args(document, "container")
    assert overlay.run_args(document, "nerdctl") == overlay.run_args(document, "docker")
    assert overlay.run_args(document, "bwrap") == ["--perms", "1777", "--tmpfs", f"{app}/.venv"]


def test_an_overlay_of_an_older_release_serves_what_it_knows(app: Path, hook: Hook) -> None:
    hook("run", "--quiet")
    path = Path(overlay.default_path(str(app)))
    document = json.loads(path.read_text())
    document["engines"] = {name: document["engines"][name] for name in ("docker", "podman")}
    path.write_text(json.dumps(document))

    loaded = overlay.load(str(path))

    assert overlay.run_args(loaded, "docker")[0] == "--tmpfs"
    with pytest.raises(EngineError) as caught:
        overlay.run_args(loaded, "bwrap")
    assert str(caught.value) == ("the overlay has no arguments of bwrap, being an older one; run paude-venv-hook again")


@pytest.mark.parametrize("engine", ["bwrap", "container"])
def test_what_needs_dockers_language_says_so(app: Path, hook: Hook, engine: str) -> None:
    fill(app, '.devcontainer.json = {"image": "i"}')

    for words, what in (
        (("verify", "c"), "verify"),
        (("print", "--format", "compose", "--service", "a", "--target", "/a"), "compose"),
        (("devcontainer-config",), "devcontainer-config"),
    ):
        problem = f"paude-venv-hook: error[usage]: --engine: {what} is not for {engine}; {USE}"
        assert hook(*words, "--engine", engine) == (2, "", problem)


@pytest.mark.usefixtures("app")
def test_compose_gets_dockers_form_for_nerdctl(hook: Hook) -> None:
    done = hook("print", "--format", "compose", "--engine", "nerdctl", "--service", "a", "--target", "/a")

    options = f"rw,exec,nosuid,nodev,uid={os.getuid()},gid={os.getgid()},mode=1777"
    assert json.loads(done.out) == {"services": {"a": {"tmpfs": [f"/a/.venv:{options}"]}}}


@pytest.mark.parametrize(
    ("engine", "state", "problem"),
    [
        ("bwrap", "idle", ""),
        ("container", "unknown", "container does not describe its containers as Docker does; see container list --all"),
        ("nerdctl", "in use", ""),
        ("finch", "unknown", "finch is not on PATH; install it"),
    ],
)
def test_a_store_is_listed_as_far_as_its_engine_can_be_asked(
    app: Path, hook: Hook, programs: Programs, engine: str, state: str, problem: str
) -> None:
    printed = hook("print", "--storage", "disk", "--engine", engine, "--format", "lines").out
    store = next(word for word in printed.replace(",", "\n").splitlines() if "/venvs/" in word).removeprefix("source=")
    containers = json.dumps([{"Name": "/c", "State": {"Running": False}, "Mounts": [{"Source": store}]}])
    programs("nerdctl", f"if [ $1 = ps ]; then echo 1; else echo '{containers}'; fi")

    listed = hook("store", "list")

    assert listed.out.splitlines()[1].split("  ")[1] == state
    assert engine in listed.out
    unknown = f"paude-venv-hook: warning: which containers use the stores of {engine} is unknown: {problem}\n"
    assert listed.err == (unknown if problem else "")
