"""`auto`: disk for what the dev container tools start and makes its venv once, and memory for all else."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conftest import Hook, MakeVenv
from docker_lab import setup_with
from layout import fill
from outcomes import Outcome, outcome
from paude_venv_hook.launchers.oci import filter_config
from paude_venv_hook.launchers.run_line import rewrite_run_line
from paude_venv_hook.notes import unique_words
from paude_venv_hook.proxy.api import add_shadows
from paude_venv_hook.stores.folder import read_record, store_path, stores_folder
from paude_venv_hook.stores.purpose import CONTAINER, Purpose

CONFIG = ".devcontainer/devcontainer.json"
ONCE = {"postCreateCommand": "uv sync"}
HEALED = {**ONCE, "postStartCommand": "test -x .venv/bin/python || uv sync"}
AT_START = {"postStartCommand": "uv sync"}
EMPTIED = "a restart empties .venv, and postCreateCommand does not run again: "
TOOLS_FILE = "/data/docker-compose/docker-compose.devcontainer.containerFeatures-1792.yml"
Programs = Callable[[str, str], Path]


@pytest.fixture
def app(workspace: Path, make_venv: MakeVenv) -> Path:
    """Return a workspace with a venv of the host."""
    make_venv(workspace / ".venv")
    return fill(workspace, "uv.lock")


def configure(folder: Path, config: dict[str, Any], name: str = CONFIG) -> Path:
    """Write a devcontainer.json and return its path."""
    fill(folder, f"{name} = {json.dumps({'image': 'img', **config})}")
    return folder / name


def labels(folder: Path, config: Path | None = None) -> dict[str, str]:
    """Return the labels that the dev container tools give a container."""
    return {
        "devcontainer.local_folder": str(folder),
        "devcontainer.config_file": str(config or folder / CONFIG),
    }


def run(
    folder: Path, own: dict[str, str] | None = None, program: str = "/no/engine", engine: str = "docker"
) -> Outcome:
    """Return what comes of the command line by which the tools start a container, or of one without their labels."""
    words = ["run", *(f"-l={key}={value}" for key, value in (labels(folder) if own is None else own).items())]
    line = [*words, "--mount", f"source={folder},target=/workspaces/app,type=bind", "img"]
    return outcome(rewrite_run_line(program, line, engine, dict(os.environ), str(folder)))


def kind(result: Outcome) -> str:
    """Return the storage of the shadows that were added."""
    return "disk" if "--mount" in result.words[:2] else "memory"


def the_store(app: Path, **fields: str) -> Purpose:
    purpose = Purpose(str(app), ".venv", "/workspaces/app/.venv", "docker", image="img", lifetime=CONTAINER)
    return purpose._replace(**fields)  # type: ignore[arg-type] # each is of its field


# ---- which storage


@pytest.mark.parametrize(
    ("config", "storage"),
    [
        (ONCE, "disk"),
        ({"onCreateCommand": ["uv", "sync"]}, "disk"),
        ({"updateContentCommand": {"deps": "uv sync", "hooks": "git status"}}, "disk"),
        ({"postCreateCommand": "bash post.sh"}, "disk"),
        ({"postCreateCommand": "make install"}, "disk"),
        ({"postCreateCommand": "/usr/local/bin/in-the-image.sh"}, "disk"),
        ({**ONCE, "postStartCommand": "bash vnc.sh"}, "disk"),
        (HEALED, "disk"),
        ({"postStartCommand": "[ -x .venv/bin/python ] || uv sync"}, "disk"),
        (AT_START, "memory"),
        ({**ONCE, **AT_START}, "memory"),
        ({**ONCE, "postAttachCommand": "uv run app"}, "memory"),
        ({"postCreateCommand": "pip install -r requirements.txt"}, "memory"),
        ({"postCreateCommand": "cd backend && uv sync"}, "memory"),
        ({"postCreateCommand": "python -m venv /opt/venv"}, "memory"),
        ({}, "memory"),
    ],
)
def test_a_dev_container_has_a_store_if_its_venv_is_made_once(app: Path, config: dict[str, Any], storage: str) -> None:
    fill(app, "post.sh = uv sync\n", "vnc.sh = vncserver :1\n", "Makefile = install:\n\tuv sync\n")
    configure(app, config)

    result = run(app)

    assert kind(result) == storage
    assert [line for line in result.warnings if "lands on the host" not in line] == []
    assert os.path.exists(stores_folder()) == (storage == "disk")


@pytest.mark.parametrize(
    "own",
    [
        {},
        {"com.docker.compose.project.working_dir": "{app}/.devcontainer"},
        {"com.docker.compose.project.config_files": "{app}/compose.yaml,{app}/docker-compose.override.yml"},
        {"com.docker.compose.project.config_files": "{app}/docker-compose.devcontainer.yml"},
    ],
)
def test_what_a_person_starts_is_in_memory(app: Path, own: dict[str, str]) -> None:
    configure(app, ONCE)

    result = run(app, {key: value.format(app=app) for key, value in own.items()})

    assert (kind(result), result.warnings) == ("memory", [])


def test_a_sibling_service_of_a_compose_dev_container_counts(app: Path) -> None:
    configure(app, {**ONCE, "dockerComposeFile": "compose.yaml", "service": "app"})
    own = {
        "com.docker.compose.project.config_files": f"{app}/compose.yaml,{TOOLS_FILE}",
        "com.docker.compose.project.working_dir": f"{app}/.devcontainer",
        "com.docker.compose.service": "worker",
    }

    assert kind(run(app, own)) == "disk"
    assert os.path.isdir(store_path(the_store(app, service="worker")))


def test_a_sibling_service_is_started_by_the_configuration_beside_its_compose_file(app: Path) -> None:
    configure(app, AT_START)
    named = configure(app, {**ONCE, "dockerComposeFile": "compose.yaml"}, ".devcontainer/web/devcontainer.json")
    own = {
        "com.docker.compose.project.config_files": f"{named.parent}/compose.yaml,{TOOLS_FILE}",
        "com.docker.compose.project.working_dir": str(named.parent),
        "com.docker.compose.service": "worker",
    }

    assert kind(run(app, own)) == "disk"
    assert kind(run(app, {**own, "com.docker.compose.project.working_dir": f"{app}/.devcontainer"})) == "memory"


def test_what_makes_another_directory_says_nothing_about_this_one(app: Path) -> None:
    configure(app, {**ONCE, "postStartCommand": "cd docs && uv run mkdocs serve"})

    assert kind(run(app)) == "disk"


def test_packages_of_node_are_made_once_too(app: Path) -> None:
    fill(app, 'paude.json = {"venv": [], "venv-also": ["node_modules", "web/node_modules"]}', "web/package.json")
    configure(app, {"postCreateCommand": "npm ci"})

    result = run(app)

    assert kind(result) == "disk"
    assert [shadow.path for answer in result.answers for shadow in answer.plan.shadows] == [
        "node_modules",
        "web/node_modules",
    ]


@pytest.mark.parametrize(("said", "storage"), [("disk", "disk"), ("memory", "memory"), ("auto", "disk")])
def test_the_settings_beat_it(app: Path, said: str, storage: str) -> None:
    configure(app, ONCE)
    fill(app, f'paude.json = {{"venv-storage": "{said}"}}')

    assert kind(run(app)) == storage


# ---- what is said


@pytest.mark.parametrize(
    ("config", "is_said"),
    [
        (ONCE, True),
        ({**ONCE, "postStartCommand": "bash vnc.sh"}, True),
        ({**ONCE, "postStartCommand": "[ -d .venv ] || uv venv"}, False),  # which has a line of its own
        (HEALED, False),
        (AT_START, False),
        ({}, False),
    ],
)
def test_explicit_memory_that_nobody_fills_again_is_said(app: Path, config: dict[str, Any], is_said: bool) -> None:
    fill(app, "vnc.sh = vncserver :1\n", 'paude.json = {"venv-storage": "memory"}')
    configure(app, config)

    lines = [line for line in run(app).warnings if line.startswith("a restart")]

    assert lines == ([f'{EMPTIED}write "venv-storage": "auto" in paude.json'] if is_said else [])


@pytest.mark.parametrize("way", ["line", "call", "sibling"])
def test_it_is_said_by_every_way_in(app: Path, way: str) -> None:
    fill(app, 'paude.json = {"venv-storage": "memory"}')
    configure(app, ONCE)
    own = labels(app)
    if way == "sibling":
        own = {"com.docker.compose.project.config_files": TOOLS_FILE}

    if way == "call":
        body = {"Image": "img", "Labels": own, "HostConfig": {"Binds": [f"{app}:/workspaces/app"]}}
        _, decision = add_shadows(json.dumps(body).encode(), "", setup_with())
        assert unique_words(decision.notes) == [f'{EMPTIED}write "venv-storage": "auto" in {app}/paude.json']
    else:
        assert run(app, own).warnings == [f'{EMPTIED}write "venv-storage": "auto" in paude.json']


@pytest.mark.parametrize(
    ("variable", "user", "advice"),
    [
        ("memory", "", "set PAUDE_VENV_STORAGE=auto"),
        ("", '{"venv-storage": "memory"}', 'write "venv-storage": "auto" in {user}'),
    ],
)
def test_the_advice_names_what_says_memory(
    app: Path, home: Path, monkeypatch: pytest.MonkeyPatch, variable: str, user: str, advice: str
) -> None:
    configure(app, ONCE)
    monkeypatch.setenv("PAUDE_VENV_STORAGE", variable)
    file = home / ".config/paude/paude.json"
    if user:
        fill(home, f".config/paude/paude.json = {user}")

    assert run(app).warnings == [EMPTIED + advice.format(user=file)]


def precreate(app: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the mounts that Podman's hook adds, and what it says."""
    bind = {"destination": "/workspaces/app", "type": "bind", "source": str(app), "options": ["rbind"]}
    data, lines = filter_config(json.dumps({"mounts": [bind]}).encode(), {})
    return json.loads(data)["mounts"][1:], lines


