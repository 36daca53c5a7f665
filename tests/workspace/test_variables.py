r"""The `${…}` variables, as JavaScript's /\$\{(.*?)\}/g finds them; test_devcontainer_oracle.py asks the tools."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paude_venv_hook.workspace.variables import devcontainer_id, substitution

# JavaScript's dot is no line end. This is the pattern as it is written there, slow on what is not closed.
JAVASCRIPT = re.compile("\\$\\{([^\n\r\u2028\u2029]*?)\\}")
WORDS = [
    "${",
    "}",
    "$",
    "{",
    "localEnv:A",
    "devcontainerId",
    "x",
    ":",
    "\n",
    "\u2028",
    "${localEnv:A}",
    "${devcontainerId}",
]


@given(st.lists(st.sampled_from(WORDS), max_size=12).map("".join))
def test_each_variable_is_found_that_javascript_finds_and_no_other_one(text: str) -> None:
    def at_reading(match: re.Match[str]) -> str:
        name, *rest = match[1].split(":")
        return {"A": "a"}.get(rest[0], rest[1] if len(rest) > 1 else "") if name == "localEnv" else match[0]

    def at_last(match: re.Match[str]) -> str:
        return devcontainer_id("/w", "/w/d.json") if match[1].split(":")[0] == "devcontainerId" else match[0]

    expected = JAVASCRIPT.sub(at_last, JAVASCRIPT.sub(at_reading, text))
    assert substitution("/w/d.json", "/w", "/w", {"A": "a"})(text) == expected


# To search on from each would take an hour.
@pytest.mark.parametrize("unit", ["${", "${a", "${a\n", "$", "${}${"])
def test_variables_without_an_end_are_passed_in_one_go(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))

    assert substitution("/w/d.json", "/w", text, {})(text) == text
