"""Command lines of the engines: what is read from them, and what is added."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path

import pytest

from conftest import MakeVenv
from layout import fill
from outcomes import Outcome, destinations, outcome
from paude_venv_hook.engines.choice import engine_by_name
from paude_venv_hook.errors import SettingsError
from paude_venv_hook.launchers.run_line import rewrite_run_line, why_no_container
from paude_venv_hook.workspace.settings import user_file


@pytest.fixture(autouse=True)
def no_volumes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the engine have no volume and no container."""

    def ask(*_: object, **__: object) -> subprocess.CompletedProcess[bytes]:
        return subprocess.CompletedProcess([], 1, b"", b"Error: no such volume")

    monkeypatch.setattr("paude_venv_hook.launchers.asked.ask", ask)


PODMAN = "rw,exec,nosuid,nodev,notmpcopyup,mode=1777"


@pytest.mark.parametrize(
    ("line", "added"),
    [
        ("run -v {app}:/app IMG", ["/app/.venv"]),
        ("run -v .:/app IMG", ["/app/.venv"]),
        ("run -v {app}/:/app/ IMG", ["/app/.venv"]),
        ("run -v {link}:/app IMG", ["/app/.venv"]),
        ("create --mount type=bind,source={app},target=/app IMG", ["/app/.venv"]),
        ("container run --mount type=bind,src={app},dst=/app,ro IMG", ["/app/.venv"]),
        ("run -v {app}:/a -v {app}:/b IMG", ["/a/.venv", "/b/.venv"]),
        ("run -v {top}:/top IMG", ["/top/app/.venv"]),
        ("run -v {other}:/other IMG", ["/other/.venv"]),
        ("run -v {app}/src:/src IMG", ["/src/.venv"]),
        ("run -v {app}:/app -v {app}/src:/src IMG", ["/app/.venv", "/app/src/.venv", "/src/.venv"]),
        ("run -v {app}/src:/src -v {app}:/app IMG", ["/app/.venv", "/app/src/.venv", "/src/.venv"]),
        ("run -v {app}:/app -v {app}/src:/app/src IMG", ["/app/.venv", "/app/src/.venv"]),
        ("run -v {app}/docs:/docs IMG", []),
        ("run -v named:/app IMG", []),
        ("run -v /app IMG", []),
        ("run --mount type=volume,source=app,target=/app IMG", []),
        ("run -v {app}/missing:/app IMG", []),
        ("run -v {app}:/app -v cache:/app/.venv IMG", []),
        ("run -v {app}:/app --tmpfs /app/.venv/:exec IMG", []),
        ("run -v {app}:/app --mount type=tmpfs,destination=/app/.venv IMG", []),
        ("run IMG -v {app}:/app", []),
        ("ps -a", []),
    ],
)
def test_the_workspace_that_the_line_mounts_is_shadowed_there(
    workspace: Path, make_venv: MakeVenv, line: str, added: list[str]
) -> None:
    make_venv(workspace / ".venv")
    make_venv(workspace.parent / "other" / ".venv")
    make_venv(workspace / "src" / ".venv")
    (workspace / "docs").mkdir()
    (workspace.parent / "link").symlink_to(workspace)
    top = workspace.parent
    words = shlex.split(line.format(app=workspace, top=top, other=top / "other", link=top / "link"))

    found = outcome(rewrite_run_line("/no/engine", words, "podman", {}, str(workspace))).words

    at = 2 if words[0] == "container" else 1
    expected = [word for path in added for word in ("--tmpfs", f"{path}:{PODMAN}")]
    assert found == [*words[:at], *expected, *words[at:]]


