"""Podman's hook is installed where Podman itself says that it looks, and goes away without a trace."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from conftest import Done, Hook, MakeVenv
from layout import fill
from paude_venv_hook.engines.programs import ask
from paude_venv_hook.installation import podman_hook
from paude_venv_hook.installation.changes import Change, render
from paude_venv_hook.installation.own_program import own_program
from paude_venv_hook.installation.podman_hook import (
    config_folder,
    hooks_folders,
    plan_install,
)

# Stands for /usr/share/containers/oci/hooks.d, which Podman knows if nothing is configured: below a file, since
# the tests may run as root, and not even a bug may write to the machine's, or remove its hook.
PACKAGED = "/usr/bin/env/hooks.d"
OPTION = "--hooks-dir strings           Set the OCI hooks directory path (may be set multiple times)"
INSTALLED = "installed: Podman now shadows the venvs of each workspace with a paude.json or a devcontainer.json"

Programs = Callable[[str, str], Path]
FakePodman = Callable[..., None]


@pytest.fixture(autouse=True)
def started_as(program: Path) -> None:
    """Let each test be one of the installed program, before anything else is said of it."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return what stands for the folder of containers.conf: root's own would be the machine's."""
    folder = tmp_path / "containers"
    monkeypatch.setattr(podman_hook, "config_folder", lambda _: str(folder))
    monkeypatch.delenv("CONTAINERS_CONF", raising=False)
    return folder


@pytest.fixture
def podman(programs: Programs, folder: Path) -> FakePodman:
    """Return a function that makes a podman, which looks for hooks in these folders, or in those of the drop-in."""

    def make(*folders: str | Path, reads_drop_in: bool = True) -> None:
        drop_in = folder / "containers.conf.d" / "99-paude-venv-hook.conf" if reads_drop_in else "/no/file"
        programs(
            "podman",
            f"""[ "$*" = --help ] || exit 64
            folders='{",".join(map(str, folders))}'
            if [ -e '{drop_in}' ]; then
                folders=
                while read -r line; do
                    case $line in '"'*'",') line=${{line%??}}; folders=$folders,${{line#?}} ;; esac
                done <'{drop_in}'
            fi
            folders=${{folders#,}}
            echo 'Options:'
            echo '      --help                        Help for podman'
            echo "      {OPTION}${{folders:+ (default [$folders])}}"
            echo '      --identity string             path to SSH identity file, (CONTAINER_SSHKEY)'""",
        )

    return make


@pytest.fixture
def hook(hook: Hook) -> Hook:
    """Return a function that runs `install` for Podman in this process, or after `--uninstall` that command."""

    def run(*arguments: str) -> Done:
        command, rest = ("uninstall", arguments[1:]) if arguments[:1] == ("--uninstall",) else ("install", arguments)
        return hook(command, "--engine", "podman", *rest)

    return run


def hook_text(program: Path, home: Path, *more: str) -> str:
    """Return the hook file as it has to be, letter by letter."""
    kept = "".join(f',\n      "{value}"' for value in more)
    return f"""{{
  "version": "1.0.0",
  "hook": {{
    "path": "/bin/sh",
    "args": [
      "sh",
      "-c",
      "limit=; command -v timeout >/dev/null && limit=\\"timeout -s KILL 10\\"; config=$(cat); \
result=$(printf \\"%s\\\\n\\" \\"$config\\" | $limit \\"$0\\" oci-precreate); \
case $?$result in 0{{*'\\"ociVersion\\"'*}}) ;; *) result=$config ;; esac; \
printf \\"%s\\\\n\\" \\"$result\\"",
      "{program}"
    ],
    "env": [
      "HOME={home}"{kept}
    ]
  }},
  "when": {{
    "always": true
  }},
  "stages": [
    "precreate"
  ]
}}
"""


def drop_in_text(*folders: Path | str) -> str:
    lines = "".join(f'  "{path}",\n' for path in folders)
    return (
        "# Made by `paude-venv-hook install`; `paude-venv-hook uninstall` removes it.\n"
        "# This list takes the place of earlier ones. What they held when it was made is in it.\n"
        f"[engine]\nhooks_dir = [\n{lines}]\n"
    )


def files(folder: Path) -> dict[str, str]:
    """Return the text of each file below the folder, by its path from there."""
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())


# ---- what is written


def test_a_folder_in_which_podman_looks_is_used_as_it_is(
    podman: FakePodman, hook: Hook, tmp_path: Path, folder: Path, program: Path, home: Path
) -> None:
    hooks = fill(tmp_path / "hooks", "other.json = {}")
    podman(PACKAGED, hooks)

    done = hook()

    text = hook_text(program, home)
    assert done == (
        0,
        f"{hooks}/paude-venv-hook.json:\n{indented(text)}\n{folder}/paude-venv-hook.folders:\n    {hooks}\n\n",
        f"paude-venv-hook: podman: {INSTALLED} (Podman reads {hooks}/paude-venv-hook.json)\n",
    )
    assert files(hooks) == {"other.json": "{}", "paude-venv-hook.json": text}
    assert files(folder) == {"paude-venv-hook.folders": f"{hooks}\n"}


