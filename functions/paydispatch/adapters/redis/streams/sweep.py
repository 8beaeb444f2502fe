"""`Sweep` on Redis: a sorted set of workers by their next look, so that only the due workers cost anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paydispatch.adapters.redis import keys
from paydispatch.adapters.redis.scripts import script, within_answer_timeout
from paydispatch.adapters.redis.streams.looks import look_at
from paydispatch.adapters.redis.workers import (
    move_on,
    note_requests,
    note_unknown,
    was_noted,
)
from paydispatch.domain.sweep import (
    KEPT_LOOK_S,
    LOOK_AGAIN_S,
    WorkerLook,
    has_work,
    next_look_at,
)
from paydispatch.ports import Swept

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from redis.asyncio import Redis

    from paydispatch.ports import Clock, EventLog

LOOKS_AT_ONCE = 100
"""The workers of one round trip, which takes a few milliseconds of Redis."""


class RedisSweep:
    """One of the sweeps that may run at once. `take_due.lua` gives each look to one of them."""

    def __init__(self, redis: Redis, clock: Clock, log: EventLog) -> None:
        self._redis = redis
        self._clock = clock
        self._log = log

    async def due(self, *, at_most: int) -> Swept:
        """Take the due workers from the sorted set, look at each, and write the time of its next look."""
        now_s = self._clock.now_s()
        async with within_answer_timeout():
            taken = await self._take(now_s, at_most)
            looks = await look_at(self._redis, list(taken))
            found = list(zip(taken.items(), looks, strict=True))
            await self._plan(now_s, found)
            if len(taken) < at_most:
                await self._take_over_old_workers()
        with_work = [id_ for (id_, _), look in found if look and has_work(look, now_s)]
        return Swept(len(taken), with_work)

    async def with_work(self, worker_ids: Collection[str]) -> Sequence[str]:
        now_s, names = self._clock.now_s(), list(worker_ids)
        looks: list[WorkerLook | None] = []
        for start in range(0, len(names), LOOKS_AT_ONCE):
            async with within_answer_timeout():
                looks += await look_at(self._redis, names[start : start + LOOKS_AT_ONCE])
        found = zip(names, looks, strict=True)
        return [worker_id for worker_id, look in found if look and has_work(look, now_s)]

    async def _take(self, now_s: float, at_most: int) -> dict[str, float]:
        """Return the due workers, each with the score that it had: the score of a note, or the time of its look."""
        arguments = (now_s * 1000, at_most, _reservation_end_ms(now_s))
        due: Any = await self._redis.eval(script("take_due"), 1, keys.LOOKS, *arguments)
        return dict(zip(due[0::2], map(float, due[1::2]), strict=True))

    async def _plan(
        self, now_s: float, found: Sequence[tuple[tuple[str, float], WorkerLook | None]]
    ) -> None:
        """Write the time of each worker's next look."""
        moves = []
        for (worker_id, was), look in found:
            following = self._next_look_ms(worker_id, look, now_s, noted=was_noted(was))
            moves.append((worker_id, _reservation_end_ms(now_s), following))
        await move_on(self._redis, keys.LOOKS, moves)

    def _next_look_ms(
        self, worker_id: str, look: WorkerLook | None, now_s: float, *, noted: bool
    ) -> float | None:
        if look is None:
            self._log.warning("worker.unreadable", worker_id=worker_id)
            return (now_s + KEPT_LOOK_S) * 1000
        following_s = next_look_at(look, now_s, noted=noted)
        return None if following_s is None else following_s * 1000

    async def _take_over_old_workers(self) -> None:
        """Move the workers of an earlier version's set. That version may still add some while it is being replaced."""
        names: Any = await self._redis.srandmember(keys.OLD_WORKERS, LOOKS_AT_ONCE)
        if not names:
            return
        async with self._redis.pipeline(transaction=False) as pipe:
            note_requests(pipe, names)
            note_unknown(pipe, names)
            await pipe.execute()
        await self._redis.srem(keys.OLD_WORKERS, *names)


def _reservation_end_ms(now_s: float) -> float:
    """Return the time (unix ms) until which no other sweep takes the workers.

    That is longer than a look takes, and as long as the next look may wait.
    """
    return (now_s + LOOK_AGAIN_S) * 1000