@pytest.mark.parametrize("marker", ["paude.json", ".devcontainer.json", ".devcontainer/devcontainer.json"])
def test_a_bind_from_elsewhere_counts_when_its_source_has_opted_in(
    workspace: Path, make_venv: MakeVenv, marker: str
) -> None:
    other = make_venv(workspace.parent / "other" / ".venv").parent
    (other / marker).parent.mkdir(exist_ok=True)
    (other / marker).write_text("{}")

    found = outcome(
        rewrite_run_line("/no/engine", ["run", "-v", f"{other}:/o", "IMG"], "podman", {}, str(workspace))
    ).words

    assert found == ["run", "--tmpfs", f"/o/.venv:{PODMAN}", "-v", f"{other}:/o", "IMG"]


def test_the_label_of_the_dev_container_tools_names_the_workspace_in_a_git_root(
    workspace: Path, make_venv: MakeVenv, tmp_path: Path
) -> None:
    make_venv(workspace / "sub" / ".venv")
    label = f"devcontainer.local_folder={workspace / 'sub'}"
    line = ["run", "--mount", f"type=bind,source={workspace},target=/workspaces/app", "-l", label, "IMG"]

    found = outcome(rewrite_run_line("/no/engine", line, "podman", {}, str(tmp_path))).words

    assert found[:3] == ["run", "--tmpfs", f"/workspaces/app/sub/.venv:{PODMAN}"]


def test_below_an_opted_in_folder_that_folder_is_the_workspace(workspace: Path, make_venv: MakeVenv) -> None:
    make_venv(workspace / ".venv")
    (workspace / "paude.json").write_text('{"venv": [".venv", "cache"]}')
    (workspace / "src").mkdir()

    found = outcome(
        rewrite_run_line("/no/engine", ["run", "-v", "..:/app", "IMG"], "podman", {}, str(workspace / "src"))
    ).words

    assert [word.partition(":")[0] for word in found] == [
        "run", "--tmpfs", "/app/.venv", "--tmpfs", "/app/cache", "-v", "..", "IMG",
    ]  # fmt: skip


def test_a_line_that_is_not_understood_passes_with_one_warning(workspace: Path, make_venv: MakeVenv) -> None:
    make_venv(workspace / ".venv")
    line = ["run", "--future-option", "x", "-v", f"{workspace}:/app", "IMG"]

    prepared, found, warnings, *_ = outcome(rewrite_run_line("/no/engine", line, "docker", {}, str(workspace)))

    assert (prepared, found) == ((), line)
    assert warnings == [
        "nothing shadowed: --future-option is no option of docker that is known here; add what print says"
    ]


def test_what_the_line_mounts_already_is_named(workspace: Path, make_venv: MakeVenv) -> None:
    make_venv(workspace / ".venv")

    line = ["run", "-v", ".:/app", "-v", "v:/app/.venv", "IMG"]

    added = outcome(rewrite_run_line("/no/engine", line, "docker", {}, str(workspace)))

    assert added.warnings == [".venv not shadowed: the configuration mounts something on /app/.venv already"]


# ---- which binds carry a workspace


def added(line: str, folder: Path, environ: dict[str, str] | None = None) -> Outcome:
    return outcome(rewrite_run_line("/no/engine", shlex.split(line), "podman", environ or {}, str(folder)))


def shadowed(made: Outcome) -> list[str]:
    return destinations(made)


@pytest.fixture
def monorepo(workspace: Path, make_venv: MakeVenv) -> Path:
    """Return a workspace with venvs in it, beside it, and elsewhere."""
    for name in (".venv", "backend/.venv", "../sibling/.venv", "../far/away/env", "../far/empty"):
        make_venv(workspace / name)
    (workspace / "../far/empty/pyvenv.cfg").unlink()
    return workspace


