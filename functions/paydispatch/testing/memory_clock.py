"""The in-memory twin of the clock."""

from __future__ import annotations

import asyncio


class MemoryClock:
    """A clock that moves only in `sleep` and `advance`."""

    def __init__(self, now_s: float = 1_800_000_000.0) -> None:
        self._now_s = now_s

    def now_s(self) -> float:
        return self._now_s

    def advance(self, seconds: float) -> None:
        self._now_s += seconds

    async def sleep(self, seconds: float) -> None:
        self._now_s += seconds
        await asyncio.sleep(0)
