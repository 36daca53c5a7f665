"""Storage on disk: which store each way to launch mounts, what is made and when, and what is refused."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from conftest import Hook, MakeVenv
from layout import fill
from outcomes import outcome
from paude_venv_hook.decision import Answer, plan_for
from paude_venv_hook.engines import selinux
from paude_venv_hook.launchers.flags import decide_by_flags
from paude_venv_hook.launchers.run_line import rewrite_run_line
from paude_venv_hook.launchers.settled import settle_line
from paude_venv_hook.notes import unique_words
from paude_venv_hook.overlay import make_document
from paude_venv_hook.stores.folder import read_record, store_path, stores_folder
from paude_venv_hook.stores.purpose import Purpose

ROOTLESS = os.getuid() != 0


@pytest.fixture
def app(workspace: Path, make_venv: MakeVenv) -> Path:
    """Return a workspace with a venv, which its container keeps on disk."""
    make_venv(workspace / ".venv")
    return fill(workspace, 'paude.json = {"venv-storage": "disk"}')


class Said(NamedTuple):
    """What a launch says of its container."""

    image: str = ""
    platform: str = ""
    service: str = ""


def ready(folder: Path, environ: dict[str, str] | None = None, **flags: Any) -> Answer:
    """Return the decision for a workspace, for Podman unless the flags say otherwise."""
    return decide_by_flags(str(folder), environ or {}, **{"engine": "podman", **flags})


def document(answer: Answer, environ: dict[str, str] | None = None) -> dict[str, Any]:
    """Return the overlay."""
    return make_document(answer, environ or {})


def purposes(answer: Answer, engine: str, environ: dict[str, str] | None = None) -> tuple[Purpose, ...]:
    """Return what the stores of an engine are for."""
    return plan_for(answer, engine, environ or {})[1]


def purpose(app: Path, engine: str = "podman", said: Said | None = None, destination: str = "") -> Purpose:
    """Return what a store for the `.venv` of the workspace is for."""
    image, platform, service = said or Said()
    rootless = ROOTLESS and engine == "podman"
    return Purpose(str(app), ".venv", destination or f"{app}/.venv", engine, rootless, service, image, platform)


def mounted(store: Purpose) -> list[str]:
    """Return the arguments that mount a store."""
    return ["--mount", f"type=bind,source={store_path(store)},target={store.destination}"]


def stores() -> set[str]:
    """Return the host paths of what containers mount of the stores that are there."""
    folder = Path(stores_folder())
    return {str(path / "venv") for path in folder.iterdir() if path.is_dir()} if folder.exists() else set()


# ---- which store


def test_each_engine_has_a_store_of_its_own_and_nothing_is_made_by_looking(app: Path) -> None:
    prepared = ready(app)

    assert [shadow.store for shadow in prepared.plan.shadows] == [store_path(purpose(app))]
    assert document(prepared)["storage"] == "disk"
    assert document(prepared)["shadows"][0]["store"] == store_path(purpose(app))
    assert document(prepared)["engines"] == {
        **{engine: {"runArgs": mounted(purpose(app, engine))} for engine in ("docker", "podman")},
        **{
            engine: {
                "runArgs": None,
                "error": f"storage on disk is not made ready for {engine}; use --engine {engine}",
            }
            for engine in ("nerdctl", "finch", "container", "bwrap")
        },
    }
    assert store_path(purpose(app, "docker")) != store_path(purpose(app))
    assert stores() == set()


def test_in_memory_there_are_none(app: Path) -> None:
    prepared = ready(app, storage="memory")

    assert [shadow.store for shadow in prepared.plan.shadows] == [""]
    assert (document(prepared)["storage"], prepared.purposes) == ("memory", ())
    assert document(prepared)["runArgs"][0] == "--tmpfs"
    assert settle_line(prepared, {}) == prepared
    assert stores() == set()


def test_the_key_is_the_mount_and_the_path_in_it(app: Path, make_venv: MakeVenv) -> None:
    make_venv(app / "packages" / "api" / ".venv")
    fill(app, 'packages/api/paude.json = {"venv-storage": "disk"}')
    config = {"workspaceMount": f"type=bind,source={app},target=/src", "workspaceFolder": "/src/packages/api"}
    fill(app / "packages" / "api", f".devcontainer.json = {json.dumps(config)}")

    found = ready(app / "packages" / "api").purposes

    assert [item[:3] for item in found] == [
        (str(app), "packages/api/.venv", "/src/packages/api/.venv"),
        (str(app), ".venv", "/src/.venv"),
    ]


def test_devcontainer_json_names_image_and_platform(app: Path) -> None:
    config = {"image": "python:${localEnv:VERSION}", "runArgs": ["--init", "--platform=linux/${localEnv:ARCH}"]}
    fill(app, f".devcontainer.json = {json.dumps(config)}")

    def said(**flags: Any) -> Purpose:
        return ready(app, {"VERSION": "3.13", "ARCH": "arm64"}, **flags).purposes[0]

    target = "/workspaces/app/.venv"
    assert said() == purpose(app, said=Said("python:3.13", "linux/arm64"), destination=target)
    assert said(image="mine") == purpose(app, said=Said("mine"), destination=target)


def test_a_dockerfile_has_no_name_and_a_wrong_type_is_for_the_tools_to_say(app: Path) -> None:
    for image in ({"build": {"dockerfile": "Dockerfile"}}, {"image": 1}):
        (app / ".devcontainer.json").write_text(json.dumps(image))
        assert ready(app).purposes[0][6:8] == ("", "")


def test_dockers_own_variable_names_the_platform_for_docker_alone(app: Path) -> None:
    environ = {"DOCKER_DEFAULT_PLATFORM": "linux/arm64"}

    prepared = ready(app, environ)
    assert [purposes(prepared, name, environ)[0].platform for name in ("docker", "podman")] == ["linux/arm64", ""]
    assert purposes(ready(app, environ, platform="linux/amd64"), "docker", environ)[0].platform == "linux/amd64"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("run -v .:/app python:3.13 bash", Said("python:3.13")),
        ("run -v .:/app --platform linux/arm64 -- img --platform x", Said("img", "linux/arm64")),
        ("create --platform=a --platform b -v .:/app localhost/i:t", Said("localhost/i:t", "b")),
        ("run --arch arm64 --variant v8 --os linux -v .:/app i", Said("i", "linux/arm64/v8")),
        ("run -v .:/app", Said()),
    ],
)
def test_a_command_line_names_image_and_platform(app: Path, line: str, said: Said) -> None:
    added = outcome(rewrite_run_line("/no/engine", shlex.split(line), "podman", {}, str(app)))

    store = purpose(app, said=said, destination="/app/.venv")
    assert added.words[1:3] == mounted(store)
    assert added.warnings == []


# ---- what is refused


def in_memory(why: str) -> str:
    """Return what is said of a store that cannot be used."""
    return f".venv is in memory for this launch: {why}"


@pytest.mark.parametrize(("engine", "variable"), [("docker", "DOCKER_HOST"), ("podman", "CONTAINER_HOST")])
def test_an_engine_on_another_machine_has_memory_and_the_other_one_its_store(
    app: Path, engine: str, variable: str
) -> None:
    environ = {variable: "ssh://me@there"}
    problem = (
        f"{engine} is on another machine, says {variable}, and storage on disk is on this one; "
        'write "venv-storage": "memory" in paude.json'
    )

    prepared = ready(app, environ, engine=engine)
    assert unique_words(prepared.notes) == [in_memory(problem)]
    assert document(prepared, environ)["storage"] == "memory"
    assert document(prepared, environ)["runArgs"][0] == "--tmpfs"
    other = {"docker": "podman", "podman": "docker"}[engine]
    prepared = ready(app, environ, engine=other)
    assert document(prepared, environ)["engines"][engine] == {"runArgs": None, "error": problem}
    for local in ("", "unix:///run/x.sock"):
        assert document(ready(app, {variable: local}, engine=engine))["runArgs"][0] == "--mount"


@pytest.fixture
def selinux_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let SELinux be on."""
    monkeypatch.setattr(selinux, "is_on", lambda: True)


