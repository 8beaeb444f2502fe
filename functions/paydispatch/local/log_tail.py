"""Reads the new lines of the log files in a directory."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

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
        for log in self._logs():
            for line in self._take(log).splitlines():
                yield log.stem, line

    def new_events(self) -> Iterator[dict[str, Any]]:
        """Yield the fields of each new line that is a JSON object. Every event of our programs is one."""
        for _, line in self.new_lines():
            if line.startswith(b'{"') and (fields := _json_object(line)):
                yield fields

    def skip(self) -> None:
        """Leave out all complete lines so far, for a reader that needs only those that come."""
        for log in self._logs():
            self._take(log)

    def _logs(self) -> list[Path]:
        return sorted(self._directory.glob("*.log"))

    def _take(self, log: Path) -> bytes:
        """Return the new complete lines of a log, and remember where they end."""
        with log.open("rb") as file:
            file.seek(self._offsets.get(log, 0))
            complete, newline, _ = file.read().rpartition(b"\n")
        self._offsets[log] = self._offsets.get(log, 0) + len(complete) + len(newline)
        return complete


def _json_object(line: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(line)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}
