"""The plan: destinations, what is folded into one shadow, and what is skipped."""

from __future__ import annotations

import os
import posixpath
import unicodedata

import pytest
from hypothesis import given

from paude_venv_hook.engines.mounts import Mount
from paude_venv_hook.files import is_inside
from paude_venv_hook.plan import Plan, Shadow, Skipped, make_plan
from paude_venv_hook.workspace.contents import Directory, Kind, Reason
from strategies import Planned, planned

APP = Mount("bind", "/home/me/app", "/workspaces/app")
BAD_NAME = "no engine can mount on such a name; rename the directory"


def plan(*host_paths: str, folder: str = "/home/me/app", mount: Mount = APP, mounted: tuple[str, ...] = ()) -> Plan:
    """Return the plan for venvs at the host paths, which the user names relative to the workspace folder."""
    found = [Directory(os.path.relpath(path, folder), path, Kind.VENV) for path in host_paths]
    return make_plan(found, folder, (mount,), dict.fromkeys(mounted, "volume"))


@pytest.mark.parametrize(
    ("source", "target", "host_path", "destination"),
    [
        ("/home/me/app", "/workspaces/app", "/home/me/app/.venv", "/workspaces/app/.venv"),
        ("/home/me/app", "/home/me/app", "/home/me/app/.venv", "/home/me/app/.venv"),
        ("/home/me/app", "/srv", "/home/me/app/packages/api/.venv", "/srv/packages/api/.venv"),
        ("/home/me", "/workspaces/me", "/home/me/app/.venv", "/workspaces/me/app/.venv"),
        ("/home/me", "/workspaces/me", "/home/me/.venv", "/workspaces/me/.venv"),
        ("/", "/host", "/home/me/app/.venv", "/host/home/me/app/.venv"),
        ("/home/me/app", "/", "/home/me/app/.venv", "/.venv"),
        ("/home/me/app/backend", "/src", "/home/me/app/backend/.venv", "/src/.venv"),
        ("/home/me/app", "/w s", "/home/me/app/a:b, 'c' $d \"e\" ü", "/w s/a:b, 'c' $d \"e\" ü"),
    ],
)
def test_the_destination_is_the_target_and_the_path_below_the_source(
    source: str, target: str, host_path: str, destination: str
) -> None:
    made = plan(host_path, mount=Mount("bind", source, target))

    path = os.path.relpath(host_path, "/home/me/app")
    assert made == Plan((Shadow(path, host_path, destination, Kind.VENV, source=source),), ())


@pytest.mark.parametrize(
    ("host_path", "source", "why"),
    [
        ("/home/me/app2/.venv", "/home/me/app", "not inside of /home/me/app, the folder that is mounted"),
        ("/home/me/.venv", "/home/me/app", "not inside of /home/me/app, the folder that is mounted"),
        ("/home/me/app/.venv", "/home/me/app/src", "not inside of /home/me/app/src, the folder that is mounted"),
        ("/home/me/app", "/home/me/app", "not inside of /home/me/app, the folder that is mounted"),
        ("/home/me/app", "/home/me", "holds the workspace folder, whose source it would hide"),
        ("/home/me", "/home", "holds the workspace folder, whose source it would hide"),
        ("/home/me", "/", "holds the workspace folder, whose source it would hide"),
    ],
)
def test_nothing_outside_of_the_mount_or_above_the_source_is_shadowed(host_path: str, source: str, why: str) -> None:
    made = plan(host_path, mount=Mount("bind", source, "/src"))

    skipped = Skipped(os.path.relpath(host_path, "/home/me/app"), Reason(why), is_expected=why.startswith("not inside"))
    assert made == Plan((), (skipped,))


@pytest.mark.parametrize(
    ("path", "skipped"),
    [("v\n", r"v\n"), ("v\x7f", r"v\x7f"), ("v\x85", r"v\x85"), ("v\udcff", r"v\udcff"), ("v\ud83d", r"v\ud83d")],
)
def test_a_name_that_no_engine_mounts_is_skipped_and_shown_with_escapes(path: str, skipped: str) -> None:
    assert plan(f"/home/me/app/{path}") == Plan((), (Skipped(skipped, Reason(BAD_NAME)),))