@pytest.mark.parametrize(
    ("line", "places"),
    [
        ("run -v ./backend:/app IMG", ["/app/.venv"]),
        ("run -v ./backend/:/app IMG", ["/app/.venv"]),
        ("run -v ../sibling:/app IMG", ["/app/.venv"]),
        ("run -v ../far/away:/data IMG", ["/data/env"]),
        ("run -v ../far/empty:/data IMG", []),
        ("run -v .:/a -v ../sibling:/b -v ../far/away:/c IMG", ["/a/.venv", "/b/.venv", "/c/env"]),
        ("run -v .:/a -v .:/b IMG", ["/a/.venv", "/b/.venv"]),
        ("run -v .:/a -v ./backend:/b IMG", ["/a/.venv", "/a/backend/.venv", "/b/.venv"]),
        ("run -v .:/a -v ./backend:/a/backend IMG", ["/a/.venv", "/a/backend/.venv"]),
        ("run -v ./.venv:/opt/venv IMG", []),
        ("run -v .:/a -v ./.venv:/opt/venv IMG", ["/a/.venv"]),
        ("run -v ./file:/file IMG", []),
    ],
)
def test_every_bind_of_the_line_counts(monorepo: Path, line: str, places: list[str]) -> None:
    (monorepo / "file").touch()

    assert shadowed(added(line, monorepo)) == places


def test_the_settings_above_a_part_count_for_it(monorepo: Path) -> None:
    (monorepo / "paude.json").write_text('{"venv": ["backend/env"]}')

    assert shadowed(added("run -v ./backend:/app IMG", monorepo)) == ["/app/env"]


def test_a_list_of_the_users_own_is_for_the_current_workspace(monorepo: Path) -> None:
    environ = {"PAUDE_VENV": ".venv,cache"}

    assert shadowed(added("run -v .:/a -v ../sibling:/b IMG", monorepo, environ)) == [
        "/a/.venv",
        "/a/cache",
        "/b/.venv",
    ]
    assert shadowed(added("run -v .:/a -v ../sibling:/b IMG", monorepo, {"PAUDE_VENV": "none"})) == []


def test_further_directories_of_the_users_own_are_for_the_current_workspace(monorepo: Path) -> None:
    Path(user_file()).parent.mkdir(parents=True)
    Path(user_file()).write_text('{"venv-also": ["node_modules"]}')

    assert shadowed(added("run -v .:/a -v ../sibling:/b IMG", monorepo)) == ["/a/.venv", "/a/node_modules", "/b/.venv"]


@pytest.mark.parametrize(
    ("line", "works"),
    [
        ("run -v {app}:{app} -v {python}:{python} IMG", True),
        ("run -v {app}:{app} -v {above}:{above}:ro IMG", True),
        ("run -v {app}:{app} -v /:/ IMG", True),
        ("run -v {app}:{app} IMG", False),
        ("run -v {app}:/app -v {python}:{python} IMG", False),
        ("run -v {app}:{app} -v {python}:/python IMG", False),
        ("run -v {app}:{app} -v {python}:{python} --tmpfs {python}/bin IMG", False),
        ("run -v {app}:{app} -v {app}:{python}/bin -v {python}:{python} IMG", False),
    ],
)
def test_a_sandbox_in_which_the_hosts_venv_would_work_is_told_so(
    workspace: Path, tmp_path: Path, line: str, *, works: bool
) -> None:
    fill(tmp_path, "pythons/3.13/bin/python3")
    python = tmp_path / "pythons/3.13"
    fill(
        workspace, f".venv/pyvenv.cfg = home = {python}/bin\n", f".venv/bin/activate = VIRTUAL_ENV={workspace}/.venv\n"
    )
    fill(workspace, "paude.json = {}")

    outcome = added(line.format(app=workspace, python=python, above=python.parent), workspace)

    told = (
        ".venv of the host would work here, since its Python is mounted too; to have it, "
        'write "venv": "none" in paude.json'
    )
    assert (bool(shadowed(outcome)), told in outcome.warnings) == (True, works)


def test_wrong_settings_beside_the_current_folder_stop_the_line_as_its_own_do(monorepo: Path) -> None:
    (monorepo.parent / "sibling" / "paude.json").write_text('{"venv": 1}')

    with pytest.raises(SettingsError):
        added("run -v ../sibling:/b IMG", monorepo)


