"""The house: which room each module is in, and that a module imports only from rooms below its own."""

from __future__ import annotations

import ast
import graphlib
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "hook" / "paude_venv_hook"
# From the top down. A name is a module, or a folder with all that is in it. Those of one room may import each other,
# but not in a circle.
ROOMS = (
    ("__main__",),
    ("cli",),
    ("commands",),
    ("command_line",),
    ("installation",),
    ("launchers", "proxy"),
    ("terminal",),
    ("overlay",),
    ("decision",),
    ("storage",),
    ("plan",),
    ("stores",),
    ("workspace",),
    ("launch",),
    ("docker_api",),
    ("engines",),
    ("notes",),
    ("digest", "errors", "files", "folders", "json_values", "records", "text", "__init__"),
)
RANKS = {name: rank for rank, room in enumerate(ROOMS) for name in room}


def modules() -> list[str]:
    """Return all modules, as dotted names below the package."""
    paths = (path.relative_to(PACKAGE).with_suffix("") for path in PACKAGE.rglob("*.py"))
    return sorted(".".join(path.parts) for path in paths if "templates" not in path.parts)


def imports_of(source: str, known: list[str]) -> Iterator[str]:
    """Yield the modules of the package that a module imports: at its top, in a function, or for type checkers only."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            package, _, inner = name.partition(".")
            if package == PACKAGE.name:
                # The longest known name: `from paude_venv_hook.engines import mounts`, `… .mounts import Mount`.
                parts = inner.split(".")
                candidates = [".".join(parts[:end]) for end in range(len(parts), 0, -1)]
                yield next((item for item in candidates if item in known), f"{parts[0]}.__init__".removeprefix("."))


def rank(module: str) -> int:
    """Return how far down a module lives."""
    return RANKS.get(module.partition(".")[0], RANKS["__init__"])


def wrong(module: str, imported: str) -> str:
    """Return "" or what is wrong with an import."""
    return "" if rank(imported) >= rank(module) else f"{module} imports {imported}, from a room above its own"


@pytest.mark.parametrize("module", modules())
def test_a_module_imports_only_from_rooms_below_its_own(module: str) -> None:
    known = modules()
    source = (PACKAGE / module.replace(".", "/")).with_suffix(".py").read_text(encoding="utf-8")

    assert module.partition(".")[0] in RANKS, "it has no room yet"
    assert [problem for name in imports_of(source, known) if (problem := wrong(module, name))] == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    known = modules()
    graph = {
        module: set(imports_of((PACKAGE / module.replace(".", "/")).with_suffix(".py").read_text("utf-8"), known))
        for module in known
    }

    assert all(graph[module] for module in ("cli", "decision", "plan", "commands.run", "launchers.wrapper"))
    assert len(list(graphlib.TopologicalSorter(graph).static_order())) >= len(known)


def test_a_command_does_not_import_another_one() -> None:
    known = modules()
    for module in (name for name in known if name.startswith("commands.")):
        source = (PACKAGE / module.replace(".", "/")).with_suffix(".py").read_text("utf-8")
        assert [name for name in imports_of(source, known) if name.startswith("commands.")] == [], module


@pytest.mark.parametrize(
    "source",
    [
        "from paude_venv_hook.cli import main",
        "import paude_venv_hook.decision",
        "def f():\n    from paude_venv_hook import plan",
        "if TYPE_CHECKING:\n    from paude_venv_hook.plan import Plan",
    ],
)
def test_an_import_that_is_turned_round_is_seen(source: str) -> None:
    assert [wrong("workspace.detection", name) for name in imports_of(source, modules())] != [""]
