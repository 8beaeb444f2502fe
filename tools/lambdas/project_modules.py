"""Finds the modules of a project that its flows import, so that they import the same in the Lambda as in a worker.

A worker finds modules beside the flows folder: `import db` reads `db.py` from the project's root. It uses only the
standard library, for the reason of `build_function.py`.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def modules_beside(flows: Path) -> list[Path]:
    """Return the files and packages beside the folder that its scripts import, also through each other.

    An import that is made up at run time is not found.
    """
    found: dict[Path, None] = {}
    unread = sorted(flows.rglob("*.py"))
    while unread:
        for name in imported_names(unread.pop()):
            module = _module(flows, name)
            if module is not None and module not in found:
                found[module] = None
                unread += sorted(module.rglob("*.py")) if module.is_dir() else [module]
    return list(found)


def imported_names(file: Path) -> Iterator[str]:
    """Yield the top-level names that a file imports. A file that is no Python imports nothing."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def _module(flows: Path, name: str) -> Path | None:
    """Return the project's own module of this name. A helper in the flows folder is copied with the flows."""
    if name == flows.name:
        return None
    file, package = flows.parent / f"{name}.py", flows.parent / name
    if file.is_file():
        return file
    return package if package.is_dir() and any(package.glob("*.py")) else None
