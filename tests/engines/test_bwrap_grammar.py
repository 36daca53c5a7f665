"""The command line of bwrap: what it mounts, and where something more has to stand."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paude_venv_hook.engines.bwrap_grammar import _MOUNTS, _OTHERS, parse_sandbox, sandbox_path
from paude_venv_hook.engines.mounts import Mount
from paude_venv_hook.engines.run_grammar import UnknownOptionError

# What agent sandboxes, launchers of desktops and people write, and the mounts that are seen at the end.
LINES: list[tuple[str, list[str]]] = [
    ("--bind / / sh", ["bind / at /"]),
    ("--dev-bind / / -- sh --bind /x /y", ["bind / at /"]),
    ("--ro-bind / / --bind /w /w --chdir /w sh", ["bind / at /", "bind /w at /w"]),
    ("--bind /w /w --ro-bind / / sh", ["bind / at /"]),
    ("--ro-bind /usr /usr --symlink usr/bin /bin --dev /dev --proc /proc --bind . work sh",
     ["bind /usr at /usr", "dev at /dev", "proc at /proc", "bind . at /work"]),
    ("--bind /a /w/ --tmpfs //w/x/../.venv sh", ["bind /a at /w", "tmpfs at /w/.venv"]),
    ("--bind /a /w --tmpfs /w/.venv --bind-try /b /w sh", ["bind /b at /w"]),
    ("--perms 0700 --size 1000 --tmpfs /tmp --dir /run --chmod 0700 /run sh", ["tmpfs at /tmp"]),
    ("--unshare-all --share-net --die-with-parent --new-session --clearenv --setenv A --bind --uid 0 --gid 0 "
     "--hostname --bind --cap-drop ALL --ro-bind-try /etc /etc sh", ["bind /etc at /etc"]),
    ("--bind-fd 7 /w --ro-bind-fd 8 /ro sh", ["bind /proc/self/fd/7 at /w", "bind /proc/self/fd/8 at /ro"]),
    ("--file 9 /etc/passwd --bind-data 9 /a --ro-bind-data 9 /b sh", ["bind-data at /a", "ro-bind-data at /b"]),
    ("--overlay-src /w --tmp-overlay /w --overlay-src /b --overlay /rw /work /o sh",
     ["tmp-overlay at /w", "overlay at /o"]),
    ("--ro-bind / / --remount-ro / --mqueue /mq --level-prefix --argv0 -x sh", ["bind / at /", "mqueue at /mq"]),
    ("--bind /a", []),
    ("--bind", []),
    ("", []),
]  # fmt: skip


def described(mount: Mount) -> str:
    """Return a mount in words."""
    return f"{mount.type} {mount.source} at {mount.target}".replace("  ", " ")


@pytest.mark.parametrize(("line", "mounts"), LINES)
def test_the_mounts_that_are_seen_are_known(line: str, mounts: list[str]) -> None:
    assert [described(mount) for mount in parse_sandbox(shlex.split(line)).mounts] == mounts


@pytest.mark.parametrize(
    ("line", "path", "after"),
    [
        ("--bind / / sh", "/w/.venv", "--bind / /"),
        ("--bind / / --dev /dev --proc /proc sh", "/w/.venv", "--bind / /"),
        ("--bind / / --dev /dev --bind /w /w --tmpfs /tmp sh", "/w/.venv", "--bind / / --dev /dev --bind /w /w"),
        ("--bind /w /w --tmpfs /w2 sh", "/w/.venv", "--bind /w /w"),
        ("--bind /w /w --ro-bind / / sh", "/w/.venv", "--bind /w /w --ro-bind / /"),
        ("--bind /w /w --tmpfs /w/.venv/lib sh", "/w/.venv", "--bind /w /w"),
        ("--bind /w /w --perms 0700 --tmpfs /w/src sh", "/w/src/.venv", "--bind /w /w --perms 0700 --tmpfs /w/src"),
        ("--tmpfs /tmp sh", "/w/.venv", ""),
    ],
)
def test_something_more_stands_after_all_that_would_cover_it(line: str, path: str, after: str) -> None:
    words = shlex.split(line)

    assert words[: parse_sandbox(words).place_for(path)] == shlex.split(after)


@pytest.mark.parametrize(("line", "option"), [("--bind / / --args 3 sh", "--args"), ("--future x sh", "--future")])
def test_what_is_not_understood_is_refused(line: str, option: str) -> None:
    with pytest.raises(UnknownOptionError, match=f"^{option}$"):
        parse_sandbox(shlex.split(line))


def test_where_it_starts_is_known() -> None:
    assert parse_sandbox(shlex.split("--chdir /a --bind / / --chdir b/ sh")).chdir == "/b"
    assert parse_sandbox(shlex.split("--bind / / sh --chdir /a")).chdir == ""


def test_an_option_has_one_number_of_words() -> None:
    assert _MOUNTS.keys() & _OTHERS.keys() == set()


WORDS = st.one_of(st.sampled_from(["--bind", "--", "/", "/a", "-x", ""]), st.text())
OPTIONS = st.sampled_from(sorted((_MOUNTS | _OTHERS).items())).flatmap(
    lambda option: st.lists(WORDS, min_size=option[1], max_size=option[1]).map(lambda words: (option[0], *words))
)


@given(st.lists(OPTIONS), st.sampled_from([["sh"], ["--"], ["--", "--bind", "/", "/"]]), st.integers(0))
def test_any_line_is_read_option_by_option_and_what_is_added_changes_nothing_else(
    line: list[tuple[str, ...]], command: list[str], index: int
) -> None:
    words = [word for option in line for word in option]
    parsed = parse_sandbox([*words, *command])
    paths = [sandbox_path(option[-1]) for option in line if option[0] in _MOUNTS]
    path = [*paths, "/"][index % (len(paths) + 1)].rstrip("/") + "/.venv"

    assert [mount.target for mount, _ in parsed.operations] == paths
    at, added = parsed.place_for(path), Mount("tmpfs", "", path)
    before = [mount for mount, end in parsed.operations if end <= at]
    again = parse_sandbox([*words[:at], "--tmpfs", path, *words[at:], *command])
    others = [mount for mount, _ in parsed.operations]
    assert [mount for mount, _ in again.operations] == [*before, added, *others[len(before) :]]
    assert added in again.mounts
