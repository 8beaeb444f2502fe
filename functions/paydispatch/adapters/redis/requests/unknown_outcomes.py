"""`UnknownOutcomes` on Redis: a hash per worker. `publish.lua` adds unknown outcomes and replaces those that settle."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from paydispatch.adapters.redis import keys
from paydispatch.adapters.redis.requests.claims import read_account, read_seconds
from paydispatch.adapters.redis.scripts import script, within_answer_timeout
from paydispatch.adapters.redis.workers import move_on
from paydispatch.domain.entry import OutcomeEntry
from paydispatch.domain.identity.slots import beside
from paydispatch.domain.sweep import GRACE_S
from paydispatch.domain.unknown_outcomes import UnknownOutcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from redis.asyncio import Redis

    from paydispatch.domain.stripe.accounts import AccountBinding
    from paydispatch.ports import Clock

_SLOT_FIELDS = ("fingerprint", "first_sent_at", "last_sent_at", "account")


class RedisUnknownOutcomes:
    """Draws workers with ZRANDMEMBER and requests with HRANDFIELD, and reads each request's slot with its entry."""

    def __init__(self, redis: Redis, clock: Clock) -> None:
        self._redis = redis
        self._clock = clock

    async def workers(self, *, at_most: int) -> Sequence[str]:
        async with within_answer_timeout():
            drawn: Any = await self._redis.zrandmember(
                keys.UNKNOWN_WORKERS, at_most, withscores=True
            )
            empty_since = {str(worker): float(since) for worker, since in _pairs(drawn)}
            counts = await self._counts(list(empty_since))
            settled = [worker for worker, ends in counts.items() if not ends]
            await self._forget_workers({worker: empty_since[worker] for worker in settled})
        return [worker for worker, ends in counts.items() if ends]

    async def some(self, worker_slot: str, *, at_most: int) -> Sequence[str]:
        async with within_answer_timeout():
            drawn: Any = await self._redis.hrandfield(keys.unknown(worker_slot), at_most)
        return list(drawn or ())

    async def read(self, worker_slot: str, request_id: str) -> UnknownOutcome | None:
        request = keys.request(beside(worker_slot, request_id))
        async with within_answer_timeout(), self._redis.pipeline(transaction=False) as pipe:
            pipe.hget(keys.unknown(worker_slot), request_id)
            pipe.hmget(request, _SLOT_FIELDS)
            text, slot = await pipe.execute()
        return None if text is None else _unknown_outcome(worker_slot, text, *slot)

    async def accept_account(
        self, worker_slot: str, request_id: str, account: AccountBinding
    ) -> None:
        name = keys.unknown(worker_slot)
        async with within_answer_timeout():
            text: Any = await self._redis.hget(name, request_id)
            if text is not None:
                accepted = replace(_entry(text), account=account).as_json()
                await self._redis.eval(
                    script("replace_unknown"), 1, name, request_id, accepted, text
                )

    async def metadata_unset_at(self, account: AccountBinding) -> float | None:
        async with within_answer_timeout(), self._redis.pipeline(transaction=False) as pipe:
            for name in account.names:
                pipe.get(keys.unset_metadata(name))
            found = await pipe.execute()
        return max((float(at) for at in found if at is not None), default=None)

    async def forget(self, worker_slot: str, request_id: str) -> None:
        async with within_answer_timeout():
            await self._redis.hdel(keys.unknown(worker_slot), request_id)

    async def _counts(self, workers: Sequence[str]) -> dict[str, int]:
        async with self._redis.pipeline(transaction=False) as pipe:
            for worker in workers:
                pipe.hlen(keys.unknown(worker))
            counts = await pipe.execute() if workers else []
        return dict(zip(workers, counts, strict=True))

    async def _forget_workers(self, empty_since: Mapping[str, float]) -> None:
        """Forget workers with an empty hash after `GRACE_S`, because an outcome is written later than its note."""
        now_s = self._clock.now_s()
        moves = [
            (worker, since, None if since and since < now_s - GRACE_S else since or now_s)
            for worker, since in empty_since.items()
        ]
        await move_on(self._redis, keys.UNKNOWN_WORKERS, moves)


def _pairs(drawn: Any) -> list[Any]:
    """Return pairs. Depending on the protocol version, redis-py gives pairs or one flat list."""
    if drawn and not isinstance(drawn[0], list | tuple):
        return list(zip(drawn[0::2], drawn[1::2], strict=True))
    return list(drawn or ())


def _unknown_outcome(
    worker_slot: str,
    text: str,
    fingerprint: str | None,
    first_sent_at: str | None,
    last_sent_at: str | None,
    account: str | None,
) -> UnknownOutcome:
    return UnknownOutcome(
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
        raise ValueError(f"the text is not an outcome entry: {error!r}") from error
