"""Read the Python files of a project, without its tests, its virtual environments and hidden folders."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_FILES = 5_000
"""A folder with more is no project but, for example, a home folder."""

LARGEST_FILE_BYTES = 1_000_000
_LEFT_OUT = {"tests", "test", "node_modules", "site-packages", "__pycache__", "build", "dist"}


def python_files(root: Path) -> Iterator[tuple[str, str]]:
    """Yield the files that name paydispatch: the path below `root`, and the text."""
    for path in _paths(root):
        try:
            large = path.stat().st_size > LARGEST_FILE_BYTES
            text = "" if large else path.read_text("utf-8")
        except (OSError, UnicodeError):
            continue  # Python could not import it either
        if "paydispatch" in text or "flow." in text:
            yield str(path.relative_to(root)), text


def _paths(root: Path) -> Iterator[Path]:
    left = MOST_FILES
    for folder, folders, files in os.walk(root):
        if "pyvenv.cfg" in files:
            folders.clear()
            continue
        folders[:] = sorted(each for each in folders if each not in _LEFT_OUT and each[0] != ".")
        for file in sorted(files):
            if file.endswith(".py") and not file.startswith("test_"):
                left -= 1
                if left < 0:
                    return
                yield Path(folder, file)
