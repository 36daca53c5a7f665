"""The worst that a repository and the machine below it can hold: real processes end, start nothing and leak nothing."""

from __future__ import annotations

import errno
import json
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from layout import fill, planned, reserved
from paude_venv_hook import overlay
from paude_venv_hook.cli import main
from paude_venv_hook.workspace.git_root import git_root
from paude_venv_hook.workspace.jsonfile import MAX_BYTES

SCRIPTS = Path(sysconfig.get_path("scripts"))
OPTIONS = "rw,exec,nosuid,nodev,notmpcopyup,mode=1777"
linux = pytest.mark.skipif(sys.platform != "linux", reason="namespaces and devices as Linux has them")


def hook(
    *arguments: str | Path, program: str = "paude-venv-hook", env: dict[str, str] | None = None
) -> tuple[int, str, str]:
    """Run the program, as it is installed, in the current folder; return its exit code, stdout and stderr.

    There is no time limit: a test of what could block has to end by itself.
    """
    environ = {**os.environ, "PAUDE_VENV_ENGINE": "podman", **(env or {})}
    line = [str(SCRIPTS / program), *arguments]
    done = subprocess.run(
        line, capture_output=True, text=True, check=False, env=environ, stdin=subprocess.DEVNULL, errors="strict"
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def pwned(tmp_path: Path) -> Iterator[Path]:
    """Return the path of a file that what must not be started would make; at the end it must not be there."""
    path = tmp_path / "pwned"
    yield path
    assert not path.exists()


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    """Return a folder outside of the workspace, in which nothing may change."""
    folder = fill(tmp_path, "outside/file = text", "outside/folder/", "outside/venv/pyvenv.cfg") / "outside"
    os.utime(folder, ns=(1, 1))
    yield folder
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*")) == [
        "file", "folder", "venv", "venv/pyvenv.cfg",
    ]  # fmt: skip
    assert (folder.stat().st_mtime_ns, (folder / "file").read_text()) == (1, "text")


def make_program(path: Path, pwned: Path) -> None:
    path.write_text(f"#!/bin/sh\n/bin/echo started >{shlex.quote(str(pwned))}\n")
    path.chmod(0o755)


# ---- Nothing of the repository is started


@pytest.mark.parametrize(
    ("program", "arguments"),
    [
        ("paude-venv-hook", ["run"]),
        ("paude-venv-hook", ["status"]),
        ("paude-venv-hook", ["devcontainer-config"]),
        ("paude-venv-hook", ["print", "--format", "compose", "--service", "app"]),
        ("paude-venv-hook", ["verify", "c"]),
        ("paude-venv-hook", ["exec", "--", "docker", "ps"]),
        ("paude-venv-hook", ["exec", "--", "podman", "run", "-v", ".:/app", "IMG"]),
        ("paude-venv-hook", ["install", "--engine", "podman", "--dry-run"]),
        ("paude-venv-hook", ["install", "--dry-run"]),
        ("paude-venv-hook", ["uninstall", "--dry-run"]),
        ("paude-venv-docker", ["ps"]),
        ("paude-venv-podman", ["run", "-v", ".:/app", "IMG"]),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value[:3]),
)
def test_a_program_of_the_repository_is_not_started_through_a_relative_folder_on_path(
    workspace: Path, pwned: Path, program: str, arguments: list[str]
) -> None:
    fill(workspace.parent, ".git")  # so that git has to be asked
    fill(workspace, ".devcontainer.json = {}", "bin/", "compose.yaml = services: {app: {volumes: ['.:/app']}}")
    for name in ("git", "docker", "podman", "systemctl", "paude-venv-hook"):
        for folder in (workspace, workspace / "bin"):
            make_program(folder / name, pwned)
    environ = {"PATH": os.pathsep.join(["bin", ".", "", "bin/../bin"]), "PAUDE_VENV_ENGINE": "auto"}
    subprocess.run(["/bin/sh", "-c", "git"], env=environ, check=True)  # a shell does start it
    pwned.unlink()

    code, _, err = hook(*arguments, program=program, env=environ)

    assert code in (0, 1, 2, 127)
    assert "bug:" not in err


def test_a_module_of_the_repository_is_not_imported(workspace: Path, pwned: Path) -> None:
    for name in ("json", "re", "contextlib", "json5", "platformdirs", "subprocess", "paude_venv_hook"):
        (workspace / f"{name}.py").write_text(f"open({str(pwned)!r}, 'w')\n")
    fill(workspace, "paude.json = {venv: 'auto'}", ".devcontainer.json = {}", "uv.lock")

    assert hook() == (0, "", reserved("uv.lock") + planned(".venv", place=f"{workspace} mounted on /workspaces/app"))


