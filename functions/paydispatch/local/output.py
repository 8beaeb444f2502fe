"""Prints the output of the parts while they run."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

from paydispatch.domain.text.printable import printable
from paydispatch.local.log_tail import LogTail

if TYPE_CHECKING:
    from pathlib import Path

_LOOK_EVERY_S = 0.1


class Follower:
    """Copies every `NAME.log` of a directory to stderr, and puts the name of the part before each line."""

    def __init__(self, directory: Path) -> None:
        self._tail = LogTail(directory)
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
        for name, line in self._tail.new_lines():
            text = printable(line.decode("utf-8", "replace"))
            print(f"{name:<20} {text}", file=sys.stderr, flush=True)
