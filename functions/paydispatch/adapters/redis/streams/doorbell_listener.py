"""`DoorbellListener` on Redis: one pattern subscription to the doorbell channels of all workers.

Redis may lose a Pub/Sub message. The sweep then finds the outcome about a second later.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from redis.exceptions import NoPermissionError

from paydispatch.adapters.redis import keys
from paydispatch.adapters.redis.scripts import unavailable_for_redis_errors, within_answer_timeout

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.asyncio.client import PubSub

    from paydispatch.ports import EventLog


class RedisDoorbellListener:
    """A listener with one Pub/Sub connection.

    If the Redis user may not subscribe, it logs so once and always returns None. The sweep then finds the outcomes.
    """

    def __init__(self, redis: Redis, log: EventLog) -> None:
        self._redis = redis
        self._log = log
        self._pubsub: PubSub | None = None
        self._forbidden = False

    async def next(self, timeout_s: float) -> str | None:
        if self._forbidden:
            await asyncio.sleep(timeout_s)
            return None
        message = await self._message(timeout_s)
        return keys.worker_of_bell(message["channel"]) if message else None

    async def close(self) -> None:
        if self._pubsub is not None:
            await self._pubsub.aclose()  # type: ignore[no-untyped-call]
            self._pubsub = None

    async def _message(self, timeout_s: float) -> Any:
        async with within_answer_timeout():
            pubsub = await self._subscribe()
        with unavailable_for_redis_errors():
            try:
                return await pubsub.get_message(ignore_subscribe_messages=True, timeout=timeout_s)
            except NoPermissionError as error:
                self._forbidden = True
                self._log.warning("doorbell.not_allowed", why=str(error))
        await self.close()
        return None

    async def _subscribe(self) -> PubSub:
        if self._pubsub is not None and _must_reconnect(self._pubsub):
            await self.close()
        if self._pubsub is None:
            await self._redis.initialize()  # before this, a cluster client knows no node
            pubsub = self._redis.pubsub()
            try:
                await pubsub.psubscribe(keys.BELL_PATTERN)
            except BaseException:
                await pubsub.aclose()  # type: ignore[no-untyped-call]
                raise
            self._pubsub = pubsub
        return self._pubsub


def _must_reconnect(pubsub: PubSub) -> bool:
    """Return whether the pool marked the connection for a reconnect. A subscriber gets no error that says so."""
    connection: Any = pubsub.connection
    return connection is not None and connection.should_reconnect()
