"""The OCI config that goes through the precreate hook: what is added for which bind, and what never changes."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import MakeVenv
from layout import fill
from paude_venv_hook.engines import selinux
from paude_venv_hook.launchers.oci import filter_config
from paude_venv_hook.stores.folder import store_path, stores_folder
from paude_venv_hook.stores.purpose import Purpose

Config = dict[str, Any]


def bind(source: Path | str, destination: str, *options: str, type: str = "bind") -> Config:  # noqa: A002 - OCI's word
    return {
        "destination": destination,
        "type": type,
        "source": str(source),
        "options": [*(options or ("rw", "rprivate", "rbind"))],
    }


def tmpfs(destination: str, *options: str) -> Config:
    options = ("rw", "nosuid", "nodev", "mode=1777", *options)
    return {"destination": destination, "type": "tmpfs", "source": "tmpfs", "options": [*options]}


def mounts_of(*mounts: Config, annotation: str | None = None) -> tuple[list[Config], list[str]]:
    """Return the mounts that come out for these, and the messages; all else has to come out as it went in."""
    config: Config = {"ociVersion": "1.0.2", "mounts": [PROC, *mounts, HOSTS]}
    if annotation is not None:
        config["annotations"] = {"io.container.manager": "libpod", "paude.venv": annotation}
    data, messages = filter_config(json.dumps(config).encode(), {})
    result = json.loads(data)
    assert {**result, "mounts": config["mounts"]} == config
    assert (result["mounts"][0], result["mounts"][-1]) == (PROC, HOSTS)
    return result["mounts"][1:-1], messages


PROC = {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]}
HOSTS = bind("/etc/hosts", "/etc/hosts", "bind", "rprivate")


@pytest.fixture
def app(workspace: Path, make_venv: MakeVenv) -> Path:
    """Return a workspace that opted in, with a venv."""
    make_venv(workspace / ".venv")
    return fill(workspace, "paude.json = {}")


@pytest.mark.parametrize("name", ["paude.json", ".devcontainer.json", ".devcontainer/devcontainer.json"])
def test_a_tmpfs_follows_the_bind_of_a_workspace_that_opted_in(workspace: Path, make_venv: MakeVenv, name: str) -> None:
    make_venv(workspace / ".venv")
    make_venv(workspace / "env")
    fill(workspace, f"{name} = {{}}")
    before, after = bind("/", "/data"), bind("/", "/app/data")

    mounts, messages = mounts_of(before, bind(workspace, "/app"), after)

    assert mounts == [before, bind(workspace, "/app"), tmpfs("/app/.venv"), tmpfs("/app/env"), after]
    assert messages == []


def test_a_bind_that_did_not_opt_in_is_left_alone(app: Path, tmp_path: Path, make_venv: MakeVenv) -> None:
    make_venv(tmp_path / "other" / ".venv")

    mounts, messages = mounts_of(bind(tmp_path / "other", "/other"), bind(app, "/app"))

    assert mounts == [bind(tmp_path / "other", "/other"), bind(app, "/app"), tmpfs("/app/.venv")]
    assert messages == []


def test_with_storage_on_disk_a_store_follows_the_bind_of_its_workspace(app: Path) -> None:
    fill(app, 'paude.json = {"venv-storage": "disk"}')

    mounts, messages = mounts_of(bind(app, "/app"), bind("/", "/data"))

    rootless = os.getuid() != 0
    store = store_path(Purpose(str(app), ".venv", "/app/.venv", "podman", rootless))
    added = bind(store, "/app/.venv", "rbind", "rw", "nosuid", "nodev", "rprivate")
    assert (mounts, messages) == ([bind(app, "/app"), added, bind("/", "/data")], [])
    assert os.listdir(store) == []
    os.rmdir(store)  # as a person might, who cleans up
    assert mounts_of(*mounts)[1] == [".venv not shadowed: the configuration mounts something on /app/.venv already"]
    mounts_of(bind(app, "/app"))
    assert os.listdir(store) == []


@pytest.mark.parametrize("trouble", ["no store", "selinux"])
def test_where_a_store_cannot_be_used_the_venv_is_in_memory(
    app: Path, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(app, 'paude.json = {"venv-storage": "disk"}')
    if trouble == "selinux":
        monkeypatch.setattr(selinux, "is_on", lambda: True)
        problem = "a hook cannot label a store for SELinux, which keeps containers out"
    else:
        folder = Path(stores_folder())
        folder.parent.mkdir(parents=True)
        folder.touch()
        what = "cannot be made or used: Not a directory; remove what is in the way, or keep venvs in memory"
        problem = f"{folder}: {what}"

    said = f".venv is in memory for this launch: {problem}"
    assert mounts_of(bind(app, "/app")) == ([bind(app, "/app"), tmpfs("/app/.venv")], [said])


def test_each_of_several_workspaces_is_shadowed_also_one_that_is_bound_twice(
    app: Path, tmp_path: Path, make_venv: MakeVenv
) -> None:
    make_venv(tmp_path / "lib" / "env")
    fill(tmp_path / "lib", "paude.json = {}")
    binds = [bind(app, "/app"), bind(tmp_path / "lib", "/lib", "ro", "rbind"), bind(app, "/again/")]

    mounts, _ = mounts_of(*binds)

    assert mounts == [binds[0], tmpfs("/app/.venv"), binds[1], tmpfs("/lib/env"), binds[2], tmpfs("/again/.venv")]


@pytest.mark.parametrize(
    "mount",
    [
        bind("APP", "/app", "ro", "bind"),
        bind("APP", "/app", "rbind", type=""),
        bind("APP", "/app", "rslave"),
        {"destination": "/app", "type": "bind", "source": "APP"},
        {"destination": "/app", "source": "APP", "options": ["bind"]},
        bind("APP/../app/", "/app"),
        bind("LINK", "/app"),
    ],
)
def test_a_bind_is_known_by_its_type_or_by_its_options(app: Path, tmp_path: Path, mount: Config) -> None:
    (tmp_path / "link").symlink_to(app)
    mount["source"] = mount["source"].replace("APP", str(app)).replace("LINK", str(tmp_path / "link"))

    assert mounts_of(mount)[0] == [mount, tmpfs("/app/.venv")]


@pytest.mark.parametrize(
    "mount",
    [
        {"destination": "/app", "type": "overlay", "source": "APP", "options": ["lowerdir=APP"]},
        {"destination": "/app", "type": "tmpfs", "source": "tmpfs", "options": None},
        {"destination": "/app"},
        bind("APP/paude.json", "/app/paude.json"),
        bind("APP/missing", "/app"),
    ],
)
@pytest.mark.parametrize("annotation", [None, "auto"])
def test_what_is_no_bind_of_a_directory_is_left_alone(app: Path, mount: Config, annotation: str | None) -> None:
    mount = json.loads(json.dumps(mount).replace("APP", str(app)))

    assert mounts_of(mount, annotation=annotation) == ([mount], [])


def test_a_named_volume_is_no_workspace(tmp_path: Path, make_venv: MakeVenv) -> None:
    volume = tmp_path / "storage" / "volumes" / "app" / "_data"
    make_venv(volume / ".venv")
    fill(volume, "paude.json = {}")

    assert mounts_of(bind(volume, "/app")) == ([bind(volume, "/app")], [])


def test_mounts_that_the_host_would_see_are_not_made(app: Path) -> None:
    for propagation in ("shared", "rshared"):
        mounts, messages = mounts_of(bind(app, "/app", "rbind", propagation))

        assert mounts == [bind(app, "/app", "rbind", propagation)]
        assert messages == [
            f"nothing shadowed: {app} is mounted shared, and the host's venv would be covered too; mount it private"
        ]


def test_where_nothing_is_to_be_shadowed_a_shared_mount_needs_no_word(app: Path) -> None:
    fill(app, 'paude.json = {"venv": "none"}')

    assert mounts_of(bind(app, "/app", "rbind", "rshared")) == ([bind(app, "/app", "rbind", "rshared")], [])


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (bind("/", "/app/.venv"), ".venv not shadowed: the configuration mounts something on /app/.venv already"),
        (tmpfs("/app/.venv/"), ".venv not shadowed: left to your own tmpfs on /app/.venv"),
    ],
)
def test_a_destination_that_has_a_mount_is_skipped(app: Path, other: Config, message: str) -> None:
    assert mounts_of(bind(app, "/app"), other) == ([bind(app, "/app"), other], [message])


def test_a_config_that_went_through_is_not_changed_again(app: Path) -> None:
    once, _ = filter_config(json.dumps({"mounts": [bind(app, "/app")]}).encode(), {})
    twice, messages = filter_config(once, {})

    assert twice == once
    assert messages == [".venv not shadowed: left to your own tmpfs on /app/.venv"]


def test_the_settings_of_the_workspace_count(workspace: Path) -> None:
    fill(workspace, 'paude.json = {"venv": ["b", "sub/c"], "venv-tmpfs": {"size": "2g", "uid": 5}}', "sub/")

    mounts, _ = mounts_of(bind(workspace, "/app"))

    assert mounts == [bind(workspace, "/app"), tmpfs("/app/b", "size=2g"), tmpfs("/app/sub/c", "size=2g")]
    assert sorted(os.listdir(workspace)) == ["b", "paude.json", "sub"]
    assert os.listdir(workspace / "sub") == ["c"]


def test_a_reserved_mount_point_is_made(workspace: Path) -> None:
    fill(workspace, "paude.json = {}", "uv.lock")

    assert mounts_of(bind(workspace, "/app"))[0] == [bind(workspace, "/app"), tmpfs("/app/.venv")]
    assert (workspace / ".venv").is_dir()


def test_the_annotation_auto_stands_for_the_opt_in_of_each_bind(
    app: Path, tmp_path: Path, home: Path, make_venv: MakeVenv
) -> None:
    make_venv(tmp_path / "other" / "env")
    fill(tmp_path, "empty/")
    fill(home, '.config/paude/paude.json = {"venv": ["listed"]}')
    fill(app, 'paude.json = {"venv": ["own"]}')
    binds = [bind(tmp_path / "other", "/other"), bind(tmp_path / "empty", "/empty"), bind(app, "/app")]

    mounts, messages = mounts_of(*binds, annotation="auto")

    assert mounts == [binds[0], tmpfs("/other/env"), binds[1], binds[2], tmpfs("/app/own")]
    setting = f'"venv": ["own", ".venv"] in {app}/paude.json'
    assert messages == [f".venv stays visible in the container; to shadow what is there, write {setting}"]
    assert os.listdir(tmp_path / "empty") == []


def test_the_annotation_none_beats_the_opt_in(app: Path) -> None:
    assert mounts_of(bind(app, "/app"), annotation="none") == ([bind(app, "/app")], [])


def test_an_annotation_that_is_not_known_is_said_and_does_nothing(app: Path) -> None:
    mounts, messages = mounts_of(bind(app, "/app"), annotation="Auto")

    assert mounts == [bind(app, "/app"), tmpfs("/app/.venv")]
    assert messages == ['paude.venv: "Auto" is not known (did you mean "auto"?); use auto or none']


TROUBLE = [
    (b"", "stdin holds no OCI config; let Podman start this, see install --help"),
    (b'{"mounts": [', "stdin holds no OCI config; let Podman start this, see install --help"),
    (b"[" * 100_000, "stdin holds no OCI config; let Podman start this, see install --help"),
    (b"\xff\xfe{}", "stdin holds no OCI config; let Podman start this, see install --help"),
    (b"[]", "stdin holds no OCI config; let Podman start this, see install --help"),
]


@pytest.mark.parametrize(("data", "message"), TROUBLE)
def test_what_is_not_understood_comes_back_byte_for_byte(data: bytes, message: str) -> None:
    assert filter_config(data, {}) == (data, [f"nothing shadowed: {message}"])


def test_wrong_settings_of_one_workspace_leave_the_config_as_it_was(app: Path, workspace: Path, tmp_path: Path) -> None:
    fill(tmp_path / "wrong", 'paude.json = {"venv": "Auto"}')
    data = json.dumps({"mounts": [bind(app, "/app"), bind(tmp_path / "wrong", "/wrong")]}, indent=3).encode()

    assert filter_config(data, {}) == (
        data,
        [
            f'nothing shadowed: {tmp_path}/wrong/paude.json: venv: "Auto" is not known (did you mean "auto"?); '
            'use "auto", "none" or a list of directories'
        ],
    )


def test_a_mount_point_that_cannot_be_made_leaves_the_config_as_it_was(workspace: Path) -> None:
    fill(workspace, 'paude.json = {"venv": ["' + "x" * 300 + '"]}')
    data = json.dumps({"mounts": [bind(workspace, "/app")]}).encode()

    assert filter_config(data, {}) == (
        data,
        [
            f"nothing shadowed: {workspace}/{'x' * 300}: the mount point cannot be made: File name too long; "
            'make it, or write "venv": "none" in paude.json'
        ],
    )


@pytest.mark.parametrize(
    "odd",
    [
        {"type": "bind", "destination": "/x"},
        {"type": "bind", "source": "/"},
        {"type": "bind", "source": None, "destination": "/x"},
        {"type": "bind", "source": "/", "destination": ["/x"]},
        {"type": "bind", "source": ".", "destination": "/x"},
        {"type": ["bind"], "source": 7, "options": {"rbind": 1}},
        {"options": ["rbind", 7, None]},
        {},
        None,
        7,
        "bind",
    ],
)
def test_a_mount_that_is_not_whole_leaves_the_others_shadowed(app: Path, odd: Any) -> None:
    mounts, messages = mounts_of(odd, bind(app, "/app"), odd)

    assert mounts == [odd, bind(app, "/app"), tmpfs("/app/.venv"), odd]
    assert messages == []


@pytest.mark.parametrize("number", ["1e999", "-1e999", "Infinity", "-Infinity", "NaN"])
def test_a_number_that_json_cannot_write_leaves_the_config_as_it_was(app: Path, number: str) -> None:
    data = json.dumps({"limit": "N", "mounts": [bind(app, "/app")]}).replace('"N"', number).encode()

    assert filter_config(data, {}) == (
        data,
        ["nothing shadowed: the OCI config holds a number that JSON cannot write; remove it"],
    )


@pytest.mark.parametrize(
    "data",
    [
        b"{}",
        b'{"mounts":null,"annotations":null}',
        b' {"mounts" : [], "annotations": {}}\n\n',
        b'{"mounts": 1}\n',
        b'{ "mounts": [{"type": "bind"}] }',
        b'{"mounts": {}, "annotations": ["paude.venv"]}',
    ],
)
def test_with_nothing_to_add_the_very_bytes_come_back(data: bytes) -> None:
    assert filter_config(data, {}) == (data, [])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(
    more=st.dictionaries(st.text().filter(lambda key: key not in ("mounts", "annotations")), json_values, max_size=3),
    extra=st.dictionaries(
        st.text().filter(lambda key: key not in ("type", "source", "options")), json_values, max_size=3
    ),
)
def test_all_else_keeps_its_meaning(tmp_path_factory: pytest.TempPathFactory, more: Config, extra: Config) -> None:
    app = fill(tmp_path_factory.mktemp("app"), 'paude.json = {"venv": ["env"]}')
    mount = {**extra, **bind(app, "/app")}
    config = {**more, "mounts": [mount]}

    data, messages = filter_config(json.dumps(config).encode(), {})

    assert json.loads(data) == {**config, "mounts": [mount, tmpfs("/app/env")]}
    assert messages == []


def test_as_a_command_it_is_a_filter(app: Path, command: list[str]) -> None:
    data = json.dumps({"ociVersion": "1.0.2", "mounts": [bind(app, "/app")]}).encode()

    done = subprocess.run([*command, "oci-precreate"], input=data, capture_output=True, check=True)
    broken = subprocess.run([*command, "oci-precreate"], input=b"\xff{", capture_output=True, check=True)

    assert json.loads(done.stdout)["mounts"] == [bind(app, "/app"), tmpfs("/app/.venv")]
    assert done.stderr == b""
    assert broken.stdout == b"\xff{"
    assert broken.stderr == (
        b"paude-venv-hook: warning: nothing shadowed: stdin holds no OCI config; "
        b"let Podman start this, see install --help\n"
    )
