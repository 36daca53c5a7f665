"""One decision, whatever the way in: shapes of a launch by ways in, with programs that stand in for the engines."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pytest_mock import MockerFixture

from conftest import MakeVenv
from docker_lab import setup_with
from layout import fill
from paude_venv_hook.cli import main
from paude_venv_hook.commands import status, verify
from paude_venv_hook.decision import Decision, decide
from paude_venv_hook.launch import CONFIG_FILE, LOCAL_FOLDER, SWITCH, WORKING_DIR
from paude_venv_hook.launchers import oci, run_line, wrapper
from paude_venv_hook.launchers.compose_project import launch_of
from paude_venv_hook.launchers.devcontainer_cli import make_override
from paude_venv_hook.notes import unique_words
from paude_venv_hook.proxy.api import add_shadows
from paude_venv_hook.workspace.devcontainer import find_devcontainer

OPTED_IN = "app/paude.json = {}"


class Shape(NamedTuple):
    """A launch: what is on the host, what the container mounts, and which container paths have to be shadowed.

    Sources are relative to the folder that holds all projects. `asked` is for ways in that somebody asked for, and
    `standing` for those that see every container. `volumes` are volumes of the engine that bind a folder, `options`
    one that the launch itself makes so, and `others` what another container binds.
    """

    asked: set[str]
    standing: set[str]
    entries: tuple[str, ...] = (OPTED_IN,)
    venvs: tuple[str, ...] = ("app/.venv",)
    binds: tuple[tuple[str, str], ...] = (("app", "/app"),)
    start: str = "app"
    labels: Mapping[str, str] = {}
    volumes: tuple[tuple[str, str], ...] = ()
    options: tuple[tuple[str, str], ...] = ()
    others: tuple[tuple[str, str], ...] = ()


def same(*destinations: str, **fields: Any) -> Shape:
    """Return a shape in which it does not matter whether somebody asked."""
    return Shape(set(destinations), set(destinations), **fields)


SHAPES = {
    "whole": same("/app/.venv"),
    "whole, not opted in": Shape({"/app/.venv"}, set(), entries=()),
    "two places": same("/a/.venv", "/b/.venv", binds=(("app", "/a"), ("app", "/b"))),
    "through a symlink": same("/app/.venv", entries=(OPTED_IN, "link -> app"), binds=(("link", "/app"),)),
    "git root, with labels": same(
        "/r/.venv",
        "/r/sub/.venv",
        entries=("repo/.git/", "repo/sub/.devcontainer.json = {}", "other/"),
        venvs=("repo/.venv", "repo/sub/.venv"),
        binds=(("repo", "/r"),),
        start="other",
        labels={LOCAL_FOLDER: "repo/sub", CONFIG_FILE: "repo/sub/.devcontainer.json"},
    ),
    "git root, with the label of a project that has not opted in": Shape(
        {"/r/.venv", "/r/sub/.venv"},
        set(),
        entries=("repo/.git/",),
        venvs=("repo/.venv", "repo/sub/.venv"),
        binds=(("repo", "/r"),),
        start="repo",
        labels={LOCAL_FOLDER: "repo/sub"},
    ),
    "git root, without labels": same(
        "/r/.venv",
        "/r/sub/.venv",
        entries=("repo/.git/", "repo/sub/.devcontainer.json = {}"),
        venvs=("repo/.venv", "repo/sub/.venv"),
        binds=(("repo", "/r"),),
        start="repo/sub",
    ),
    "part": same("/b/.venv", venvs=("app/.venv", "app/backend/.venv"), binds=(("app/backend", "/b"),)),
    "part of a part": same("/b/.venv", venvs=("app/a/b/.venv",), binds=(("app/a/b", "/b"),)),
    "part that a list names": same(
        "/b/.venv",
        entries=('app/paude.json = {"venv": ["backend/.venv"]}',),
        venvs=("app/.venv", "app/backend/.venv", "app/backend/env"),
        binds=(("app/backend", "/b"),),
    ),
    "part beyond a git root": Shape(
        {"/b/.venv"},
        set(),
        entries=(OPTED_IN, "app/backend/.git/"),
        venvs=("app/backend/.venv",),
        binds=(("app/backend", "/b"),),
    ),
    "whole and part": same(
        "/app/.venv",
        "/app/backend/.venv",
        "/b/.venv",
        venvs=("app/.venv", "app/backend/.venv"),
        binds=(("app", "/app"), ("app/backend", "/b")),
    ),
    "parent, started in the project": same("/w/app/.venv", binds=((".", "/w"),)),
    "parent, started elsewhere": same("/w/app/.venv", entries=(OPTED_IN, "else/"), binds=((".", "/w"),), start="else"),
    "parent, of a project that has not opted in": Shape({"/w/app/.venv"}, set(), entries=(), binds=((".", "/w"),)),
    "parent of two, one of which has opted in": Shape(
        {"/w/app/.venv", "/w/lib/.venv"},
        {"/w/lib/.venv"},
        entries=("lib/paude.json = {}",),
        venvs=("app/.venv", "lib/.venv"),
        binds=((".", "/w"),),
    ),
    "parent, with the label of compose": same(
        "/w/app/.venv",
        entries=("app/.devcontainer/devcontainer.json = {}",),
        binds=((".", "/w"),),
        labels={WORKING_DIR: "app/.devcontainer"},
    ),
    "sibling": Shape(
        {"/s/.venv"}, set(), entries=(OPTED_IN,), venvs=("sibling/.venv", "app/.venv"), binds=(("sibling", "/s"),)
    ),
    "worktree": Shape(
        {"/w/.venv"},
        set(),
        entries=(OPTED_IN, "app/.git/", "app/.worktrees/x/.git = gitdir: ../../.git/worktrees/x"),
        venvs=("app/.venv", "app/.worktrees/x/.venv"),
        binds=(("app/.worktrees/x", "/w"),),
    ),
    "worktree that has opted in": same(
        "/w/.venv",
        entries=("app/.git/", "app/.worktrees/x/.git = x", "app/.worktrees/x/paude.json = {}"),
        venvs=("app/.worktrees/x/.venv",),
        binds=(("app/.worktrees/x", "/w"),),
    ),
    "what another container binds": same("/app/.venv", binds=(), others=(("app", "/app"),)),
    "a local volume": same("/app/.venv", binds=(), volumes=(("app", "/app"),)),
    "a local volume of a part": same(
        "/b/.venv", venvs=("app/backend/.venv",), binds=(), volumes=(("app/backend", "/b"),)
    ),
    "a volume that the launch makes": same("/app/.venv", binds=(), options=(("app", "/app"),)),
    "a venv itself": same(binds=(("app/.venv", "/v"),)),
    "something else on the path": same(binds=(("app", "/app"), ("else", "/app/.venv")), entries=(OPTED_IN, "else/")),
    "turned off": same(entries=('app/paude.json = {"venv": "none"}',)),
    "turned off by a label": same(labels={SWITCH: "none"}),
    "turned on by a label": same("/app/.venv", entries=(), labels={SWITCH: "auto"}),
    "no project at all": same(entries=("data/file",), venvs=(), binds=(("data", "/d"),), start="data"),
}


class Place(NamedTuple):
    """Where a shape is: the folder that holds all projects, and the program that stands in for an engine."""

    top: Path
    engine: Callable[[str], Path]

    def path(self, name: str) -> str:
        """Return the host path of a source."""
        return os.path.normpath(self.top / name)

    def labels(self, shape: Shape) -> dict[str, str]:
        """Return the labels, in which folders are host paths."""
        folders = (LOCAL_FOLDER, CONFIG_FILE, WORKING_DIR)
        return {key: self.path(value) if key in folders else value for key, value in shape.labels.items()}


@pytest.fixture
def place(tmp_path: Path, programs: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch) -> Place:
    """Return the place of a shape; a program becomes its words, which `run` then finds."""
    top = tmp_path / "top"
    top.mkdir()
    monkeypatch.delenv(wrapper.MARK, raising=False)
    return Place(top, lambda name: programs(name, f". '{top.parent}/answers'"))


def lay_out(shape: Shape, place: Place, make_venv: MakeVenv) -> None:
    """Make what is on the host, and what an engine knows of its volumes and of another container."""
    fill(place.top, *shape.entries)
    for venv in shape.venvs:
        make_venv(place.top / venv)
    lines = ['case "$1 $2 $3" in']
    for source, target in shape.volumes:
        answer = json.dumps([volume(place.path(source))])
        lines.append(f"'volume inspect v{target[1:]}') printf '%s' '{answer}' ;;")
    others = [{"Type": "bind", "Source": place.path(source), "Destination": target} for source, target in shape.others]
    lines.append(f"'container inspect other') printf '%s' '{json.dumps([{'Mounts': others}])}' ;;")
    lines.append("*) echo 'Error: no such volume' >&2; exit 1 ;;\nesac\n")
    (place.top.parent / "answers").write_text("\n".join(lines))


def volume(folder: str) -> dict[str, Any]:
    """Return what an engine tells of a volume that binds a folder."""
    return {"Driver": "local", "Options": {"type": "none", "o": "bind", "device": folder}}


def words_of(shape: Shape, place: Place) -> list[str]:
    """Return the mounts and labels of a shape as words of a run line."""
    words = [word for source, target in shape.binds for word in ("-v", f"{place.path(source)}:{target}")]
    words += [word for _, target in shape.volumes for word in ("-v", f"v{target[1:]}:{target}")]
    for source, target in shape.options:
        options = f"volume-opt=type=none,volume-opt=o=bind,volume-opt=device={place.path(source)}"
        words += ["--mount", f"type=volume,target={target},{options}"]
    words += ["--volumes-from", "other"] if shape.others else []
    words += [word for key, value in place.labels(shape).items() for word in ("--label", f"{key}={value}")]
    return words


def covered(words: Iterable[str]) -> set[str]:
    """Return the paths that a tmpfs of a command line covers."""
    listed = list(words)
    return {listed[index + 1].partition(":")[0] for index, word in enumerate(listed) if word == "--tmpfs"}


# ---- The ways in: each returns the container paths that are shadowed


def by_exec(shape: Shape, place: Place, engine: str, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    return covered(
        started(place, engine, monkeypatch, lambda: main(["exec", "--", engine, "run", *words_of(shape, place), "IMG"]))
    )


def by_wrapper(shape: Shape, place: Place, engine: str, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    monkeypatch.setattr("sys.argv", [f"/bin/paude-venv-{engine}", "run", *words_of(shape, place), "IMG"])
    return covered(started(place, engine, monkeypatch, lambda: wrapper.main(engine)))


def started(place: Place, engine: str, monkeypatch: pytest.MonkeyPatch, start: Callable[[], int]) -> list[str]:
    """Return the words with which an engine is started in the end."""
    place.engine(engine)
    ends: list[list[str]] = []

    def replace(_: str, arguments: list[str]) -> int:
        ends.append(list(arguments))
        return 0

    monkeypatch.setattr(run_line, "replace_process", replace)
    assert start() == 0
    return ends[0]


def by_bwrap(shape: Shape, place: Place, _: str, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    words = [word for source, target in shape.binds for word in ("--bind", place.path(source), target)]
    return covered(
        started(place, "bwrap", monkeypatch, lambda: main(["exec", "--", "bwrap", "--dev", "/dev", *words, "sh"]))
    )


def by_proxy(shape: Shape, place: Place, _: str, __: object) -> set[str]:
    return through_the_api(shape, place, None, by_compose=False)


def by_private_proxy(shape: Shape, place: Place, _: str, __: object) -> set[str]:
    return through_the_api(shape, place, str(place.top / shape.start), by_compose=False)


def by_compose(shape: Shape, place: Place, _: str, __: object) -> set[str]:
    return through_the_api(shape, place, None, by_compose=True)


def through_the_api(shape: Shape, place: Place, asked_in: str | None, *, by_compose: bool) -> set[str]:
    """Return what a call to create a container gets; compose describes its binds in another way than docker run."""
    binds = [f"{place.path(source)}:{target}" for source, target in shape.binds]
    mounts: list[dict[str, Any]] = []
    if by_compose:
        mounts = [{"Type": "bind", "Source": place.path(source), "Target": target} for source, target in shape.binds]
        binds = []
    mounts += [{"Type": "volume", "Source": f"v{target[1:]}", "Target": target} for _, target in shape.volumes]
    for source, target in shape.options:
        driver = {"Name": "local", "Options": volume(place.path(source))["Options"]}
        mounts.append({"Type": "volume", "Target": target, "VolumeOptions": {"DriverConfig": driver}})
    host = {"Binds": binds, "Mounts": mounts, "VolumesFrom": ["other"] if shape.others else None}
    body = {"Image": "IMG", "Labels": place.labels(shape), "HostConfig": host}

    def ask(target: str) -> Any:
        kind, _, name = target.strip("/").partition("/")
        if kind == "containers":
            others = [{"Type": "bind", "Source": place.path(source), "Destination": at} for source, at in shape.others]
            return {"Mounts": others}
        known = {f"v{at[1:]}": volume(place.path(source)) for source, at in shape.volumes}
        return known.get(name, {"message": "no such volume"})

    data, _ = add_shadows(json.dumps(body).encode(), "", setup_with(ask, environ=os.environ, asked_in=asked_in))
    return set(json.loads(data)["HostConfig"].get("Tmpfs", ()))


def by_podmans_hook(shape: Shape, place: Place, _: str, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Podman has resolved what comes from other containers; a volume that is a bind has a folder of Podman's."""
    place.engine("podman")
    binds = [*shape.binds, *shape.others]
    mounts: list[dict[str, Any]] = [
        {"type": "bind", "source": place.path(source), "destination": target} for source, target in binds
    ]
    for source, target in (*shape.volumes, *shape.options):
        name = f"v{target[1:]}"
        mounts.append({"type": "bind", "source": f"/storage/volumes/{name}/_data", "destination": target})
        if (source, target) in shape.options:
            (place.top.parent / "answers").write_text(f"printf '%s' '{json.dumps([volume(place.path(source))])}'")
    # Labels are not in the config, only annotations are.
    annotations = {key: value for key, value in shape.labels.items() if key == SWITCH}
    config = json.dumps({"mounts": mounts, "annotations": annotations}).encode()
    data, _lines = oci.filter_config(config, os.environ)
    return {mount["destination"] for mount in json.loads(data)["mounts"] if mount["type"] == "tmpfs"}


