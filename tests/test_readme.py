"""The READMEs: short, true, every command run or said why not, every link leading somewhere.

What a README says to run with an engine is run in real/test_readme.py.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import terminal_picture
from conftest import Hook
from installed import StandIns
from layout import fill
from paude_venv_hook import overlay
from paude_venv_hook.cli import load
from paude_venv_hook.command_line.parser import parse
from paude_venv_hook.errors import HookError
from readmes import MARKED, READMES, ROOT, Command, anchors, commands, links, mentioned, read

ALL = [command for readme in MARKED for command in commands(readme)]
TESTS = (Path(__file__), Path(__file__).parent / "real" / "test_readme.py")
# What a sentence that only names a command leaves out.
NEEDED = {"exec": ["docker"], "init": ["--template", "pip"], "schema": ["paude"], "store": ["list"]}


def name_of(value: object) -> str:
    if isinstance(value, Command):
        return f"{value.readme.relative_to(ROOT)}: {value.text.splitlines()[0][:60]}"
    return str(value.relative_to(ROOT)) if isinstance(value, Path) else str(value)


def test_the_readme_has_at_most_900_words() -> None:
    """As `wc -w` counts them: code, links and marks too."""
    assert len(read(ROOT / "README.md").split()) <= 900


def test_the_index_of_the_hook_leads_to_each_page() -> None:
    index = ROOT / "hook" / "README.md"

    named = {link.partition("#")[0] for link in links(index)}

    assert {f"docs/{path.name}" for path in (ROOT / "hook" / "docs").iterdir()} <= named


@pytest.mark.parametrize("command", ALL, ids=name_of)
def test_each_command_is_run_by_a_test_or_says_why_not(command: Command) -> None:
    assert command.mark, "no mark before the block, or in the row"
    if command.test:
        defined = rf"^def {command.test}\([^)]*\bwritten\b"
        assert [path.name for path in TESTS if re.search(defined, path.read_text(), re.MULTILINE)], command.test
    else:
        assert re.fullmatch(r"not run: .+", command.mark)
        for name in re.findall(r"tests/\S+\.py", command.mark):
            assert (ROOT / name).exists(), name


@pytest.mark.parametrize("readme", READMES, ids=name_of)
def test_each_command_line_of_the_hook_is_one_that_it_understands(readme: Path) -> None:
    for line in mentioned(readme):
        words = shlex.split(re.sub(r"[)|>].*|&&$|\\$", "", line), comments=True)[1:]
        name, *rest = words if words and not words[0].startswith("-") else ["run", *words]
        try:
            parse(name, load(name), rest or NEEDED.get(name, []))
        except HookError as problem:
            pytest.fail(f"{line}: {problem}")


@pytest.mark.parametrize("file", sorted({*READMES, *ROOT.glob("*.md")}), ids=name_of)
def test_each_link_leads_to_a_file_and_a_heading(file: Path) -> None:
    for link in links(file):
        target = urlsplit(link)
        if target.scheme:
            assert target.scheme == "https", link
            continue
        path = (file.parent / target.path).resolve() if target.path else file
        assert path.exists(), link
        assert not target.fragment or target.fragment in anchors(path), link


def test_the_picture_is_drawn_from_its_text() -> None:
    text = terminal_picture.TEXT.read_text(encoding="utf-8")

    assert terminal_picture.PICTURE.read_text(encoding="utf-8") == terminal_picture.draw(text)


# ---- commands and examples that need no engine


@pytest.mark.usefixtures("with_devcontainer")
def test_the_settings_example(written: list[str], workspace: Path, hook: Hook) -> None:
    for text in written:
        fill(workspace, f"paude.json = {text}")

        done = hook("status", "--json", "--engine", "docker")

        assert (done.code, done.err) == (0, "")
        told = json.loads(done.out)
        assert (told["venv"], told["storage"]) == ("auto", "auto")
        assert {told["venvSource"], told["storageSource"]} == {str(workspace / "paude.json")}


@pytest.mark.usefixtures("machine_folder")
def test_the_status_example(
    written: list[str], workspace: Path, home: Path, programs: Callable[[str, str], Path], hook: Hook
) -> None:
    programs("podman", "exit 1")
    uv = "version_info = 3.11.2\nuv = 0.9.6"
    fill(workspace, f".venv/pyvenv.cfg = {uv}", ".tox/py311/pyvenv.cfg", '.devcontainer.json = {"image": "python"}')
    hook("run")

    (text,) = written
    shown = hook("status").out.replace(str(workspace), "/home/me/app").replace(str(home), "/home/me")
    assert joined(shown) == joined(text)


def joined(status: str) -> str:
    """Return what `status` shows as if no line had been too long, and without the number in the overlay's name."""
    whole = re.sub(r"^(\S+)\n {11}(?=\S)", lambda match: f"{match[1]:<11}", status, flags=re.MULTILINE)
    return re.sub(r"app-[0-9a-f]{16}", "app-N", re.sub(r"\n {11}(?=\S)", " ", whole))


