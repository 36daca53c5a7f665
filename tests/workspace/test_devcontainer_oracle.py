"""devcontainer.json is read as its own tools read it: each case is put to the `devcontainer` command as well.

No engine is needed. Each difference that remains is an entry of the table, with our answer and the reason.
"""

from __future__ import annotations

import csv
import json
import os
import posixpath
import shlex
import subprocess
from collections.abc import Generator, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import NamedTuple

import pytest

from lab import need_devcontainer_cli
from paude_venv_hook.engines.mounts import mounts_in
from paude_venv_hook.engines.run_grammar import read_options
from paude_venv_hook.errors import HookError
from paude_venv_hook.workspace.devcontainer import find_devcontainer, read_devcontainer
from paude_venv_hook.workspace.variables import substitution

FILE, SECOND_FILE = ".devcontainer/devcontainer.json", ".devcontainer.json"
NOT_FOUND, REFUSED = "no devcontainer.json", "refused"

# How the folders lie: the workspace folder, and the shell commands that make what is around it.
FUNCTIONS = """
init() { for folder; do git init -q -- "$folder"; done; }
commit() { init "$1"; git -C "$1" commit -q --allow-empty -m x; }
"""
LAYOUTS = {
    "a folder": ("app", ""),
    "a git root": ("app", "init app"),
    "below a git root": ("repo/app", "init repo"),
    "deep below a git root": ("repo/a/b/app", "init repo"),
    "a git root in another": ("repo/app", "init repo repo/app"),
    "below a git root in another": ("repo/inner/app", "init repo repo/inner"),
    "a worktree": ("app", "commit repo; git -C repo worktree add -q ../app"),
    "below a worktree": ("tree/app", "commit repo; git -C repo worktree add -q ../tree"),
    "a worktree in its repository": ("repo/app", "commit repo; git -C repo worktree add -q app"),
    "a worktree that lost its repository": ("app", "commit repo; git -C repo worktree add -q ../app; rm -r repo"),
    "a git root with its .git elsewhere": ("app", "git init -q --separate-git-dir elsewhere app"),
    "a git root with a symlinked .git": ("app", "init repo; mkdir app; ln -s ../repo/.git app/.git"),
    "a git root with a detached HEAD": ("app", "commit app; git -C app checkout -q --detach"),
    "an empty .git": ("app", "mkdir -p app/.git"),
    "an empty .git below a git root": ("repo/app", "init repo; mkdir -p repo/app/.git"),
    "a .git file of garbage": ("app", "mkdir app; echo garbage > app/.git"),
    "a .git file of garbage below a git root": ("repo/app", "init repo; mkdir repo/app; echo x > repo/app/.git"),
    "a dangling .git below a git root": ("repo/app", "init repo; mkdir repo/app; ln -s nowhere repo/app/.git"),
    "a HEAD of garbage": ("app", "init app; echo garbage > app/.git/HEAD"),
    "a HEAD of garbage below a git root": ("repo/app", "init repo repo/app; echo x > repo/app/.git/HEAD"),
    "an empty HEAD below a git root": ("repo/app", "init repo repo/app; : > repo/app/.git/HEAD"),
    "a .git without objects below a git root": ("repo/app", "init repo repo/app; rm -r repo/app/.git/objects"),
    "a .git without config below a git root": ("repo/app", "init repo repo/app; rm repo/app/.git/config"),
    "core.bare": ("app", "init app; git -C app config core.bare true"),
    "core.bare below a git root": ("repo/app", "init repo repo/app; git -C repo/app config core.bare true"),
    "core.worktree above": ("x/app", "init x/app; git -C x/app config core.worktree ../../.."),
    "core.worktree beside": ("app", "init app; mkdir other; git -C app config core.worktree ../../other"),
    "core.worktree below": ("app", "init app; mkdir app/below; git -C app config Core.WorkTree ../below"),
    "a broken git configuration": ("app", "init app; echo '[' >> app/.git/config"),
    "an unknown repository format": ("app", "init app; git -C app config core.repositoryformatversion 99"),
    "a bare repository": ("app", "git init -q --bare app"),
    "below a bare repository": ("repo.git/app", "git init -q --bare repo.git"),
    "a .git folder": ("repo/.git", "init repo"),
    "a symlink to a folder": ("link", "mkdir app; ln -s app link"),
    "a symlink to a git root": ("link", "init app; ln -s app link"),
    "a symlink to below a git root": ("x/y/link", "init repo; mkdir -p repo/a/b x/y; ln -s ../../repo/a/b x/y/link"),
    "a symlink to deep below a git root": ("link", "init repo; mkdir -p repo/a/b; ln -s repo/a/b link"),
    "a symlink in a git root to above it": ("repo/a/b/link", "init repo; mkdir -p repo/a/b; ln -s .. repo/a/b/link"),
    "a symlink in a git root to below itself": ("repo/link", "init repo; mkdir -p repo/a/b; ln -s a/b repo/link"),
    "a symlink in a git root to elsewhere": ("repo/link", "init repo; mkdir app; ln -s ../app repo/link"),
    "below a symlink to a git root": ("link/app", "init repo; ln -s repo link"),
    "below a symlink to a folder of a git root": ("link/app", "init repo; mkdir repo/a; ln -s repo/a link"),
    "a slash at the end": ("repo/app/", "init repo"),
    "dots in the path": ("repo/./a/../app", "init repo; mkdir repo/a"),
    "two git roots": ("app", "init app other"),
    "below a git root, with no git on PATH": ("repo/app", 'init repo; mkdir bin; ln -s "$(command -v node)" bin/node'),
}  # fmt: skip
NAMES = (
    'a,"b', "a.code-workspace", "a b", " a", "a ", "a\xa0", "a,b", 'a"b', "a'b", "a:b", "a=b", "a;b", "a&b", "a\\b",
    "a%20b", "a#b?c", "a$b", "$HOME", "${localEnv:SET}", "${localWorkspaceFolder}", "${devcontainerId}", "-a", ".a",
    "a.", "ünïcode", "u\u0308", "日本", "😀", "a\u2028b",
)  # fmt: skip
LAYOUTS |= {f"the name {name!r}": (name, "") for name in NAMES}
LAYOUTS |= {f"below the git root {name!r}": (f"{name}/app", f"init {shlex.quote(name)}") for name in NAMES}