@pytest.mark.parametrize("spelling", ["{}/", "{}//", "{}/../hooks", "{}/."])
def test_the_folder_may_be_spelled_in_any_way(podman: FakePodman, hook: Hook, tmp_path: Path, spelling: str) -> None:
    hooks = fill(tmp_path / "hooks", "other.json = {}")
    podman(spelling.format(hooks))

    assert hook().err.startswith(f"paude-venv-hook: podman: {INSTALLED} (Podman reads ")
    assert hook().err.startswith("paude-venv-hook: podman: already installed (Podman reads ")
    assert hook("--uninstall").err == "paude-venv-hook: podman: uninstalled\n"
    assert os.listdir(hooks) == ["other.json"]


def test_of_several_folders_the_last_is_used_also_where_it_has_to_be_made(
    podman: FakePodman, hook: Hook, tmp_path: Path
) -> None:
    fill(tmp_path, "first/", "last/")
    podman(tmp_path / "first", tmp_path / "last" / "to" / "make", PACKAGED)

    assert hook().code == 0

    assert os.listdir(tmp_path / "last" / "to" / "make") == ["paude-venv-hook.json"]
    assert os.listdir(tmp_path / "first") == []


def test_the_folder_that_has_the_hook_already_is_used_again(
    podman: FakePodman, hook: Hook, tmp_path: Path, program: Path, home: Path
) -> None:
    fill(tmp_path, "first/paude-venv-hook.json = {}", "last/")
    podman(tmp_path / "first", tmp_path / "last")

    assert hook().err.startswith(f"paude-venv-hook: podman: {INSTALLED} (Podman reads ")

    assert files(tmp_path / "first") == {"paude-venv-hook.json": hook_text(program, home)}
    assert os.listdir(tmp_path / "last") == []


@pytest.mark.parametrize("folders", [[], [PACKAGED], [PACKAGED, "relative", "/proc/version/hooks.d"]])
def test_where_no_folder_can_be_used_a_drop_in_names_one_more(
    podman: FakePodman, hook: Hook, folder: Path, program: Path, home: Path, folders: list[str]
) -> None:
    podman(*folders)

    done = hook()

    text, drop_in = hook_text(program, home), drop_in_text(*folders, folder / "paude-venv-hook.d")
    assert files(folder) == {
        "paude-venv-hook.d/paude-venv-hook.json": text,
        "containers.conf.d/99-paude-venv-hook.conf": drop_in,
    }
    assert done == (
        0,
        f"{folder}/paude-venv-hook.d/paude-venv-hook.json:\n{indented(text)}\n"
        f"{folder}/containers.conf.d/99-paude-venv-hook.conf:\n{indented(drop_in)}\n",
        f"paude-venv-hook: podman: {INSTALLED} (Podman reads {folder}/paude-venv-hook.d/paude-venv-hook.json)\n",
    )


@pytest.mark.parametrize("packaged", ["/usr", "/usr/share/containers/oci/hooks.d", "/usr/local/hooks.d"])
def test_below_usr_nothing_would_be_written_even_by_root(folder: Path, packaged: str) -> None:
    planned = plan_install([packaged], "/p", str(folder), {})

    assert [change.path for change in planned] == [
        f"{folder}/paude-venv-hook.d/paude-venv-hook.json",
        f"{folder}/containers.conf.d/99-paude-venv-hook.conf",
    ]
    assert planned[1].data == drop_in_text(packaged, folder / "paude-venv-hook.d").encode()


