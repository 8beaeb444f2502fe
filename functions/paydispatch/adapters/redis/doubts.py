"""`Doubts` on Redis: the keys of a place share one slot. The index of places is in another one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from paydispatch.adapters.redis import keys
from paydispatch.adapters.redis.scripts import script, within_answer_timeout
from paydispatch.domain.limits import REMEMBER_S
from paydispatch.domain.looks.doubts import LOST_AFTER_S, Doubt, LookState, Place

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from redis.asyncio import Redis

    from paydispatch.ports import Clock

_AS_IT_IS = "-"


class RedisDoubts:
    """Keeps a sorted set of due times, a hash of doubts and a hash of the state for each place."""

    def __init__(self, redis: Redis, clock: Clock) -> None:
        self._redis = redis
        self._clock = clock

    async def note(self, place: Place, doubt: Doubt, *, due_at: float) -> bool:
        names = keys.doubt_times(place.name), keys.doubts(place.name), keys.look_state(place.name)
        words: list[Any] = [
            _member(doubt),
            due_at,
            _record(doubt),
            self._clock.now_s(),
            LOST_AFTER_S,
        ]
        async with within_answer_timeout(), self._redis.pipeline(transaction=False) as pipe:
            # The place is noted first, so that a crash hides no doubt from the sweep.
            pipe.zadd(keys.DOUBT_PLACES, {place.name: self._clock.now_s()})
            pipe.eval(script("plan_look"), len(names), *names, *words, REMEMBER_S)
            *_, must_send = await pipe.execute()
        return bool(must_send)

    async def places(self, *, at_most: int) -> Sequence[Place]:
        async with within_answer_timeout():
            names: Any = await self._redis.zrange(keys.DOUBT_PLACES, 0, at_most - 1)
        return [Place.of_name(name) for name in names]

    async def state(self, place: Place) -> LookState:
        async with within_answer_timeout(), self._redis.pipeline(transaction=False) as pipe:
            pipe.hmget(keys.look_state(place.name), ["looks", "next_at", "last_at", "cursor"])
            pipe.hlen(keys.doubts(place.name))
            (looks, next_at, last_at, cursor), doubts = await pipe.execute()
        return LookState(
            looks=int(looks or 0),
            next_at=None if next_at is None else float(next_at),
            last_at=None if last_at is None else float(last_at),
            cursor=json.loads(cursor) if cursor else None,
            doubts=doubts,
        )

    async def lease(
        self, place: Place, token: str, for_s: float, cursor: Mapping[str, Any] | None = None
    ) -> bool:
        kept = _AS_IT_IS if cursor is None else json.dumps(cursor) if cursor else ""
        words: list[Any] = [token, for_s, kept, REMEMBER_S]
        async with within_answer_timeout():
            done: Any = await self._redis.eval(
                script("lease_place"), 1, keys.look_state(place.name), *words
            )
        return bool(done)

    async def due(self, place: Place, *, before: float, at_most: int) -> Sequence[Doubt]:
        async with within_answer_timeout():
            members: Any = await self._redis.zrange(
                keys.doubt_times(place.name), "-inf", before, byscore=True, offset=0, num=at_most
            )
            records: Any = (
                await self._redis.hmget(keys.doubts(place.name), members) if members else []
            )
        return [_doubt(member, record) for member, record in zip(members, records, strict=True)]

    async def postpone(self, place: Place, due_at: Mapping[Doubt, float]) -> None:
        if not due_at:
            return
        async with within_answer_timeout(), self._redis.pipeline(transaction=False) as pipe:
            times = {_member(doubt): at for doubt, at in due_at.items()}
            pipe.zadd(keys.doubt_times(place.name), times, xx=True)
            pipe.hset(
                keys.doubts(place.name), mapping={_member(one): _record(one) for one in due_at}
            )
            await pipe.execute()

    async def drop(self, place: Place, doubts: Sequence[Doubt]) -> None:
        if not doubts:
            return
        members = [_member(doubt) for doubt in doubts]
        async with within_answer_timeout(), self._redis.pipeline(transaction=False) as pipe:
            pipe.zrem(keys.doubt_times(place.name), *members)
            pipe.hdel(keys.doubts(place.name), *members)
            await pipe.execute()

    async def end_look(
        self, place: Place, token: str, *, not_before: float
    ) -> tuple[int, float] | None:
        names = keys.doubt_times(place.name), keys.look_state(place.name)
        words: list[Any] = [token, self._clock.now_s(), not_before]
        async with within_answer_timeout():
            planned: Any = await self._redis.eval(script("end_look"), 2, *names, *words)
            if planned is None:
                await self._forget_if_empty(place)
        return None if planned is None else (int(planned[0]), float(planned[1]))

    async def _forget_if_empty(self, place: Place) -> None:
        """Drop the place from the index of places. A doubt that comes meanwhile notes it again."""
        if not await self._redis.exists(keys.doubts(place.name)):
            await self._redis.zrem(keys.DOUBT_PLACES, place.name)


def _member(doubt: Doubt) -> str:
    """Return the doubt's name. A request id holds no space."""
    return f"{doubt.request_id} {doubt.worker}"


def _record(doubt: Doubt) -> str:
    return json.dumps([doubt.since, doubt.seen_until])


def _doubt(member: str, record: str | None) -> Doubt:
    request_id, _, worker = member.partition(" ")
    since, seen_until = json.loads(record) if record else (0.0, 0.0)
    return Doubt(worker, request_id, since, seen_until)
