"""Whatever a repository holds, a run ends in an overlay that keeps the promises, or in one line and exit code 1."""

from __future__ import annotations

import contextlib
import io
import json
import os
import posixpath
import re
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from layout import planned
from paude_venv_hook.cli import main
from paude_venv_hook.errors import HookError
from paude_venv_hook.text import shown
from paude_venv_hook.workspace.devcontainer import read_devcontainer

SCHEMA = jsonschema.Draft202012Validator(
    json.loads((files("paude_venv_hook") / "schemas" / "overlay.json").read_text())
)
NAMES = st.one_of(
    st.sampled_from([".venv", "venv", "env", "a", "b", ".tox", "-v", "--privileged", "a,b", "a:b", 'q"', "$x",
                     "${localEnv:PATH}", "x\n-v", " ", "a b", "é", "\udcff", "=", "%", "~", "..x"]),
    st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=6),
).filter(lambda name: name not in (".", ".."))  # fmt: skip
PATHS = st.lists(st.one_of(NAMES, st.sampled_from(["..", ".", ""])), max_size=3).map("/".join)
TARGETS = st.one_of(PATHS.map(lambda path: "/" + path), PATHS)
TRASH = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4), PATHS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)),
    max_leaves=4,
)
PLAIN = st.lists(st.sampled_from([".venv", "venv", "env", "a", "b", "a,b", "a:b", "$x", "-v"]), min_size=1).map(
    "/".join
)
VENV = st.one_of(
    st.just("auto"), st.lists(PLAIN, max_size=4), st.sampled_from(["none", "Auto"]), st.lists(PATHS), TRASH
)
SIZES = st.sampled_from(["2g", "50%", "64M", "0", "1z", "2g,exec"])
TMPFS = st.one_of(
    st.fixed_dictionaries(
        {}, optional={"size": SIZES, "uid": st.integers(0, 2**32), "gid": st.just(1000) | st.integers()}
    ),
    TRASH,
)
PAUDE = st.one_of(
    st.just('{"venv": "auto"}'),
    st.lists(PLAIN, max_size=4).map(lambda names: json.dumps({"venv": names})),
    st.lists(PLAIN, max_size=4).map(lambda names: json.dumps({"venv": names, "venv-tmpfs": {"size": "2g"}})),
    st.lists(PLAIN, max_size=4).map(lambda names: f"{{venv: {names}, /* JSON5 */ }}"),
    st.fixed_dictionaries({}, optional={"venv": VENV, "venv-tmpfs": TMPFS, "vnev": TRASH}).map(json.dumps),
    TRASH.map(json.dumps) | st.text(max_size=20),
)
SOURCES = st.one_of(st.sampled_from([".", "${localWorkspaceFolder}", "..", "sub"]), PATHS)
MOUNT = st.builds("type={},source={},target={}".format, st.sampled_from(["bind", "volume"]), SOURCES, TARGETS)
RUN_ARGS = st.one_of(st.sampled_from(["-v", "--mount", "--tmpfs"]), TARGETS, MOUNT)
CONFIG = st.fixed_dictionaries(
    {},
    optional={
        "workspaceFolder": st.one_of(TARGETS, TRASH),
        "workspaceMount": st.one_of(MOUNT, TRASH),
        "mounts": st.one_of(st.lists(MOUNT, max_size=2), TRASH),
        "runArgs": st.one_of(st.lists(RUN_ARGS, max_size=4), TRASH),
        "dockerComposeFile": TRASH,
    },
)  # fmt: skip
DEVCONTAINER = st.one_of(
    st.just("{}"),
    PLAIN.map(lambda path: json.dumps({"workspaceMount": f"type=bind,source=.,target=/w/{path}"})),
    st.lists(MOUNT, max_size=2).map(lambda mounts: json.dumps({"mounts": mounts})),
    st.lists(RUN_ARGS, max_size=4).map(lambda arguments: json.dumps({"runArgs": arguments})),
    CONFIG.map(json.dumps) | st.text(max_size=20),
)
# What stands at a name: a venv, a folder, a file, an empty folder that looks like a project, or a link to a path.
ENTRIES = st.dictionaries(
    st.one_of(PLAIN, NAMES),
    st.one_of(st.just("venv"), st.sampled_from(["folder", "file", "nested"]), st.sampled_from([".venv", "a"]) | PATHS),
    max_size=5,
)


def fill(folder: Path, entries: dict[str, str], files: dict[str, str | None]) -> None:
    for name, kind in entries.items():
        path = folder / name
        with contextlib.suppress(OSError):  # a name that is too long, or not UTF-8 if that matters
            if kind == "file":
                path.write_text("venv")
            elif kind in ("venv", "folder", "nested"):
                path.mkdir()
                if kind == "venv":
                    (path / "pyvenv.cfg").touch()
                elif kind == "nested":
                    (path / ".venv").mkdir()
            else:
                path.symlink_to(kind or ".")
    for file, text in files.items():
        if text is not None:
            with contextlib.suppress(OSError):
                (folder / file).write_text(text, encoding="utf-8", errors="surrogatepass")


def run(*arguments: str) -> tuple[int, bytes, str]:
    out, err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(arguments)
    buffer = out.buffer
    assert isinstance(buffer, io.BytesIO)
    return code, buffer.getvalue(), err.getvalue()


def contents(folder: Path) -> dict[Path, bytes | None]:
    """Return what the folder holds: a file's bytes, None for all else."""
    return {path: path.read_bytes() if path.is_file() and not path.is_symlink() else None for path in folder.rglob("*")}


