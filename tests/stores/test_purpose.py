"""What makes two launches share a store."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paude_venv_hook.stores.purpose import CONTAINER, Purpose, dump_purpose, read_purpose, store_name

APP = Purpose("/home/me/app", ".venv", "/app/.venv", "docker", False, "web", "python:3.12", "linux/amd64")  # noqa: FBT003
OTHERS = {
    "source": "/home/me/src/app",
    "path": "env",
    "destination": "/workspaces/app/.venv",
    "engine": "podman",
    "rootless": True,
    "service": "worker",
    "image": "python:3.13",
    "platform": "linux/arm64",
    "configuration": ".devcontainer/gpu/devcontainer.json",
    "lifetime": CONTAINER,
    "copy": "2",
}


def test_the_name_of_a_store_never_changes() -> None:
    """Else all venvs that are there would be lost."""
    assert store_name(APP) == "app-9fc284499c6e7a9b"
    assert store_name(Purpose("/home/me/app", ".venv", "/app/.venv", "podman")) == "app-0a3e694127310525"


@pytest.mark.parametrize("field", Purpose._fields)
def test_each_field_makes_another_store(field: str) -> None:
    assert store_name(Purpose(**{**APP._asdict(), field: OTHERS[field]})) != store_name(APP)


@pytest.mark.parametrize("fields", [{}, OTHERS, {"configuration": "x"}, {"lifetime": CONTAINER}, {"copy": "3"}])
def test_a_purpose_is_read_as_it_was_written(fields: dict[str, Any]) -> None:
    purpose = APP._replace(**fields)

    assert read_purpose(dump_purpose(purpose)) == purpose
    later = set(fields) & {"configuration", "lifetime", "copy"}
    assert list(dump_purpose(purpose)) == [*Purpose._fields[:8], *sorted(later, key=Purpose._fields.index)]


def test_a_record_that_lacks_a_field_is_none() -> None:
    data = dump_purpose(APP)
    del data["platform"]

    with pytest.raises(LookupError):
        read_purpose(data)


@pytest.mark.parametrize("field", ["service", "image", "platform"])
def test_what_is_not_said_makes_another_store_too(field: str) -> None:
    assert store_name(Purpose(**{**APP._asdict(), field: ""})) != store_name(APP)


def test_a_text_in_one_field_is_not_the_same_in_the_next() -> None:
    assert store_name(APP._replace(service="a", image="")) != store_name(APP._replace(service="", image="a"))


@pytest.mark.parametrize(
    ("source", "start"),
    [
        ("/home/me/my app", "my_app-"),
        ("/", "venv-"),
        ("/a/--help", "help-"),
        ("/a/..b", "b-"),
        ("/a/ä\udcff", "__-"),
        ("/a/" + "x" * 99, "x" * 40 + "-"),
    ],
)
def test_the_name_is_safe_everywhere(source: str, start: str) -> None:
    name = store_name(APP._replace(source=source))

    assert name.startswith(start)
    assert re.fullmatch("[0-9a-f]{16}", name.removeprefix(start))


@given(st.text(), st.text(), st.text())
def test_any_text_has_a_name(source: str, path: str, image: str) -> None:
    assert re.fullmatch(
        r"[A-Za-z0-9._-]+-[0-9a-f]{16}", store_name(APP._replace(source=source, path=path, image=image))
    )


def test_the_venv_on_the_host_is_in_the_mount() -> None:
    assert APP.host_path == "/home/me/app/.venv"
