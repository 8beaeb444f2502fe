"""`OutcomeStream` on Redis: one round trip to begin an attempt, one to publish its outcome."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from paydispatch.adapters import redis_keys as keys
from paydispatch.adapters.redis_open import note_open
from paydispatch.adapters.redis_scripts import answered_in_time, script
from paydispatch.domain.entry import OutcomeEntry
from paydispatch.domain.errors import Unavailable
from paydispatch.domain.outcomes import Error, Response
from paydispatch.domain.principal import QUEUE, tenant_of
from paydispatch.domain.units import REMEMBER_S
from paydispatch.ports import Seen

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from paydispatch.domain.envelope import Envelope
    from paydispatch.ports import Clock

# Statuses that only a receive writes: with one of them, what the record says of earlier attempts can be relied on.
_ATTEMPTED = {"calling", "retrying", "unknown"}
_IN_DOUBT = {"calling", "unknown"}
_FINAL = {"succeeded", "failed"}

_DISPUTED = "disputed"
"""What the publish script answers while other deliveries are at work."""


class RedisOutcomes:
    def __init__(self, redis: Redis, clock: Clock, *, queue_tenant: str) -> None:
        self._redis = redis
        self._clock = clock
        self._queue_tenant = queue_tenant

    async def begin(self, envelope: Envelope, *, by: str = "") -> Seen:
        now_s = self._clock.now_s()
        fields = {
            **self._identity(envelope),
            "status": "calling",
            "attempts": envelope.progress.attempt,
            "begun_at": now_s,
        }
        first_sent_at = envelope.progress.first_sent_at or now_s
        async with answered_in_time(), self._redis.pipeline(transaction=False) as pipe:
            pipe.sadd(keys.WORKERS, envelope.worker_id)
            note_open(
                pipe,
                envelope.worker_id,
                envelope.request_id,
                accepted_at=envelope.accepted_at,
                now_s=now_s,
            )
            at_work = keys.at_work(envelope.worker_id, envelope.request_id)
            seen_mark = keys.seen(envelope.worker_id, envelope.request_id)
            _eval(pipe, "join", [seen_mark, at_work], by, REMEMBER_S)
            _eval(
                pipe,
                "begin",
                [keys.request(envelope.request_id)],
                REMEMBER_S,
                first_sent_at,
                *_flat(fields),
            )
            _, _, others, before = await pipe.execute()
        seen = _seen(others, before)
        if seen.settled and before[0] not in _FINAL:
            await self._mend_status(envelope.worker_id, envelope.request_id)
        return seen

    async def waiting(self, envelope: Envelope, retry_at: float, *, by: str = "") -> None:
        progress = envelope.progress
        fields = {
            **self._identity(envelope),
            "status": "retrying",
            "attempts": progress.attempt - 1,
            "retry_at": retry_at,
        }
        async with answered_in_time(), self._redis.pipeline(transaction=False) as pipe:
            if progress.maybe_executed:
                fields["maybe_executed"] = 1  # never back to 0: the doubt may be another delivery's
            else:
                pipe.srem(keys.at_work(envelope.worker_id, envelope.request_id), by)
            self._write_status(pipe, envelope.request_id, fields)
            await pipe.execute()

    async def publish(self, entry: OutcomeEntry, *, sole: str | None = None) -> bool:
        disputable = sole is not None and isinstance(entry.outcome, Error) and entry.outcome.settled
        async with answered_in_time(), self._redis.pipeline(transaction=False) as pipe:
            pipe.sadd(keys.WORKERS, entry.worker_id)  # first: a sweep must know of every stream
            self._append(pipe, entry, sole if disputable else None)
            if not disputable:
                self._write_status(pipe, entry.request_id, self._final_fields(entry))
            entry_id = (await pipe.execute())[1]
        if entry_id == _DISPUTED:
            raise Unavailable("Another delivery is at work on the request.")
        if entry_id is None:  # what stands there may say something else than this one
            await self._mend_status(entry.worker_id, entry.request_id)
        elif disputable:
            await self._write_final(entry)
        return entry_id is not None

    async def settled(self, worker_id: str, request_id: str) -> bool:
        async with answered_in_time():
            mark = await self._redis.get(keys.seen(worker_id, request_id))
        return str(mark or "").startswith("settled")

    def _append(self, pipe: Any, entry: OutcomeEntry, sole: str | None) -> None:
        worker_id = entry.worker_id
        stream_keys = [
            keys.seen(worker_id, entry.request_id),
            keys.outcomes(worker_id),
            keys.context(worker_id, entry.context_id),
            keys.open_requests(worker_id),
            keys.unknown(worker_id),
            keys.at_work(worker_id, entry.request_id),
        ]
        _eval(
            pipe,
            "publish",
            stream_keys,
            _mark(entry),
            REMEMBER_S,
            entry.as_json(),
            keys.bell(worker_id),
            entry.request_id,
            sole or "",
        )

    async def _mend_status(self, worker_id: str, request_id: str) -> None:
        """Write the status of a published outcome once more: its publisher, or Redis, was killed just before.

        Its entry has it. One that is trimmed, after a day, cannot be asked.
        """
        async with answered_in_time():
            mark = await self._redis.get(keys.seen(worker_id, request_id))
            _, _, entry_id = str(mark or "").partition(" ")
            if not entry_id:
                return
            found: Any = await self._redis.xrange(keys.outcomes(worker_id), entry_id, entry_id)
        for _, fields in found:
            await self._write_final(OutcomeEntry.from_json(fields["entry"]))

    async def _write_final(self, entry: OutcomeEntry) -> None:
        """The status of an end that could be disputed: in another slot, so it waits for the script's word."""
        async with answered_in_time(), self._redis.pipeline(transaction=False) as pipe:
            self._write_status(pipe, entry.request_id, self._final_fields(entry))
            await pipe.execute()

    def _write_status(self, pipe: Any, request_id: str, fields: dict[str, Any]) -> None:
        _eval(pipe, "write_status", [keys.request(request_id)], REMEMBER_S, *_flat(fields))

    def _identity(self, request: Envelope | OutcomeEntry) -> dict[str, Any]:
        return {
            "tenant": tenant_of(request.principal or QUEUE, self._queue_tenant),
            "object": request.object,
            "worker_id": request.worker_id,
            "context_id": request.context_id,
        }

    def _final_fields(self, entry: OutcomeEntry) -> dict[str, Any]:
        fields = {
            **self._identity(entry),
            "attempts": entry.outcome.attempts,
            "settled_at": entry.settled_at,
        }
        if isinstance(entry.outcome, Response):
            return {**fields, "status": "succeeded", "parsed_data": json.dumps(entry.outcome.body)}
        status = "failed" if entry.outcome.settled else "unknown"
        return {**fields, "status": status, "parsed_error": json.dumps(entry.outcome.as_dict())}


def _mark(entry: OutcomeEntry) -> str:
    return "settled" if entry.outcome.settled else "unknown"


def _seen(others: int | None, before: list[str | None]) -> Seen:
    """`others`: how many more deliveries are at work; None if the request is settled."""
    status, maybe_executed, first_sent_at = before
    return Seen(
        settled=others is None,
        known=status in _ATTEMPTED or bool(others),
        in_doubt=status in _IN_DOUBT or maybe_executed == "1" or bool(others),
        first_sent_at=float(first_sent_at) if first_sent_at and status in _ATTEMPTED else None,
    )


def _eval(pipe: Any, name: str, names: list[str], *arguments: Any) -> None:
    pipe.eval(script(name), len(names), *names, *arguments)


def _flat(fields: dict[str, Any]) -> list[Any]:
    return [part for pair in fields.items() for part in pair]