ABSENT = object()
MOUNT = "type=bind,source=${localWorkspaceFolder},target=/m"
BOTH_KEYS = [
    {key: value for key, value in (("workspaceFolder", folder), ("workspaceMount", mount)) if value is not ABSENT}
    for folder, mount in product((ABSENT, None, "", "/w/app"), (ABSENT, None, "", MOUNT))
]

VARIABLES = {"SET": "set", "EMPTY": "", "COLON": "a:b", "NESTED": "${localEnv:SET}", "ID": "${devcontainerId}"}
TEXTS = (
    "${localEnv:SET}", "${env:SET}", "${localEnv:UNSET}", "${env:UNSET}", "${localEnv:EMPTY}", "${localEnv:COLON}",
    "${localEnv:NESTED}", "${localEnv:ID}", "${localEnv:set}", "${LocalEnv:SET}", "${localEnv: SET}",
    "${ localEnv:SET}", "${localEnv:UNSET:default}", "${localEnv:SET:default}", "${localEnv:EMPTY:default}",
    "${localEnv:UNSET:}", "${localEnv:UNSET:a:b}", "${localEnv:UNSET:/a/b}", "${localEnv:}", "${localEnv::default}",
    "${localEnv:a=b:default}", "${localEnv:UNSET:${localEnv:SET}}", "${localEnv:${localEnv:SET}}",
    "${localEnv:UNSET:${devcontainerId}}", "${localEnv:UNSET:${localEnv:UNSET:x}}", "${localEnv:SET}${localEnv:SET}",
    "$${localEnv:SET}", "\\${localEnv:SET}", "$localEnv:SET", "$(localEnv:SET)", "${localEnv:SET", "localEnv:SET}",
    "${}", "${:}", "${::}", "${ }", "$", "${", "${localWorkspaceFolder}", "${localWorkspaceFolderBasename}",
    "${localWorkspaceFolder:SET}", "${localworkspacefolder}", "${containerWorkspaceFolder}",
    "${containerWorkspaceFolderBasename}", "${containerWorkspaceFolder:x}", "${containerWorkspaceFolderBasename}/",
    "${devcontainerId}", "${devcontainerId:x}", "${containerEnv:SET}", "${containerEnv:SET:default}", "${containerEnv}",
    "${unknown}", "${unknown:SET}", "${config:x}", "${localEnv:to\nString}", "${localEnv\r:SET}", "${localEnv:UNSET\r}",
    "${localEnv:UNSET\u2028}", "${localEnv:toString}", "${__proto__}",
)  # fmt: skip
FOLDERS = [
    *(text for text in TEXTS if "ontainer" in text), "relative", "/", "/w/", "/w//x/../y/.",
    "/w/${localWorkspaceFolderBasename}", "/w/${containerWorkspaceFolderBasename}",
    "/w/${containerWorkspaceFolderBasename}/", "/${localEnv:SET}", "${localEnv:UNSET}", "${localEnv:EMPTY:/w}",
    "${localEnv}", "${env}", "/${localEnv:UNSET:${localEnv:SET}}", "/w/a,b", "/w/ü", "/w/a b",
]  # fmt: skip
MOUNTS = (
    "type=bind,src=/s,dst=/t", "type=bind,source=/s,destination=/t", "dst=/t,src=/s,type=bind",
    "type=bind,src=/s,target=/t", "type=bind,source=/s,target=/t,consistency=cached",
    "type=bind,source=/s,target=/t,readonly", "source=/s,type=bind,dst=/t",
    "type=bind,source=/s,source=/s2,target=/t,target=/t2", "type=bind,source=/s,src=/s2,dst=/t,target=/t2",
    "type=bind,src=/s,source=/s2,target=/t,dst=/t2,destination=/t3", "Type=Bind,SOURCE=/s,Target=/t",
    "type=bind,source=/s/,target=/t/", "type=bind,source=/s//x/../y,target=/t/./x/../y//z",
    'type=bind,"source=/s,x","target=/t,x"', 'type=bind,"source=/s ""x""",target=/t', "type=bind,source=.,target=/t",
    "type=bind,source=../x,target=/t", "type=bind,source=/a=b,target=/c=d", "type=bind,source=/s,target=/t\\",
    "type=bind,source=${localWorkspaceFolder}/..,target=/t",
    "type=bind,source=/s,target=/w/${localWorkspaceFolderBasename}",
    "type=bind,source=/${localEnv:SET},target=/${localEnv:SET}",
    "type=bind,source=${localEnv:UNSET:/default},target=${containerWorkspaceFolder}",
    "type=bind,source=/s,target=/w/${containerWorkspaceFolderBasename}",
    "type=bind,source=/s,target=/${devcontainerId}", "type=bind,source=/s,target=/${localEnv:ID}",
    "type=bind,source=/s,target=/${containerEnv:SET}", "${localEnv:UNSET}", "${localEnv:EMPTY:x}", "${localEnv}",
)  # fmt: skip
NO_BIND = ("source=s,target=/t", "type=volume,source=v,target=/t", "type=tmpfs,target=/t", "garbage", " ")
INCOMPLETE = (
    "type=bind,target=/t", "type=bind,source=/s", "type=bind,source=,target=/t", "type=bind,source=/s,target=",
    "type=bind,source=/s,target=t", "type=bind,source=/s,target=${localEnv:UNSET}", "type=bind,source=/s,target=/\x07",
    "type=bind,source=/\0,target=/t",
)  # fmt: skip
NO_TEXTS: tuple[object, ...] = (5, True, [], {}, ["/w"])
WRONG_TYPES: list[dict[str, object]] = [
    *({"workspaceMount": value} for value in (0, False, *NO_TEXTS)), {"workspaceFolder": 0}, {"workspaceFolder": False},
    {"runArgs": "-v /a:/b"}, {"runArgs": [1]}, {"runArgs": {}}, {"mounts": "type=bind"}, {"mounts": [1]},
    {"mounts": {}},
]  # fmt: skip

