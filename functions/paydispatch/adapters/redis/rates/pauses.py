"""The pauses of all accounts, as a process remembers them for half a second."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from paydispatch.adapters.redis import keys
from paydispatch.adapters.redis.rates.commands import read_paused
from paydispatch.adapters.redis.scripts import within_answer_timeout

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from paydispatch.domain.rates.lanes import RateLane

REMEMBER_S = 0.5
"""So a pause holds within a second in every process."""


class GlobalPauses:
    def __init__(self, redis: Redis, remember_s: float = REMEMBER_S) -> None:
        self._redis = redis
        self._remember_s = remember_s
        self._lanes: frozenset[RateLane] = frozenset()
        self._fresh_until = -1.0
        self._reading = asyncio.Lock()

    @property
    def known(self) -> frozenset[RateLane] | None:
        """Return the paused lanes if the process remembers them."""
        return self._lanes if time.monotonic() < self._fresh_until else None

    async def lanes(self) -> frozenset[RateLane]:
        """Return the paused lanes. Raises `Unavailable`."""
        async with self._reading:
            if self.known is None:
                await self._read()
            return self._lanes

    async def _read(self) -> None:
        begun = time.monotonic()
        async with within_answer_timeout():
            fields = await self._redis.hgetall(keys.PAUSED)
        self._lanes = read_paused([str(field).removeprefix("pause:") for field in fields])
        self._fresh_until = begun + self._remember_s
