"""What verify reads from a container, without one."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from conftest import Hook, MakeVenv
from installed import StandIns
from layout import fill
from paude_venv_hook.cli import main
from paude_venv_hook.commands import verify
from paude_venv_hook.commands.verify import (
    asked_for_stores,
    asked_for_tmpfs,
    find_problem,
    find_store_problem,
    read_launch,
)
from paude_venv_hook.decision import decide
from paude_venv_hook.engines.mountinfo import Mounted, parse_mountinfo
from paude_venv_hook.engines.mounts import Mount
from paude_venv_hook.engines.programs import ask
from paude_venv_hook.stores.folder import make_store
from paude_venv_hook.stores.purpose import CONTAINER, Purpose

MOUNTINFO = r"""22 1 0:20 / / rw,relatime - overlay overlay rw
30 22 8:1 /home/me/app /app rw,relatime shared:1 - ext4 /dev/sda1 rw
31 30 0:40 / /app/my\040venv rw,nosuid,nodev - tmpfs tmpfs rw,mode=1777
32 30 0:41 / /app/.venv rw,nosuid,nodev,noexec - tmpfs tmpfs rw
33 32 0:42 / /app/.venv rw,nosuid,nodev shared:2 master:3 - tmpfs tmpfs rw,mode=1777
"""


def test_the_topmost_mount_on_each_path_is_read() -> None:
    assert parse_mountinfo(MOUNTINFO) == {
        "/": Mounted("overlay", frozenset(("rw", "relatime")), "/"),
        "/app": Mounted("ext4", frozenset(("rw", "relatime")), "/home/me/app"),
        "/app/my venv": Mounted("tmpfs", frozenset(("rw", "nosuid", "nodev")), "/"),
        "/app/.venv": Mounted("tmpfs", frozenset(("rw", "nosuid", "nodev")), "/"),
    }


VISIBLE = (
    "paude-venv-hook: warning: env stays visible in the container; to shadow what is there, "
    'write "venv": [".venv", "env"] in paude.json\n'
)
RECREATE = "recreate the container through paude-venv-hook"


@pytest.mark.parametrize(
    ("mount", "asked_for", "problem"),
    [
        (("tmpfs", {"rw", "nosuid"}), {"rw", "exec"}, ""),
        (("tmpfs", {"rw"}), None, ""),
        (None, set(), "the mount was lost, since the directory was removed on the host; restart the container"),
        (None, None, f"not shadowed: the container was made without it; {RECREATE}"),
        (("ext4", {"rw"}), None, f"not shadowed: a mount of type ext4 is there; {RECREATE}"),
        (("tmpfs", {"rw", "noexec"}), {"tmpcopyup"}, f"mounted noexec, and no program in it starts; {RECREATE}"),
        (("tmpfs", {"ro"}), set(), f"mounted read-only; {RECREATE}"),
        (("tmpfs", {"rw"}), {"tmpcopyup"}, f"filled with what the host's has; {RECREATE}"),
    ],
)
def test_each_problem_says_what_to_do(
    mount: tuple[str, set[str]] | None, asked_for: set[str] | None, problem: str
) -> None:
    assert find_problem(mount and Mounted(mount[0], frozenset(mount[1]), "/"), asked_for) == problem


APP = Purpose("/home/me/app", ".venv", "/app/.venv", "podman", rootless=True, image="python:3.13")


@pytest.fixture
def store() -> str:
    """Return the root of a mount of a store of APP, as mountinfo shows it if the home folder is a volume."""
    return f"/@home{make_store(APP)}"


@pytest.mark.parametrize(
    ("mount", "is_asked_for", "problem"),
    [
        (("ext4", {"rw"}, "STORE"), True, ""),
        (("ext4", {"rw"}, "STORE"), False, ""),
        (("ext4", {"ro"}, "STORE"), True, f"mounted read-only; {RECREATE}"),
        (None, True, "the mount was lost, since the directory was removed on the host; restart the container"),
        (None, False, f"not shadowed: the container was made without it; {RECREATE}"),
        (("tmpfs", {"rw"}, "/"), False, f"in memory, while storage is disk; {RECREATE}, or use --storage memory"),
        (("ext4", {"rw"}, "/home/me"), True, f"not shadowed: a mount of type ext4 is there; {RECREATE}"),
        (
            ("ext4", {"rw"}, "/data/x-0123456789abcdef/venv"),
            True,
            f"the store x-0123456789abcdef is there, which is not for this workspace; {RECREATE}",
        ),
    ],
)
def test_each_problem_with_a_store_says_what_to_do(
    store: str, mount: tuple[str, set[str], str] | None, is_asked_for: bool, problem: str
) -> None:
    there = mount and Mounted(mount[0], frozenset(mount[1]), mount[2].replace("STORE", store))

    for image in ("python:3.13", "docker.io/library/python:3.13"):  # engines spell it out
        assert find_store_problem(there, APP._replace(image=image), is_asked_for=is_asked_for) == problem


def test_the_store_of_another_workspace_or_engine_is_a_problem(store: str) -> None:
    there = Mounted("ext4", frozenset(("rw",)), store)
    name = os.path.basename(os.path.dirname(store))
    others = APP._replace(source="/other"), APP._replace(engine="docker"), APP._replace(destination="/x/.venv")

    for other in others:
        assert find_store_problem(there, other, is_asked_for=True) == (
            f"the store {name} is there, which is not for this workspace; {RECREATE}"
        )


def test_a_store_is_a_problem_where_storage_is_memory() -> None:
    there = Mounted("ext4", frozenset(("rw",)), "/data/x-0123456789abcdef/venv")

    assert find_problem(there, None) == f"on disk, while storage is memory; {RECREATE}, or use --storage disk"


def test_a_store_was_asked_for_by_the_arguments_or_by_podmans_hook(tmp_path: Path) -> None:
    store = "/data/x-0123456789abcdef/venv"
    mounts = [{"Source": store, "Destination": "/app/.venv/"}, {"Source": "/src", "Destination": "/app"}]
    config = tmp_path / "config.json"
    hooked = {"destination": "/app/env", "source": store}
    config.write_text(json.dumps({"mounts": [hooked, {"destination": "/proc", "source": "proc"}]}))

    assert asked_for_stores({"Mounts": mounts, "OCIConfigPath": str(config)}).keys() == {"/app/.venv", "/app/env"}
    assert asked_for_stores({"Mounts": None}) == {}


def test_what_was_asked_for_stands_in_the_arguments_and_in_the_oci_config_of_podman(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    tmpfs = {"type": "tmpfs", "options": ["rw", "mode=1777"]}
    mounts = [{**tmpfs, "destination": "/app/.venv"}, {"type": "tmpfs", "destination": "/run"}]
    config.write_text(json.dumps({"mounts": [*mounts, {"type": "bind", "destination": "/app", "source": "/src"}]}))
    arguments = {"HostConfig": {"Tmpfs": {"/app/env/": "rw,tmpcopyup"}}}

    by_argument, by_hook = {"/app/env": {"rw", "tmpcopyup"}}, {"/app/.venv": {"rw", "mode=1777"}, "/run": set()}
    assert asked_for_tmpfs({**arguments, "OCIConfigPath": str(config)}) == {**by_hook, **by_argument}
    assert asked_for_tmpfs({"HostConfig": {"Tmpfs": None}, "OCIConfigPath": str(config)}) == by_hook
    assert asked_for_tmpfs({**arguments, "OCIConfigPath": str(tmp_path / "elsewhere")}) == by_argument
    assert asked_for_tmpfs(arguments) == by_argument
    config.write_text("{}")
    assert asked_for_tmpfs({"OCIConfigPath": str(config)}) == {}


def test_the_containers_own_binds_say_where_the_workspace_is(workspace: Path) -> None:
    bind = {"Type": "bind", "Source": str(workspace.parent), "Destination": "/top/"}
    nearer = {"Type": "bind", "Source": str(workspace), "Destination": "/app"}
    volume = {"Type": "volume", "Source": "/var/lib/x", "Destination": "/app/cache"}
    tmpfs = {"Type": "tmpfs", "Source": "", "Destination": "/app/.venv"}
    store = {"Type": "bind", "Source": "/data/x-0123456789abcdef/venv", "Destination": "/app/env"}

    launch = read_launch("podman", {"Mounts": [bind, volume, nearer, tmpfs, store]}, str(workspace))
    (answer,) = decide(launch, {}).answers

    assert answer.location.mounts == (
        Mount("bind", str(workspace), "/app"),
        Mount("bind", str(workspace.parent), "/top"),
    )
    assert answer.location.mounted == {"/top": "bind", "/app/cache": "volume"}


@pytest.mark.parametrize(("propagation", "shared"), [("rprivate", False), ("rslave", False), ("shared", True)])
def test_a_bind_that_the_host_shares_is_known_as_one(workspace: Path, propagation: str, shared: bool) -> None:
    bind = {"Type": "bind", "Source": str(workspace), "Destination": "/app", "Propagation": propagation}

    launch = read_launch("podman", {"Mounts": [bind]}, str(workspace))
    assert launch.mounts == (Mount("bind", str(workspace), "/app", shared),)


def test_a_container_without_the_workspace_has_no_answer(workspace: Path) -> None:
    assert decide(read_launch("podman", {"Mounts": None}, str(workspace)), {}).answers == ()


PODMAN_OF_A_CONTAINER = """case "$1 $3" in
    "container c") /bin/cat ../inspect.json ;;
    "exec cat") /bin/cat ../mountinfo ;;
    "exec test") [ "$4" = -w ] && [ ! -e ../read-only ] ;;
    *) echo "no such container" >&2; exit 125 ;;
