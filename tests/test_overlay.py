"""The overlay: the document and its schema, where it is, and what a launcher may rely on."""

from __future__ import annotations

import copy
import json
import os
import re
import stat
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from paude_venv_hook import __version__, overlay
from paude_venv_hook.decision import Answer, as_engine_can
from paude_venv_hook.engines.mounts import Mount
from paude_venv_hook.engines.table import ENGINES, tmpfs_args
from paude_venv_hook.errors import EngineError, OverlayError
from paude_venv_hook.files import write_if_changed
from paude_venv_hook.launch import Launch
from paude_venv_hook.overlay import default_path, dump, load, make_document, run_args
from paude_venv_hook.plan import Plan, Shadow, Skipped, make_plan
from paude_venv_hook.storage import MEMORY, Storage
from paude_venv_hook.workspace.contents import Kind, Reason
from paude_venv_hook.workspace.location import Location
from paude_venv_hook.workspace.settings import Settings, Tmpfs
from strategies import Planned, planned

SCHEMA = json.loads(resources.files("paude_venv_hook").joinpath("schemas/overlay.json").read_text("utf-8"))
APP = Mount("bind", "/home/me/app", "/workspaces/app")
AUTO = Settings("auto", "default", Tmpfs(), ())
PLAN = Plan(
    (Shadow(".venv", "/home/me/app/.venv", "/workspaces/app/.venv", Kind.VENV),),
    (Skipped("env", Reason("a symlink to /opt/env, outside of the workspace")),),
)
COLON = Plan((Shadow("a:b", "/home/me/app/a:b", "/workspaces/app/a:b", Kind.LISTED),))
NO_COLON = "{} has no way to mount a tmpfs on /workspaces/app/a:b, for its colon; rename the folder"
DOCKER = ["--tmpfs", "/workspaces/app/.venv:rw,exec,nosuid,nodev,uid=1000,gid=1001,mode=1777"]
PODMAN = ["--tmpfs", "/workspaces/app/.venv:rw,exec,nosuid,nodev,notmpcopyup,mode=1777"]
CONTAINER = ["--mount", "type=tmpfs,destination=/workspaces/app/.venv,mode=1777"]
BWRAP = ["--perms", "1777", "--tmpfs", "/workspaces/app/.venv"]
EACH = {"docker": DOCKER, "podman": PODMAN, "nerdctl": DOCKER, "finch": DOCKER, "container": CONTAINER, "bwrap": BWRAP}


def _document(plan: Plan = PLAN, engine: str = "podman", settings: Settings = AUTO) -> dict[str, Any]:
    return make_document(_answer(plan, engine, settings), {})


def _answer(
    plan: Plan,
    engine: str = "podman",
    settings: Settings = AUTO,
    *,
    folder: str = "/home/me/app",
    mount: Mount | None = APP,
    owner: tuple[int, int] = (1000, 1001),
) -> Answer:
    location = Location((mount,) if mount else (), "a test")
    possible = as_engine_can(plan, engine, settings, on_disk=False)
    storage = Storage(MEMORY if settings.storage == "auto" else settings.storage)
    answer = Answer(folder, settings, Launch(engine), location, possible, owner, every_shadow=plan.shadows)
    return answer._replace(storage=storage)


def _errors(document: object) -> list[str]:
    return [error.message for error in Draft202012Validator(SCHEMA).iter_errors(document)]


# ---- The document


def test_the_document_is_what_the_schema_describes() -> None:
    document = _document()

    assert document == {
        "version": 1,
        "generator": f"paude-venv-hook {__version__}",
        "workspaceFolder": "/home/me/app",
        "workspaceMount": {"source": "/home/me/app", "target": "/workspaces/app"},
        "engine": "podman",
        "venv": "auto",
        "storage": "memory",
        "shadows": [
            {
                "path": ".venv",
                "hostPath": "/home/me/app/.venv",
                "destination": "/workspaces/app/.venv",
                "why": "venv",
            }
        ],
        "skipped": [{"path": "env", "why": "a symlink to /opt/env, outside of the workspace"}],
        "runArgs": PODMAN,
        "engines": {engine: {"runArgs": arguments} for engine, arguments in EACH.items()},
    }
    assert _errors(document) == []


