"""A repository whose every name, symlink and file is an attacker's can at most shadow directories of its own.

All attacks that are not refused run in one container at a time, each with a workspace of its own; each has its test.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from layout import fill
from paude_venv_hook import overlay
from real.containers import (
    AS_OWNER,
    ENVIRONMENT,
    HOOK,
    OWNER,
    OWNER_GROUP,
    SCRIPTS,
    Container,
    Engine,
    bind,
    run,
    tree_hash,
)


def paude(venv: object, **more: object) -> str:
    return "paude.json = " + json.dumps({"venv": venv, **more})


def devcontainer(**config: object) -> str:
    return ".devcontainer.json = " + json.dumps(config)


def mounted_on(target: str, source: str = ".") -> str:
    return devcontainer(workspaceMount=f"type=bind,source={source},target={target}")


# Names with which an attacker hopes for an option, another field of a mount, or another mount.
NAMES = (
    "--privileged", "-v", "--volume=", "--", "-", "a,b,source=", "v,destination=", '"v",target=', "v=source=", "$(id)",
    "${HOME}", "%2e%2e", "..v", "~", "rw,exec",
)  # fmt: skip


@dataclass(frozen=True)
class Attack:
    """What the repository holds, and what is shadowed for it, relative to where the workspace is in the container."""

    entries: tuple[str, ...]
    shadowed: tuple[str, ...] = ()
    printed: tuple[str, ...] | None = None  # ... by `run`, where devcontainer.json and not a command line says where
    engines: tuple[str, ...] = ("docker", "podman")


ATTACKS = {
    "a symlink to /etc": Attack((".venv -> /etc",)),
    "a symlink to /": Attack((".venv -> /",)),
    "a symlink to the root of a process": Attack((".venv -> /proc/self/root/usr",)),
    "a symlink to a folder above": Attack((".venv -> ../..",)),
    "a symlink to the workspace itself": Attack((".venv -> .",)),
    "a symlink to a venv beside the workspace": Attack((".venv -> ../outside/venv", "env -> ../outside/venv")),
    "a symlink to a symlink to /etc": Attack((".venv -> a/b", "a/b -> ../c", "c -> /etc")),
    "a symlink through a symlinked folder": Attack((".venv -> link/venv", "link -> ../outside")),
    "a symlink that leaves and comes back": Attack(
        (".venv -> ../a symlink that leaves and comes back/env", "env/"), ("env",)
    ),
    "a symlink to nowhere outside": Attack((".venv -> ../outside/new",)),
    "a symlink to itself": Attack((".venv -> .venv",)),
    "a file that names /etc": Attack((".venv = /etc\n",)),
    "a file that names a folder above": Attack((".venv = ..\n",)),
    "a file that names a venv beside the workspace": Attack((".venv = ../outside/venv\n",)),
    "a file that names a symlink out": Attack((".venv = link/venv\n", "link -> ../outside")),
    "a symlink in the place of pyvenv.cfg": Attack(("env/pyvenv.cfg -> /etc/passwd",), ("env",)),
    "a workspace that says it is a venv": Attack(("pyvenv.cfg", "requirements.txt")),
    "names like options": Attack(tuple(f"{name}/pyvenv.cfg" for name in NAMES), NAMES),
    "names like options in a list": Attack(
        (paude([*NAMES, "-v/etc", "b,source=/etc"]), "-v/", "b,source=/"), (*NAMES, "b,source=/etc")
    ),
    "names with a colon": Attack(
        ("x:/etc/", "v:exec,suid/pyvenv.cfg", paude(["x:/etc", "v:exec,suid", ":/etc", ":"]), ":/"),
        ("x:/etc", "v:exec,suid", ":"),
        engines=("podman",),
    ),
    "names with control characters": Attack(("v\n--privileged/pyvenv.cfg", "v\x1b[2J/pyvenv.cfg")),
    "a folder in which all is shadowed twice": Attack((paude(["a", "a/b", "a/b/c", "./a//"]), "a/b/c/"), ("a",)),
    "a mount point below what is no folder": Attack((paude(["file/new", "none/new"]), "file")),
    "a workspace on /etc": Attack((mounted_on("/etc"), paude(["ssl"])), ("ssl",), ()),
    "a workspace on /": Attack((mounted_on("/"), paude(["etc", "usr"])), ("etc", "usr"), ()),
    "a workspace on a path that goes up to /usr": Attack((mounted_on("/w/../usr/lib"), paude(["x"])), ("x",), ()),
    "a workspace in a field of CSV": Attack(
        (devcontainer(workspaceMount='type=bind,source=.,"target=/w1,source=/"'), ".venv/pyvenv.cfg"), (".venv",)
    ),
    "a folder of the tools on /etc": Attack(
        (devcontainer(workspaceFolder="/etc", workspaceMount="source=.,type=bind,dst=/w2"), paude(["ssl"])), ("ssl",)
    ),
    "run arguments that another one follows": Attack(
        (devcontainer(runArgs=["--privileged", "-v"], workspaceMount="type=bind,source=.,dst=/w3"), paude(["env"])),
        ("env",),
    ),
}
REFUSED = {
    "a list entry through a symlinked folder": (
        (paude(["link/venv"]), "link -> ../outside"),
        "error[settings]: {workspace}/paude.json: venv[0]: "
        '"link/venv" leaves the workspace folder through a symlink; name a directory inside of it',
    ),
    "a mount point through a symlinked folder": (
        (paude(["env", "link/new"]), "link -> ../outside"),
        "error[settings]: {workspace}/paude.json: venv[1]: "
        '"link/new" leaves the workspace folder through a symlink; name a directory inside of it',
    ),
    "a mount point through a symlink further down": (
        (paude(["a/b/c/new"]), "a/b/c -> ../../../outside/folder"),
        "error[settings]: {workspace}/paude.json: venv[0]: "
        '"a/b/c/new" leaves the workspace folder through a symlink; name a directory inside of it',
    ),
    "a list entry through a symlink to /": (
        (paude(["link/etc"]), "link -> /"),
        "error[settings]: {workspace}/paude.json: venv[0]: "
        '"link/etc" leaves the workspace folder through a symlink; name a directory inside of it',
    ),
    "a list entry that is a symlink to /etc": (
        (paude(["link"]), "link -> /etc"),
        "error[settings]: {workspace}/paude.json: venv[0]: "
        '"link" is a symlink to /etc, outside of the workspace; name the directory itself, or remove the entry',
    ),
    "a list entry that is absolute": (
        (paude(["/etc"]),),
        'error[settings]: {workspace}/paude.json: venv[0]: "/etc" is absolute; '
        "write it relative to the workspace folder",
    ),
    "a list entry that goes up": (
        (paude(["a/../../outside/venv"]), "a/"),
        'error[settings]: {workspace}/paude.json: venv[0]: "a/../../outside/venv" may leave the workspace folder; '
        'write it without ".."',
    ),
    "a list entry that is the workspace": (
        (paude(["./"]),),
        'error[settings]: {workspace}/paude.json: venv[0]: "./" is the workspace folder itself, '
        "which holds the source; name a directory in it",
    ),
    "a list entry of two lines": (
        (paude(["v\n--privileged"]),),
        'error[settings]: {workspace}/paude.json: venv[0]: "v\\n--privileged" holds a control character; '
        "rename the directory",
    ),
    "a size with another option": (
        (paude("auto", **{"venv-tmpfs": {"size": "1g,suid"}}), ".venv/pyvenv.cfg"),
        'error[settings]: {workspace}/paude.json: venv-tmpfs.size: "1g,suid" is no size; '
        'write a number and k, m, g or %, such as "2g"',
    ),
    "a user id with another option": (
        (paude("auto", **{"venv-tmpfs": {"uid": "0,suid"}}), ".venv/pyvenv.cfg"),
        "error[settings]: {workspace}/paude.json: venv-tmpfs.uid: must be a whole number from 0 to 4294967294",
    ),
    "a symlink to a secret": (
        ("paude.json -> ../outside/secret",),
        'error[json-file]: {workspace}/paude.json:1:1: Unexpected "r"; '
        "JSON is expected, with comments and trailing commas if you like",
    ),
}
PRINT_REFUSED = {
    "a workspace on a relative path": (
        (mounted_on(".."),),
        'error[devcontainer]: {workspace}/.devcontainer.json: workspaceMount: "type=bind,source=.,target=.." is no '
        'mount; write "type=bind,source=FOLDER,target=/FOLDER"',
    ),
    "a workspace on two lines": (
        (mounted_on("/w\n--privileged"),),
        'error[devcontainer]: {workspace}/.devcontainer.json: workspaceMount: "type=bind,source=.,'
        'target=/w\\n--privileged" holds a control character, or is not UTF-8; remove that',
    ),
}


@dataclass
class Arena:
    """Workspaces in a folder of their own, with `outside` and the user's home folder beside them."""

    engine: Engine
    how: str
    top: Path
    workspaces: dict[str, str] = field(default_factory=dict)  # the container path of each attack's workspace
    hashes: dict[str, tuple[object, ...]] = field(default_factory=dict)

    def folder(self, name: str) -> Path:
        """Return the host path of the workspace of an attack."""
        return self.top / name.replace("/", "root")

    def prepare(self, attacks: dict[str, tuple[str, ...]]) -> None:
        """Make what the attacks need, as the owner's, and take the hashes of it all."""
        fill(self.top, "outside/secret = root:$6$SECRET", "outside/folder/", "outside/venv/pyvenv.cfg", "home/")
        for name, entries in attacks.items():
            workspace = self.folder(name)
            workspace.mkdir()
            fill(workspace, *(() if any(entry.startswith("paude.json") for entry in entries) else ("paude.json = {}",)))
            fill(workspace, *entries)
        if os.getuid() == 0:
            run("chown", "--recursive", "--no-dereference", f"{OWNER}:{OWNER_GROUP}", self.top)
        self.hashes = tree_hash(self.top)

    def write_overlay(self, name: str) -> tuple[int, str, dict[str, object]]:
        """Let the owner run the hook in the workspace; return its exit code, its stderr and the overlay."""
        workspace, home = self.folder(name), self.top / "home"
        environ = {"PATH": os.environ["PATH"], "HOME": str(home)}
        command = (*AS_OWNER, *HOOK, "--engine", self.engine.name, "--workspace-folder", workspace)
        output = ("--output", home / f"{workspace.name}.json")
        done = run(*command, *output, check=False, env=environ)
        assert done.stdout == ""
        return done.returncode, done.stderr, overlay.load(str(output[1])) if done.returncode == 0 else {}

    def start(self, container: str, *options: str) -> tuple[int, str]:
        """Start a container with the options through `exec` or the wrapper, or plainly; return exit code and stderr."""
        line = ["run", "--detach", "--name", container, "--network=host", "--stop-timeout=0", *options,
                self.engine.image, "sleep", "infinity"]  # fmt: skip
        if self.how == "exec":
            command = (*HOOK, "exec", "--quiet", "--", *self.engine.command)
        elif self.how == "wrapper":
            command = (str(SCRIPTS / f"paude-venv-{self.engine.name}"),)
        else:
            command = self.engine.command
        done = run(*command, *line, check=False, env=ENVIRONMENT)
        return done.returncode, done.stderr

    def new_paths(self) -> set[str]:
        """Return what was made since `prepare`, but in the home folder; nothing of what was there may have changed."""
        now = tree_hash(self.top)
        changed = {path for path, before in self.hashes.items() if now.get(path) != before}
        folders = {str(self.top), str(self.top / "home")}  # their times are those of what is made in them
        assert {path for path in changed if not (Path(path).is_dir() and self._same_but_time(path, now))} == set()
        return {path for path in now.keys() - self.hashes.keys() if not path.startswith(f"{self.top}/home/")} - folders

    def _same_but_time(self, path: str, now: dict[str, tuple[object, ...]]) -> bool:
        inside = not path.startswith(f"{self.top}/outside")
        return inside and self.hashes[path][:3] == now[path][:3]


