"""Mounts, as the options of engines and devcontainer.json spell them."""

from __future__ import annotations

import pytest

from paude_venv_hook.engines.mounts import (
    Mount,
    UnclearMountError,
    container_path,
    is_shared,
    mounts_in,
    parse_mount,
    parse_volume,
)
from paude_venv_hook.engines.run_grammar import read_options


@pytest.mark.parametrize(
    ("text", "mount"),
    [
        ("type=bind,source=/src,target=/app", Mount("bind", "/src", "/app")),
        ("type=bind,src=/src,dst=/app", Mount("bind", "/src", "/app")),
        ("type=bind,src=/src,destination=/app", Mount("bind", "/src", "/app")),
        ("TYPE=BIND, Source=/src,target=/app", Mount("bind", "/src", "/app")),
        ("type=bind,source=/src,target=/app,readonly,consistency=cached", Mount("bind", "/src", "/app")),
        ("type=bind,source=/one,source=/two,target=/app,dst=/b", Mount("bind", "/two", "/b")),
        ("type=bind,source=/src,target=//app/./x/../", Mount("bind", "/src", "/app")),
        ("type=bind,source=/src,target=app", Mount("bind", "/src", "app")),
        ('type=bind,"source=/a,b","target=/x""y"', Mount("bind", "/a,b", '/x"y')),
        ("type=bind,source=/a=b,target=/app", Mount("bind", "/a=b", "/app")),
        ("type=bind,source=/src,target=/app,bind-propagation=rshared", Mount("bind", "/src", "/app", is_shared=True)),
        ("type=bind,source=/src,target=/app,bind-propagation=SHARED", Mount("bind", "/src", "/app", is_shared=True)),
        ("type=bind,source=/src,target=/app,shared", Mount("bind", "/src", "/app", is_shared=True)),
        ("type=bind,source=/src,target=/app,bind-propagation=rslave", Mount("bind", "/src", "/app")),
        ("source=name,target=/app", Mount("volume", "name", "/app")),
        ("target=/app", Mount("volume", "", "/app")),
        ("type=volume,target=/app", Mount("volume", "", "/app")),
        ("type=volume,source=/src,target=/app", Mount("bind", "/src", "/app")),
        ("type=volume,source=./src,target=/app", Mount("bind", "./src", "/app")),
        ("type=virtiofs,source=/src,target=/app", Mount("bind", "/src", "/app")),
        ("type=tmpfs,target=/app/.venv,tmpfs-mode=1777", Mount("tmpfs", "", "/app/.venv")),
        ("type=npipe,source=x,target=y", Mount("npipe", "x", "y")),
        ("", Mount("volume", "", "")),
    ],
)
def test_a_mount_is_read_in_every_spelling(text: str, mount: Mount) -> None:
    assert parse_mount(text) == mount


@pytest.mark.parametrize(
    ("text", "default", "kind"),
    [("source=/src,target=/app", "bind", "bind"), ("type=tmpfs,target=/app", "bind", "tmpfs")],
)
def test_an_engine_has_its_own_type_for_a_mount_that_names_none(text: str, default: str, kind: str) -> None:
    assert parse_mount(text, default).type == kind


@pytest.mark.parametrize(
    ("text", "mount"),
    [
        ("/src:/app", Mount("bind", "/src", "/app")),
        ("/src:/app/", Mount("bind", "/src", "/app")),
        ("/src:/app:ro,z", Mount("bind", "/src", "/app")),
        ("/src:/app:ro,rshared", Mount("bind", "/src", "/app", is_shared=True)),
        ("/src:/app:rslave", Mount("bind", "/src", "/app")),
        (".:/app", Mount("bind", ".", "/app")),
        ("./src:/app", Mount("bind", "./src", "/app")),
        ("~/src:/app", Mount("bind", "~/src", "/app")),
        ("src/app:/app", Mount("bind", "src/app", "/app")),
        ("name:/app", Mount("volume", "name", "/app")),
        ("a.b_c-1:/app", Mount("volume", "a.b_c-1", "/app")),
        ("_name:/app", Mount("bind", "_name", "/app")),
        (":/app", Mount("volume", "", "/app")),
        ("/app", Mount("volume", "", "/app")),
        ("/app:", Mount("volume", "", "/app")),
        (r"C:\src:/app", Mount("bind", r"C:\src", "/app")),
        ("c:/src:/app:ro", Mount("bind", "c:/src", "/app")),
        ("c:/app", Mount("volume", "c", "/app")),
    ],
)
def test_a_volume_is_a_bind_unless_its_source_can_be_a_name(text: str, mount: Mount) -> None:
    assert parse_volume(text) == mount


@pytest.mark.parametrize(
    ("line", "mounts"),
    [
        ("", []),
        ("--rm -e -v=x", []),
        ("-v /a:/b --volume=c:/d", [Mount("bind", "/a", "/b"), Mount("volume", "c", "/d")]),
        ("--mount type=bind,src=/a,dst=/b", [Mount("bind", "/a", "/b")]),
        ("--tmpfs /t:rw,size=1g --tmpfs=/u/", [Mount("tmpfs", "", "/t"), Mount("tmpfs", "", "/u")]),
        ("--volumes-from other -v", []),
    ],
)
def test_the_mounts_of_a_line_are_in_its_order(line: str, mounts: list[Mount]) -> None:
    assert list(mounts_in(read_options(line.split()))) == mounts


@pytest.mark.parametrize("option", ["--mount", "-v", "--volume", "--tmpfs"])
@pytest.mark.parametrize("value", ["/a:/b\n", "type=bind,src=/a\0", "/t\x1b"])
def test_a_value_with_a_control_character_is_unclear(option: str, value: str) -> None:
    """Go reads one line of CSV and drops the rest."""
    with pytest.raises(UnclearMountError, match=r"holds a control character; remove it$"):
        list(mounts_in(read_options([option, value])))


@pytest.mark.parametrize(
    ("path", "compared"),
    [("/a", "/a"), ("/a/", "/a"), ("//a//b/", "/a/b"), ("/a/../b/.", "/b"), ("/..", "/"), ("/", "/"), ("a/..", "a/..")],
)
def test_container_paths_are_compared_as_engines_do(path: str, compared: str) -> None:
    assert container_path(path) == compared


def test_shared_is_a_propagation_of_its_own() -> None:
    assert [is_shared([option]) for option in ("shared", "rshared", "slave", "rslave", "rprivate", "ro")] == [
        True, True, False, False, False, False,
    ]  # fmt: skip