def test_a_bad_name_of_a_symlink_or_of_the_folder_behind_it_is_enough() -> None:
    found = [Directory("l\udcff", "/home/me/app/v", Kind.LINK), Directory("link", "/home/me/app/v\udcff", Kind.LINK)]

    assert make_plan(found, "/home/me/app", (APP,), {}) == Plan(
        (), (Skipped(r"l\udcff", Reason(BAD_NAME)), Skipped("link", Reason(BAD_NAME)))
    )


def test_a_real_path_of_the_mount_that_is_not_utf8_is_shown_with_escapes() -> None:
    made = plan("/home/me/app/.venv", mount=Mount("bind", "/home/\udcff", "/src"))

    assert made.skipped == (
        Skipped(".venv", Reason(r"not inside of /home/\udcff, the folder that is mounted"), is_expected=True),
    )


def test_a_problem_of_detection_is_the_reason() -> None:
    found = [Directory(".venv", "/usr", Kind.LINK, problem=Reason("a symlink to /usr, outside of the workspace"))]

    assert make_plan(found, "/home/me/app", (APP,), {}) == Plan(
        (), (Skipped(".venv", Reason("a symlink to /usr, outside of the workspace")),)
    )


@pytest.mark.parametrize(
    ("mounted", "why"),
    [
        ("/workspaces/app/.venv", "the configuration mounts something on /workspaces/app/.venv already"),
        ("/workspaces/app/envs/a", ""),
        ("/workspaces/app/.venv/lib", ""),
        ("/workspaces/app/.ven", ""),
        ("/workspaces/app", ""),
        ("/workspaces", ""),
        ("/", ""),
    ],
)
def test_a_destination_that_is_mounted_already_is_skipped(mounted: str, why: str) -> None:
    made = plan("/home/me/app/.venv", mounted=(mounted,))

    assert made.skipped == ((Skipped(".venv", Reason(why)),) if why else ())
    assert bool(made.shadows) is not bool(why)


@pytest.mark.parametrize("target", ["/", "/workspaces/app"])
def test_what_lies_below_another_mount_of_the_configuration_is_skipped(target: str) -> None:
    made = plan(
        "/home/me/app/envs/main", mount=APP._replace(target=target), mounted=(posixpath.join(target, "envs"), "/envsx")
    )

    why = f"lies in {posixpath.join(target, 'envs')}, on which the configuration mounts something else"
    assert made == Plan((), (Skipped("envs/main", Reason(why)),))


def test_what_is_found_twice_is_shadowed_once_under_its_first_name() -> None:
    found = [
        Directory(".venv", "/home/me/app/envs/main", Kind.LINK),
        Directory("envs/main", "/home/me/app/envs/main", Kind.LISTED),
    ]

    assert make_plan(found, "/home/me/app", (APP,), {}) == Plan(
        (
            Shadow(
                ".venv",
                "/home/me/app/envs/main",
                "/workspaces/app/envs/main",
                Kind.LINK,
                source="/home/me/app",
            ),
        ),
        (),
    )


@pytest.mark.parametrize("order", [("a", "a/b", "a/b/c"), ("a/b/c", "a/b", "a"), ("a/b", "a/b/c", "a")])
def test_a_directory_below_another_shadow_is_dropped_with_a_note(order: tuple[str, ...]) -> None:
    made = plan(*(f"/home/me/app/{path}" for path in order), "/home/me/app/ab")

    assert [shadow.path for shadow in made.shadows] == ["a", "ab"]
    assert {item.path for item in made.skipped} == {"a/b", "a/b/c"}
    assert all(
        item.reason.text in {"lies in a, which is shadowed as a whole", "lies in a/b, which is shadowed as a whole"}
        for item in made.skipped
    )


