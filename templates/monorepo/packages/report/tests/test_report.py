"""A package of the workspace that uses another one."""

from __future__ import annotations

from report import subject


def test_the_subject_is_the_most_frequent_word() -> None:
    assert subject("to be or not to") == "to"
