"""The user's folders are those of platformdirs."""

from __future__ import annotations

import platformdirs
import pytest
from pytest_mock import MockerFixture

from paude_venv_hook.folders import user_folder


@pytest.mark.parametrize("platform", ["linux", "elsewhere"])
@pytest.mark.parametrize("xdg", [None, "", "/xdg", "/xdg/", "relative", "~/x"])
@pytest.mark.parametrize("user_home", ["/home/me", "/home/me/", "/"])
def test_they_are_what_platformdirs_says(
    monkeypatch: pytest.MonkeyPatch, mocker: MockerFixture, platform: str, xdg: str | None, user_home: str
) -> None:
    monkeypatch.setenv("HOME", user_home)
    for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
        if xdg is not None:
            monkeypatch.setenv(name, xdg)
    expected = {
        "config": platformdirs.user_config_dir("paude", appauthor=False),
        "cache": platformdirs.user_cache_dir("paude", appauthor=False),
        "data": platformdirs.user_data_dir("paude", appauthor=False),
    }
    mocker.patch("sys.platform", platform)

    assert {kind: user_folder(kind) for kind in expected} == expected
