"""One workspace from its files to its overlay; nothing is written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from conftest import MakeVenv
from layout import fill
from paude_venv_hook import __version__
from paude_venv_hook.decision import Answer, decide_workspace, notes_on_made
from paude_venv_hook.engines.mounts import Mount
from paude_venv_hook.errors import (
    DevcontainerError,
    HookError,
    JsonFileError,
    SettingsError,
    UsageError,
    WorkspaceError,
)
from paude_venv_hook.launch import Launch
from paude_venv_hook.launchers.flags import decide_by_flags, locate
from paude_venv_hook.notes import unique_words
from paude_venv_hook.overlay import make_document
from paude_venv_hook.plan import Plan, Shadow, Skipped
from paude_venv_hook.workspace.contents import Kind, Reason
from paude_venv_hook.workspace.location import Location, Workspace, check_workspace_folder, has_opted_in
from paude_venv_hook.workspace.settings import read_settings

PODMAN_OPTIONS = "rw,exec,nosuid,nodev,notmpcopyup,mode=1777"


SHARED = "{app} is mounted shared, and the host's venv would be covered too; mount it private"
CONTROL = "holds a control character; remove it"


def ready(folder: Path, **flags: Any) -> Answer:
    """Prepare the workspace for Podman, and see that its overlay keeps to the schema."""
    answer = decide_by_flags(str(folder), os.environ, **{"engine": "podman", **flags})
    schema = json.loads(files("paude_venv_hook").joinpath("schemas/overlay.json").read_bytes())
    jsonschema.validate(document(answer), schema)
    return answer


def document(answer: Answer) -> dict[str, Any]:
    """Return the overlay."""
    return make_document(answer, os.environ)


def lines(answer: Answer) -> list[str]:
    """Return what a person is told."""
    return unique_words(answer.notes)


def configure(folder: Path, **keys: object) -> Path:
    """Give the folder a devcontainer.json."""
    return fill(folder, f".devcontainer/devcontainer.json = {json.dumps(keys)}")


def destinations(prepared: Answer) -> dict[str, str]:
    return {shadow.path: shadow.destination for shadow in prepared.plan.shadows}


def test_the_overlay_of_a_workspace_that_is_mounted_under_its_own_path(workspace: Path, make_venv: MakeVenv) -> None:
    make_venv(workspace / "env")
    fill(workspace, ".venv -> /usr", 'paude.json = {"venv-tmpfs": {"size": "2g", "uid": 7, "gid": 8}}')
    podman = ["--tmpfs", f"{workspace}/env:{PODMAN_OPTIONS},size=2g"]
    docker = ["--tmpfs", f"{workspace}/env:rw,exec,nosuid,nodev,uid=7,gid=8,mode=1777,size=2g"]

    prepared = ready(workspace)

    assert document(prepared) == {
        "version": 1,
        "generator": f"paude-venv-hook {__version__}",
        "workspaceFolder": str(workspace),
        "workspaceMount": {"source": str(workspace), "target": str(workspace)},
        "engine": "podman",
        "venv": "auto",
        "storage": "memory",
        "shadows": [{"path": "env", "hostPath": f"{workspace}/env", "destination": f"{workspace}/env", "why": "venv"}],
        "skipped": [{"path": ".venv", "why": "a symlink to /usr, outside of the workspace"}],
        "runArgs": podman,
        "engines": {
            "docker": {"runArgs": docker},
            "podman": {"runArgs": podman},
            "nerdctl": {"runArgs": docker},
            "finch": {"runArgs": docker},
            "container": {"runArgs": ["--mount", f"type=tmpfs,destination={workspace}/env,mode=1777,size=2048m"]},
            "bwrap": {"runArgs": ["--perms", "1777", "--size", "2147483648", "--tmpfs", f"{workspace}/env"]},
        },
    }
    assert prepared.engine == "podman"
    assert prepared.location.why == "no devcontainer.json: the same path as here"
    assert lines(prepared) == [".venv not shadowed: a symlink to /usr, outside of the workspace; make it a directory"]


def test_the_same_workspace_gives_the_same_overlay(workspace: Path, make_venv: MakeVenv) -> None:
    for name in ("b", "a", ".venv", "ü"):
        make_venv(workspace / name)

    assert json.dumps(document(ready(workspace))) == json.dumps(document(ready(workspace)))
    assert list(destinations(ready(workspace))) == [".venv", "a", "b", "ü"]


def test_nothing_is_written(workspace: Path, home: Path) -> None:
    fill(workspace, "uv.lock")

    assert list(destinations(ready(workspace))) == [".venv"]
    assert os.listdir(workspace) == ["uv.lock"]
    assert os.listdir(home) == []


def test_the_owner_in_the_container_is_that_of_the_workspace_folder(workspace: Path, make_venv: MakeVenv) -> None:
    make_venv(workspace / ".venv")
    if os.getuid() == 0:
        os.chown(workspace, 1234, 1235)
    owner = os.stat(workspace)

    arguments = document(ready(workspace, engine="docker"))["runArgs"]

    assert f"uid={owner.st_uid},gid={owner.st_gid}," in arguments[1]


def test_with_none_nothing_is_looked_up(workspace: Path, make_venv: MakeVenv) -> None:
    make_venv(workspace / ".venv")
    fill(workspace, ".devcontainer.json = not JSON")

    prepared = ready(workspace, venv="none")

    assert prepared.plan == Plan()
    assert document(prepared)["workspaceMount"] is None
    assert document(prepared)["runArgs"] == document(prepared)["engines"]["docker"]["runArgs"] == []
    assert lines(prepared) == []


@pytest.mark.parametrize(
    ("keys", "destination", "why"),
    [
        ({}, "/workspaces/app/.venv", "default of devcontainer.json"),
        ({"workspaceFolder": "/elsewhere"}, "/workspaces/app/.venv", "default of devcontainer.json"),
        (
            {"workspaceMount": "type=bind,source=${localWorkspaceFolder},target=/src", "workspaceFolder": "/src/a"},
            "/src/.venv",
            "workspaceMount in devcontainer.json",
        ),
    ],
)
def test_the_destination_comes_from_the_workspace_mount(
    workspace: Path, make_venv: MakeVenv, keys: dict[str, str], destination: str, why: str
) -> None:
    make_venv(workspace / ".venv")

    prepared = ready(configure(workspace, **keys))

    assert destinations(prepared) == {".venv": destination}
    assert prepared.location.why == why


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"workspaceMount": ""}, "workspaceMount is empty in devcontainer.json, so the workspace is not mounted"),
        (
            {"workspaceMount": "source=data,target=/src,type=volume"},
            "workspaceMount in devcontainer.json is no bind mount but a volume",
        ),
        (
            {"dockerComposeFile": "compose.yaml"},
            "the compose files decide what is mounted; use devcontainer-config, or print --format compose",
        ),
        ({"workspaceMount": "type=bind,source=/usr,target=/src"}, "/usr is mounted, which does not hold it"),
        *(
            ({"workspaceMount": f"type=bind,source=.,target=/src,{options}"}, SHARED)
            for options in ("bind-propagation=rshared", "readonly,bind-propagation=shared", "rshared")
        ),
        (
            {"mounts": ["type=volume,target=/x\n,target=/usr"]},
            f'in devcontainer.json, --mount "type=volume,target=/x\\n,target=/usr" {CONTROL}',
        ),
        (
            {"mounts": [{"source": "a\n", "target": "/x"}]},
            f'in devcontainer.json, --mount "source=a\\n,target=/x" {CONTROL}',
        ),
        ({"runArgs": ["--init", "-v", "v:/x\r"]}, f'in devcontainer.json, --volume "v:/x\\r" {CONTROL}'),
        ({"runArgs": ["--tmpfs=${localEnv:ODD}"]}, f'in devcontainer.json, --tmpfs "/x\\n" {CONTROL}'),
    ],
)
def test_where_the_workspace_is_not_bind_mounted_the_overlay_is_empty_and_a_line_says_why(
    workspace: Path, make_venv: MakeVenv, monkeypatch: pytest.MonkeyPatch, keys: dict[str, object], why: str
) -> None:
    monkeypatch.setenv("ODD", "/x\n")
    make_venv(workspace / ".venv")
    why = why.format(app=workspace)

    prepared = ready(configure(workspace, **keys))

    assert document(prepared)["runArgs"] == []
    advice = "" if "; " in why else 'mount it, or write "venv": "none" in paude.json'
    assert prepared.plan == Plan(
        (), (Skipped(".", Reason(why, advice)), Skipped(".venv", Reason(f"venv; {why}"), is_expected=True))
    )
    assert lines(prepared) == [f"nothing shadowed: {why}{'; ' if advice else ''}{advice}"]


def test_the_flag_for_the_target_makes_no_shared_mount_private(workspace: Path, make_venv: MakeVenv) -> None:
    make_venv(workspace / ".venv")
    configure(workspace, workspaceMount="type=bind,source=.,target=/src,bind-propagation=rshared")

    prepared = ready(workspace, container_workspace_folder="/code")

    assert lines(prepared) == [f"nothing shadowed: {SHARED.format(app=workspace)}"]


def test_the_flag_beats_devcontainer_json_whose_own_mounts_still_count(workspace: Path, make_venv: MakeVenv) -> None:
    make_venv(workspace / ".venv")
    make_venv(workspace / "env")
    configure(workspace, dockerComposeFile="compose.yaml", mounts=["type=volume,source=v,target=/srv/app/.venv/"])

    prepared = ready(workspace, container_workspace_folder="//srv/x/../app/")

    assert destinations(prepared) == {"env": "/srv/app/env"}
    assert prepared.plan.skipped == (
        Skipped(".venv", Reason("the configuration mounts something on /srv/app/.venv already")),
    )
    assert prepared.location.why == "--container-workspace-folder"


@pytest.mark.parametrize("folder", ["", "app", "./app", "/", "//", "/..", "/a\n", "/a\udcff"])
def test_a_container_folder_that_cannot_be_is_a_wrong_command_line(workspace: Path, folder: str) -> None:
    with pytest.raises(UsageError) as caught:
        ready(workspace, container_workspace_folder=folder)

    shown = folder.encode("unicode_escape").decode()
    assert str(caught.value) == (
        f'--container-workspace-folder: "{shown}" cannot hold the workspace; '
        "write an absolute path below / in the container"
    )


def test_another_devcontainer_json_can_be_named(workspace: Path, make_venv: MakeVenv) -> None:
    make_venv(workspace / ".venv")
    configure(workspace)
    fill(workspace, "other.json = " + json.dumps({"workspaceMount": f"type=bind,src={workspace},dst=/other"}))

    assert destinations(ready(workspace, config="other.json")) == {".venv": "/other/.venv"}
    with pytest.raises(JsonFileError) as caught:
        ready(workspace, config="gone.json")
    assert str(caught.value) == f"{workspace}/gone.json: does not exist; name another file"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--new-flag", "-v", "x:/src/.venv"],
        ["--new-value", "1", "--new-flag", "--mount", "type=volume,source=x,target=/src/.venv"],
        ["--new=1", "-Z", "--tmpfs=/src/.venv"],
        ["--new-flag", "--rm", "--new-flag", "--name", "-v", "-itv", "x:/src/.venv"],
    ],
)
def test_an_option_that_is_not_known_yet_hides_no_mount_behind_it(
    workspace: Path, make_venv: MakeVenv, arguments: list[str]
) -> None:
    make_venv(workspace / ".venv")
    mount = "type=bind,source=.,target=/src"

    prepared = ready(configure(workspace, workspaceMount=mount, runArgs=arguments))

    taken = "the configuration mounts something on /src/.venv already"
    why = "left to your own tmpfs on /src/.venv" if "--tmpfs=/src/.venv" in arguments else taken
    assert lines(prepared) == [f".venv not shadowed: {why}"]


def test_below_a_git_root_its_own_venv_is_shadowed_too(workspace: Path, make_venv: MakeVenv) -> None:
    subprocess.run(["git", "init", "-q", str(workspace)], check=True)
    make_venv(workspace / ".venv")
    member = fill(configure(workspace / "packages" / "api"), "uv.lock")

    prepared = ready(member)

    assert destinations(prepared) == {
        ".venv": "/workspaces/app/packages/api/.venv",
        "../../.venv": "/workspaces/app/.venv",
    }
    assert document(prepared)["workspaceMount"] == {"source": str(workspace), "target": "/workspaces/app"}


def test_a_git_root_without_devcontainer_json_is_not_mounted(workspace: Path, make_venv: MakeVenv) -> None:
    subprocess.run(["git", "init", "-q", str(workspace)], check=True)
    make_venv(workspace / ".venv")
    make_venv(workspace / "api" / "env")

    assert destinations(ready(workspace / "api")) == {"env": f"{workspace}/api/env"}


def test_a_symlinked_workspace_keeps_its_name_in_the_container_and_is_read_where_it_is(
    workspace: Path, make_venv: MakeVenv
) -> None:
    make_venv(workspace / ".venv")
    link = workspace.parent / "link"
    link.symlink_to(workspace)

    assert ready(link).plan.shadows == (
        Shadow(".venv", f"{workspace}/.venv", f"{link}/.venv", Kind.VENV, source=str(workspace)),
    )
    assert destinations(ready(configure(link))) == {".venv": "/workspaces/link/.venv"}


def test_a_mount_that_names_its_source_through_a_symlink_holds_the_workspace(
    workspace: Path, make_venv: MakeVenv
) -> None:
    make_venv(workspace / ".venv")
    (workspace.parent / "link").symlink_to(workspace.parent)
    configure(workspace, workspaceMount=f"type=bind,source={workspace.parent}/link,target=/src")

    assert destinations(ready(workspace)) == {".venv": "/src/app/.venv"}


def test_where_only_a_folder_of_the_workspace_is_mounted_its_venvs_are_shadowed(
    workspace: Path, make_venv: MakeVenv
) -> None:
    make_venv(workspace / ".venv")
    make_venv(workspace / "api" / ".venv")
    configure(workspace, workspaceMount=f"type=bind,source={workspace}/api,target=/src")

    prepared = ready(workspace)

    assert destinations(prepared) == {"api/.venv": "/src/.venv"}
    why = f"not inside of {workspace}/api, the folder that is mounted"  # nothing of it is there
    assert prepared.plan.skipped == (Skipped(".venv", Reason(why), is_expected=True),)
    assert lines(prepared) == []


def test_a_list_is_taken_as_it_is(workspace: Path, make_venv: MakeVenv) -> None:
    make_venv(workspace / ".venv")
    fill(workspace, "api/", 'paude.json = {"venv": ["api/.venv", "./.tox", ".tox/py", "no/env", "api/.venv"]}')

    prepared = ready(workspace)

    assert destinations(prepared) == {"api/.venv": f"{workspace}/api/.venv", ".tox": f"{workspace}/.tox"}
    assert prepared.plan.skipped == (
        Skipped(".tox/py", Reason("lies in .tox, which is shadowed as a whole"), is_expected=True),
        Skipped("no/env", Reason("no does not exist, so there is no place for a mount point; make it")),
    )
    assert document(prepared)["venv"] == ["api/.venv", ".tox", ".tox/py", "no/env", "api/.venv"]


def test_the_place_of_a_wrong_list_entry_is_named(workspace: Path) -> None:
    fill(workspace, 'paude.json = {"venv": ["env", "file"]}', "file")

    with pytest.raises(SettingsError) as caught:
        ready(workspace)

    assert str(caught.value) == (
        f'{workspace}/paude.json: venv[1]: "file" is a file, and only a directory can be shadowed; remove the entry'
    )


def test_an_absolute_symlink_holds_where_the_container_has_the_same_path(workspace: Path) -> None:
    fill(workspace, "envs/main/", f".venv -> {workspace}/envs/main")

    assert destinations(ready(workspace)) == {".venv": f"{workspace}/envs/main"}
    assert destinations(ready(configure(workspace))) == {}


def test_warnings_of_settings_and_detection_come_before_what_is_skipped(workspace: Path) -> None:
    fill(workspace, "pyvenv.cfg", ".venv -> gone", 'paude.json = {"venvs": []}')

    assert lines(ready(workspace)) == [
        f'{workspace}/paude.json: key "venvs" is not known here (did you mean "venv"?)',
        "the workspace folder itself is a venv, which cannot be shadowed: it holds the source; make it anew in .venv",
        ".venv not shadowed: a symlink to gone, which does not exist or loops; make it a directory",
    ]


@pytest.mark.skipif(sys.platform == "darwin", reason="the file system of macOS takes only UTF-8")
def test_a_venv_whose_name_is_not_utf8_is_skipped_in_an_overlay_that_can_be_written(
    workspace: Path, make_venv: MakeVenv
) -> None:
    make_venv(Path(os.fsdecode(os.fsencode(workspace) + b"/v\xff")))

    prepared = ready(workspace)

    assert document(prepared)["skipped"] == [
        {"path": r"v\udcff", "why": "no engine can mount on such a name; rename the directory"}
    ]
    json.dumps(document(prepared), ensure_ascii=False).encode()


def test_docker_cannot_mount_on_a_colon_but_podmans_overlay_is_whole(workspace: Path, make_venv: MakeVenv) -> None:
    make_venv(workspace / "a:b")
    why = f"Docker has no way to mount a tmpfs on {workspace}/a:b, for its colon; rename the folder"

    podman = document(ready(workspace))

    assert podman["engines"]["docker"] == {"runArgs": None, "error": why}
    assert podman["runArgs"][0] == "--mount"
    docker = ready(workspace, engine="docker")
    assert docker.plan == Plan((), (Skipped("a:b", Reason(why)),))
    assert document(docker)["engines"]["docker"] == {"runArgs": []}
    assert document(docker)["engines"]["podman"] == {"runArgs": podman["runArgs"]}


def test_100_venvs_are_found_and_more_only_counted(workspace: Path, make_venv: MakeVenv) -> None:
    for index in range(100):
        make_venv(workspace / str(index))
    assert len(ready(workspace).plan.shadows) == 100

    make_venv(workspace / "one more")
    assert ready(workspace).plan == Plan(
        (), (Skipped(".", Reason("101 venvs are more than 100; list those that matter")),)
    )


def decide_at(workspace: Path, mount: Mount) -> Answer:
    """Return the decision for a workspace of which it is known where it is mounted."""
    place = Workspace(str(workspace), Location((mount,), "the command line"))
    settings = read_settings(str(workspace), None, os.environ)
    return decide_workspace(place, settings, Launch("podman"), os.environ)


def test_a_place_that_is_known_is_not_looked_up(workspace: Path, make_venv: MakeVenv) -> None:
    make_venv(workspace / ".venv")
    fill(workspace, ".devcontainer.json = not JSON")

    prepared = decide_at(workspace, Mount("bind", str(workspace), "/app"))

    assert destinations(prepared) == {".venv": "/app/.venv"}
    assert prepared.location.why == "the command line"


@pytest.mark.parametrize("mount", [Mount("bind", "/", "/a\udcff"), Mount("bind", "/a\udcff", "/")])
def test_a_mount_that_no_engine_makes_as_it_is_written_is_refused(workspace: Path, mount: Mount) -> None:
    with pytest.raises(WorkspaceError) as caught:
        decide_at(workspace, mount)

    assert str(caught.value) == r"/a\udcff: no engine can mount a path with such characters; rename the folder"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gone", "{tmp}/gone: does not exist; name the workspace folder with --workspace-folder"),
        ("file", "{tmp}/file: is not a directory; name the workspace folder with --workspace-folder"),
        ("dangling", "{tmp}/dangling: is not a directory; name the workspace folder with --workspace-folder"),
        ("a\nb", r"{tmp}/a\nb: no engine can mount a path with such characters; rename the folder"),
        ("a\udcffb", r"{tmp}/a\udcffb: no engine can mount a path with such characters; rename the folder"),
    ],
)
def test_what_cannot_be_a_workspace_folder_is_refused(tmp_path: Path, name: str, message: str) -> None:
    fill(tmp_path, "file", "dangling -> gone", "a\nb/")

    with pytest.raises(WorkspaceError) as caught:
        check_workspace_folder(f"{tmp_path}/{name}")

    assert str(caught.value) == message.format(tmp=tmp_path)


def test_a_workspace_folder_is_made_absolute_with_its_symlinks_kept(tmp_path: Path, workspace: Path) -> None:
    (tmp_path / "link").symlink_to(workspace)

    assert check_workspace_folder(".") == str(workspace)
    assert check_workspace_folder("../link/") == f"{tmp_path}/link"


def test_a_path_of_windows_has_no_place_in_a_container_unless_it_is_said() -> None:
    with pytest.raises(WorkspaceError) as caught:
        locate("C:\\app", None, None, {})

    assert str(caught.value) == (
        "C:\\app: is no path in a container; say where it is with --container-workspace-folder"
    )
    assert locate("C:\\app", "/app", None, {}).mount == Mount("bind", "C:\\app", "/app")


@pytest.mark.parametrize(
    ("entries", "error"),
    [
        (["paude.json = ["], JsonFileError),
        (['paude.json = {"venv": 1}'], SettingsError),
        ([".devcontainer.json = ["], JsonFileError),
        (['.devcontainer.json = {"runArgs": 1}'], DevcontainerError),
    ],
)
def test_what_is_wrong_in_a_file_is_an_error_of_its_kind(
    workspace: Path, entries: list[str], error: type[HookError]
) -> None:
    with pytest.raises(error):
        ready(fill(workspace, *entries))


def test_mounts_of_devcontainer_json_are_further_places_of_the_workspace(workspace: Path, make_venv: MakeVenv) -> None:
    make_venv(workspace / ".venv")
    make_venv(workspace / "api" / ".venv")
    mounts = [
        "type=bind,source=${localWorkspaceFolder},target=/again",
        {"type": "bind", "source": "${localWorkspaceFolder}/api", "target": "/api"},
        "type=bind,source=${localWorkspaceFolder},target=/usr/lib",  # a launcher that does not mount it would hide that
        "type=bind,source=/etc,target=/etc2",
    ]
    configure(workspace, mounts=mounts, runArgs=["-v", f"{workspace}/api:/more"])

    prepared = ready(workspace)

    assert [shadow.destination for shadow in prepared.plan.shadows] == [
        "/workspaces/app/.venv",
        "/again/.venv",
        "/workspaces/app/api/.venv",
        "/again/api/.venv",
        "/api/.venv",
        "/more/.venv",
    ]


def test_a_named_configuration_is_named_where_there_is_no_default_one(workspace: Path, make_venv: MakeVenv) -> None:
    make_venv(workspace / ".venv")
    fill(workspace, ".devcontainer/gpu/devcontainer.json = {}", ".devcontainer/cpu/devcontainer.json = {}")

    assert has_opted_in(str(workspace))
    assert lines(ready(workspace)) == [
        "no default devcontainer.json; to plan for another one, give --config "
        ".devcontainer/cpu/devcontainer.json or .devcontainer/gpu/devcontainer.json"
    ]
    config = str(workspace / ".devcontainer/gpu/devcontainer.json")
    assert destinations(ready(workspace, config=config)) == {".venv": "/workspaces/app/.venv"}


def test_a_venv_that_the_container_made_for_itself_is_left_alone_and_named(workspace: Path) -> None:
    fill(workspace, ".venv/pyvenv.cfg", ".docker-venv/pyvenv.cfg")
    fill(workspace, ".docker-venv/bin/activate = VIRTUAL_ENV=/workspaces/app/.docker-venv\n")
    configure(workspace)

    prepared = ready(workspace)

    assert destinations(prepared) == {".venv": "/workspaces/app/.venv"}
    why = "made in a container, at /workspaces/app/.docker-venv: left alone"
    assert prepared.plan.skipped == (Skipped(".docker-venv", Reason(why), is_expected=True),)
    assert lines(prepared) == []


@pytest.mark.parametrize("name", [".venv", "env"])
@pytest.mark.parametrize("home", ["/no/such/bin", os.path.dirname(sys.executable)])
def test_under_the_same_path_nothing_tells_a_containers_venv_from_the_hosts_and_it_is_shadowed(
    workspace: Path, home: str, name: str
) -> None:
    fill(workspace, f"{name}/pyvenv.cfg = home = {home}\n", f"{name}/bin/activate = VIRTUAL_ENV={workspace}/{name}\n")

    prepared = ready(workspace)

    assert destinations(prepared) == {name: f"{workspace}/{name}"}
    is_here = home != "/no/such/bin"
    trouble = "its Python is not here, so a container may have made it: make it anew"
    assert lines(prepared) == ([] if is_here else [f"{name} does not run on this machine: {trouble}"])


LEFT_ALONE = (
    ".venv not shadowed: made in a container, at /workspaces/app/.venv: left alone; the host has none; "
    'to get one each, remove it on the host, or write "venv": [".venv"] in paude.json'
)


@pytest.mark.parametrize("command", ["[ -d .venv ] || python3 -m venv .venv", "uv sync", "true"])
def test_a_venv_that_only_a_container_made_is_left_to_it_and_a_line_says_so(workspace: Path, command: str) -> None:
    fill(workspace, ".venv/pyvenv.cfg", ".venv/bin/activate = VIRTUAL_ENV=/workspaces/app/.venv\n", "uv.lock")
    configure(workspace, postCreateCommand=command)

    prepared = ready(workspace)
    assert (destinations(prepared), lines(prepared)) == ({}, [LEFT_ALONE])

    listed = ready(workspace, venv=".venv,env")
    assert destinations(listed)[".venv"] == "/workspaces/app/.venv"

    fill(workspace, f".venv/bin/activate = VIRTUAL_ENV={workspace}/.venv\n")
    assert destinations(ready(workspace)) == {".venv": "/workspaces/app/.venv"}


def test_a_containers_venv_is_of_no_use_at_another_path_and_shadowed_there(workspace: Path) -> None:
    fill(workspace, ".venv/pyvenv.cfg = home = /no/such", ".venv/bin/activate = VIRTUAL_ENV=/code/.venv\n")
    configure(workspace)
    line = ".venv does not run on this machine: made in a container at /code/.venv: make it anew"

    prepared = ready(workspace)
    assert (destinations(prepared), lines(prepared)) == ({".venv": "/workspaces/app/.venv"}, [line])

    configure(workspace, mounts=["type=bind,source=${localWorkspaceFolder},target=/code"])
    prepared = ready(workspace)
    assert destinations(prepared) == {".venv": "/workspaces/app/.venv"}
    assert lines(prepared) == [LEFT_ALONE.replace("/workspaces/app", "/code"), line]


def test_a_venv_that_runs_here_has_no_line_wherever_it_was_made(workspace: Path) -> None:
    home = os.path.dirname(sys.executable)
    fill(workspace, f"env/pyvenv.cfg = home = {home}", "env/bin/activate = VIRTUAL_ENV=/home/me/old/env\n")
    fill(workspace, "other/pyvenv.cfg")

    assert lines(ready(workspace)) == []


def test_what_had_to_be_made_for_a_list_is_said_and_what_it_leaves_visible(
    workspace: Path, make_venv: MakeVenv
) -> None:
    make_venv(workspace / ".venv")
    make_venv(workspace / "api" / ".venv")
    fill(workspace, 'paude.json = {"venv": ["tpyo"]}')

    prepared = ready(workspace)

    setting = '"venv": ["tpyo", ".venv"] in paude.json'
    assert lines(prepared) == [f".venv stays visible in the container; to shadow what is there, write {setting}"]
    assert unique_words(notes_on_made(prepared, [f"{workspace}/tpyo"])) == [
        f"made an empty tpyo, which {workspace}/paude.json lists"
    ]
    assert unique_words(notes_on_made(prepared, [])) == []


def test_poetry_is_told_what_it_does_to_a_reserved_venv(workspace: Path) -> None:
    fill(workspace, "poetry.toml = [virtualenvs]\nin-project = true\n")

    (line,) = unique_words(notes_on_made(ready(workspace), [f"{workspace}/.venv"]))

    assert line.startswith("made an empty .venv, to keep the container's venv out of it (poetry.toml); ")
    assert line.endswith("; the host's first `poetry install` makes it anew, so restart a running container after that")
