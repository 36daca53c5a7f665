"""exec, paude-venv-docker and paude-venv-podman: real processes that become a (fake) engine."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from conftest import MakeVenv
from layout import fill

ECHO = 'if [ "$1" = --version ]; then echo "{version}"; else printf "%s\\n" "$@"; fi'
DOCKER = ECHO.format(version="Docker version 28.0.0, build x")
PODMAN = ECHO.format(version="podman version 5.0.0")
WRAPPER = "import sys; sys.argv[0] = '{own}'; from paude_venv_hook.launchers.wrapper import {name}; sys.exit({name}())"
Programs = Callable[[str, str], Path]


def wrapper(name: str, *arguments: str, own: Path | str = "paude-venv") -> subprocess.CompletedProcess[str]:
    code = WRAPPER.format(own=own, name=name)
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)


@pytest.fixture
def app(workspace: Path, make_venv: MakeVenv) -> Path:
    make_venv(workspace / ".venv")
    return workspace


@pytest.mark.parametrize(
    ("name", "script", "options"),
    [
        ("docker", DOCKER, "rw,exec,nosuid,nodev,uid={uid},gid={gid},mode=1777"),
        ("docker", PODMAN, "rw,exec,nosuid,nodev,notmpcopyup,mode=1777"),
        ("podman", PODMAN, "rw,exec,nosuid,nodev,notmpcopyup,mode=1777"),
    ],
)
def test_a_run_gets_the_arguments_of_what_the_engine_really_is(
    app: Path, programs: Programs, name: str, script: str, options: str
) -> None:
    programs(name, script)

    done = wrapper(name, "run", "-v", f"{app}:/app", "IMG", "run")

    options = options.format(uid=os.getuid(), gid=os.getgid())
    assert done.stdout.splitlines() == ["run", "--tmpfs", f"/app/.venv:{options}", "-v", f"{app}:/app", "IMG", "run"]
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "arguments", [("-v",), ("ps", "-a"), ("exec", "-i", "c", "sh", "-c", "run"), ("run", "IMG"), ()]
)
def test_all_else_passes_unchanged(app: Path, programs: Programs, arguments: tuple[str, ...]) -> None:
    programs("podman", PODMAN)

    done = wrapper("podman", *arguments)

    assert done.stdout == "".join(f"{word}\n" for word in arguments or ("",))
    assert (done.returncode, done.stderr) == (0, "")


def test_the_exit_code_is_the_engines(app: Path, programs: Programs) -> None:
    programs("podman", "exit 42")

    assert wrapper("podman", "ps").returncode == 42
    assert wrapper("podman", "run", "-v", ".:/app", "IMG").returncode == 42


def test_the_engine_is_the_same_process_with_the_same_stdin(app: Path, programs: Programs) -> None:
    programs("podman", "echo $$; read line; echo $line; kill -TERM $$")

    code = WRAPPER.format(own="x", name="podman")
    with subprocess.Popen(
        [sys.executable, "-c", code, "run", "-v", ".:/app", "IMG"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        output, _ = process.communicate("hello\n")

    assert output.split() == [str(process.pid), "hello"]
    assert process.returncode == -signal.SIGTERM


def test_the_engine_has_the_same_terminal(app: Path, programs: Programs, command: list[str]) -> None:
    pty = pytest.importorskip("pty", reason="there are no pseudo-terminals here")
    programs("podman", "[ -t 0 ] && [ -t 1 ] && [ -t 2 ] && read line && echo got $line")
    ours, its = pty.openpty()
    words = [*command, "exec", "--quiet", "--", "podman", "run", "-it", "-v", ".:/app", "IMG"]

    with subprocess.Popen(words, stdin=its, stdout=its, stderr=its) as process:
        os.close(its)
        os.write(ours, b"hello\n")
        seen = b""
        while b"got hello" not in seen:
            seen += os.read(ours, 1000)  # an error if nobody writes to the terminal any more
    os.close(ours)

    assert process.returncode == 0


def test_a_variable_names_the_engine(app: Path, programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    programs("docker", "echo wrong")
    monkeypatch.setenv("PAUDE_VENV_DOCKER", str(programs("other", "echo right")))

    assert wrapper("docker", "ps").stdout == "right\n"


def test_a_wrapper_that_is_called_like_the_engine_does_not_start_itself(
    app: Path, programs: Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = programs("paude-venv-docker", "echo itself")
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "docker").symlink_to(own)
    programs("docker", "echo real")
    monkeypatch.setenv("PATH", f"{tmp_path / 'first'}{os.pathsep}{os.environ['PATH']}")

    assert wrapper("docker", "ps", own=tmp_path / "first" / "docker").stdout == "real\n"


RELATIVE = "is a relative path; write a name on PATH or an absolute path"
# The wrapper, what its variable names, the exit code, and what is said: no engine starts.
NO_ENGINE = [
    ("podman", None, 127, "paude-venv-podman: podman is not on PATH; name it in {variable}"),
    ("docker-compose", None, 127, "paude-venv-docker-compose: docker-compose is not on PATH; name it in {variable}"),
    ("podman-compose", None, 127, "paude-venv-podman-compose: podman-compose is not on PATH; name it in {variable}"),
    ("docker", "nerdctl", 127, "paude-venv-docker: nerdctl is not on PATH; name it in {variable}"),
    ("docker", "/usr", 126, "paude-venv-hook: /usr: cannot be started: Permission denied; name a program that starts"),
    ("docker", "./other", 125, f"paude-venv-docker: {{variable}}: ./other {RELATIVE}"),
    ("docker", "bin/other", 125, f"paude-venv-docker: {{variable}}: bin/other {RELATIVE}"),
    ("docker", "../app/other", 125, f"paude-venv-docker: {{variable}}: ../app/other {RELATIVE}"),
]


@pytest.mark.parametrize(("name", "given", "code", "says"), NO_ENGINE)
def test_without_an_engine_there_is_one_line_and_nothing_of_the_repository_starts(
    app: Path,
    programs: Programs,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    given: str | None,
    code: int,
    says: str,
) -> None:
    for folder in (app, app / "bin"):
        folder.mkdir(exist_ok=True)
        (folder / "other").write_text("#!/bin/sh\necho the repository's\n")
        (folder / "other").chmod(0o755)
    variable = f"PAUDE_VENV_{name.upper().replace('-', '_')}"
    if given:
        programs("docker", "echo wrong")
        monkeypatch.setenv(variable, given)

    done = wrapper(name.replace("-", "_"), "ps")

    assert (done.returncode, done.stdout, done.stderr) == (code, "", f"{says.format(variable=variable)}\n")


def test_a_wrong_setting_stops_the_launch(app: Path, programs: Programs) -> None:
    programs("podman", PODMAN)
    (app / "paude.json").write_text('{"venv": "Auto"}')

    done = wrapper("podman", "run", "-v", ".:/app", "IMG")

    assert (done.returncode, done.stdout) == (125, "")
    assert done.stderr == (
        f'paude-venv-hook: error[settings]: {app}/paude.json: venv: "Auto" is not known (did you mean "auto"?); '
        'use "auto", "none" or a list of directories\n'
    )


@pytest.mark.parametrize(
    "entry", ['paude.json = {"venv": "Auto"}', "paude.json = {", 'paude.json = {"venv": ["../x"]}']
)
def test_a_launch_that_is_refused_has_the_exit_code_of_an_engine_before_the_start(
    app: Path, programs: Programs, command: list[str], entry: str
) -> None:
    programs("podman", PODMAN)
    fill(app, entry)
    words = ["podman", "run", "-v", ".:/app", "IMG"]

    assert wrapper(*words).returncode == 125
    assert subprocess.run([*command, "exec", *words], capture_output=True, check=False).returncode == 125
    assert subprocess.run([*command, "exec"], capture_output=True, check=False).returncode == 2


@pytest.mark.parametrize("path", ["{}", ".:{}", ":{}", "bin:{}"])
def test_a_name_in_the_variable_is_looked_up_on_path_and_never_in_the_current_folder(
    app: Path, programs: Programs, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    programs("podman", "echo the real one")
    for folder in (app, app / "bin"):
        folder.mkdir(exist_ok=True)
        (folder / "podman").write_text("#!/bin/sh\necho the repository's\n")
        (folder / "podman").chmod(0o755)
    monkeypatch.setenv("PATH", path.format(os.environ["PATH"]))
    monkeypatch.setenv("PAUDE_VENV_DOCKER", "podman")

    assert wrapper("docker", "ps").stdout == "the real one\n"


def wrapper_script(path: Path, name: str) -> None:
    """Make a program that is the wrapper, as an installation makes one."""
    path.parent.mkdir(exist_ok=True)
    code = f"import sys\nfrom paude_venv_hook.launchers.wrapper import {name}\nsys.exit({name}())\n"
    path.write_text(f"#!{sys.executable}\n{code}")
    path.chmod(0o755)


@pytest.mark.parametrize(("name", "script", "option"), [("docker", DOCKER, "uid="), ("podman", PODMAN, "notmpcopyup")])
def test_a_wrapper_knows_its_engine_by_its_own_name_where_the_programs_name_says_nothing(
    app: Path, programs: Programs, monkeypatch: pytest.MonkeyPatch, name: str, script: str, option: str
) -> None:
    monkeypatch.setenv(f"PAUDE_VENV_{name.upper()}", str(programs("any-name", script)))

    done = wrapper(name, "run", "-v", ".:/app", "IMG")

    assert (done.returncode, done.stderr) == (0, "")
    assert f",{option}" in done.stdout


@pytest.mark.parametrize("arguments", [["ps"], ["run", "IMG"]])
def test_two_wrappers_on_path_lead_on_to_the_engine(
    app: Path, programs: Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    programs("docker", DOCKER)
    for folder in ("one", "two"):
        wrapper_script(tmp_path / folder / "docker", "docker")
    monkeypatch.setenv("PATH", f"{tmp_path}/one:{tmp_path}/two:{os.environ['PATH']}")

    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False, timeout=60)

    assert (done.returncode, done.stdout.split(), done.stderr) == (0, arguments, "")


@pytest.mark.parametrize("arguments", [["ps"], ["run", "IMG"]])
@pytest.mark.parametrize("script", ['exec podman "$@"', 'podman "$@"'])
def test_a_script_that_leads_back_to_the_wrapper_ends_with_one_line(
    app: Path, programs: Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, arguments: list[str]
) -> None:
    wrapper_script(tmp_path / "one" / "podman", "podman")
    monkeypatch.setenv("PAUDE_VENV_PODMAN", str(programs("podman-here", script)))
    monkeypatch.setenv("PATH", f"{tmp_path}/one:{os.environ['PATH']}")

    done = subprocess.run(["podman", *arguments], capture_output=True, text=True, check=False, timeout=60)

    assert (done.returncode, done.stdout) == (126, "")
    assert done.stderr == ("paude-venv-podman: it leads back to itself; name the real podman in PAUDE_VENV_PODMAN\n")


def test_an_engine_may_start_the_wrapper_anew(
    app: Path, programs: Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a plugin of docker does that starts docker, and a shell in which somebody works."""
    wrapper_script(tmp_path / "one" / "docker", "docker")
    programs("docker", 'case $1 in compose) docker three; docker ps ;; three) docker ps ;; *) echo "got $*" ;; esac')
    monkeypatch.setenv("PATH", f"{tmp_path}/one:{os.environ['PATH']}")

    done = subprocess.run(["docker", "compose"], capture_output=True, text=True, check=False, timeout=60)

    assert (done.returncode, done.stdout, done.stderr) == (0, "got ps\ngot ps\n", "")