def test_what_lies_in_a_shadow_needs_no_other_reason() -> None:
    """Else the reason, and so the overlay, would be another one when the mount point is there."""
    found = [
        Directory(
            ".venv/x",
            "/home/me/app/.venv/x",
            Kind.LISTED,
            problem=Reason(".venv does not exist, so there is no place for it"),
        ),
        Directory(".venv", "/home/me/app/.venv", Kind.LISTED),
    ]

    assert make_plan(found, "/home/me/app", (APP,), {}).skipped == (
        Skipped(".venv/x", Reason("lies in .venv, which is shadowed as a whole"), is_expected=True),
    )


def test_the_reason_is_the_nearest_mount_and_the_outermost_shadow() -> None:
    mounted = frozenset(f"/workspaces/app/{path}" for path in ("m", "m/m", "m/m/m", "n"))
    paths = ("m/m/m/m", "a/a/a", "a/a", "a")

    assert plan(*(f"/home/me/app/{path}" for path in paths), mounted=tuple(mounted)).skipped == (
        Skipped("m/m/m/m", Reason("lies in /workspaces/app/m/m/m, on which the configuration mounts something else")),
        Skipped("a/a/a", Reason("lies in a, which is shadowed as a whole"), is_expected=True),
        Skipped("a/a", Reason("lies in a, which is shadowed as a whole"), is_expected=True),
    )


def test_a_list_as_long_as_a_file_can_hold_is_planned_in_one_go() -> None:
    """To compare each with each other, or with each mount, would take minutes."""
    found = [Directory(f"{index}/v", f"/home/me/app/{index}/v", Kind.LISTED) for index in range(20_000)]
    mounted = {f"/workspaces/app/{index}": "volume" for index in range(10_000)}

    made = make_plan(found, "/home/me/app", (APP,), mounted)

    assert (len(made.shadows), len(made.skipped)) == (10_000, 10_000)


def test_the_order_is_that_of_detection() -> None:
    made = plan("/home/me/app/z", "/home/me/app/a", "/home/me/app/m")

    assert [shadow.path for shadow in made.shadows] == ["z", "a", "m"]


@given(planned)
def test_every_destination_lies_below_the_target_where_the_directory_lies_below_the_source(
    arguments: Planned,
) -> None:
    (mount,) = arguments[2]
    for shadow in make_plan(*arguments).shadows:
        relative = posixpath.relpath(shadow.destination, mount.target)
        assert relative.split("/")[0] not in {"", ".", ".."}
        assert posixpath.normpath(posixpath.join(mount.source, relative)) == shadow.host_path


@given(planned)
def test_no_two_destinations_are_equal_or_nested(arguments: Planned) -> None:
    destinations = [shadow.destination for shadow in make_plan(*arguments).shadows]

    assert not [(a, b) for a in destinations for b in destinations if a is not b and is_inside(a, b)]


@given(planned)
def test_neither_the_workspace_folder_nor_what_is_above_it_is_shadowed(
    arguments: Planned,
) -> None:
    _, workspace_folder, (mount,), _ = arguments
    source = posixpath.join(mount.target, posixpath.relpath(workspace_folder, mount.source))

    for shadow in make_plan(*arguments).shadows:
        assert not is_inside(workspace_folder, shadow.host_path)
        assert not is_inside(posixpath.normpath(source), shadow.destination)


@given(planned)
def test_a_mount_of_the_configuration_is_never_hidden_or_repeated(
    arguments: Planned,
) -> None:
    assert not {shadow.destination for shadow in make_plan(*arguments).shadows} & set(arguments[3])


@given(planned)
def test_the_same_input_gives_the_same_plan_in_which_nothing_is_lost_and_everything_can_be_written(
    arguments: Planned,
) -> None:
    made = make_plan(*arguments)
    shadowed = {shadow.host_path for shadow in made.shadows}

    assert made == make_plan(*arguments)
    assert len(made.skipped) >= len({item.host_path for item in arguments[0]} - shadowed)
    for text in (text for item in (*made.shadows, *made.skipped) for text in item if isinstance(text, str)):
        assert not {"Cc", "Cs"} & {unicodedata.category(character) for character in text}
