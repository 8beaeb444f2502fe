"""The limiter, the breakers of keys and the operator's board: as twins, and on a Redis that is told the time."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paydispatch.adapters.redis.connection import connect_async
from paydispatch.adapters.redis.rates.key_breakers import RedisKeyBreakers
from paydispatch.adapters.redis.rates.limit_board import RedisLimitBoard
from paydispatch.adapters.redis.rates.limiter import RedisLimiter
from paydispatch.domain.rates.lanes import LANES, RateLane
from paydispatch.domain.rates.limits import DefaultLimits
from paydispatch.domain.rates.tokens import TokenAsk
from paydispatch.testing.memory import MemoryClock
from paydispatch.testing.memory_limiter import (
    MemoryKeyBreakers,
    MemoryLimitBoard,
    MemoryLimiter,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from paydispatch.domain.rates.lanes import LaneRule
    from paydispatch.ports import KeyBreakers, LimitBoard, Limiter

ACCOUNT, OTHER = "live acct_1", "test acct_2"


class MicrosClock(MemoryClock):
    """A clock that shows whole microseconds, as Redis' does."""

    def now_s(self) -> float:
        return round(super().now_s(), 6)


@dataclass(frozen=True)
class LimitWorld:
    limiter: Limiter
    keys: KeyBreakers
    board: LimitBoard
    clock: MemoryClock


def memory_limit_world(
    defaults: DefaultLimits | None = None, rules: Mapping[RateLane, LaneRule] = LANES
) -> LimitWorld:
    clock = MicrosClock()
    limiter, keys = MemoryLimiter(clock, defaults, rules), MemoryKeyBreakers(clock)
    return LimitWorld(limiter, keys, MemoryLimitBoard(limiter, keys), clock)


@asynccontextmanager
async def redis_limit_world(
    url: str,
    defaults: DefaultLimits | None = None,
    rules: Mapping[RateLane, LaneRule] = LANES,
) -> AsyncIterator[LimitWorld]:
    """Nothing is remembered by the process, so that a change holds at once."""
    clock, redis = MicrosClock(), connect_async(url)
    known = defaults or DefaultLimits()
    limiter = RedisLimiter(redis, known, rules, now_s=clock.now_s, remember_pauses_s=0.0)
    keys = RedisKeyBreakers(redis, now_s=clock.now_s, remember_s=0.0)
    board = RedisLimitBoard(redis, known, now_s=clock.now_s)
    try:
        yield LimitWorld(limiter, keys, board, clock)
    finally:
        await redis.aclose()


def token_ask(
    operation: str = "create_product", account: str = ACCOUNT, **changed: Any
) -> TokenAsk:
    fields = {"lane": RateLane.INTERACTIVE, "longest_wait_s": 20.0}
    return TokenAsk(account=account, operation=operation, **{**fields, **changed})