GIT_CONFIG = """
[core]
    worktree = {worktree}
    fsmonitor = {program}
    sshCommand = {program}
    pager = {program}
    editor = {program}
    gitProxy = {program}
    hooksPath = {hooks}
[alias]
    rev-parse = !{program}
[credential]
    helper = !{program}
[diff]
    external = {program}
[include]
    path = {hooks}/more
"""


@pytest.mark.parametrize("how", ["a folder", "a file that names a folder"])
@pytest.mark.skipif(not shutil.which("git"), reason="there is no git")
def test_a_git_configuration_starts_nothing(workspace: Path, pwned: Path, outside: Path, how: str) -> None:
    fill(workspace, ".devcontainer.json = {}", ".venv/pyvenv.cfg", "hooks/more = [core]\n\tabbrev = 7\n")
    subprocess.run("git init -q . && git add .devcontainer.json", shell=True, check=True)  # noqa: S602 - fixed text
    make_program(workspace / "program", pwned)
    git_folder = workspace / ".git"
    if how == "a file that names a folder":
        git_folder = git_folder.rename(workspace / "not.git")
        fill(workspace, ".git = gitdir: not.git\n")
    config = GIT_CONFIG.format(worktree=workspace, program=workspace / "program", hooks=workspace / "hooks")
    with (git_folder / "config").open("a") as file:
        file.write(config)
    subprocess.run(["git", "status"], check=False, capture_output=True)
    assert pwned.exists()  # git does start it for other commands
    pwned.unlink()

    assert hook() == (0, "", planned(".venv", place=f"{workspace} mounted on /workspaces/app"))

    document = overlay.load(overlay.default_path(str(workspace)))
    assert document["workspaceMount"] == {"source": str(workspace), "target": "/workspaces/app"}


def test_a_git_that_does_not_answer_is_not_waited_for(
    workspace: Path, programs: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(workspace.parent, ".git")
    programs("git", "exec /bin/sleep 1000")
    monkeypatch.setattr("paude_venv_hook.workspace.git_root.GIT_SECONDS", 0.1)

    assert git_root(str(workspace), os.environ) is None


# ---- Files that are no files


# The error for each if it is a FIFO; nothing if it does not count.
FIFOS = {
    "paude.json": "error[json-file]: {workspace}/paude.json: not a regular file; replace or remove it",
    ".devcontainer.json": "",
    ".devcontainer/devcontainer.json": "",
    ".venv": "",
    "env/pyvenv.cfg": "",
    "env/bin/activate": "",
    "pyvenv.cfg": "",
    "uv.lock": "",
    ".git/HEAD": "",
    ".git/config": "",
    ".env": "",
    "../home/.config/paude/paude.json": (
        "error[json-file]: {home}/.config/paude/paude.json: not a regular file; replace or remove it"
    ),
}


@pytest.mark.parametrize("kind", ["FIFO", pytest.param("device", marks=linux), "loop"])
@pytest.mark.parametrize("name", FIFOS)
def test_what_is_no_file_blocks_nothing_and_is_never_read(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, kind: str
) -> None:
    """Git is not on PATH, for a git that reads a FIFO waits for ever."""
    home = workspace.parent / "home"
    for variable, value in {"HOME": home, "PATH": home, "PAUDE_VENV_ENGINE": "podman"}.items():
        monkeypatch.setenv(variable, str(value))
    path = workspace / name
    if "devcontainer" not in name:
        config = {"dockerComposeFile": [], "service": "app"} if name == ".env" else {}
        fill(workspace, f".devcontainer.json = {json.dumps(config)}")
    fill(workspace, ".git/refs/", ".git/objects/")
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "FIFO":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero" if kind == "device" else path.name)
    problem = FIFOS[name].format(workspace=workspace, home=home)
    if kind == "loop":
        loop = f"cannot be read: {os.strerror(errno.ELOOP)}; remove what is in the way"
        problem = problem.replace("not a regular file; replace or remove it", loop)

    for arguments in (["print", "--format", "compose", "--target", "/app"] if name == ".env" else ["run"], ["status"]):
        code, err = main(arguments), capsys.readouterr().err

        if problem:
            assert (code, err) == (1, f"paude-venv-hook: {problem}\n")
        else:
            assert (code, "error" in err) == (0, False)


@pytest.mark.parametrize("name", ["paude.json", ".devcontainer.json"])
@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("sparse", f": larger than {MAX_BYTES} bytes; make it smaller"),
        ("[" * 100_000, ": nested too deeply; flatten it"),
        ("[" * 100_000 + "]" * 100_000, ": nested too deeply; flatten it"),
        ("{'venv':" + "[" * 60_000, ": nested too deeply; flatten it"),
    ],
    ids=["100 MB", "open brackets", "closed brackets", "JSON5"],
)
def test_a_file_that_is_too_much_is_one_line(workspace: Path, name: str, content: str, problem: str) -> None:
    path = workspace / name
    path.write_text(content)
    if content == "sparse":
        os.truncate(path, 100 * 1024 * 1024)

    assert hook() == (1, "", f"paude-venv-hook: error[json-file]: {path}{problem}\n")


