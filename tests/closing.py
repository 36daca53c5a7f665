"""What a run says at its end: what was not run and why, and what was proved on which engine."""

from __future__ import annotations

from collections import Counter

import pytest

from lab import LOUD


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print both tables."""
    print_skipped(terminalreporter)
    print_proved(terminalreporter)


def print_skipped(terminalreporter: pytest.TerminalReporter) -> None:
    """Print each reason for which tests were skipped, and how many they are; what must not be overlooked comes first.

    Where there is nothing to say, nothing is printed.
    """
    reasons: Counter[str] = Counter()
    for report in terminalreporter.getreports("skipped"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reasons[reason.removeprefix("Skipped: ")] += 1
    if not reasons:
        return
    terminalreporter.section("what was not run, and why")
    for reason, number in sorted(reasons.items(), key=lambda item: (not item[0].startswith(LOUD), -item[1], item[0])):
        is_loud = reason.startswith(LOUD)
        terminalreporter.line(f"{number:>5}  {reason}", red=is_loud, bold=is_loud)


def print_proved(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was proved on which engine, as the Markdown table of tests/README.md; what was not run is not in it.

    A test that passes for another reason than the usual says so as its property `result`.
    """
    table: dict[str, dict[str, str]] = {}
    for outcome in ("passed", "failed", "error"):
        for report in terminalreporter.getreports(outcome):
            if isinstance(report, pytest.CollectReport):
                continue
            result = dict(report.user_properties).get("result", "yes") if outcome == "passed" else "FAILED"
            for what, engine in (value for name, value in report.user_properties if name == "proves"):
                table.setdefault(what, {})[engine] = result
    if table:
        engines = list(dict.fromkeys(engine for row in table.values() for engine in row))
        terminalreporter.section("what was proved")
        for cells in (["", *engines], ["---"] * (len(engines) + 1)):
            terminalreporter.line(f"| {' | '.join(cells)} |")
        for what, row in table.items():
            terminalreporter.line(f"| {' | '.join([what, *(row.get(engine, '') for engine in engines)])} |")
