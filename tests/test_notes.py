"""Notes: a kind and its data, and the words of each."""

from __future__ import annotations

import pytest

from paude_venv_hook.notes import Note, NoteKind, note_on_nothing, to_patterns, to_text, unique_words


@pytest.mark.parametrize("kind", list(NoteKind))
def test_each_kind_has_words_that_are_one_printable_line(kind: NoteKind) -> None:
    line = to_text(Note(kind, ("a\nb", "c"), "why", "do it", "x/paude.json", ("c",)))

    assert line.isprintable()
    assert line


@pytest.mark.parametrize(
    ("note", "line"),
    [
        (note_on_nothing("no reason"), "nothing shadowed: no reason"),
        (note_on_nothing("it is so", "change it"), "nothing shadowed: it is so; change it"),
        (Note(NoteKind.SKIPPED, (".venv",), "it is so"), ".venv not shadowed: it is so"),
        (
            Note(NoteKind.VISIBLE, ("a/.venv",), file="b/paude.json", setting=(".venv", "a/.venv")),
            'a/.venv stays visible in the container; to shadow what is there, write "venv": [".venv", "a/.venv"] in '
            "b/paude.json",
        ),
        (
            Note(NoteKind.VISIBLE, tuple("abcdefg"), setting=("a",)),
            'a, b, c, d, e and 2 more stay visible in the container; to shadow what is there, write "venv": ["a"] in '
            "paude.json",
        ),
        (
            Note(NoteKind.VISIBLE, ("../.venv",)),
            "../.venv stays visible in the container; only a paude.json in that folder can name it",
        ),
    ],
)
def test_the_words_of_a_note(note: Note, line: str) -> None:
    assert to_text(note) == line


def test_a_line_stands_once() -> None:
    assert unique_words([note_on_nothing("a"), note_on_nothing("b"), note_on_nothing("a")]) == [
        "nothing shadowed: a",
        "nothing shadowed: b",
    ]


@pytest.mark.parametrize(
    ("paths", "entries"),
    [
        ([".venv", "a/.venv"], [".venv", "a/.venv"]),
        (["p/a/.venv", "p/b/.venv", "p/c/.venv"], ["p/a/.venv", "p/b/.venv", "p/c/.venv"]),
        (["p/a/.venv", "p/b/.venv", "p/c/.venv", "p/d/.venv"], ["p/*/.venv"]),
        (["p/a/.venv", "p/b/.venv", "p/c/.venv", "p/d/env"], ["p/a/.venv", "p/b/.venv", "p/c/.venv", "p/d/env"]),
    ],
)
def test_many_of_one_name_in_folders_beside_each_other_are_one_pattern(paths: list[str], entries: list[str]) -> None:
    assert to_patterns(paths) == entries
