"""What READMEs, and the pages of hook/docs, have in them that has to be true: commands, examples and links.

A fenced block with a language, and a row of a table that has a command in it, carries a mark, before the block or at
the end of the row: `<!-- run by test_NAME -->` or `<!-- not run: WHY -->`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
FOLDERS = ("", "hook/", "templates/", "templates/*/", "tests/", "tests/*/*/")
PATTERNS = (*(f"{folder}README.md" for folder in FOLDERS), "hook/docs/*.md")
READMES = sorted(path for pattern in PATTERNS for path in ROOT.glob(pattern))

# Those of the templates are run as wholes, with the tools that they are for, by tests/real/test_templates.py.
MARKED = [path for path in READMES if path.parent.parent.name != "templates"]

_BLOCK = re.compile(
    r"^(?:<!-- (?P<mark>[^\n]*) -->\n)?```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
_ANY_BLOCK = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"<!-- (.*?) -->")
_SPAN = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_LAUNCH = re.compile(r"(paude-venv-\S+|devcontainer) \S+ \S")


class Command(NamedTuple):
    """A block or a row with something in it that can be run."""

    readme: Path
    text: str
    mark: str | None

    @property
    def test(self) -> str | None:
        """Return the name of the test that runs it."""
        return self.mark.removeprefix("run by ") if self.mark and self.mark.startswith("run by ") else None


def read(readme: Path) -> str:
    """Return the text of a README."""
    return readme.read_text(encoding="utf-8")


def commands(readme: Path) -> list[Command]:
    """Return all blocks with a language, and then all rows with a command, of which the text is that command."""
    text = read(readme)
    found = [Command(readme, block["text"], block["mark"]) for block in _BLOCK.finditer(text)]
    for row in _rows(text):
        mark = _COMMENT.search(row)
        spans = filter(_LAUNCH.match, _SPAN.findall(_COMMENT.sub("", row)))
        found += [Command(readme, span, mark and mark[1]) for span in spans]
    return found


def _rows(text: str) -> list[str]:
    return [line for line in _ANY_BLOCK.sub("", text).splitlines() if line.startswith("|")]


def mentioned(readme: Path) -> list[str]:
    """Return the command lines of paude-venv-hook in the README: each in a block, and each in a sentence."""
    text = read(readme)
    spans = _SPAN.findall(_COMMENT.sub("", _ANY_BLOCK.sub("", text)))
    lines = [
        line for block in _BLOCK.finditer(text) if block["language"] == "sh" for line in block["text"].splitlines()
    ]
    pieces = (piece for line in (*spans, *lines) for piece in re.split(r"&& |\$\(|<\(|;", line))
    return [piece.strip() for piece in pieces if re.match(r"\s*(\S*/)?paude-venv-hook\b", piece)]


def links(file: Path) -> list[str]:
    """Return where the links and pictures of a file lead."""
    return _LINK.findall(_ANY_BLOCK.sub("", read(file)))


def anchors(file: Path) -> set[str]:
    """Return the anchors that GitHub gives the headings of a file."""
    headings = re.findall(r"^#+ (.*)$", _ANY_BLOCK.sub("", read(file)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
