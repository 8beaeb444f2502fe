"""`Traces` on Redis: reads the slot of a request, and the keys of its outcome in the worker's slot. Writes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redis.exceptions import ResponseError

from paydispatch.adapters.redis import keys
from paydispatch.adapters.redis.requests.claims import read_event, read_seconds
from paydispatch.adapters.redis.requests.request_store import make_record
from paydispatch.adapters.redis.scripts import within_answer_timeout
from paydispatch.adapters.redis.streams.entry_texts import read_entry
from paydispatch.domain.identity.slots import bare_name
from paydispatch.domain.operators.traces import (
    Dead,
    Finished,
    FlowPath,
    LaterSend,
    NotRead,
    Over,
    Pending,
    Postponed,
    Rerun,
    Running,
    SlotTimes,
)
from paydispatch.ports import TracedRequest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from redis.asyncio import Redis

    from paydispatch.domain.entry import OutcomeEntry
    from paydispatch.domain.operators.traces import FlowState
    from paydispatch.ports import Clock


class RedisTraces:
    """Each method reads the keys of one slot in one pipeline, and an entry's state in one more."""

    def __init__(self, redis: Redis, clock: Clock) -> None:
        self._redis = redis
        self._clock = clock

    async def request(self, slot: str) -> TracedRequest | None:
        async with within_answer_timeout(), self._redis.pipeline(transaction=False) as pipe:
            pipe.hgetall(keys.request(slot))
            pipe.scard(keys.sends(slot))
            fields, open_sends = await pipe.execute()
        if "tenant" not in fields or not ("queued" in fields or "status" in fields):
            return None
        return TracedRequest(
            record=make_record(bare_name(slot), fields), times=_times(fields, int(open_sends))
        )

    async def flows(self, worker_slot: str, request_id: str) -> Sequence[FlowPath]:
        async with within_answer_timeout():
            mark: Any = await self._redis.get(keys.seen(worker_slot, request_id))
            found: list[FlowPath] = []
            entry_id = (mark or "").partition(" ")[2]
            following = [entry_id] if entry_id else []
            while following:
                path, successors = await self._flow(worker_slot, following.pop(0))
                found.append(path)
                following += successors
        return found

    async def statuses(self, slots: Sequence[str]) -> Sequence[str | None]:
        async with within_answer_timeout(), self._redis.pipeline(transaction=False) as pipe:
            for slot in slots:
                pipe.hmget(keys.request(slot), ["status", "queued"])
            found = await pipe.execute() if slots else []
        return [status or ("dispatched" if queued else None) for status, queued in found]

    async def _flow(self, worker: str, entry_id: str) -> tuple[FlowPath, list[str]]:
        """Return the path of an entry, and the ids of the entries that follow it."""
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.xrange(keys.outcomes(worker), entry_id, entry_id)
            pipe.get(keys.ended(worker, entry_id))
            found, ended = await pipe.execute()
        entry = _entry(found[0][1]) if found else None
        if ended is None:
            state = await self._state(worker, entry_id, entry)
            successors: list[str] = []
        else:
            state, successors = await self._end(worker, ended)
        path = FlowPath(
            entry_id=entry_id, published_at=_seconds_of(entry_id), entry=entry, state=state
        )
        return path, successors

    async def _end(self, worker: str, ended: str) -> tuple[FlowState, list[str]]:
        how, where, runs, *following = ended.split(" ")
        if how == "finished":
            return Finished(int(where) / 1000, int(runs)), []
        if how == "rerun":  # the error entry that took its place ran before the rerun
            return Rerun(int(where) / 1000, int(runs)), following[::-1]
        lying: Any = await self._redis.xrange(keys.dead(worker), where, where)
        reason = str(lying[0][1].get("reason", "")) if lying else ""
        return Dead(_seconds_of(where), int(runs), reason), following

    async def _state(self, worker: str, entry_id: str, entry: OutcomeEntry | None) -> FlowState:
        """Return the state of an entry without a noted end."""
        context_id = entry.context_id if entry else ""
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.hget(keys.runs(worker), entry_id)
            pipe.zscore(keys.later(worker), entry_id)
            pipe.lindex(keys.context(worker, context_id), 0)
            pipe.pttl(keys.lease(worker, context_id))
            pipe.lpos(keys.context(worker, context_id), entry_id)
            pipe.hmget(keys.runs(worker), f"failed:{entry_id}", f"missing:{entry_id}")
            runs, due_ms, head, held_ms, place, (failed, missing_ms) = await pipe.execute()
        if entry is None:
            return Over()
        if not await self._is_pending(worker, entry_id):
            return Over() if place is None else NotRead()
        if due_ms:  # 0: it is due at once
            missing_since = int(missing_ms) / 1000 if missing_ms else None
            return Postponed(int(runs or 0), due_ms / 1000, int(failed or 0), missing_since)
        if head == entry_id and held_ms > 0:
            return Running(int(runs or 0), self._clock.now_s() + held_ms / 1000)
        return Pending(int(runs or 0), behind_another=head not in (entry_id, None))

    async def _is_pending(self, worker: str, entry_id: str) -> bool:
        """Return whether a runner has read the entry and not acknowledged it."""
        try:
            found = await self._redis.xpending_range(
                keys.outcomes(worker), keys.GROUP, entry_id, entry_id, 1
            )
        except ResponseError as error:
            if "NOGROUP" not in str(error):
                raise
            return False
        return bool(found)


def _times(fields: Mapping[str, str], open_sends: int) -> SlotTimes:
    event = read_event(fields.get("event"))
    return SlotTimes(
        accepted_at=read_seconds(fields.get("accepted_at")),
        queued_at=read_seconds(fields.get("queued_at")),
        received_at=read_seconds(fields.get("received_at")),
        first_sent_at=read_seconds(fields.get("first_sent_at")),
        last_sent_at=read_seconds(fields.get("last_sent_at")),
        later_sends=tuple(map(_later_send, fields.get("later_sends", "").split())),
        unknown_at=read_seconds(fields.get("unknown_at")),
        settled_at=read_seconds(fields.get("settled_at")),
        stripe_request_id=fields.get("stripe_request_id") or None,
        open_sends=open_sends,
        in_doubt=fields.get("maybe_executed") == "1",
        event_id=None if event is None else event.event_id,
        repeats=int(fields.get("repeats") or 0),
    )


def _later_send(text: str) -> LaterSend:
    attempt, _, at = text.partition(":")
    return LaterSend(int(attempt), float(at))


def _entry(fields: Mapping[str, str]) -> OutcomeEntry | None:
    try:
        return read_entry(fields["entry"])
    except (ValueError, KeyError, TypeError):
        return None


def _seconds_of(entry_id: str) -> float:
    return int(entry_id.partition("-")[0]) / 1000