esac"""


@pytest.fixture
def container(workspace: Path, make_venv: MakeVenv, programs: Callable[[str, str], Path]) -> Path:
    """Return a workspace with two venvs, in a fake container of a fake engine that has one of them."""
    make_venv(workspace / ".venv")
    make_venv(workspace / "env")
    mounts = [{"Type": "bind", "Source": str(workspace), "Destination": "/app"}]
    inspected = [{"Id": "abc", "State": {"Running": True}, "Mounts": mounts, "HostConfig": {"Tmpfs": {"/app/env": ""}}}]
    (workspace.parent / "inspect.json").write_text(json.dumps(inspected))
    (workspace.parent / "mountinfo").write_text(MOUNTINFO)
    programs("podman", PODMAN_OF_A_CONTAINER)
    return workspace


def test_verify_tells_each_shadow_and_fails_where_one_is_missing(
    container: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", "c"]) == 1

    assert capfd.readouterr().out.splitlines() == [
        ".venv: shadowed (/app/.venv)",
        "env: the mount was lost, since the directory was removed on the host; restart the container (/app/env)",
    ]


def test_programs_get_the_same_as_json(container: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "--json", "c"]) == 1

    out, err = capfd.readouterr()
    problem = "the mount was lost, since the directory was removed on the host; restart the container"
    warning = VISIBLE.removeprefix("paude-venv-hook: warning: ").removesuffix("\n")
    report = json.loads(out)
    assert (err, report.pop("workspaceFolder")) == ("", str(container))
    assert report == {
        "containers": [
            {
                "engine": "podman",
                "name": "abc",
                "shadows": [
                    {"path": ".venv", "destination": "/app/.venv", "isShadowed": True, "problem": None},
                    {"path": "env", "destination": "/app/env", "isShadowed": False, "problem": problem},
                ],
                "warnings": [],
            }
        ],
        "lastLaunch": None,
    }

    assert main(["verify", "--json", "--venv", ".venv", "c"]) == 0
    assert json.loads(capfd.readouterr().out)["containers"][0]["warnings"] == [warning]


def test_a_folder_in_place_of_a_container_is_answered_with_the_option_for_it(
    container: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", "missing"]) == 1
    (container / "missing").mkdir()

    assert main(["verify", "missing"]) == 2
    assert capfd.readouterr().err.splitlines()[-1] == (
        'paude-venv-hook: error[usage]: "missing" is a folder and no container; '
        "write --workspace-folder missing CONTAINER"
    )


def test_verify_looks_at_each_container_of_a_service_that_binds_the_workspace(
    container: Path, programs: Callable[[str, str], Path], capfd: pytest.CaptureFixture[str]
) -> None:
    other = [{"Id": "d", "State": {"Running": True}, "Mounts": []}]
    (container.parent / "other.json").write_text(json.dumps(other))
    script = programs("podman", "").with_name("podman-of-a-container")
    script.write_text(PODMAN_OF_A_CONTAINER)
    programs(
        "podman",
        f"""case "$*" in
            "ps --quiet --filter label=com.docker.compose.service=web") echo c; echo d; echo c ;;
            "ps "*) echo d ;;
            "container inspect d") /bin/cat ../other.json ;;
            *) . {script} ;;
        esac""",
    )

    assert main(["verify", "--venv", ".venv", "--service", "web", "--quiet"]) == 0
    assert capfd.readouterr() == (".venv: shadowed (/app/.venv)\n" * 2, "")
    assert main(["verify", "--service", "db"]) == 1
    assert capfd.readouterr() == (
        "",
        "paude-venv-hook: error[verify]: db: no running container of such a service binds the workspace; start one\n",
    )


def test_a_service_of_another_project_is_not_the_one_that_is_meant(
    workspace: Path, programs: Callable[[str, str], Path], capfd: pytest.CaptureFixture[str]
) -> None:
    other = workspace.parent / "other"
    fill(other, "paude.json = {}", ".venv/pyvenv.cfg")
    mounts = [{"Type": "bind", "Source": str(other), "Destination": "/app"}]
    answer = json.dumps([{"Id": "c", "State": {"Running": True}, "Mounts": mounts}])
    programs("podman", f"""case "$1" in ps) echo c ;; *) printf '%s' '{answer}' ;; esac""")

    assert main(["verify", "--engine", "podman", "--service", "web"]) == 1
    assert "web: no running container of such a service binds the workspace" in capfd.readouterr().err


@pytest.mark.parametrize("words", [["c"], ["--service", "web"]], ids=["a container", "a service"])
def test_an_engine_that_cannot_be_asked_keeps_nobody_from_the_other_one(
    container: Path, programs: Callable[[str, str], Path], capfd: pytest.CaptureFixture[str], words: list[str]
) -> None:
    script = programs("podman", "").with_name("podman-of-a-container")
    script.write_text(PODMAN_OF_A_CONTAINER)
    programs("podman", f"""case "$1" in ps) echo c ;; *) . {script} ;; esac""")
    programs("docker", "echo 'Cannot connect to the Docker daemon' >&2; exit 1")

    assert main(["verify", "--venv", ".venv", "--quiet", *words]) == 0
    assert capfd.readouterr() == (".venv: shadowed (/app/.venv)\n", "")

    programs("podman", """case "$1" in ps) ;; *) echo 'Error: no such container c' >&2; exit 125 ;; esac""")
    assert main(["verify", "--quiet", *words]) == 1
    assert "Cannot connect to the Docker daemon" in capfd.readouterr().err


def test_verify_takes_a_container_or_a_service(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "c", "--service", "web"]) == main(["verify"]) == 2
    assert capfd.readouterr().err.splitlines() == [
        "paude-venv-hook: error[usage]: --service and c: one of them is too many; leave one out",
        "paude-venv-hook: error[usage]: CONTAINER: needed, or --service in its place; name one of them",
    ]


def test_verify_succeeds_where_all_is_there(container: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "--venv", ".venv", "c"]) == 0

    assert capfd.readouterr() == (".venv: shadowed (/app/.venv)\n", VISIBLE)


@pytest.mark.parametrize(("listed", "is_empty"), [("", True), ("bin", False)])
def test_where_a_shadow_is_empty_the_image_may_hold_a_venv_and_verify_says_so(
    container: Path,
    programs: Callable[[str, str], Path],
    capfd: pytest.CaptureFixture[str],
    listed: str,
    *,
    is_empty: bool,
) -> None:
    script = f'case "$1 $3 $5" in "exec ls /app/.venv") printf "{listed}"; exit ;; esac\n{PODMAN_OF_A_CONTAINER}'
    programs("podman", script)
    line = (
        "paude-venv-hook: warning: .venv is empty in the container: the image may hold one at this path; to have that, "
        "give the path a volume of its own\n"
    )

    assert main(["verify", "--venv", ".venv,env", "c"]) == 1
    out, err = capfd.readouterr()
    assert out.splitlines()[0] == ".venv: shadowed (/app/.venv)"
    assert err == (line if is_empty else "")

    main(["verify", "--quiet", "--venv", ".venv,env", "c"])
    assert capfd.readouterr().err == ""


def test_a_shadow_that_the_containers_user_cannot_write_to_is_a_problem(
    container: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (container.parent / "read-only").touch()

    assert main(["verify", "--venv", ".venv", "c"]) == 1

    assert capfd.readouterr() == (
        f".venv: not writable for the container's user; name it in venv-tmpfs, and {RECREATE} (/app/.venv)\n",
        VISIBLE,
    )


@pytest.mark.parametrize("state", ["empty", "works", "dangling", "closed"])
def test_with_a_store_a_venv_that_does_not_work_is_a_problem(
    container: Path, programs: Callable[[str, str], Path], capfd: pytest.CaptureFixture[str], state: str
) -> None:
    rootless = os.getuid() != 0
    store = make_store(Purpose(str(container), ".venv", "/app/.venv", "podman", rootless, "", "an image"))
    line = f"34 33 8:1 {store} /app/.venv rw - ext4 /dev/sda1 rw\n"
    (container.parent / "mountinfo").write_text(MOUNTINFO + line)
    is_there = {"works": "true", "dangling": "[ $4 = -L ]"}.get(state, "false")
    cat = "/bin/cat"
    programs(
        "podman",
        f"""case "$1 $3" in
            "container c") {cat} ../inspect.json ;;
            "exec cat") {cat} ../mountinfo ;;
            "exec test") [ $4 = -w ] && {"false" if state == "closed" else "true"} || {is_there} ;;
            "exec /app/.venv/bin/python") {"true" if state == "works" else "exit 127"} ;;
            *) exit 125 ;;
        esac""",
    )

    code = main(["verify", "--venv", ".venv", "--storage", "disk", "c"])

    cure = f"empty it with paude-venv-hook store clean {os.path.basename(os.path.dirname(store))}"
    problems = {
        "dangling": "its bin/python does not run, since it was made by another Python or for another architecture; "
        + cure,
        "closed": f"not writable for the container's user; {RECREATE}",
    }
    assert capfd.readouterr() == (f".venv: {problems.get(state, 'shadowed')} (/app/.venv)\n", VISIBLE)
    assert code == (1 if state in problems else 0)


@pytest.mark.parametrize(
    ("storage", "where", "problem"),
    [
        ("auto", "store", "shadowed"),
        ("auto", "memory", "shadowed"),
        ("memory", "store", f"on disk, while storage is memory; {RECREATE}, or use --storage disk"),
        ("disk", "memory", f"in memory, while storage is disk; {RECREATE}, or use --storage memory"),
    ],
)
def test_with_auto_a_shadow_may_be_a_store_or_in_memory(
    container: Path, capfd: pytest.CaptureFixture[str], storage: str, where: str, problem: str
) -> None:
    rootless = os.getuid() != 0
    purpose = Purpose(str(container), ".venv", "/app/.venv", "podman", rootless, lifetime=CONTAINER)
    if where == "store":
        line = f"34 33 8:1 {make_store(purpose)} /app/.venv rw - ext4 /dev/sda1 rw\n"
        (container.parent / "mountinfo").write_text(MOUNTINFO + line)

    main(["verify", "--venv", ".venv", "--storage", storage, "c"])

    assert capfd.readouterr().out == f".venv: {problem} (/app/.venv)\n"


@pytest.mark.parametrize(
    ("inspected", "error"),
    [
        ('[{"Id": "abc", "State": {"Running": false}}]', "c: does not run; start it first"),
        ("[]", "c: podman does not describe it; check its name"),
        *(
            (odd, "c: podman does not describe it; check its name")
            for odd in (
                *("nonsense", "[1]", "null", "[null]", "{}", "7", '"Id"', "[[]]", "[" * 100_000),
                '[{"State": {"Running": true}}]',
                '[{"Id": 7, "State": {"Running": true}}]',
            )
        ),
        *(
            (f'[{{"Id": "abc", "State": {state}}}]', "c: does not run; start it first")
            for state in ("null", "[]", "7", '"Running"', "{}", '{"Running": null}', '{"Running": "true"}')
        ),
    ],
)
def test_a_container_that_cannot_be_asked(
    container: Path, capfd: pytest.CaptureFixture[str], inspected: str, error: str
) -> None:
    (container.parent / "inspect.json").write_text(inspected)

    assert main(["verify", "c"]) == 1

    assert capfd.readouterr() == ("", f"paude-venv-hook: error[verify]: {error}\n")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["other"], "other: podman has no such container; see podman ps"),
        (["--engine", "docker", "c"], "docker: is not on PATH; install it or use --engine"),
    ],
)
def test_an_engine_that_cannot_be_asked(
    container: Path, capfd: pytest.CaptureFixture[str], arguments: list[str], error: str
) -> None:
    assert main(["verify", *arguments]) == 1

    assert capfd.readouterr() == ("", f"paude-venv-hook: error[verify]: {error}\n")


def test_a_proxy_that_is_down_is_named_with_what_starts_it(
    container: Path, stand_ins: StandIns, own_socket: Path, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    why = "failed to connect to the docker API: no such file or directory"
    stand_ins.add("docker")
    stand_ins.fail({"docker container": why, "docker ps": why})
    monkeypatch.setenv("DOCKER_HOST", f"unix://{own_socket}")

    down = (
        f"{why}; DOCKER_HOST leads to the proxy at {own_socket}, which is down; it has to be kept running: "
        "`paude-venv-hook docker-proxy`\n"
    )
    line = f"paude-venv-hook: error[verify]: docker container failed: {down}"
    assert hook("verify", "--engine", "docker", "c") == (1, "", line)
    line = f"paude-venv-hook: error[verify]: docker ps failed: {down}"
    assert hook("verify", "--engine", "docker", "--service", "web") == (1, "", line)
    monkeypatch.delenv("DOCKER_HOST")
    line = f"paude-venv-hook: error[verify]: docker container failed: {why}; see whether docker ps works\n"
    assert hook("verify", "--engine", "docker", "c") == (1, "", line)


def test_an_engine_that_cannot_be_started_is_named(
    container: Path, programs: Callable[[str, str], Path], capfd: pytest.CaptureFixture[str]
) -> None:
    programs("podman", "").write_bytes(b"\x7fELF, but no more")

    assert main(["verify", "c"]) == 1

    error = "podman: cannot be asked: Exec format error; see whether podman ps works"
    assert capfd.readouterr() == ("", f"paude-venv-hook: error[verify]: {error}\n")


def test_an_engine_that_does_not_answer_is_named(
    container: Path, programs: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    programs("podman", "while :; do :; done")
    monkeypatch.setattr(verify, "ask", partial(ask, seconds=0.05))

    assert main(["verify", "c"]) == 1

    error = "podman: cannot be asked: no answer within 0.05 seconds; see whether podman ps works"
    assert capfd.readouterr() == ("", f"paude-venv-hook: error[verify]: {error}\n")


@pytest.mark.parametrize("odd", [None, 7, "text", [], [7], {"a": 7}, [None], [{}], [{"Type": 7}], [{"type": "tmpfs"}]])
def test_odd_answers_about_a_container_hold_nothing(workspace: Path, tmp_path: Path, odd: object) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"mounts": odd}))

    assert decide(read_launch("podman", {"Mounts": odd}, str(workspace)), {}).answers == ()
    for described in ({"HostConfig": odd}, {"HostConfig": {"Tmpfs": odd}}, {"OCIConfigPath": odd}):
        assert set(asked_for_tmpfs(described)) <= {"a"}
    assert asked_for_tmpfs({"OCIConfigPath": str(config)}) in ({}, {"": frozenset()}, {".": frozenset()})


def test_the_oci_config_is_read_without_blocking(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "config.json")

    assert asked_for_tmpfs({"OCIConfigPath": str(tmp_path / "config.json")}) == {}
    assert asked_for_tmpfs({"OCIConfigPath": "/dev/zero"}) == {}


def test_lines_of_the_list_of_mounts_that_are_not_whole_are_passed_over() -> None:
    assert parse_mountinfo("\n1 2 3\n22 1 0:20 / /x rw\n22 1 0:20 / / rw - overlay overlay rw\nx - y\n") == {
        "/": Mounted("overlay", frozenset(("rw",)), "/")
    }


@pytest.mark.parametrize(
    ("readlink", "problem"),
    [
        ("echo /usr/lib/app", "shadowed"),
        ("exit 127", f"not shadowed: the container was made without it; {RECREATE}"),
        ("echo /elsewhere", f"not shadowed: the container was made without it; {RECREATE}"),
    ],
)
def test_a_container_path_is_followed_through_the_symlinks_of_the_container(
    workspace: Path, make_venv: MakeVenv, programs: Callable[[str, str], Path], capfd: pytest.CaptureFixture[str],
    readlink: str, problem: str,
) -> None:  # fmt: skip
    make_venv(workspace / ".venv")
    mounts = [{"Type": "bind", "Source": str(workspace), "Destination": "/lib/app"}]
    (workspace.parent / "inspect.json").write_text(
        json.dumps([{"Id": "abc", "State": {"Running": True}, "Mounts": mounts}])
    )
    programs(
        "podman",
        f"""case "$1 $3" in
            "container c") /bin/cat ../inspect.json ;;
            "exec cat") echo "31 30 0:40 / /usr/lib/app/.venv rw,nosuid,nodev - tmpfs tmpfs rw,mode=1777" ;;
            "exec readlink") [ "$*" = "exec abc readlink -f /lib/app" ] || exit 1; {readlink} ;;
            "exec test") ;;
            "exec ls") echo bin ;;
        esac""",
    )

    main(["verify", "c"])

    assert capfd.readouterr() == (f".venv: {problem} (/lib/app/.venv)\n", "")