def binds_in(folder: Path) -> list[dict[str, str]]:
    """Return the binds that a devcontainer.json that can be read makes besides the workspace mount."""
    path = folder / ".devcontainer.json"
    try:
        mounts = read_devcontainer(str(path), str(folder), os.environ).mounts if path.is_file() else ()
    except HookError:  # with venv none nobody reads it
        return []
    return [{"source": mount.source, "target": mount.target} for mount in mounts if mount.type == "bind"]


def check_promises(overlay: dict[str, Any], folder: Path, more: list[dict[str, str]]) -> None:
    SCHEMA.validate(overlay)
    mounts = [overlay["workspaceMount"], *more] if overlay["workspaceMount"] else []
    destinations = [shadow["destination"] for shadow in overlay["shadows"]]
    for shadow in overlay["shadows"]:
        destination, host = shadow["destination"], Path(shadow["hostPath"])
        assert destination == posixpath.normpath(destination)
        assert not folder.is_relative_to(host)
        assert host == Path(os.path.realpath(host))
        asked = isinstance(overlay["venv"], list) and shadow["path"] in overlay["venv"]
        assert asked or host.is_dir() or shadow["why"].startswith("reserved: ")
        assert any(
            posixpath.join(posixpath.normpath(mount["target"]), host.relative_to(source).as_posix()) == destination
            for mount in mounts
            if host != (source := Path(os.path.realpath(folder / mount["source"]))) and host.is_relative_to(source)
        )
    assert not any(a != b and a.startswith(b + "/") for a in destinations for b in destinations)
    assert len(set(destinations)) == len(destinations)
    unnamed = sum("for its colon" in item["why"] for item in overlay["skipped"])  # by Docker, but not by Podman
    assert len(overlay["engines"]["podman"]["runArgs"]) == 2 * (len(destinations) + unnamed)
    for engine in ("docker", "podman"):
        arguments = overlay["engines"][engine]["runArgs"]
        if arguments is None:
            assert any(":" in destination for destination in destinations)  # Docker has no way
            continue
        if engine == "podman" and unnamed:
            continue
        assert len(arguments) == 2 * len(destinations)
        assert set(arguments[::2]) <= {"--tmpfs", "--mount"}
        for value, destination in zip(arguments[1::2], destinations, strict=True):
            assert value.startswith((f"{destination}:rw,exec,", "type=tmpfs,"))


@given(
    entries=ENTRIES,
    paude=st.none() | PAUDE,
    devcontainer=st.none() | DEVCONTAINER,
    name=st.just("app") | NAMES,
    engine=st.sampled_from(["docker", "podman"]),
    project=st.booleans(),
)
def test_every_run_ends_in_an_overlay_or_in_one_line(
    entries: dict[str, str], paude: str | None, devcontainer: str | None, name: str, engine: str, *, project: bool
) -> None:
    with tempfile.TemporaryDirectory() as top:
        folder, output = Path(os.path.realpath(top)) / "above" / name, Path(top) / "overlays" / "overlay.json"
        folder.parent.mkdir()
        try:
            folder.mkdir()
        except OSError:  # too long
            return
        fill(folder, entries, {"paude.json": paude, ".devcontainer.json": devcontainer,
                               "uv.lock": "" if project else None})  # fmt: skip
        before = contents(folder.parent)
        flags = ("--engine", engine, "--workspace-folder", str(folder))

        code, out, err = run("run", *flags, "--output", str(output))

        event(f"exit code {code}")
        made = contents(folder.parent).keys() - before.keys()
        assert {path: data for path, data in contents(folder.parent).items() if path not in made} == before
        assert out == b""
        if code == 1:
            event(err.split()[1])
            assert re.fullmatch(r"paude-venv-hook: error\[[a-z-]+\]: .+\n", err)
            assert made == set()
            assert not output.exists()
            return
        assert code == 0
        data = output.read_bytes()
        overlay = json.loads(data)
        event(f"{len(overlay['shadows'])} shadows on {'its own path' if devcontainer is None else 'another path'}")
        check_promises(overlay, folder, binds_in(folder))
        *warnings, last = err.splitlines() if overlay["shadows"] else [*err.splitlines(), planned()[:-1]]
        assert all(re.fullmatch(r"paude-venv-hook: (warning: |made an empty ).+", line) for line in warnings)
        assert last == planned(*dict.fromkeys(shown(shadow["path"]) for shadow in overlay["shadows"]))[:-1]
        assert made <= {Path(shadow["hostPath"]) for shadow in overlay["shadows"]}
        inode = output.stat().st_ino
        again = "".join(line for line in err.splitlines(keepends=True) if ": made an empty " not in line)
        assert run("run", *flags, "--output", str(output)) == (code, out, again)
        assert (output.read_bytes(), output.stat().st_ino) == (data, inode)
        assert run("print", "--format", "json", *flags)[:2] == (0, data)


@pytest.mark.parametrize("command", ["run", "print", "status", "path", "devcontainer-config"])
@given(
    words=st.lists(
        st.one_of(st.sampled_from(["--engine", "--venv", "--config", "--output", "--quiet", "-h"]), st.text(max_size=5))
    )
)
def test_no_command_line_ends_in_a_traceback(workspace: Path, command: str, words: list[str]) -> None:
    code, _, err = run(command, *words)

    assert code in (0, 1, 2)
    assert "bug:" not in err