SYNTAX = (
    '{"workspaceFolder": "/w",}', '{"workspaceFolder": "/w", "x": [1, 2,], "y": {"z": 1,},}',
    '\ufeff{"workspaceFolder": "/w"}', '// a\n{"workspaceFolder": "/w"} // b',
    '/* a */{/**/"workspaceFolder"/* b */:/* c */"/w"/* d */,/* e */}/* f */', '{"workspaceFolder": "/w" // a\r\n}',
    '{// a\r"workspaceFolder": "/w"\r}', '{"workspaceFolder": "/w//x/*y*/,}"}',
    '{"x": "\\"// a", "workspaceFolder": "/w"}', '{"x": "\\\\", /* " */ "workspaceFolder": "/w"}',
    '{"x": "/*", "y": "*/"}', '{/* // */"workspaceFolder": "/w"}', '{// /*\n"workspaceFolder": "/w"}',
    '{/*/ "workspaceFolder": "/x", /*/ "x": 1}', '{"workspaceFolder": "/v", "workspaceFolder": "/w"}',
    '{"workspaceFolder": "/v", "workspaceFolder": null}', '{"WorkspaceFolder": "/w"}',
    '{"workspace\\u0046older": "/\\u0077"}', '{"workspaceFolder": "/\\ud83d\\ude00\\/x"}',
    '{"x": {"workspaceFolder": "/w"}}', '\n\n  {\n\t"workspaceFolder" :\r\n "/w" }\n\n',
    '{"workspaceFolder": "/ü日😀"}', '{"x": 1e5, "y": -0.5E-3, "z": true, "workspaceFolder": "/w"}',
    '{"workspaceFolder": "/w", "settings": {}, "extensions": []}', b'{"workspaceFolder": "/w\xff\xe2\x82\xc3\xa4"}',
    "[" * 500 + "]" * 500, "{" + '"a":{' * 500 + "}" * 501, "", " \n", "// only a comment", "[]", '["workspaceFolder"]',
    "null", '"text"', "1", "true", "garbage",
    # missing commas
    '{"x": 1 "workspaceFolder": "/w"}', '{"x": []\n"workspaceFolder": "/w"\n"image": "z"',
    '{"x": "y""workspaceFolder":"/w"}',
    '{"x": ["a" "b" {} []] "workspaceFolder": "/w"}', '{"x": {"y": null} /**/ "workspaceFolder": "/w"}',
    # brackets that are missing at the end, and what follows the last one
    '{"workspaceFolder": "/w"', '{"workspaceFolder": "/w",', '{"workspaceFolder": "/w", // a\n', "{",
    '{"x": [1, {"y": 2, "workspaceFolder": "/w"', '{"workspaceFolder": "/w", "x": [',
    '{"workspaceFolder": "/w", "x": [1,', '{"x": {"y": [], "workspaceFolder": "/w"}',
    '{"workspaceFolder": "/w", "x": "{"', '{"workspaceFolder": "/w" /* }', '{"workspaceFolder": "/w"}}',
    '{"workspaceFolder": "/w"}]', '{"workspaceFolder": "/w"} {}', '{"workspaceFolder": "/w"} # x',
    '{"workspaceFolder": "/w"} garbage {', '{"workspaceFolder": "/w"}, "x": "',
)  # fmt: skip
BROKEN = (
    '{"x" 1, "workspaceFolder": "/w"}',
    '{"workspaceFolder": "/w",,}', '{"workspaceFolder": "/w", "x": {"y": ', '{"x": [1}, "workspaceFolder": "/w"}',
    '{, "workspaceFolder": "/w"}', '{"x": [1,,2]}', '{"x": [,]}', '{"workspaceFolder": "/w',
    '{"workspaceFolder": "/w\n"}', '{"workspaceFolder": "/w", "x"', "{'workspaceFolder': '/w'",
    '{"workspaceFolder": "/\\u12"}', '{"workspaceFolder": "/\\ud83d"}', '{"x": }', '{"x": undefined}', '{"x": 01}',
)  # fmt: skip