@pytest.mark.parametrize("arguments", [["ps"], ["run", "-v", "/nowhere:/app", "IMG"]])
def test_in_a_folder_that_was_removed_the_engine_starts(
    app: Path, programs: Programs, tmp_path: Path, command: list[str], arguments: list[str]
) -> None:
    programs("podman", PODMAN)
    wrapper_script(tmp_path / "one" / "podman", "podman")
    gone = '/bin/mkdir "$0" && cd "$0" && /bin/rmdir "$0" && exec "$@"'
    said = (
        "paude-venv-hook: warning: nothing shadowed: the current folder cannot be found: No such file or directory; "
        "change to another one\n"
    )

    for words in ([str(tmp_path / "one" / "podman")], [*command, "exec", "--", "podman"]):
        done = subprocess.run(
            ["/bin/sh", "-c", gone, tmp_path / "gone", *words, *arguments],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stdout.split()) == (0, arguments)
        assert done.stderr.replace("sh: 0: getcwd() failed: No such file or directory\n", "") == (
            "" if "ps" in arguments else said
        )


@pytest.mark.parametrize("redirection", ["2>/dev/full", "2>&-", "2>&1 >/dev/null | exec /bin/true"])
def test_where_nobody_can_be_told_the_engine_starts(
    app: Path, programs: Programs, command: list[str], redirection: str
) -> None:
    programs("podman", 'echo "$@" >started')
    words = [*command, "exec", "--", "podman", "run", "-v", ".:/app", "--no-such-option", "IMG"]

    subprocess.run(["/bin/sh", "-c", f'"$@" {redirection}', "sh", *words], check=False)
    assert (app / "started").read_text() == "run -v .:/app --no-such-option IMG\n"


