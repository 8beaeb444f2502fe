"""Simulated time: events in the order of their times."""

from __future__ import annotations

import heapq
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Loop:
    """Runs events. Nothing sleeps: the clock jumps to the time of the next event."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._events: list[tuple[float, int, Callable[..., None], tuple[object, ...]]] = []
        self._number = count()

    def after(self, delay_s: float, do: Callable[..., None], *arguments: object) -> None:
        """Call `do` after so many seconds. Events of the same time run in the order in which they were added."""
        event = (self.now_s + max(0.0, delay_s), next(self._number), do, arguments)
        heapq.heappush(self._events, event)

    def run(self, until_s: float, *, stop: Callable[[], bool] = lambda: False) -> None:
        """Run events until that time, until `stop` returns true, or until there are none."""
        while self._events and not stop():
            at_s, _, do, arguments = self._events[0]
            if at_s > until_s:
                self.now_s = until_s
                return
            heapq.heappop(self._events)
            self.now_s = at_s
            do(*arguments)
