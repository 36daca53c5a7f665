"""Read what a target of make, just, task, invoke or npm runs, from its file. Pure.

Each file is read only as far as people write it for a set-up: recipes, what they need, and plain variables.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from paude_venv_hook.json_values import get_object
from paude_venv_hook.records import NamedTuple

_MOST_TARGETS = 100
_LONGEST = 64 * 1024
_LONGEST_VALUE = 1000
_MAKEFILES = ("GNUmakefile", "makefile", "Makefile")
_JUSTFILES = ("justfile", "Justfile", ".justfile")
_TASKFILES = ("Taskfile.yml", "taskfile.yml", "Taskfile.yaml", "taskfile.yaml", "Taskfile.dist.yml")
_MAKE_VALUES = frozenset(("-C", "--directory", "-f", "--file", "--makefile", "-I", "-j", "-l", "-o", "-W"))
_JUST_VALUES = frozenset(("-f", "--justfile", "-d", "--working-directory", "--set", "--shell", "--dotenv-path"))
_TASK_VALUES = frozenset(("-d", "--dir", "-t", "--taskfile", "-o", "--output", "-C", "--concurrency"))
_INVOKE_VALUES = frozenset(("-c", "--collection", "-r", "--search-root", "-f", "--config"))
_NPM_VALUES = frozenset(("-C", "--prefix", "--cwd", "-w", "--workspace"))
_FOLDER_OPTIONS = frozenset(
    ("-C", "--directory", "-d", "--dir", "--working-directory", "-r", "--search-root", "--prefix", "--cwd")
)
_TEXT = r"""(?P<text>"[^"\n]*"|'[^'\n]*')"""
_CONSTANT = r"""(?m)^(\w+)\s*=\s*(?:Path\()?["']([^"'\n]*)["']"""
_PYTHON_ITEM = rf"{_TEXT}|(?:str\()?(?P<name>sys\.executable|[A-Za-z_]\w*)"
_PYTHON_CALL = rf"(?:venv\.create|\)\.create)\((?P<created>[^(),]+)|\[(?P<list>[^\[\]]*)\]|{_TEXT}"
_FILE_OPTIONS = ("-f", "--file", "--makefile", "--justfile", "-t", "--taskfile")


class Target(NamedTuple):
    """What one target runs: a text for a shell, the names of the targets before it, and the file that it makes.

    If there is a `file` (relative to the folder), it only runs if that is missing, or older than what it needs.
    """

    text: str
    needs: tuple[str, ...] = ()
    file: str = ""


class Targets(NamedTuple):
    """The targets of one file by their names, the one that runs if none is named, and the folder they run in."""

    by_name: Mapping[str, Target]
    default: str
    folder: str

    def run(self, names: Sequence[str]) -> Iterator[Target]:
        """Yield the targets that run for those of these names: what each needs before it, and each once."""
        begun: set[str] = set()
        for name in [name for name in names if name in self.by_name] or [self.default]:
            yield from self._run(name, begun)

    def _run(self, name: str, begun: set[str]) -> Iterator[Target]:
        if name in begun or name not in self.by_name or len(begun) >= _MOST_TARGETS:
            return
        begun.add(name)
        for need in self.by_name[name].needs:
            yield from self._run(need, begun)
        yield self.by_name[name]


class _Runner(NamedTuple):
    """A program that runs targets: the names of its files, how one is read, and its options that take a value."""

    files: tuple[str, ...]
    parse: Callable[[str], tuple[dict[str, Target], str]]
    values: frozenset[str]


def is_runner(words: Sequence[str]) -> bool:
    """Tell whether a command runs targets that a file of the project describes."""
    return posixpath.basename(words[0]) in RUNNERS


def targets_of(
    words: Sequence[str], folder: str, root: str, read: Callable[[str], str]
) -> Iterator[tuple[Target, str]]:
    """Yield what a command of such a runner runs, with the folder; nothing if its file cannot be read.

    `folder` is the container path in which it runs and `root` the workspace's, up to which a file is looked for. `read`
    returns the text of a file by its container path, "" for none.
    """
    runner = RUNNERS[posixpath.basename(words[0])]
    line = _parse_line(words[1:], runner)
    start = posixpath.normpath(posixpath.join(folder, *line.folders))
    for place in dict.fromkeys((start, root)):
        for file in line.files or runner.files:
            text = read(posixpath.normpath(posixpath.join(place, file)))
            if text:
                targets = Targets(*runner.parse(text), place)
                for target in targets.run(line.names):
                    yield target, place
                return


class _Line(NamedTuple):
    """The words of a runner's command line: the names of targets, the folders and the files that options name."""

    names: list[str]
    folders: list[str]
    files: list[str]


