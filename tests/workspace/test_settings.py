"""Where a setting may stand, who beats whom, what is refused, and that the schema says the same."""

from __future__ import annotations

import json
import os
import posixpath
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from paude_venv_hook.engines.mountable import has_control_characters, is_utf8
from paude_venv_hook.errors import HookError, JsonFileError, SettingsError
from paude_venv_hook.workspace.settings import Tmpfs, check_name, check_size, parse_venv_text, read_settings, user_file

KINDS = 'use "auto", "none" or a list of directories'
NO_SIZE = 'write a number and k, m, g or %, such as "2g"'


def _project(workspace: Path, document: object) -> str:
    path = workspace / "paude.json"
    path.write_text(json.dumps(document))
    return str(path)


def _user(document: object) -> str:
    path = Path(user_file())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    return str(path)


def _refusal(workspace: Path, flag: str | None = None, environ: Mapping[str, str] | None = None) -> str:
    with pytest.raises(SettingsError) as caught:
        read_settings(str(workspace), flag, environ or {})
    return str(caught.value)


# ---- Who beats whom


@pytest.mark.parametrize(
    ("flag", "variable", "project", "user", "venv", "source"),
    [
        (None, None, None, None, "auto", "default"),
        (None, None, {}, {}, "auto", "default"),
        (None, None, None, {"venv": "none"}, "none", "{user}"),
        (None, None, {"other": 1}, {"venv": "none"}, "none", "{user}"),
        (None, None, {"venv": "auto"}, {"venv": "none"}, "auto", "{project}"),
        (None, None, {"venv": []}, {"venv": "none"}, (), "{project}"),
        (None, "env", {"venv": "none"}, {"venv": "auto"}, ("env",), "PAUDE_VENV"),
        (None, "", {"venv": "none"}, None, "none", "{project}"),
        (None, "", None, None, "auto", "default"),
        ("none", "env", {"venv": "auto"}, {"venv": "auto"}, "none", "--venv"),
        ("auto", "none", {"venv": "none"}, {"venv": "none"}, "auto", "--venv"),
    ],
)
def test_flag_beats_environment_beats_project_beats_user_beats_default(
    workspace: Path,
    flag: str | None,
    variable: str | None,
    project: object,
    user: object,
    venv: str | tuple[str, ...],
    source: str,
) -> None:
    files = {
        "project": "" if project is None else _project(workspace, project),
        "user": "" if user is None else _user(user),
    }

    found = read_settings(str(workspace), flag, {} if variable is None else {"PAUDE_VENV": variable})

    assert (found.venv, found.venv_source) == (venv, source.format(**files))
    assert (found.tmpfs, found.warnings) == (Tmpfs(None, None, None), ())


@pytest.mark.parametrize(
    ("project", "user", "expected"),
    [
        ({}, {}, Tmpfs(None, None, None)),
        ({"size": "2g", "uid": 0, "gid": 4294967294}, {}, Tmpfs("2g", 0, 4294967294)),
        ({}, {"size": "50%", "uid": 1000}, Tmpfs("50%", 1000, None)),
        ({"uid": 0}, {"size": "1m", "uid": 5, "gid": 0}, Tmpfs("1m", 0, 0)),
        ({"size": "1k", "gid": 7}, {"size": "1m", "uid": 5, "gid": 0}, Tmpfs("1k", 5, 7)),
    ],
)
def test_each_key_of_venv_tmpfs_is_looked_up_by_itself(
    workspace: Path, project: object, user: object, expected: Tmpfs
) -> None:
    _project(workspace, {"venv-tmpfs": project})
    _user({"venv-tmpfs": user})

    assert read_settings(str(workspace), None, {}).tmpfs == expected


