"""`install` does for each engine what fits, shows each step of it, and `uninstall` leaves what was there before."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from conftest import Hook, serving
from installed import StandIns
from layout import fill
from paude_venv_hook.installation import changes

pytestmark = pytest.mark.usefixtures("own_socket", "daemons")

DESCRIPTION = "Docker through paude-venv-hook, which shadows the venvs of workspaces"
PODMANS = "Podman now shadows the venvs of each workspace with a paude.json or a devcontainer.json"
UNITS = ".config/systemd/user"
RECORD = ".local/share/paude/docker-before.json"
DRY = "nothing is changed yet: --dry-run"


@pytest.fixture(autouse=True)
def started_as(program: Path) -> None:
    """Let each test be one of the installed program, before anything else is said of it."""


def indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines()) + "\n"


def socket_unit(own_socket: Path) -> str:
    """Return the unit of the socket as it has to be, letter by letter."""
    return f"""\
# Made by `paude-venv-hook install`; `paude-venv-hook uninstall` removes it.
[Unit]
Description=Docker's API, with the venvs of workspaces shadowed

[Socket]
ListenStream={own_socket}
SocketMode=0600
DirectoryMode=0700
RemoveOnStop=yes

[Install]
WantedBy=sockets.target
"""


def service_unit(program: Path, upstream: str = "/var/run/docker.sock") -> str:
    """Return the unit of the service as it has to be, letter by letter."""
    return f"""\
# Made by `paude-venv-hook install`; `paude-venv-hook uninstall` removes it.
[Unit]
Description=Docker's API, with the venvs of workspaces shadowed
Requires=paude-venv-docker-proxy.socket
After=paude-venv-docker-proxy.socket

