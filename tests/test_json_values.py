"""JSON of somebody else: no text of theirs makes a reader fail."""

from __future__ import annotations

from typing import Any

import pytest

from paude_venv_hook.json_values import get_list, get_object, get_text, parse_json


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b'{"a": [1, "\xc3\xa4"]}', {"a": [1, "ä"]}),
        ('{"a": 1, "a": 2}', {"a": 2}),
        (b"7", 7),
        (b"null", None),
        (b"", None),
        (b"{", None),
        (b"\xff\xfe{}", None),
        (b"[" * 100_000, None),
    ],
)
def test_what_is_no_json_is_none(data: bytes | str, value: object) -> None:
    assert parse_json(data) == value


@pytest.mark.parametrize("value", [None, [], "text", {}, {"key": None}, {"key": 7}])
def test_a_wrong_type_reads_as_empty(value: Any) -> None:
    assert (get_text(value, "key"), get_object(value, "key"), get_list(value, "key")) == ("", {}, [])