@pytest.mark.parametrize(("config", "is_said"), [(ONCE, True), (HEALED, True), (AT_START, False), ({}, False)])
def test_podmans_hook_sees_no_labels_and_says_so(app: Path, config: dict[str, Any], is_said: bool) -> None:
    configure(app, config)

    mounts, lines = precreate(app)

    assert [mount["type"] for mount in mounts] == ["tmpfs"]
    line = (
        "a restart empties .venv, since Podman's hook does not see what the dev container tools start: "
        f'use --docker-path paude-venv-podman, or write "venv-storage": "disk" in {app}/paude.json'
    )
    assert lines == ([line] if is_said else [])


# ---- which store


def test_its_record_says_why(app: Path) -> None:
    configure(app, ONCE)

    result = run(app)

    store = store_path(the_store(app))
    assert result.words[:2] == ["run", "--mount"]
    assert f"source={store}," in result.words[2]
    record = read_record(os.path.dirname(store))
    assert record
    assert record.reason == "auto: postCreateCommand makes it once"


def test_two_configurations_of_one_folder_have_a_store_each(app: Path) -> None:
    for name in ("cpu", "gpu"):
        config = configure(app, ONCE, f".devcontainer/{name}/devcontainer.json")
        assert kind(run(app, labels(app, config))) == "disk"
    configure(app, ONCE)
    run(app)

    names = [f".devcontainer/{name}/devcontainer.json" for name in ("cpu", "gpu")]
    purposes = [the_store(app, configuration=name) for name in (*names, "")]
    assert all(os.path.isdir(store_path(purpose)) for purpose in purposes)
    assert len(os.listdir(stores_folder())) == len(purposes) + 1


