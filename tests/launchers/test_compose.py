"""Compose files that shadow, and what is read of a project to make them."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import Hook, MakeVenv
from layout import fill, reserved
from paude_venv_hook.cli import main
from paude_venv_hook.commands.status import render
from paude_venv_hook.engines import selinux
from paude_venv_hook.engines.arguments import docker_options, podman_options
from paude_venv_hook.engines.mounts import Mount
from paude_venv_hook.engines.programs import ask
from paude_venv_hook.errors import DevcontainerError, HookError, UsageError
from paude_venv_hook.launch import Launch
from paude_venv_hook.launchers.compose import (
    add_compose_file,
    choose_compose_engine,
    decide_compose,
    dump,
    make_compose_file,
)
from paude_venv_hook.launchers.compose_project import Project, mounts_of, read_config, read_project
from paude_venv_hook.notes import unique_words
from paude_venv_hook.overlay import default_path
from paude_venv_hook.plan import Shadow
from paude_venv_hook.stores.folder import store_path
from paude_venv_hook.stores.purpose import Purpose
from paude_venv_hook.workspace.carried import find_carriers, locate_binds
from paude_venv_hook.workspace.contents import Kind

Programs = Callable[[str, str], Path]

DOCKER = "rw,exec,nosuid,nodev,uid=1000,gid=1001,mode=1777"
PODMAN = "rw,exec,nosuid,nodev,notmpcopyup,mode=1777"
NEEDED = (
    "--target: needed, since docker compose config does not tell it ({}); "
    "say where the workspace folder is in the service's container"
)
ADVICE = '; mount it, or write "venv": "none" in paude.json'
NO_BIND = "the service app has no bind mount that holds the workspace folder"
INSTALLED = 'case "$*" in *version) exit 0;; esac; '


@pytest.fixture
def compose(programs: Programs) -> Callable[..., Path]:
    """Return a function that makes a `docker compose config` which tells these volumes and tmpfs of a service app."""

    def make(*volumes: dict[str, Any], tmpfs: tuple[str, ...] = ()) -> Path:
        config = {"services": {"app": {"volumes": volumes, "tmpfs": tmpfs}, "db": {"image": "postgres"}}}
        return programs("docker", f"printf '%s' '{json.dumps(config)}'")

    return make


def _bind(source: Path | str, target: str) -> dict[str, Any]:
    return {"type": "bind", "source": str(source), "target": target}


def _prepare(workspace: Path, **flags: Any) -> tuple[dict[str, Any], list[str]]:
    """Return the compose file of the workspace, for Docker, and the messages."""
    flags["services"] = [flags.pop("service")] if "service" in flags else []
    prepared, document = decide_compose(str(workspace), os.environ, **{"engine": "docker", **flags})
    return document, unique_words(note for answer in prepared for note in answer.notes)


def _destinations(document: dict[str, Any], service: str = "app") -> list[str]:
    return [entry.partition(":")[0] for entry in document["services"][service].get("tmpfs", [])]


# ---- the compose file


@pytest.mark.parametrize(
    ("destinations", "options", "service"),
    [
        (["/a/.venv", "/a/my env"], DOCKER, {"tmpfs": [f"/a/.venv:{DOCKER}", f"/a/my env:{DOCKER}"]}),
        (["/a/.venv"], f"{PODMAN},size=2g", {"tmpfs": [f"/a/.venv:{PODMAN},size=2g"]}),
        (["/$a/${b}/$$"], PODMAN, {"tmpfs": [f"/$$a/$${{b}}/$$$$:{PODMAN}"]}),
        ([], DOCKER, {}),
    ],
    ids=["docker", "podman", "dollars are doubled", "nothing to shadow"],
)
def test_a_service_gets_what_tmpfs_gives_a_container(
    destinations: list[str], options: str, service: dict[str, Any]
) -> None:
    shadows = [shadow(destination) for destination in destinations]

    assert make_compose_file("app", shadows, options) == {"services": {"app": service}}


def shadow(destination: str, store: str = "") -> Shadow:
    """Return a shadow on a container path."""
    return Shadow(".venv", "/w/.venv", destination, Kind.VENV, store=store)


def test_a_service_gets_stores_as_volumes_that_are_never_made_by_the_engine() -> None:
    assert make_compose_file("app", [shadow("/a:b/.venv", "/$data/s/venv")], DOCKER) == {
        "services": {
            "app": {
                "volumes": [
                    {
                        "type": "bind",
                        "source": "/$$data/s/venv",
                        "target": "/a:b/.venv",
                        "bind": {"create_host_path": False},
                    }
                ]
            }
        }
    }


def test_the_file_is_json_that_yaml_reads_the_same() -> None:
    written = dump({"services": {"é": {"tmpfs": ['/\u2028"\ufeff\x85:rw', "/😀"]}}}).decode()

    assert written == (
        '{\n  "services": {\n    "\\u00e9": {\n      "tmpfs": [\n'
        '        "/\\u2028\\"\\ufeff\\u0085:rw",\n        "/😀"\n      ]\n    }\n  }\n}\n'
    )


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_no_text_is_changed_on_the_way(text: str) -> None:
    assert json.loads(dump({"services": {text: text}})) == {"services": {text: text}}


# ---- what docker compose config tells

CONFIG = {
    "name": "app",
    "services": {
        "app": {
            "image": "x",
            "tmpfs": ["/run:mode=755", "/r/", "/w$$x", f"/shadow:{DOCKER}", "/mine:rw,exec"],
            "volumes": [
                {"type": "bind", "source": "/home/me/a$$$$b", "target": "/w/", "bind": {"create_host_path": True}},
                {"type": "volume", "source": "cache", "target": "/$${x}", "volume": {}},
                {"type": "volume", "target": "/data", "volume": {}},
                {"type": "tmpfs", "target": "/t"},
            ],
        },
        "db": {"image": "y"},
        "none": {"image": "y", "volumes": None, "tmpfs": None},
        "null": None,
    },
}


def test_volumes_and_tmpfs_are_read_but_not_what_shadows_already() -> None:
    assert mounts_of(CONFIG, "app") == [
        Mount("bind", "/home/me/a$$b", "/w"),
        Mount("volume", "cache", "/${x}"),
        Mount("volume", "", "/data"),
        Mount("tmpfs", "", "/t"),
        Mount("tmpfs", "", "/run"),
        Mount("tmpfs", "", "/r"),
        Mount("tmpfs", "", "/w$x"),
        Mount("tmpfs", "", "/mine"),
    ]
    assert mounts_of(CONFIG, "db") == mounts_of(CONFIG, "none") == mounts_of(CONFIG, "null") == []


_IDS = st.integers(0, 2**32 - 2)


@given(st.tuples(_IDS, _IDS), st.none() | st.from_regex(r"[1-9][0-9]{0,9}[kmgtpeKMGTPE%]?", fullmatch=True))
def test_every_shadow_is_known_as_one(owner: tuple[int, int], size: str | None) -> None:
    tmpfs = [f"/w/.venv:{docker_options(owner, size)}", f"/w/.venv:{podman_options(owner, size)}"]

    assert mounts_of({"services": {"app": {"tmpfs": tmpfs}}}, "app") == []


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (CONFIG, '"ap" is no service of the compose files (did you mean "app"?); use app, db, none, null'),
        ({"name": "x"}, '"ap" is no service of the compose files; use other files, since these have none'),
    ],
)
def test_a_service_that_is_not_there_is_refused_where_it_is_named(
    workspace: Path, programs: Programs, config: dict[str, Any], message: str
) -> None:
    programs("docker", f"printf '%s' '{json.dumps(config)}'")

    with pytest.raises(UsageError) as error:
        decide_compose(str(workspace), os.environ, services=["ap"])
    assert str(error.value) == f"--service: {message}"

    _devcontainer(workspace, '{"dockerComposeFile": "c.yml", "service": "ap"}')
    for target_needed in (True, False):
        with pytest.raises(DevcontainerError) as refused:
            decide_compose(str(workspace), os.environ, target_needed=target_needed)
        assert str(refused.value) == f"{workspace}/.devcontainer/devcontainer.json: service: {message}"


def test_a_command_that_cannot_name_a_service_says_where_to_name_it(
    workspace: Path, programs: Programs, hook: Hook
) -> None:
    _devcontainer(workspace, '{"dockerComposeFile": "c.yml"}')

    done = hook("devcontainer-config")

    assert (done.code, done.err) == (
        0,
        "paude-venv-hook: warning: nothing shadowed: the service that has the workspace is unknown: docker compose "
        "config does not tell it (docker is not on PATH); name it in devcontainer.json\n",
    )


def test_the_nearest_bind_that_holds_the_workspace_carries_it(workspace: Path, tmp_path: Path) -> None:
    fill(tmp_path, "link -> app", "app/src/", "application/")
    nearest = Mount("bind", str(tmp_path / "link"), "/nearest")
    others = [
        Mount("bind", str(tmp_path), "/top"),
        Mount("volume", str(workspace), "/volume"),
        Mount("bind", str(workspace / "src"), "/src"),
        Mount("bind", str(tmp_path / "application"), "/application"),
    ]

    for mounts in ([*others, nearest], [nearest, *others]):
        assert first_place(mounts, workspace) == Mount("bind", str(workspace), "/nearest")
    assert first_place(others, workspace) == Mount("bind", str(tmp_path), "/top")


def first_place(mounts: list[Mount], workspace: Path) -> Mount | None:
    """Return the mount that carries the workspace."""
    launch = Launch("docker", mounts=tuple(mounts))
    return locate_binds(str(workspace), find_carriers(str(workspace), mounts), launch).mount


def test_compose_is_asked_in_the_workspace_folder_about_all_profiles(workspace: Path, programs: Programs) -> None:
    programs("docker", f"printf '%s\\n' \"$@\" >'{workspace}/asked'; pwd >>'{workspace}/asked'; echo '{{\"name\": 1}}'")

    assert read_config(["/a b.yml", "/c.yml"], str(workspace), os.environ) == ({"name": 1}, "")

    asked = (workspace / "asked").read_text().splitlines()
    words = ["-f", "/a b.yml", "-f", "/c.yml", "--profile", "*", "config", "--format", "json"]
    assert asked == ["compose", *words, os.path.realpath(workspace)]


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (
            INSTALLED + 'exec >&2; echo \'time="now" level=warning\'; echo; echo "Y is missing"; echo more; exit 15',
            "it says: Y is missing",
        ),
        (INSTALLED + "printf '\\033[31mred\\377' >&2; exit 1", "it says: \\x1b[31mred\ufffd"),
        (INSTALLED + "exit 1", "it gives no reason"),
        ("echo 'unknown shorthand flag: f in -f' >&2; exit 125", "it is not installed"),
        ("echo 'services: {}'", "it prints no JSON object"),
        ("printf '\\377'", "it prints no JSON object"),
        *((f"echo '{odd}'", "it prints no JSON object") for odd in ("[1]", "null", "7", '"services"')),
        (None, "docker is not on PATH"),
    ],
)
def test_where_compose_does_not_tell_the_target_has_to_be_given(
    workspace: Path, programs: Programs, script: str | None, why: str
) -> None:
    if script:
        programs("docker", script)

    with pytest.raises(UsageError) as error:
        _prepare(workspace, service="app")

    assert str(error.value) == NEEDED.format(why)


# ---- a devcontainer.json that is based on compose


def _devcontainer(workspace: Path, text: str) -> str:
    fill(workspace, f".devcontainer/devcontainer.json = {text}")
    return str(workspace / ".devcontainer/devcontainer.json")


@pytest.mark.parametrize(
    ("text", "files", "service"),
    [
        ('{"dockerComposeFile": "../compose.yaml", "service": "app"}', ["compose.yaml"], "app"),
        (
            '{"dockerComposeFile": ["a.yml", "${localWorkspaceFolder}/${localEnv:X}.yml"], "service": "${localEnv:X}"}',
            [".devcontainer/a.yml", "x.yml"],
            "x",
        ),
        ('{"dockerComposeFile": "a.yml", "image": "it-is-compose-all-the-same"}', [".devcontainer/a.yml"], None),
        ('{"dockerComposeFile": []}', ["docker-compose.yml"], None),
        ('{"dockerComposeFile": null, "service": null}', ["docker-compose.yml"], None),
    ],
)
def test_files_and_service_are_read_from_devcontainer_json(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, text: str, files: list[str], service: str | None
) -> None:
    monkeypatch.setenv("X", "x")

    project = read_project(_devcontainer(workspace, text), str(workspace), os.environ)

    assert project == Project(tuple(str(workspace / file) for file in files), service, ())


def test_what_devcontainer_json_mounts_in_the_service_is_known(workspace: Path) -> None:
    text = '{"dockerComposeFile": "a.yml", "service": "app", "mounts": ["source=v,target=/app/.venv,type=volume"]}'

    project = read_project(_devcontainer(workspace, text), str(workspace), os.environ)

    assert project
    assert [mount.target for mount in project.mounts] == ["/app/.venv"]


def test_another_devcontainer_json_has_no_compose_project(workspace: Path) -> None:
    assert read_project(_devcontainer(workspace, '{"image": "x", "service": 3}'), str(workspace), os.environ) is None


@pytest.mark.parametrize(
    ("entries", "environ", "files"),
    [
        (["docker-compose.override.yml"], {}, ["docker-compose.yml", "docker-compose.override.yml"]),
        (["compose.yaml"], {}, ["docker-compose.yml"]),
        ([".env = A=1\nCOMPOSE_FILE=a.yml:/b.yml \nCOMPOSE_FILE=c\n"], {}, ["a.yml", "/b.yml"]),
        ([".env = COMPOSE_FILE=a.yml"], {"COMPOSE_FILE": "sub/../x.yml"}, ["x.yml"]),
        ([".env = #COMPOSE_FILE=a.yml"], {"COMPOSE_FILE": ""}, ["docker-compose.yml"]),
        ([".env/"], {}, ["docker-compose.yml"]),
    ],
)  # fmt: skip
def test_an_empty_list_names_the_files_that_the_dev_container_tools_take_then(
    workspace: Path, entries: list[str], environ: dict[str, str], files: list[str]
) -> None:
    fill(workspace, *entries)
    path = _devcontainer(workspace, '{"dockerComposeFile": []}')

    project = read_project(path, str(workspace), environ)

    assert project
    assert project.files == tuple(str(workspace / file) for file in files)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"dockerComposeFile": 3}', 'dockerComposeFile: must be a list such as ["compose.yaml"], not a number'),
        (
            '{"dockerComposeFile": {"a": "b"}}',
            'dockerComposeFile: must be a list such as ["compose.yaml"], not an object',
        ),
        ('{"dockerComposeFile": ["a", null]}', 'dockerComposeFile[1]: must be text such as "compose.yaml", not null'),
        ('{"dockerComposeFile": "a", "service": ["app"]}', 'service: must be text such as "app", not a list'),
        (
            '{"dockerComposeFile": "a", "workspaceFolder": 1}',
            'workspaceFolder: must be text such as "/workspaces/app", not a number',
        ),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(workspace: Path, text: str, message: str) -> None:
    path = _devcontainer(workspace, text)

    with pytest.raises(DevcontainerError) as error:
        read_project(path, str(workspace), os.environ)

    assert str(error.value) == f"{path}: {message}"


def test_a_compose_file_is_appended_to_those_of_devcontainer_json(workspace: Path) -> None:
    base = {"name": "n", "dockerComposeFile": "../compose.yaml", "service": "app", "mounts": ["${localEnv:X}"]}
    path = _devcontainer(workspace, json.dumps(base))

    document = add_compose_file(path, base, "/cache/app.json", str(workspace), os.environ)

    assert document == {**base, "dockerComposeFile": [str(workspace / "compose.yaml"), "/cache/app.json"]}
    assert base["dockerComposeFile"] == "../compose.yaml"


def test_the_default_files_are_spelt_out_where_one_is_appended(workspace: Path) -> None:
    document = add_compose_file(str(workspace / "d.json"), {"dockerComposeFile": []}, "/a.json", str(workspace), {})

    assert document == {"dockerComposeFile": [str(workspace / "docker-compose.yml"), "/a.json"]}


def test_a_compose_file_whose_path_would_be_replaced_is_refused(workspace: Path) -> None:
    with pytest.raises(DevcontainerError) as error:
        add_compose_file("/d.json", {"dockerComposeFile": "a"}, "/${localEnv:X}/a.json", str(workspace), {})

    assert str(error.value) == "/${localEnv:X}/a.json: holds what devcontainer.json replaces; rename the folder"


# ---- all of it


def test_a_service_of_compose_is_shadowed_where_compose_has_the_workspace(
    workspace: Path, make_venv: MakeVenv, compose: Callable[..., Path]
) -> None:
    make_venv(workspace / ".venv")
    compose(_bind(workspace, "/code"))
    owner = workspace.stat()

    [prepared], document = decide_compose(str(workspace), os.environ, services=["app"], engine="docker")

    options = f"rw,exec,nosuid,nodev,uid={owner.st_uid},gid={owner.st_gid},mode=1777"
    assert document == {"services": {"app": {"tmpfs": [f"/code/.venv:{options}"]}}}
    assert prepared.location.why == "docker compose config"
    assert prepared.engine == "docker"
    assert unique_words(prepared.notes) == []


def test_the_label_of_a_service_switches_us_off_in_it(workspace: Path, make_venv: MakeVenv, programs: Programs) -> None:
    make_venv(workspace / ".venv")
    services = {
        "app": {"volumes": [_bind(workspace, "/code")], "labels": {"paude.venv": "none"}},
        "web": {"volumes": [_bind(workspace, "/web")]},
    }
    programs("docker", f"printf %s {shlex.quote(json.dumps({'services': services}))}")

    [app, web], document = decide_compose(str(workspace), os.environ, engine="docker")

    assert unique_words(app.notes) == ["nothing shadowed: the label paude.venv is none"]
    assert [shadow.destination for shadow in web.plan.shadows] == ["/web/.venv"]
    assert document["services"]["app"] == {}


def test_a_devcontainer_json_says_the_files_and_the_service(
    workspace: Path, make_venv: MakeVenv, programs: Programs
) -> None:
    make_venv(workspace / ".venv")
    _devcontainer(workspace, '{"dockerComposeFile": "../c.yml", "service": "dev"}')
    config = json.dumps({"services": {"dev": {"volumes": [_bind(workspace.parent, "/workspaces")]}}})
    programs("docker", f"[ \"$3\" = '{workspace}/c.yml' ] && printf '%s' '{config}'")

    document, messages = _prepare(workspace)

    assert _destinations(document, "dev") == ["/workspaces/app/.venv"]
    assert messages == []


def test_flags_beat_devcontainer_json(workspace: Path, make_venv: MakeVenv, compose: Callable[..., Path]) -> None:
    make_venv(workspace / ".venv")
    _devcontainer(workspace, '{"dockerComposeFile": "a.yml", "service": "db"}')
    fill(workspace, 'other.json = {"dockerComposeFile": "a.yml", "service": "app"}')
    compose(_bind(workspace, "/code"))

    assert _destinations(_prepare(workspace, service="app")[0]) == ["/code/.venv"]
    assert _destinations(_prepare(workspace, config="other.json")[0]) == ["/code/.venv"]
    assert _destinations(_prepare(workspace, service="app", target="/given")[0]) == ["/given/.venv", "/code/.venv"]


def test_a_devcontainer_json_without_compose_does_not_count(
    workspace: Path, make_venv: MakeVenv, compose: Callable[..., Path]
) -> None:
    make_venv(workspace / ".venv")
    _devcontainer(workspace, '{"image": "x", "service": "db", "mounts": ["type=volume,target=/code/.venv"]}')
    compose(_bind(workspace, "/code"))

    for flags in ({}, {"target": "/code"}):
        document, messages = _prepare(workspace, service="app", **flags)
        assert (_destinations(document), messages) == (["/code/.venv"], [])


@pytest.mark.parametrize("text", [None, '{"image": "x"}', '{"dockerComposeFile": "a.yml"}'])
def test_a_service_that_nothing_names_has_to_be_given(workspace: Path, text: str | None) -> None:
    if text:
        _devcontainer(workspace, text)

    with pytest.raises(UsageError) as error:
        _prepare(workspace, target="/code")

    assert str(error.value) == (
        "--service: needed, since no devcontainer.json names it; say which service has the workspace"
    )


def test_without_a_target_docker_is_needed(workspace: Path, programs: Programs) -> None:
    with pytest.raises(UsageError) as error:
        _prepare(workspace, service="app")

    assert str(error.value) == NEEDED.format("docker is not on PATH")


def test_with_a_target_no_docker_is_needed(workspace: Path, make_venv: MakeVenv, programs: Programs) -> None:
    make_venv(workspace / ".venv")

    [prepared], document = decide_compose(str(workspace), os.environ, services=["app"], target="/code", engine="podman")

    assert document == {"services": {"app": {"tmpfs": [f"/code/.venv:{PODMAN}"]}}}
    assert unique_words(prepared.notes) == []


def test_a_target_that_cannot_be_is_refused(workspace: Path, programs: Programs) -> None:
    with pytest.raises(UsageError) as error:
        _prepare(workspace, service="app", target="code")

    assert str(error.value) == (
        '--container-workspace-folder: "code" cannot hold the workspace; '
        "write an absolute path below / in the container"
    )


@pytest.mark.parametrize("target", [None, "/code"])
@pytest.mark.parametrize(
    "mounted", [{"tmpfs": ("/code/.venv:rw",)}, {"volume": "/code/.venv"}, {"volume": "/code/.venv/"}]
)
def test_what_the_service_has_on_the_venv_itself_is_left_there(
    workspace: Path, make_venv: MakeVenv, compose: Callable[..., Path], target: str | None, mounted: dict[str, Any]
) -> None:
    make_venv(workspace / ".venv")
    make_venv(workspace / "env")
    volumes = [{"type": "volume", "source": "v", "target": mounted["volume"]}] if "volume" in mounted else []
    compose(_bind(workspace, "/code"), *volumes, tmpfs=mounted.get("tmpfs", ()))

    document, messages = _prepare(workspace, service="app", **({"target": target} if target else {}))

    assert _destinations(document) == ["/code/env"]
    taken = "the configuration mounts something on /code/.venv already"
    why = "left to your own tmpfs on /code/.venv" if "tmpfs" in mounted else taken
    assert messages == [f".venv not shadowed: {why}"]


def test_what_devcontainer_json_mounts_on_the_venv_is_left_there(
    workspace: Path, make_venv: MakeVenv, compose: Callable[..., Path]
) -> None:
    make_venv(workspace / ".venv")
    _devcontainer(
        workspace,
        '{"dockerComposeFile": "a.yml", "service": "app", "mounts": [{"type": "volume", "target": "/code/.venv"}]}',
    )
    compose(_bind(workspace, "/code"))

    document, messages = _prepare(workspace)

    assert document == {"services": {"app": {}}}
    assert messages == [".venv not shadowed: the configuration mounts something on /code/.venv already"]


def test_a_file_of_ours_among_the_projects_own_changes_nothing(
    workspace: Path, make_venv: MakeVenv, compose: Callable[..., Path]
) -> None:
    make_venv(workspace / ".venv")
    make_venv(workspace / "$env")
    compose(_bind(workspace, "/code"))
    first, _ = _prepare(workspace, service="app")

    compose(_bind(workspace, "/code"), tmpfs=tuple(first["services"]["app"]["tmpfs"]))

    assert _prepare(workspace, service="app") == (first, [])
    assert _destinations(first) == ["/code/$$env", "/code/.venv"]


def test_each_place_of_the_workspace_is_shadowed(
    workspace: Path, make_venv: MakeVenv, compose: Callable[..., Path]
) -> None:
    compose(_bind(workspace, "/code"), _bind(workspace.parent, "/all"), _bind(workspace, "/again"))

    assert _prepare(workspace, service="app") == ({"services": {"app": {}}}, [])

    make_venv(workspace / ".venv")
    document, messages = _prepare(workspace, service="app")
    assert _destinations(document) == ["/code/.venv", "/all/app/.venv", "/again/.venv"]
    assert messages == []


@pytest.mark.parametrize("propagation", ["shared", "rshared"])
@pytest.mark.parametrize("flags", [{}, {"target": "/code"}])
def test_nothing_is_shadowed_below_a_shared_mount(
    workspace: Path, make_venv: MakeVenv, compose: Callable[..., Path], propagation: str, flags: dict[str, str]
) -> None:
    make_venv(workspace / ".venv")
    compose({**_bind(workspace, "/code"), "bind": {"propagation": propagation}})  # `.:/code:rshared` comes out so too

    assert _prepare(workspace, service="app", **flags) == (
        {"services": {"app": {}}},
        [f"nothing shadowed: {workspace} is mounted shared, and the host's venv would be covered too; "
         "mount it private"],
    )  # fmt: skip


def test_a_bind_of_the_workspace_over_its_own_place_is_no_second_one(
    workspace: Path, make_venv: MakeVenv, compose: Callable[..., Path]
) -> None:
    make_venv(workspace / ".venv")
    compose(_bind(workspace.parent, "/all"), _bind(workspace, "/all/app/"))

    for flags in ({}, {"target": "/all/app"}):
        document, messages = _prepare(workspace, service="app", **flags)
        assert (_destinations(document), messages) == (["/all/app/.venv"], [])


def test_nobody_is_asked_where_nothing_is_to_be_shadowed(
    workspace: Path, make_venv: MakeVenv, programs: Programs
) -> None:
    make_venv(workspace / ".venv")

    assert _prepare(workspace, service="app", venv="none") == ({"services": {"app": {}}}, [])
    fill(workspace, 'paude.json = {"venv": "none"}')
    assert _prepare(workspace, service="app") == ({"services": {"app": {}}}, [])


@pytest.mark.parametrize("engine", ["docker", "podman"])
@pytest.mark.parametrize(("name", "target"), [("my:env", "/code"), ("env", "/co:de")])
def test_a_colon_cannot_be_said_with_either_engine_and_the_rest_is_shadowed(
    workspace: Path, make_venv: MakeVenv, programs: Programs, engine: str, name: str, target: str
) -> None:
    make_venv(workspace / ".venv")
    make_venv(workspace / name)
    others = [".venv"] if target == "/code" else []

    document, messages = _prepare(workspace, service="app", target=target, engine=engine)

    assert _destinations(document) == [f"{target}/{other}" for other in others]
    assert messages == [
        f"{path} not shadowed: {'Docker' if engine == 'docker' else 'compose'} has no way to mount a tmpfs on "
        f"{target}/{path}, for its colon; rename the folder"
        for path in (".venv", name)
        if path not in others
    ]


@pytest.mark.parametrize(
    ("flag", "variable", "scripts", "engine"),
    [
        ("docker", "podman", ["podman"], "docker"),
        ("podman", "docker", ["docker"], "podman"),
        ("auto", "podman", ["docker"], "podman"),
        ("auto", "docker", [], "docker"),
        ("auto", "", ["docker", "podman"], "docker"),
        ("auto", "auto", ["docker"], "docker"),
        ("auto", None, ["podman"], "podman"),
        ("auto", None, ["podman called docker"], "podman"),
        ("auto", None, [], "podman"),
    ],
)
def test_the_engine_is_what_docker_is_unless_there_is_none(
    programs: Programs,
    monkeypatch: pytest.MonkeyPatch,
    flag: str,
    variable: str | None,
    scripts: list[str],
    engine: str,
) -> None:
    for script in scripts:
        name = script.split()[-1]
        programs(name, f"echo {'Docker' if script == 'docker' else 'podman'} version 5")
    if variable is not None:
        monkeypatch.setenv("PAUDE_VENV_ENGINE", variable)

    assert choose_compose_engine(flag, os.environ) == engine


def test_a_variable_that_names_no_engine_is_refused(programs: Programs) -> None:
    programs("docker", "echo Docker version 5")

    with pytest.raises(HookError) as error:
        choose_compose_engine("auto", {**os.environ, "PAUDE_VENV_ENGINE": "dokcer"})

    assert str(error.value) == (
        'PAUDE_VENV_ENGINE: "dokcer" is no engine (did you mean "docker"?); '
        "use auto, docker, podman, nerdctl, finch, container or bwrap"
    )


# ---- as commands


def test_print_shows_the_compose_file(
    workspace: Path, make_venv: MakeVenv, compose: Callable[..., Path], capfd: pytest.CaptureFixture[str]
) -> None:
    make_venv(workspace / ".venv")
    compose(_bind(workspace, "/code"), _bind(workspace, "/too"))
    flags = ["--format", "compose", "--service", "app", "--target", "/given", "--engine", "podman"]

    assert main(["print", *flags]) == 0

    out, err = capfd.readouterr()
    assert json.loads(out) == {
        "services": {"app": {"tmpfs": [f"{place}/.venv:{PODMAN}" for place in ("/given", "/code", "/too")]}}
    }
    assert err == ""


def test_with_storage_on_disk_the_service_and_its_image_have_a_store_which_is_made(
    workspace: Path, make_venv: MakeVenv, programs: Programs, capfd: pytest.CaptureFixture[str]
) -> None:
    make_venv(workspace / "my:env")

    def tell(*volumes: dict[str, str]) -> None:
        service = {"volumes": volumes, "image": "a$$b", "platform": "linux/arm64"}
        programs("docker", f"printf '%s' '{json.dumps({'services': {'app': service}})}'")

    tell(_bind(workspace, "/code"))
    flags = ["--format", "compose", "--service", "app", "--engine", "docker", "--storage", "disk"]

    assert main(["print", *flags]) == 0

    rootless = False
    store = store_path(
        Purpose(str(workspace), "my:env", "/code/my:env", "docker", rootless, "app", "a$b", "linux/arm64")
    )
    out, err = capfd.readouterr()
    assert json.loads(out) == make_compose_file("app", [shadow("/code/my:env", store)], "")
    assert err == ""
    assert os.listdir(store) == []

    # A second look, with that file among the project's own.
    tell(_bind(workspace, "/code"), _bind(store, "/code/my:env"))
    assert main(["print", *flags]) == 0
    assert capfd.readouterr() == (out, "")


def test_with_selinux_compose_has_memory(workspace: Path, make_venv: MakeVenv, monkeypatch: pytest.MonkeyPatch) -> None:
    make_venv(workspace / ".venv")
    monkeypatch.setattr(selinux, "is_on", lambda: True)

    file, lines = _prepare(workspace, service="app", target="/code", engine="podman", storage="disk")

    assert list(file["services"]["app"]) == ["tmpfs"]
    assert lines == [
        ".venv is in memory for this launch: compose does not label a store for SELinux, which keeps containers out"
    ]


def test_print_without_a_service_is_a_wrong_command_line(workspace: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["print", "--format", "compose", "--target", "/code"]) == 2

    assert capfd.readouterr() == (
        "",
        "paude-venv-hook: error[usage]: --service: needed, since no devcontainer.json names it; "
        "say which service has the workspace\n",
    )


def test_print_without_a_service_is_for_all_that_bind_the_workspace(
    workspace: Path, make_venv: MakeVenv, programs: Programs, capfd: pytest.CaptureFixture[str]
) -> None:
    make_venv(workspace / ".venv")
    make_venv(workspace / "backend" / ".venv")
    binds = {"web": (workspace, "/code"), "api": (workspace / "backend", "/srv"), "all": (workspace.parent, "/all")}
    services = {name: {"volumes": [_bind(*bind)]} for name, bind in binds.items()}
    programs("docker", f"printf '%s' '{json.dumps({'services': {'db': {}, **services}})}'")

    def printed(*flags: str) -> dict[str, list[str]]:
        assert main(["print", "--format", "compose", "--engine", "podman", *flags]) == 0
        document = json.loads(capfd.readouterr().out)
        return {service: _destinations(document, service) for service in document["services"]}

    assert printed() == {"web": ["/code/.venv"], "api": ["/srv/.venv"], "all": ["/all/app/.venv"]}
    assert printed("--service", "all", "--service", "web") == {"all": ["/all/app/.venv"], "web": ["/code/.venv"]}
    assert printed("--service", "db") == {"db": []}
    _devcontainer(workspace, '{"dockerComposeFile": "../c.yml", "service": "all"}')
    assert list(printed()) == ["all", "web", "api"]
    assert list(printed("--service", "web")) == ["web"]


def test_print_says_that_no_service_binds_the_workspace(
    workspace: Path, programs: Programs, capfd: pytest.CaptureFixture[str]
) -> None:
    programs("docker", 'echo \'{"services": {"db": {}}}\'')

    assert main(["print", "--format", "compose"]) == 0

    out, err = capfd.readouterr()
    assert json.loads(out) == {"services": {}}
    assert err == (
        "paude-venv-hook: warning: nothing shadowed: no service of compose has a bind mount that holds the workspace "
        f"folder{ADVICE}\n"
    )


def test_print_needs_a_service_where_compose_does_not_tell(
    workspace: Path, programs: Programs, capfd: pytest.CaptureFixture[str]
) -> None:
    fill(workspace, "compose.yaml = services: {}")

    assert main(["print", "--format", "compose"]) == 2

    assert capfd.readouterr().err == (
        "paude-venv-hook: error[usage]: --service: needed, since docker compose config does not tell it "
        "(docker is not on PATH); say which service has the workspace\n"
    )


def test_print_without_a_compose_file_says_which_were_looked_for(
    workspace: Path, programs: Programs, capfd: pytest.CaptureFixture[str]
) -> None:
    programs("docker", INSTALLED + "echo 'no configuration file provided: not found' >&2; exit 14")

    assert main(["print", "--format", "compose"]) == 2

    assert capfd.readouterr().err == (
        "paude-venv-hook: error[usage]: --format compose: no compose.yaml, compose.yml, docker-compose.yml or "
        "docker-compose.yaml here or above; use --workspace-folder, or --service and --target\n"
    )


def test_devcontainer_config_covers_all_services(
    workspace: Path, make_venv: MakeVenv, programs: Programs, capfd: pytest.CaptureFixture[str]
) -> None:
    make_venv(workspace / ".venv")
    base = {"dockerComposeFile": "../c.yml", "service": "app", "mounts": ["type=volume,source=v,target=/code/.venv"]}
    _devcontainer(workspace, json.dumps(base))
    services = {name: {"volumes": [_bind(workspace, "/code")]} for name in ("worker", "app")}
    programs("docker", f"printf '%s' '{json.dumps({'services': services})}'")

    assert main(["devcontainer-config", "--engine", "podman"]) == 0

    added = json.loads(capfd.readouterr().out)["dockerComposeFile"][-1]
    document = json.loads(Path(added).read_bytes())  # the tools mount the volume in one of them only
    assert document["services"] == {"app": {}, "worker": {"tmpfs": [f"/code/.venv:{PODMAN}"]}}


def test_status_shows_what_is_shadowed_in_the_service(
    workspace: Path, make_venv: MakeVenv, compose: Callable[..., Path], hook: Hook
) -> None:
    make_venv(workspace / ".venv")
    _devcontainer(workspace, '{"dockerComposeFile": "../c.yml", "service": "app"}')
    compose(_bind(workspace, "/code"))

    report = json.loads(hook("status", "--json").out)

    assert report["workspaceMount"] == {"source": str(workspace), "target": "/code"}
    assert [(row["path"], row["state"], row["destination"]) for row in report["directories"]] == [
        (".venv", "shadowed", "/code/.venv")
    ]


def test_status_shows_each_service_that_has_the_workspace(
    workspace: Path, make_venv: MakeVenv, programs: Programs, hook: Hook
) -> None:
    make_venv(workspace / ".venv")
    make_venv(workspace / "backend" / "env")
    _devcontainer(workspace, '{"dockerComposeFile": "../c.yml", "service": "web"}')
    volumes = {"web": [_bind(workspace, "/code")], "worker": [_bind(workspace, "/code")], "db": [],
               "api": [_bind(workspace / "backend", "/srv")]}  # fmt: skip
    services = {name: {"volumes": entries} for name, entries in volumes.items()}
    programs("docker", f"printf '%s' '{json.dumps({'services': services})}'")

    report = json.loads(hook("status", "--engine", "docker", "--json").out)
    short = json.loads(json.dumps(report).replace(str(workspace.parent), "/home/me"))

    assert list(report["services"]) == ["web", "worker", "api"]
    assert report["services"]["worker"]["workspaceMount"] == report["workspaceMount"]
    shadowed = [
        (row["service"], row["path"], row["destination"]) for row in report["directories"] if "destination" in row
    ]
    assert shadowed == [
        ("web", ".venv", "/code/.venv"),
        ("worker", ".venv", "/code/.venv"),
        ("api", "backend/env", "/srv/env"),
    ]
    assert (
        render({**short, "overlay": "/home/me/.cache/app.json", "launches": []}, colour=False)
        == """\
