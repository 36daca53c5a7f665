"""Shadow a project's Python venvs in its container, so that host and container each keep their own."""

__version__ = "0.2.0"
