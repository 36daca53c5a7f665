"""Shadow a project's Python venvs in its container, so that host and container each keep their own."""

__version__ = "0.2.0"

# More objects than a launch makes. What serves for long, the proxy, is collected all the same.
_MANY_OBJECTS = 50_000


def spare_collector() -> None:
    """Keep the garbage collector from taking its share of a short process, an eighth of a whole run.

    It would look through everything that was imported, again and again, and once more at the end.
    """
    import atexit  # noqa: PLC0415 - not for what is only passed on
    import gc  # noqa: PLC0415 - as above

    gc.set_threshold(_MANY_OBJECTS)
    atexit.register(gc.freeze)
