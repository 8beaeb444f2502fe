"""Notices changed flows, so that `paydispatch local` can restart its worker and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    Stamp = tuple[int, int]
    """The time of the last change (ns) and the size of a file."""

_NO_PACKAGES = ("tests", "test", "node_modules", "build", "dist")


class FlowChanges:
    """The Python files of a project as they were at the last look: its flows, and the modules beside their folder."""

    def __init__(self, flows: Path) -> None:
        self._flows = flows
        self._seen = self._look()

    def read(self) -> list[str]:
        """Return the names of the files that were changed, added or removed since the last look, in order.

        Empty while the folder is not there, because a worker could not start without it.
        """
        if not self._flows.is_dir():
            return []
        before, self._seen = self._seen, self._look()
        return sorted({path.name for path, _ in before.items() ^ self._seen.items()})

    def _look(self) -> dict[Path, Stamp]:
        stamps = ((path, _stamp_of(path)) for path in _files(self._flows))
        return {path: stamp for path, stamp in stamps if stamp is not None}


def _files(flows: Path) -> Iterator[Path]:
    """Yield the files that flows may import. A folder beside the flows counts if it has Python files itself."""
    yield from flows.rglob("*.py")
    for path in flows.parent.iterdir():
        if path.suffix == ".py":
            yield path
        elif path != flows and path.name not in _NO_PACKAGES and any(path.glob("*.py")):
            yield from path.rglob("*.py")


def _stamp_of(path: Path) -> Stamp | None:
    """Return the stamp of a file. None: it was removed between the listing and the look."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
