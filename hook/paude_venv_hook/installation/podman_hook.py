"""Install Podman's precreate hook (oci.py): a hook file, and what Podman's configuration needs to find it.

Where Podman looks for hook files follows from up to a dozen containers.conf files and two variables, by rules that
differ between versions. So Podman is asked: `podman --help` shows the outcome, as the default of `--hooks-dir`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from paude_venv_hook.engines.mountable import can_be_mounted
from paude_venv_hook.engines.programs import ask, find_program
from paude_venv_hook.errors import EngineError
from paude_venv_hook.files import is_inside, read_start
from paude_venv_hook.folders import config_home, needed_folder, user_folder
from paude_venv_hook.installation.changes import Change, carry_out, render
from paude_venv_hook.installation.own_program import is_root
from paude_venv_hook.terminal import PROGRAM, write
from paude_venv_hook.text import last_line, shown

HOOK_FILE = "paude-venv-hook.json"
OWN_FOLDER = "paude-venv-hook.d"
DROP_IN = os.path.join("containers.conf.d", "99-paude-venv-hook.conf")

RECORD = "paude-venv-hook.folders"
_PLACES = "podman-hook.folders"  # in the user's data folder
MACHINE_FOLDER = "/etc/containers"

# Podman starts no container when a hook fails, be it only that an upgrade took the program's interpreter away. So the
# hook is a line of shell, which gives the config back as it came unless the program ($0) makes a config of it in a few
# seconds.
_SCRIPT = (
    'limit=; command -v timeout >/dev/null && limit="timeout -s KILL 10"; config=$(cat); '
    'result=$(printf "%s\\n" "$config" | $limit "$0" oci-precreate); '
    """case $?$result in 0{*'"ociVersion"'*}) ;; *) result=$config ;; esac; """
    'printf "%s\\n" "$result"'
)
_MARK = f"# Made by `{PROGRAM} install`; `{PROGRAM} uninstall` removes it.\n"
_OLD_MARK = f"# Made by `{PROGRAM} install-podman-hook`; `--uninstall` removes it.\n"
_HOOKS_DIR = re.compile(r"^ +--hooks-dir \w+ .*?(?:\(default \[(.*)\]\))?$", re.MULTILINE)
_NOT_HERE = (
    "has no --hooks-dir, so its containers are not started by this machine; "
    "run this where they are (podman machine ssh)"
)


def config_folder(environ: Mapping[str, str]) -> str:
    """Return the host path of the folder of containers.conf: the user's, or the machine's for root.

    Raises EngineError for a user without a home folder.
    """
    if is_root():
        return MACHINE_FOLDER
    return os.path.join(needed_folder(config_home(environ), EngineError), "containers")


def install(podman: str, program: str, folder: str, environ: Mapping[str, str], *, dry_run: bool) -> Sequence[Change]:
    """Let Podman call the program at each start of a container; show what changes for that, and return it.

    `podman`, `program` and `folder`, that of containers.conf, are host paths. Raises HookError, with all taken back, if
    Podman does not find the hook then.
    """
    planned = plan_install(hooks_folders(podman, environ), program, folder, environ)
    changes = [change for change in planned if change.differs()]
    if dry_run:
        write(render(changes))
        return changes
    carry_out(changes)
    hook_file = planned[0].path
    if changes and hook_file not in _hook_files_read(podman, environ):
        carry_out(Change(path, None) for path, _ in changes)
        remove_own_folders(changes)
        raise EngineError(
            f"{shown(podman)} does not read {shown(os.path.join(folder, DROP_IN))}; "
            f"add {shown(os.path.dirname(hook_file))} to hooks_dir in its containers.conf, and run this again"
        )
    return changes


def _hook_files_read(podman: str, environ: Mapping[str, str]) -> list[str]:
    """Return where Podman (a host path) looks for our hook file. Raises EngineError if it does not say."""
    return [os.path.join(folder, HOOK_FILE) for folder in hooks_folders(podman, environ)]


def plan_uninstall(folder: str, environ: Mapping[str, str]) -> list[Change]:
    """Return the files to remove: those of this and earlier environments, and where Podman looks, if it can be asked.

    `folder` is that of containers.conf. Raises EngineError if nothing is known, and Podman does not say where it looks.
    """
    podman = find_program("podman", environ)
    places = [folder]
    if not is_root():
        usual = config_home({})
        if usual:
            places.append(os.path.join(usual, "containers"))
        places += _read_places(_places())
    known = [path for place in dict.fromkeys(places) for path in _present(place)]
    folders: list[str] = []
    if podman:
        try:
            folders = _configured_folders(podman, environ) or []
        except EngineError:
            if not known:
                raise
    configured = [os.path.join(os.path.normpath(name), HOOK_FILE) for name in folders]
    others = [path for path in (*configured, _places()) if os.path.lexists(path)]
    return [Change(path, None) for path in dict.fromkeys([*known, *others])]


def _present(folder: str) -> list[str]:
    """Return which of our files are there, given the folder of containers.conf."""
    paths = [os.path.join(folder, DROP_IN), *_hook_files(folder), os.path.join(folder, RECORD)]
    return [path for path in paths if os.path.lexists(path)]


def remove_own_folders(changes: Iterable[Change]) -> None:
    """Remove our folders of hooks from which the changes removed a file, if they are empty."""
    for change in changes:
        folder = os.path.dirname(change.path)
        if os.path.basename(folder) == OWN_FOLDER:
            with suppress(OSError):
                os.rmdir(folder)


def find_hook(environ: Mapping[str, str]) -> str:
    """Return the host path of the hook file that install made for this user or for the machine, "" without one.

    Podman is not asked whether it reads that, as `install` does.
    """
    folders = [MACHINE_FOLDER]
    with suppress(EngineError):
        folders.insert(0, config_folder(environ))
    return next((path for folder in folders for path in _hook_files(folder) if os.path.isfile(path)), "")


def why_skipped(podman: str, environ: Mapping[str, str]) -> str:
    """Return why the containers of this Podman (a host path) are none of this machine, "" if they are.

    Raises EngineError if Podman does not say.
    """
    return f"{shown(podman)} {_NOT_HERE}" if _configured_folders(podman, environ) is None else ""


def read_hook(podman: str, environ: Mapping[str, str]) -> str:
    """Return the host path of the hook file that this Podman (a host path) reads. Raises EngineError for none."""
    files = [path for path in _hook_files_read(podman, environ) if os.path.isfile(path)]
    if not files:
        raise EngineError(f"{shown(podman)} reads no {HOOK_FILE}; run `{PROGRAM} install` again")
    return files[-1]


def _hook_files(folder: str) -> list[str]:
    """Return where hook files may be, by what is in the folder of containers.conf."""
    folders = [os.path.join(folder, OWN_FOLDER), *_read_places(os.path.join(folder, RECORD))]
    return [os.path.join(name, HOOK_FILE) for name in dict.fromkeys(map(os.path.normpath, folders))]


def summary(podman: str, changes: Sequence[Change], environ: Mapping[str, str], *, dry_run: bool) -> str:
    """Return a line on the result of an installation. Raises EngineError if Podman does not read the hook."""
    if dry_run:
        return "nothing is changed yet: --dry-run" if changes else "already installed"
    line = "already installed"
    if changes:
        line = "installed: Podman now shadows the venvs of each workspace with a paude.json or a devcontainer.json"
    return f"{line} (Podman reads {shown(read_hook(podman, environ))})"


def hooks_folders(podman: str, environ: Mapping[str, str]) -> list[str]:
    """Return the folders in which Podman looks for hook files; what a later one holds goes before.

    Raises EngineError if Podman does not say.
    """
    folders = _configured_folders(podman, environ)
    if folders is None:
        raise EngineError(f"{shown(podman)} {_NOT_HERE}")
    return folders


def _configured_folders(podman: str, environ: Mapping[str, str]) -> list[str] | None:
    """Return the folders of `hooks_folders`, None for a Podman that starts no containers itself."""
    import csv  # noqa: PLC0415 - not wanted by the commands that a launch waits for

    match = _HOOKS_DIR.search(_ask_help(podman, environ))
    if match is None:
        return None
    return [path for path in next(csv.reader([match[1] or ""]), []) if path]


def _ask_help(podman: str, environ: Mapping[str, str]) -> str:
    try:
        done = ask([podman, "--help"], environ)
    except OSError as error:
        raise EngineError(f"{shown(podman)}: cannot be asked: {error.strerror}; see whether it works") from None
    if done.returncode:
        raise EngineError(f"{shown(podman)} --help failed: {last_line(os.fsdecode(done.stderr))}; see whether it works")
    return os.fsdecode(done.stdout)


def plan_install(folders: Sequence[str], program: str, folder: str, environ: Mapping[str, str]) -> tuple[Change, ...]:
    """Return the files to write, the hook file first, given the folders in which Podman looks for those.

    A folder that Podman knows is used as it is. If none can be written, and none of those below /usr should, a
    file beside containers.conf names one more. Raises EngineError if Podman would not read that.
    """
    own_folder, drop_in = os.path.join(folder, OWN_FOLDER), os.path.join(folder, DROP_IN)
    for path in (program, own_folder, *folders):
        if not can_be_mounted(path):
            raise EngineError(f"{shown(path)}: Podman's configuration cannot name such a path; rename it")
    usable = [path for path in folders if not is_inside(path, "/usr") and _can_write(path)]
    if usable:
        best = max(usable, key=lambda path: (os.path.exists(os.path.join(path, HOOK_FILE)), folders.index(path)))
        change = Change(os.path.join(best, HOOK_FILE), _hook_file(program, environ))
        return (change, *_record(best, folder), *_renewed(drop_in), *_place(folder, environ))
    if environ.get("CONTAINERS_CONF"):
        raise EngineError(
            f"CONTAINERS_CONF is set, and Podman reads no other file; add {shown(own_folder)} to hooks_dir there, "
            "and run this again"
        )
    for path in (own_folder, os.path.dirname(drop_in)):
        if not _can_write(path):
            raise EngineError(f"{shown(path)}: cannot be written; make it yours")
    return (
        Change(os.path.join(own_folder, HOOK_FILE), _hook_file(program, environ)),
        Change(drop_in, _drop_in([*folders, own_folder])),
        *_place(folder, environ),
    )


def _record(hooks_folder: str, folder: str) -> tuple[Change, ...]:
    """Return the file that tells `uninstall` of a folder which only Podman's configuration names, and that can change.

    None for the folder of our own, or if there is no place for it.
    """
    record = os.path.join(folder, RECORD)
    if not _can_write(folder) or os.path.normpath(hooks_folder) == os.path.join(folder, OWN_FOLDER):
        return ()
    folders = dict.fromkeys([*_read_places(record), os.path.normpath(hooks_folder)])
    return (Change(record, "".join(f"{name}\n" for name in folders).encode()),)


def _place(folder: str, environ: Mapping[str, str]) -> tuple[Change, ...]:
    """Return the file that tells `uninstall` of a folder of containers.conf which a variable names, and can change."""
    if is_root() or not environ.get("XDG_CONFIG_HOME"):
        return ()
    record = os.path.join(needed_folder(user_folder("data"), EngineError), _PLACES)
    folders = dict.fromkeys([*_read_places(record), folder])
    return (Change(record, "".join(f"{name}\n" for name in folders).encode()),)


def _places() -> str:
    """Return the host path of that file, "" for a user without a home folder."""
    folder = user_folder("data")
    return folder and os.path.join(folder, _PLACES)


def _read_places(record: str) -> list[str]:
    return [name for name in read_start(record).decode("utf-8", "replace").splitlines() if os.path.isabs(name)]


def _hook_file(program: str, environ: Mapping[str, str]) -> bytes:
    # Podman clears the environment; for a rootless one, moreover, the user is root here. HOME tells where the user's
    # settings and stores are, and Python's packages of the user. What root installs is for each user:
    # folders.home_folder.
    names = () if is_root() else ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")
    kept = [f"{name}={environ[name]}" for name in names if environ.get(name)]
    hook = {"path": "/bin/sh", "args": ["sh", "-c", _SCRIPT, program], "env": kept}
    # `hasBindMounts` would miss the binds of --volumes-from and of `podman kube play`.
    document = {"version": "1.0.0", "hook": hook, "when": {"always": True}, "stages": ["precreate"]}
    return json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"


def _drop_in(folders: Iterable[str]) -> bytes:
    # A JSON string without escapes for letters is a TOML string.
    lines = [f"  {json.dumps(path, ensure_ascii=False)},\n" for path in folders]
    return (
        f"{_MARK}# This list takes the place of earlier ones. What they held when it was made is in it.\n"
        f"[engine]\nhooks_dir = [\n{''.join(lines)}]\n"
    ).encode()


def _renewed(drop_in: str) -> tuple[Change, ...]:
    """Return the drop-in (a host path) with a comment that names the commands of today, if it is an earlier one's."""
    data = read_start(drop_in)
    if not data.startswith(_OLD_MARK.encode()):
        return ()
    return (Change(drop_in, _MARK.encode() + data.removeprefix(_OLD_MARK.encode())),)


def _can_write(folder: str) -> bool:
    """Tell whether files can be put into the folder, which may have to be made."""
    while os.path.isabs(folder) and not os.path.lexists(folder):
        folder = os.path.dirname(folder)
    return os.path.isabs(folder) and os.path.isdir(folder) and os.access(folder, os.W_OK | os.X_OK)
