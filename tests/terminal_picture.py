"""Draw hook/terminal.txt, a session in a terminal, as the picture of the README: `python tests/terminal_picture.py`.

A test compares the two, and tests/real/test_readme.py compares the text with a real run.
"""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape

TEXT = Path(__file__).parents[1] / "hook" / "terminal.txt"
PICTURE = TEXT.with_suffix(".svg")

SIZE, CHARACTER, LINE = 14, 8.4, 21  # of the font, the width of a character, the height of a line
LEFT, TOP = 20, 62  # of the first line's baseline
BACKGROUND, BAR = "#1e2430", "#2a3140"
BUTTONS = ("#ff5f57", "#febc2e", "#28c840")
COMMENT, PROMPT, COMMAND, OUTPUT = "#8b95a7", "#7ee787", "#ffffff", "#c3cad6"
SAID = {"bash: ": "#ff8080", "Shadowing venv: ": "#79c0ff"}  # beginnings of lines that matter


def commands(text: str) -> list[tuple[str, str]]:
    """Return each command of a session with what it printed; comments are left out."""
    found: list[tuple[str, str]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], ""))
        elif found and found[-1][0].endswith("\\"):
            found[-1] = (f"{found[-1][0]}\n{line}", "")
        elif line and not line.startswith("# "):
            found[-1] = (found[-1][0], f"{found[-1][1]}{line}\n")
    return found


def draw(text: str) -> str:
    """Return the session as an SVG picture: what is typed, what is said, and what matters in it, by colour."""
    lines = text.splitlines()
    width = round(2 * LEFT + CHARACTER * max(map(len, lines)))
    height = TOP + LINE * len(lines)
    box = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    dots = "".join(f'<circle cx="{22 + 20 * n}" cy="18" r="6" fill="{fill}"/>' for n, fill in enumerate(BUTTONS))
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {box}>',
            f'<rect width="{width}" height="{height}" rx="10" fill="{BACKGROUND}"/>',
            f'<path d="M0 36V10A10 10 0 0 1 10 0H{width - 10}A10 10 0 0 1 {width} 10V36Z" fill="{BAR}"/>',
            dots,
            f"<g font-family=\"ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace\" "
            f'font-size="{SIZE}" xml:space="preserve">',
            *_lines(lines),
            "</g>",
            "</svg>\n",
        ]
    )


def _lines(lines: list[str]) -> list[str]:
    drawn, goes_on = [], False
    for number, line in enumerate(lines):
        y = TOP + LINE * number
        if line.startswith("$ "):
            drawn += [_word("$", 0, y, PROMPT), _word(line[2:], 2, y, COMMAND)]
        elif line:
            said = (fill for start, fill in SAID.items() if line.startswith(start))
            fill = COMMAND if goes_on else COMMENT if line.startswith("# ") else next(said, OUTPUT)
            text = line.lstrip(" ")
            drawn.append(_word(text, len(line) - len(text), y, fill))
        goes_on = line.endswith("\\")
    return drawn


def _word(text: str, column: int, y: int, fill: str) -> str:
    """Return the text at its column; the length keeps the columns, whichever font there is."""
    x, length = LEFT + CHARACTER * column, CHARACTER * len(text)
    return (
        f'<text x="{x:g}" y="{y}" fill="{fill}" textLength="{length:g}" lengthAdjust="spacingAndGlyphs">'
        f"{escape(text)}</text>"
    )


if __name__ == "__main__":
    PICTURE.write_text(draw(TEXT.read_text(encoding="utf-8")), encoding="utf-8")