@pytest.mark.parametrize(
    ("flag", "variable", "project", "user", "storage", "source"),
    [
        (None, None, None, None, "auto", "default"),
        (None, "", {}, {}, "auto", "default"),
        (None, None, {}, "disk", "disk", "{user}"),
        (None, None, "memory", "disk", "memory", "{project}"),
        (None, None, "disk", {}, "disk", "{project}"),
        (None, None, "auto", "disk", "auto", "{project}"),
        ("auto", "disk", "disk", "disk", "auto", "--storage"),
        (None, "memory", "disk", "disk", "memory", "PAUDE_VENV_STORAGE"),
        ("disk", "memory", "memory", "memory", "disk", "--storage"),
    ],
)
def test_storage_is_looked_up_as_venv_is(
    workspace: Path, flag: str | None, variable: str | None, project: object, user: object, storage: str, source: str
) -> None:
    def document(value: object) -> object:
        return {"venv-storage": value} if isinstance(value, str) else value

    files = {
        "project": "" if project is None else _project(workspace, document(project)),
        "user": "" if user is None else _user(document(user)),
    }

    environ = {} if variable is None else {"PAUDE_VENV_STORAGE": variable}
    found = read_settings(str(workspace), None, environ, flag)

    assert (found.storage, found.storage_source) == (storage, source.format(**files))
    assert (found.venv, found.warnings) == ("auto", ())


def test_venv_tmpfs_beside_storage_on_disk_warns_once(workspace: Path) -> None:
    size = {"venv-tmpfs": {"size": "2g"}}
    project, user = _project(workspace, size), _user({**size, "venv-storage": "disk"})
    without = "venv-tmpfs: has no effect, since storage is disk"

    assert read_settings(str(workspace), None, {}).warnings == (f"{project}: {without} ({user}); remove it",)
    assert read_settings(str(workspace), None, {}, "memory").warnings == ()
    project = _project(workspace, {})
    assert read_settings(str(workspace), None, {}).warnings == (f"{user}: {without} ({user}); remove it",)
    _project(workspace, {"venv-storage": "disk"})  # the user's own is for other projects
    assert read_settings(str(workspace), None, {}).warnings == ()


@pytest.mark.parametrize(
    ("project", "user", "also", "source"),
    [
        (None, None, (), "default"),
        ({}, {"venv": "auto"}, (), "default"),
        ({"venv-also": ["a", "b/*/c"]}, {"venv-also": ["d"]}, ("a", "b/*/c"), "{project}"),
        ({"venv": ["x"]}, {"venv-also": ["./d//e/"]}, ("d/e",), "{user}"),
        ({"venv-also": []}, {"venv-also": ["d"]}, (), "{project}"),
    ],
)
def test_venv_also_stands_in_the_project_or_else_in_the_users_own(
    workspace: Path, project: object, user: object, also: tuple[str, ...], source: str
) -> None:
    files = {
        "project": "" if project is None else _project(workspace, project),
        "user": "" if user is None else _user(user),
    }

    found = read_settings(str(workspace), "auto", {"PAUDE_VENV_ALSO": "x"})

    assert (found.also, found.also_source, found.warnings) == (also, source.format(**files), ())


STORAGE = 'use "auto", "memory" or "disk"'
STORAGE_PROBLEMS: list[tuple[object, str]] = [
    ("dsik", f'"dsik" is not known (did you mean "disk"?); {STORAGE}'),
    ("Memory", f'"Memory" is not known (did you mean "memory"?); {STORAGE}'),
    ("tmpfs", f'"tmpfs" is not known (did you mean "memory"?); {STORAGE}'),
    ("automatic", f'"automatic" is not known (did you mean "auto"?); {STORAGE}'),
    ("Auto", f'"Auto" is not known (did you mean "auto"?); {STORAGE}'),
    ("volume", f'"volume" is not known (did you mean "disk"?); {STORAGE}'),
    ("/etc", f'"/etc" is not known; {STORAGE}'),
    ("../../.ssh", f'"../../.ssh" is not known; {STORAGE}'),
    ("a\n", f'"a\\n" is not known; {STORAGE}'),
    ("", f'"" is not known; {STORAGE}'),
    (None, 'must be "auto", "memory" or "disk", not null'),
    (True, 'must be "auto", "memory" or "disk", not true or false'),
    (["disk"], 'must be "auto", "memory" or "disk", not a list'),
    ({"path": "/etc"}, 'must be "auto", "memory" or "disk", not an object'),
]