def test_explicit_disk_keeps_what_is_there_and_its_name(app: Path) -> None:
    fill(app, 'paude.json = {"venv-storage": "disk"}')
    configure(app, ONCE)
    store = Path(store_path(the_store(app, lifetime="")))

    run(app)
    (store / "pyvenv.cfg").touch()
    run(app)

    assert os.listdir(store) == ["pyvenv.cfg"]


@pytest.fixture
def docker(programs: Programs, tmp_path: Path) -> Callable[..., str]:
    """Return a function that makes a docker with a stopped container for each of these stores."""

    def make(*stores: Purpose) -> str:
        mounts = [{"Type": "bind", "Source": store_path(store), "Destination": "/x"} for store in stores]
        answer = [{"Id": "abc", "Name": "/web", "State": {"Running": False}, "Mounts": [item]} for item in mounts]
        (tmp_path / "containers.json").write_text(json.dumps(answer))
        script = f"""echo "$@" >>{shlex.quote(str(tmp_path))}/asked
            case "$*" in
                ps*) {"echo abc" if stores else ":"} ;;
                container*) /bin/cat {shlex.quote(str(tmp_path))}/containers.json ;;
                *) exit 1 ;;
            esac"""
        return str(programs("docker", script))

    return make


def asked(tmp_path: Path) -> list[str]:
    """Return what docker was asked for its containers."""
    path = tmp_path / "asked"
    lines = path.read_text().splitlines() if path.exists() else []
    return [line for line in lines if line.startswith("ps")]


def test_a_rebuild_starts_afresh(app: Path, docker: Callable[..., str], tmp_path: Path) -> None:
    configure(app, ONCE)
    program = docker()
    run(app, program=program)
    assert asked(tmp_path) == []
    store = Path(store_path(the_store(app)))
    (store / "pyvenv.cfg").touch()

    assert f"source={store}," in run(app, program=program).words[2]

    assert os.listdir(store) == []
    assert asked(tmp_path) == ["ps --all --quiet --no-trunc"]


def test_a_second_container_beside_the_first_has_a_store_of_its_own(app: Path, docker: Callable[..., str]) -> None:
    configure(app, ONCE)
    program = docker(the_store(app))
    run(app, program=program)
    store = Path(store_path(the_store(app)))
    (store / "pyvenv.cfg").touch()

    second = run(app, program=program)

    assert f"source={store_path(the_store(app, copy='2'))}," in second.words[2]
    assert os.listdir(store) == ["pyvenv.cfg"]