def by_verify(shape: Shape, place: Place, _: str, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Return what `verify` looks for, which is what the launch got."""
    place.engine("docker")
    mounts = [
        {"Type": "bind", "Source": place.path(source), "Destination": target}
        for source, target in (*shape.binds, *shape.others)
    ]
    for source, target in (*shape.volumes, *shape.options):
        mounts.append({"Type": "volume", "Name": f"v{target[1:]}", "Source": "/x/_data", "Destination": target})
        if (source, target) in shape.options:
            (place.top.parent / "answers").write_text(f"printf '%s' '{json.dumps([volume(place.path(source))])}'")
    container = {"Mounts": mounts, "Config": {"Labels": place.labels(shape)}}
    launch = verify.read_launch("docker", container, str(place.top / shape.start))
    return shadowed(decide(launch, os.environ))


def by_compose_config(shape: Shape, place: Place, _: str, __: object) -> set[str]:
    """Return what comes of `docker compose config`, which `print --format compose` and `status` read."""
    return shadowed(decide_service(shape, place))


def decide_service(shape: Shape, place: Place) -> Decision:
    """Return the decision for the only service of a project, which somebody starts in the start folder."""
    return decide(launch_of(composed(shape, place), "web", "docker", str(place.top / shape.start)), os.environ)


def composed(shape: Shape, place: Place) -> dict[str, Any]:
    """Return what `docker compose config` prints of a project with one service."""
    volumes: list[dict[str, Any]] = [
        {"type": "bind", "source": place.path(source), "target": target} for source, target in shape.binds
    ]
    described: dict[str, Any] = {}
    for source, target in (*shape.volumes, *shape.options):
        volumes.append({"type": "volume", "source": f"v{target[1:]}", "target": target})
        options = volume(place.path(source))["Options"]
        described[f"v{target[1:]}"] = {"driver": "local", "driver_opts": options}
    others = [{"type": "bind", "source": place.path(source), "target": target} for source, target in shape.others]
    service = {"volumes": volumes, "labels": place.labels(shape), "volumes_from": ["other"] if others else None}
    return {"services": {"web": service, "other": {"volumes": others}}, "volumes": described}


def by_status(shape: Shape, place: Place, _: str, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Return what `status` lists for the service, in each workspace that it has, or in the start folder."""
    folders = [answer.workspace_folder for answer in decide_service(shape, place).answers] or [place.path(shape.start)]
    listed: set[str] = set()
    for folder in folders:
        fill(Path(folder), "compose.yaml = {}")
        devcontainer = find_devcontainer(folder)
        if devcontainer:
            Path(devcontainer).write_text(json.dumps({"dockerComposeFile": f"{folder}/compose.yaml", "service": "web"}))
    place.engine("docker")
    (place.top.parent / "answers").write_text(f"printf '%s' '{json.dumps(composed(shape, place))}'")
    for folder in folders:
        printed: list[str] = []
        monkeypatch.setattr(status, "write", printed.append)
        assert main(["status", "--json", "--workspace-folder", folder]) == 0
        rows = json.loads("".join(printed))["directories"]
        listed |= {row["destination"] for row in rows if row["state"] == "shadowed" and row.get("service") != "other"}
    return listed


def by_override(shape: Shape, place: Place, _: str, __: object) -> set[str]:
    """Return what `devcontainer-config` adds, for a dev container in the start folder with the shape's mounts."""
    place.engine("docker")
    mounts = [f"type=bind,source={place.path(source)},target={target}" for source, target in shape.binds]
    mounts += [f"type=volume,source=v{target[1:]},target={target}" for _, target in shape.volumes]
    for source, target in shape.options:
        options = f"volume-opt=type=none,volume-opt=o=bind,volume-opt=device={place.path(source)}"
        mounts.append(f"type=volume,target={target},{options}")
    run_args = [word for key, value in shape.labels.items() for word in ("--label", f"{key}={value}")]
    run_args += ["--volumes-from=other:ro"] if shape.others else []
    folder = place.top.parent / "dev"
    fill(folder, f".devcontainer.json = {json.dumps({'mounts': mounts, 'runArgs': run_args})}")
    override = make_override(str(folder), os.environ)
    return covered(json.loads(override.data)["runArgs"])


def shadowed(decision: Decision) -> set[str]:
    """Return the container paths that a decision shadows."""
    return {shadow.destination for shadow in decision.shadows}


ASKED = {
    "exec docker": (by_exec, "docker"),
    "exec podman": (by_exec, "podman"),
    "wrapper docker": (by_wrapper, "docker"),
    "wrapper podman": (by_wrapper, "podman"),
    "bwrap": (by_bwrap, ""),
    "private proxy": (by_private_proxy, ""),
    "verify": (by_verify, ""),
    "compose config": (by_compose_config, ""),
    "status": (by_status, ""),
    "devcontainer-config": (by_override, ""),
}
STANDING = {
    "proxy": (by_proxy, ""),
    "compose through the proxy": (by_compose, ""),
    "Podman's hook": (by_podmans_hook, ""),
}


def can_have(way: str, shape: Shape) -> bool:
    """Tell whether a launch by a way in can have this shape."""
    if way == "devcontainer-config":  # the tools start in the dev container's own folder
        return shape.asked == shape.standing and shape.labels.keys() <= {SWITCH}
    if way == "bwrap":  # it has binds alone; of one that holds more than the git root, only that counts
        return bool(shape.binds) and not shape.labels and not {source for source, _ in shape.binds} & {".", "repo"}
    return True


POSSIBLE = [(way, name) for way in (*ASKED, *STANDING) for name, shape in SHAPES.items() if can_have(way, shape)]


@pytest.mark.parametrize(("way", "name"), POSSIBLE)
def test_the_same_launch_gets_the_same_shadows_by_each_way_in(
    way: str, name: str, place: Place, make_venv: MakeVenv, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape = SHAPES[name]
    lay_out(shape, place, make_venv)
    monkeypatch.chdir(place.top / shape.start)
    enter, engine = {**ASKED, **STANDING}[way]

    expected = shape.asked if way in ASKED else shape.standing
    assert enter(shape, place, engine, monkeypatch) == expected


# ---- Where the search for a workspace above ends


def rule(above: Path, bound: Path) -> set[str]:
    """Return what a standing way in shadows of a folder that is bound, if a folder above has a list."""
    fill(above, 'paude.json = {"venv": ["app/x"]}')
    mounts = [{"type": "bind", "source": str(bound), "destination": "/app"}]
    data, _ = oci.filter_config(json.dumps({"mounts": mounts}).encode(), os.environ)
    return {mount["destination"] for mount in json.loads(data)["mounts"] if mount["type"] == "tmpfs"}


def test_a_folder_above_rules(tmp_path: Path) -> None:
    fill(tmp_path, "above/app/x/")

    assert rule(tmp_path / "above", tmp_path / "above" / "app") == {"/app/x"}


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o757])
def test_a_folder_above_that_others_can_write_does_not_rule(tmp_path: Path, mode: int) -> None:
    fill(tmp_path, "above/app/x/")
    (tmp_path / "above").chmod(mode)

    assert rule(tmp_path / "above", tmp_path / "above" / "app") == set()


