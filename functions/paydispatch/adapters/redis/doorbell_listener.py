"""`DoorbellListener` on Redis: one pattern subscription hears every worker's stream.

A lost ring costs a second and no outcome.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from redis.exceptions import NoPermissionError

from paydispatch.adapters.redis import keys
from paydispatch.adapters.redis.scripts import answered_in_time, unavailable_for_redis_errors

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.asyncio.client import PubSub

    from paydispatch.ports import EventLog


class RedisDoorbellListener:
    """Hears nothing where the Redis user may not listen: the event log says so once, and the sweep does the work."""

    def __init__(self, redis: Redis, log: EventLog) -> None:
        self._redis = redis
        self._log = log
        self._pubsub: PubSub | None = None
        self._deaf = False

    async def next(self, timeout_s: float) -> str | None:
        if self._deaf:
            await asyncio.sleep(timeout_s)
            return None
        message = await self._message(timeout_s)
        return keys.worker_of_bell(message["channel"]) if message else None

    async def close(self) -> None:
        if self._pubsub is not None:
            await self._pubsub.aclose()  # type: ignore[no-untyped-call]
            self._pubsub = None

    async def _message(self, timeout_s: float) -> Any:
        async with answered_in_time():
            pubsub = await self._subscribed()
        with unavailable_for_redis_errors():
            try:
                return await pubsub.get_message(ignore_subscribe_messages=True, timeout=timeout_s)
            except NoPermissionError as error:
                self._deaf = True
                self._log.warning("doorbell.not_allowed", why=str(error))
        await self.close()
        return None

    async def _subscribed(self) -> PubSub:
        if self._pubsub is not None and _on_a_left_node(self._pubsub):
            await self.close()
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


def _on_a_left_node(pubsub: PubSub) -> bool:
    """Whether its pool has left the node meanwhile. A listener gets no answer that could tell it so."""
    connection: Any = pubsub.connection
    return connection is not None and connection.should_reconnect()
