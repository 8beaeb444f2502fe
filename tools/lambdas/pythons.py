"""Finds a Python of one version on this machine, without downloads."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def find_python(version: str, uv: str) -> str | None:
    """Return the path of a Python `version` ("3.13") that starts, or None."""
    return next((path for path in _candidates(version, uv) if _is(path, version)), None)


def _candidates(version: str, uv: str) -> Iterator[str]:
    """Yield the Python on the PATH, the one that uv finds, and those of pyenv, because its shims hide most of them."""
    on_path = shutil.which(f"python{version}")
    if on_path:
        yield on_path
    known = subprocess.run(
        [uv, "python", "find", "--quiet", "--no-python-downloads", "--no-project", version],
        check=False, text=True, capture_output=True,
    )  # fmt: skip
    if known.returncode == 0:
        yield known.stdout.strip()
    for pyenv in _pyenvs():
        for found in sorted(pyenv.glob(f"versions/{version}*/bin/python{version}"), reverse=True):
            yield str(found)


def _pyenvs() -> Iterator[Path]:
    """Yield the folders of pyenv: `PYENV_ROOT`, the folder of its shims on the PATH, and `~/.pyenv`."""
    if os.environ.get("PYENV_ROOT"):
        yield Path(os.environ["PYENV_ROOT"])
    on_path = map(Path, os.environ.get("PATH", "").split(os.pathsep))
    yield from (folder.parent for folder in on_path if folder.name == "shims")
    if os.environ.get("HOME"):
        yield Path.home() / ".pyenv"


def _is(path: str, version: str) -> bool:
    asked = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        answer = subprocess.run(
            [path, "-c", asked], check=False, text=True, capture_output=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.stdout.strip() == version
