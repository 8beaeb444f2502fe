"""Prints the output of the parts while they run."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

from paydispatch.domain.printable import printable

if TYPE_CHECKING:
    from pathlib import Path

_LOOK_EVERY_S = 0.1


class Follower:
    """Copies every `NAME.log` of a directory to stderr, and puts the name of the part before each line."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._places: dict[Path, int] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="output", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Print the remaining lines and stop."""
        self._ended.set()
        self._thread.join()

    def _follow(self) -> None:
        while not self._ended.wait(_LOOK_EVERY_S):
            self._show_new_lines()
        self._show_new_lines()

    def _show_new_lines(self) -> None:
        for log in sorted(self._directory.glob("*.log")):
            for line in self._new_lines(log):
                print(f"{log.stem:<20} {printable(line)}", file=sys.stderr, flush=True)

    def _new_lines(self, log: Path) -> list[str]:
        """Return the new complete lines. An incomplete line is read again next time."""
        with log.open("rb") as file:
            file.seek(self._places.get(log, 0))
            complete, newline, _ = file.read().rpartition(b"\n")
        self._places[log] = self._places.get(log, 0) + len(complete) + len(newline)
        return complete.decode("utf-8", "replace").splitlines()
