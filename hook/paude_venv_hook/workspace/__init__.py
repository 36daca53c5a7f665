"""What a workspace says: its settings, its devcontainer.json, where it is mounted, its venvs. Only ever read."""