def test_the_schema_is_one_and_knows_each_engine() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["properties"]["engine"]["enum"] == list(ENGINES)
    assert list(SCHEMA["properties"]["engines"]["properties"]) == list(ENGINES)


def test_nothing_to_shadow_is_an_overlay_without_arguments() -> None:
    none = Settings("none", "--venv", Tmpfs(), ())
    document = make_document(_answer(Plan(), "docker", none, folder="/w", mount=None), {})

    assert (document["workspaceMount"], document["venv"], document["shadows"]) == (None, "none", [])
    assert document["runArgs"] == []
    assert document["engines"] == {engine: {"runArgs": []} for engine in ENGINES}
    assert _errors(document) == []


@pytest.mark.parametrize(("engine", "expected"), EACH.items())
def test_run_args_of_the_document_are_those_of_the_chosen_engine(engine: str, expected: list[str]) -> None:
    document = _document(engine=engine)

    assert (document["engine"], document["runArgs"]) == (engine, expected)
    assert run_args(_document(), engine) == expected
    assert _errors(document) == []


def test_the_size_goes_to_all_engines_and_a_list_is_kept_as_it_was_written() -> None:
    document = _document(settings=Settings((".venv", "a/b"), "paude.json", Tmpfs("2g", 5, 6), ()))

    assert document["venv"] == [".venv", "a/b"]
    docker, podman = [DOCKER[0], DOCKER[1] + ",size=2g"], [PODMAN[0], PODMAN[1] + ",size=2g"]
    assert document["engines"] == {
        "docker": {"runArgs": docker},
        "podman": {"runArgs": podman},
        "nerdctl": {"runArgs": docker},
        "finch": {"runArgs": docker},
        "container": {"runArgs": [CONTAINER[0], CONTAINER[1] + ",size=2048m"]},
        "bwrap": {"runArgs": [*BWRAP[:2], "--size", "2147483648", *BWRAP[2:]]},
    }


def test_a_part_of_the_memory_is_an_error_for_those_that_count_in_bytes() -> None:
    document = _document(settings=AUTO._replace(tmpfs=Tmpfs("50%")))

    error = 'takes no size of 50%; write "venv-tmpfs": {"size": "2g"}, for example'
    assert document["engines"] == {
        **{engine: {"runArgs": [EACH[engine][0], EACH[engine][1] + ",size=50%"]} for engine in list(ENGINES)[:4]},
        **{engine: {"runArgs": None, "error": f"{engine} {error}"} for engine in ("container", "bwrap")},
    }
    assert _document(engine="bwrap", settings=AUTO._replace(tmpfs=Tmpfs("50%")))["skipped"] == [
        *document["skipped"],
        {"path": ".venv", "why": f"bwrap {error}"},
    ]


def test_what_an_engine_cannot_mount_is_null_and_an_error_for_it_alone() -> None:
    document = _document(COLON)

    for engine, label in {"docker": "Docker", "nerdctl": "nerdctl", "finch": "Finch"}.items():
        assert document["engines"][engine] == {"runArgs": None, "error": NO_COLON.format(label)}
    assert document["engines"]["bwrap"] == {"runArgs": [*BWRAP[:3], "/workspaces/app/a:b"]}
    assert (
        document["runArgs"]
        == run_args(document, "podman")
        == tmpfs_args("podman", ["/workspaces/app/a:b"], (0, 0), None)
    )
    assert _errors(document) == []
    with pytest.raises(EngineError) as caught:
        run_args(document, "docker")
    assert str(caught.value) == NO_COLON.format("Docker")


