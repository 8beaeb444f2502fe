"""`UnknownEnds` on Redis: a hash per worker, filled and emptied by the script that publishes outcomes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from paydispatch.adapters import redis_keys as keys
from paydispatch.adapters.redis_claims import read_account, read_seconds
from paydispatch.adapters.redis_scripts import answered_in_time, script
from paydispatch.domain.entry import OutcomeEntry
from paydispatch.domain.slots import beside
from paydispatch.domain.unknown_ends import UnknownEnd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.asyncio import Redis

    from paydispatch.domain.accounts import AccountBinding

_SLOT_FIELDS = ("fingerprint", "first_sent_at", "last_sent_at", "account")


class RedisUnknownEnds:
    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def workers(self) -> Sequence[str]:
        async with answered_in_time():
            found = await self._redis.smembers(keys.WORKERS)
        return sorted(str(worker_id) for worker_id in found)

    async def some(self, worker_slot: str, *, at_most: int) -> Sequence[str]:
        async with answered_in_time():
            drawn: Any = await self._redis.hrandfield(keys.unknown(worker_slot), at_most)
        return list(drawn or ())

    async def read(self, worker_slot: str, request_id: str) -> UnknownEnd | None:
        request = keys.request(beside(worker_slot, request_id))
        async with answered_in_time(), self._redis.pipeline(transaction=False) as pipe:
            pipe.hget(keys.unknown(worker_slot), request_id)
            pipe.hmget(request, _SLOT_FIELDS)
            text, slot = await pipe.execute()
        return None if text is None else _unknown_end(worker_slot, text, *slot)

    async def accept_account(
        self, worker_slot: str, request_id: str, account: AccountBinding
    ) -> None:
        name = keys.unknown(worker_slot)
        async with answered_in_time():
            text: Any = await self._redis.hget(name, request_id)
            if text is not None:
                accepted = replace(_entry(text), account=account).as_json()
                await self._redis.eval(script("replace_unknown"), 1, name, request_id, accepted)

    async def forget(self, worker_slot: str, request_id: str) -> None:
        async with answered_in_time():
            await self._redis.hdel(keys.unknown(worker_slot), request_id)


def _unknown_end(
    worker_slot: str,
    text: str,
    fingerprint: str | None,
    first_sent_at: str | None,
    last_sent_at: str | None,
    account: str | None,
) -> UnknownEnd:
    return UnknownEnd(
        _entry(text),
        worker_slot,
        slot_stands=fingerprint is not None,
        slot_first_sent_at=read_seconds(first_sent_at),
        slot_last_sent_at=read_seconds(last_sent_at),
        slot_account=read_account(account),
    )


def _entry(text: str) -> OutcomeEntry:
    try:
        return OutcomeEntry.from_json(text)
    except (KeyError, TypeError) as error:
        raise ValueError(f"no outcome entry: {error!r}") from error