# Variables that change what git says, `WS` is the workspace folder.
SETTINGS_OF_GIT = (
    ("GIT_DIR", "WS/../other/.git", "two git roots"),
    ("GIT_DIR", "", "below a git root"),
    ("GIT_WORK_TREE", "WS/..", "two git roots"),
    ("GIT_WORK_TREE", "WS/../other", "two git roots"),
    ("GIT_CEILING_DIRECTORIES", "WS/..", "a git root"),
    ("GIT_CEILING_DIRECTORIES", "WS/..", "below a git root"),
    ("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1", "a git root"),
    ("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1", "below a git root"),
    ("PATH", "WS/../../bin", "below a git root, with no git on PATH"),
)
V, W = {"workspaceFolder": "/v"}, {"workspaceFolder": "/w"}
# Where the file is: shell commands, and the files that are then written into the workspace `app`.
Places = tuple[tuple[str, dict[str, object]], ...]
PLACES: Places = (
    ("", {SECOND_FILE: W}),
    ("", {FILE: W, SECOND_FILE: V}),
    ("", {FILE: "", SECOND_FILE: W}),
    ("mkdir -p app/.devcontainer/devcontainer.json", {SECOND_FILE: W}),
    ("mkdir -p app/.devcontainer; ln -s x app/.devcontainer/devcontainer.json", {SECOND_FILE: W}),
    ("mkdir app; echo '{}' > x; ln -s ../x app/.devcontainer.json", {}),
    ("mkdir app x; ln -s ../x app/.devcontainer", {FILE: W}),
    ("mkdir app; : > app/.devcontainer", {SECOND_FILE: W}),
)
NO_PLACES: Places = (
    ("", {}),
    ("", {".devcontainer/python/devcontainer.json": W}),
    ("", {"devcontainer.json": W}),
    ("echo '{}' > .devcontainer.json", {}),
    ("mkdir -p app/.devcontainer.json", {}),
)
NO_FILE = "the tools need a file, the hook does without"
EXPLAINED = {
    "the name 'a,\"b'": (
        'bind WS on /workspaces/a,"b, in /workspaces/a,"b',
        "the tools do not double the quote, so that no engine can read their mount",
    ),
    "below the git root 'a,\"b'": (
        'bind WS/.. on /workspaces/a,"b, in /workspaces/a,"b/app',
        "the same",
    ),
    "the name 'a.code-workspace'": (
        "bind WS on /workspaces/a.code-workspace, in /workspaces/a.code-workspace",
        "the tools take such a folder for a file and look beside it, so that they cannot open it",
    ),
}


