"""The in-memory twins of the doorbell and of its listener."""

from __future__ import annotations

import asyncio


class MemoryDoorbell:
    """A `Doorbell` that keeps the workers for which it was rung."""

    def __init__(self) -> None:
        self.rung: list[str] = []

    async def ring(self, worker_id: str) -> None:
        self.rung.append(worker_id)


class MemoryDoorbellListener:
    """A `DoorbellListener` for which the test itself calls `ring`."""

    def __init__(self) -> None:
        self._rung: asyncio.Queue[str] = asyncio.Queue()

    def ring(self, worker_id: str) -> None:
        self._rung.put_nowait(worker_id)

    async def next(self, timeout_s: float) -> str | None:
        try:
            return await asyncio.wait_for(self._rung.get(), timeout_s)
        except TimeoutError:
            return None

    async def close(self) -> None:
        """Do nothing, because there is no connection."""
