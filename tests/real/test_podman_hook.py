"""Podman's own hook: an unchanged `podman run` is shadowed, and no container fails to start because of it.

Podman looks for the hook in a folder of the test (`--hooks-dir`), so that nothing of the machine's configuration
changes. One test lets it be found as a person's Podman does; it needs private engines.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from conftest import MakeVenv
from layout import fill
from real.containers import (
    ENVIRONMENT,
    OWNER,
    PROGRAM,
    STRANGER,
    Engine,
    Launch,
    bind,
    need_engine,
    run,
    tree_hash,
    use_venv,
)

proves = pytest.mark.proves
pytestmark = pytest.mark.usefixtures("engine")  # the table of what was proved names it
BROKEN = "Podman's hook: whatever is wrong with it, or with a `paude.json`, the container starts"


class Hook:
    """The hook, installed in a folder for a user whose home folder is empty."""

    def __init__(self, scratch: Path, program: Path = PROGRAM) -> None:
        """Install it with the program, in a new folder below `scratch`."""
        self.program, self.home, self.folder = program, scratch / "hook-home", scratch / "hooks.d"
        self.configuration = scratch / "containers.conf"
        self.configuration.write_text(f'[engine]\nhooks_dir = ["{self.folder}"]\n')
        self.home.mkdir()
        self.install()
        self._let_it_have(f"XDG_STATE_HOME={self.home}/state")  # root's hook writes into the home of root

    def install(self, command: str = "install") -> str:
        """Run `install` or `uninstall` for Podman and return what it says."""
        own = {"CONTAINERS_CONF": self.configuration, "HOME": self.home, "XDG_CONFIG_HOME": self.home / ".config"}
        environ = {**ENVIRONMENT, **{name: str(path) for name, path in own.items()}}
        return run(self.program, command, "--engine", "podman", env=environ).stderr

    def keep_home(self) -> None:
        """Let the hook find the home folder as that of an ordinary user does; root's is for the homes of all users."""
        self._let_it_have(f"HOME={self.home}")

    def _let_it_have(self, variable: str) -> None:
        """Change the environment of the hook."""
        (path,) = self.folder.glob("*.json")
        document = json.loads(path.read_text())
        document["hook"]["env"] = [variable]
        path.write_text(json.dumps(document))

    def engine(self, podman: Engine) -> Engine:
        """Return the Podman that finds the hook, and no other one."""
        return replace(podman, command=(*podman.command, f"--hooks-dir={self.folder}"))


@pytest.fixture(scope="session")
def podman(image: str) -> Engine:
    """Return Podman as it is."""
    return need_engine("podman", image)


