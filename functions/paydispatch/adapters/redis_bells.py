"""`Bells` on Redis: one pattern subscription hears every worker's stream. A lost ring costs a second, no outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydispatch.adapters import redis_keys as keys
from paydispatch.adapters.redis_scripts import answered_in_time, unavailable_for_redis_errors

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.asyncio.client import PubSub


class RedisBells:
    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._pubsub: PubSub | None = None

    async def next(self, timeout_s: float) -> str | None:
        async with answered_in_time():
            pubsub = await self._subscribed()
        with unavailable_for_redis_errors():
            message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=timeout_s)
        return keys.worker_of_bell(message["channel"]) if message else None

    async def close(self) -> None:
        if self._pubsub is not None:
            await self._pubsub.aclose()  # type: ignore[no-untyped-call]
            self._pubsub = None

    async def _subscribed(self) -> PubSub:
        if self._pubsub is None:
            await self._redis.initialize()  # a cluster client knows no node before
            pubsub = self._redis.pubsub()
            try:
                await pubsub.psubscribe(keys.BELL_PATTERN)
            except BaseException:
                await pubsub.aclose()  # type: ignore[no-untyped-call]
                raise
            self._pubsub = pubsub
        return self._pubsub
