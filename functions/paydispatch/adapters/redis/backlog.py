"""`Backlog` on Redis: reads what publishing and the flow runner keep there, and writes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redis.exceptions import ResponseError

from paydispatch.adapters.redis import keys
from paydispatch.adapters.redis.eviction import policy_in
from paydispatch.adapters.redis.looks import look_at
from paydispatch.adapters.redis.scripts import answered_in_time
from paydispatch.domain.diagnosis import NO_EVICTION, DeadFlow, OpenRequest, WaitingFlow
from paydispatch.domain.entry import OutcomeEntry
from paydispatch.domain.slots import beside
from paydispatch.ports import StreamState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from redis.asyncio import Redis

    from paydispatch.ports import Clock

_PAGE = 200

_STATUS_FIELDS = ["status", "object", "attempts", "last_sent_at", "retry_at", "queued"]


class RedisBacklog:
    def __init__(self, redis: Redis, clock: Clock) -> None:
        self._redis = redis
        self._clock = clock

    async def workers(self, *, at_most: int) -> Sequence[str]:
        """Looks at each worker there is, a page at a time, and returns those for whom anything waits."""
        found: set[str] = set()
        cursor = None
        while cursor != 0 and len(found) < at_most:
            async with answered_in_time():
                cursor, page = await self._redis.zscan(keys.LOOKS, cursor or 0, count=_PAGE)
                names = [str(worker_id) for worker_id, _ in page]
                looks = await look_at(self._redis, names)
            waiting = zip(names, looks, strict=True)
            found |= {name for name, look in waiting if look and (look.unfinished or look.others)}
        return sorted(found)[:at_most]

    async def eviction_policy(self) -> str | None:
        """Of several nodes, that of one that evicts if there is any."""
        async with answered_in_time():
            try:
                info: Any = await self._redis.info("memory")
            except ResponseError:
                return None
        told = [policy_in(node) for node in (info.values() if _of_nodes(info) else [info])]
        return next((policy for policy in told if policy != NO_EVICTION), NO_EVICTION)

    async def open_requests(
        self, worker_id: str, *, before: float, at_most: int
    ) -> Sequence[OpenRequest]:
        async with answered_in_time():
            found: Any = await self._redis.zrangebyscore(
                keys.open_requests(worker_id), "-inf", before, 0, at_most, withscores=True
            )
            async with self._redis.pipeline(transaction=False) as pipe:
                for request_id, _ in found:
                    pipe.hmget(keys.request(beside(worker_id, str(request_id))), _STATUS_FIELDS)
                statuses = await pipe.execute() if found else []
        return [
            _open_request(worker_id, str(request_id), float(since), status)
            for (request_id, since), status in zip(found, statuses, strict=True)
        ]

    async def waiting_flows(
        self, worker_id: str, *, before: float, at_most: int
    ) -> Sequence[WaitingFlow]:
        async with answered_in_time():
            group = await self._group(worker_id)
            pending = await self._pending(worker_id, before, at_most) if group else []
            room = at_most - len(pending)
            unread = await self._unread(worker_id, group, before, room) if room else []
            read = await self._flows(worker_id, pending)
        return [*read, *(_unread_flow(worker_id, *entry) for entry in unread)]

    async def dead_flows(
        self, worker_id: str, *, before: float, at_most: int
    ) -> Sequence[DeadFlow]:
        async with answered_in_time():
            lying: Any = await self._redis.xrange(
                keys.dead(worker_id), "-", _last_id(before), count=at_most
            )
        return [
            DeadFlow(
                worker_id=worker_id,
                entry=_entry(fields),
                reason=str(fields.get("reason", "")),
                dead_since=_published_at(entry_id),
            )
            for entry_id, fields in lying
        ]

    async def stream(self, worker_id: str) -> StreamState:
        stream = keys.outcomes(worker_id)
        async with answered_in_time():
            group = await self._group(worker_id)
            now_s = self._clock.now_s()
            first_pending = await self._pending(worker_id, now_s, 1) if group else []
            first_unread = await self._unread(worker_id, group, now_s, 1)
            dead = await self._redis.xlen(keys.dead(worker_id))
            unread = group.get("lag") if group else await self._redis.xlen(stream)
        oldest = [_published_at(id_) for id_ in (*first_pending, *(one for one, _ in first_unread))]
        return StreamState(
            worker_id=worker_id,
            pending=int(group.get("pending", 0)),
            unread=len(first_unread) if unread is None else int(unread),
            oldest_pending_at=min(oldest, default=None),
            dead=int(dead),
        )

    async def _group(self, worker_id: str) -> Mapping[str, Any]:
        """The runners' group, or nothing: then no runner has ever looked."""
        try:
            groups = await self._redis.xinfo_groups(keys.outcomes(worker_id))
        except ResponseError as error:
            if "no such key" not in str(error).lower():
                raise
            return {}
        return next((group for group in groups if group["name"] == keys.GROUP), {})

    async def _pending(self, worker_id: str, before: float, at_most: int) -> list[str]:
        found = await self._redis.xpending_range(
            keys.outcomes(worker_id), keys.GROUP, "-", _last_id(before), at_most
        )
        return [str(one["message_id"]) for one in found]

    async def _unread(
        self, worker_id: str, group: Mapping[str, Any], before: float, at_most: int
    ) -> list[Any]:
        after = f"({group['last-delivered-id']}" if group else "-"
        found: Any = await self._redis.xrange(
            keys.outcomes(worker_id), after, _last_id(before), count=at_most
        )
        return list(found)

    async def _flows(self, worker_id: str, entry_ids: Sequence[str]) -> list[WaitingFlow]:
        if not entry_ids:
            return []
        async with self._redis.pipeline(transaction=False) as pipe:
            for entry_id in entry_ids:
                pipe.xrange(keys.outcomes(worker_id), entry_id, entry_id)
                pipe.zscore(keys.later(worker_id), entry_id)
                pipe.hget(keys.runs(worker_id), entry_id)
            answers = await pipe.execute()
        entries = [_entry(found[0][1]) if found else None for found in answers[0::3]]
        contexts = await self._contexts(worker_id, entries)
        return [
            self._flow(worker_id, *facts)
            for facts in zip(
                entry_ids, entries, answers[1::3], answers[2::3], contexts, strict=True
            )
        ]

    async def _contexts(
        self, worker_id: str, entries: Sequence[OutcomeEntry | None]
    ) -> list[tuple[str | None, int]]:
        """For each entry the head of its context, and for how long (ms) the context is held."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for entry in entries:
                context_id = entry.context_id if entry else ""
                pipe.lindex(keys.context(worker_id, context_id), 0)
                pipe.pttl(keys.lease(worker_id, context_id))
            answers = await pipe.execute()
        return list(zip(answers[0::2], answers[1::2], strict=True))

    def _flow(
        self,
        worker_id: str,
        entry_id: str,
        entry: OutcomeEntry | None,
        due_ms: float | None,
        runs: str | None,
        context: tuple[str | None, int],
    ) -> WaitingFlow:
        head, held_ms = context
        return WaitingFlow(
            worker_id=worker_id,
            entry_id=entry_id,
            entry=entry,
            published_at=_published_at(entry_id),
            delivered=True,
            runs=int(runs or 0),
            due_at=None if due_ms is None else due_ms / 1000,
            first_of_context=head in (entry_id, None),
            lease_until=self._clock.now_s() + held_ms / 1000 if held_ms > 0 else None,
        )


def _of_nodes(info: Any) -> bool:
    """A cluster's client answers for each node."""
    return any(isinstance(value, dict) for value in info.values())


def _open_request(
    worker_id: str, request_id: str, since: float, fields: Sequence[str | None]
) -> OpenRequest:
    status, object_name, attempts, begun_at, retry_at, queued = fields
    return OpenRequest(
        request_id=request_id,
        worker_id=worker_id,
        known_since=since,
        status=status or ("dispatched" if queued else None),
        object=object_name,
        attempts=int(attempts or 0),
        begun_at=float(begun_at) if begun_at else None,
        retry_at=float(retry_at) if retry_at else None,
    )


def _unread_flow(worker_id: str, entry_id: str, fields: Mapping[str, str]) -> WaitingFlow:
    return WaitingFlow(
        worker_id=worker_id,
        entry_id=entry_id,
        entry=_entry(fields),
        published_at=_published_at(entry_id),
        delivered=False,
    )


def _entry(fields: Mapping[str, str] | None) -> OutcomeEntry | None:
    try:
        return OutcomeEntry.from_json((fields or {})["entry"])
    except (ValueError, KeyError, TypeError):
        return None


def _published_at(entry_id: str) -> float:
    return int(entry_id.partition("-")[0]) / 1000


def _last_id(before_s: float) -> str:
    """The stream id below which everything is at least as old."""
    return str(max(0, int(before_s * 1000)))
