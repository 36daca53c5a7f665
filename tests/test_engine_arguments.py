"""The run arguments, as they were measured to be right on real engines."""

from __future__ import annotations

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paude_venv_hook.engines.arguments import docker_options, docker_run_args, podman_options, podman_run_args
from paude_venv_hook.errors import EngineError
from strategies import GOOD_NAMES, good_paths

ODD_NAMES = ["/a b", "/a,b", '/a"b', "/a'b", "/$HOME", "/ü😀", "/-v", "/a=b", "/a\\b", "/ "]


@pytest.mark.parametrize("destination", ["/app/.venv", *ODD_NAMES])
@pytest.mark.parametrize(("size", "suffix"), [(None, ""), ("2g", ",size=2g"), ("50%", ",size=50%")])
def test_docker_gets_the_owner_and_podman_is_told_not_to_copy_what_lies_below(
    destination: str, size: str | None, suffix: str
) -> None:
    assert docker_run_args([destination], (1000, 1001), size) == [
        "--tmpfs",
        f"{destination}:rw,exec,nosuid,nodev,uid=1000,gid=1001,mode=1777{suffix}",
    ]
    assert podman_run_args([destination], size) == [
        "--tmpfs",
        f"{destination}:rw,exec,nosuid,nodev,notmpcopyup,mode=1777{suffix}",
    ]


def test_docker_gets_the_owner_also_where_it_is_root_so_that_podman_refuses_it() -> None:
    assert docker_options((0, 0), None) == "rw,exec,nosuid,nodev,uid=0,gid=0,mode=1777"


def test_the_options_serve_compose_too() -> None:
    assert docker_run_args(["/d"], (1, 2), "3m") == ["--tmpfs", f"/d:{docker_options((1, 2), '3m')}"]
    assert podman_run_args(["/d"], "3m") == ["--tmpfs", f"/d:{podman_options('3m')}"]


def test_each_destination_gets_a_pair_of_arguments_in_their_order() -> None:
    options = "rw,exec,nosuid,nodev,notmpcopyup,mode=1777"

    assert podman_run_args(["/b", "/a"], None) == ["--tmpfs", f"/b:{options}", "--tmpfs", f"/a:{options}"]
    assert docker_run_args(["/b", "/a"], (1, 2), None)[1::2] == [
        "/b:rw,exec,nosuid,nodev,uid=1,gid=2,mode=1777",
        "/a:rw,exec,nosuid,nodev,uid=1,gid=2,mode=1777",
    ]


def test_nothing_to_shadow_gives_no_arguments() -> None:
    assert docker_run_args([], (0, 0), "1g") == []
    assert podman_run_args([], "1g") == []


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
    assert podman_run_args([destination], size) == ["--mount", value]


@given(st.lists(st.sampled_from([*GOOD_NAMES, '"', '""', ",", ",,", "\n", "'"])).map("".join))
def test_a_csv_reader_gets_the_destination_back(name: str) -> None:
    _, value = podman_run_args([f"/a:{name}"], "1g")

    assert list(csv.reader([value], strict=True)) == [
        ["type=tmpfs", f"destination=/a:{name}", "notmpcopyup", "exec", "tmpfs-mode=1777", "tmpfs-size=1g"]
    ]


@given(good_paths)
def test_only_a_colon_changes_the_form(path: str) -> None:
    option, value = podman_run_args([path], None)

    assert option == ("--mount" if ":" in path else "--tmpfs")
    assert path in value.replace('""', '"')


def test_docker_refuses_a_colon() -> None:
    with pytest.raises(EngineError) as caught:
        docker_run_args(["/fine", "/a:b\n"], (0, 0), None)

    assert str(caught.value) == (
        r"/a:b\n: Docker has no way to mount a tmpfs on a path with a colon; "
        "rename the folder, use Podman, or shadow nothing with --venv none"
    )
