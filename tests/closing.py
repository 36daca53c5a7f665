"""What a run says at its end: what was proved on which engine."""

from __future__ import annotations

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
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