def test_the_home_folder_does_not_rule_over_what_lies_in_it(home: Path) -> None:
    fill(home, "app/x/")

    assert rule(home, home / "app") == set()


def test_what_lies_beyond_a_git_root_does_not_rule(tmp_path: Path) -> None:
    fill(tmp_path, "above/app/x/", "above/app/.git/")

    assert rule(tmp_path / "above", tmp_path / "above" / "app") == set()


def test_a_git_root_itself_rules(tmp_path: Path) -> None:
    fill(tmp_path, "above/app/x/", "above/.git/")

    assert rule(tmp_path / "above", tmp_path / "above" / "app") == {"/app/x"}


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_a_folder_above_of_another_owner_does_not_rule(tmp_path: Path) -> None:
    fill(tmp_path, "above/app/x/")
    os.chown(tmp_path / "above", 1234, 1234)

    assert rule(tmp_path / "above", tmp_path / "above" / "app") == set()


def test_a_folder_above_on_another_file_system_does_not_rule(tmp_path: Path, mocker: MockerFixture) -> None:
    fill(tmp_path, "above/app/x/")
    assert rule(tmp_path / "above", tmp_path / "above" / "app") == {"/app/x"}
    stat = os.stat

    def on_another(path: Any, *arguments: Any, **options: Any) -> os.stat_result:
        found = stat(path, *arguments, **options)
        if path != str(tmp_path / "above"):
            return found
        return os.stat_result((*found[:2], found.st_dev + 1, *found[3:]))

    mocker.patch("paude_venv_hook.workspace.carried.os.stat", on_another)

    assert rule(tmp_path / "above", tmp_path / "above" / "app") == set()


