"""Count the words of a text, in any script."""

from __future__ import annotations

import sys
from collections import Counter

import regex  # compiled, and without a fallback: a venv that is broken, or mounted noexec, shows here


def count_words(text: str) -> Counter[str]:
    """Return how often each word occurs, upper and lower case alike."""
    return Counter(word.casefold() for word in regex.findall(r"\p{L}+", text))


def main() -> None:
    """Print the words of stdin, the most frequent first."""
    for word, count in count_words(sys.stdin.read()).most_common():
        print(f"{count} {word}")  # noqa: T201