@pytest.mark.parametrize(("value", "problem"), STORAGE_PROBLEMS)
def test_a_repository_chooses_among_three_words_and_neither_a_path_nor_a_name(
    workspace: Path, value: object, problem: str
) -> None:
    path = _project(workspace, {"venv-storage": value})

    assert _refusal(workspace) == f"{path}: venv-storage: {problem}"


@pytest.mark.parametrize(
    ("where", "flag", "environ"),
    [("--storage", "dsik", {}), ("PAUDE_VENV_STORAGE", None, {"PAUDE_VENV_STORAGE": "dsik"})],
)
def test_a_wrong_storage_of_a_flag_or_variable_is_refused_by_its_name(
    workspace: Path, where: str, flag: str | None, environ: dict[str, str]
) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings(str(workspace), None, environ, flag)
    assert str(caught.value) == f'{where}: "dsik" is not known (did you mean "disk"?); {STORAGE}'


def test_what_a_flag_beats_must_be_right_all_the_same(workspace: Path) -> None:
    _project(workspace, {"venv": "auto"})
    user = _user({"venv": True})

    assert _refusal(workspace, "none", {"PAUDE_VENV": "none"}) == (
        f'{user}: venv: true is not known (did you mean "auto"?); {KINDS}'
    )


def test_paude_json_is_json5(workspace: Path) -> None:
    (workspace / "paude.json").write_text("\ufeff// ours\n{venv: ['a', 'b/c',], // theirs:\n image: 'x'}")

    assert read_settings(str(workspace), None, {}).venv == ("a", "b/c")


def test_a_paude_json_that_cannot_be_read_stops_everything(workspace: Path) -> None:
    path = workspace / "paude.json"
    path.symlink_to("missing")

    with pytest.raises(JsonFileError) as caught:
        read_settings(str(workspace), "none", {})
    assert (
        str(caught.value) == f"{path}: cannot be read: No such file or directory; restore it, or remove the link to it"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("auto", "auto"),
        ("none", "none"),
        (" none ", "none"),
        (".venv", (".venv",)),
        (".venv,env", (".venv", "env")),
        (" .venv , packages/api/.venv ", (".venv", "packages/api/.venv")),
        ("./a//b/.", ("a/b",)),
        ("./auto,./none", ("auto", "none")),
        ("automatic", ("automatic",)),
        ("./nnoe", ("nnoe",)),
        ("nnoe,env", ("nnoe", "env")),
        ("a/nnoe", ("a/nnoe",)),
        *((name, (name,)) for name in ("env", "venv", ".venv", "virtualenv", "new", "envs", "non-free", "nova")),
        ("with space", ("with space",)),
        ('["a"]', ('["a"]',)),
    ],
)
def test_a_flag_or_variable_holds_a_mode_or_names_with_commas(text: str, expected: str | tuple[str, ...]) -> None:
    assert parse_venv_text(text, "--venv") == expected


# ---- What is refused
MODE = "is a mode; write it alone, or"


