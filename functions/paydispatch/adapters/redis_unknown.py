"""`UnknownEnds` on Redis: a hash per worker, filled and emptied by the script that publishes outcomes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paydispatch.adapters import redis_keys as keys
from paydispatch.adapters.redis_scripts import answered_in_time
from paydispatch.domain.entry import OutcomeEntry
from paydispatch.domain.unknown_ends import UnknownEnd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.asyncio import Redis


class RedisUnknownEnds:
    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def workers(self) -> Sequence[str]:
        async with answered_in_time():
            found = await self._redis.smembers(keys.WORKERS)
        return sorted(str(worker_id) for worker_id in found)

    async def some(self, worker_id: str, *, at_most: int) -> Sequence[str]:
        async with answered_in_time():
            drawn: Any = await self._redis.hrandfield(keys.unknown(worker_id), at_most)
        return list(drawn or ())

    async def read(self, worker_id: str, request_id: str) -> UnknownEnd | None:
        async with answered_in_time(), self._redis.pipeline(transaction=False) as pipe:
            pipe.hget(keys.unknown(worker_id), request_id)
            pipe.hmget(keys.request(request_id), "first_sent_at", "begun_at")
            text, begun = await pipe.execute()
        return None if text is None else _unknown_end(text, *begun)

    async def forget(self, worker_id: str, request_id: str) -> None:
        async with answered_in_time():
            await self._redis.hdel(keys.unknown(worker_id), request_id)


def _unknown_end(text: str, first_begun_at: str | None, last_begun_at: str | None) -> UnknownEnd:
    try:
        entry = OutcomeEntry.from_json(text)
    except (KeyError, TypeError) as error:
        raise ValueError(f"no outcome entry: {error!r}") from error
    return UnknownEnd(entry, _seconds(first_begun_at), _seconds(last_begun_at))


def _seconds(text: str | None) -> float | None:
    return None if text is None else float(text)
