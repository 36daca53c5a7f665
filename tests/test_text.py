"""Names made safe to print, and guesses at what was meant."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paude_venv_hook.text import did_you_mean, shown


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("", ""),
        ("plain name", "plain name"),
        ("Grüße-日本-😀", "Grüße-日本-😀"),
        ("back\\slash", "back\\slash"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x00\x7f\x9b", "\\x00\\x7f\\x9b"),
        ("no\u00a0break", "no\\xa0break"),
        ("line\u2028end", "line\\u2028end"),
        ("turned\u202earound", "turned\\u202earound"),
        ("not utf-8: \udcff", "not utf-8: \\udcff"),
        ("private \U000f0000", "private \\U000f0000"),
    ],
)
def test_what_is_not_printable_is_shown_as_an_escape(name: str, expected: str) -> None:
    assert shown(name) == expected


@settings(deadline=None)
@given(st.text(st.characters()))
def test_what_is_shown_is_one_line_that_any_utf_8_terminal_prints(name: str) -> None:
    text = shown(name)

    assert text.isprintable()
    assert text.encode().decode() == text
    assert len(text) >= len(name)


@settings(deadline=None)
@given(st.text().filter(str.isprintable))
def test_a_printable_name_is_shown_as_it_is(name: str) -> None:
    assert shown(name) == name


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("Auto", ' (did you mean "auto"?)'),
        ("AUTO", ' (did you mean "auto"?)'),
        ("atuo", ' (did you mean "auto"?)'),
        ("non", ' (did you mean "none"?)'),
        ("automatic", ""),
        ("off", ""),
        ("", ""),
    ],
)
def test_the_nearest_known_word_is_suggested_if_it_is_near(word: str, expected: str) -> None:
    assert did_you_mean(word, ("auto", "none")) == expected
