"""Say what a text is about."""

from __future__ import annotations

from wordcount import count_words


def subject(text: str) -> str:
    """Return the most frequent word of a text."""
    return max(count_words(text).items(), key=lambda item: item[1])[0]
