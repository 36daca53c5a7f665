"""Split a text as it was done before."""

from __future__ import annotations

import regex


def words(text: str) -> list[str]:
    """Return the words of a text in their order."""
    return regex.findall(r"\p{L}+", text)