[Service]
ExecStart={program} docker-proxy --upstream {upstream}
"""


def record(
    home: Path,
    own_socket: Path,
    context: str = "default",
    upstream: str = "/var/run/docker.sock",
    *,
    units: bool = True,
) -> str:
    """Return the record as it has to be, letter by letter."""
    document = {
        "upstream": upstream,
        "contexts": {f"{home}/.docker": context},
        "units": [f"{home}/{UNITS}"] if units else [],
        "sockets": [str(own_socket)],
    }
    return json.dumps(document, indent=2) + "\n"


def files(folder: Path) -> dict[str, str]:
    """Return what is below the folder: the text of each file, and where each link leads, by its path from there."""
    return {
        str(path.relative_to(folder)): os.readlink(path) if path.is_symlink() else path.read_text()
        for path in folder.rglob("*")
        if path.is_symlink() or path.is_file()
    }


def create(own_socket: Path) -> str:
    return f"docker context create paude-venv --description '{DESCRIPTION}' --docker host=unix://{own_socket}"


# ---- what is done, and shown


def test_for_docker_units_and_a_context_are_made_and_shown(
    stand_ins: StandIns, hook: Hook, home: Path, program: Path, own_socket: Path
) -> None:
    stand_ins.add("docker", "systemctl")

    done = hook("install")

    unit, service = socket_unit(own_socket), service_unit(program)
    name = f"{home}/{UNITS}/paude-venv-docker-proxy"
    assert done == (
        0,
        f"{name}.socket:\n{indented(unit)}{name}.service:\n{indented(service)}"
        "$ systemctl --user daemon-reload\n$ systemctl --user enable --now paude-venv-docker-proxy.socket\n"
        f"{home}/{RECORD}:\n{indented(record(home, own_socket))}$ {create(own_socket)}\n",
        "paude-venv-hook: docker: installed (Docker 28.2.2 answers through the context paude-venv); "
        "`docker context use paude-venv` lets every docker command use it\n",
    )
    assert files(home) == {
        f"{UNITS}/paude-venv-docker-proxy.socket": unit,
        f"{UNITS}/paude-venv-docker-proxy.service": service,
        f"{UNITS}/sockets.target.wants/paude-venv-docker-proxy.socket": f"{name}.socket",
        RECORD: record(home, own_socket),
    }
    assert stand_ins.calls() == [
        "systemctl --user daemon-reload",
        "systemctl --user enable --now paude-venv-docker-proxy.socket",
        create(own_socket).replace("'", ""),
    ]
    state = stand_ins.known()
    assert (state["current"], state["contexts"]["paude-venv"]) == ("default", [f"unix://{own_socket}", DESCRIPTION])


def test_for_podman_its_hook_is_installed(stand_ins: StandIns, hook: Hook, home: Path) -> None:
    stand_ins.add("podman")

    done = hook("install")

    path = home / "hooks" / "paude-venv-hook.json"
    text, folders = path.read_text(), home / ".config/containers/paude-venv-hook.folders"
    assert done == (
        0,
        f"{path}:\n{indented(text)}{folders}:\n    {home}/hooks\n\n",
        f"paude-venv-hook: podman: installed: {PODMANS} (Podman reads {path})\n",
    )
    assert hook("install") == (0, "", f"paude-venv-hook: podman: already installed (Podman reads {path})\n")
    assert hook("install", "--engine", "podman").err.startswith("paude-venv-hook: podman: already installed (")


def test_again_nothing_is_done(stand_ins: StandIns, hook: Hook, home: Path) -> None:
    stand_ins.add("docker", "podman", "systemctl")
    hook("install", "--use")
    stand_ins.calls()
    before = {path: path.lstat() for path in home.rglob("*")}

    done = hook("install", "--use")

    assert done == (
        0,
        "",
        f"paude-venv-hook: podman: already installed (Podman reads {home}/hooks/paude-venv-hook.json)\n"
        "paude-venv-hook: docker: already installed (Docker 28.2.2 answers through the context paude-venv, which is in "
        "use)\n",
    )
    assert stand_ins.calls() == []
    # The time of a change tells of a file that was replaced, or whose mode was set anew.
    after = {path: path.lstat() for path in home.rglob("*")}
    assert {path: (s.st_ino, s.st_ctime_ns) for path, s in after.items()} == {
        path: (s.st_ino, s.st_ctime_ns) for path, s in before.items()
    }


def test_dry_run_shows_all_and_does_nothing(stand_ins: StandIns, hook: Hook, home: Path) -> None:
    stand_ins.add("docker", "podman", "systemctl")

    would = hook("install", "--use", "--dry-run")

    assert (would.code, would.err) == (0, f"paude-venv-hook: podman: {DRY}\npaude-venv-hook: docker: {DRY}\n")
    assert (files(home), stand_ins.calls()) == ({}, [])
    assert hook("install", "--use").out == would.out
    stand_ins.calls()
    assert hook("install", "--use", "--dry-run") == (
        0, "", "paude-venv-hook: podman: already installed\npaude-venv-hook: docker: already installed\n"
    )  # fmt: skip
    before = files(home)
    would = hook("uninstall", "--dry-run")
    assert (would.code, would.err) == (0, f"paude-venv-hook: podman: {DRY}\npaude-venv-hook: docker: {DRY}\n")
    assert (files(home), stand_ins.calls()) == (before, [])
    assert hook("uninstall").out == would.out


# ---- the context in use


def test_use_is_the_last_step(stand_ins: StandIns, hook: Hook, own_socket: Path) -> None:
    stand_ins.add("docker", "systemctl")

    done = hook("install", "--use")

    assert done.out.endswith(f"$ {create(own_socket)}\n$ docker context use paude-venv\n")
    assert done.err == (
        "paude-venv-hook: docker: installed (Docker 28.2.2 answers through the context paude-venv, which is in use)\n"
    )
    assert stand_ins.calls()[-1] == "docker context use paude-venv"


def test_what_does_not_work_is_not_used(stand_ins: StandIns, hook: Hook) -> None:
    stand_ins.add("docker", "systemctl")
    stand_ins.fail({"docker --context": "Cannot connect to the Docker daemon"})

    done = hook("install", "--use")

    assert (done.code, done.err) == (
        1,
        "paude-venv-hook: error[engine]: docker: `docker --context paude-venv version --format '{{.Server.Version}}'` "
        "failed: Cannot connect to the Docker daemon; once that command works, run this again; `systemctl --user "
        "status paude-venv-docker-proxy.service` tells more\n",
    )
    assert stand_ins.known()["current"] == "default"
    assert "docker context use paude-venv" not in stand_ins.calls()


@pytest.mark.parametrize(
    ("variables", "warning"),
    [
        ({"DOCKER_HOST": "unix:///run/other.sock"}, "DOCKER_HOST is set, and beats the context in use; "
         "unset it, or set it to unix://{own_socket}"),
        ({"DOCKER_CONTEXT": "default"}, "DOCKER_CONTEXT is set, and beats the context in use; unset it, or set "
         "it to paude-venv"),
        ({"DOCKER_HOST": "unix://{own_socket}"}, ""),
        ({"DOCKER_HOST": "unix://{own_socket}", "DOCKER_CONTEXT": "default"}, ""),
        ({"DOCKER_CONTEXT": "paude-venv"}, ""),
        ({"DOCKER_HOST": ""}, ""),
    ],
)  # fmt: skip
def test_a_variable_that_beats_the_context_is_said(
    stand_ins: StandIns,
    hook: Hook,
    own_socket: Path,
    variables: dict[str, str],
    warning: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stand_ins.add("docker", "systemctl")
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(own_socket=own_socket))

    done = hook("install", "--use")

    last = (
        "paude-venv-hook: docker: installed (Docker 28.2.2 answers through the context paude-venv, which is in use)\n"
    )
    assert (done.code, done.err) == (
        0, (f"paude-venv-hook: warning: {warning.format(own_socket=own_socket)}\n" if warning else "") + last
    )  # fmt: skip


# ---- where Docker is


@pytest.mark.parametrize("how", ["DOCKER_HOST", "DOCKER_CONTEXT", "context"])
def test_the_proxy_is_put_before_the_daemon_that_docker_uses(
    stand_ins: StandIns, hook: Hook, home: Path, program: Path, own_socket: Path, how: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    stand_ins.add("docker", "systemctl")
    stand_ins.add_context("rootless", "unix:///run/user/1000/docker.sock")
    stand_ins.use_context("rootless" if how == "context" else "default")
    if how != "context":
        monkeypatch.setenv(how, "unix:///run/user/1000/docker.sock" if how == "DOCKER_HOST" else "rootless")

    assert hook("install", "--use").code == 0

    before = "rootless" if how == "context" else "default"
    made = files(home)
    assert made[RECORD] == record(home, own_socket, before, "/run/user/1000/docker.sock")
    assert made[f"{UNITS}/paude-venv-docker-proxy.service"] == service_unit(program, "/run/user/1000/docker.sock")
    # Now that all leads to the proxy, it is still put before the same one.
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    stand_ins.calls()
    assert hook("install").err.startswith("paude-venv-hook: docker: already installed (")
    assert (files(home), stand_ins.calls()) == (made, [])

    assert hook("uninstall").code == 0
    assert stand_ins.calls()[0] == f"docker context use {before}"
    assert stand_ins.known()["current"] == before


def test_who_unsets_docker_host_since_it_beats_the_context_keeps_the_daemon(
    stand_ins: StandIns, hook: Hook, home: Path, own_socket: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_ins.add("docker", "systemctl")
    stand_ins.add_context("default", "unix:///no/docker.sock")
    path = own_socket.parents[1] / "rootless.sock"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    with serving(path):
        hook("install", "--use")
        stand_ins.use_context("default")
        monkeypatch.delenv("DOCKER_HOST")
        stand_ins.calls()

        assert hook("install", "--use").out == "$ docker context use paude-venv\n"

        stand_ins.use_context("default")
        stand_ins.add_context("default", f"unix://{path.parent}/other.sock")
        with serving(path.parent / "other.sock"):
            assert f"docker-proxy --upstream {path.parent}/other.sock\n" in hook("install").out


@pytest.mark.parametrize(
    ("variables", "said_in", "host"),
    [
        ({"DOCKER_HOST": "tcp://10.0.0.1:2376"}, "DOCKER_HOST", "tcp://10.0.0.1:2376"),
        ({"DOCKER_CONTEXT": "far"}, "the docker context far", "ssh://me@far"),
    ],
)
def test_a_daemon_elsewhere_is_skipped(
    stand_ins: StandIns, hook: Hook, home: Path, variables: dict[str, str], said_in: str, host: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    stand_ins.add("docker", "systemctl")
    stand_ins.add_context("far", "ssh://me@far")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    skipped = (
        f"paude-venv-hook: docker: skipped: {said_in}: {host} is no socket of this machine, whose folders a "
        "daemon elsewhere does not bind; name a local socket, as unix:///var/run/docker.sock\n"
    )

    assert hook("install") == (1, "", skipped)
    assert (files(home), stand_ins.calls()) == ({}, [])

    stand_ins.add("podman")
    done = hook("install")
    assert (done.code, done.err) == (
        0,
        f"paude-venv-hook: podman: installed: {PODMANS} (Podman reads {home}/hooks/paude-venv-hook.json)\n{skipped}",
    )


def test_a_podman_of_another_machine_is_skipped(stand_ins: StandIns, hook: Hook) -> None:
    stand_ins.add("docker", "podman", "systemctl")
    stand_ins.has_no_hooks()

    done = hook("install")

    assert (done.code, done.err.splitlines()[0]) == (
        0,
        f"paude-venv-hook: podman: skipped: {stand_ins.folder}/podman has no --hooks-dir, so its containers are not "
        "started by this machine; run this where they are (podman machine ssh)",
    )
    stand_ins.remove("docker")
    assert hook("install").code == 1
    stand_ins.add("docker")
    assert hook("uninstall").code == 0
    assert hook("uninstall") == (
        0, "", "paude-venv-hook: podman: not installed\npaude-venv-hook: docker: not installed\n"
    )  # fmt: skip


def test_a_docker_whose_daemon_is_podman_is_skipped(
    stand_ins: StandIns, hook: Hook, home: Path, own_socket: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_ins.add("docker", "systemctl")
    path = own_socket.parents[1] / "podman.sock"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")

    with serving(path, b'{"Components": [{"Name": "Podman Engine"}]}'):
        done = hook("install")

    assert done == (
        1,
        "",
        f"paude-venv-hook: docker: skipped: {path}: is Podman's socket; for every client of Podman, run "
        "paude-venv-hook install --engine podman\n",
    )
    assert (files(home), stand_ins.calls()) == ({}, [])


def test_a_docker_that_is_podman_is_not_docker(
    stand_ins: StandIns, hook: Hook, home: Path, programs: Callable[[str, str], Path]
) -> None:
    stand_ins.add("podman", "systemctl")
    programs("docker", 'exec podman "$@"')

    done = hook("install")

    path = f"{home}/hooks/paude-venv-hook.json"
    assert done.err == f"paude-venv-hook: podman: installed: {PODMANS} (Podman reads {path})\n"
    assert stand_ins.calls() == []


def test_without_an_engine_it_says_what_to_do(stand_ins: StandIns, hook: Hook) -> None:
    assert hook("install") == (
        1,
        "",
        "paude-venv-hook: error[engine]: neither docker nor podman is on PATH; install one of them, and run this "
        "again\n",
    )
    assert hook("uninstall") == (
        0, "", "paude-venv-hook: podman: not installed\npaude-venv-hook: docker: not installed\n"
    )  # fmt: skip


# ---- for one engine


@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_it_can_be_for_one_engine_alone(stand_ins: StandIns, hook: Hook, home: Path, engine: str) -> None:
    stand_ins.add("docker", "podman", "systemctl")
    hooks = home / "hooks" / "paude-venv-hook.json"

    done = hook("install", "--engine", engine)

    assert (done.code, done.err.count("\n")) == (0, 1)
    assert done.err.startswith(f"paude-venv-hook: {engine}: installed")
    assert (hooks.exists(), (home / RECORD).exists()) == (engine == "podman", engine == "docker")

    other = "podman" if engine == "docker" else "docker"
    hook("install", "--engine", other)
    done = hook("uninstall", "--engine", engine)
    assert (done.code, done.err) == (0, f"paude-venv-hook: {engine}: uninstalled\n")
    assert (hooks.exists(), (home / RECORD).exists()) == (other == "podman", other == "docker")
    assert hook("uninstall", "--engine", engine).err == f"paude-venv-hook: {engine}: not installed\n"


def test_an_engine_that_is_named_has_to_be_here(
    stand_ins: StandIns, hook: Hook, home: Path, programs: Callable[[str, str], Path]
) -> None:
    stand_ins.add("podman", "systemctl")

    line = "paude-venv-hook: error[engine]: docker is not on PATH; install it\n"
    assert hook("install", "--engine", "docker") == (1, "", line)
    programs("docker", 'exec podman "$@"')
    line = "paude-venv-hook: error[engine]: docker on PATH is Podman; use --engine podman\n"
    assert hook("install", "--engine", "docker") == (1, "", line)
    stand_ins.remove("podman")
    line = "paude-venv-hook: error[engine]: podman is not on PATH; install it\n"
    assert hook("install", "--engine", "podman") == (1, "", line)
    assert files(home) == {}


def test_the_command_that_was_for_podman_alone_is_no_more(hook: Hook) -> None:
    done = hook("install-podman-hook")

    assert (done.code, done.out) == (2, "")


# ---- without a daemon


def test_without_a_daemon_its_socket_is_named_and_the_rest_is_done(
    stand_ins: StandIns, hook: Hook, home: Path, own_socket: Path, program: Path, daemons: set[str]
) -> None:
    stand_ins.add("docker", "podman", "systemctl")
    stand_ins.fail({"docker --context": "Cannot connect to the Docker daemon"})
    daemons.clear()
    missing = "the docker context default leads to /var/run/docker.sock: no such file; start Docker\n"

    done = hook("install")

    assert (done.code, done.err.splitlines(keepends=True)[1]) == (0, f"paude-venv-hook: docker: installed; {missing}")
    made = files(home)
    assert made[RECORD] == record(home, own_socket)
    assert made[f"{UNITS}/paude-venv-docker-proxy.service"] == service_unit(program)
    assert "paude-venv" in stand_ins.known()["contexts"]
    assert hook("install", "--use", "--engine", "docker") == (
        1,
        "",
        "paude-venv-hook: error[engine]: docker: already installed, but not in use, since nothing answers there yet; "
        + missing,
    )
    assert stand_ins.known()["current"] == "default"


def test_without_a_daemon_and_systemd_both_are_said(
    stand_ins: StandIns, hook: Hook, program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_ins.add("docker")
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/gone.sock")
    line = (
        "DOCKER_HOST leads to /run/gone.sock: no such file; start Docker; keep this running for it: "
        f"{program} docker-proxy --upstream /run/gone.sock\n"
    )

    assert hook("install", "--dry-run").err == f"paude-venv-hook: docker: {DRY}; {line}"
    assert hook("install").err == f"paude-venv-hook: docker: installed; {line}"


# ---- another daemon than before


def test_a_second_installation_for_another_daemon_says_so(
    stand_ins: StandIns, hook: Hook, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_ins.add("docker", "systemctl")
    hook("install")
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/other.sock")
    line = (
        "paude-venv-hook: warning: an earlier installation put the proxy in front of /var/run/docker.sock; this one "
        "puts it in front of /run/other.sock, to which DOCKER_HOST leads\n"
    )

    assert line in hook("install", "--dry-run").err
    done = hook("install")

    assert line in done.err
    assert "docker-proxy --upstream /run/other.sock\n" in files(home)[f"{UNITS}/paude-venv-docker-proxy.service"]
    assert json.loads((home / RECORD).read_text())["upstream"] == "/run/other.sock"
    assert line not in hook("install").err


def test_a_proxy_that_runs_in_front_of_another_daemon_has_to_be_started_anew(
    stand_ins: StandIns, hook: Hook, program: Path, proxy: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_ins.add("docker")
    hook("install")
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/other.sock")

    done = hook("install")

    assert done.err.splitlines()[1] == (
        f"paude-venv-hook: docker: installed; keep this running for it: {program} docker-proxy --upstream "
        "/run/other.sock"
    )


def test_a_daemon_that_is_not_there_takes_no_place_of_one_that_is(
    stand_ins: StandIns, hook: Hook, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_ins.add("docker", "systemctl")
    hook("install")
    before = files(home)
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/gone.sock")

    done = hook("install")

    assert done.err.splitlines()[0] == (
        "paude-venv-hook: warning: DOCKER_HOST leads to /run/gone.sock: no such file; start Docker; the proxy stays "
        "in front of /var/run/docker.sock"
    )
    assert (done.code, files(home)) == (0, before)


# ---- without systemd


@pytest.mark.parametrize("systemctl", [None, "without a bus"])
def test_without_systemd_it_says_what_to_keep_running(
    stand_ins: StandIns, hook: Hook, home: Path, program: Path, own_socket: Path, systemctl: str | None
) -> None:
    stand_ins.add("docker", *(["systemctl"] if systemctl else []))
    stand_ins.fail({"systemctl --user show": "Failed to connect to bus: No medium found"})
    by_hand = f"keep this running for it: {program} docker-proxy --upstream /var/run/docker.sock\n"

    assert hook("install", "--dry-run").err == f"paude-venv-hook: docker: {DRY}; {by_hand}"
    assert hook("install") == (
        0,
        f"{home}/{RECORD}:\n{indented(record(home, own_socket, units=False))}$ {create(own_socket)}\n",
        f"paude-venv-hook: docker: installed; {by_hand}",
    )
    assert hook("install") == (0, "", f"paude-venv-hook: docker: already installed; {by_hand}")
    stand_ins.calls()

    assert hook("install", "--use") == (
        1,
        "",
        "paude-venv-hook: error[engine]: docker: already installed, but not in use, since nothing answers there yet; "
        + by_hand,
    )
    assert (files(home), stand_ins.calls()) == ({RECORD: record(home, own_socket, units=False)}, [])


def test_a_proxy_that_runs_without_systemd_can_be_used(
    stand_ins: StandIns, hook: Hook, own_socket: Path, proxy: None
) -> None:
    stand_ins.add("docker")

    done = hook("install", "--use")

    assert (done.code, done.err) == (
        0,
        "paude-venv-hook: docker: installed (Docker 28.2.2 answers through the context paude-venv, which is in use)\n",
    )
    assert stand_ins.calls() == [create(own_socket).replace("'", ""), "docker context use paude-venv"]


def test_without_a_runtime_folder_the_socket_is_in_the_cache(
    stand_ins: StandIns, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_ins.add("docker")
    with TemporaryDirectory() as home:
        monkeypatch.setenv("HOME", home)
        monkeypatch.delenv("XDG_RUNTIME_DIR")

        assert hook("install").code == 0

    cache = "Library/Caches" if sys.platform == "darwin" else ".cache"
    assert stand_ins.known()["contexts"]["paude-venv"][0] == f"unix://{home}/{cache}/paude/run/docker.sock"


# ---- what changed since, and what is not ours


def test_a_program_that_moved_is_installed_anew(
    stand_ins: StandIns, hook: Hook, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_ins.add("docker", "systemctl")
    hook("install")
    stand_ins.calls()
    moved = (tmp_path / "bin").rename(tmp_path / "elsewhere") / "paude-venv-hook"
    monkeypatch.setattr(sys, "argv", [str(moved)])

    done = hook("install")

    assert done.out == (
        f"{home}/{UNITS}/paude-venv-docker-proxy.service:\n{indented(service_unit(moved))}"
        "$ systemctl --user daemon-reload\n"
        "$ systemctl --user stop paude-venv-docker-proxy.socket paude-venv-docker-proxy.service\n"
        "$ systemctl --user enable --now paude-venv-docker-proxy.socket\n"
    )
    assert stand_ins.known()["listens"]


@pytest.mark.parametrize("broken", ["stopped", "disabled"])
def test_a_socket_that_does_not_listen_is_started_again(
    stand_ins: StandIns, hook: Hook, home: Path, broken: str
) -> None:
    stand_ins.add("docker", "systemctl")
    hook("install")
    if broken == "stopped":
        stand_ins.listens(now=False)
    else:
        (home / UNITS / "sockets.target.wants" / "paude-venv-docker-proxy.socket").unlink()
    stand_ins.calls()

    done = hook("install")

    assert (done.code, done.out) == (0, "$ systemctl --user enable --now paude-venv-docker-proxy.socket\n")
    assert done.err.startswith("paude-venv-hook: docker: installed (")


def test_a_context_of_ours_follows_the_socket(stand_ins: StandIns, hook: Hook, own_socket: Path) -> None:
    stand_ins.add("docker", "systemctl")
    hook("install")
    stand_ins.add_context("paude-venv", "unix:///run/user/7/paude/docker.sock", DESCRIPTION)

    assert hook("install").out == f"$ docker context update paude-venv --docker host=unix://{own_socket}\n"
    assert stand_ins.known()["contexts"]["paude-venv"] == [f"unix://{own_socket}", DESCRIPTION]


def test_a_context_that_a_person_made_for_the_same_socket_is_as_good(
    stand_ins: StandIns, hook: Hook, own_socket: Path
) -> None:
    stand_ins.add("docker", "systemctl")
    stand_ins.add_context("paude-venv", f"unix://{own_socket}", "mine")

    assert hook("install").code == 0
    assert not any("context" in call for call in stand_ins.calls())


def test_a_context_that_is_not_ours_is_left_alone(stand_ins: StandIns, hook: Hook, home: Path) -> None:
    stand_ins.add("docker", "systemctl")
    stand_ins.add_context("paude-venv", "tcp://10.0.0.1:2376", "mine")
    stand_ins.use_context("paude-venv")

    assert hook("install").code == 1
    stand_ins.use_context("default")
    assert hook("install") == (
        1,
        "",
        "paude-venv-hook: error[engine]: docker: the docker context paude-venv leads to tcp://10.0.0.1:2376, and is "
        "not ours; remove it (docker context rm paude-venv), and run this again\n",
    )
    assert (files(home), stand_ins.calls()) == ({}, [])
    assert hook("uninstall") == (
        0,
        "",
        "paude-venv-hook: podman: not installed\n"
        "paude-venv-hook: warning: the docker context paude-venv leads to tcp://10.0.0.1:2376, and is not ours: it "
        "stays\npaude-venv-hook: docker: not installed\n",
    )
    assert stand_ins.known()["contexts"]["paude-venv"] == ["tcp://10.0.0.1:2376", "mine"]


@pytest.mark.parametrize("unit", ["paude-venv-docker-proxy.socket", "paude-venv-docker-proxy.service"])
@pytest.mark.parametrize("kind", ["file", "link", "folder"])
def test_a_unit_that_is_not_ours_is_left_alone(
    stand_ins: StandIns, hook: Hook, home: Path, unit: str, kind: str
) -> None:
    stand_ins.add("docker", "systemctl")
    path = home / UNITS / unit
    entry = {"file": f"{unit} = [Unit]", "link": f"{unit} -> /dev/null", "folder": f"{unit}/"}[kind]
    fill(home / UNITS, entry)
    if unit.endswith(".socket"):
        fill(home / UNITS, f"sockets.target.wants/{unit} -> {path}")
    before = files(home)

    assert hook("install") == (
        1,
        "",
        f"paude-venv-hook: error[engine]: docker: {path}: is there, and not ours; rename it, and run this again\n",
    )
    assert (files(home), stand_ins.calls()) == (before, [])
    assert hook("uninstall") == (
        0,
        "",
        "paude-venv-hook: podman: not installed\n"
        f"paude-venv-hook: warning: {path} is not ours: it stays\npaude-venv-hook: docker: not installed\n",
    )
    assert (files(home), stand_ins.calls()) == (before, [])


# ---- one step fails


STEPS = {
    "systemctl --user daemon-reload": [],
    "systemctl --user enable": ["systemctl --user daemon-reload"],
    "docker context create": [
        "systemctl --user daemon-reload", "systemctl --user enable --now paude-venv-docker-proxy.socket"
    ],
}  # fmt: skip


@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_fails_is_named_and_can_be_done_again(
    stand_ins: StandIns, hook: Hook, home: Path, own_socket: Path, step: str
) -> None:
    stand_ins.add("docker", "podman", "systemctl")
    stand_ins.fail({step: "no\nlast line"})

    done = hook("install", "--use")

    command = next(line.removeprefix("$ ") for line in done.out.splitlines() if line.startswith(f"$ {step}"))
    assert (done.code, done.err) == (
        1,
        f"paude-venv-hook: podman: installed: {PODMANS} (Podman reads {home}/hooks/paude-venv-hook.json)\n"
        f"paude-venv-hook: error[engine]: docker: `{command}` failed: last line; once that command works, run this "
        "again\n",
    )
    assert done.out.endswith(f"$ {command}\n")
    assert stand_ins.calls() == STEPS[step]

    stand_ins.fail({})
    assert hook("install", "--use").code == 0
    assert (stand_ins.known()["current"], stand_ins.known()["listens"]) == ("paude-venv", True)


def test_a_step_without_an_end_is_given_up(stand_ins: StandIns, hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "_COMMAND_SECONDS", 0.2)
    stand_ins.add("docker")
    docker = stand_ins.folder / "docker"
    slow = 'case $* in "context rm"*) exec /bin/sleep 60 ;; esac'
    docker.write_text(docker.read_text().replace("\n", f"\n{slow}\n", 1))
    stand_ins.add_context("paude-venv", "unix:///gone", DESCRIPTION)

    done = hook("uninstall")

    assert done.err.splitlines()[1] == (
        "paude-venv-hook: error[engine]: docker: `docker context rm paude-venv` failed: no answer within 0.2 seconds; "
        "once that command works, run this again"
    )


@pytest.mark.parametrize("step", STEPS)
def test_what_a_step_that_failed_left_is_uninstalled(stand_ins: StandIns, hook: Hook, home: Path, step: str) -> None:
    stand_ins.add("docker", "podman", "systemctl")
    stand_ins.fail({step: "no"})
    hook("install")
    stand_ins.fail({})

    assert hook("uninstall").err == "paude-venv-hook: podman: uninstalled\npaude-venv-hook: docker: uninstalled\n"
    assert files(home) == {}


def test_a_podman_that_fails_keeps_docker_from_nothing(
    stand_ins: StandIns, hook: Hook, programs: Callable[[str, str], Path]
) -> None:
    stand_ins.add("docker", "systemctl")
    podman = programs("podman", "echo broken >&2; exit 1")

    done = hook("install")

    assert (done.code, done.err) == (
        1,
        f"paude-venv-hook: error[engine]: podman: {podman} --help failed: broken; see whether it works\n"
        "paude-venv-hook: docker: installed (Docker 28.2.2 answers through the context paude-venv); "
        "`docker context use paude-venv` lets every docker command use it\n",
    )
    assert hook("uninstall") == (
        1,
        "$ docker context rm paude-venv\n"
        "$ systemctl --user stop paude-venv-docker-proxy.socket paude-venv-docker-proxy.service\n"
        "$ systemctl --user disable paude-venv-docker-proxy.socket\n"
        + "".join(
            f"{os.environ['HOME']}/{path}: removed\n"
            for path in (f"{UNITS}/paude-venv-docker-proxy.socket", f"{UNITS}/paude-venv-docker-proxy.service")
        )
        + f"$ systemctl --user daemon-reload\n{os.environ['HOME']}/{RECORD}: removed\n",
        f"paude-venv-hook: error[engine]: podman: {podman} --help failed: broken; see whether it works\n"
        "paude-venv-hook: docker: uninstalled\n",
    )


# ---- uninstall


@pytest.mark.parametrize("used", [True, False], ids=["used", "not used"])
@pytest.mark.parametrize("before", ["default", "rootless"])
def test_uninstall_puts_back_what_was(
    stand_ins: StandIns, hook: Hook, home: Path, own_socket: Path, before: str, used: bool
) -> None:
    stand_ins.add("docker", "podman", "systemctl")
    fill(home, ".config/systemd/user/other.socket = [Socket]", "hooks/other.json = {}", ".local/share/paude/venvs/")
    stand_ins.add_context("rootless", "unix:///run/user/1000/docker.sock")
    stand_ins.use_context(before)
    was = (files(home), stand_ins.known())

    hook("install", *(["--use"] if used else []))
    own_socket.parent.mkdir()
    own_socket.touch()  # left by a proxy that was killed
    stand_ins.calls()
    done = hook("uninstall")

    back = [f"docker context use {before}"] if used else []
    assert stand_ins.calls() == [
        *back,
        "docker context rm paude-venv",
        "systemctl --user stop paude-venv-docker-proxy.socket paude-venv-docker-proxy.service",
        "systemctl --user disable paude-venv-docker-proxy.socket",
        "systemctl --user daemon-reload",
    ]
    assert (files(home), stand_ins.known()) == was
    assert not own_socket.parent.exists()
    name = f"{home}/{UNITS}/paude-venv-docker-proxy"
    assert done == (
        0,
        f"{home}/hooks/paude-venv-hook.json: removed\n{home}/.config/containers/paude-venv-hook.folders: removed\n"
        + "".join(f"$ {line}\n" for line in back)
        + "$ docker context rm paude-venv\n"
        "$ systemctl --user stop paude-venv-docker-proxy.socket paude-venv-docker-proxy.service\n"
        "$ systemctl --user disable paude-venv-docker-proxy.socket\n"
        f"{name}.socket: removed\n{name}.service: removed\n$ systemctl --user daemon-reload\n{own_socket}: removed\n"
        f"{home}/{RECORD}: removed\n",
        "paude-venv-hook: podman: uninstalled\npaude-venv-hook: docker: uninstalled\n",
    )
    assert hook("uninstall") == (
        0, "", "paude-venv-hook: podman: not installed\npaude-venv-hook: docker: not installed\n"
    )  # fmt: skip


def test_a_context_that_came_into_use_since_stays_in_use(stand_ins: StandIns, hook: Hook) -> None:
    stand_ins.add("docker", "systemctl")
    hook("install", "--use")
    stand_ins.add_context("other", "unix:///run/other.sock")
    stand_ins.use_context("other")
    stand_ins.calls()

    assert hook("uninstall").code == 0

    assert (stand_ins.known()["current"], stand_ins.calls()[0]) == ("other", "docker context rm paude-venv")


@pytest.mark.parametrize("gone", ["context", "record"])
def test_where_what_was_in_use_is_gone_it_is_the_default(
    stand_ins: StandIns, hook: Hook, home: Path, gone: str
) -> None:
    stand_ins.add("docker", "systemctl")
    stand_ins.add_context("rootless", "unix:///run/user/1000/docker.sock")
    stand_ins.use_context("rootless")
    hook("install", "--use")
    if gone == "context":
        stand_ins.remove_context("rootless")
    else:
        (home / RECORD).write_text("{")

    assert hook("uninstall").code == 0

    assert stand_ins.known()["current"] == "default"


@pytest.mark.parametrize("half", ["socket", "service", "context", "record"])
def test_uninstall_takes_away_what_is_there_where_half_is_gone(
    stand_ins: StandIns, hook: Hook, home: Path, half: str
) -> None:
    stand_ins.add("docker", "systemctl")
    hook("install")
    if half == "context":
        stand_ins.remove_context("paude-venv")
    else:
        path = RECORD if half == "record" else f"{UNITS}/paude-venv-docker-proxy.{half}"
        (home / path).unlink()

    assert hook("uninstall").err == "paude-venv-hook: podman: not installed\npaude-venv-hook: docker: uninstalled\n"

    assert (files(home), stand_ins.known()["contexts"]) == ({}, {"default": ["unix:///var/run/docker.sock", ""]})


def test_without_systemd_the_units_and_what_enables_them_are_removed(
    stand_ins: StandIns, hook: Hook, home: Path
) -> None:
    stand_ins.add("docker", "systemctl")
    hook("install")
    stand_ins.remove("systemctl")
    stand_ins.calls()

    assert hook("uninstall").code == 0

    assert (files(home), stand_ins.calls()) == ({}, ["docker context rm paude-venv"])


def test_without_docker_its_context_stays_and_is_said(
    stand_ins: StandIns, hook: Hook, home: Path, own_socket: Path
) -> None:
    stand_ins.add("docker", "systemctl")
    hook("install", "--use")
    stand_ins.remove("docker")

    done = hook("uninstall")

    stays = "paude-venv-hook: warning: without docker on PATH its context paude-venv stays; with it, run this again\n"
    assert (done.code, done.err) == (
        0, f"paude-venv-hook: podman: not installed\n{stays}paude-venv-hook: docker: uninstalled\n"
    )  # fmt: skip
    assert files(home) == {RECORD: record(home, own_socket)}
    stand_ins.add("docker")
    assert hook("uninstall").code == 0
    assert (files(home), stand_ins.known()["current"]) == ({}, "default")


# ---- another environment than that of the installation


@pytest.mark.parametrize("at_install", [True, False], ids=["set at install", "set at uninstall"])
def test_uninstall_goes_by_the_folder_of_dockers_client_that_the_record_names(
    stand_ins: StandIns, hook: Hook, tmp_path: Path, at_install: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_ins.add("docker", "systemctl")
    config = tmp_path / "config"
    stand_ins.add_config(config)
    then, now = (config, None) if at_install else (None, config)
    stand_ins.add_context("mine", "unix:///run/user/1000/docker.sock", config=then)
    stand_ins.use_context("mine", then)
    was = (stand_ins.known(), stand_ins.known(config))
    if at_install:
        monkeypatch.setenv("DOCKER_CONFIG", str(config))
    hook("install", "--use")
    assert stand_ins.known(then)["current"] == "paude-venv"
    if at_install:
        monkeypatch.delenv("DOCKER_CONFIG")
    else:
        monkeypatch.setenv("DOCKER_CONFIG", str(config))

    done = hook("uninstall")

    folder = then or f"{os.environ['HOME']}/.docker"
    assert done.out.startswith(
        f"$ docker --config {folder} context use mine\n$ docker --config {folder} context rm paude-venv\n"
    )
    assert done.err.endswith("paude-venv-hook: docker: uninstalled\n")
    assert (stand_ins.known(), stand_ins.known(config)) == was
    assert now in (None, config)


def test_two_installations_with_two_folders_of_dockers_client_are_both_undone(
    stand_ins: StandIns, hook: Hook, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_ins.add("docker", "systemctl")
    config, gone = tmp_path / "config", tmp_path / "gone"
    for folder in (config, gone):
        stand_ins.add_config(folder)
        monkeypatch.setenv("DOCKER_CONFIG", str(folder))
        hook("install", "--use")
    monkeypatch.delenv("DOCKER_CONFIG")
    hook("install", "--use")
    (gone / "contexts").rename(tmp_path / "removed")

    assert hook("uninstall").code == 0

    for known in (stand_ins.known(), stand_ins.known(config)):
        assert (known["current"], [*known["contexts"]]) == ("default", ["default"])
    assert files(home) == {}


def test_uninstall_finds_the_units_and_the_socket_where_they_were_put(
    stand_ins: StandIns, hook: Hook, home: Path, own_socket: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_ins.add("docker", "systemctl")
    hook("install")
    own_socket.parent.mkdir()
    own_socket.touch()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "other"))
    monkeypatch.delenv("XDG_RUNTIME_DIR")

    done = hook("uninstall")

    assert (done.code, files(home), own_socket.parent.exists()) == (0, {}, False)
    assert "systemctl --user stop paude-venv-docker-proxy.socket paude-venv-docker-proxy.service" in stand_ins.calls()
    assert not stand_ins.known()["listens"]


@pytest.mark.parametrize("at_install", [True, False], ids=["set at install", "set at uninstall"])
@pytest.mark.parametrize("hooks", [True, False], ids=["a folder of Podman's", "a drop-in"])
def test_uninstall_finds_podmans_hook_where_it_was_put(
    stand_ins: StandIns, hook: Hook, home: Path, at_install: bool, hooks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_ins.add("podman")
    config = home / "other"
    then = config if at_install else home / ".config"
    if not hooks:  # what it is told to read is what it reads
        (stand_ins.state / "hooks").write_text(f"{then}/containers/paude-venv-hook.d\n")
    if at_install:
        monkeypatch.setenv("XDG_CONFIG_HOME", str(config))
    assert hook("install", "--engine", "podman").code == 0
    (stand_ins.state / "hooks").write_text("/usr/share/containers/oci/hooks.d\n")
    if at_install:
        monkeypatch.delenv("XDG_CONFIG_HOME")
    else:
        monkeypatch.setenv("XDG_CONFIG_HOME", str(config))

    assert hook("uninstall", "--engine", "podman").err == "paude-venv-hook: podman: uninstalled\n"
    assert files(home) == {}


OLD_RECORD = '{"context": "rootless", "upstream": "/run/user/1000/docker.sock"}\n'


@pytest.mark.parametrize("again", [True, False], ids=["installed again", "at once"])
def test_what_version_0_2_0_installed_is_undone(stand_ins: StandIns, hook: Hook, home: Path, again: bool) -> None:
    stand_ins.add("docker", "systemctl")
    stand_ins.add_context("rootless", "unix:///run/user/1000/docker.sock")
    stand_ins.use_context("rootless")
    was = stand_ins.known()
    hook("install", "--use")
    (home / RECORD).write_text(OLD_RECORD)
    if again:
        assert hook("install", "--use").err == (
            "paude-venv-hook: docker: installed (Docker 28.2.2 answers through the context paude-venv, which is in "
            "use)\n"
        )

    assert hook("uninstall").code == 0

    assert (files(home), stand_ins.known()) == ({}, was)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"contexts": 7, "units": "x", "sockets": [7, "rel"], "upstream": 1}',
                                  '{"contexts": {"rel": "x", "/gone": 7}}'])  # fmt: skip
def test_a_record_that_somebody_broke_stops_nothing(
    stand_ins: StandIns, hook: Hook, home: Path, own_socket: Path, text: str
) -> None:
    stand_ins.add("docker", "systemctl")
    hook("install", "--use")
    (home / RECORD).write_text(text)

    assert hook("uninstall").err.endswith("paude-venv-hook: docker: uninstalled\n")
    assert (files(home), stand_ins.known()["current"]) == ({}, "default")


def test_a_context_that_somebody_removed_while_it_was_in_use_is_in_use_no_longer(
    stand_ins: StandIns, hook: Hook
) -> None:
    """Docker's client fails with all commands then."""
    stand_ins.add("docker", "systemctl")
    stand_ins.add_context("rootless", "unix:///run/user/1000/docker.sock")
    stand_ins.use_context("rootless")
    hook("install", "--use")
    stand_ins.remove_context("paude-venv")

    assert hook("uninstall").out.startswith("$ docker context use rootless\n$ systemctl")
    assert stand_ins.known()["current"] == "rootless"


