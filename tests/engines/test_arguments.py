"""The run arguments, as they were measured to be right on real engines."""

from __future__ import annotations

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paude_venv_hook.engines.arguments import docker_options, podman_options
from paude_venv_hook.engines.table import ENGINES, one_of, store_args, tmpfs_args
from paude_venv_hook.errors import EngineError
from strategies import GOOD_NAMES, good_paths

IN_MEMORY = 'write "venv-storage": "memory" in paude.json'
ODD_NAMES = ["/a b", "/a,b", '/a"b', "/a'b", "/$HOME", "/ü😀", "/-v", "/a=b", "/a\\b", "/ "]


@pytest.mark.parametrize("destination", ["/app/.venv", *ODD_NAMES])
@pytest.mark.parametrize(("size", "suffix"), [(None, ""), ("2g", ",size=2g"), ("50%", ",size=50%")])
def test_docker_gets_the_owner_and_podman_is_told_not_to_copy_what_lies_below(
    destination: str, size: str | None, suffix: str
) -> None:
    assert tmpfs_args("docker", [destination], (1000, 1001), size) == [
        "--tmpfs",
        f"{destination}:rw,exec,nosuid,nodev,uid=1000,gid=1001,mode=1777{suffix}",
    ]
    assert tmpfs_args("podman", [destination], (0, 0), size) == [
        "--tmpfs",
        f"{destination}:rw,exec,nosuid,nodev,notmpcopyup,mode=1777{suffix}",
    ]


def test_docker_gets_the_owner_also_where_it_is_root_so_that_podman_refuses_it() -> None:
    assert docker_options((0, 0), None) == "rw,exec,nosuid,nodev,uid=0,gid=0,mode=1777"


def test_the_options_serve_compose_too() -> None:
    assert tmpfs_args("docker", ["/d"], (1, 2), "3m") == ["--tmpfs", f"/d:{docker_options((1, 2), '3m')}"]
    assert tmpfs_args("podman", ["/d"], (0, 0), "3m") == ["--tmpfs", f"/d:{podman_options((0, 0), '3m')}"]


def test_each_destination_gets_a_pair_of_arguments_in_their_order() -> None:
    options = "rw,exec,nosuid,nodev,notmpcopyup,mode=1777"

    assert tmpfs_args("podman", ["/b", "/a"], (0, 0), None) == ["--tmpfs", f"/b:{options}", "--tmpfs", f"/a:{options}"]
    assert tmpfs_args("docker", ["/b", "/a"], (1, 2), None)[1::2] == [
        "/b:rw,exec,nosuid,nodev,uid=1,gid=2,mode=1777",
        "/a:rw,exec,nosuid,nodev,uid=1,gid=2,mode=1777",
    ]


def test_nothing_to_shadow_gives_no_arguments() -> None:
    assert tmpfs_args("docker", [], (0, 0), "1g") == []
    assert tmpfs_args("podman", [], (0, 0), "1g") == []


@pytest.mark.parametrize(
    ("destination", "size", "value"),
    [
        ("/a:b", None, "type=tmpfs,destination=/a:b,notmpcopyup,exec,tmpfs-mode=1777"),
        ("/a:b", "2g", "type=tmpfs,destination=/a:b,notmpcopyup,exec,tmpfs-mode=1777,tmpfs-size=2g"),
        ("/a:b c", None, "type=tmpfs,destination=/a:b c,notmpcopyup,exec,tmpfs-mode=1777"),
        ("/a:b,c", None, 'type=tmpfs,"destination=/a:b,c",notmpcopyup,exec,tmpfs-mode=1777'),
        ('/a:"b"', None, 'type=tmpfs,"destination=/a:""b""",notmpcopyup,exec,tmpfs-mode=1777'),
        ("/a:b\nc", None, 'type=tmpfs,"destination=/a:b\nc",notmpcopyup,exec,tmpfs-mode=1777'),
        ("/a:b'c", None, "type=tmpfs,destination=/a:b'c,notmpcopyup,exec,tmpfs-mode=1777"),
    ],
)
def test_podman_takes_a_destination_with_a_colon_as_a_mount(destination: str, size: str | None, value: str) -> None:
    assert tmpfs_args("podman", [destination], (0, 0), size) == ["--mount", value]


@given(st.lists(st.sampled_from([*GOOD_NAMES, '"', '""', ",", ",,", "\n", "'"])).map("".join))
def test_a_csv_reader_gets_the_destination_back(name: str) -> None:
    _, value = tmpfs_args("podman", [f"/a:{name}"], (0, 0), "1g")

    assert list(csv.reader([value], strict=True)) == [
        ["type=tmpfs", f"destination=/a:{name}", "notmpcopyup", "exec", "tmpfs-mode=1777", "tmpfs-size=1g"]
    ]


@given(good_paths)
def test_only_a_colon_changes_the_form(path: str) -> None:
    option, value = tmpfs_args("podman", [path], (0, 0), None)

    assert option == ("--mount" if ":" in path else "--tmpfs")
    assert path in value.replace('""', '"')


