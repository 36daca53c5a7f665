"""The command `paude-venv-hook`, and `python -m paude_venv_hook`: nothing is loaded before ^C is minded."""

from paude_venv_hook import spare_collector


def main() -> int:
    """Run the command line of this process and return its exit code."""
    try:
        spare_collector()
        from paude_venv_hook import cli  # noqa: PLC0415 - ^C may come meanwhile
    except KeyboardInterrupt:
        return 130
    return cli.main()


if __name__ == "__main__":
    raise SystemExit(main())
