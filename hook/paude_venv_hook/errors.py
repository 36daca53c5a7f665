"""Errors that the user can correct.

Each class has a `code` that never changes. It is printed with the message, and tells launchers the causes apart.
"""


class HookError(Exception):
    """The root of all errors of this package; the text is one line that ends in what to do."""

    code = "hook"
    workspace_folder = ""  # the host path of the workspace that it is about, as far as that is known


class UsageError(HookError):
    """The command line itself is wrong (exit code 2)."""

    code = "usage"


class WorkspaceError(HookError):
    """The workspace folder cannot be used."""

    code = "workspace"


class JsonFileError(HookError):
    """A JSON file cannot be read, or is not a JSON object."""

    code = "json-file"


class SettingsError(HookError):
    """A value in paude.json, in the environment or of a flag is wrong."""

    code = "settings"


class DevcontainerError(HookError):
    """devcontainer.json says something that its own tools would not accept either."""

    code = "devcontainer"


class EngineError(HookError):
    """A directory cannot be expressed in an engine's arguments."""

    code = "engine"


class OverlayError(HookError):
    """An overlay cannot be written, or what is read is no overlay that this version knows."""

    code = "overlay"


class VerifyError(HookError):
    """A container cannot be asked, or lacks a shadow."""

    code = "verify"


class StoreError(HookError):
    """A store cannot be made, looked at or removed."""

    code = "store"


class InstallationError(HookError):
    """This program was installed without something that it needs."""

    code = "installation"