def test_what_docker_cannot_mount_is_skipped_where_it_is_the_chosen_engine() -> None:
    document = _document(Plan((*PLAN.shadows, *COLON.shadows), PLAN.skipped), engine="docker")

    why = "Docker has no way to mount a tmpfs on /workspaces/app/a:b, for its colon; rename the folder"
    assert {**document, "engines": None} == {
        **_document(engine="docker"),
        "skipped": [*_document()["skipped"], {"path": "a:b", "why": why}],
        "engines": None,
    }
    assert document["engines"]["docker"] == {"runArgs": DOCKER}
    assert document["engines"]["podman"] == {
        "runArgs": [*PODMAN, *tmpfs_args("podman", ["/workspaces/app/a:b"], (0, 0), None)]
    }
    assert _errors(document) == []


DISK = AUTO._replace(storage="disk", storage_source="--storage")
ON_DISK = Plan(tuple(shadow._replace(store="/data/app-0123/venv") for shadow in PLAN.shadows))


def test_with_storage_on_disk_the_document_says_the_store_and_holds_the_arguments_of_each_engine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def arguments(_: Answer, engine: str, __: object) -> list[str]:
        return ["--mount", engine]

    monkeypatch.setattr(overlay, "arguments_for", arguments)

    document = _document(ON_DISK, "podman", DISK)

    assert (document["storage"], document["runArgs"]) == ("disk", ["--mount", "podman"])
    assert document["engines"] == {name: {"runArgs": ["--mount", name]} for name in ENGINES}
    assert document["shadows"] == [
        {
            "path": ".venv",
            "hostPath": "/home/me/app/.venv",
            "destination": "/workspaces/app/.venv",
            "why": "venv",
            "store": "/data/app-0123/venv",
        }
    ]
    assert _errors(document) == []


def test_an_engine_that_cannot_use_stores_is_null_and_an_error_for_it_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def arguments(_: Answer, engine: str, __: object) -> list[str]:
        if engine == "podman":
            raise EngineError("not here; use memory")
        return ["--mount", engine]

    monkeypatch.setattr(overlay, "arguments_for", arguments)

    document = _document(ON_DISK, "docker", DISK)

    assert document["engines"]["podman"] == {"runArgs": None, "error": "not here; use memory"}
    assert _errors(document) == []
    write_if_changed(str(tmp_path / "overlay.json"), dump(document))
    assert run_args(load(str(tmp_path / "overlay.json"))) == ["--mount", "docker"]
    for refused in (
        lambda: run_args(document, "podman"),
        lambda: _document(ON_DISK, "podman", DISK),
    ):
        with pytest.raises(EngineError) as caught:
            refused()
        assert str(caught.value) == "not here; use memory"


SETTINGS = st.builds(
    Settings,
    st.sampled_from(["auto", "none", (), (".venv",), ("a", "b/c")]),
    st.just("default"),
    st.builds(Tmpfs, st.sampled_from([None, "2g", "50%"]), st.none(), st.none()),
    st.just(()),
    st.just("memory"),
    st.just("default"),
)


@given(planned, SETTINGS, st.tuples(st.integers(0, 9), st.integers(0, 9)), st.sampled_from([True, False]))
def test_the_overlay_of_any_plan_fits_the_schema_and_survives_its_file(
    tmp_path_factory: pytest.TempPathFactory,
    arguments: Planned,
    settings: Settings,
    owner: tuple[int, int],
    is_mounted: bool,
) -> None:
    _, workspace_folder, (mount,), _ = arguments
    plan = make_plan(*arguments)

    def make() -> dict[str, Any]:
        place = mount if is_mounted else None
        answer = _answer(plan, settings=settings, folder=workspace_folder, mount=place, owner=owner)
        return make_document(answer, {})

    document = make()
    assert _errors(document) == []
    assert dump(make()) == dump(document)

    path = str(tmp_path_factory.getbasetemp() / "overlay.json")
    write_if_changed(path, dump(document))
    assert load(path) == document
    destinations = [shadow.destination for shadow in plan.shadows]
    assert run_args(load(path)) == tmpfs_args("podman", destinations, (0, 0), settings.tmpfs.size)
    if any(":" in destination for destination in destinations):
        with pytest.raises(EngineError):
            run_args(document, "docker")
    else:
        assert run_args(load(path), "docker") == tmpfs_args("docker", destinations, owner, settings.tmpfs.size)