@pytest.mark.usefixtures("powerless")
def test_a_bind_that_cannot_be_read_is_no_reason_to_stop(monorepo: Path) -> None:
    sealed = monorepo.parent / "sibling"
    sealed.chmod(0)
    try:
        assert added("run -v ../sibling:/b IMG", monorepo).answers == ()
    finally:
        sealed.chmod(0o755)


def test_with_storage_on_disk_each_service_of_podman_compose_has_a_store_of_its_own(monorepo: Path) -> None:
    lines = [f"run --label com.docker.compose.service={name} -v .:/app IMG" for name in ("web", "api", "web")]

    outcomes = [added(line, monorepo, {"PAUDE_VENV_STORAGE": "disk"}) for line in lines]
    stores = [item.answers[0].plan.shadows[0].store for item in outcomes]

    assert stores[0] == stores[2] != stores[1]


# ---- what is said if nothing is added


@pytest.mark.parametrize(
    ("line", "environ", "nothing"),
    [
        ("run IMG", {}, "no bind mount of the line carries a workspace"),
        ("run -v data:/app IMG", {}, "no bind mount of the line carries a workspace"),
        ("run -v .:/app IMG", {"PAUDE_VENV": "none"}, "venv is none (PAUDE_VENV)"),
        (
            "run -v ./docs:/app IMG",
            {},
            "no venv in {app}/docs, and nothing says there will be one; "
            'if so, write "venv": [".venv"] in docs/paude.json',
        ),
        ("run -v .:/app IMG", {}, ""),
        ("run -v .:/app -v v:/app/.venv IMG", {}, ""),  # that is a warning
    ],
)
def test_why_nothing_was_added(
    workspace: Path, make_venv: MakeVenv, line: str, environ: dict[str, str], nothing: str
) -> None:
    make_venv(workspace / ".venv")
    (workspace / "docs").mkdir()

    assert added(line, workspace, environ).nothing == nothing.format(app=workspace)


def test_a_venv_that_the_container_made_for_itself_is_why_nothing_was_added(workspace: Path) -> None:
    fill(workspace, "env/pyvenv.cfg", "env/bin/activate = VIRTUAL_ENV=/app/env\n")

    assert added("run -v .:/app IMG", workspace).nothing == "env is made in a container, at /app/env: left alone"
    assert shadowed(added("run -v .:/other IMG", workspace)) == ["/other/env"]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("docker ps -a", "docker ps starts no container"),
        ("docker", "docker starts no container"),
        ("podman start c", "a container keeps the shadows with which it was made"),
        ("nerdctl ps", "nerdctl ps starts no container"),
        ("container start c", "a container keeps the shadows with which it was made"),
        ("container image list", "container image starts no container"),
        (
            "nerdctl compose up",
            "nerdctl compose does not tell of its project as JSON; it reads what paude-venv-hook print "
            "--format compose --engine nerdctl --service NAME --target PATH --output compose.override.yaml writes",
        ),
    ],
)
def test_why_there_is_no_container_to_add_to(words: str, why: str) -> None:
    program, *arguments = shlex.split(words)

    assert why_no_container(f"/usr/bin/{program}", arguments, engine_by_name(program)) == why


# ---- what stays visible


def test_venvs_further_down_are_named_with_the_setting_that_covers_them(workspace: Path) -> None:
    fill(workspace, ".venv/pyvenv.cfg", "backend/.venv/pyvenv.cfg", ".worktrees/x/.venv/pyvenv.cfg")

    assert added("run -v .:/app IMG", workspace).warnings == [
        ".worktrees/x/.venv, backend/.venv stay visible in the container; to shadow what is there, write "
        '"venv": [".venv", ".worktrees/x/.venv", "backend/.venv"] in paude.json'
    ]
    (workspace / "paude.json").write_text('{"venv": [".venv", "*/.venv", ".worktrees/*/.venv"]}')
    made = added("run -v .:/app IMG", workspace)
    assert (made.warnings, shadowed(made)) == ([], ["/app/.venv", "/app/backend/.venv", "/app/.worktrees/x/.venv"])


