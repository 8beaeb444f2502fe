"""An event loop with virtual time. When no task can run, it calls `idle`, which may advance the time."""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Idle = Callable[[float | None], None]
    """Takes the seconds until the next timer, or None if no timer is set."""

START_S = 1_800_000_000.0


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop in which time passes only through `advance`.

    `time()` is in unix seconds, so that asyncio's timeouts and the services' clock agree.
    """

    def __init__(self) -> None:
        self._now_s = START_S
        self.idle: Idle = self._skip_to_next_timer
        super().__init__(_NeverWaits(self))
        self._clock_resolution = 1e-6  # about the smallest step between two floats of this size

    def time(self) -> float:
        return self._now_s

    def advance(self, seconds: float) -> None:
        self._now_s += seconds

    def _skip_to_next_timer(self, timeout_s: float | None) -> None:
        self.advance(timeout_s or 0.0)


class ModelClock:
    """The `Clock` of the services under test."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        self._loop = loop

    def now_s(self) -> float:
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _NeverWaits(selectors.DefaultSelector):
    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None or timeout > 0:
            self._loop.idle(timeout)
        return []