@pytest.mark.usefixtures("selinux_on")
def test_with_selinux_podman_labels_the_store_and_docker_has_memory(app: Path) -> None:
    problem = (
        "Docker does not label a store for SELinux, which keeps containers out; "
        'write "venv-storage": "memory" in paude.json'
    )

    overlay = document(ready(app))
    option, value = mounted(purpose(app))
    assert overlay["runArgs"] == [option, f"{value},relabel=shared"]
    assert overlay["engines"]["docker"] == {"runArgs": None, "error": problem}
    prepared = ready(app, engine="docker")
    assert unique_words(prepared.notes) == [in_memory(problem)]
    assert document(prepared)["runArgs"][0] == "--tmpfs"


def test_a_user_without_a_home_folder_has_memory(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", lambda _: (_ for _ in ()).throw(KeyError))

    prepared = ready(app)
    why = "HOME: is not set, and this user has no home folder; set it, or keep venvs in memory"
    assert unique_words(prepared.notes) == [in_memory(why)]
    assert document(prepared)["runArgs"][0] == "--tmpfs"


def test_a_data_folder_that_no_engine_can_mount_is_not_used(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/data\n")

    prepared = ready(app)
    why = r"/data\n/paude/venvs: no engine can mount a path with such characters; rename the folder"
    assert unique_words(prepared.notes) == [in_memory(why)]
    assert document(prepared)["runArgs"][0] == "--tmpfs"


# ---- what is made, and when


def test_run_makes_the_stores_of_both_engines_which_its_overlay_promises(app: Path, hook: Hook) -> None:
    assert hook("run", "--engine", "podman", "--image", "python:3.13").code == 0

    said = Said("python:3.13")
    assert stores() == {store_path(purpose(app, engine, said)) for engine in ("docker", "podman")}
    for store in stores():
        record = read_record(os.path.dirname(store))
        assert record
        assert (record.purpose.image, record.purpose.host_path) == ("python:3.13", f"{app}/.venv")


@pytest.mark.parametrize(
    ("form", "engines"),
    [("args", ["podman"]), ("lines", ["podman"]), ("nul", ["podman"]), ("json", ["docker", "podman"])],
)
def test_print_makes_what_it_mounts(app: Path, hook: Hook, form: str, engines: list[str]) -> None:
    done = hook("print", "--engine", "podman", "--format", form, "--platform", "linux/arm64")

    assert (done.code, done.err) == (0, "")
    assert stores() == {store_path(purpose(app, engine, Said("", "linux/arm64"))) for engine in engines}
    if form == "lines":
        assert done.out.splitlines() == mounted(purpose(app, said=Said("", "linux/arm64")))


def test_status_shows_the_stores_and_makes_none(app: Path, hook: Hook) -> None:
    assert f"storage disk ({app}/paude.json)" in " ".join(hook("status", "--engine", "podman").out.split())
    assert stores() == set()
    prepared = ready(app, image="python:3.13")
    settle_line(prepared, {})
    Path(prepared.plan.shadows[0].store, "file").write_bytes(b"x" * 2_000_000)
    elsewhere = ready(app, image="i", container_workspace_folder="/elsewhere")
    settle_line(elsewhere, {})  # for another container path

    record = read_record(os.path.dirname(prepared.plan.shadows[0].store))
    assert record
    text = " ".join(hook("status", "--engine", "podman").out.split())
    assert (
        f".venv would be shadowed venv, Python 3.11.2, made by venv; on disk for podman python:3.13: 2.0 MB, "
        f"made {record.made}, last asked for {record.last_used}"
    ) in text
    report = json.loads(hook("status", "--engine", "podman", "--json").out)
    assert (report["storage"], report["storageSource"]) == ("disk", f"{app}/paude.json")
    (row,) = report["directories"]
    assert row["store"] == store_path(purpose(app))
    assert [(item["path"], item["engine"], item["image"]) for item in row["stores"]] == [
        (prepared.plan.shadows[0].store, "podman", "python:3.13")
    ]


@pytest.mark.parametrize("words", [["run"], ["print"], ["print", "--format", "json"], ["devcontainer-config"]])
def test_a_store_that_cannot_be_made_is_no_reason_not_to_start(app: Path, hook: Hook, words: list[str]) -> None:
    fill(app, '.devcontainer.json = {"image": "img"}')
    folder = Path(stores_folder())
    folder.parent.mkdir(parents=True)
    folder.write_text("in the way")
    why = f"{folder}: cannot be made or used: Not a directory; remove what is in the way, or keep venvs in memory"

    done = hook(*words, "--engine", "docker")

    assert done.code == 0
    assert f"paude-venv-hook: warning: {in_memory(why)}\n" in done.err
    text = (hook("path").out.strip() and Path(hook("path").out.strip()).read_text()) if words == ["run"] else done.out
    assert "--tmpfs" in text
    assert "type=bind" not in text


def test_a_launch_starts_without_its_store(app: Path, command: list[str], programs: Callable[[str, str], Path]) -> None:
    docker = programs("docker", 'echo "$@"')
    folder = Path(stores_folder())
    folder.parent.mkdir(parents=True)
    folder.write_text("in the way")
    why = f"{folder}: cannot be made or used: Not a directory; remove what is in the way, or keep venvs in memory"

    words = [*command, "exec", "--", str(docker), "run", "-v", ".:/app", "img"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)

    assert done.stdout.startswith("run --tmpfs /app/.venv:")
    assert f"paude-venv-hook: warning: {in_memory(why)}\n" in done.stderr


def test_a_venv_of_another_python_than_the_images_is_named(app: Path, programs: Callable[[str, str], Path]) -> None:
    described = json.dumps([{"Id": "sha256:1", "Config": {"Env": ["PYTHON_VERSION=3.13.1"]}}])
    docker = programs("docker", f"case $* in 'image inspect img') echo '{described}' ;; *) exit 1 ;; esac")

    def warnings() -> list[str]:
        line = ["run", "-v", ".:/app", "img"]
        return outcome(rewrite_run_line(str(docker), line, "docker", dict(os.environ), str(app))).warnings

    assert warnings() == []
    (store,) = stores()
    record = read_record(os.path.dirname(store))
    assert record
    assert record.image_id == "sha256:1"
    Path(store, "pyvenv.cfg").write_text("version = 3.13.0\n")
    assert warnings() == []
    Path(store, "pyvenv.cfg").write_text("version = 3.11.2\n")
    assert warnings() == [
        ".venv is on disk from before, and may not work: Python 3.11.2 made it, and the image has 3.13.1; "
        f"empty it with paude-venv-hook store clean {os.path.basename(os.path.dirname(store))}"
    ]


def test_a_setup_that_runs_once_is_enough_on_disk(app: Path) -> None:
    fill(app, '.devcontainer.json = {"postCreateCommand": "uv sync"}')

    assert unique_words(ready(app).notes) == []
    assert unique_words(ready(app, storage="memory").notes) == [
        "a restart empties .venv, and postCreateCommand does not run again: use --storage auto"
    ]


def test_devcontainer_config_adds_the_store_and_makes_it(app: Path, hook: Hook) -> None:
    fill(app, '.devcontainer.json = {"image": "img", "runArgs": ["--init"]}')

    done = hook("devcontainer-config", "--engine", "docker")

    store = purpose(app, "docker", Said("img"), "/workspaces/app/.venv")
    assert json.loads(done.out)["runArgs"] == ["--init", *mounted(store)]
    assert stores() == {store_path(store)}
