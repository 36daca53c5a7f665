"""The command line: what goes to stdout and stderr, exit codes, and what is written."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import stat
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from conftest import Done, Hook, MakeVenv
from layout import fill, planned, reserved
from paude_venv_hook import __version__, overlay
from paude_venv_hook.cli import command_names, main
from paude_venv_hook.commands import run
from paude_venv_hook.commands.status import render

OPTIONS = "rw,exec,nosuid,nodev,notmpcopyup,mode=1777"
NAMES = [
    "-v",
    "a b",
    "a'b",
    'a"b',
    "$HOME",
    "${HOME}",
    "`id`",
    "$(id)",
    "a;b",
    "a&b|c",
    "*",
    "a\\b",
    "~",
    "#x",
    "!x",
    "a,b",
    "a:b,c",
    "vénv😀",
]

EMPTY = "is empty; write a value, or leave it out"


@pytest.fixture(autouse=True)
def _podman(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAUDE_VENV_ENGINE", "podman")


@pytest.fixture
def app(workspace: Path, make_venv: MakeVenv) -> Path:
    """Return a workspace with a venv."""
    make_venv(workspace / ".venv")
    return workspace


def tree(*folders: Path) -> dict[str, tuple[int, int, bytes]]:
    """Return mode, time of change and content of all that the folders hold, and of themselves."""
    found = {}
    for folder in folders:
        for path in (folder, *folder.rglob("*")):
            state = path.lstat()
            content = path.read_bytes() if stat.S_ISREG(state.st_mode) else b""
            found[str(path)] = (state.st_mode, state.st_mtime_ns, content)
    return found


def no_venv(folder: Path) -> str:
    return (
        f"paude-venv-hook: nothing shadowed: no venv in {folder}, and nothing says there will be one; "
        'if so, write "venv": [".venv"] in paude.json\n'
    )


def overlay_of(folder: Path) -> Any:
    return overlay.load(overlay.default_path(str(folder)))


# run


@pytest.mark.parametrize("arguments", [(), ("run",), ("run", "--workspace-folder", "."), ("--engine", "podman")])
def test_run_writes_the_overlay_and_says_on_stderr_what_it_planned(
    app: Path, make_venv: MakeVenv, hook: Hook, arguments: tuple[str, ...]
) -> None:
    make_venv(app / "env")

    assert hook(*arguments) == (0, "", planned(".venv", "env"))
    assert overlay_of(app)["runArgs"] == ["--tmpfs", f"{app}/.venv:{OPTIONS}", "--tmpfs", f"{app}/env:{OPTIONS}"]


def test_without_arguments_main_takes_those_of_the_process(
    app: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["paude-venv-hook", "path"])

    assert main() == 0
    assert capsys.readouterr().out == f"{overlay.default_path(str(app))}\n"


def test_with_nothing_to_shadow_the_reason_is_printed_and_the_overlay_is_empty(workspace: Path, hook: Hook) -> None:
    assert hook() == (0, "", no_venv(workspace))
    assert hook("--quiet") == (0, "", "")
    assert overlay_of(workspace)["runArgs"] == []


@pytest.mark.parametrize("name", [".venv/pyvenv.cfg", "venv/pyvenv.cfg", "paude.json = {}"])
@pytest.mark.parametrize("arguments", [["run"], ["print"]])
def test_in_a_subfolder_the_workspace_above_is_named(
    workspace: Path, hook: Hook, monkeypatch: pytest.MonkeyPatch, name: str, arguments: list[str]
) -> None:
    fill(workspace, name, "src/app/")
    monkeypatch.chdir(workspace / "src" / "app")

    assert hook(*arguments).err == (
        f"paude-venv-hook: nothing shadowed: no venv in {workspace}/src/app; the workspace seems to be ../..; "
        "if so, write --workspace-folder ../..\n"
    )


@pytest.mark.parametrize("entry", [".git/", "paude.json = {}", ".devcontainer.json = {}"])
def test_a_folder_that_is_a_workspace_itself_has_none_above(workspace: Path, hook: Hook, entry: str) -> None:
    fill(workspace, entry)
    fill(workspace.parent, ".venv/pyvenv.cfg")

    assert "seems to be" not in hook().err


@pytest.mark.parametrize("command", ["run", "print", "devcontainer-config"])
def test_an_output_makes_no_folder(app: Path, hook: Hook, command: str) -> None:
    fill(app, ".devcontainer.json = {}")
    before = tree(app)

    assert hook(command, "--output", "no/such/file.json") == (
        1,
        "",
        f"paude-venv-hook: error[overlay]: {app}/no/such: does not exist; "
        "make it, or name another file with --output\n",
    )
    assert tree(app) == before


@pytest.mark.parametrize("form", ["args", "lines", "nul"])
def test_print_says_for_which_place_its_arguments_are_unless_it_was_told(app: Path, hook: Hook, form: str) -> None:
    fill(app, ".devcontainer.json = {}")

    assert hook("print", "--format", form).err == (
        f"paude-venv-hook: for {app} mounted on /workspaces/app; if you mount it elsewhere, add --target\n"
    )
    assert hook("print", "--format", form, "--quiet").err == ""
    assert hook("print", "--format", form, "--target", "/app").err == ""


def test_run_says_for_which_place_it_planned_if_that_is_not_the_hosts_path(app: Path, hook: Hook) -> None:
    fill(app, ".devcontainer.json = {}")

    assert hook() == (0, "", planned(".venv", place=f"{app} mounted on /workspaces/app"))


def test_none_takes_away_what_an_earlier_run_left(app: Path, hook: Hook) -> None:
    hook()
    assert overlay_of(app)["runArgs"] != []

    assert hook("--venv", "none") == (0, "", "paude-venv-hook: nothing shadowed: venv is none (--venv)\n")
    assert (overlay_of(app)["venv"], overlay_of(app)["runArgs"]) == ("none", [])


def test_warnings_come_before_what_is_shadowed(app: Path, hook: Hook) -> None:
    fill(app, "env/", 'paude.json = {"venv": [".venv", "./.venv", "no/env", ".venv/inner"], "Venv": 1}')

    assert hook() == (
        0,
        "",
        (
            f'paude-venv-hook: warning: {app}/paude.json: key "Venv" is not known here (did you mean "venv"?)\n'
            "paude-venv-hook: warning: no/env not shadowed: no does not exist, so there is no place for a mount point; "
            "make it\n" + planned(".venv")
        ),
    )


def test_a_second_run_does_not_touch_the_overlay(app: Path, home: Path, hook: Hook) -> None:
    hook()
    before, inode = tree(app, home), os.stat(overlay.default_path(str(app))).st_ino

    assert hook() == (0, "", planned(".venv"))
    assert tree(app, home) == before
    assert os.stat(overlay.default_path(str(app))).st_ino == inode


def test_the_overlay_is_private_to_the_user(app: Path, hook: Hook) -> None:
    hook()
    path = Path(overlay.default_path(str(app)))

    assert [stat.S_IMODE(item.stat().st_mode) for item in (path, path.parent)] == [0o600, 0o700]


def test_only_run_makes_a_mount_point_and_it_is_the_users(workspace: Path, home: Path, hook: Hook) -> None:
    fill(workspace, "uv.lock")
    before = tree(workspace, home)
    for arguments in (["print"], ["print", "--format", "json"], ["status"], ["status", "--json"], ["path"]):
        assert hook(*arguments).code == 0
    assert tree(workspace, home) == before

    assert hook() == (0, "", reserved("uv.lock") + planned(".venv"))
    made = (workspace / ".venv").stat()
    assert (made.st_uid, made.st_gid) == (os.getuid(), os.getgid())
    assert os.listdir(workspace / ".venv") == []
    assert sorted(os.listdir(workspace)) == [".venv", "uv.lock"]


def test_listed_mount_points_are_made_where_there_is_a_place(workspace: Path, hook: Hook) -> None:
    fill(workspace, "api/")

    hook("--venv", "api/.venv,.tox,no/env")

    assert sorted(path.name for path in workspace.rglob("*")) == [".tox", ".venv", "api"]


def test_the_overlay_goes_to_a_file_or_to_stdout(app: Path, home: Path, hook: Hook) -> None:
    expected = hook("print", "--format", "json").out

    assert hook("--output", "-") == (0, expected, planned(".venv"))
    (app / "sub").mkdir()
    assert hook("--output", "sub/o.json") == (0, "", planned(".venv"))
    assert (app / "sub" / "o.json").read_text(encoding="utf-8") == expected
    assert os.listdir(home) == []
    hook()
    assert Path(overlay.default_path(str(app))).read_text(encoding="utf-8") == expected


def test_a_run_that_fails_leaves_the_overlay_of_before(app: Path, home: Path, hook: Hook) -> None:
    hook()
    fill(app, "paude.json = {")
    before = tree(app, home)

    done = hook()

    assert (done.code, done.out) == (1, "")
    assert tree(app, home) == before


# Where things are said


def test_flags_beat_the_environment_which_beats_the_project_which_beats_the_user(
    app: Path, home: Path, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    def venv() -> tuple[Any, str]:
        made = json.loads(hook("status", "--json").out)
        return made["venv"], made["venvSource"]

    assert venv() == ("auto", "default")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    if sys.platform == "linux":
        fill(home, 'config/paude/paude.json = {"venv": ["a"]}')
        assert venv() == (["a"], f"{home}/config/paude/paude.json")
    fill(app, 'paude.json = {"venv": ["b"]}')
    assert venv() == (["b"], f"{app}/paude.json")
    monkeypatch.setenv("PAUDE_VENV", "c")
    assert venv() == (["c"], "PAUDE_VENV")
    made = json.loads(hook("status", "--json", "--venv", "d,e/f").out)
    assert (made["venv"], made["venvSource"]) == (["d", "e/f"], "--venv")


@pytest.mark.usefixtures("app")
def test_the_engine_of_the_flag_beats_that_of_the_environment(hook: Hook) -> None:
    assert "notmpcopyup" in hook("print").out
    assert "uid=" in hook("print", "--engine", "docker").out
    assert "notmpcopyup" in hook("print", "--engine", "auto").out
    assert json.loads(hook("print", "--engine", "docker", "--format", "json").out)["engine"] == "docker"


def test_the_workspace_folder_and_its_place_can_be_said(app: Path, tmp_path: Path, hook: Hook) -> None:
    (tmp_path / "elsewhere").mkdir()
    os.chdir(tmp_path / "elsewhere")
    fill(app, "other.json = " + json.dumps({"workspaceMount": f"type=bind,source={app},target=/o"}))

    def destination(*flags: str) -> str:
        return hook("print", "--workspace-folder", "../app", "--format", "lines", *flags).out.splitlines()[1]

    assert destination() == f"{app}/.venv:{OPTIONS}"
    assert destination("--config", "../app/other.json") == f"/o/.venv:{OPTIONS}"
    assert destination("--container-workspace-folder", "/c/") == f"/c/.venv:{OPTIONS}"
    assert destination("--config", "../app/other.json", "--container-workspace-folder=/c") == f"/c/.venv:{OPTIONS}"


# print


def test_print_shows_the_arguments_in_each_format(app: Path, make_venv: MakeVenv, hook: Hook) -> None:
    make_venv(app / "a b")
    arguments = ["--tmpfs", f"{app}/.venv:{OPTIONS}", "--tmpfs", f"{app}/a b:{OPTIONS}"]

    assert hook("print") == (0, f"--tmpfs {app}/.venv:{OPTIONS} --tmpfs '{app}/a b:{OPTIONS}'\n", "")
    assert hook("print", "--format", "args") == hook("print")
    assert hook("print", "--format", "lines") == (0, "".join(f"{item}\n" for item in arguments), "")
    assert hook("print", "--format", "nul") == (0, "".join(f"{item}\0" for item in arguments), "")
    assert json.loads(hook("print", "--format", "json").out)["runArgs"] == arguments


@pytest.mark.parametrize(("form", "out"), [("args", "\n"), ("lines", ""), ("nul", "")])
def test_print_of_nothing(workspace: Path, hook: Hook, form: str, out: str) -> None:
    assert hook("print", "--format", form) == (0, out, no_venv(workspace))
    assert hook("print", "--format", form, "--quiet") == (0, out, "")
    assert os.listdir(workspace) == []


SHELLS = {
    "eval in sh": ["sh", 'eval "set -- $("$@" print)"; printf "%s\\0" "$@"'],
    "eval in bash": ["bash", 'eval "set -- $("$@" print)"; printf "%s\\0" "$@"'],
    "read in bash": ["bash", '"$@" print --format nul | while IFS= read -r -d "" a; do printf "%s\\0" "$a"; done'],
    "read in sh": ["sh", '"$@" print --format lines | while IFS= read -r a; do printf "%s\\0" "$a"; done'],
    "xargs": ["sh", '"$@" print --format nul | xargs -0 printf "%s\\0"'],
    "mapfile": ["bash", 'mapfile -d "" args < <("$@" print --format nul); printf "%s\\0" "${args[@]}"'],
}


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_gets_each_argument_back(
    workspace: Path, make_venv: MakeVenv, hook: Hook, command: list[str], shell: str
) -> None:
    program, script = SHELLS[shell]
    if not shutil.which(program) or (shell == "mapfile" and not _has_mapfile()):
        pytest.skip(f"{program} is missing or too old")
    for name in NAMES:
        make_venv(workspace / name)
    expected = json.loads(hook("print", "--format", "json").out)["runArgs"]
    assert len(expected) == 2 * len(NAMES)

    done = subprocess.run([program, "-c", script, program, *command], capture_output=True, check=True)

    assert done.stdout.decode().split("\0")[:-1] == expected


def _has_mapfile() -> bool:
    return subprocess.run(["bash", "-c", 'mapfile -d "" x </dev/null'], stderr=-1, check=False).returncode == 0


def test_plain_names_need_no_eval(app: Path, command: list[str]) -> None:
    script = 'set -- $("$@" print --container-workspace-folder /src); printf "%s\\n" "$@"'

    done = subprocess.run(["sh", "-c", script, "sh", *command], capture_output=True, text=True, check=True, cwd=app)

    assert done.stdout == f"--tmpfs\n/src/.venv:{OPTIONS}\n"


def test_paths_are_written_as_utf8_whatever_the_locale_says(
    workspace: Path, make_venv: MakeVenv, command: list[str]
) -> None:
    make_venv(workspace / "vénv😀")
    environ = {**os.environ, "LC_ALL": "C", "PYTHONIOENCODING": "ascii"}
    flags = ["--format", "lines", "--container-workspace-folder", "/c"]

    done = subprocess.run([*command, "print", *flags], capture_output=True, check=True, env=environ)

    assert done.stdout.decode() == f"--tmpfs\n/c/vénv😀:{OPTIONS}\n"


# status, path, schema


def test_status_says_the_same_as_text_and_as_json(app: Path, hook: Hook) -> None:
    fill(app, ".tox/", "pyvenv.cfg")
    done = hook("status", "--json")
    made = json.loads(done.out)

    assert (done.code, done.err) == (0, "")
    assert hook("status") == (0, render(made, colour=False), "")
    assert made["overlay"] == overlay.default_path(str(app))


def test_status_tells_whether_the_overlay_is_up_to_date(app: Path, make_venv: MakeVenv, hook: Hook) -> None:
    def state(*flags: str) -> str:
        made = json.loads(hook("status", "--json", *flags).out)
        return str(made["overlayState"])

    assert state() == "not written yet"
    hook()
    assert state() == "up to date"
    make_venv(app / "env")
    assert state() == "out of date"
    hook()
    assert state() == "up to date"
    assert state("--engine", "docker") == "out of date"
    assert state("--output", "o.json") == "not written yet"
    assert state("--output", ".") == "cannot be read"
    fill(app, "file")
    assert state("--output", "file/o.json") == "cannot be read"


@pytest.mark.parametrize(
    ("variables", "colour"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "xterm", "NO_COLOR": ""}, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
    ],
)
def test_status_has_colours_only_on_a_terminal(
    app: Path, command: list[str], variables: dict[str, str], *, colour: bool
) -> None:
    pty = pytest.importorskip("pty", reason="there are no pseudo-terminals here")
    environ = {name: value for name, value in os.environ.items() if name != "NO_COLOR"} | variables

    ours, its = pty.openpty()
    done = subprocess.run([*command, "status"], stdout=its, check=True, env=environ, cwd=app)
    os.close(its)
    shown = b""
    while b"made by" not in shown:
        shown += os.read(ours, 4096)
    os.close(ours)
    piped = subprocess.run([*command, "status"], capture_output=True, check=True, env=environ, cwd=app)

    assert done.returncode == 0
    assert (b"\x1b[32mwould be shadowed\x1b[0m" in shown) is colour
    assert b"\x1b" not in piped.stdout


def test_path_says_where_the_overlay_is(app: Path, tmp_path: Path, hook: Hook) -> None:
    (tmp_path / "link").symlink_to(app)
    path = overlay.default_path(str(app))

    assert hook("path") == (0, f"{path}\n", "")
    assert hook("path", "--workspace-folder", "../link") == (0, f"{path}\n", "")
    assert hook("path", "--output", "o.json") == (0, f"{app}/o.json\n", "")
    assert not os.path.exists(path)


@pytest.mark.usefixtures("app")
def test_the_schemas_are_schemas_and_the_overlay_keeps_to_its_own(hook: Hook) -> None:
    schemas = {}
    for name in ("overlay", "paude"):
        done = hook("schema", name)
        assert (done.code, done.err) == (0, "")
        assert done.out == files("paude_venv_hook").joinpath(f"schemas/{name}.json").read_text(encoding="utf-8")
        schemas[name] = json.loads(done.out)
        jsonschema.Draft202012Validator.check_schema(schemas[name])

    jsonschema.validate(json.loads(hook("print", "--format", "json").out), schemas["overlay"])


# The command line itself


@pytest.mark.parametrize("flag", ["-V", "--version"])
def test_version(hook: Hook, flag: str) -> None:
    assert hook(flag) == (0, f"paude-venv-hook {__version__}\n", "")


@pytest.mark.parametrize("name", command_names())
def test_the_help_of_each_command_has_examples(hook: Hook, name: str) -> None:
    done = hook(name, "--help")

    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"usage: paude-venv-hook {name} ")
    examples = done.out.partition("\nexamples:\n")[2].splitlines()
    assert any(f"paude-venv-hook {name}" in line for line in examples)


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_the_help_names_each_command_for_people_and_has_examples(hook: Hook, flag: str) -> None:
    done = hook(flag)

    assert (done.code, done.err) == (0, "")
    assert "\nexamples:\n" in done.out
    named = re.findall(r"\n    ([a-z-]+)\s+[a-z]", done.out)
    assert sorted([*named, "oci-precreate"]) == command_names()  # which is for Podman, and says so itself


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["stauts"], '"stauts" is no command (did you mean "status"?); see paude-venv-hook --help'),
        (["exec"], "exec: no program is named; write exec -- docker run … or exec -- make test"),
        (["exec", "--"], "exec: no program is named; write exec -- docker run … or exec -- make test"),
        (["--no-such"], "--no-such is no option of run; see paude-venv-hook run --help"),
        (
            ["run", "extra\x1b"],
            r'"extra\x1b" is one argument too many; to name the folder, write --workspace-folder extra\x1b',
        ),
        (["schema", "paude", "x"], '"x" is one argument too many; see paude-venv-hook schema --help'),
        (["path", "--quiet"], "--quiet is no option of path; see paude-venv-hook path --help"),
        (["--quiet", "status", "--json"], "status: a command comes first; write paude-venv-hook status --quiet --json"),
        (["exec", "--venv=none"], "--venv is no option of exec; set PAUDE_VENV in the environment"),
        (["schema"], "schema: one word is missing; use overlay or paude"),
        (["completion"], "completion: one word is missing; use bash, zsh or fish"),
        (["--workspace-folder", ""], f"--workspace-folder: {EMPTY}"),
        (["path", "--workspace-folder="], f"--workspace-folder: {EMPTY}"),
        (["status", "--config", ""], f"--config: {EMPTY}"),
        (["run", "--output", ""], f"--output: {EMPTY}"),
        (["print", "--target="], f"--container-workspace-folder: {EMPTY}"),
        (["run", "--venv", ""], f"--venv: {EMPTY}"),
        (["verify", ""], f"container: {EMPTY}"),
        (["init", "--template", "pip", ""], f"folder: {EMPTY}"),
        (["--work", "."], "--work is no option of run; see paude-venv-hook run --help"),
        (["--output"], "--output: needs a value; see paude-venv-hook run --help"),
        (["verify"], "CONTAINER: needed, or --service in its place; name one of them"),
        (
            ["--container-workspace-folder", "app"],
            (
                '--container-workspace-folder: "app" cannot hold the workspace; '
                "write an absolute path below / in the container"
            ),
        ),
    ],
)
def test_a_wrong_command_line_is_one_line_and_exit_code_2(
    workspace: Path, home: Path, hook: Hook, arguments: list[str], message: str
) -> None:
    assert hook(*arguments) == (2, "", f"paude-venv-hook: error[usage]: {message}\n")
    assert os.listdir(workspace) == os.listdir(home) == []


def test_an_unknown_command_is_answered_with_where_all_stand(hook: Hook) -> None:
    said = 'paude-venv-hook: error[usage]: "x\\n" is no command; see paude-venv-hook --help\n'

    assert hook("x\n") == (2, "", said)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--engine", "Docker"],
            (
                '--engine: "Docker" is not known (did you mean "docker"?); '
                "use auto, docker, podman, nerdctl, finch, container or bwrap"
            ),
        ),
        (
            ["print", "--format", "yaml"],
            '--format: "yaml" is not known; use args, lines, nul, json, compose, kubernetes or bwrap',
        ),
        (["schema", "x\n"], r'schema: "x\n" is not known; use overlay or paude'),
    ],
)
def test_a_value_that_is_no_choice_is_answered_with_the_choices(hook: Hook, arguments: list[str], message: str) -> None:
    assert hook(*arguments) == (2, "", f"paude-venv-hook: error[usage]: {message}\n")


def test_a_bug_is_one_line_and_exit_code_3(hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: run.Options) -> None:
        raise LookupError("two\nlines")

    monkeypatch.setattr(run, "execute", fail)

    line = fail.__code__.co_firstlineno + 1
    assert hook() == (
        3,
        "",
        f"paude-venv-hook: bug: LookupError at test_cli.py:{line}: two\\nlines; please report it\n",
    )


def test_an_interrupt_is_exit_code_130_without_a_word(app: Path, command: list[str], tmp_path: Path) -> None:
    programs = fill(tmp_path, "programs/docker = #!/bin/sh\nkill -INT $PPID\n") / "programs"
    (programs / "docker").chmod(0o755)
    environ = {**os.environ, "PATH": str(programs), "PAUDE_VENV_ENGINE": "auto"}

    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env=environ,
        cwd=app,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )

    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize(
    "arguments",
    [
        *(["print"], ["status"], ["path"], ["schema", "overlay"], ["run", "--quiet", "--output", "-"]),
        *(["--help"], ["--version"]),
    ],
)
def test_nobody_who_reads_is_no_error_to_complain_of(app: Path, command: list[str], arguments: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    # Only with a buffer is there something left to complain of when the process ends.
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}

    done = subprocess.run(
        [*command, *arguments], stdout=writer, stderr=subprocess.PIPE, text=True, check=False, cwd=app, env=environ
    )
    os.close(writer)

    assert (done.returncode, done.stderr) == (141, "")


# What is refused


REFUSED = {
    "paude.json is cut off": (
        ['paude.json = {\n  "venv": ["a",'],
        [],
        (
            "error[json-file]: {app}/paude.json:2:16: Unexpected end of input; "
            "JSON is expected, with comments and trailing commas if you like"
        ),
    ),
    "devcontainer.json is cut off": (
        ['.devcontainer/devcontainer.json = {"image":'],
        [],
        (
            "error[json-file]: {app}/.devcontainer/devcontainer.json:1:10: Unexpected end of input; "
            "JSON is expected, with comments and trailing commas if you like"
        ),
    ),
    "paude.json is no object": (
        ['paude.json = ["venv"]'],
        [],
        "error[json-file]: {app}/paude.json: holds no JSON object; write {{…}} around it",
    ),
    "devcontainer.json is empty": (
        [".devcontainer.json"],
        [],
        "error[json-file]: {app}/.devcontainer.json: empty; write a JSON object such as {{}}",
    ),
    "a wrong type": (
        ['paude.json = {"venv": 1}'],
        [],
        'error[settings]: {app}/paude.json: venv: must be "auto", "none" or a list of directories, not a number',
    ),
    "a wrong value": (
        ['paude.json = {"venv": "Auto"}'],
        [],
        (
            'error[settings]: {app}/paude.json: venv: "Auto" is not known (did you mean "auto"?); '
            'use "auto", "none" or a list of directories'
        ),
    ),
    "an entry that is no text": (
        ['paude.json = {"venv": ["a", 1]}'],
        [],
        "error[settings]: {app}/paude.json: venv[1]: must be text, not a number; write a directory's name",
    ),
    "an empty entry": (
        ['paude.json = {"venv": [""]}'],
        [],
        "error[settings]: {app}/paude.json: venv[0]: is empty; write a directory's name, or remove the entry",
    ),
    "an absolute entry": (
        ['paude.json = {"venv": ["/usr"]}'],
        [],
        'error[settings]: {app}/paude.json: venv[0]: "/usr" is absolute; write it relative to the workspace folder',
    ),
    "an entry that leaves": (
        [],
        ["--venv", "a/../../b"],
        'error[settings]: --venv[0]: "a/../../b" may leave the workspace folder; write it without ".."',
    ),
    "an entry that leaves through a symlink": (
        ["out -> .."],
        ["--venv", "out/env"],
        (
            'error[settings]: --venv[0]: "out/env" leaves the workspace folder through a symlink; '
            "name a directory inside of it"
        ),
    ),
    "the workspace itself": (
        [],
        ["--venv", "./."],
        (
            'error[settings]: --venv[0]: "./." is the workspace folder itself, which holds the source; '
            "name a directory in it"
        ),
    ),
    "a regular file": (
        ["file"],
        ["--venv", "file"],
        'error[settings]: --venv[0]: "file" is a file, and only a directory can be shadowed; remove the entry',
    ),
    "a control character": (
        [],
        ["--venv", "a\x1bb"],
        r'error[settings]: --venv[0]: "a\x1bb" holds a control character; rename the directory',
    ),
    "not UTF-8": (
        [],
        ["--venv", "a\udcff"],
        r'error[settings]: --venv[0]: "a\udcff" is not UTF-8, which no engine can mount; rename the directory',
    ),
    "a blank at the end": (
        ['paude.json = {"venv": ["env "]}'],
        [],
        'error[settings]: {app}/paude.json: venv[0]: "env " begins or ends a name with a blank; remove it',
    ),
    "a symlink that leaves": (
        [".venv -> /usr"],
        ["--venv", ".venv"],
        (
            'error[settings]: --venv[0]: ".venv" is a symlink to /usr, outside of the workspace; '
            "name the directory itself, or remove the entry"
        ),
    ),
    "a symlink that dangles": (
        [".venv -> gone"],
        ["--venv", ".venv"],
        (
            'error[settings]: --venv[0]: ".venv" is a symlink to gone, which does not exist or loops; '
            "name the directory itself, or remove the entry"
        ),
    ),
    "a symlink that loops": (
        [".venv -> .venv"],
        ["--venv", ".venv"],
        (
            'error[settings]: --venv[0]: ".venv" is a symlink to .venv, which does not exist or loops; '
            "name the directory itself, or remove the entry"
        ),
    ),
    "a size": (
        ['paude.json = {"venv-tmpfs": {"size": "2 g"}}'],
        [],
        (
            'error[settings]: {app}/paude.json: venv-tmpfs.size: "2 g" is no size; '
            'write a number and k, m, g or %, such as "2g"'
        ),
    ),
    "nesting too deep": (
        [f"paude.json = {'[' * 100_000}"],
        [],
        "error[json-file]: {app}/paude.json: nested too deeply; flatten it",
    ),
    "half of a surrogate pair": (
        ['paude.json = {"venv": ["\\ud83d"]}'],
        [],
        "error[json-file]: {app}/paude.json: a \\ud… escape is half of a surrogate pair; complete or remove it",
    ),
    "a key that stands twice": (
        ['paude.json = {"venv": "auto", "venv": "none"}'],
        [],
        'error[json-file]: {app}/paude.json: key "venv" stands twice; keep one',
    ),
    "no workspace": (
        [],
        ["--workspace-folder", "gone"],
        "error[workspace]: {app}/gone: does not exist; name the workspace folder with --workspace-folder",
    ),
    "a workspace that is a file": (
        ["file"],
        ["--workspace-folder", "file"],
        "error[workspace]: {app}/file: is not a directory; name the workspace folder with --workspace-folder",
    ),
    "no such configuration": (
        [],
        ["--config", "gone.json"],
        "error[json-file]: {app}/gone.json: does not exist; name another file",
    ),
    "a list that is too long": (
        ["paude.json = " + json.dumps({"venv": [str(index) for index in range(10_000)]})],
        [],
        "error[settings]: {app}/paude.json: venv: lists 10000 directories; 100 is the most, so list fewer",
    ),
    "a flag that is too long": (
        [],
        ["--venv", "a" + ",a" * 100],
        "error[settings]: --venv: lists 101 directories; 100 is the most, so list fewer",
    ),
}


@pytest.mark.parametrize("command", ["run", "print", "status"])
@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_is_refused_in_one_line_with_nothing_written(
    workspace: Path, home: Path, hook: Hook, case: str, command: str
) -> None:
    entries, flags, message = REFUSED[case]
    fill(workspace, "uv.lock", *entries)
    before = tree(workspace, home)

    assert hook(command, *flags) == (1, "", f"paude-venv-hook: {message.format(app=workspace)}\n")
    assert tree(workspace, home) == before


def test_what_docker_cannot_name_is_said_and_the_rest_is_shadowed(workspace: Path, hook: Hook) -> None:
    fill(workspace, "my:venv/pyvenv.cfg", ".venv/pyvenv.cfg", 'paude.json = {"venv": [".venv", "my:venv", "a:b"]}')

    code, out, err = hook("run", "--engine", "docker", "--output", "-")

    assert code == 0
    assert [shadow["path"] for shadow in json.loads(out)["shadows"]] == [".venv"]
    why = "Docker has no way to mount a tmpfs on {}/{}, for its colon; rename the folder"
    assert err == (
        f"paude-venv-hook: warning: my:venv not shadowed: {why.format(workspace, 'my:venv')}\n"
        f"paude-venv-hook: warning: a:b not shadowed: {why.format(workspace, 'a:b')}\n" + planned(".venv")
    )
    assert not (workspace / "a:b").exists()


def test_an_unknown_engine_in_the_environment_is_refused(
    app: Path, home: Path, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAUDE_VENV_ENGINE", "Docker")
    before = tree(app, home)

    assert hook() == (
        1,
        "",
        (
            'paude-venv-hook: error[settings]: PAUDE_VENV_ENGINE: "Docker" is no engine (did you mean "docker"?); '
            "use auto, docker, podman, nerdctl, finch, container or bwrap\n"
        ),
    )
    assert tree(app, home) == before


def test_an_overlay_folder_that_cannot_be_written_is_refused(app: Path, hook: Hook) -> None:
    fill(app, "file")
    before = tree(app)

    assert hook("--output", "file/o.json") == (
        1,
        "",
        (f"paude-venv-hook: error[overlay]: {app}/file: does not exist; make it, or name another file with --output\n"),
    )
    assert hook("--output", ".") == (
        1,
        "",
        (
            f"paude-venv-hook: error[overlay]: {app}: cannot be written: not a regular "
            "file; remove what is in the way, or use --output\n"
        ),
    )
    assert tree(app) == before


def test_a_mount_point_that_cannot_be_made_is_refused_and_the_overlay_of_before_stays(
    workspace: Path, home: Path, hook: Hook
) -> None:
    hook()
    too_long = "x" * 300
    before = tree(workspace, home)

    assert hook("--venv", too_long) == (
        1,
        "",
        (
            f"paude-venv-hook: error[workspace]: {workspace}/{too_long}: the mount point cannot be made: "
            'File name too long; make it, or write "venv": "none" in paude.json\n'
        ),
    )
    assert tree(workspace, home) == before


def test_what_auto_cannot_shadow_is_a_warning(workspace: Path, hook: Hook) -> None:
    fill(workspace, "pyvenv.cfg", "uv.lock", ".venv -> /usr", "env/pyvenv.cfg", "v\n/pyvenv.cfg")

    done = hook()

    assert (done.code, done.err) == (
        0,
        (
            "paude-venv-hook: warning: the workspace folder itself is a venv, which cannot be shadowed: "
            "it holds the source; make it anew in .venv\n"
            "paude-venv-hook: warning: .venv not shadowed: a symlink to /usr, outside of the workspace; "
            "make it a directory\n"
            "paude-venv-hook: warning: v\\n not shadowed: no engine can mount on such a name; rename the directory\n"
            + planned("env")
        ),
    )
    assert shlex.split(hook("print").out) == ["--tmpfs", f"{workspace}/env:{OPTIONS}"]


def test_an_owner_of_0_is_not_that_of_the_workspace(workspace: Path, hook: Hook, make_venv: MakeVenv) -> None:
    make_venv(workspace / ".venv")
    if os.geteuid() == 0:
        os.chown(workspace, 1000, 1000)
    owner = workspace.stat()

    assert f"uid={owner.st_uid},gid={owner.st_gid}," in hook("print", "--engine", "docker").out
    fill(workspace, 'paude.json = {"venv-tmpfs": {"uid": 0, "gid": 0}}')
    assert "uid=0,gid=0," in hook("print", "--engine", "docker").out


# ---- Streams that cannot be written


def test_a_failed_write_leaves_no_mount_point(workspace: Path, hook: Hook) -> None:
    fill(workspace, "uv.lock", "file")

    assert hook("--output", "file/o.json").code == 1
    assert sorted(os.listdir(workspace)) == ["file", "uv.lock"]


def _in_shell(command: list[str], line: str) -> Done:
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    script = line.replace("HOOK", shlex.join(command))
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False, env=environ)
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
@pytest.mark.usefixtures("app")
def test_a_full_disk_behind_stdout_is_one_line(command: list[str]) -> None:
    message = "paude-venv-hook: error[overlay]: stdout: cannot be written: No space left on device; free some space\n"

    assert _in_shell(command, "HOOK print >/dev/full") == Done(1, "", message)


@pytest.mark.usefixtures("app")
def test_closed_streams_stop_no_launch(command: list[str]) -> None:
    assert _in_shell(command, "HOOK >&-") == Done(0, "", planned(".venv"))
    assert _in_shell(command, "HOOK 2>&-") == Done(0, "", "")


@pytest.mark.usefixtures("app")
def test_a_path_that_is_not_utf8_is_printed_as_it_is(command: list[str]) -> None:
    done = subprocess.run([*command, "path", "--output", b"/\xff"], capture_output=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, b"/\xff\n", b"")
