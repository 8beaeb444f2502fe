"""The twin's own clock: the machine's, moved forward on request."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class TwinClock:
    """Only moves forward, as `advance` and the machine do."""

    def __init__(self, source: Callable[[], float] = time.time) -> None:
        self._source = source
        self.offset_s = 0.0

    def now(self) -> float:
        """Unix time in seconds."""
        return self._source() + self.offset_s

    def advance(self, seconds: float) -> None:
        """Raises `ValueError` for a step back: objects are listed in the order of their times."""
        if seconds < 0:
            raise ValueError("The clock only moves forward.")
        self.offset_s += seconds