def test_many_are_one_pattern(workspace: Path) -> None:
    fill(workspace, *(f"packages/{name}/.venv/pyvenv.cfg" for name in "abcdef"))

    assert added("run -v .:/app IMG", workspace).warnings == [
        "packages/a/.venv, packages/b/.venv, packages/c/.venv, packages/d/.venv, packages/e/.venv and 1 more stay "
        'visible in the container; to shadow what is there, write "venv": ["packages/*/.venv"] in paude.json'
    ]


def test_what_another_mount_covers_is_not_visible(workspace: Path) -> None:
    fill(workspace, ".venv/pyvenv.cfg", "backend/.venv/pyvenv.cfg", ".tox/py/")

    assert added("run -v .:/app -v b:/app/backend --tmpfs /app/.tox IMG", workspace).warnings == []


@pytest.mark.parametrize(
    ("again", "is_said"), [({}, True), ({"postStartCommand": "uv sync"}, False), ({"postStartCommand": "date"}, True)]
)
@pytest.mark.parametrize("key", ["onCreateCommand", "updateContentCommand", "postCreateCommand"])
def test_a_setup_that_does_not_run_again_after_a_restart_is_named(
    workspace: Path, key: str, again: dict[str, str], is_said: bool
) -> None:
    config = workspace / ".devcontainer.json"
    config.write_text(json.dumps({key: "uv sync", **again}))
    fill(workspace, "uv.lock", 'paude.json = {"venv-storage": "memory"}')
    labels = f"-l devcontainer.local_folder={workspace} -l devcontainer.config_file={config}"
    message = f'a restart empties .venv, and {key} does not run again: write "venv-storage": "auto" in paude.json'

    assert added(f"run {labels} -v .:/app IMG", workspace).warnings == [message] * is_said
    assert added("run -v .:/app IMG", workspace).warnings == []  # no tool runs that command then


@pytest.mark.parametrize("key", ["postCreateCommand", "postStartCommand"])
@pytest.mark.parametrize(
    ("command", "target"),
    [
        ("[ -d .venv ] || python3 -m venv .venv", "all:\n"),
        ("make install", "install: .venv\n\n.venv:\n\tpython3 -m venv .venv\n"),
        (["make", "install"], "VENV = .venv\ninstall: $(VENV)\n\n$(VENV):\n\tpython3 -m venv .venv\n"),
    ],
)
def test_a_command_that_makes_no_venv_where_its_shadow_is_is_named(
    workspace: Path, make_venv: MakeVenv, key: str, command: object, target: str
) -> None:
    make_venv(workspace / ".venv")
    fill(workspace, f".devcontainer.json = {json.dumps({key: command})}", f"Makefile = {target}")
    labels = f"-l devcontainer.local_folder={workspace} -l devcontainer.config_file={workspace}/.devcontainer.json"

    assert added(f"run {labels} -v .:/app IMG", workspace).warnings == [
        f"{key} makes no venv if there is a directory .venv, and its shadow is one: let it look for .venv/bin/python"
    ]


@pytest.mark.parametrize("command", ["npm install", "", ["echo", "hello"], {"a": "cargo fetch"}])
def test_a_command_that_makes_no_environment_is_not_named(workspace: Path, command: object) -> None:
    fill(workspace, "uv.lock", f".devcontainer.json = {json.dumps({'postCreateCommand': command})}")
    labels = f"-l devcontainer.local_folder={workspace} -l devcontainer.config_file={workspace}/.devcontainer.json"

    assert added(f"run {labels} -v .:/app IMG", workspace).warnings == []


# ---- mounts below which nothing can be, or that are not understood