# ---- What a person is told


def test_a_venv_that_is_bound_by_itself_is_left_and_said(
    place: Place, make_venv: MakeVenv, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_out(SHAPES["a venv itself"], place, make_venv)

    notes = decide_line(place, "-v", f"{place.top}/app/.venv:/v")

    assert notes == [f"{place.top}/app/.venv is mounted on /v by itself, so it is left as it is"]


def test_a_folder_one_level_down_that_is_shadowed_is_not_said_to_stay_visible(
    place: Place, make_venv: MakeVenv
) -> None:
    shape = SHAPES["parent of two, one of which has opted in"]
    lay_out(shape, place, make_venv)

    assert decide_line(place, "-v", f"{place.top}:/w") == []


def test_what_a_list_can_name_and_what_it_cannot_are_lines_of_their_own(place: Place, make_venv: MakeVenv) -> None:
    lay_out(same(venvs=("app/.venv", "app/sub/.venv", "lib/.venv")), place, make_venv)

    assert decide_line(place, "-v", f"{place.top}:/w") == [
        'sub/.venv stays visible in the container; to shadow what is there, write "venv": [".venv", "sub/.venv"] in '
        "paude.json",
        "../lib/.venv stays visible in the container; only a paude.json in that folder can name it",
    ]


def test_wrong_settings_of_a_folder_above_stop_who_asked_and_are_a_note_for_others(
    place: Place, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(place.top, 'app/paude.json = {"venv": 1}', "app/backend/.venv/pyvenv.cfg")
    monkeypatch.chdir(place.top)
    place.engine("docker")
    wrong = f'{place.top}/app/paude.json: venv: must be "auto", "none" or a list of directories, not a number'

    assert main(["exec", "--", "docker", "run", "-v", f"{place.top}/app/backend:/b", "IMG"]) == 125
    assert capfd.readouterr().err == f"paude-venv-hook: error[settings]: {wrong}\n"

    body = json.dumps({"HostConfig": {"Binds": [f"{place.top}/app/backend:/b"]}}).encode()
    data, decision = add_shadows(body, "", setup_with(environ=os.environ))
    assert (data, unique_words(decision.notes)) == (body, [f"nothing shadowed: {wrong}"])


def test_an_engine_that_does_not_tell_of_a_volume_is_one_line(
    place: Place, programs: Callable[[str, str], Path]
) -> None:
    programs("docker", "echo 'Cannot connect to the Docker daemon' >&2; exit 1")

    assert decide_line(place, "-v", "src:/app") == [
        "nothing shadowed of what the volume src brings: the engine does not tell: Cannot connect to the Docker "
        "daemon; mount the folder itself, or see whether the engine answers"
    ]


@pytest.mark.parametrize(
    "words",
    [
        ["exec", "--", "docker", "run", "-v", "{app}:/app", "--label", "paude.venv=none", "IMG"],
        ["run", "--engine", "docker", "--workspace-folder", "{app}"],
        ["print", "--engine", "docker", "--workspace-folder", "{app}"],
        ["devcontainer-config", "--engine", "docker", "--workspace-folder", "{app}"],
        ["verify", "--engine", "docker", "--workspace-folder", "{app}", "mine"],
    ],
    ids=lambda words: words[0],
)
def test_a_label_that_switches_us_off_is_the_reason_that_is_given(
    place: Place,
    make_venv: MakeVenv,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
) -> None:
    run_args = json.dumps(["--label", "paude.venv=none"])
    lay_out(same(entries=(f'app/.devcontainer.json = {{"runArgs": {run_args}}}',)), place, make_venv)
    place.engine("docker")
    mounts = [{"Type": "bind", "Source": place.path("app"), "Destination": "/app"}]
    container = {"Id": "1", "State": {"Running": True}, "Mounts": mounts, "Config": {"Labels": {SWITCH: "none"}}}
    (place.top.parent / "answers").write_text(f"printf '%s' '{json.dumps([container])}'")
    monkeypatch.setattr(run_line, "replace_process", lambda *_: 0)

    main([word.format(app=place.path("app")) for word in words])

    assert "nothing shadowed: the label paude.venv is none\n" in capfd.readouterr().err


@pytest.mark.parametrize(
    "words",
    [["status"], ["print", "--format", "compose"], ["devcontainer-config", "--output", "{top}/override.json"]],
    ids=lambda words: words[0],
)
def test_so_is_that_of_a_service_of_compose(
    place: Place, make_venv: MakeVenv, capfd: pytest.CaptureFixture[str], words: list[str]
) -> None:
    configuration = {"dockerComposeFile": "compose.yaml", "service": "web"}
    entries = (f"app/.devcontainer.json = {json.dumps(configuration)}", "app/compose.yaml = {}")
    shape = same(entries=entries, labels={SWITCH: "none"})
    lay_out(shape, place, make_venv)
    place.engine("docker")
    (place.top.parent / "answers").write_text(f"printf '%s' '{json.dumps(composed(shape, place))}'")

    assert main([*(word.format(top=place.top) for word in words), "--workspace-folder", place.path("app")]) == 0

    printed = capfd.readouterr()
    assert "the label paude.venv is none" in printed.out + printed.err
    assert "tmpfs" not in printed.out


@pytest.mark.parametrize("in_list", [False, True])  # as Podman 4 and 5 tell it
def test_what_the_pod_of_a_container_binds_is_shadowed(
    place: Place, make_venv: MakeVenv, programs: Callable[[str, str], Path], *, in_list: bool
) -> None:
    lay_out(same(), place, make_venv)
    pod = {"mounts": [{"Type": "bind", "Source": place.path("app"), "Destination": "/app"}]}
    answer = json.dumps([pod] if in_list else pod)
    podman = str(programs("podman", f"""[ "$*" = "pod inspect web" ] && printf '%s' '{answer}'"""))

    def shadows(*words: str) -> set[str]:
        arguments = ["run", *words, "IMG"]
        return covered(run_line.rewrite_run_line(podman, arguments, "podman", os.environ, place.path("app")).words)

    assert shadows("--pod", "web") == {"/app/.venv"}
    assert shadows("--pod=new:web") == set()
    assert shadows("--pod", "web", "-v", "v:/app/.venv") == set()


def test_a_pod_of_which_podman_does_not_tell_is_one_line(place: Place, programs: Callable[[str, str], Path]) -> None:
    podman = str(programs("podman", "echo 'Error: database is locked' >&2; exit 125"))

    rewritten = run_line.rewrite_run_line(podman, ["run", "--pod=web", "IMG"], "podman", os.environ, str(place.top))

    assert unique_words(rewritten.decision.notes) == [
        "nothing shadowed of what --pod web brings: the engine does not tell: Error: database is locked; "
        "mount the folder itself, or see whether the engine answers"
    ]


def decide_line(place: Place, *words: str) -> list[str]:
    """Return what a person is told of a run line of docker, started in the project."""
    program = str(place.top.parent / "programs" / "docker")
    if not os.path.exists(program):
        place.engine("docker")
    rewritten = run_line.rewrite_run_line(program, ["run", *words, "IMG"], "docker", os.environ, str(place.top / "app"))
    return unique_words(rewritten.decision.notes)


def test_the_engine_is_asked_only_if_the_line_names_what_it_alone_knows(
    place: Place, make_venv: MakeVenv, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_out(SHAPES["whole"], place, make_venv)
    asked: list[object] = []

    def ask(*words: object, **_: object) -> subprocess.CompletedProcess[bytes]:
        asked.append(words)
        return subprocess.CompletedProcess([], 1, b"", b"no such volume")

    monkeypatch.setattr("paude_venv_hook.launchers.asked.ask", ask)

    decide_line(place, "-v", f"{place.top}/app:/app", "-v", "/anonymous", "--tmpfs", "/t")
    assert asked == []
    decide_line(place, "-v", f"{place.top}/app:/app", "-v", "named:/n")
    assert len(asked) == 1