NAME_PROBLEMS = {
    "": "{where}: is empty; write a directory's name, or remove the entry",
    " ": '{where}: " " begins or ends a name with a blank; remove it',
    " a": '{where}: " a" begins or ends a name with a blank; remove it',
    "a ": '{where}: "a " begins or ends a name with a blank; remove it',
    "a\n": '{where}: "a\\n" begins or ends a name with a blank; remove it',
    "a\u00a0": '{where}: "a\\xa0" begins or ends a name with a blank; remove it',
    "./ a": '{where}: "./ a" begins or ends a name with a blank; remove it',
    "a /b": '{where}: "a /b" begins or ends a name with a blank; remove it',
    "a\nb": '{where}: "a\\nb" holds a control character; rename the directory',
    "a\x00": '{where}: "a\\x00" holds a control character; rename the directory',
    "\x1b[0m": '{where}: "\\x1b[0m" holds a control character; rename the directory',
    "a\x7f": '{where}: "a\\x7f" holds a control character; rename the directory',
    "a\x9fb": '{where}: "a\\x9fb" holds a control character; rename the directory',
    "/": '{where}: "/" is absolute; write it relative to the workspace folder',
    "/srv/venv": '{where}: "/srv/venv" is absolute; write it relative to the workspace folder',
    "//srv": '{where}: "//srv" is absolute; write it relative to the workspace folder',
    "..": '{where}: ".." may leave the workspace folder; write it without ".."',
    "../env": '{where}: "../env" may leave the workspace folder; write it without ".."',
    "a/../b": '{where}: "a/../b" may leave the workspace folder; write it without ".."',
    "a/..": '{where}: "a/.." may leave the workspace folder; write it without ".."',
    ".": '{where}: "." is the workspace folder itself, which holds the source; name a directory in it',
    "././/": '{where}: "././/" is the workspace folder itself, which holds the source; name a directory in it',
}
VENV_PROBLEMS: list[tuple[object, str]] = [
    ("Auto", f'venv: "Auto" is not known (did you mean "auto"?); {KINDS}'),
    ("NONE", f'venv: "NONE" is not known (did you mean "none"?); {KINDS}'),
    ("no", f'venv: "no" is not known (did you mean "none"?); {KINDS}'),
    ("Off", f'venv: "Off" is not known (did you mean "none"?); {KINDS}'),
    ("yes", f'venv: "yes" is not known (did you mean "auto"?); {KINDS}'),
    (False, f'venv: false is not known (did you mean "none"?); {KINDS}'),
    (
        ["a/**/.venv"],
        'venv[0]: "a/**/.venv" is a pattern of any depth; write one * for each level, as in packages/*/.venv',
    ),
    (".venv", f'venv: ".venv" is not known (did you mean [".venv"]?); {KINDS}'),
    ("a\nb", f'venv: "a\\nb" is not known (did you mean ["a\\nb"]?); {KINDS}'),
    ("", f'venv: "" is not known; {KINDS}'),
    (None, 'venv: must be "auto", "none" or a list of directories, not null'),
    (True, f'venv: true is not known (did you mean "auto"?); {KINDS}'),
    (1, 'venv: must be "auto", "none" or a list of directories, not a number'),
    (1.5, 'venv: must be "auto", "none" or a list of directories, not a number'),
    ({}, 'venv: must be "auto", "none" or a list of directories, not an object'),
    (["a", 1], "venv[1]: must be text, not a number; write a directory's name"),
    ([None], "venv[0]: must be text, not null; write a directory's name"),
    ([["a"]], "venv[0]: must be text, not a list; write a directory's name"),
    *((["a", name], problem.format(where="venv[1]")) for name, problem in NAME_PROBLEMS.items()),
]
ONLY_VENV = 'is for "venv" only; remove it, or write'
ALSO_PROBLEMS: list[tuple[object, str]] = [
    *(
        (value, f'venv-also: must be a list of directories such as ["node_modules"], not {kind}')
        for value, kind in (
            ("node_modules", "text"),
            ("auto", "text"),
            ({}, "an object"),
            (None, "null"),
            (1, "a number"),
        )
    ),
    (["auto"], f'venv-also[0]: "auto" {ONLY_VENV} "./auto" for a directory'),
    (["x", "none"], f'venv-also[1]: "none" {ONLY_VENV} "./none" for a directory'),
    (["x"] * 101, "venv-also: lists 101 directories; 100 is the most, so list fewer"),
    (["a", 1], "venv-also[1]: must be text, not a number; write a directory's name"),
    *((["a", name], problem.format(where="venv-also[1]")) for name, problem in NAME_PROBLEMS.items()),
]
TMPFS_PROBLEMS: list[tuple[object, str]] = [
    (None, 'venv-tmpfs: must be an object such as {"size": "2g"}, not null'),
    ("2g", 'venv-tmpfs: must be an object such as {"size": "2g"}, not text'),
    ([], 'venv-tmpfs: must be an object such as {"size": "2g"}, not a list'),
    ({"Size": "2g"}, 'venv-tmpfs: key "Size" is not known (did you mean "size"?); use size, uid, gid'),
    ({"size": "2g", "mode": 1}, 'venv-tmpfs: key "mode" is not known; use size, uid, gid'),
    ({"\x1b": 1}, 'venv-tmpfs: key "\\x1b" is not known; use size, uid, gid'),
    ({"size": None}, 'venv-tmpfs.size: must be text such as "2g" or "50%", not null'),
    ({"size": 2}, 'venv-tmpfs.size: must be text such as "2g" or "50%", not a number'),
    ({"size": "2gb"}, f'venv-tmpfs.size: "2gb" is no size; {NO_SIZE}'),
    *(
        ({key: value}, f"venv-tmpfs.{key}: must be a whole number from 0 to 4294967294")
        for key in ("uid", "gid")
        for value in (None, True, "1000", 1.5, -1, 4294967295, [1])
    ),
]


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [("venv", *case) for case in VENV_PROBLEMS]
    + [("venv-also", *case) for case in ALSO_PROBLEMS]
    + [("venv-tmpfs", *case) for case in TMPFS_PROBLEMS],
)
def test_a_wrong_value_is_refused_with_its_place(workspace: Path, key: str, value: object, problem: str) -> None:
    path = _project(workspace, {key: value})

    assert _refusal(workspace) == f"{path}: {problem}"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Auto", f': "Auto" is not known (did you mean "auto"?); {KINDS}'),
        ("off", f': "off" is not known (did you mean "none"?); {KINDS}'),
        ("0", f': "0" is not known (did you mean "none"?); {KINDS}'),
        (" no ", f': "no" is not known (did you mean "none"?); {KINDS}'),
        ("FALSE", f': "FALSE" is not known (did you mean "none"?); {KINDS}'),
        ("on", f': "on" is not known (did you mean "auto"?); {KINDS}'),
        (" NONE", f': "NONE" is not known (did you mean "none"?); {KINDS}'),
        ("nnoe", f': "nnoe" is not known (did you mean "none"?); {KINDS}, "./nnoe" for one of that name'),
        (" Non", f': "Non" is not known (did you mean "none"?); {KINDS}, "./Non" for one of that name'),
        ("atuo", f': "atuo" is not known (did you mean "auto"?); {KINDS}, "./atuo" for one of that name'),
        (
            "auto\n\x07",
            f': "auto\\n\\x07" is not known (did you mean "auto"?); {KINDS}, "./auto\\n\\x07" for one of that name',
        ),
        ("a,", "[1]: is empty; write a directory's name, or remove the entry"),
        (",", "[0]: is empty; write a directory's name, or remove the entry"),
        (" ", "[0]: is empty; write a directory's name, or remove the entry"),
        ("/a", '[0]: "/a" is absolute; write it relative to the workspace folder'),
        ("a,../b", '[1]: "../b" may leave the workspace folder; write it without ".."'),
        ("auto,none", f'[0]: "auto" {MODE} "./auto" for a directory of that name'),
        ("env,none", f'[1]: "none" {MODE} "./none" for a directory of that name'),
        ("none, .venv", f'[0]: "none" {MODE} "./none" for a directory of that name'),
        ("\udcff", '[0]: "\\udcff" is not UTF-8, which no engine can mount; rename the directory'),
    ],
)
def test_a_wrong_flag_or_variable_is_refused_by_its_name(workspace: Path, text: str, problem: str) -> None:
    assert _refusal(workspace, text) == "--venv" + problem
    assert _refusal(workspace, None, {"PAUDE_VENV": text}) == "PAUDE_VENV" + problem


