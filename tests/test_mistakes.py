"""Typical mistakes: each is answered in one line, which says what is wrong and what to do, with the right exit code."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import paude_venv_hook
from layout import fill
from paude_venv_hook import errors

Programs = Callable[[str, str], Path]

LONGEST = 200
NAME = "paude-venv-hook: "
# What docker says if its socket is not the user's, and if nobody listens.
DENIED = (
    "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: "
    'Get "http://%2Fvar%2Frun%2Fdocker.sock/v1.24/containers/web/json": dial unix /var/run/docker.sock: '
    "connect: permission denied"
)
CLOSED = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"
MOUNTINFO = "30 22 8:1 /src /app rw - ext4 /dev/sda1 rw"
DOCKER = """case "$*" in
    --version) echo "Docker version 28" ;;
    *"config --format json") printf '%s' '{project}' ;;
    "container inspect web") printf '%s' '{web}' ;;
    "container inspect stopped") printf '%s' '{stopped}' ;;
    "container inspect denied") echo '{denied}' >&2; exit 1 ;;
    "container inspect closed") echo '{closed}' >&2; exit 1 ;;
    "container inspect "*) echo "Error response from daemon: No such container: $3" >&2; exit 1 ;;
    *mountinfo) echo '{mountinfo}' ;;
    "exec "*) exit 1 ;;
esac"""


class Mistake(NamedTuple):
    """A mistake, as mistakes.txt describes it: files, the variables and words of a command, what comes of it."""

    name: str
    entries: list[str]
    environ: dict[str, str]
    words: list[str]
    code: int
    said: str


def read_mistakes() -> list[Mistake]:
    """Return what mistakes.txt describes."""
    _, *blocks = (Path(__file__).parent / "mistakes.txt").read_text("utf-8").split("\n\n")
    mistakes = []
    for block in blocks:
        name, *entries, typed, answer = (line.strip() for line in block.splitlines())
        words = shlex.split(typed.removeprefix("$ "))
        environ = dict(word.split("=", 1) for word in words if re.match(r"[A-Z_]+=", word))
        code, _, said = answer.partition(" ")
        mistakes.append(Mistake(name, entries, environ, words[len(environ) :], int(code), said))
    return mistakes


MISTAKES = read_mistakes()


@pytest.fixture
def app(workspace: Path, home: Path, programs: Programs) -> Path:
    """Return the folder in which the mistake is made, and a docker that has a container and a compose project."""
    (workspace.parent / "lib").mkdir()
    bind = {"Type": "bind", "Source": str(workspace), "Destination": "/app"}
    web, stopped = (
        json.dumps([{"Id": "c", "State": {"Running": running}, "Mounts": [bind]}]) for running in (True, False)
    )
    project = json.dumps({"services": {"web": {"volumes": [{**bind, "type": "bind"}]}, "db": {}}})
    programs("docker", DOCKER.format(
        web=web, stopped=stopped, project=project, denied=DENIED, closed=CLOSED, mountinfo=MOUNTINFO
    ))  # fmt: skip
    return workspace


@pytest.mark.parametrize("mistake", MISTAKES, ids=[mistake.name for mistake in MISTAKES])
def test_a_mistake_is_answered_with_what_is_wrong_and_what_to_do(
    app: Path, home: Path, command: list[str], mistake: Mistake
) -> None:
    fill(app, *mistake.entries)
    before = close(app, home) if "(closed)" in mistake.name else []

    done = subprocess.run(
        [*before, *command, *mistake.words], capture_output=True, text=True, check=False, input="",
        env={**os.environ, **mistake.environ},
    )  # fmt: skip

    said = done.stderr or done.stdout  # what `verify` finds is its data
    line = said.replace(str(app.parent), "~").replace(str(home), "~").removesuffix("\n")
    line = re.sub(r"app-[0-9a-f]{16}", "app-*", line)
    assert (done.returncode, line.removeprefix(NAME)) == (mistake.code, mistake.said)
    assert line.isprintable()
    assert len(line) <= LONGEST
    assert re.search(r"; \w|\(did you mean |must be ", line)


def close(app: Path, home: Path) -> list[str]:
    """Take what the user needs away: settings to read, a cache and the workspace to write. Return what root needs."""
    (home / ".cache").mkdir()
    for path in filter(Path.exists, (app / "paude.json", home / ".cache", app)):
        path.chmod(0o000 if path.is_file() else 0o555)
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv", path=os.defpath) or pytest.skip("root may do everything")
    return [setpriv, "--bounding-set=-dac_override,-dac_read_search"]


# ---- all other errors, as they stand in the source

PACKAGE = Path(paude_venv_hook.__path__[0])
CLASSES = "|".join(["error_class", *(name for name in vars(errors) if name.endswith("Error"))])
PASSED_ON = r"\{error\}|\{\w+\}$"  # a message, or its end, that stands elsewhere
PLACEHOLDER = 12  # as long as a short name


def messages() -> Iterator[tuple[str, str]]:
    """Yield where each error is raised, and its text, with `{expression}` for what is put in."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
                text = text_of(node.exc.args[0])
                if text and re.search(CLASSES, ast.unparse(node.exc.func)):
                    yield f"{path.relative_to(PACKAGE)}:{node.lineno}", text


def text_of(node: ast.expr) -> str:
    """Return the text of a string that stands in the source, "" for another expression."""
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return f"{{{ast.unparse(node.value)}}}"
    return str(node.value) if isinstance(node, ast.Constant) else ""


ERRORS = list(messages())


def test_the_errors_are_found() -> None:
    assert len(ERRORS) > 80


@pytest.mark.parametrize(("where", "text"), ERRORS, ids=[where for where, _ in ERRORS])
def test_an_error_says_what_to_do_and_is_no_story(where: str, text: str) -> None:
    assert "; " in text or "must be " in text or re.search(PASSED_ON, text), "end it with `; what to do`"
    shortest = re.sub(r"\{.*?\}", "x" * PLACEHOLDER, text)
    assert len(f"{NAME}error[devcontainer]: {shortest}") <= LONGEST
