"""Look at the keys of workers: one small script for each worker, all of a call in one round trip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paydispatch.adapters.redis import keys
from paydispatch.adapters.redis.scripts import script
from paydispatch.domain.sweep import WorkerLook

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.asyncio import Redis


async def look_at(redis: Redis, worker_ids: Sequence[str]) -> list[WorkerLook | None]:
    """Return one look per worker. None: another program wrote a wrong type to one of the worker's keys.

    Such a worker must not stop the sweep of all others.
    """
    if not worker_ids:
        return []
    async with redis.pipeline(transaction=False) as pipe:
        pipe.zrem(keys.LOOKS, "")  # a write that changes nothing, because only a primary takes it
        for worker_id in worker_ids:
            pipe.eval(script("look"), 5, *_names(worker_id), keys.GROUP)
        _, *looks = map(_read, await pipe.execute(raise_on_error=False))
    return looks


def _names(worker_id: str) -> list[str]:
    return [
        keys.outcomes(worker_id),
        keys.later(worker_id),
        keys.dead(worker_id),
        keys.open_requests(worker_id),
        keys.unknown(worker_id),
    ]


def _read(answer: Any) -> WorkerLook | None:
    if isinstance(answer, Exception):
        if "WRONGTYPE" not in str(answer):
            raise answer
        return None
    return _look(*answer) if isinstance(answer, list) else None


def _look(
    unread: int, pending: int, postponed: int, due_ms: str, oldest_id: str, others: int
) -> WorkerLook:
    return WorkerLook(
        unread=bool(unread),
        pending=pending,
        postponed=postponed,
        first_due_at=float(due_ms) / 1000 if due_ms else None,
        oldest_entry_at=int(oldest_id.partition("-")[0]) / 1000 if oldest_id else None,
        others=others,
    )
