"""The twin's clock: the time of the machine plus an offset."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class TwinClock:
    """A clock that `advance` moves forward, so that a test need not wait for hours."""

    def __init__(self, source: Callable[[], float] = time.time) -> None:
        self._source = source
        self.offset_s = 0.0

    def now(self) -> float:
        """Return the Unix time in seconds."""
        return self._source() + self.offset_s

    def advance(self, seconds: float) -> None:
        """Move the clock forward. Raises `ValueError` for a step back, because lists are sorted by time."""
        if seconds < 0:
            raise ValueError("seconds must not be negative, because the clock only moves forward.")
        self.offset_s += seconds