# ---- A machine that does not play along


@linux
@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ("size=4k,nr_inodes=10", "No space left on device; free some space"),
        ("ro", "Read-only file system; let yourself write it"),
    ],
    ids=["a full disk", "a read-only cache folder"],
)
def test_where_the_overlay_cannot_be_written_nothing_is_left_behind(
    workspace: Path, tmp_path: Path, options: str, problem: str
) -> None:
    """The cache folder is a file system of its own; a file as large as that is in it already."""
    cache = tmp_path / "cache" / "paude"
    cache.mkdir(parents=True)
    fill(workspace, "uv.lock")
    mounted = f"mount -t tmpfs -o {options} tmpfs {cache} && (head -c 8192 /dev/zero >{cache}/full; true) 2>/dev/null"
    in_namespace = ["unshare", "--mount", *([] if os.getuid() == 0 else ["--map-root-user"]), "sh", "-c"]
    if subprocess.run([*in_namespace, mounted], capture_output=True, check=False).returncode:
        pytest.skip("this user may mount nothing")
    environ = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "PAUDE_VENV_ENGINE": "podman"}
    script = f"{mounted} && {SCRIPTS / 'paude-venv-hook'}; echo $?; find {cache} -type f"

    done = subprocess.run([*in_namespace, script], capture_output=True, text=True, check=True, env=environ)

    path = overlay.default_path(str(workspace)).replace(overlay.default_path("/").rpartition("/")[0], "")
    left = [f"{cache}/full"] if options != "ro" else []
    assert done.stdout.splitlines() == ["1", *left]
    assert done.stderr == (
        f"paude-venv-hook: error[overlay]: {cache}/venv-overlays{path}: cannot be written: {problem}, or use --output\n"
    )
    assert os.listdir(workspace) == ["uv.lock"]


# ---- Nothing is shown that was not meant for the reader


@pytest.mark.parametrize("name", ["paude.json", ".devcontainer.json"])
@pytest.mark.parametrize(
    ("secret", "problem"),
    [
        ("root:$6$SECRET:19000:0:99999:7:::\n", ':1:1: Unexpected "r"'),
        ("SECRET=1234\n", ':1:1: Unexpected "S"'),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nSECRET\n", ':1:2: Unexpected "-"'),
        ('{"auths": {"registry": {"auth": "SECRET" "more"}}}', ':1:42: Unexpected """'),
        ('{"auths": {"registry": {"auth": "SECRET"}}}', ""),
        ('"SECRET"', ": holds no JSON object; write {…} around it"),
    ],
)
def test_what_a_symlinked_file_holds_is_not_shown(
    workspace: Path, outside: Path, name: str, secret: str, problem: str
) -> None:
    """One character at most, where the parser gave up, and what stands at our own keys."""
    fill(outside.parent, f"secret = {secret}")
    fill(workspace, f"{name} -> ../secret")

    code, out, err = hook()

    nothing = f"paude-venv-hook: nothing shadowed: no venv in {workspace}, and nothing says there will be one; "
    nothing += 'if so, write "venv": [".venv"] in paude.json\n'
    if problem.startswith(":1:"):
        problem += "; JSON is expected, with comments and trailing commas if you like"
    assert (code, out, err) == (
        (1, "", f"paude-venv-hook: error[json-file]: {workspace}/{name}{problem}\n") if problem else (0, "", nothing)
    )
    if not problem:
        assert "SECRET" not in Path(overlay.default_path(str(workspace))).read_text()


ESCAPES = "\x1b]0;title\x07\x1b[2J\x9b31m\r\x08\x7f"
NAMED = json.dumps(ESCAPES)