def test_the_file_is_utf_8_that_people_can_read() -> None:
    plan = Plan((Shadow("Grüße 😀", "/w/Grüße 😀", "/w/Grüße 😀", Kind.VENV),))

    data = dump(_document(plan))

    assert '"path": "Grüße 😀"' in data.decode()
    assert data.endswith(b"\n}\n")


# ---- Reading it back


def _broken(key: str, value: object) -> dict[str, Any]:
    """Return a good document in which the item at the path `key` is `value`; without an item if that is `...`."""
    document = copy.deepcopy(_document())
    *parents, last = key.split(".")
    holder = document
    for parent in parents:
        holder = holder[parent]
    holder[last] = value
    if value is ...:
        del holder[last]
    return document


NO_VERSION = "has no version number, so it is no overlay; run paude-venv-hook again"
UNKNOWN = "version: {} is not known here, only 1; use the same release of paude-venv-hook on both sides"
NO_LIST = "{}: must be a list of text; run paude-venv-hook again"
NO_VERSIONS: tuple[object, ...] = (..., None, True, "1", 1.5, [1])
NO_LISTS: tuple[object, ...] = (..., None, "--tmpfs /x", {}, [1], ["--tmpfs", None])
NO_OBJECTS: tuple[object, ...] = (..., None, [])
BROKEN: list[tuple[object, str]] = [
    ([], NO_VERSION),
    ("overlay", NO_VERSION),
    (None, NO_VERSION),
    ({}, NO_VERSION),
    *((_broken("version", value), NO_VERSION) for value in NO_VERSIONS),
    *((_broken("version", value), UNKNOWN.format(value)) for value in (2, 0, -1)),
    *(
        (_broken(key, value), NO_LIST.format(key))
        for key in ("runArgs", "engines.docker.runArgs", "engines.podman.runArgs")
        for value in NO_LISTS
    ),
    *(
        (_broken(key, value), NO_LIST.format(f"engines.{engine}.runArgs"))
        for key, engine in (("engines", "docker"), ("engines.podman", "podman"), ("engines.docker", "docker"))
        for value in NO_OBJECTS
    ),
    (_broken("engines.docker", {"runArgs": None, "error": None}), NO_LIST.format("engines.docker.runArgs")),
    (_broken("engines.podman", {"runArgs": None, "error": 1}), NO_LIST.format("engines.podman.runArgs")),
]


@pytest.mark.parametrize(("document", "problem"), BROKEN)
def test_what_is_no_overlay_is_refused_by_the_reader_and_by_the_schema(
    tmp_path: Path, document: object, problem: str
) -> None:
    path = tmp_path / "overlay.json"
    path.write_text(json.dumps(document))

    with pytest.raises(OverlayError) as caught:
        load(str(path))
    assert str(caught.value) == f"{path}: {problem}"
    assert _errors(document) != []


@pytest.mark.parametrize(
    "data", [b"", b"\n", b'{"version": 1', b"{'version': 1}", b"\xff", b'"\xe9"', b"[" * 100_000, b"9" * 5000]
)
def test_what_is_not_json_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "overlay.json"
    path.write_bytes(data)

    with pytest.raises(OverlayError) as caught:
        load(str(path))
    assert str(caught.value) == f"{path}: is not JSON; run paude-venv-hook again"