@pytest.mark.parametrize(("name", "value"), [("DOCKER_CONTEXT", "paude-venv"), ("DOCKER_HOST", "unix://{own_socket}")])
def test_a_variable_that_leads_to_what_is_gone_is_said(
    stand_ins: StandIns, hook: Hook, own_socket: Path, name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_ins.add("docker", "systemctl")
    hook("install")
    value = value.format(own_socket=own_socket)
    monkeypatch.setenv(name, value)

    line = f"paude-venv-hook: warning: {name} is {value} still, and nothing is there any more; unset it\n"
    assert line in hook("uninstall").err
    assert line not in hook("uninstall").err


def test_a_proxy_that_nobody_can_reach_any_more_is_said(stand_ins: StandIns, hook: Hook, proxy: None) -> None:
    stand_ins.add("docker")
    hook("install")

    assert "warning: a docker-proxy that nobody reaches any more still runs; end it\n" in hook("uninstall").err


# ---- what cannot be written or removed


def test_a_record_that_cannot_be_removed_is_not_said_to_be(stand_ins: StandIns, hook: Hook, home: Path) -> None:
    stand_ins.add("docker", "systemctl")
    hook("install")
    (home / RECORD).unlink()
    (home / RECORD).mkdir()

    done = hook("uninstall")

    assert (done.code, f"{RECORD}: removed" in done.out) == (1, False)
    assert done.err.splitlines()[-1] == (
        f"paude-venv-hook: error[engine]: docker: {home}/{RECORD}: cannot be removed: Is a directory; remove it as its "
        "owner"
    )
    assert f"{home}/{UNITS}/paude-venv-docker-proxy.socket: removed\n" in done.out


def test_a_home_in_which_nothing_can_be_written_is_said(stand_ins: StandIns, hook: Hook, home: Path) -> None:
    stand_ins.add("docker", "systemctl")
    fill(home, ".config/systemd")
    unit = f"{home}/{UNITS}/paude-venv-docker-proxy.socket"

    assert hook("install") == (
        1,
        "",
        f"paude-venv-hook: error[engine]: docker: {unit}: cannot be read: Not a directory; remove what is in the way\n",
    )
    assert stand_ins.calls() == []