@dataclass(frozen=True)
class Fight:
    """The container in which all the attacks are, and what was seen in a container without any."""

    arena: Arena
    container: Container
    mounts: dict[str, str]
    plain_mounts: dict[str, str]
    status: str
    plain_status: str


def kinds(container: Container) -> dict[str, str]:
    return {path: kind for path, (kind, _) in container.mounts().items()}


def privileges(container: Container) -> str:
    return container.sh("grep -E '^(Cap|Uid|Gid|NoNewPrivs|Seccomp):' /proc/self/status")


def attacks_on(engine: Engine) -> dict[str, Attack]:
    return {name: attack for name, attack in ATTACKS.items() if engine.name in attack.engines}


@pytest.fixture(scope="module")
def plain(engine: Engine) -> tuple[dict[str, str], str]:
    """Return what mounts and privileges a container has with nothing in it."""
    with engine.running() as container:
        return kinds(container), privileges(container)


@pytest.fixture(scope="module", params=["run", "exec", "wrapper"])
def fight(request: pytest.FixtureRequest, engine: Engine, plain: tuple[dict[str, str], str]) -> Iterator[Fight]:
    """Start a container with the workspaces of all attacks that are not refused."""
    with TemporaryDirectory(prefix="paude-venv-hook-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)  # noqa: S103 - the owner of the workspaces is another user
        arena = Arena(engine, request.param, Path(folder).resolve())
        attacks = attacks_on(engine)
        arena.prepare({name: attack.entries for name, attack in attacks.items()})
        options = []
        for name in attacks:
            target = str(arena.folder(name))
            if arena.how == "run":
                code, err, document = arena.write_overlay(name)
                assert (code, "error" in err) == (0, False)
                mount = document["workspaceMount"]
                target = str(mount["target"]) if isinstance(mount, dict) else target
                options += overlay.run_args(document)
            arena.workspaces[name] = target
            options.append(bind(arena.folder(name), target))
        name = f"paude-venv-hook-test-{uuid.uuid4().hex}"
        container = Container(engine, name)
        try:
            code, err = arena.start(name, *options)
            assert code == 0, err
            yield Fight(arena, container, kinds(container), plain[0], privileges(container), plain[1])
        finally:
            engine("rm", "--force", "--volumes", name, check=False)


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.proves("a malicious repository shadows nothing but directories of its own")
def test_an_attack_shadows_nothing_but_directories_of_its_own(fight: Fight, engine: Engine, name: str) -> None:
    attack = ATTACKS[name]
    if engine.name not in attack.engines:
        pytest.skip("refused on this engine")  # test_names.py
    target = fight.arena.workspaces[name]
    printed = fight.arena.how == "run" and attack.printed is not None
    shadowed = attack.printed if printed and attack.printed is not None else attack.shadowed

    mounts = {path: kind for path, kind in fight.mounts.items() if path.startswith(f"{target}/")}
    assert mounts == {f"{target}/{path}": "tmpfs" for path in shadowed}
    workspace = fight.arena.folder(name)
    made = {path for path in fight.arena.new_paths() if path.startswith(f"{workspace}/")}
    assert made <= {str(workspace / path) for path in shadowed}


@pytest.mark.proves("a malicious repository reaches nothing of the container's own, and no host path")
def test_the_container_has_no_other_mounts_and_no_other_privileges(fight: Fight) -> None:
    workspaces = set(fight.arena.workspaces.values())
    others = {
        path: kind
        for path, kind in fight.mounts.items()
        if not any(path == workspace or path.startswith(f"{workspace}/") for workspace in workspaces)
    }

    assert others == fight.plain_mounts
    assert fight.status == fight.plain_status
    assert fight.container.sh("test -s /etc/passwd; test -x /usr/bin/env; ls /") != ""
    assert fight.container.exec("test", "-e", fight.arena.top / "outside").returncode == 1
    everywhere = "find / -xdev -name secret -path '*outside*'; cat /*/outside/secret 2>/dev/null || true"
    assert fight.container.sh(everywhere) == ""


def test_nothing_is_made_on_the_host_but_mount_points_in_the_workspaces(fight: Fight) -> None:
    workspaces = tuple(f"{fight.arena.folder(name)}/" for name in fight.arena.workspaces)
    made = fight.arena.new_paths()

    assert [path for path in made if not path.startswith(workspaces)] == []
    assert all(os.path.isdir(path) and not os.listdir(path) for path in made)
    assert made  # those of the lists


@pytest.mark.parametrize(("entries", "message"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("how", ["run", "exec", "wrapper"])
@pytest.mark.proves("a malicious repository that is refused starts nothing")
def test_an_attack_that_is_refused_starts_nothing(
    engine: Engine, tmp_path: Path, how: str, entries: tuple[str, ...], message: str
) -> None:
    arena = Arena(engine, how, tmp_path)
    arena.prepare({"app": entries})
    name = f"paude-venv-hook-test-{uuid.uuid4().hex}"

    if how == "run":
        code, err, _ = arena.write_overlay("app")
    else:
        code, err = arena.start(name, bind(tmp_path / "app", "/app"))

    expected = 1 if how == "run" else 125  # as an engine says that it starts nothing
    assert (code, err) == (expected, f"paude-venv-hook: {message.format(workspace=tmp_path / 'app')}\n")
    assert arena.new_paths() == set()
    assert list((tmp_path / "home").iterdir()) == []
    if how != "run":
        assert engine("container", "inspect", name, check=False).returncode != 0


@pytest.mark.parametrize(("entries", "message"), PRINT_REFUSED.values(), ids=PRINT_REFUSED)
def test_a_workspace_mount_that_no_engine_makes_is_refused(
    engine: Engine, tmp_path: Path, entries: tuple[str, ...], message: str
) -> None:
    arena = Arena(engine, "run", tmp_path)
    arena.prepare({"app": entries})

    code, err, _ = arena.write_overlay("app")

    assert (code, err) == (1, f"paude-venv-hook: {message.format(workspace=tmp_path / 'app')}\n")
    assert arena.new_paths() == set()