def test_a_store_that_no_container_mounts_any_more_goes_with_the_next_launch(
    app: Path, docker: Callable[..., str]
) -> None:
    configure(app, ONCE)
    program = docker()
    run(app, program=program)
    old = os.path.dirname(store_path(the_store(app)))
    os.utime(old, (0, 0))

    configure(app, {**AT_START})  # so that a store is not needed any more
    run(app, {}, program=program)
    assert os.path.exists(old)  # by hand
    run(app, program=program)

    assert not os.path.exists(old)


def test_the_call_through_the_proxy_asks_the_daemon_itself(app: Path) -> None:
    configure(app, ONCE)
    calls: list[str] = []

    def ask(target: str) -> Any:
        calls.append(target)
        if target == "/info":
            return {"ID": "ONE", "DockerRootDir": "/docker"}
        source = store_path(the_store(app))
        return [{"Names": ["/web"], "State": "exited", "Mounts": [{"Type": "bind", "Source": source}]}]

    body = {"Image": "img", "Labels": labels(app), "HostConfig": {"Binds": [f"{app}:/workspaces/app"]}}

    def mounted() -> str:
        data, _ = add_shadows(json.dumps(body).encode(), "", setup_with(ask))
        (mount,) = json.loads(data)["HostConfig"]["Mounts"]
        return str(mount["Source"])

    first = mounted()
    assert first == store_path(the_store(app))
    record = read_record(os.path.dirname(first))
    assert record
    assert (record.daemons, calls) == (("ONE /docker",), ["/info"])
    Path(first, "pyvenv.cfg").touch()
    assert mounted() == store_path(the_store(app, copy="2"))
    assert "/containers/json?all=1" in calls


# ---- devcontainer-config


def test_devcontainer_config_keeps_what_the_old_container_has(
    app: Path, hook: Hook, docker: Callable[..., str]
) -> None:
    configure(app, ONCE)
    docker(the_store(app))
    store = Path(store_path(the_store(app)))

    def mounted() -> list[str]:
        done = hook("devcontainer-config", "--engine", "docker")
        assert (done.code, done.err) == (0, "")
        return [str(word) for word in json.loads(done.out)["runArgs"]]

    assert mounted() == ["--mount", f"type=bind,source={store},target=/workspaces/app/.venv"]
    (store / "pyvenv.cfg").touch()
    assert mounted()[1].startswith(f"type=bind,source={store},")
    assert os.listdir(store) == ["pyvenv.cfg"]
    docker()
    mounted()
    assert os.listdir(store) == []


# ---- the overlay, and status


@pytest.mark.parametrize("words", [["run", "--output", "-"], ["print", "--format", "json"]])
def test_an_overlay_is_in_memory(app: Path, hook: Hook, words: list[str]) -> None:
    configure(app, ONCE)

    done = hook(*words, "--engine", "docker")

    document = json.loads(done.out)
    assert (document["storage"], document["runArgs"][0]) == ("memory", "--tmpfs")
    assert "warning" not in done.err
    assert not os.path.exists(stores_folder())


@pytest.mark.parametrize(
    ("config", "storage"),
    [
        (None, "auto: memory (no devcontainer.json)"),
        (ONCE, "auto: disk in a dev container (postCreateCommand makes the venv once), memory otherwise"),
        (HEALED, "auto: disk in a dev container (postCreateCommand makes the venv once), memory otherwise"),
        (AT_START, "auto: memory (postStartCommand makes the venv at each start)"),
        ({}, "auto: memory (nothing in devcontainer.json makes the venv)"),
    ],
)
def test_status_says_which_storage_and_why(app: Path, hook: Hook, config: dict[str, Any] | None, storage: str) -> None:
    if config is not None:
        configure(app, config)

    lines = hook("status", "--engine", "docker").out.splitlines()

    start = next(index for index, line in enumerate(lines) if line.startswith("storage"))
    end = next(index for index, line in enumerate(lines) if line.startswith("engine"))
    assert " ".join(" ".join(lines[start:end]).split()) == f"storage {storage}"


def test_status_counts_the_stores(app: Path, hook: Hook, tmp_path: Path) -> None:
    from paude_venv_hook.stores.folder import make_store  # noqa: PLC0415 - for this test alone

    make_store(the_store(app))
    text = " ".join(hook("status").out.split())
    assert " 1 store on this machine " in text
    make_store(the_store(tmp_path / "gone"))

    text = " ".join(hook("status").out.split())

    assert " 2 stores on this machine, 1 of workspaces that are gone: paude-venv-hook store prune " in text
    assert json.loads(hook("status", "--json").out)["stores"] == {"all": 2, "workspaceGone": 1}