def test_a_mode_in_a_list_is_refused_and_a_directory_of_that_name_can_be_said(workspace: Path) -> None:
    path = _project(workspace, {"venv": ["none"]})
    assert _refusal(workspace) == f'{path}: venv[0]: "none" {MODE} "./none" for a directory of that name'

    _project(workspace, {"venv": ["./none", "auto/", "sub/auto"]})
    assert read_settings(str(workspace), None, {}).venv == ("none", "auto", "sub/auto")
    assert read_settings(str(workspace), "./auto,env", {}).venv == ("auto", "env")


def test_an_empty_flag_is_refused(workspace: Path) -> None:
    assert _refusal(workspace, "") == "--venv[0]: is empty; write a directory's name, or remove the entry"


@pytest.mark.parametrize(
    "size",
    ["1", "512k", "512K", "2g", "2G", "3t", "7P", "7e", "1%", "50%", "100%", str(2**63 - 1), "8191p"],
)
def test_a_size_that_the_kernel_takes_is_taken(size: str) -> None:
    check_size(size, "size")


@pytest.mark.parametrize(
    "size",
    [
        *("", " ", "g", "%", "-1", "+1", "1.5g", "1e3", "2 g", " 2g", "2g ", "2g\n", "2gb", "2gi", "2%%", "5k%"),
        *("0", "0g", "0%", "010g", "08g", "0x10m", "00", "1_000", "１g", "٣g", "1٣g"),  # noqa: RUF001 - digits that are no ASCII
        *("101%", "8e", "8192p", str(2**63), "9" * 5000 + "k"),
        *("2g,uid=0", "2g\x00"),
    ],
)
def test_a_size_that_the_kernel_refuses_or_takes_for_another_is_refused(size: str) -> None:
    """A leading 0 is octal to the kernel, 0 is no limit, and 2**64 bytes wrap around to it."""
    with pytest.raises(SettingsError) as caught:
        check_size(size, "size")

    shown = size.replace("\n", "\\n").replace("\x00", "\\x00")
    assert str(caught.value) == f'size: "{shown}" is no size; {NO_SIZE}'


