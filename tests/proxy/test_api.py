"""The body of the call that creates a container: what is added for which bind, and what never changes."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import MakeVenv
from docker_lab import setup_with
from layout import fill
from paude_venv_hook import decision as decision_module
from paude_venv_hook.decision import Decision
from paude_venv_hook.engines import selinux
from paude_venv_hook.errors import EngineError, SettingsError
from paude_venv_hook.launch import CONFIG_FILE, LOCAL_FOLDER, WORKING_DIR
from paude_venv_hook.notes import unique_words
from paude_venv_hook.proxy.api import add_shadows, add_warnings, find_missing
from paude_venv_hook.stores.folder import store_path
from paude_venv_hook.stores.purpose import Purpose
from paude_venv_hook.workspace import directories

Object = dict[str, Any]
OPTIONS = f"rw,exec,nosuid,nodev,uid={os.getuid()},gid={os.getgid()},mode=1777"


def changed(body: Object, platform: str = "") -> tuple[Object, list[str]]:
    """Return the body that comes out, and the messages."""
    data = json.dumps(body, indent=1).encode()
    result, decision = add_shadows(data, platform, setup_with())
    if not decision.shadows:
        assert result == data
    return json.loads(result), unique_words(decision.notes)


def host_config(**fields: Any) -> tuple[Object, list[str]]:
    """Return the HostConfig that comes out for this one, and the messages; all else has to come out as it went in."""
    body = {"Image": "debian", "Env": ["A=b"], "HostConfig": fields}
    result, messages = changed(body)
    assert {**result, "HostConfig": fields} == body
    assert list(result) == list(body)
    return result["HostConfig"], messages


@pytest.fixture
def app(workspace: Path, make_venv: MakeVenv) -> Path:
    """Return a workspace that opted in, with a venv."""
    make_venv(workspace / ".venv")
    return fill(workspace, "paude.json = {}")


def test_a_bind_of_a_workspace_that_opted_in_gets_a_tmpfs(app: Path) -> None:
    binds = [f"{app}:/app", f"{app}:/again:ro"]

    assert host_config(Binds=binds, Memory=5) == (
        {"Binds": binds, "Memory": 5, "Tmpfs": {"/app/.venv": OPTIONS, "/again/.venv": OPTIONS}},
        [],
    )


def test_so_does_a_mount_and_what_is_there_stays_there(app: Path) -> None:
    mounts = [{"Type": "bind", "Source": str(app), "Target": "/app/", "BindOptions": None}]
    tmpfs = {"/run": "size=5m"}

    assert host_config(Mounts=mounts, Tmpfs=tmpfs) == (
        {"Mounts": mounts, "Tmpfs": {"/run": "size=5m", "/app/.venv": OPTIONS}},
        [],
    )


def test_a_bind_that_did_not_opt_in_is_left_alone(workspace: Path, make_venv: MakeVenv) -> None:
    make_venv(workspace / ".venv")
    fields = {"Binds": [f"{workspace}:/app"]}

    assert host_config(**fields) == (fields, [])


@pytest.mark.parametrize(
    "fields",
    [
        {"Binds": ["app:/app", "/app", "", "/no-such:/app"]},
        {"Binds": None, "Mounts": None, "Tmpfs": None},
        {"Mounts": [{"Type": "volume", "Source": "{app}", "Target": "/app"}]},
        {"Mounts": [{"Type": "bind", "Source": "{app}", "Target": "app"}, {"Type": "bind"}, {}]},
        {"Mounts": [{"Type": "bind", "Source": "app", "Target": "/app"}]},
        {"Mounts": [{"Type": "bind", "Source": "{app}/paude.json", "Target": "/paude.json"}]},
        {"Mounts": [{"Type": "bind", "Source": "\0", "Target": "/app"}]},
        {"Mounts": [{"Type": "bind", "Source": "{app}/\0", "Target": "/app"}]},
        {"Mounts": [{"Type": "bind", "Source": "{app}", "Target": "/app/\0"}]},
    ],
)
def test_what_is_no_bind_of_a_directory_is_left_alone(app: Path, fields: Object) -> None:
    fields = json.loads(json.dumps(fields).replace("{app}", str(app)))

    assert host_config(**fields) == (fields, [])


@pytest.mark.parametrize("storage", ["memory", "auto", "disk"])
@pytest.mark.parametrize("label", [LOCAL_FOLDER, CONFIG_FILE, WORKING_DIR])
def test_a_label_with_a_zero_byte_counts_as_none(app: Path, label: str, storage: str) -> None:
    fill(app, f'paude.json = {{"venv-storage": "{storage}"}}', '.devcontainer.json = {"postCreateCommand": "uv sync"}')
    binds = {"HostConfig": {"Binds": [f"{app}:/app"]}, "Image": "i\0"}
    others = {LOCAL_FOLDER: str(app), CONFIG_FILE: f"{app}/.devcontainer.json"}

    result, _ = changed({**binds, "Labels": {**others, label: f"{app}\0"}})
    others.pop(label, None)

    assert result["HostConfig"] == changed({**binds, "Labels": others})[0]["HostConfig"]
    assert "/app/.venv" in json.dumps(result["HostConfig"])


def test_with_storage_on_disk_a_store_is_mounted_for_image_platform_and_service(workspace: Path, app: Path) -> None:
    fill(workspace, "paude.json = {'venv-storage': 'disk'}".replace("'", '"'))
    labels = {"com.docker.compose.service": "web"}
    body = {"Image": "debian:12", "Labels": labels, "HostConfig": {"Binds": [f"{app}:/app"], "Mounts": []}}
    store = store_path(
        Purpose(str(app), ".venv", "/app/.venv", "docker", service="web", image="debian:12", platform="linux/arm64")
    )

    result, messages = changed(body, "linux/arm64")

    assert messages == []
    assert result["HostConfig"]["Mounts"] == [{"Type": "bind", "Source": store, "Target": "/app/.venv"}]
    assert "Tmpfs" not in result["HostConfig"]
    assert os.listdir(store) == []


def test_where_a_store_cannot_be_used_the_venv_is_in_memory(workspace: Path, app: Path, monkeypatch: Any) -> None:
    fill(workspace, 'paude.json = {"venv-storage": "disk"}')
    monkeypatch.setattr(selinux, "is_on", lambda: True)

    result, messages = host_config(Binds=[f"{app}:/app"])

    assert result["Tmpfs"] == {"/app/.venv": OPTIONS}
    assert messages == [
        ".venv is in memory for this launch: Docker does not label a store for SELinux, which "
        'keeps containers out; write "venv-storage": "memory" in paude.json'
    ]


def test_a_destination_that_has_a_mount_is_skipped(app: Path) -> None:
    bind = f"{app}:/app"
    already = ["the configuration mounts something on /app/.venv already"]

    for fields, why in (
        ({"Tmpfs": {"/app//.venv/": "size=5m"}}, ["left to your own tmpfs on /app/.venv"]),
        ({"Mounts": [{"Type": "volume", "Target": "/app/.venv"}]}, already),
        ({"Binds": [bind, "venv:/app/.venv"]}, already),
    ):
        given_fields: Object = {"Binds": [bind], **fields}
        assert host_config(**given_fields) == (given_fields, [f".venv not shadowed: {line}" for line in why])
    body = {"Volumes": {"/app/.venv": {}}, "HostConfig": {"Binds": [bind]}}
    assert changed(body) == (body, [f".venv not shadowed: {already[0]}"])


def test_a_volume_that_is_named_for_the_bind_too_gives_way_to_it(app: Path) -> None:
    body = {"Volumes": {"/app": {}}, "HostConfig": {"Binds": [f"{app}:/app"]}}

    assert changed(body)[0]["HostConfig"]["Tmpfs"] == {"/app/.venv": OPTIONS}


def test_what_went_through_is_not_changed_again_and_nothing_is_said(workspace: Path, app: Path) -> None:
    once, _ = host_config(Binds=[f"{app}:/app"])
    assert host_config(**once) == (once, [])

    fill(workspace, 'paude.json = {"venv-storage": "disk", "venv": ["one", ".venv"]}')
    (app / "one").mkdir()
    stores, _ = host_config(Binds=[f"{app}:/app"])
    assert [mount["Target"] for mount in stores["Mounts"]] == ["/app/one", "/app/.venv"]
    assert host_config(**stores) == (stores, [])


def test_a_mount_that_the_host_would_see_is_not_made(app: Path) -> None:
    why = f"nothing shadowed: {app} is mounted shared, and the host's venv would be covered too; mount it private"
    mount = {"Type": "bind", "Source": str(app), "Target": "/app", "BindOptions": {"Propagation": "rshared"}}

    for fields in ({"Binds": [f"{app}:/app:rw,rshared"]}, {"Mounts": [mount]}):
        assert host_config(**fields) == (fields, [why])


def test_a_bind_that_is_unclear_is_said_and_the_others_are_shadowed(app: Path) -> None:
    binds = ["/a\nb:/c", f"{app}:/app"]

    assert host_config(Binds=binds) == (
        {"Binds": binds, "Tmpfs": {"/app/.venv": OPTIONS}},
        ['nothing shadowed: --volume "/a\\nb:/c" holds a control character; remove it'],
    )


def test_the_label_auto_stands_for_the_opt_in_and_none_beats_it(
    workspace: Path, tmp_path: Path, make_venv: MakeVenv
) -> None:
    make_venv(tmp_path / "other" / ".venv")
    make_venv(workspace / ".venv")
    fill(workspace, "paude.json = {}")
    host = {"Binds": [f"{tmp_path}/other:/other", f"{workspace}:/app"]}

    def destinations(**labels: Any) -> tuple[list[str], list[str]]:
        result, messages = changed({"Labels": labels, "HostConfig": host})
        return list(result["HostConfig"].get("Tmpfs", {})), messages

    assert destinations() == (["/app/.venv"], [])
    assert destinations(**{"paude.venv": "auto"}) == (["/other/.venv", "/app/.venv"], [])
    assert destinations(**{"paude.venv": "none"}) == ([], [])
    assert destinations(**{"paude.venv": "nome"}) == (
        ["/app/.venv"],
        ['paude.venv: "nome" is not known (did you mean "none"?); use auto or none'],
    )


def test_what_another_container_binds_is_shadowed_too_but_not_what_it_has_on_disk(
    workspace: Path, app: Path, tmp_path: Path
) -> None:
    fill(workspace, 'paude.json = {"venv": ["one", "two"]}')
    for name in ("one", "two"):
        (app / name).mkdir()
    store = "/stores/app-0123456789abcdef/venv"
    asked = []

    def mounts(target: str) -> Any:
        asked.append(target)
        binds = {"/app": str(app), "/given": str(app), "/app/one": store, "/volume": ""}
        kinds = {"/volume": "volume"}
        return {"Mounts": [{"Type": kinds.get(at, "bind"), "Source": binds[at], "Destination": at} for at in binds]}

    host = {"VolumesFrom": ["first/é:ro"], "Binds": [f"{tmp_path}:/given"]}
    result, decision = add_shadows(json.dumps({"HostConfig": host}).encode(), "", setup_with(mounts))

    assert asked == ["/containers/first%2F%C3%A9/json"]
    shadowed = ("/app/two", "/given/app/one", "/given/app/two")
    assert json.loads(result)["HostConfig"]["Tmpfs"] == dict.fromkeys(shadowed, OPTIONS)
    stays = '.venv stays visible in the container; to shadow what is there, write "venv": ["one", "two", ".venv"]'
    assert unique_words(decision.notes) == [f"{stays} in {app}/paude.json"]


def test_where_docker_does_not_tell_of_another_container_it_is_said() -> None:
    def fail(_: str) -> None:
        raise TimeoutError("timed out")

    data = b'{"HostConfig": {"VolumesFrom": ["one"]}}'
    result, decision = add_shadows(data, "", setup_with(fail))
    assert (result, decision.shadows) == (data, [])
    assert unique_words(decision.notes) == [
        "nothing shadowed of what --volumes-from one brings: the engine does not tell: timed out; "
        "mount the folder itself, or see whether the engine answers"
    ]


def test_wrong_settings_are_an_error(workspace: Path) -> None:
    fill(workspace, 'paude.json = {"venv": 3}')

    with pytest.raises(SettingsError, match=r'paude.json: venv: must be "auto", "none" or a list of directories'):
        host_config(Binds=[f"{workspace}:/app"])


@pytest.mark.parametrize("spelling", ["hostconfig", "HOSTCONFIG", "ho\u017ftConfig"])
def test_keys_are_found_as_go_finds_them_and_stay_as_they_are(app: Path, spelling: str) -> None:
    body = {spelling: {"binds": [f"{app}:/app"], "tmpf\u017f": {}}}

    assert changed(body) == ({spelling: {"binds": [f"{app}:/app"], "tmpf\u017f": {"/app/.venv": OPTIONS}}}, [])


def test_without_a_host_config_older_daemons_read_its_fields_at_the_top(app: Path) -> None:
    body = {"Image": "debian", "HostConfig": None, "Binds": [f"{app}:/app"]}

    assert changed(body) == ({**body, "Tmpfs": {"/app/.venv": OPTIONS}}, [])


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ('{"HostConfig": {}, "hostconfig": {}}', "HostConfig"),
        ('{"HostConfig": {"Binds": [], "bind\u017f": []}}', "Binds"),
        ('{"HostConfig": {"Mounts": [{"Type": "bind", "type": "volume"}]}}', "Type"),
        ('{"Labels": {"a": "b", "a": "c"}}', "a"),
        ('{"Labels": {}, "HostConfig": {}, "labels": {}}', "Labels"),
    ],
)
def test_a_key_that_is_there_twice_is_an_error(body: str, key: str) -> None:
    with pytest.raises(EngineError) as caught:
        add_shadows(body.encode(), "", setup_with())
    assert str(caught.value) == f"the body of the call has the key {key} twice; correct the program that sent it"


def test_keys_of_a_map_may_differ_in_case_alone() -> None:
    body = {"Labels": {"a": "b", "A": "c"}, "Volumes": {"/a": {}, "/A": {}}}

    assert changed(body) == (body, [])


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b"\xef\xbb\xbf{}",
        b"{} {}",
        b"[" * 100_000,
        b"\xff\xfe{\0}\0",
        b"1" * 5000,
    ],
)
def test_what_cannot_be_read_as_json_is_an_error(data: bytes) -> None:
    with pytest.raises(EngineError) as caught:
        add_shadows(data, "", setup_with())
    assert str(caught.value) == (
        "the body of the call is no JSON value, or too deep a one; correct the program that sent it"
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" \n",
        b"null",
        b"[]",
        b"3",
        b'"HostConfig"',
        b'{"HostConfig": []}',
        b'{"HostConfig": {"Tmpfs": [], "Binds": ["{app}:/app"]}}',
        b'{"HostConfig": {"Mounts": {}, "Binds": ["{app}:/app"]}}',
        b'{"Labels": [], "Volumes": 3, "Image": 1e400, "HostConfig": {"Binds": {"{app}": 1}, "Mounts": [3, null, []]}}',
    ],
)
def test_what_the_daemon_refuses_or_holds_nothing_comes_back_byte_for_byte(app: Path, data: bytes) -> None:
    data = data.replace(b"{app}", os.fsencode(app))

    assert add_shadows(data, "", setup_with()) == (data, Decision((), ()))


def test_a_number_that_json_cannot_write_is_an_error_where_something_is_added(app: Path) -> None:
    with pytest.raises(EngineError) as caught:
        add_shadows(b'{"a": 1e400, "HostConfig": {"Binds": ["%b:/app"]}}' % os.fsencode(app), "", setup_with())
    assert str(caught.value) == "the body of the call holds a number that JSON cannot write; remove it"


def test_what_is_no_utf_8_is_read_as_go_reads_it(app: Path) -> None:
    data = b'{"Env": ["A=\xff"], "HostConfig": {"Binds": ["%b:/app"]}}' % os.fsencode(app)

    assert json.loads(add_shadows(data, "", setup_with())[0]) == {
        "Env": ["A=\ufffd"],
        "HostConfig": {"Binds": [f"{app}:/app"], "Tmpfs": {"/app/.venv": OPTIONS}},
    }


# ---- the proxy's own socket


@pytest.fixture
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the host path of a socket on which the proxy listens."""
    with TemporaryDirectory(dir="/tmp") as folder, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{folder}/docker.sock")
        os.symlink(f"{folder}/docker.sock", f"{folder}/link")
        os.symlink(folder, f"{folder}/folder")
        os.link(f"{folder}/docker.sock", f"{folder}/hard")
        yield f"{folder}/docker.sock"


