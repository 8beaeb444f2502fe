"""Reads the new lines of the log files in a directory."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class LogTail:
    """Remembers for every `NAME.log` of a directory how far it has been read."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._offsets: dict[Path, int] = {}

    def new_lines(self) -> Iterator[tuple[str, bytes]]:
        """Yield NAME and line for each new complete line. An incomplete line is read again next time."""
        for log in sorted(self._directory.glob("*.log")):
            with log.open("rb") as file:
                file.seek(self._offsets.get(log, 0))
                complete, newline, _ = file.read().rpartition(b"\n")
            self._offsets[log] = self._offsets.get(log, 0) + len(complete) + len(newline)
            for line in complete.splitlines():
                yield log.stem, line