@pytest.mark.parametrize("redirection", ["2>/dev/full", "2>&-"])
def test_where_nobody_can_be_told_the_exit_code_is_the_same(
    app: Path, programs: Programs, command: list[str], redirection: str
) -> None:
    programs("podman", PODMAN)
    (app / "paude.json").write_text("{")
    for words, code in ((["exec", "podman", "run", "-v", ".:/app", "IMG"], 125), (["print"], 1), (["no-such"], 2)):
        done = subprocess.run(["/bin/sh", "-c", f'"$@" {redirection}', "sh", *command, *words], check=False)
        assert done.returncode == code


def test_a_mount_point_that_cannot_be_made_stops_no_launch(
    workspace: Path, programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs("podman", PODMAN)
    fill(workspace, "uv.lock")
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    code = WRAPPER.format(own="x", name="podman").replace(
        "sys.exit", f"import os; from unittest import mock; from paude_venv_hook import files; "
        f"files._in_place = mock.Mock(side_effect=OSError{full.args}); sys.exit"
    )  # fmt: skip

    done = subprocess.run(
        [sys.executable, "-c", code, "run", "-v", ".:/app", "IMG"], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout.split()) == (0, ["run", "-v", ".:/app", "IMG"])
    assert done.stderr == (
        f"paude-venv-hook: warning: nothing shadowed: {workspace}/.venv: the mount point cannot be made: "
        'No space left on device; make it, or write "venv": "none" in paude.json\n'
    )


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells")
@pytest.mark.parametrize("arguments", [["ps"], ["run", "IMG"], ["create", "-v", ".:/app", "IMG"]])
def test_the_engine_inherits_no_ignored_signal(app: Path, programs: Programs, arguments: list[str]) -> None:
    programs("podman", "while read -r name value; do [ $name = SigIgn: ] && echo $value; done </proc/self/status")

    done = wrapper("podman", *arguments)

    assert int(done.stdout, 16) & (1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1) == 0


@pytest.mark.parametrize("module", ["launchers.run_line", "engines.programs", "terminal"])
def test_an_interrupt_while_the_wrapper_loads_gives_no_traceback(app: Path, programs: Programs, module: str) -> None:
    programs("podman", PODMAN)
    done = interrupted(WRAPPER.format(own="x", name="podman"), module, "run", "-v", ".:/app", "IMG")

    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize("module", ["cli", "terminal", "commands.print", "decision"])
def test_an_interrupt_while_the_program_loads_gives_no_traceback(app: Path, programs: Programs, module: str) -> None:
    programs("podman", PODMAN)
    done = interrupted("import sys; from paude_venv_hook.__main__ import main; sys.exit(main())", module, "print")

    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def interrupted(code: str, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run code that is interrupted as soon as it loads a module of ours."""
    interrupt = (
        "import os, signal, sys\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, *_):\n"
        f"        name == 'paude_venv_hook.{module}' and os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupt())\n"
    )
    return subprocess.run(
        [sys.executable, "-c", interrupt + code, *arguments], capture_output=True, text=True, check=False
    )


def test_a_reserved_mount_point_is_made(workspace: Path, programs: Programs) -> None:
    programs("podman", PODMAN)
    (workspace / "uv.lock").touch()

    wrapper("podman", "run", "-v", ".:/app", "IMG")

    assert (workspace / ".venv").is_dir()


def test_an_option_before_the_subcommand_that_is_not_known_is_said_and_passed_on(app: Path, programs: Programs) -> None:
    programs("docker", DOCKER)

    done = wrapper("docker", "--future", "x", "run", "-v", f"{app}:/app", "IMG")

    assert (done.returncode, done.stdout.split()[:2]) == (0, ["--future", "x"])
    assert done.stderr == (
        "paude-venv-hook: warning: nothing shadowed: --future is no option of docker that is known here; "
        "add what print says\n"
    )


@pytest.mark.parametrize("flags", [(), ("--quiet",)])
@pytest.mark.parametrize(
    ("words", "advice"),
    [
        *(
            (f"podman {words}", "; Podman's hook covers it: paude-venv-hook install --engine podman")
            for words in ("kube play", "play kube", "container clone", "container runlabel", "pod clone")
        ),
        ("docker service create", ""),
        ("docker --debug stack deploy", ""),
        ("docker sandbox run", ""),
    ],
)
def test_what_creates_containers_of_which_the_line_does_not_tell_is_said(
    app: Path, programs: Programs, command: list[str], words: str, advice: str, flags: tuple[str, ...]
) -> None:
    engine, *arguments = words.split()
    programs(engine, DOCKER)
    named = " ".join(word for word in (engine, *arguments) if word not in ("--debug", "container"))
    line = f"paude-venv-hook: warning: nothing shadowed: {named} is not read{advice}\n"

    by_exec = subprocess.run(
        [*command, "exec", *flags, "--", *words.split(), "x"], capture_output=True, text=True, check=True
    )
    by_wrapper = wrapper(engine, *arguments, "x")

    assert by_exec.stdout.split() == by_wrapper.stdout.split() == [*arguments, "x"]
    assert (by_exec.stderr, by_wrapper.stderr) == ("" if flags else line, line)


@pytest.mark.parametrize(
    ("words", "nothing"),
    [
        ("docker ps", "docker ps starts no container"),
        ("docker run IMG", "no bind mount of the line carries a workspace"),
    ],
)
def test_exec_says_why_nothing_is_shadowed_and_quiet_does_not(
    app: Path, programs: Programs, command: list[str], words: str, nothing: str
) -> None:
    programs("docker", DOCKER)

    def run(*flags: str) -> tuple[int, str]:
        line = [*command, "exec", *flags, "--", *words.split()]
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        return done.returncode, done.stderr

    assert run() == (0, f"paude-venv-hook: nothing shadowed: {nothing}\n")
    assert run("--quiet") == (0, "")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("docker", ["ps"]), ("docker", ["exec", "web", "up"]), ("podman", ["start", "web"])],
)
def test_a_call_that_is_passed_on_loads_nothing_but_what_exec_needs(
    programs: Programs, name: str, arguments: list[str]
) -> None:
    programs(name, "")

    assert loaded_by_wrapper(name, arguments) == [
        "__future__",
        "paude_venv_hook",
        "paude_venv_hook.engines",
        "paude_venv_hook.engines.programs",
        "paude_venv_hook.launchers",
        "paude_venv_hook.launchers.wrapper",
        "paude_venv_hook.proxy",
        "paude_venv_hook.proxy.place",
    ]


@pytest.mark.parametrize(
    ("name", "arguments"), [("docker", ["compose", "-f", "a.yaml", "logs", "web"]), ("docker-compose", ["down"])]
)
def test_a_call_of_compose_that_is_passed_on_loads_little_more(
    programs: Programs, name: str, arguments: list[str]
) -> None:
    programs(name, "")

    loaded = loaded_by_wrapper(name, arguments)

    assert "paude_venv_hook.engines.compose_grammar" in loaded
    assert not {"contextlib", "json", "re", "subprocess", "paude_venv_hook.proxy.private"} & {*loaded}


def test_a_launch_of_a_workspace_without_settings_loads_neither_json_nor_re(app: Path, programs: Programs) -> None:
    programs("podman", "")

    assert not {"json", "re", "subprocess"} & {*loaded_by_wrapper("podman", ["run", "-v", ".:/app", "IMG"])}

    fill(app, "paude.json = {}")
    assert "json" in loaded_by_wrapper("podman", ["run", "-v", ".:/app", "IMG"])


def loaded_by_wrapper(name: str, arguments: list[str]) -> list[str]:
    """Return the modules that a wrapper has loaded when it becomes the engine, besides those of any process."""
    code = (
        "import os, sys; before = set(sys.modules); from paude_venv_hook.launchers import wrapper\n"
        "os.execve = lambda *_: print(' '.join(sorted(set(sys.modules) - before)))\n"
        f"sys.argv = ['paude-venv-{name}', *{arguments}]; wrapper.{name.replace('-', '_')}()"
    )
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=False,
                          env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)})  # fmt: skip
    return done.stdout.split()


def test_exec_says_what_it_shadows_and_becomes_the_engine(app: Path, programs: Programs, command: list[str]) -> None:
    programs("podman", PODMAN)

    done = subprocess.run(
        [*command, "exec", "--", "podman", "run", "-v", ".:/app", "IMG", "--", "x"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    options = "rw,exec,nosuid,nodev,notmpcopyup,mode=1777"
    assert done.stdout.splitlines() == ["run", "--tmpfs", f"/app/.venv:{options}", "-v", ".:/app", "IMG", "--", "x"]
    assert (done.returncode, done.stderr) == (0, "Shadowing venv: .venv\n")


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["exec"], 2, "error[usage]: exec: no program is named; write exec -- docker run … or exec -- make test"),
        (["exec", "--", "nerdctl", "run"], 127, "nerdctl: is not on PATH; install it or write its whole path"),
    ],
)
def test_exec_without_an_engine(
    app: Path, programs: Programs, command: list[str], arguments: list[str], code: int, error: str
) -> None:
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (code, "", f"paude-venv-hook: {error}\n")


def test_exec_warns_of_a_line_that_it_does_not_understand(app: Path, programs: Programs, command: list[str]) -> None:
    programs("podman", PODMAN)

    done = subprocess.run(
        [*command, "exec", "podman", "run", "--new", "-v", ".:/app", "IMG"], capture_output=True, text=True, check=False
    )

    assert done.stdout.splitlines() == ["run", "--new", "-v", ".:/app", "IMG"]
    assert done.stderr == (
        "paude-venv-hook: warning: nothing shadowed: --new is no option of podman that is known here; "
        "add what print says\n"
    )


def test_under_load_each_launch_has_the_right_arguments(app: Path, programs: Programs) -> None:
    programs("podman", PODMAN)
    expected = [f"/app{index}/.venv:rw,exec,nosuid,nodev,notmpcopyup,mode=1777" for index in range(20)]

    def launch(index: int) -> str:
        return wrapper("podman", "run", "-v", f".:/app{index}", "IMG").stdout.splitlines()[2]

    with ThreadPoolExecutor(max_workers=20) as at_once:
        assert list(at_once.map(launch, range(20))) == expected