@pytest.mark.parametrize(
    ("engine", "destination", "size", "arguments"),
    [
        ("nerdctl", "/a,b=c", "50%", ["--tmpfs", "/a,b=c:rw,exec,nosuid,nodev,uid=1,gid=2,mode=1777,size=50%"]),
        ("finch", "/a", None, ["--tmpfs", "/a:rw,exec,nosuid,nodev,uid=1,gid=2,mode=1777"]),
        ("container", '/a:"b" c', None, ["--mount", 'type=tmpfs,destination=/a:"b" c,mode=1777']),
        ("container", "/a", "3g", ["--mount", "type=tmpfs,destination=/a,mode=1777,size=3072m"]),
        ("container", "/a", "1k", ["--mount", "type=tmpfs,destination=/a,mode=1777,size=1m"]),
        ("container", "/a", "1048577", ["--mount", "type=tmpfs,destination=/a,mode=1777,size=2m"]),
        ("bwrap", "/a:b,c=d", None, ["--perms", "1777", "--tmpfs", "/a:b,c=d"]),
        ("bwrap", "/a", "2G", ["--perms", "1777", "--size", "2147483648", "--tmpfs", "/a"]),
        ("bwrap", "/a", "77", ["--perms", "1777", "--size", "77", "--tmpfs", "/a"]),
    ],
)
def test_the_others_get_it_as_their_sources_read_it(
    engine: str, destination: str, size: str | None, arguments: list[str]
) -> None:
    assert tmpfs_args(engine, [destination], (1, 2), size) == arguments


@pytest.mark.parametrize(
    ("engine", "arguments"),
    [
        ("docker", ["--mount", 'type=bind,source=/s,"target=/a,b=c"']),
        ("podman", ["--mount", 'type=bind,source=/s,"target=/a,b=c",relabel=shared']),
        ("bwrap", ["--bind", "/s", "/a,b=c"]),
    ],
)
def test_a_store_goes_to_any_path(engine: str, arguments: list[str]) -> None:
    assert store_args(engine, [("/s", "/a,b=c")], label=engine == "podman") == arguments


@pytest.mark.parametrize("engine", ["nerdctl", "finch", "container"])
def test_engines_that_know_no_quotes_get_none(engine: str) -> None:
    assert store_args(engine, [('/s"', '/a" b')], label=False) == ["--mount", 'type=bind,source=/s",target=/a" b']


@pytest.mark.parametrize(
    ("engine", "destination", "size", "problem"),
    [
        ("docker", "/a:b\n", None, r"Docker has no way to mount a tmpfs on /a:b\n, for its colon; rename the folder"),
        ("nerdctl", "/a:b", None, "nerdctl has no way to mount a tmpfs on /a:b, for its colon; rename the folder"),
        ("finch", "/a:b", None, "Finch has no way to mount a tmpfs on /a:b, for its colon; rename the folder"),
        ("container", "/a,b", None, "container has no way to mount a tmpfs on /a,b, for its comma; rename the folder"),
        (
            "container",
            "/a=b",
            None,
            "container has no way to mount a tmpfs on /a=b, for its equals sign; rename the folder",
        ),
        ("container", "/a", "9%", 'container takes no size of 9%; write "venv-tmpfs": {"size": "2g"}, for example'),
        ("bwrap", "/a", "9%", 'bwrap takes no size of 9%; write "venv-tmpfs": {"size": "2g"}, for example'),
    ],
)
def test_what_an_engine_cannot_do_is_refused(engine: str, destination: str, size: str | None, problem: str) -> None:
    with pytest.raises(EngineError) as caught:
        tmpfs_args(engine, ["/fine", destination], (0, 0), size)

    assert str(caught.value) == problem


@pytest.mark.parametrize(
    ("engine", "store", "destination", "problem"),
    [
        ("nerdctl", "/s", "/a,b", "nerdctl has no way to mount a store on /a,b, for its comma; rename the folder"),
        ("nerdctl", "/s", "/a:b", "nerdctl has no way to mount a store on /a:b, for its colon; rename the folder"),
        ("finch", "/s", "/a=b", "Finch has no way to mount a store on /a=b, for its equals sign; rename the folder"),
        ("container", "/s,t", "/a", f"container has no way to mount from /s,t, for its comma; {IN_MEMORY}"),
        ("nerdctl", "/s:t", "/a", f"nerdctl has no way to mount from /s:t, for its colon; {IN_MEMORY}"),
    ],
)
def test_a_store_that_an_engine_cannot_name_is_refused(engine: str, store: str, destination: str, problem: str) -> None:
    with pytest.raises(EngineError) as caught:
        store_args(engine, [(store, destination)], label=False)

    assert str(caught.value) == problem


@pytest.mark.parametrize("engine", ENGINES)
def test_with_selinux_a_store_is_labelled_refused_or_needs_nothing(engine: str) -> None:
    if engine in ("docker", "nerdctl", "finch"):
        with pytest.raises(EngineError) as caught:
            store_args(engine, [("/s", "/d")], label=True)
        assert str(caught.value) == (
            f"{ENGINES[engine].label} does not label a store for SELinux, which keeps containers out; {IN_MEMORY}"
        )
    else:
        plain = store_args(engine, [("/s", "/d")], label=False)
        plain[1] += ",relabel=shared" if engine == "podman" else ""
        assert store_args(engine, [("/s", "/d")], label=True) == plain


def test_people_are_told_of_all_engines() -> None:
    assert one_of(ENGINES) == "docker, podman, nerdctl, finch, container or bwrap"
