"""`Backlog` on Redis: reads the keys of publishing and of the flow runner, and writes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redis.exceptions import ResponseError

from paydispatch.adapters.redis import keys
from paydispatch.adapters.redis.eviction import policy_in
from paydispatch.adapters.redis.scripts import within_answer_timeout
from paydispatch.adapters.redis.streams.dead_streams import read_dead_flow
from paydispatch.adapters.redis.streams.looks import look_at
from paydispatch.domain.entry import OutcomeEntry
from paydispatch.domain.identity.slots import beside
from paydispatch.domain.operators.diagnosis import NO_EVICTION, OpenRequest, WaitingFlow
from paydispatch.domain.rates.waiting import read_waiting
from paydispatch.ports import StreamState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from redis.asyncio import Redis

    from paydispatch.domain.operators.dead_flows import DeadFlow
    from paydispatch.ports import Clock

_PAGE = 200

_STATUS_FIELDS = [
    "status",
    "object",
    "operation",
    "attempts",
    "last_sent_at",
    "retry_at",
    "waiting",
    "queued",
]


class RedisBacklog:
    """Reads the index of workers, and each worker's stream, consumer group, dead stream and open requests."""

    def __init__(self, redis: Redis, clock: Clock) -> None:
        self._redis = redis
        self._clock = clock

    async def workers(self, *, at_most: int) -> Sequence[str]:
        """Page through the index of workers with ZSCAN, and look at the keys of each worker on the page."""
        found: set[str] = set()
        cursor = None
        while cursor != 0 and len(found) < at_most:
            async with within_answer_timeout():
                cursor, page = await self._redis.zscan(keys.LOOKS, cursor or 0, count=_PAGE)
                names = [str(worker_id) for worker_id, _ in page]
                looks = await look_at(self._redis, names)
            waiting = zip(names, looks, strict=True)
            found |= {name for name, look in waiting if look and (look.unfinished or look.others)}
        return sorted(found)[:at_most]

    async def eviction_policy(self) -> str | None:
        """Ask each node with INFO. If one of several nodes evicts, return its policy."""
        async with within_answer_timeout():
            try:
                info: Any = await self._redis.info("memory")
            except ResponseError:
                return None
        policies = [policy_in(node) for node in (info.values() if _of_nodes(info) else [info])]
        return next((policy for policy in policies if policy != NO_EVICTION), NO_EVICTION)

    async def open_requests(
        self, worker_id: str, *, before: float, at_most: int
    ) -> Sequence[OpenRequest]:
        async with within_answer_timeout():
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
        async with within_answer_timeout():
            group = await self._read_group(worker_id)
            pending = await self._read_pending(worker_id, before, at_most) if group else []
            room = at_most - len(pending)
            unread = await self._read_unread(worker_id, group, before, room) if room else []
            read = await self._flows(worker_id, pending)
        return [*read, *(_unread_flow(worker_id, *entry) for entry in unread)]

    async def dead_flows(
        self, worker_id: str, *, before: float, at_most: int
    ) -> Sequence[DeadFlow]:
        async with within_answer_timeout():
            lying: Any = await self._redis.xrange(
                keys.dead(worker_id), "-", _last_id(before), count=at_most
            )
        return [read_dead_flow(worker_id, str(dead_id), fields) for dead_id, fields in lying]

    async def stream(self, worker_id: str) -> StreamState:
        stream = keys.outcomes(worker_id)
        async with within_answer_timeout():
            group = await self._read_group(worker_id)
            now_s = self._clock.now_s()
            first_pending = await self._read_pending(worker_id, now_s, 1) if group else []
            first_unread = await self._read_unread(worker_id, group, now_s, 1)
            dead = await self._redis.xlen(keys.dead(worker_id))
            unread = group.get("lag") if group else await self._redis.xlen(stream)
        oldest = [_entry_time_s(id_) for id_ in (*first_pending, *(one for one, _ in first_unread))]
        return StreamState(
            worker_id=worker_id,
            pending=int(group.get("pending", 0)),
            unread=len(first_unread) if unread is None else int(unread),
            oldest_pending_at=min(oldest, default=None),
            dead=int(dead),
        )

    async def _read_group(self, worker_id: str) -> Mapping[str, Any]:
        """Return the consumer group of the flow runners. Empty: no runner has read this stream yet."""
        try:
            groups = await self._redis.xinfo_groups(keys.outcomes(worker_id))
        except ResponseError as error:
            if "no such key" not in str(error).lower():
                raise
            return {}
        return next((group for group in groups if group["name"] == keys.GROUP), {})

    async def _read_pending(self, worker_id: str, before: float, at_most: int) -> list[str]:
        found = await self._redis.xpending_range(
            keys.outcomes(worker_id), keys.GROUP, "-", _last_id(before), at_most
        )
        return [str(one["message_id"]) for one in found]

    async def _read_unread(
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
        """Return for each entry the head of its context's queue, and the time left (ms) of the context's lease."""
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
            published_at=_entry_time_s(entry_id),
            delivered=True,
            runs=int(runs or 0),
            due_at=None if due_ms is None else due_ms / 1000,
            first_of_context=head in (entry_id, None),
            lease_until=self._clock.now_s() + held_ms / 1000 if held_ms > 0 else None,
        )


def _of_nodes(info: Any) -> bool:
    """Return whether a cluster client gave the answer: then it holds a dictionary for each node."""
    return any(isinstance(value, dict) for value in info.values())


def _open_request(
    worker_id: str, request_id: str, since: float, fields: Sequence[str | None]
) -> OpenRequest:
    status, object_name, operation, attempts, begun_at, retry_at, waiting, queued = fields
    return OpenRequest(
        request_id=request_id,
        worker_id=worker_id,
        known_since=since,
        status=status or ("dispatched" if queued else None),
        object=object_name,
        operation=operation,
        attempts=int(attempts or 0),
        begun_at=float(begun_at) if begun_at else None,
        retry_at=float(retry_at) if retry_at else None,
        waiting=read_waiting(waiting),
    )


def _unread_flow(worker_id: str, entry_id: str, fields: Mapping[str, str]) -> WaitingFlow:
    return WaitingFlow(
        worker_id=worker_id,
        entry_id=entry_id,
        entry=_entry(fields),
        published_at=_entry_time_s(entry_id),
        delivered=False,
    )


def _entry(fields: Mapping[str, str] | None) -> OutcomeEntry | None:
    try:
        return OutcomeEntry.from_json((fields or {})["entry"])
    except (ValueError, KeyError, TypeError):
        return None


def _entry_time_s(entry_id: str) -> float:
    return int(entry_id.partition("-")[0]) / 1000


def _last_id(before_s: float) -> str:
    """Return the upper bound, for XRANGE, of the entries that were added at `before_s` or earlier."""
    return str(max(0, int(before_s * 1000)))