# ---- Keys that look like ours


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("venvs", "venv"),
        ("Venv", "venv"),
        ("vnev", "venv"),
        (".venv", "venv"),
        ("venv_tmpfs", "venv-tmpfs"),
        ("venvTmpfs", "venv-tmpfs"),
        ("venv_storage", "venv-storage"),
        ("venv-store", "venv-storage"),
        ("venv-tmpf", "venv-tmpfs"),
        ("venv_also", "venv-also"),
        ("venv-too", "venv-also"),
        ("venv\n", "venv"),
    ],
)
def test_a_key_that_looks_like_a_misspelling_warns(workspace: Path, key: str, hint: str) -> None:
    project, user = _project(workspace, {key: 1}), _user({key: 1})

    shown = key.replace("\n", "\\n")
    assert read_settings(str(workspace), None, {}).warnings == tuple(
        f'{path}: key "{shown}" is not known here (did you mean "{hint}"?)' for path in (project, user)
    )


def test_other_keys_are_left_alone(workspace: Path) -> None:
    keys = ("", "$schema", "image", "env", "volumes", "verbose", "version", "vscode", "virtual", "tmpfs", "network")
    _project(workspace, dict.fromkeys(keys, "whatever") | {"venv": "auto", "venv-tmpfs": {}})

    assert read_settings(str(workspace), None, {}).warnings == ()


# ---- Names

# Characters of which trouble is made, and strings in which some stand together.
NAMES = st.text(st.sampled_from("./a\\ :~\n\x85\u2028\udcff-…$*"), max_size=8) | st.text(max_size=8)


@settings(deadline=None)
@given(NAMES)
@example("...")
@example("a/./b//c/")
@example("~/a")
@example("C:\\a")
def test_a_name_that_is_taken_is_normal_and_stays_in_the_workspace_folder(name: str) -> None:
    try:
        found = check_name(name, "venv[0]")
    except SettingsError as error:
        refusal = str(error)
    else:
        refusal = ""
    if refusal:
        assert refusal.startswith("venv[0]: ")
        assert refusal.isprintable()
        return
    path = posixpath.normpath(f"/home/me/app/{found}")
    assert path.startswith("/home/me/app/")
    assert posixpath.normpath(found) == found == posixpath.normpath(name)
    assert check_name(found, "venv[0]") == found


def test_a_backslash_is_part_of_a_name_where_it_does_not_separate_names() -> None:
    assert check_name("a\\b", "") == ("a/b" if os.sep == "\\" else "a\\b")