@pytest.mark.parametrize("spelling", ["docker.sock", "link", "./../{}/docker.sock", "folder/link", "hard"])
def test_a_bind_of_the_proxys_own_socket_is_one_of_the_daemons(own: str, spelling: str) -> None:
    folder = os.path.dirname(own)
    path = f"{folder}/{spelling.format(os.path.basename(folder))}"
    binds = [f"{path}:/var/run/docker.sock:ro", "/etc:/etc", f"{path}:/two"]
    mounts = [{"Type": "bind", "Source": path, "Target": "/three"}, {"Type": "volume", "Source": path}]
    data = json.dumps({"HostConfig": {"Binds": binds, "mounts": mounts}}).encode()

    result, decision = add_shadows(data, "", setup_with(own=own))

    assert json.loads(result)["HostConfig"] == {
        "Binds": ["/var/run/docker.sock:/var/run/docker.sock:ro", "/etc:/etc", "/var/run/docker.sock:/two"],
        "mounts": [{**mounts[0], "Source": "/var/run/docker.sock"}, mounts[1]],
    }
    assert decision == Decision((), ())


def test_other_sockets_and_the_folder_of_the_own_one_stay(own: str) -> None:
    folder = os.path.dirname(own)
    data = json.dumps({"HostConfig": {"Binds": [f"{folder}:/x", "docker.sock:/y", "/a\0b:/z", own, ":/d"]}}).encode()

    assert add_shadows(data, "", setup_with(own=own))[0] == data