class Case(NamedTuple):
    """What is put to both: the files of the workspace (JSON values, or whole texts), how folders lie, variables.

    Where our answer is another one on purpose, `ours` is that, and `why` the reason. `WS` is the workspace folder.
    """

    name: str
    files: Mapping[str, object]
    layout: tuple[str, str] = LAYOUTS["a folder"]
    environ: Mapping[str, str] = VARIABLES
    ours: str | None = None
    why: str = ""


def each(configs: Iterable[object], layout: str = "a folder", ours: str | None = None, why: str = "") -> list[Case]:
    """Return a case for each content of devcontainer.json."""
    return [
        Case(f"{config!r} in {layout}", {FILE: config}, LAYOUTS[layout], VARIABLES, ours, why) for config in configs
    ]


CASES = [
    *(Case(name, {FILE: {}}, layout, VARIABLES, *EXPLAINED.get(name, ())) for name, layout in LAYOUTS.items()),
    *(
        Case(f"{name}={value}, {layout}", {FILE: {}}, LAYOUTS[layout], {name: value})
        for name, value, layout in SETTINGS_OF_GIT
    ),
    *(Case(f"the places of the file: {script} {files}", files, ("app", script)) for script, files in PLACES),
    *(
        Case(f"no place for the file: {script} {files}", files, ("app", script), VARIABLES, NOT_FOUND, NO_FILE)
        for script, files in NO_PLACES
    ),
    *each(BOTH_KEYS),
    *each(BOTH_KEYS, "below a git root"),
    *each({"workspaceFolder": text} for text in FOLDERS),
    *each({"workspaceFolder": "/w/", "workspaceMount": text} for text in MOUNTS),
    *each(
        ({"workspaceFolder": "/w", "workspaceMount": text} for text in NO_BIND),
        ours="no mount, in /w",
        why="what is no bind mount carries nothing of the host's, and without a type a mount is a volume",
    ),
    *each(
        [{"workspaceFolder": "/w", "workspaceMount": "source=/s,target=/t"}],
        ours="bind /s on /t, in /w",
        why="no volume has such a name: nerdctl binds the path, and the other engines refuse to start",
    ),
    *each(
        ({"workspaceFolder": "/w", "workspaceMount": text} for text in INCOMPLETE),
        ours=REFUSED,
        why="no engine makes such a mount",
    ),
    *each(WRONG_TYPES, ours=REFUSED, why="reading lets it pass, launching then stumbles over it or ignores it"),
    *each({"workspaceFolder": value} for value in NO_TEXTS),
    *each(SYNTAX),
    *each(BROKEN, ours=REFUSED, why="the tools guess what a broken file means, we say where it is broken"),
    *each(
        [{"image": "${localEnv}"}],
        ours="bind WS on /workspaces/app, in /workspaces/app",
        why="the tools replace variables in the whole file, we only in what we need of it",
    ),
    *each({"dockerComposeFile": "c.yml", **keys} for keys in BOTH_KEYS if not keys.get("workspaceMount")),
    *each([{"dockerComposeFile": None}, {"dockerComposeFile": ["c.yml"], "image": "x"}], "below a git root"),
    *each(
        [{"dockerComposeFile": "c.yml", "workspaceFolder": "/w", "workspaceMount": MOUNT}],
        ours="no mount, in /w",
        why="the tools show the mount that they then ignore beside compose files",
    ),
]