@pytest.fixture(scope="session")
def engine(podman: Engine, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """Return the Podman that finds the hook."""
    return Hook(tmp_path_factory.mktemp("hook")).engine(podman)


@pytest.fixture
def workspace(workspace: Path) -> Path:
    """Return a workspace that opted in."""
    return fill(workspace, "paude.json = {}")


@pytest.fixture
def own_hook(tmp_path: Path) -> Hook:
    """Return a hook of the test's own, whose program is a symlink that can be replaced."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "paude-venv-hook").symlink_to(PROGRAM)
    return Hook(tmp_path, tmp_path / "bin" / "paude-venv-hook")


@proves("Podman's hook: an unchanged `podman run` shadows; the host's tree and venv as before")
@pytest.mark.parametrize("read_only", [False, True], ids=["rw", "ro"])
def test_an_unchanged_run_is_shadowed(
    workspace: Path, venv: Path, launch: Launch, wheelhouse: Path, read_only: bool
) -> None:
    before = tree_hash(workspace)

    container = launch(workspace, bind(wheelhouse, "/wheels", read_only=True), user=OWNER, read_only=read_only)

    assert container.sh("ls -A .venv") == ""
    kind, options = container.mounts()[str(venv)]
    assert (kind, options & {"rw", "ro", "noexec", "nosuid", "nodev"}) == ("tmpfs", {"rw", "nosuid", "nodev"})
    use_venv(container)
    assert tree_hash(workspace) == before
    run(venv / "bin/python", "-B", "-c", "import markupsafe._speedups")


@proves("Podman's hook with storage on disk: the venv stays; a store that is gone is made anew at the next start")
def test_on_disk_the_venv_stays_and_a_store_that_is_gone_is_made_anew(
    engine: Engine, own_hook: Hook, podman: Engine, workspace: Path, venv: Path
) -> None:
    fill(workspace, 'paude.json = {"venv-storage": "disk"}')
    before = tree_hash(workspace)
    binds = (bind(workspace, workspace), f"--workdir={workspace}")
    own_hook.keep_home()
    hooked = own_hook.engine(podman)
    verify = (PROGRAM, "verify", "--engine=podman", "--workspace-folder", workspace)
    as_own = {**ENVIRONMENT, "HOME": str(own_hook.home)}

    with hooked.running(*binds) as container:
        assert container.sh("ls -A .venv") == ""
        container.sh("python3 -m venv --without-pip .venv; .venv/bin/python --version")
        hooked("restart", container.name)
        container.sh("test .venv/bin/python -ef /usr/bin/python3; .venv/bin/python --version")
        kind, options = container.mounts()[str(venv)]
        assert (kind != "tmpfs", options & {"rw", "nosuid", "nodev"}) == (True, {"rw", "nosuid", "nodev"})
        assert run(*verify, container.name, env=as_own).stdout == f".venv: shadowed ({venv})\n"
    with hooked.running(*binds, f"--user={STRANGER}") as container:
        container.sh(".venv/bin/python --version; touch .venv/file")
        hooked("stop", container.name)
        (store,) = (own_hook.home / ".local/share/paude/venvs").glob("*/venv")
        shutil.rmtree(store.parent)
        hooked("start", container.name)
        assert container.sh("ls -A .venv; touch .venv/file") == ""
    assert tree_hash(workspace) == before


@proves("Podman's hook: each bind that opted in has its own shadows, and no other one any")
def test_each_bind_that_opted_in_has_shadows_of_its_own(
    engine: Engine, workspace: Path, launch: Launch, make_venv: MakeVenv, tmp_path: Path
) -> None:
    for name in ("app/.venv", "app/env", "lib/venv", "other/.venv", "app/other"):
        make_venv(tmp_path / name)
    fill(tmp_path, "lib/.devcontainer/devcontainer.json = {}")
    before = tree_hash(tmp_path)

    binds = [bind(tmp_path / "lib", "/lib of/it,"), bind(tmp_path / "other", "/other"), "-v", f"{workspace}:/again"]
    binds += [bind(tmp_path / "other", "/app/other")]
    container = launch(workspace, *binds, target="/app", user=OWNER)

    shadows = ["/app/.venv", "/app/env", "/again/.venv", "/again/env", "/again/other", "/lib of/it,/venv"]
    for path in shadows:
        assert container.sh('ls -A "$1"; echo "$1" >"$1/mark"', path) == ""
    assert [container.sh('cat "$1/mark"', path) for path in shadows] == [f"{path}\n" for path in shadows]
    assert container.sh("ls -A /other/.venv /app/other/.venv") == (
        "/app/other/.venv:\npyvenv.cfg\n\n/other/.venv:\npyvenv.cfg\n"
    )
    assert tree_hash(tmp_path) == before


@proves("Podman's hook: a `.venv` that does not exist yet")
def test_a_reserved_venv_stays_empty_on_the_host(workspace: Path, launch: Launch) -> None:
    container = launch(workspace, user=OWNER)
    container.sh("python3 -m venv --without-pip .venv; .venv/bin/python --version")

    assert os.listdir(workspace / ".venv") == []


@pytest.mark.parametrize(
    ("annotation", "opted_in", "seen"),
    [
        pytest.param("auto", False, "", marks=proves("Podman's hook: the annotation `paude.venv=auto`")),
        pytest.param("none", True, "pyvenv.cfg\n", marks=proves("Podman's hook: the annotation `paude.venv=none`")),
    ],
)
def test_an_annotation_of_the_container_decides(
    engine: Engine, workspace: Path, make_venv: MakeVenv, annotation: str, opted_in: bool, seen: str
) -> None:
    make_venv(workspace / ".venv")
    if not opted_in:
        (workspace / "paude.json").unlink()
    options = [bind(workspace, "/app"), "--annotation", f"paude.venv={annotation}"]

    assert engine.run(*options, "ls -A /app/.venv").stdout == seen
    assert engine.run(options[0], "ls -A /app/.venv").stdout == ("" if opted_in else "pyvenv.cfg\n")


def test_a_container_without_a_workspace_starts(engine: Engine, workspace: Path, tmp_path: Path) -> None:
    assert engine.run("echo started").stdout == "started\n"
    options = ["-v", "/data", bind(workspace / "paude.json", "/paude.json"), "--tmpfs", "/scratch"]
    assert engine.run(*options, "cat /paude.json; ls -A /data /scratch").stdout == "{}/data:\n\n/scratch:\n"


def test_the_binds_of_another_container_are_shadowed_too(
    engine: Engine, workspace: Path, launch: Launch, make_venv: MakeVenv
) -> None:
    make_venv(workspace / ".venv")
    first = launch(workspace)
    first.sh("touch .venv/of-the-first")

    assert engine.run("--volumes-from", first.name, f"ls -A '{workspace}/.venv'; ls '{workspace}'").stdout == (
        "app.py\npaude.json\npyproject.toml\n"
    )


@proves("Podman's hook: `create` and `start`; `stop` and `start` empty the shadow, and nothing else")
def test_each_start_has_an_empty_shadow(engine: Engine, workspace: Path, launch: Launch, make_venv: MakeVenv) -> None:
    venv = make_venv(workspace / ".venv")
    before = tree_hash(venv)
    container = launch(workspace, user=OWNER)
    shadow = container.mounts()[str(venv)]
    container.sh("echo container >/tmp/kept; echo workspace >kept; touch .venv/lost")

    engine("stop", container.name)
    engine("start", container.name)

    assert container.sh("ls -A .venv; cat /tmp/kept kept") == "container\nworkspace\n"
    assert container.mounts()[str(venv)] == shadow
    assert tree_hash(venv) == before

    created = engine("create", "--rm", bind(workspace, "/app"), engine.image, "ls", "-A", "/app/.venv").stdout.strip()
    assert engine("start", "--attach", created).stdout == ""


@proves("Podman's hook: `verify` tells a shadow that is there from one that the host took away")
def test_verify_knows_the_shadows_of_the_hook(
    engine: Engine, workspace: Path, launch: Launch, make_venv: MakeVenv
) -> None:
    venv = make_venv(workspace / ".venv")
    container = launch(workspace)
    verify = (PROGRAM, "verify", "--engine", "podman", "--workspace-folder", workspace, container.name)

    assert run(*verify, env=ENVIRONMENT).stdout == f".venv: shadowed ({venv})\n"
    venv.rename(workspace.parent / "moved")
    make_venv(venv)

    done = run(*verify, check=False, env=ENVIRONMENT)
    lost = "the mount was lost, since the directory was removed on the host; restart the container"
    assert (done.returncode, done.stdout, done.stderr) == (1, f".venv: {lost} ({venv})\n", "")
    engine("restart", container.name)
    assert run(*verify, env=ENVIRONMENT).stdout == f".venv: shadowed ({venv})\n"


@proves(BROKEN)
@pytest.mark.parametrize(
    "script",
    [
        None,
        "#!/no/such/python\n",
        "#!/bin/sh\nexit 1\n",
        "#!/bin/sh\ncat; exit 1\n",
        "#!/bin/sh\necho '{'; kill -KILL $$\n",
        "#!/bin/sh\ncat >/dev/null\n",
    ],
    ids=["gone", "interpreter gone", "fails", "fails late", "killed", "prints nothing"],
)
def test_a_broken_hook_stops_no_container(
    podman: Engine, own_hook: Hook, workspace: Path, make_venv: MakeVenv, script: str | None
) -> None:
    make_venv(workspace / ".venv")
    own_hook.program.unlink()
    if script is not None:
        own_hook.program.write_text(script)
        own_hook.program.chmod(0o755)

    done = own_hook.engine(podman).run(bind(workspace, "/app"), "ls -A /app/.venv")

    assert done.stdout == "pyvenv.cfg\n"


@proves("control: Podman starts no container when a hook fails")
def test_podman_itself_starts_no_container_when_a_hook_fails(podman: Engine, own_hook: Hook) -> None:
    path = own_hook.folder / "paude-venv-hook.json"
    document = json.loads(path.read_text())
    document["hook"] = {"path": "/bin/false"}
    path.write_text(json.dumps(document))

    done = own_hook.engine(podman).run("echo started", check=False)

    assert (done.returncode, done.stdout) == (126, "")


@proves(BROKEN)
@pytest.mark.parametrize("settings", ['{"venv": "Auto"}', '{"venv": [', '{"venv": ["../out"]}'])
def test_wrong_settings_stop_no_container(engine: Engine, workspace: Path, make_venv: MakeVenv, settings: str) -> None:
    make_venv(workspace / ".venv")
    (workspace / "paude.json").write_text(settings)

    assert engine.run(bind(workspace, "/app"), "ls -A /app/.venv").stdout == "pyvenv.cfg\n"


def test_the_settings_of_the_user_who_installed_it_count_unless_that_is_root_who_installs_for_all(
    podman: Engine, own_hook: Hook, workspace: Path, make_venv: MakeVenv
) -> None:
    make_venv(workspace / ".venv")
    fill(own_hook.home, '.config/paude/paude.json = {"venv-tmpfs": {"size": "1m"}}')
    engine = own_hook.engine(podman)

    done = engine.run(bind(workspace, "/app"), "dd if=/dev/zero of=/app/.venv/full bs=64k count=32", check=False)

    assert ("No space left on device" in done.stderr) == (os.geteuid() != 0)


@proves("Podman's hook: uninstalled, the host's venv is visible again")
def test_uninstalled_the_hosts_venv_is_visible_again(
    podman: Engine, own_hook: Hook, workspace: Path, make_venv: MakeVenv
) -> None:
    make_venv(workspace / ".venv")
    engine, line = own_hook.engine(podman), (bind(workspace, "/app"), "ls -A /app/.venv")

    assert engine.run(*line).stdout == ""
    own_hook.install()  # with the environment that it makes itself
    assert own_hook.install().startswith("paude-venv-hook: podman: already installed (Podman reads ")
    assert own_hook.install("uninstall") == "paude-venv-hook: podman: uninstalled\n"
    assert engine.run(*line).stdout == "pyvenv.cfg\n"
    assert os.listdir(own_hook.folder) == []


@pytest.fixture
def etc(as_user: str) -> Iterator[Path]:
    """Install the hook as root does and return /etc/containers, which has to be that of private engines."""
    folder = Path("/etc/containers")
    before = sorted(folder.rglob("*"))
    try:
        run(PROGRAM, "install", "--engine", "podman", env=ENVIRONMENT)
        yield folder
    finally:
        run(PROGRAM, "uninstall", "--engine", "podman", env=ENVIRONMENT)
        assert set(folder.rglob("*")) - set(before) <= {folder / "containers.conf.d"}


@proves("Podman's hook: installed by root, Podman finds it by itself")
def test_podman_finds_the_hook_by_itself(podman: Engine, etc: Path, workspace: Path, make_venv: MakeVenv) -> None:
    make_venv(workspace / ".venv")

    again = run(PROGRAM, "install", "--engine", "podman", env=ENVIRONMENT).stderr
    assert again.startswith("paude-venv-hook: podman: already installed (Podman reads ")
    with podman.running(bind(workspace, "/app")) as container:
        assert container.sh("ls -A /app/.venv; touch /app/.venv/lost") == ""
        podman("restart", container.name)
        assert container.sh("ls -A /app/.venv") == ""

    run(PROGRAM, "uninstall", "--engine", "podman", env=ENVIRONMENT)
    assert podman.run(bind(workspace, "/app"), "ls -A /app/.venv").stdout == "pyvenv.cfg\n"


@proves("Podman's hook: installed by root, it stops no container of a user who cannot reach its program")
def test_the_hook_of_root_stops_no_container_of_another_user(
    users_podman: Engine, etc: Path, own_hook: Hook, workspace: Path
) -> None:
    path = etc / "paude-venv-hook.d" / "paude-venv-hook.json"
    path.write_text(path.read_text().replace(str(PROGRAM), str(own_hook.program)))
    own_hook.program.parent.chmod(0o700)

    assert users_podman.run(bind(workspace, "/app"), "cat /app/app.py").stdout == "print('hello')\n"
