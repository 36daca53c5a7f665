"""One root, and a stable code for each class of error."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import paude_venv_hook
from paude_venv_hook import errors
from paude_venv_hook.errors import HookError

CODES = {
    "HookError": "hook",
    "UsageError": "usage",
    "WorkspaceError": "workspace",
    "JsonFileError": "json-file",
    "SettingsError": "settings",
    "DevcontainerError": "devcontainer",
    "EngineError": "engine",
    "OverlayError": "overlay",
    "VerifyError": "verify",
    "StoreError": "store",
    "InstallationError": "installation",
}


def _family(root: type[HookError]) -> list[type[HookError]]:
    return [root, *(found for child in root.__subclasses__() for found in _family(child))]


def test_each_class_of_error_has_a_code_of_its_own_that_never_changes() -> None:
    for module in pkgutil.iter_modules(paude_venv_hook.__path__):
        if module.name != "__main__":  # it is the program
            importlib.import_module(f"paude_venv_hook.{module.name}")

    assert {error.__name__: vars(error).get("code") for error in _family(HookError)} == CODES
    assert len(set(CODES.values())) == len(CODES)


def test_all_errors_have_one_root() -> None:
    assert {name for name, _ in inspect.getmembers(errors, inspect.isclass)} == set(CODES)
    assert HookError.__mro__ == (HookError, Exception, BaseException, object)
