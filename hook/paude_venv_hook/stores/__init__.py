"""Stores: folders on the host that hold a container's venv on disk, what each is for, and how they go again."""