# ---- Podman's API


def test_podman_gets_its_own_options_and_what_went_through_is_not_changed_again(workspace: Path, app: Path) -> None:
    setup = setup_with(engine="podman")
    data = json.dumps({"HostConfig": {"Binds": [f"{app}:/app"]}}).encode()

    once, _ = add_shadows(data, "", setup)

    assert json.loads(once)["HostConfig"]["Tmpfs"] == {"/app/.venv": "rw,exec,nosuid,nodev,notmpcopyup,mode=1777"}
    assert add_shadows(once, "", setup)[0] == once


@pytest.mark.parametrize("has_selinux", [False, True])
def test_podman_gets_stores_with_the_word_that_lets_containers_in(
    workspace: Path, app: Path, monkeypatch: pytest.MonkeyPatch, has_selinux: bool
) -> None:
    fill(workspace, 'paude.json = {"venv-storage": "disk"}')
    monkeypatch.setattr(selinux, "is_on", lambda: has_selinux)
    data = json.dumps({"HostConfig": {"Binds": [f"{app}:/app"]}}).encode()

    result, decision = add_shadows(data, "", setup_with(engine="podman"))

    (shadow,) = decision.shadows
    host = json.loads(result)["HostConfig"]
    if has_selinux:
        assert host == {"Binds": [f"{app}:/app", f"{shadow.store}:/app/.venv:z"]}
    else:
        assert host["Mounts"] == [{"Type": "bind", "Source": shadow.store, "Target": "/app/.venv"}]


