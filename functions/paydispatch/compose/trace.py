"""Compose the reading of a request's path, for the commands."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from paydispatch.adapters.clock import SystemClock
from paydispatch.adapters.redis.connection import connect_async
from paydispatch.adapters.redis.doubts import RedisDoubts
from paydispatch.adapters.redis.eviction import EvictionCheck
from paydispatch.adapters.redis.rates.limit_board import RedisLimitBoard
from paydispatch.adapters.redis.traces import RedisTraces
from paydispatch.services.trace import TracePorts
from paydispatch.settings import default_limits, redis_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def trace_ports() -> AsyncIterator[TracePorts]:
    """Yield the ports of a trace on the Redis of `REDIS_URL`. A Redis that evicts may be read."""
    redis, clock = connect_async(redis_url(), EvictionCheck(allowed=True)), SystemClock()
    try:
        yield TracePorts(
            traces=RedisTraces(redis, clock),
            doubts=RedisDoubts(redis, clock),
            limits=RedisLimitBoard(redis, default_limits()),
        )
    finally:
        await redis.aclose()