@pytest.mark.parametrize(
    ("below", "problem"),
    [
        ("missing.json", "there is no overlay; run paude-venv-hook first"),
        ("no/folder/overlay.json", "there is no overlay; run paude-venv-hook first"),
        ("file/overlay.json", "cannot be read: Not a directory; remove what is in the way"),
        ("folder", "cannot be read: not a regular file; remove what is in the way"),
        ("fifo", "cannot be read: not a regular file; remove what is in the way"),
    ],
)
def test_where_no_file_is_there_is_no_overlay(tmp_path: Path, below: str, problem: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")

    with pytest.raises(OverlayError) as caught:
        load(str(tmp_path / below))
    assert str(caught.value) == f"{tmp_path / below}: {problem}"


def test_keys_of_a_later_release_are_kept(tmp_path: Path) -> None:
    document = _document() | {"later": {"a": [1]}}
    document["engines"]["later"] = {"runArgs": 1}
    path = tmp_path / "overlay.json"
    path.write_bytes(dump(document))

    assert load(str(path)) == document
    assert _errors(document) == []


def test_the_arguments_are_a_list_of_the_launchers_own() -> None:
    document = _document()
    for engine in (None, "docker", "podman"):
        run_args(document, engine).append("--rm")

    assert document == _document()


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(EngineError) as caught:
        run_args(_document(), "nerd\nctl")
    assert str(caught.value) == "nerd\\nctl: no such engine; use docker, podman, nerdctl, finch, container or bwrap"


# ---- Where it is


def test_a_launcher_finds_the_overlay_by_the_workspace_folder(workspace: Path) -> None:
    """These are the lines that the module's documentation shows."""
    write_if_changed(default_path("."), dump(_document()))

    document = load(default_path(str(workspace)))

    assert ["podman", "run", *run_args(document, "podman"), "IMAGE"] == ["podman", "run", *PODMAN, "IMAGE"]
    path = Path(default_path(str(workspace)))
    assert (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(path.parent.stat().st_mode)) == (0o600, 0o700)


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("/srv/app", "app-dae668e4084f07b6.json"),
        ("/srv/app/", "app-dae668e4084f07b6.json"),
        ("/", "-8a5edab282632443.json"),
    ],
)
def test_the_place_never_changes_for_a_folder(home: Path, folder: str, name: str) -> None:
    path = Path(default_path(folder))

    assert (path.name, path.parent.name) == (name, "venv-overlays")
    assert home in path.parents


def test_a_symlink_leads_to_the_same_place(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "link").symlink_to("app")

    assert default_path(str(tmp_path / "link")) == default_path(str(tmp_path / "app"))
    assert default_path(str(tmp_path / "link" / ".." / "app")) == default_path(str(tmp_path / "app"))


ODD_NAMES = [
    *(
        "app",
        "App",
        "a pp",
        "äpp",
        "a_pp",
        "-rf",
        ".app",
        "a..b",
        "a\nb",
        "a\\b",
        'a"b',
        "$HOME",
        "日本",
        "😀",
        "\udcff",
    ),
    *("x" * 40, "x" * 41, "x" * 255),
]


def test_each_folder_has_a_place_of_its_own(tmp_path: Path) -> None:
    folders = [str(tmp_path / above / name) for above in ("1", "2") for name in ODD_NAMES]

    paths = {default_path(folder) for folder in folders}

    assert len(paths) == len(folders)
    assert {os.path.dirname(path) for path in paths} == {os.path.dirname(default_path(str(tmp_path)))}


@pytest.mark.parametrize("name", ODD_NAMES)
def test_the_name_of_the_file_is_plain_whatever_the_folder_is_called(tmp_path: Path, name: str) -> None:
    path = default_path(str(tmp_path / name))

    assert re.fullmatch(r"[A-Za-z0-9._-]{1,40}-[0-9a-f]{16}\.json", os.path.basename(path))
    assert write_if_changed(path, b"{}")
