"""The options that are known here are those of the engines: each one's own help says which take a value."""

from __future__ import annotations

import re

import pytest

from paude_venv_hook.engines.run_grammar import FLAGS, GLOBAL_FLAGS, GLOBAL_VALUES, VALUES
from real.containers import Engine

# `  -a, --attach list    Attach to …`: short and long name, the type of the value; an option without one is a flag.
OPTION = re.compile(r"^ +(?:(-\w), )?(--[\w-]+)(?: (\S+))?(?: {2,}|$)", re.MULTILINE)


@pytest.mark.parametrize("subcommand", ["run", "create", ""])
@pytest.mark.proves("every option of `run` and `create` is known, and whether it takes a value")
def test_each_option_of_the_engine_is_known(engine: Engine, subcommand: str) -> None:
    flags, values = (FLAGS, VALUES) if subcommand else (GLOBAL_FLAGS, GLOBAL_VALUES)
    found = OPTION.findall(engine(*subcommand.split(), "--help").stdout)
    names = {name: bool(kind) for short, long, kind in found for name in (short, long) if name}

    assert len(names) > (40 if subcommand else 5)
    assert {name for name, takes_value in names.items() if takes_value} - values == set()
    assert {name for name, takes_value in names.items() if not takes_value} - flags == set()