def test_the_hook_gets_the_folders_of_the_user_that_installs_it(
    podman: FakePodman, hook: Hook, tmp_path: Path, program: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", f"{tmp_path}/ä ö")
    monkeypatch.setenv("XDG_CACHE_HOME", "/not/kept")
    podman(tmp_path / "hooks")

    hook()

    text = hook_text(program, home, f"XDG_CONFIG_HOME={tmp_path}/ä ö")
    assert files(tmp_path / "hooks") == {"paude-venv-hook.json": text}
    assert json.loads(text)["hook"]["env"] == [f"HOME={home}", f"XDG_CONFIG_HOME={tmp_path}/ä ö"]


def test_every_user_can_read_what_is_made_and_what_was_there_keeps_its_mode(
    podman: FakePodman, hook: Hook, folder: Path
) -> None:
    folder.mkdir(mode=0o711)
    podman(PACKAGED)

    before = os.umask(0o077)
    try:
        hook()
    finally:
        os.umask(before)

    modes = {str(path.relative_to(folder)): oct(stat.S_IMODE(path.stat().st_mode)) for path in folder.rglob("*")}
    assert modes == {
        "containers.conf.d": "0o755",
        "containers.conf.d/99-paude-venv-hook.conf": "0o644",
        "paude-venv-hook.d": "0o755",
        "paude-venv-hook.d/paude-venv-hook.json": "0o644",
    }
    assert stat.S_IMODE(folder.stat().st_mode) == 0o711


# ---- again, and what would be


@pytest.mark.parametrize("with_drop_in", [False, True])
def test_a_second_time_nothing_is_written(
    podman: FakePodman, hook: Hook, tmp_path: Path, folder: Path, with_drop_in: bool
) -> None:
    podman(PACKAGED if with_drop_in else tmp_path / "hooks")
    assert hook().code == 0
    before = {path: path.lstat() for path in tmp_path.rglob("*")}

    path = f"{folder}/paude-venv-hook.d" if with_drop_in else f"{tmp_path}/hooks"
    line = f"paude-venv-hook: podman: already installed (Podman reads {path}/paude-venv-hook.json)\n"
    assert hook() == (0, "", line)

    # The time of a change tells of a file that was replaced, or whose mode was set anew.
    after = {path: path.lstat() for path in tmp_path.rglob("*")}
    assert {path: (s.st_ino, s.st_ctime_ns) for path, s in after.items()} == {
        path: (s.st_ino, s.st_ctime_ns) for path, s in before.items()
    }


def test_a_program_that_moved_is_installed_anew(
    podman: FakePodman, hook: Hook, tmp_path: Path, folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    podman(PACKAGED)
    hook()
    drop_in = folder / "containers.conf.d" / "99-paude-venv-hook.conf"
    before = drop_in.stat().st_ctime_ns
    moved = (tmp_path / "bin").rename(tmp_path / "elsewhere") / "paude-venv-hook"
    monkeypatch.setattr(sys, "argv", [str(moved)])

    done = hook()

    path, text = folder / "paude-venv-hook.d" / "paude-venv-hook.json", hook_text(moved, home)
    line = f"paude-venv-hook: podman: {INSTALLED} (Podman reads {path})\n"
    assert done == (0, f"{path}:\n{indented(text)}\n", line)
    assert (path.read_text(), drop_in.stat().st_ctime_ns) == (text, before)


def test_dry_run_shows_the_whole_of_each_file_and_writes_nothing(
    podman: FakePodman, hook: Hook, tmp_path: Path, folder: Path
) -> None:
    podman(PACKAGED)
    before = sorted(tmp_path.rglob("*"))

    would = hook("--dry-run")

    assert (would.code, would.err) == (0, "paude-venv-hook: podman: nothing is changed yet: --dry-run\n")
    assert sorted(tmp_path.rglob("*")) == before
    assert hook().out == would.out
    assert hook("--dry-run") == (0, "", "paude-venv-hook: podman: already installed\n")
    installed = files(folder)
    assert hook("--uninstall", "--dry-run") == (
        0,
        f"{folder}/containers.conf.d/99-paude-venv-hook.conf: removed\n"
        f"{folder}/paude-venv-hook.d/paude-venv-hook.json: removed\n",
        "paude-venv-hook: podman: nothing is changed yet: --dry-run\n",
    )
    assert files(folder) == installed


# ---- uninstall


def test_uninstall_removes_what_install_made_and_nothing_else(
    podman: FakePodman, hook: Hook, tmp_path: Path, folder: Path
) -> None:
    fill(folder, "containers.conf.d/50-own.conf = [engine]", "paude-venv-hook.d/other.json = {}")
    hooks = fill(tmp_path / "hooks", "other.json = {}")
    before = files(tmp_path)
    podman(PACKAGED)
    hook()
    podman(PACKAGED, hooks, reads_drop_in=False)
    hook()

    done = hook("--uninstall")

    assert done == (
        0,
        f"{folder}/containers.conf.d/99-paude-venv-hook.conf: removed\n"
        f"{folder}/paude-venv-hook.d/paude-venv-hook.json: removed\n"
        f"{hooks}/paude-venv-hook.json: removed\n"
        f"{folder}/paude-venv-hook.folders: removed\n",
        "paude-venv-hook: podman: uninstalled\n",
    )
    after = files(tmp_path)
    assert after.pop("programs/podman")
    assert after == before
    assert hook("--uninstall") == (0, "", "paude-venv-hook: podman: not installed\n")


@pytest.mark.parametrize("then", ["another folder", "none", "broken", "gone"])
def test_uninstall_finds_a_hook_in_a_folder_that_podmans_configuration_names_no_longer(
    podman: FakePodman, programs: Programs, hook: Hook, tmp_path: Path, folder: Path, then: str
) -> None:
    podman(PACKAGED, tmp_path / "mine")
    hook()
    if then == "another folder":
        podman(tmp_path / "other")
    elif then == "none":
        podman()
    elif then == "broken":
        programs("podman", "exit 1")
    else:
        (tmp_path / "programs" / "podman").unlink()

    assert hook("--uninstall") == (
        0,
        f"{tmp_path}/mine/paude-venv-hook.json: removed\n{folder}/paude-venv-hook.folders: removed\n",
        "paude-venv-hook: podman: uninstalled\n",
    )
    assert files(folder) == {}


def test_uninstall_finds_the_hooks_in_all_folders_that_it_went_into(
    podman: FakePodman, hook: Hook, tmp_path: Path, folder: Path
) -> None:
    for name in ("one", "two", "one"):
        podman(tmp_path / name)
        hook()
    podman(PACKAGED)

    assert (folder / "paude-venv-hook.folders").read_text() == f"{tmp_path}/one\n{tmp_path}/two\n"
    assert hook("--uninstall").err == "paude-venv-hook: podman: uninstalled\n"
    assert (os.listdir(tmp_path / "one"), os.listdir(tmp_path / "two")) == ([], [])


@pytest.mark.parametrize(
    ("script", "done"),
    [
        (None, (0, "podman: not installed")),
        ("exit 1", (1, "error[engine]: podman: {} --help failed: no reason given; see whether it works")),
        ("echo usage", (0, "podman: not installed")),  # its containers are started by another machine
    ],
)
def test_if_nothing_is_known_of_podman_is_asked_where_a_hook_may_be(
    programs: Programs, hook: Hook, folder: Path, script: str | None, done: tuple[int, str]
) -> None:
    program = programs("podman", script or "")
    if script is None:
        program.unlink()

    assert hook("--uninstall") == (done[0], "", f"paude-venv-hook: {done[1].format(program)}\n")


OLD_DROP_IN = """# Made by `paude-venv-hook install-podman-hook`; `--uninstall` removes it.
# This list takes the place of earlier ones. What they held when it was made is in it.
[engine]
hooks_dir = [
  "{}",
]
"""


def old_installation(folder: Path) -> Path:
    """Make what version 0.2.0 made with a command that is no more; return the drop-in."""
    hooks = folder / "paude-venv-hook.d"
    fill(folder, f"containers.conf.d/99-paude-venv-hook.conf = {OLD_DROP_IN.format(hooks)}")
    fill(hooks, "paude-venv-hook.json = {}")
    return folder / "containers.conf.d" / "99-paude-venv-hook.conf"


def test_what_an_earlier_version_installed_is_uninstalled(podman: FakePodman, hook: Hook, folder: Path) -> None:
    podman(PACKAGED)
    drop_in = old_installation(folder)

    assert hook("--uninstall") == (
        0,
        f"{drop_in}: removed\n{folder}/paude-venv-hook.d/paude-venv-hook.json: removed\n",
        "paude-venv-hook: podman: uninstalled\n",
    )
    assert files(folder) == {}


def test_what_an_earlier_version_installed_names_no_command_that_is_no_more(
    podman: FakePodman, hook: Hook, folder: Path, program: Path, home: Path
) -> None:
    podman(PACKAGED)
    old_installation(folder)

    assert hook().code == 0

    assert files(folder) == {
        "paude-venv-hook.d/paude-venv-hook.json": hook_text(program, home),
        "containers.conf.d/99-paude-venv-hook.conf": drop_in_text(folder / "paude-venv-hook.d"),
    }
    assert hook().out == ""


# ---- what root installs


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root owns what nobody else can change")


@pytest.fixture
def as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)


@needs_root
def test_the_hook_of_root_leaves_each_user_the_own_home(
    podman: FakePodman, hook: Hook, tmp_path: Path, as_root: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/root/config")
    podman(tmp_path / "hooks")

    assert hook().code == 0

    assert json.loads((tmp_path / "hooks" / "paude-venv-hook.json").read_text())["hook"]["env"] == []


@needs_root
@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize(
    ("changed", "rights"),
    [
        ("bin/paude-venv-hook", (1000, 0o755)),
        ("bin/paude-venv-hook", (0, 0o757)),
        ("bin/paude-venv-hook", (0, 0o1775)),
        ("bin", (0, 0o777)),
        ("bin", (0, 0o775)),
        ("bin", (1000, 0o755)),
        ("", (1000, 0o755)),
    ],
)
def test_root_installs_no_program_that_others_can_change(
    podman: FakePodman, hook: Hook, tmp_path: Path, folder: Path, program: Path,
    changed: str, rights: tuple[int, int],
) -> None:  # fmt: skip
    podman(PACKAGED)
    os.chown(tmp_path / changed, rights[0], 0)
    (tmp_path / changed).chmod(rights[1])

    fails(
        hook(),
        f"{program}: others than root can change {tmp_path / changed}, and root would start what they put there; "
        "install this in a folder that only root can write",
        folder,
        engine="",
    )


@needs_root
def test_root_follows_the_links_to_the_program(
    podman: FakePodman, hook: Hook, tmp_path: Path, folder: Path, program: Path, as_root: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    podman(PACKAGED)
    (tmp_path / "link").mkdir()
    link = tmp_path / "link" / "paude-venv-hook"
    link.symlink_to(program)
    monkeypatch.setattr(sys, "argv", [str(link)])
    (tmp_path / "bin").chmod(0o777)

    assert f"{link}: others than root can change {tmp_path}/bin, and" in hook().err
    (tmp_path / "bin").chmod(0o1777)  # as /tmp: nobody can remove what is root's
    assert hook().code == 0


def test_uninstall_leaves_no_folder_of_its_own(podman: FakePodman, hook: Hook, folder: Path) -> None:
    podman(PACKAGED)
    hook()

    hook("--uninstall")

    assert os.listdir(folder) == ["containers.conf.d"]


@pytest.mark.parametrize("script", [None, "exit 1"])
def test_uninstall_needs_no_podman_that_works(
    podman: FakePodman, programs: Programs, hook: Hook, folder: Path, script: str | None
) -> None:
    podman(PACKAGED)
    hook()
    broken = programs("podman", script or "")
    if script is None:
        broken.unlink()

    assert (hook("--uninstall").err, files(folder)) == ("paude-venv-hook: podman: uninstalled\n", {})


def test_what_cannot_be_removed_is_named(podman: FakePodman, hook: Hook, folder: Path) -> None:
    podman(PACKAGED)
    path = folder / "paude-venv-hook.d" / "paude-venv-hook.json"
    path.mkdir(parents=True)

    assert hook("--uninstall") == (
        1,
        "",
        f"paude-venv-hook: error[engine]: podman: {path}: cannot be removed: Is a directory; remove it as its owner\n",
    )


# ---- what stops it


def fails(done: Done, error: str, folder: Path, engine: str = "podman: ") -> None:
    """Check that there is this one error, about the engine or the program itself, and that no file was written."""
    assert done == (1, "", f"paude-venv-hook: error[engine]: {engine}{error}\n")
    assert not folder.exists() or files(folder) == {}


def test_a_podman_that_does_not_read_the_drop_in_has_everything_taken_back(
    podman: FakePodman, programs: Programs, hook: Hook, folder: Path, tmp_path: Path
) -> None:
    podman(PACKAGED, reads_drop_in=False)

    done = hook()

    hook_file = f"{folder}/paude-venv-hook.d/paude-venv-hook.json"
    drop_in = f"{folder}/containers.conf.d/99-paude-venv-hook.conf"
    assert done.out.endswith(f"{hook_file}: removed\n{drop_in}: removed\n")
    assert (done.code, done.err) == (
        1,
        f"paude-venv-hook: error[engine]: podman: {tmp_path}/programs/podman does not read {drop_in}; "
        f"add {folder}/paude-venv-hook.d to hooks_dir in its containers.conf, and run this again\n",
    )
    assert (os.listdir(folder), files(folder)) == (["containers.conf.d"], {})

    podman(PACKAGED, folder / "paude-venv-hook.d", reads_drop_in=False)  # the advice was followed
    assert hook().err.startswith(f"paude-venv-hook: podman: {INSTALLED} (Podman reads ")
    assert [*files(folder)] == ["paude-venv-hook.d/paude-venv-hook.json"]


def test_with_containers_conf_only_what_that_file_names_can_be_used(
    podman: FakePodman, hook: Hook, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONTAINERS_CONF", "/some/containers.conf")
    podman(PACKAGED)

    fails(
        hook(),
        f"CONTAINERS_CONF is set, and Podman reads no other file; add {folder}/paude-venv-hook.d to hooks_dir "
        "there, and run this again",
        folder,
    )

    podman(PACKAGED, folder / "paude-venv-hook.d", reads_drop_in=False)  # the advice was followed
    assert hook().err.startswith(f"paude-venv-hook: podman: {INSTALLED} (Podman reads ")


@pytest.mark.parametrize(
    ("entry", "path"),
    [
        ("containers", ""),
        ("containers/paude-venv-hook.d", "/paude-venv-hook.d"),
        ("containers/containers.conf.d", "/containers.conf.d"),
    ],
)
def test_a_folder_that_cannot_be_written_is_named(
    podman: FakePodman, hook: Hook, tmp_path: Path, folder: Path, entry: str, path: str
) -> None:
    fill(tmp_path, entry)  # a file where a folder has to be
    podman(PACKAGED)

    done = hook()

    named = f"{folder}{path or '/paude-venv-hook.d'}"
    assert done == (1, "", f"paude-venv-hook: error[engine]: podman: {named}: cannot be written; make it yours\n")
    assert sorted(files(tmp_path)) == sorted(["bin/paude-venv-hook", "programs/podman", entry])


@pytest.mark.skipif(os.geteuid() == 0, reason="access(2) lets root write to each folder")
def test_a_folder_of_somebody_else_is_passed_over(podman: FakePodman, hook: Hook, tmp_path: Path, folder: Path) -> None:
    (tmp_path / "hooks").mkdir(mode=0o555)
    podman(tmp_path / "hooks")

    assert hook().code == 0

    assert os.listdir(tmp_path / "hooks") == []
    assert (folder / "paude-venv-hook.d" / "paude-venv-hook.json").exists()


@pytest.mark.parametrize("arguments", [[], ["--dry-run"]])
def test_without_podman_there_is_nothing_to_install_for(
    programs: Programs, hook: Hook, folder: Path, arguments: list[str]
) -> None:
    fails(hook(*arguments), "podman is not on PATH; install it", folder, engine="")


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (
            "echo first >&2; echo 'the reason\x1b' >&2; exit 125",
            "{} --help failed: the reason\\x1b; see whether it works",
        ),
        ("exit 3", "{} --help failed: no reason given; see whether it works"),
    ],
    ids=["fails", "fails in silence"],
)
def test_a_podman_that_does_not_say_where_it_looks(
    programs: Programs, hook: Hook, folder: Path, script: str, error: str
) -> None:
    podman = programs("podman", script)

    fails(hook(), error.format(podman), folder)


def test_a_podman_that_starts_no_containers_itself_is_skipped(programs: Programs, hook: Hook, folder: Path) -> None:
    podman = programs(
        "podman", "echo '      --url string   URL to access Podman service'; echo '      --hooks-dirs strings'"
    )

    assert hook() == (
        1,
        "",
        f"paude-venv-hook: podman: skipped: {podman} has no --hooks-dir, so its containers are not started by this "
        "machine; run this where they are (podman machine ssh)\n",
    )
    assert not folder.exists()


def test_a_podman_that_cannot_be_started_is_named(programs: Programs, hook: Hook, folder: Path) -> None:
    program = programs("podman", "")
    program.write_text("#!/no/such/shell\n")

    fails(hook(), f"{program}: cannot be asked: No such file or directory; see whether it works", folder)


def test_a_podman_that_does_not_answer_is_named(
    programs: Programs, hook: Hook, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = programs("podman", "while :; do :; done")
    monkeypatch.setattr(podman_hook, "ask", partial(ask, seconds=0.05))

    fails(hook(), f"{program}: cannot be asked: no answer within 0.05 seconds; see whether it works", folder)


def test_a_path_that_a_configuration_cannot_name_is_refused(
    podman: FakePodman, hook: Hook, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = (tmp_path / "bin").rename(tmp_path / "a\tb") / "paude-venv-hook"
    monkeypatch.setattr(sys, "argv", [str(odd)])
    podman(PACKAGED)

    error = f"{tmp_path}/a\\tb/paude-venv-hook: Podman's configuration cannot name such a path; rename it"
    fails(hook(), error, folder)


def test_a_hook_file_that_is_no_file_is_named(podman: FakePodman, hook: Hook, tmp_path: Path) -> None:
    path = tmp_path / "hooks" / "paude-venv-hook.json"
    path.mkdir(parents=True)
    podman(tmp_path / "hooks")

    assert hook() == (
        1,
        "",
        f"paude-venv-hook: error[engine]: podman: {path}: cannot be read: not a regular file; "
        "remove what is in the way\n",
    )


def test_a_file_that_cannot_be_read_is_named_before_anything_is_written(
    podman: FakePodman, hook: Hook, folder: Path
) -> None:
    fill(folder, "containers.conf.d/99-paude-venv-hook.conf -> 99-paude-venv-hook.conf")
    podman(PACKAGED)

    drop_in = folder / "containers.conf.d" / "99-paude-venv-hook.conf"
    error = "Too many levels of symbolic links; remove what is in the way"
    fails(hook(), f"{drop_in}: cannot be read: {error}", folder)
    assert hook("--uninstall").out == f"{drop_in}: removed\n"


def test_a_wrong_flag_is_a_usage_error(hook: Hook) -> None:
    assert hook("--dry") == (
        2,
        "",
        'paude-venv-hook: error[usage]: --dry is no option of install (did you mean "--dry-run"?); '
        "see paude-venv-hook install --help\n",
    )


# ---- where Podman looks, and where we are


@pytest.mark.parametrize(
    ("line", "folders"),
    [  # as Podman 4.3.1 prints them
        (f"      {OPTION} (default [/usr/share/containers/oci/hooks.d])", ["/usr/share/containers/oci/hooks.d"]),
        (f'      {OPTION} (default ["/a,b",/c d,"/q""x",/ü])', ["/a,b", "/c d", '/q"x', "/ü"]),
        (f"      {OPTION} (default [/a)]b,/c])", ["/a)]b", "/c"]),
        (f"      {OPTION}", []),
        ("      --hooks-dir stringArray   Set (default [/x])", ["/x"]),
    ],
)
def test_podmans_help_says_where_it_looks(programs: Programs, line: str, folders: list[str]) -> None:
    podman = programs("podman", f"/bin/cat <<'END'\n  -c, --connection string\n{line}\n  -r, --remote\nEND")

    assert hooks_folders(str(podman), os.environ) == folders


def test_podman_is_asked_with_the_environment_that_it_will_have(programs: Programs) -> None:
    podman = programs("podman", f'echo "      {OPTION} (default [$WHERE])"')

    assert hooks_folders(str(podman), {"WHERE": "/there"}) == ["/there"]


@pytest.mark.parametrize(
    ("user", "environ", "expected"),
    [
        (0, {"XDG_CONFIG_HOME": "/xdg"}, "/etc/containers"),
        (1000, {"XDG_CONFIG_HOME": "/xdg"}, "/xdg/containers"),
        (1000, {"XDG_CONFIG_HOME": ""}, "HOME/.config/containers"),
        (1000, {}, "HOME/.config/containers"),
    ],
)
def test_the_folder_is_the_users_or_for_root_the_machines(
    home: Path, monkeypatch: pytest.MonkeyPatch, user: int, environ: dict[str, str], expected: str
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)

    assert config_folder(environ) == expected.replace("HOME", str(home))


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of the programs of the environment that runs, in which ours is missing."""
    folder = tmp_path / "environment" / "bin"
    folder.mkdir(parents=True)
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    monkeypatch.setattr(sys, "argv", ["/somewhere/paude_venv_hook/__main__.py"])
    return folder


def test_the_program_is_the_one_that_runs_by_its_own_name(program: Path, tmp_path: Path) -> None:
    (tmp_path / "link").mkdir()
    link = tmp_path / "link" / "paude-venv-hook"
    link.symlink_to(program)

    assert own_program({"PATH": ""}) == str(program)
    sys.argv[0] = str(link)
    assert own_program({"PATH": ""}) == str(link)  # as pipx makes them: what it leads to changes with an upgrade
    sys.argv[0] = os.path.relpath(link)
    assert own_program({"PATH": ""}) == str(link)


def test_else_the_program_beside_python_counts_and_then_the_one_on_path(program: Path, environment: Path) -> None:
    environ = {"PATH": str(program.parent)}

    assert own_program(environ) == str(program)
    beside = environment / "paude-venv-hook"
    beside.write_text("#!/bin/sh\n")
    assert own_program(environ) == str(program)  # it may not be executed
    beside.chmod(0o755)
    assert own_program(environ) == str(beside)


def test_a_program_that_is_not_installed_is_refused(
    environment: Path, podman: FakePodman, hook: Hook, folder: Path
) -> None:
    podman(PACKAGED)

    fails(hook(), "paude-venv-hook is not installed as a program; install it, with pipx or uv say", folder, engine="")
    assert hook("--uninstall").err == "paude-venv-hook: podman: not installed\n"


@pytest.mark.parametrize("linked", [False, True])
def test_a_program_in_a_cache_is_refused(
    podman: FakePodman, hook: Hook, folder: Path, program: Path, home: Path, linked: bool
) -> None:
    cached = home / ".cache" / "uv" / "archive" / "bin" / "paude-venv-hook"
    cached.parent.mkdir(parents=True)
    program.rename(cached)
    if linked:
        program.symlink_to(cached)
    else:
        sys.argv[0] = str(cached)
    podman(PACKAGED)

    error = f"{sys.argv[0]}: lies in a cache, which is cleared some day; install it to stay"
    fails(hook(), error, folder, engine="")


def test_what_cannot_be_printed_is_escaped(tmp_path: Path) -> None:
    changes = [Change("/a\nb", None), Change("/c", b"one\n\ntwo\n")]

    assert render(changes) == "/a\\nb: removed\n/c:\n    one\n    \n    two\n\n"


# ---- the line of shell that Podman starts


CONFIG = b'{"ociVersion": "1.0", "a": "\\n \\u00fc %s \\\\ $HOME `id` \' \xc3\xbc",\n\n "mounts": [MOUNT]}'


@pytest.fixture
def start(podman: FakePodman, hook: Hook, tmp_path: Path) -> Callable[[bytes], bytes]:
    """Install the program, and return a function that starts the hook as Podman does and returns what it prints."""
    podman(tmp_path / "hooks")
    hook()
    written = json.loads((tmp_path / "hooks" / "paude-venv-hook.json").read_text())["hook"]
    environ = dict(value.split("=", 1) for value in written["env"])

    def start(config: bytes) -> bytes:
        done = subprocess.run(
            written["args"], executable=written["path"], env=environ, input=config, stdout=subprocess.PIPE, check=True
        )
        return done.stdout

    return start


def test_the_line_gives_podman_what_the_program_makes_of_the_config(
    start: Callable[[bytes], bytes], program: Path, workspace: Path, make_venv: MakeVenv
) -> None:
    make_venv(workspace / ".venv")
    fill(workspace, "paude.json = {}")
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m paude_venv_hook "$@"\n')
    mount = {"destination": "/app", "type": "bind", "source": str(workspace), "options": ["rbind"]}
    config = CONFIG.replace(b"MOUNT", json.dumps(mount).encode())

    printed = start(config)

    options = ["rw", "nosuid", "nodev", "mode=1777"]
    tmpfs = {"destination": "/app/.venv", "type": "tmpfs", "source": "tmpfs", "options": options}
    assert json.loads(printed) == {**json.loads(config), "mounts": [mount, tmpfs]}


def test_the_program_gets_the_very_config_as_one_word_and_nothing_else(
    start: Callable[[bytes], bytes], program: Path, tmp_path: Path
) -> None:
    program.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" >{tmp_path}/words\ncat >{tmp_path}/stdin\necho \'{{"ociVersion": 1}}\'\n'
    )

    assert start(CONFIG) == b'{"ociVersion": 1}\n'

    assert (tmp_path / "words").read_text() == "oci-precreate\n"
    assert (tmp_path / "stdin").read_bytes() == CONFIG + b"\n"


@pytest.mark.parametrize(
    "script",
    [
        None,
        "#!/no/such/python\n",
        "#!/bin/sh\nexit 1\n",
        "#!/bin/sh\ncat; exit 1\n",
        "#!/bin/sh\necho '{\"half\": '; kill -KILL $$\n",
        "#!/bin/sh\ncat >/dev/null\n",
        "#!/bin/sh\necho\n",
        "#!/bin/sh\necho '{}'\n",
        "#!/bin/sh\necho null\n",
        "#!/bin/sh\necho '[\"ociVersion\"]'\n",
        "#!/bin/sh\necho 'no ociVersion for you'\n",
        '#!/bin/sh\nprintf \'{"ociVersion": "1.0\'\n',
        "no program at all",
    ],
    ids=[
        *("gone", "interpreter gone", "fails", "fails late", "killed", "prints nothing", "a blank line"),
        *("an empty object", "null", "a list", "words", "half of it", "no program"),
    ],
)
@pytest.mark.parametrize("size", [0, 300_000], ids=["small", "large"])
def test_whatever_the_program_does_wrong_the_config_comes_back(
    start: Callable[[bytes], bytes], program: Path, script: str | None, size: int
) -> None:
    program.unlink()
    if script is not None:
        program.write_text(script)
        program.chmod(0o755)
    config = CONFIG + b" " * size + b"x"

    assert start(config) == config + b"\n"


CHANGED = b'{"ociVersion": "1.0.2", "changed": true}'


@pytest.mark.parametrize(
    ("timeout", "printed"),
    [
        ('echo "$@" >"${0%/*}/words"; exit 137', CONFIG + b"\n"),
        ('echo "$@" >"${0%/*}/words"; shift 3; exec "$@"', CHANGED + b"\n"),
        (None, CHANGED + b"\n"),
    ],
    ids=["it takes too long", "it is quick", "there is no timeout, as on macOS"],
)
def test_the_program_has_ten_seconds_where_the_machine_can_tell(
    programs: Programs, program: Path, timeout: str | None, printed: bytes
) -> None:
    program.write_text(f"#!/bin/sh\necho '{CHANGED.decode()}'\n")
    folder = programs("cat", f'exec {shutil.which("cat", path=os.defpath)} "$@"').parent
    if timeout:
        programs("timeout", timeout)

    done = subprocess.run(
        ["/bin/sh", "-c", podman_hook._SCRIPT, program],  # noqa: SLF001 - what the hook file holds, with another PATH
        env={"PATH": str(folder)}, input=CONFIG, stdout=subprocess.PIPE, check=True,
    )  # fmt: skip

    assert done.stdout == printed
    if timeout:
        assert (folder / "words").read_text() == f"-s KILL 10 {program} oci-precreate\n"


def test_a_program_that_may_not_be_executed_gives_the_config_back(
    start: Callable[[bytes], bytes], program: Path
) -> None:
    program.chmod(0o644)

    assert start(CONFIG) == CONFIG + b"\n"
