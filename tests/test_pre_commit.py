"""The hooks of pre-commit and the checks of CI are the same."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_pre_commit_checks_what_ci_checks_with_the_same_programs() -> None:
    config = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    hooks = [entry.removeprefix(".venv/bin/") for entry in re.findall(r"^ +entry: (.*)$", config, re.MULTILINE)]
    checks = re.findall(r"^(?:ruff|mypy|shellcheck)\b.*$", ci, re.MULTILINE)

    assert hooks == [*checks, "python -m pytest -q --ignore tests/real"]
    assert '\nexport PATH="$PWD/.venv/bin:' in ci
    assert re.findall(r"^  - repo: (.*)$", config, re.MULTILINE) == ["local"]  # no other version of a program


def test_every_shell_script_is_checked() -> None:
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    checked = set(re.findall(r"^shellcheck (.*)$", ci, re.MULTILINE)[0].split())
    folders = [ROOT / ".ci", ROOT / ".devcontainer", ROOT / "tests", ROOT / "templates"]
    paths = [path for folder in folders for path in folder.rglob("*") if ".venv" not in path.parts]
    files = [path for path in paths if path.is_file() and path.suffix in ("", ".sh")]
    scripts = {str(path.relative_to(ROOT)) for path in files if re.match(rb"#!.*\b(ba)?sh\n", path.read_bytes())}
    copies = {name for name in scripts if re.fullmatch(r"templates/[^/]+/\.devcontainer/own-venv\.sh", name)}

    assert scripts - copies == checked