def lay_out(case: Case, root: Path) -> tuple[str, dict[str, str]]:
    """Return the workspace folder, as a user would write it, and the variables for both."""
    workspace = os.path.join(root, case.layout[0])
    environ = {"PATH": os.environ["PATH"], "HOME": str(root), "GIT_CONFIG_NOSYSTEM": "1"}
    environ["GIT_CEILING_DIRECTORIES"] = str(root)
    author = {f"GIT_{who}_{what}": "x@x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    subprocess.run(["/bin/sh", "-ec", FUNCTIONS + case.layout[1]], cwd=root, env=environ | author, check=True)
    os.makedirs(workspace, exist_ok=True)
    for name, content in case.files.items():
        path = Path(workspace, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        text = content if isinstance(content, (str, bytes)) else json.dumps(content)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
    return workspace, environ | {name: value.replace("WS", workspace) for name, value in case.environ.items()}


def ask_the_tools(command: str, workspace: str, environ: Mapping[str, str]) -> str:
    """Return the mount and the folder that they say, the paths as an engine would take them."""
    done = subprocess.run(
        [command, "read-configuration", "--workspace-folder", workspace, "--docker-path", "/bin/true"],
        env=environ,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        return REFUSED
    answer = json.loads(done.stdout)["workspace"]
    mount = {"type": "?", "source": "?", "target": "?"}
    for field in next(csv.reader([str(answer.get("workspaceMount") or "")]), []):
        key, _, value = field.partition("=")
        mount[{"src": "source", "dst": "target", "destination": "target"}.get(key.lower(), key.lower())] = value
    if not answer.get("workspaceMount"):
        return f"no mount, in {answer['workspaceFolder']}"
    source, target = os.path.normpath(os.path.join(workspace, mount["source"])), posixpath.normpath(mount["target"])
    return f"{mount['type'].lower()} {source} on {target}, in {answer['workspaceFolder']}"


def ask_us(workspace: str, environ: Mapping[str, str]) -> str:
    path = find_devcontainer(workspace)
    if path is None:
        return NOT_FOUND
    try:
        found = read_devcontainer(path, workspace, environ)
    except HookError:
        return REFUSED
    mount = f"bind {found.mount.source} on {found.mount.target}" if found.mount else "no mount"
    return f"{mount}, in {found.workspace_folder}"


@pytest.fixture(scope="module")
def devcontainer() -> str:
    return need_devcontainer_cli()


@pytest.fixture(scope="module")
def answers(
    devcontainer: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Generator[dict[str, tuple[str, dict[str, str], Future[str]]]]:
    """Put the selected cases to the tools, several at a time, since each start takes a fifth of a second."""
    functions = [item for item in request.session.items if isinstance(item, pytest.Function)]
    selected = {id(item.callspec.params["case"]) for item in functions if "answers" in item.fixturenames}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        asked = {}
        for case in CASES:
            if id(case) in selected:
                workspace, environ = lay_out(case, tmp_path_factory.mktemp("case"))
                asked[case.name] = workspace, environ, pool.submit(ask_the_tools, devcontainer, workspace, environ)
        yield asked


@pytest.mark.parametrize("case", CASES, ids=[ascii(case.name)[:100] for case in CASES])
def test_the_workspace_mount_is_the_one_of_the_tools(
    case: Case, answers: dict[str, tuple[str, dict[str, str], Future[str]]]
) -> None:
    workspace, environ, theirs = answers[case.name]
    ours = ask_us(os.path.abspath(workspace), environ)
    if case.ours is None:
        assert ours == theirs.result()
    else:
        assert ours == case.ours.replace("WS/..", os.path.dirname(workspace)).replace("WS", workspace)
        assert ours != theirs.result(), f"there is no difference, so strike its reason: {case.why}"


def test_each_case_has_a_name_of_its_own() -> None:
    assert len({case.name for case in CASES}) == len(CASES)


# An engine that writes down the line with which the tools start the container, and starts nothing.
ENGINE = """#!/bin/sh
case "$1" in
inspect)
    config='{"User": "root", "Env": [], "Labels": {}}'
    echo "[{\\"Id\\": \\"x\\", \\"Os\\": \\"linux\\", \\"Architecture\\": \\"amd64\\", \\"Config\\": $config}]" ;;
run) printf '%s\\0' "$@" > "$0.line"; exit 1 ;;
esac
"""
LAUNCHES: dict[str, dict[str, object]] = {
    "variables": {"workspaceFolder": "/w/${localEnv:SET}", "runArgs": [f"--label=x={text}" for text in TEXTS]},
    "the id in the mount": {
        "workspaceMount": "type=bind,src=${localWorkspaceFolder},dst=/w/${devcontainerId}",
        "workspaceFolder": "/w/${devcontainerId}",
        "runArgs": ["-v", "/a:${containerWorkspaceFolder}/a", "-v/b:/w/${devcontainerId}/b"],
    },
    "no mount": {"workspaceMount": "", "workspaceFolder": "/", "mounts": ["type=tmpfs,target=/t"]},
    "the default mount": {},
    "mounts in every spelling": {
        "mounts": [
            "type=volume,source=a,target=/a1",
            "source=a,dst=/a2/,type=volume",
            'type=bind,"source=${localWorkspaceFolder}/x,y","destination=/a3,"',
            {"type": "volume", "source": "a", "target": "${containerWorkspaceFolder}/a4"},
            {"type": "tmpfs", "target": "/a5/${devcontainerId}"},
        ],
        "runArgs": [
            "--init", "-v", "a:/b1", "-va:/b2:ro", "--volume", "/a:/b3/", "--volume=./a:/b4", "-v=/b5", "-itv", "a:/b6",
            "--mount", "type=tmpfs,dst=/b7", "--mount=type=bind,src=/,target=/b8,ro", "--tmpfs", "/b9",
            "--tmpfs=/b10:rw", "--name", "-v", "--label=-v", "--cap-add=ALL", "-e", "--tmpfs=/no", "-P",
            "--userns=keep-id", "-v", "a:/b11",
        ],
    },
}  # fmt: skip


@pytest.mark.parametrize("name", LAUNCHES)
def test_a_launch_mounts_what_was_read(name: str, devcontainer: str, tmp_path: Path) -> None:
    workspace, environ = lay_out(Case(name, {FILE: {"image": "x", **LAUNCHES[name]}}), tmp_path)
    engine = tmp_path / "engine"
    engine.write_text(ENGINE)
    engine.chmod(0o755)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "control-manifest.json").write_text("{}")  # where this is fresh, the tools fetch none
    subprocess.run(
        [devcontainer, "up", "--workspace-folder", workspace, "--docker-path", engine, "--buildkit", "never",
         "--user-data-folder", tmp_path / "data"],
        env=environ, capture_output=True, check=False,
    )  # fmt: skip
    line = (tmp_path / "engine.line").read_bytes().decode().split("\0")  # as bytes: one of the texts holds a CR

    path = os.path.join(workspace, FILE)
    found = read_devcontainer(path, workspace, environ)
    mounts = list(mounts_in(read_options(line, 1)))
    if found.mount:
        assert mounts.pop(0) == found.mount
    assert {mount.target for mount in mounts} == {mount.target for mount in found.mounts}
    substitute = substitution(path, workspace, str(LAUNCHES[name].get("workspaceFolder", "/workspaces/app")), environ)
    arguments = LAUNCHES[name].get("runArgs", [])
    assert isinstance(arguments, list)
    assert [argument for argument in map(substitute, arguments) if argument not in line] == []
