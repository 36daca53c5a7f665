"""Follow a `.venv` that is no directory: a symlink, or a file that names a venv."""

from __future__ import annotations

import os

from paude_venv_hook.files import is_inside, read_start
from paude_venv_hook.text import shown
from paude_venv_hook.workspace.central import KEEP_UV_APART, is_uv_link
from paude_venv_hook.workspace.contents import Reason
from paude_venv_hook.workspace.venv import is_venv

_ADVICE = "make it a directory"


def follow_link(link: str, folder: str, *, same_path: bool) -> tuple[str, Reason | None]:
    """Return the real path of the directory that a symlink leads to, and why it cannot be shadowed, if so.

    The engines resolve a link inside of the container, so only one that leads to a directory of `folder` in both
    worlds is good (facts of docker with runc, podman with crun: all else mounts over the container's own folders,
    makes directories in its root, or stops the start).
    """
    text = os.readlink(link)
    if is_uv_link(link):
        return os.path.realpath(link), Reason("uv's link to its cache", KEEP_UV_APART)
    try:
        real = os.path.realpath(link, strict=True)
    except OSError:
        return link, Reason(f"a symlink to {shown(text)}, which does not exist or loops", _ADVICE)
    if not os.path.isdir(real):
        return real, Reason(f"a symlink to {shown(text)}, which is a file", _ADVICE)
    if is_inside(os.path.realpath(folder), real):
        return real, Reason(f"a symlink to {shown(text)}, which holds the source", _ADVICE)
    if not is_inside(real, folder):
        return real, Reason(f"a symlink to {shown(text)}, outside of the workspace", _ADVICE)
    if os.path.isabs(text) and not same_path:
        return real, Reason(f"an absolute symlink to {shown(text)}, which is another place in the container", _ADVICE)
    return real, None


def named_by_file(path: str, folder: str) -> str | None:
    """Return the real path of the directory inside `folder` that a `.venv` *file* names, or None.

    virtualenv and pipenv write such files. What pipenv's names is often no path but a venv in its own store, which may
    be called like a directory of sources, or of logs, here: the directory has to be a venv.
    """
    text = os.fsdecode(read_start(path)).strip()
    if not text or "\0" in text:
        return None
    target = os.path.realpath(os.path.join(folder, text))
    if target == folder or not is_inside(target, folder) or not os.path.isdir(target):
        return None
    return target if is_venv(target) else None