# ---- a container that starts again


def about(folder: Path, labels: Object | None = None, **host: Any) -> Object:
    """Return what the daemon tells of a container that binds a folder."""
    mount = {"Type": "bind", "Source": str(folder), "Destination": "/app", "Propagation": "rprivate"}
    binds = [f"{folder}:/app"]
    return {
        "Name": "/one",
        "Config": {"Image": "debian", "Labels": labels},
        "HostConfig": {"Binds": binds, **host},
        "Mounts": [mount],
    }


@pytest.mark.parametrize(
    ("labels", "advice"),
    [
        (None, "remove it, and make it anew"),
        ({"com.docker.compose.service": "web"}, "make it anew: docker compose up --force-recreate web"),
        ({"devcontainer.local_folder": "{app}", "com.docker.compose.service": "web"}, "rebuild the dev container"),
    ],
)
def test_a_container_that_was_made_without_its_shadow_is_noted(app: Path, labels: Object | None, advice: str) -> None:
    given_labels = json.loads(json.dumps(labels).replace("{app}", str(app)))

    _, notes = find_missing(about(app, given_labels), setup_with())

    assert unique_words(notes) == [f".venv not shadowed: the container one was made without that; {advice}"]


@pytest.mark.parametrize(
    "container",
    [
        pytest.param({"Tmpfs": {"/app/.venv": OPTIONS}}, id="it has its shadow"),
        pytest.param({"Tmpfs": {"/app/.venv": "size=5m"}}, id="it has a tmpfs of its own there"),
        pytest.param({"Mounts": [{"Type": "volume", "Target": "/app/.venv"}]}, id="it has a volume there"),
        pytest.param({"labels": {"paude.venv": "none"}}, id="its label says none"),
    ],
)
def test_one_that_lacks_nothing_is_not(app: Path, container: Object) -> None:
    assert find_missing(about(app, **container), setup_with())[1] == []