@pytest.mark.parametrize("command", ["run", "status", "devcontainer-config"])
@pytest.mark.parametrize(
    "entries",
    [
        pytest.param([f"{ESCAPES}/pyvenv.cfg", f".venv -> {ESCAPES}", f"{ESCAPES}2 -> .venv"], id="names"),
        pytest.param([f"paude.json = {{{NAMED}: 1, {NAMED}: 1}}"], id="a key that stands twice"),
        pytest.param([f'paude.json = {{"v{ESCAPES}env": 1, "venv": {NAMED}}}'], id="a mode and a key"),
        pytest.param([f'paude.json = {{"venv": [{NAMED}]}}'], id="a list"),
        pytest.param([f'paude.json = {{"venv-tmpfs": {{{NAMED}: {NAMED}}}}}'], id="a key of venv-tmpfs"),
        pytest.param([f'paude.json = {{"venv-tmpfs": {{"size": {NAMED}}}}}'], id="a size"),
        pytest.param([f"paude.json = {ESCAPES}"], id="no JSON"),
        pytest.param([f'.devcontainer.json = {{"workspaceMount": {NAMED}}}'], id="workspaceMount"),
        pytest.param(
            [f'.devcontainer.json = {{"workspaceMount": "type=bind,source=/,target=/"{NAMED[:-1]}"}}'], id="no mount"
        ),
        pytest.param([f'.devcontainer.json = {{"dockerComposeFile": {NAMED}, "service": {NAMED}}}'], id="compose"),
        pytest.param([f".git = gitdir: {ESCAPES}", ".devcontainer.json = {}"], id="git"),
    ],
)
def test_no_name_and_no_text_of_the_repository_reaches_the_terminal_with_control_characters(
    workspace: Path, command: str, entries: list[str]
) -> None:
    fill(workspace, *entries)

    code, out, err = hook(command)

    assert code in (0, 1, 2)
    said = err if command == "devcontainer-config" else out + err  # its stdout is the repository's own JSON
    assert [character for character in said if not character.isprintable() and character != "\n"] == []


# ---- Nothing is written elsewhere


@pytest.mark.parametrize("template", ["pip", "uv"])
@pytest.mark.parametrize(
    "entry", [".devcontainer -> ../outside", "src -> ../outside/folder", "tests -> ../outside/venv"]
)
def test_a_template_is_not_copied_through_a_symlink_out_of_the_folder(
    workspace: Path, outside: Path, entry: str, template: str
) -> None:
    fill(workspace, entry)
    link = workspace / entry.partition(" ")[0]

    assert hook("init", "--template", template) == (
        1,
        "",
        f"paude-venv-hook: error[workspace]: {link}: leads out of {workspace}; remove it, or name another folder\n",
    )
    assert os.listdir(workspace) == [link.name]


@pytest.mark.parametrize(
    "target",
    [
        "/", "/etc", "/etc/x", "/usr", "/usr/lib/python3", "/usr/local/bin", "/root", "/w/../dev/shm", "//", "/opt",
        "/srv/", "/mnt", "/media", "/tmp", "/home",  # noqa: S108 - a path in a container
        "/home/vscode", "/home/vscode/.",
    ],
)  # fmt: skip
def test_a_workspace_on_a_folder_of_the_containers_own_is_not_shadowed(
    workspace: Path, capfd: pytest.CaptureFixture[str], target: str
) -> None:
    """A launcher that takes the arguments and mounts the workspace anywhere would hide /etc/ssl, for example."""
    mount = f"type=bind,source=.,target={target}"
    fill(workspace, 'paude.json = {"venv": ["ssl"]}', f".devcontainer.json = {json.dumps({'workspaceMount': mount})}")

    assert main(["print"]) == 0

    where = os.path.normpath(target.replace("//", "/"))
    assert capfd.readouterr() == (
        "\n",
        "paude-venv-hook: warning: nothing shadowed: workspaceMount in devcontainer.json is on "
        f"{where}, a folder of the container's own; mount it, or write "
        '"venv": "none" in paude.json\n',
    )


@pytest.mark.parametrize(
    "target",
    [
        "/usr/src/app", "/usr/local/app", "/srv/app", "/opt/app", "/mnt/app", "/tmp/app",  # noqa: S108 - a path in a container
        "/var/www", "/home/me/app",
        "/root/app", "/etcx", "/options",
    ],
)  # fmt: skip
def test_a_workspace_on_any_other_folder_is_shadowed(
    workspace: Path, capfd: pytest.CaptureFixture[str], target: str
) -> None:
    mount = f"type=bind,source=.,target={target}"
    fill(workspace, ".venv/pyvenv.cfg", f".devcontainer.json = {json.dumps({'workspaceMount': mount})}")

    assert main(["print", "--engine", "podman"]) == 0

    place = f"paude-venv-hook: for {workspace} mounted on {target}; if you mount it elsewhere, add --target\n"
    assert capfd.readouterr() == (f"--tmpfs {target}/.venv:{OPTIONS}\n", place)
