"""Compose the operators' board of limits, for the commands."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from paydispatch.adapters.redis.connection import connect_async
from paydispatch.adapters.redis.eviction import EvictionCheck
from paydispatch.adapters.redis.rates.limit_board import RedisLimitBoard
from paydispatch.settings import allow_eviction, default_limits, redis_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from paydispatch.ports import LimitBoard


@asynccontextmanager
async def limit_board(*, reads_only: bool = False) -> AsyncIterator[LimitBoard]:
    """Yield the board on the Redis of `REDIS_URL`. A Redis that evicts may be read, but not written."""
    redis = connect_async(redis_url(), EvictionCheck(allowed=reads_only or allow_eviction()))
    try:
        yield RedisLimitBoard(redis, default_limits())
    finally:
        await redis.aclose()