def _parse_line(words: Sequence[str], runner: _Runner) -> _Line:
    line = _Line([], [], [])
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if name in runner.values and not equals and rest:
            value = rest.pop(0)
        if name in _FOLDER_OPTIONS:
            line.folders.append(value)
        elif name in _FILE_OPTIONS:
            line.files.append(value)
        elif not word.startswith("-"):
            line.names.append(word)
    return line


# ---- make


def _parse_makefile(text: str) -> tuple[dict[str, Target], str]:
    variables: dict[str, str] = {}
    recipes: dict[str, tuple[list[str], list[str]]] = {}  # the lines and the needs of each
    current: list[str] = []
    phony: set[str] = set()
    for line in text.replace("\\\n", " ").split("\n"):
        if line.startswith("\t"):
            for name in current:
                recipes[name][0].append(line[1:].lstrip("@-+ "))
        elif match := re.match(r"(?:export[ \t]+)?([\w.-]+)[ \t]*(?::{1,3}|[?+])?=[ \t]*([^#]*)", line):
            variables[match[1]] = match[2].strip()[:_LONGEST_VALUE]
        elif match := re.match(r"([^\s#:=][^#:=]*)::?(?!=)([^=#;]*)(?:;(.*))?$", line):
            current = _expand_make(match[1], variables).split()
            needs = _expand_make(match[2], variables).replace("|", " ").split()
            if current == [".PHONY"]:
                phony.update(needs)
            for name in current:
                lines, others = recipes.setdefault(name, ([], []))
                others += needs
                lines += [match[3]] if match[3] else []
    targets = {
        name: _make_target(name, lines, needs, variables, is_phony=name in phony)
        for name, (lines, needs) in recipes.items()
    }
    return targets, next((name for name in targets if not name.startswith(".") or "/" in name), "")


def _make_target(
    name: str, lines: Sequence[str], needs: Sequence[str], variables: Mapping[str, str], *, is_phony: bool
) -> Target:
    text = _expand_make(_each_alone(lines).replace("$@", name).replace("$(@D)", posixpath.dirname(name)), variables)
    is_file = not is_phony and ("/" in name or name.startswith(".") or "venv" in name.lower())
    return Target(text.replace("$$", "$"), tuple(needs), name if is_file else "")