@pytest.mark.parametrize(
    ("name", "control", "utf8"),
    [
        ("", False, True),
        ("a b\u00a0é😀\u2028", False, True),
        ("a\tb", True, True),
        ("\x00", True, True),
        ("\x1f", True, True),
        ("\x7f", True, True),
        ("\x80", True, True),
        ("\x9f", True, True),
        ("\udcff", False, False),
    ],
)
def test_what_no_engine_can_mount_is_told_apart(name: str, control: bool, utf8: bool) -> None:
    assert (has_control_characters(name), is_utf8(name)) == (control, utf8)


# ---- The schema says the same

SCHEMA = json.loads(resources.files("paude_venv_hook").joinpath("schemas/paude.json").read_text("utf-8"))


def _agree(folder: Path, document: dict[str, Any]) -> bool:
    """Tell whether schema and code are of one mind about what the folder's paude.json holds."""
    _project(folder, document)
    try:
        read_settings(str(folder), None, {})
    except HookError:
        return not Draft202012Validator(SCHEMA).is_valid(document)
    return bool(Draft202012Validator(SCHEMA).is_valid(document))


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


ANY_JSON: st.SearchStrategy[object] = (
    st.none() | st.booleans() | st.integers(-3, 3) | st.just(1.5) | st.just([]) | st.just({}) | st.text(max_size=3)
)
SIZES = st.from_regex(r"[0-9]{0,2}[kmgtpKMGTP]?b?", fullmatch=True) | st.from_regex(r"[0-9]{1,2}%", fullmatch=True)
IDS = st.integers(-1, 2) | st.integers(2**32 - 3, 2**32)
DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "venv": st.lists(NAMES.filter(is_utf8) | ANY_JSON, max_size=2) | st.sampled_from(["auto", "none"]) | ANY_JSON,
        "venv-also": st.lists(NAMES.filter(is_utf8) | ANY_JSON, max_size=2) | ANY_JSON,
        "venv-tmpfs": ANY_JSON
        | st.fixed_dictionaries({}, optional={"size": SIZES | ANY_JSON, "uid": IDS, "gid": ANY_JSON, "mode": IDS}),
        "venv-storage": st.sampled_from(["auto", "memory", "disk"]) | ANY_JSON,
        "image": ANY_JSON,
    },
)


@pytest.mark.parametrize(
    "document",
    [{}, {"image": 1}, {"venv": "auto"}, {"venv": "none"}, {"venv": []}, {"venv": ["...", ".a", "a\\b", "a..b"]}]
    + [{"venv": ["a"] * 100}, {"venv": ["a"] * 101}, {"venv": ["auto"]}, {"venv": ["./auto", "autos", "a/none"]}]
    + [{"venv-tmpfs": {"size": size}} for size in ("2g", "100%", "0", "010g", "2gb", " 2g")]
    + [{"venv": value} for value, _ in VENV_PROBLEMS]
    + [{"venv-also": value} for value in ([], ["a"] * 100, ["./auto", "*/x"], *(value for value, _ in ALSO_PROBLEMS))]
    + [{"venv-storage": value} for value in ("auto", "memory", "disk", *(value for value, _ in STORAGE_PROBLEMS))]
    + [{"venv-tmpfs": value} for value, _ in TMPFS_PROBLEMS],
)
def test_schema_and_code_agree_on_every_known_case(workspace: Path, document: dict[str, Any]) -> None:
    assert _agree(workspace, document)


@pytest.mark.parametrize("tmpfs", [{"size": "9e"}, {"size": "101%"}, {"uid": 1000.0}])
def test_the_code_is_stricter_where_json_schema_can_neither_calculate_nor_tell_floats(
    workspace: Path, tmpfs: dict[str, Any]
) -> None:
    assert not _agree(workspace, {"venv-tmpfs": tmpfs})
    assert Draft202012Validator(SCHEMA).is_valid({"venv-tmpfs": tmpfs})


@settings(deadline=None)
@given(document=DOCUMENTS)
def test_schema_and_code_agree_on_generated_values(
    tmp_path_factory: pytest.TempPathFactory, document: dict[str, Any]
) -> None:
    folder = tmp_path_factory.getbasetemp() / "generated"  # for all examples
    folder.mkdir(exist_ok=True)
    assert _agree(folder, document)