workspace  /home/me/app
mount      web: /home/me/app → /code (docker compose config)
           worker: /home/me/app → /code (docker compose config)
           api: /home/me/app/backend → /srv (docker compose config)
venv       auto (default)
storage    auto: memory (nothing in devcontainer.json makes the venv)
engine     docker (--engine)
overlay    not written yet: /home/me/.cache/app.json

.venv        would be shadowed  venv, Python 3.11.2, made by venv (in web,
                                worker)
.venv        skipped            not inside of /home/me/app/backend, the folder
                                that is mounted (in api)
backend/env  not shadowed       a venv one level down; to shadow it: "venv":
                                [".venv", "backend/env"] (in web, worker)
backend/env  would be shadowed  venv, Python 3.11.2, made by venv (in api)
"""
    )


def test_status_names_the_venvs_where_compose_does_not_tell(
    workspace: Path, make_venv: MakeVenv, hook: Hook, programs: Callable[[str, str], Path]
) -> None:
    programs("docker", "exit 1")
    make_venv(workspace / ".venv")
    _devcontainer(workspace, '{"dockerComposeFile": "../c.yml", "service": "app"}')

    rows = json.loads(hook("status", "--json").out)["directories"]

    why = "docker compose config does not tell where it is mounted (it is not installed)"
    assert [(row["path"], row["state"], row["why"]) for row in rows] == [
        (".", "skipped", why),
        (".venv", "skipped", f"venv; {why}"),
    ]


@pytest.mark.parametrize("bind", [None, "src", "../beside"])
def test_a_service_without_the_workspace_is_left_as_it_is_with_a_word(
    workspace: Path, compose: Callable[..., Path], capfd: pytest.CaptureFixture[str], bind: str | None
) -> None:
    base = {"dockerComposeFile": "../c.yml", "service": "app", "workspaceFolder": "/code"}
    fill(workspace, ".venv/pyvenv.cfg", "src/", f".devcontainer/devcontainer.json = {json.dumps(base)}")
    compose(*([_bind(os.path.normpath(workspace / bind), "/code")] if bind else []))
    word = f"paude-venv-hook: warning: nothing shadowed: {NO_BIND}{ADVICE}\n"
    if bind == "src":  # a part without a venv
        outside = f".venv is not inside of {workspace}/src, the folder that is mounted"
        word = f"paude-venv-hook: nothing shadowed: {outside}\n"

    assert main(["devcontainer-config", "--engine", "podman"]) == 0
    out, err = capfd.readouterr()
    assert (json.loads(out), err) == (base, word)
    assert main(["print", "--format", "compose"]) == 0
    out, err = capfd.readouterr()
    assert (json.loads(out), err) == ({"services": {"app": {}}}, word)
    assert not Path(default_path(str(workspace)).replace(".json", ".compose.json")).exists()


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (INSTALLED + "echo 'env file /w/.env not found' >&2; exit 14", "it says: env file /w/.env not found"),
        ("exit 125", "it is not installed"),
        (None, "docker is not on PATH"),
    ],
)
def test_devcontainer_config_goes_on_where_compose_does_not_tell_yet(
    workspace: Path, programs: Programs, capfd: pytest.CaptureFixture[str], script: str | None, why: str
) -> None:
    """What it lacks may be made by initializeCommand, which comes later."""
    base = {"dockerComposeFile": ["c.yml"], "service": "app", "initializeCommand": "touch .env"}
    fill(workspace, ".venv/pyvenv.cfg", f".devcontainer.json = {json.dumps(base)}")
    if script:
        programs("docker", script)

    assert main(["devcontainer-config", "--engine", "docker"]) == 0

    out, err = capfd.readouterr()
    assert json.loads(out) == base
    assert err == (
        f"paude-venv-hook: warning: nothing shadowed: docker compose config does not tell where it is mounted ({why}); "
        "run docker compose config to see what is wrong\n"
    )


def test_devcontainer_config_names_one_more_compose_file_which_it_writes(
    workspace: Path, compose: Callable[..., Path], capfd: pytest.CaptureFixture[str]
) -> None:
    base = {"dockerComposeFile": "../c.yml", "service": "app", "workspaceFolder": "/code", "name": "x"}
    fill(workspace, "uv.lock", f".devcontainer/devcontainer.json = {json.dumps(base)}")
    compose(_bind(workspace, "/code"))

    assert main(["devcontainer-config", "--engine", "podman"]) == 0

    out, err = capfd.readouterr()
    added = default_path(str(workspace)).replace(".json", ".compose.json")
    assert json.loads(out) == {**base, "dockerComposeFile": [str(workspace / "c.yml"), added]}
    assert json.loads(Path(added).read_bytes()) == {"services": {"app": {"tmpfs": [f"/code/.venv:{PODMAN}"]}}}
    assert os.listdir(workspace / ".venv") == []  # the mount point is the user's, and made before the engine makes it
    assert err == reserved("uv.lock")


def test_a_compose_that_does_not_answer_is_said(
    workspace: Path, programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs("docker", "while :; do :; done")
    monkeypatch.setattr("paude_venv_hook.launchers.compose_project.ask", partial(ask, seconds=0.05))

    assert read_config([], str(workspace), os.environ) == (
        {},
        "docker cannot be asked: no answer within 0.05 seconds",
    )


@pytest.mark.parametrize(
    "odd",
    [None, 7, "text", [], {}, {"volumes": 7, "tmpfs": {}}, {"volumes": [None, 7, {"type": "bind"}], "tmpfs": [7]}],
)
def test_a_service_that_is_described_oddly_mounts_nothing(odd: object) -> None:
    assert mounts_of({"services": {"app": odd}}, "app") == []


@pytest.mark.parametrize("odd", [None, 7, [], ["app"], "app"])
def test_services_that_are_no_object_are_none(odd: object) -> None:
    assert mounts_of({"services": odd}, "app") == []


# ---- print --output


def _tell(programs: Programs, **services: dict[str, Any] | None) -> None:
    """Let compose tell of services, each with one volume or none."""
    described = {name: {"volumes": [volume]} if volume else {} for name, volume in services.items()}
    config = json.dumps({"name": "app", "services": described})
    programs("docker", f"""case "$*" in *"config --format json") printf '%s' '{config}' ;; esac""")


def test_a_file_of_ours_is_written_again_and_another_one_is_not(
    workspace: Path, make_venv: MakeVenv, programs: Programs, capfd: pytest.CaptureFixture[str]
) -> None:
    make_venv(workspace / ".venv")
    _tell(programs, web=_bind(workspace, "/code"), api=_bind(workspace, "/srv"), db=None)
    path = workspace / "compose.override.yaml"
    words = ["print", "--format", "compose", "--output", str(path)]

    assert main(words) == main(words) == 0
    assert list(json.loads(path.read_text())["services"]) == ["web", "api"]
    assert main([*words, "--service", "api", "--service", "db"]) == 0
    assert json.loads(path.read_text())["services"]["db"] == {}
    assert capfd.readouterr().out == ""
    texts = [
        "services: {}\n",
        "",
        *(
            f'{{"services": {{"web": {own}}}}}'
            for own in ('{"image": "x"}', '{"volumes": ["./:/x"]}', '{"tmpfs": ["/t"]}')
        ),
        '{"services": {}, "name": "x"}',
    ]
    for text in texts:
        path.write_text(text)
        capfd.readouterr()
        assert main(words) == 1
        assert capfd.readouterr() == (
            "",
            f"paude-venv-hook: error[overlay]: {path}: holds more than shadows, and is not overwritten; "
            "write to another file, and name that after this one, with -f or in COMPOSE_FILE\n",
        )
        assert path.read_text() == text


def test_print_makes_the_mount_points_for_the_file_that_stays(
    workspace: Path, programs: Programs, capfd: pytest.CaptureFixture[str]
) -> None:
    fill(workspace, "uv.lock")
    _tell(programs, web=_bind(workspace, "/code"))

    assert main(["print", "--format", "compose"]) == 0
    assert not (workspace / ".venv").exists()
    assert main(["print", "--format", "compose", "--output", "venv.json"]) == 0
    assert (workspace / ".venv").is_dir()
    assert "made an empty .venv" in capfd.readouterr().err
