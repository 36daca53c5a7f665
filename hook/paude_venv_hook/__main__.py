"""`python -m paude_venv_hook` is the command `paude-venv-hook`."""

from paude_venv_hook.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
