"""Read the newest requests: the tails of the workers' streams and of their open requests. Writes nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from paydispatch.adapters.redis import keys
from paydispatch.adapters.redis.requests.request_store import make_record
from paydispatch.adapters.redis.scripts import within_answer_timeout
from paydispatch.adapters.redis.streams.entry_texts import read_entry
from paydispatch.domain.identity.slots import bare_name, beside
from paydispatch.domain.operators.recent import WHY_SHOWN, Page, RecentRequest
from paydispatch.domain.outcomes import Error, Response

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from redis.asyncio import Redis

    from paydispatch.domain.entry import OutcomeEntry
    from paydispatch.domain.outcomes import Outcome

MOST_WORKERS = 20
OUTCOMES_AT_ONCE = 200
OPEN_AT_ONCE = 20
"""Of one worker."""
MOST_OPEN = 40
"""Of all workers, because each costs a command."""


class RedisRecent:
    """One reading costs at most 1 + 2 · 20 + 40 commands."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def read(self, places: Mapping[str, str]) -> Page:
        """Read the requests after `places`. Raises `Unavailable`."""
        async with within_answer_timeout():
            workers: Any = await self._redis.zrevrange(keys.LOOKS, 0, MOST_WORKERS - 1)
            tails = await self._tails(workers, places)
            waiting = [
                (beside(worker, request_id), at)
                for worker, _, opened in tails
                for request_id, at in opened
            ]
            newest = sorted(waiting, key=lambda one: -one[1])[:MOST_OPEN]
            return Page(
                open=tuple(await self._open(newest)),
                outcomes=tuple(
                    one for worker, entries, _ in tails for one in _outcomes(worker, entries)
                ),
                places={**places, **{w: entries[0][0] for w, entries, _ in tails if entries}},
            )

    async def _tails(
        self, workers: Sequence[str], places: Mapping[str, str]
    ) -> list[tuple[str, Any, Any]]:
        async with self._redis.pipeline(transaction=False) as pipe:
            for worker in workers:
                after = f"({places[worker]}" if worker in places else "-"
                pipe.xrevrange(keys.outcomes(worker), "+", after, OUTCOMES_AT_ONCE)
                pipe.zrevrange(keys.open_requests(worker), 0, OPEN_AT_ONCE - 1, withscores=True)
            found = await pipe.execute() if workers else []
        return list(zip(workers, found[::2], found[1::2], strict=True))

    async def _open(self, waiting: Sequence[tuple[str, float]]) -> list[RecentRequest]:
        async with self._redis.pipeline(transaction=False) as pipe:
            for slot, _ in waiting:
                pipe.hgetall(keys.request(slot))
            found = await pipe.execute() if waiting else []
        return [
            _open(slot, at, fields)
            for (slot, at), fields in zip(waiting, found, strict=True)
            if "tenant" in fields
        ]


def _open(slot: str, at: float, fields: Mapping[str, str]) -> RecentRequest:
    record = make_record(bare_name(slot), fields)
    error = record.parsed_error or {}
    return RecentRequest(
        request_id=record.request_id,
        tenant=_tenant(slot),
        worker_id=record.worker_id,
        context_id=record.context_id,
        operation=record.operation,
        status=record.status,
        at=at,
        accepted_at=at,
        attempts=record.attempts,
        account=record.account,
        why=_short(record.waiting.clause if record.waiting else error.get("message")),
        retry_at=record.retry_at,
    )


def _outcomes(worker: str, entries: Sequence[Any]) -> Iterator[RecentRequest]:
    """Yield the entries that can be read. Those that cannot are the flow runner's to report."""
    for _, fields in entries:
        try:
            yield replace(_outcome(read_entry(fields["entry"])), tenant=_tenant(worker))
        except (ValueError, KeyError, TypeError):
            continue


def _outcome(entry: OutcomeEntry) -> RecentRequest:
    return RecentRequest(
        request_id=entry.request_id,
        tenant=None,
        worker_id=entry.worker_id,
        context_id=entry.context_id,
        operation=entry.operation,
        status=_status(entry.outcome),
        at=entry.settled_at,
        accepted_at=entry.accepted_at,
        attempts=entry.outcome.attempts,
        account=entry.account.rate_account if entry.account else None,
        stripe_id=_stripe_id(entry.outcome),
        why=_short(entry.outcome.message) if isinstance(entry.outcome, Error) else None,
    )


def _short(why: str | None) -> str | None:
    return why and why[:WHY_SHOWN]


def _stripe_id(outcome: Outcome) -> str | None:
    found = outcome.body.get("id") if isinstance(outcome, Response) else None
    return found if isinstance(found, str) else None


def _status(outcome: Outcome) -> str:
    if not outcome.settled:
        return "unknown"
    return "succeeded" if isinstance(outcome, Response) else "failed"


def _tenant(slot: str) -> str | None:
    return slot.rpartition(" ")[0] or None