def _expand_make(text: str, variables: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        return variables.get(match[1] or match[2], match[0])

    for _ in range(3):  # a variable may name another one
        if "$" in text:
            text = re.sub(r"\$(?:\(([\w.-]+)\)|\{([\w.-]+)\})", value, text)[:_LONGEST]
    return text


# ---- just


def _parse_justfile(text: str) -> tuple[dict[str, Target], str]:
    variables: dict[str, str] = {}
    bodies: dict[str, tuple[list[str], list[str]]] = {}  # the lines and the needs of each
    targets: dict[str, Target] = {}
    current = ""
    for line in text.split("\n"):
        if line[:1] in (" ", "\t"):
            if current:
                bodies[current][0].append(line.strip().lstrip("@-"))
        elif match := re.match(r"(?:export[ \t]+)?([\w-]+)[ \t]*:=[ \t]*[\"']([^\"']*)[\"']", line):
            variables[match[1]] = match[2]
        elif match := re.match(r"alias[ \t]+([\w-]+)[ \t]*:=[ \t]*([\w-]+)", line):
            bodies[match[1]] = ([], [match[2]])
        elif match := re.match(r"@?([A-Za-z_][\w-]*)([^:=#]*(?:=[^:#]*)?):(?!=)([^#]*)", line):
            current = match[1]
            bodies[current] = ([], re.findall(r"[A-Za-z_][\w-]*", match[3]))
        elif line.strip():
            current = ""

    def value(match: re.Match[str]) -> str:
        return variables.get(match[1], "$" + match[1].replace("-", "_"))

    for name, (lines, needs) in bodies.items():
        body = re.sub(r"\{\{\s*([\w-]+)\s*\}\}", value, _each_alone(lines))
        targets[name] = Target(body, tuple(needs))
    return targets, next(iter(targets), "")


def _each_alone(lines: Sequence[str]) -> str:
    """Return the lines of a recipe as one text: each has a shell of its own, unless they are one script."""
    if lines and lines[0].startswith("#!"):
        return "\n".join(lines)
    return "\n".join(f"({line}\n)" for line in lines)


# ---- task


def _parse_taskfile(text: str) -> tuple[dict[str, Target], str]:
    targets: dict[str, Target] = {}
    in_tasks = False
    name, indent = "", 0
    blocks: dict[str, list[str]] = {}
    for line in text.split("\n"):
        depth = len(line) - len(line.lstrip())
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if depth == 0:
            in_tasks, indent = line.rstrip() == "tasks:", 0
        elif in_tasks and depth <= (indent or depth):
            indent = depth
            name, _, rest = line.strip().partition(":")
            blocks[name] = [rest] if rest.strip() else []
        elif in_tasks:
            blocks[name].append(line[indent:])
    for name, lines in blocks.items():
        targets[name] = _read_task(lines)
    return targets, "default"


def _read_task(lines: Sequence[str]) -> Target:
    commands: list[str] = []
    checks: list[str] = []
    needs: list[str] = []
    key = "cmds"
    for line in lines:
        match = re.match(r"\s*(cmds?|deps|status|[a-z_]+):\s*[|>]?-?\s*(.*)", line)
        if match and not line.lstrip().startswith("-"):
            key, value = match[1], match[2]
        else:
            value = re.sub(r"\s*-\s+(?:cmd:\s*)?", "", line, count=1).strip()
        for part in _yaml_items(value):
            if part.startswith("task:"):
                needs.append(part.removeprefix("task:").strip())
            elif key in ("cmds", "cmd"):
                commands.append(part)
            elif key == "deps":
                needs.append(part)
            elif key == "status":
                checks.append(part)
    text = "\n".join(commands)
    return Target(f"{' && '.join(checks)} || {{\n{text}\n}}" if checks else text, tuple(needs))


def _yaml_items(value: str) -> list[str]:
    """Return the items of a list on one line, or the one value."""
    listed = re.fullmatch(r"\[(.*)\]", value)
    items = listed[1].split(",") if listed else [value]
    stripped = (re.sub(r"^([\"'])(.*)\1$", r"\2", entry.strip()) for entry in items)
    return [entry for entry in stripped if entry and entry not in ("|", ">")]


# ---- invoke, and any program in Python


def _parse_tasks_py(text: str) -> tuple[dict[str, Target], str]:
    targets: dict[str, Target] = {}
    constants = "".join(f"{match[1]}='{match[2]}'\n" for match in re.finditer(_CONSTANT, text))
    for part in re.split(r"(?m)^(?=@task\b)", text)[1:]:
        decorator, _, rest = part.partition("def ")
        head, _, body = rest.partition("\n")
        name = re.match(r"\w*", head)
        body = re.split(r"(?m)^(?=[^\s)#])", body)[0]
        calls = re.findall(r"(?m)^[ \t]+(\w+)\(\w+\)", body)
        needs = [*re.findall(r"\b[a-z]\w*\b(?!\s*=)", decorator), *calls]
        names = tuple(need.replace("_", "-") for need in needs)
        targets[(name[0] if name else "").replace("_", "-")] = Target(constants + python_commands(body), names)
    return targets, next(iter(targets), "")


def python_commands(text: str) -> str:
    """Return what a program in Python may give to a shell: its texts, its lists of texts, and the venvs it creates."""
    commands = [f"{match[1]}='{match[2]}'" for match in re.finditer(_CONSTANT, text)]
    for match in re.finditer(_PYTHON_CALL, text):
        if match["created"]:
            commands.append(f"python -m venv {_python_words(match['created'])}")
        elif match["list"]:
            commands.append(_python_words(match["list"]))
        else:
            commands.append(_placeholders(match["text"][1:-1]))
    return "\n".join(commands)


def _python_words(items: str) -> str:
    words = []
    for match in re.finditer(_PYTHON_ITEM, items):
        if match["text"]:
            words.append(_placeholders(match["text"][1:-1]))
        else:
            words.append("python" if match["name"] == "sys.executable" else f"${match['name']}")
    return " ".join(words)


def _placeholders(text: str) -> str:
    """Return the text of an f-string with its names as a shell writes them."""
    return re.sub(r"\{(\w+)\}", r"$\1", text)


# ---- npm, pnpm, yarn


def _parse_package(text: str) -> tuple[dict[str, Target], str]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return {}, ""
    scripts = get_object(document, "scripts")
    targets = {name: Target(body) for name, body in scripts.items() if isinstance(body, str)}
    return targets, ""


_PACKAGE = _Runner(("package.json",), _parse_package, _NPM_VALUES)
_MAKE = _Runner(_MAKEFILES, _parse_makefile, _MAKE_VALUES)
_TASK = _Runner(_TASKFILES, _parse_taskfile, _TASK_VALUES)
_INVOKE = _Runner(("tasks.py",), _parse_tasks_py, _INVOKE_VALUES)
RUNNERS = {
    "make": _MAKE,
    "gmake": _MAKE,
    "just": _Runner(_JUSTFILES, _parse_justfile, _JUST_VALUES),
    "task": _TASK,
    "go-task": _TASK,
    "invoke": _INVOKE,
    "inv": _INVOKE,
    "npm": _PACKAGE,
    "pnpm": _PACKAGE,
    "yarn": _PACKAGE,
}