def test_init(written: list[str], home: Path, hook: Hook) -> None:
    (text,) = written
    for line in text.splitlines():
        words = [word.replace("~", str(home)) for word in shlex.split(line)[1:]]

        assert hook(*words).code == 0

    assert (home / "src/app/requirements.txt").exists()


@pytest.mark.usefixtures("with_devcontainer")
def test_install(
    written: list[str], stand_ins: StandIns, workspace: Path, hook: Hook, daemons: set[str], proxy: None
) -> None:
    """With programs that stand in; real/test_install.py has real ones."""
    once, opting_in, on_and_off = written
    stand_ins.add("docker", "podman", "systemctl")

    for line in once.splitlines():
        assert hook(*shlex.split(line, comments=True)[1:]).code == 0
    subprocess.run(["/bin/sh", "-euc", opting_in], check=True, cwd=workspace)
    assert (workspace / "paude.json").read_text() == "{}\n"
    assert covered(hook) == {"docker": "context", "podman": "hook"}

    fill(workspace, 'paude.json = {"venv": "auto"}')
    subprocess.run(["/bin/sh", "-euc", opting_in], check=True, cwd=workspace)
    assert (workspace / "paude.json").read_text() == '{"venv": "auto"}'

    for line in on_and_off.splitlines():
        assert hook(*shlex.split(line, comments=True)[1:]).code == 0
    assert covered(hook) == {"docker": None, "podman": None}


def covered(hook: Hook) -> dict[str, str | None]:
    """Return by what each engine's launches are covered."""
    return {row["engine"]: row["coveredBy"] for row in json.loads(hook("status", "--json").out)["launches"]}


@pytest.fixture
def recorded(with_devcontainer: bool, workspace: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a podman that writes down its arguments, and the hook's programs, first on PATH; return what it writes."""
    lines = home / "lines"
    fill(home, f"bin/podman = #!/bin/sh\nprintf '%s\\n' \"$@\" >'{lines}'\n")
    (home / "bin/podman").chmod(0o755)
    fill(workspace, "uv.lock")
    monkeypatch.setenv("PATH", f"{home / 'bin'}:{Path(sys.executable).parent}:/usr/bin:/bin")
    return lines


def shadowed_at(venv: str) -> list[str]:
    """Return the arguments by which Podman puts an empty tmpfs on a container path."""
    return ["--tmpfs", f"{venv}:rw,exec,nosuid,nodev,notmpcopyup,mode=1777"]


def test_a_launcher_in_python(written: list[str], recorded: Path, workspace: Path) -> None:
    (text,) = written
    names = f"project, image = {str(workspace)!r}, 'IMAGE'\n"

    subprocess.run([sys.executable, "-c", names + text], check=True, capture_output=True)

    mount = ["-v", f"{workspace}:{workspace}"]
    assert recorded.read_text().splitlines() == ["run", *shadowed_at(f"{workspace}/.venv"), *mount, "IMAGE"]


def test_a_launcher_in_bash(written: list[str], recorded: Path, workspace: Path) -> None:
    (text,) = written

    subprocess.run(["bash", "-euc", f"project={workspace} image=IMAGE\n{text}"], check=True, capture_output=True)

    mount = ["-v", f"{workspace}:{workspace}"]
    assert recorded.read_text().splitlines() == ["run", *shadowed_at(f"{workspace}/.venv"), *mount, "IMAGE"]


def test_what_is_public_is_what_the_page_for_launchers_says() -> None:
    page = read(ROOT / "hook" / "docs" / "writing-a-launcher.md")
    (row,) = re.findall(r"^\| functions of `paude_venv_hook.overlay` \| (.*) \|$", page, re.MULTILINE)

    assert tuple(re.findall(r"`(\w+)`", row)) == overlay.__all__


def test_the_first_example_of_print_mounts_where_it_shadows(recorded: Path, workspace: Path) -> None:
    example = load("print").EXAMPLES.splitlines()[0]

    subprocess.run(["bash", "-euc", example], check=True, capture_output=True)

    mount = ["-v", f"{workspace}:/app", "-w", "/app"]
    words = ["run", "--rm", "-it", *mount, *shadowed_at("/app/.venv"), "IMAGE", "bash"]
    assert recorded.read_text().splitlines() == words