@pytest.mark.parametrize(
    "words",
    [
        ["-v", "{app}:/app:rshared"],
        ["-v{app}:/app:ro,z,shared"],
        ["--volume=.:/app:shared,rw"],
        ["--mount", "type=bind,source={app},target=/app,bind-propagation=rshared"],
        ["--mount", "Type=Bind,src={app},dst=/app,Bind-Propagation=Shared,readonly"],
        ["--mount=type=bind,src={app},dst=/app,rshared"],
        ["--mount", 'type=bind,src={app},dst=/app,"bind-propagation=shared"'],
    ],
)
@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_below_a_shared_mount_nothing_is_shadowed_since_the_host_would_see_it(
    workspace: Path, make_venv: MakeVenv, engine: str, words: list[str]
) -> None:
    make_venv(workspace / ".venv")
    line = ["run", *(word.format(app=workspace) for word in words), "IMG"]

    _, found, warnings, *_ = outcome(rewrite_run_line("/no/engine", line, engine, {}, str(workspace)))

    assert found == line
    assert warnings == [
        f"nothing shadowed: {workspace} is mounted shared, and the host's venv would be covered too; mount it private"
    ]


@pytest.mark.parametrize(
    "words",
    [
        ["-v", "{app}:/app:rslave,z"],
        ["--mount", "type=bind,source={app},target=/app,bind-propagation=rprivate"],
        ["-v", "{app}:/app", "-v", "shared:/shared:shared"],
    ],
)
def test_any_other_propagation_is_shadowed(workspace: Path, make_venv: MakeVenv, words: list[str]) -> None:
    make_venv(workspace / ".venv")
    line = ["run", *(word.format(app=workspace) for word in words), "IMG"]

    _, found, warnings, *_ = outcome(rewrite_run_line("/no/engine", line, "podman", {}, str(workspace)))

    assert (found, warnings) == (["run", "--tmpfs", f"/app/.venv:{PODMAN}", *line[1:]], [])


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (
            ["--mount", "type=bind,source={app},target=/x\n,target=/usr"],
            r"--mount 'type=bind,source={app},target=/x\n,target=/usr'",
        ),
        (["--mount=type=bind,src={app},dst=/app\r,dst=/usr"], r"--mount 'type=bind,src={app},dst=/app\r,dst=/usr'"),
        (["-v", "{app}:/app\x7f"], r"--volume '{app}:/app\x7f'"),
        (["-v", "{app}:/app", "--tmpfs", "/app/.venv\n:rw"], r"--tmpfs '/app/.venv\n:rw'"),
        (["-v", "{app}:/app", "--volume", "v:/v\x1b[2J"], r"--volume 'v:/v\x1b[2J'"),
    ],
)
def test_a_mount_with_a_control_character_is_not_understood_and_the_line_passes(
    workspace: Path, make_venv: MakeVenv, words: list[str], shown: str
) -> None:
    """Docker and Podman read one line of CSV, and drop what follows a newline."""
    make_venv(workspace / ".venv")
    line = ["run", *(word.format(app=workspace) for word in words), "IMG"]

    prepared, found, warnings, *_ = outcome(rewrite_run_line("/no/engine", line, "docker", {}, str(workspace)))

    assert (prepared, found) == ((), line)
    said = shown.format(app=workspace).replace("'", '"')
    assert warnings == [f"nothing shadowed: {said} holds a control character; remove it"]


def test_other_options_may_hold_any_character(workspace: Path, make_venv: MakeVenv) -> None:
    make_venv(workspace / ".venv")
    line = ["run", "-e", "A=1\n,2", "-l", "a=\t", "-v", ".:/app", "IMG", "--mount", "x\n"]

    _, found, warnings, *_ = outcome(rewrite_run_line("/no/engine", line, "podman", {}, str(workspace)))

    assert (found, warnings) == (["run", "--tmpfs", f"/app/.venv:{PODMAN}", *line[1:]], [])