def test_one_of_a_folder_that_has_not_opted_in_is_not(workspace: Path, make_venv: MakeVenv) -> None:
    make_venv(workspace / ".venv")

    assert find_missing(about(workspace), setup_with())[1] == []


@pytest.mark.parametrize("answer", [None, [], {}, {"message": "No such container"}, {"Mounts": 3, "HostConfig": []}])
def test_what_is_no_container_lacks_nothing(answer: Any) -> None:
    assert find_missing(answer, setup_with()) == (Decision((), ()), [])


# ---- many


def test_many_binds_of_one_workspace_are_one_plan(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at = []

    def find_directories(folder: str, *given: Any, **more: Any) -> Any:
        looked_at.append(folder)
        return directories.find_directories(folder, *given, **more)

    monkeypatch.setattr(decision_module, "find_directories", find_directories)
    binds = [f"{app}:/app{number}" for number in range(50)]

    result, decision = add_shadows(json.dumps({"HostConfig": {"Binds": binds}}).encode(), "", setup_with())

    assert [answer.workspace_folder for answer in decision.answers] == looked_at == [str(app)]
    assert list(json.loads(result)["HostConfig"]["Tmpfs"]) == [f"/app{number}/.venv" for number in range(50)]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
KEYS = ("HostConfig", "Binds", "Mounts", "Tmpfs", "Volumes", "Labels", "Image", "binds", "Type", "Source", "Target")
odd_values = st.recursive(
    json_values | st.sampled_from(["bind", "/usr:/x", "/"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)


@given(odd_values)
def test_a_body_of_any_shape_comes_back_byte_for_byte_or_is_a_clear_error(value: Any) -> None:
    data = json.dumps(value).encode()
    with contextlib.suppress(EngineError):
        result, decision = add_shadows(data, "", setup_with())
        assert (result, decision.answers) == (data, ())
        assert all("control character" in line for line in unique_words(decision.notes))


@given(json_values)
def test_all_else_keeps_its_meaning(tmp_path_factory: pytest.TempPathFactory, more: Any) -> None:
    app = fill(tmp_path_factory.mktemp("app"), "paude.json = {}", ".venv/pyvenv.cfg")
    body = {"More": more, "HostConfig": {"More": more, "Binds": [f"{app}:/app"]}}

    result, _ = changed(body)

    assert result["HostConfig"].pop("Tmpfs") == {"/app/.venv": OPTIONS}
    assert result == body


def test_warnings_are_added_to_the_daemons() -> None:
    assert json.loads(add_warnings(b'{"Id":"1","Warnings":["a"]}\n', ["b"])) == {"Id": "1", "Warnings": ["a", "b"]}
    assert json.loads(add_warnings(b'{"Id":"1","Warnings":null}', ["b"])) == {"Id": "1", "Warnings": ["b"]}
    assert json.loads(add_warnings(b"{}", ["b"])) == {"Warnings": ["b"]}


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"Warnings": "a"}', b"\xff", b"[" * 100_000])
def test_an_answer_that_is_another_one_is_left_alone(data: bytes) -> None:
    assert add_warnings(data, ["b"]) == data
