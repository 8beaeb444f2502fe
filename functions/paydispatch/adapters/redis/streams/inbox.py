"""`FlowInbox` on Redis: a consumer group delivers the entries, and a queue and a lease per context keep their order.

The group alone would deliver two entries of one context to two runners. So an entry runs only when it is the head of
its context's queue and its runner holds the context's lease. A runner drops an entry that it reads out of turn. The
entry stays pending, and the runner that finishes the entry before it claims it.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import defaultdict
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from redis.exceptions import ResponseError

from paydispatch.adapters.redis import keys
from paydispatch.adapters.redis.scripts import script, within_answer_timeout
from paydispatch.adapters.redis.workers import note_due
from paydispatch.domain.entry import OutcomeEntry
from paydispatch.domain.sweep import KEEP_FINISHED_S
from paydispatch.ports import Turn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from redis.asyncio import Redis

    from paydispatch.ports import Clock, EventLog

LEASE_MARGIN_S = 5.0
"""A lease lasts this much longer than its flow's timeout. An entry is idle after this much more."""

FORGET_CONSUMERS_AFTER_S = 86_400
"""A consumer without pending entries that has not read for a day has ended. If it reads, Redis makes it again."""

LOOKS_AT_ONCE = 25
"""Half of the connections. However many workers are read at once, `finish` and the like find a free connection."""

FINISHED = -1
"""The answer of `take_turn.lua` for an entry that was finished before."""

SCAN_EVERY_S = 1.0
TRIM_EVERY_S = 60.0


class RedisInbox:
    """The inbox of one process. `consumer` is its name in the consumer group. Each lease has a token of its own."""

    def __init__(
        self,
        redis: Redis,
        clock: Clock,
        log: EventLog,
        *,
        consumer: str,
        flow_timeout_s: float,
        forget_consumers_after_s: float = FORGET_CONSUMERS_AFTER_S,
    ) -> None:
        self._redis = redis
        self._clock = clock
        self._log = log
        self._consumer = consumer
        self._lease_ms = round((flow_timeout_s + LEASE_MARGIN_S) * 1000)
        self._idle_ms = round((flow_timeout_s + 2 * LEASE_MARGIN_S) * 1000)
        self._forget_consumers_after_ms = round(forget_consumers_after_s * 1000)
        self._looks = asyncio.Semaphore(LOOKS_AT_ONCE)
        self._look: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        """A lock per worker. Two reads that ask for one turn under one lease token at once would both get it."""
        self._scan_at: dict[str, float] = {}
        self._scan_from: dict[str, str] = {}
        """The XAUTOCLAIM cursor per worker, so that entries that wait for their context hide no abandoned one."""
        self._trim_at: dict[str, float] = {}
        self._look_back_from: dict[str, str] = {}
        """For each worker with a failed read: the id after which to read this consumer's pending entries again."""
        self._unanswered: dict[str, dict[str, str]] = {}
        """For each worker: the lease token per entry that got no answer from `take_turn`, but may have its turn."""

    async def take(self, worker_id: str, *, at_most: int) -> Sequence[Turn]:
        """Read new entries with XREADGROUP, and take the turn of each with `take_turn.lua`."""
        async with self._exclusive_read(worker_id):
            while True:
                entries = await self._read(worker_id, at_most)
                turns, finished = await self._turns(worker_id, entries)
                if finished < at_most:
                    return turns

    async def take_abandoned(self, worker_id: str, *, at_most: int) -> Sequence[Turn]:
        """Claim idle entries with XAUTOCLAIM and due entries with XCLAIM, and take the turn of each."""
        async with self._exclusive_read(worker_id):
            if delivered_before := await self._take_delivered_before(worker_id, at_most):
                return delivered_before
            found: dict[str, Any] = {}
            if self._time_for(self._scan_at, worker_id, SCAN_EVERY_S):
                found |= await self._idle(worker_id, at_most)
            if len(found) < at_most:
                found |= await self._due(worker_id, at_most - len(found))
            if self._time_for(self._trim_at, worker_id, TRIM_EVERY_S):
                await self._trim(worker_id)
            turns, _ = await self._turns(worker_id, found.items())
            return turns

    async def finish(self, turn: Turn, *, take_next: bool) -> Turn | None:
        """Acknowledge with `finish.lua`, and claim the next entry of the context with XCLAIM."""
        return await self._finish(turn, take_next=take_next, dead="", reason="", successor="")

    async def move_to_dead_stream(
        self, turn: Turn, *, reason: str, successor: OutcomeEntry | None, take_next: bool
    ) -> Turn | None:
        """Finish the entry with `finish.lua`, which also adds it to the dead stream and adds the successor."""
        following = successor.as_json() if successor else ""
        return await self._finish(
            turn, take_next=take_next, dead=turn.entry.as_json(), reason=reason, successor=following
        )

    async def renew(self, turn: Turn, for_s: float) -> bool:
        """Extend the lease's time to live with `renew.lua`, by `LEASE_MARGIN_S` more than asked."""
        lease = keys.lease(turn.worker_slot, turn.entry.context_id)
        least_ms = round((for_s + LEASE_MARGIN_S) * 1000)
        async with within_answer_timeout():
            return bool(await self._eval("renew", [lease], turn.lease, least_ms))

    async def missing_since(self, turn: Turn) -> float:
        """Note the time with `note_missing.lua`, in the hash of the runs."""
        worker_id = turn.worker_slot
        names = [keys.lease(worker_id, turn.entry.context_id), keys.runs(worker_id)]
        now_ms = round(self._clock.now_s() * 1000)
        async with within_answer_timeout():
            since_ms = await self._eval("note_missing", names, turn.entry_id, turn.lease, now_ms)
        return int(since_ms) / 1000

    async def postpone(
        self, turn: Turn, delay_s: float, *, counted: bool, missing: bool = False
    ) -> None:
        """Note the time for the sweep, then add the entry to the postponed ones and delete its lease."""
        worker_id = turn.worker_slot
        names = [
            keys.lease(worker_id, turn.entry.context_id),
            keys.later(worker_id),
            keys.runs(worker_id),
        ]
        due_ms = round((self._clock.now_s() + delay_s) * 1000)
        arguments: list[Any] = [turn.entry_id, turn.lease, due_ms, int(counted), int(missing)]
        async with within_answer_timeout(), self._redis.pipeline(transaction=False) as pipe:
            note_due(pipe, worker_id, due_ms)
            pipe.eval(script("postpone"), len(names), *names, *arguments)
            await pipe.execute()

    @asynccontextmanager
    async def _exclusive_read(self, worker_id: str) -> AsyncIterator[None]:
        """Read one stream at a time. After a failure, later read the entries that Redis may have delivered."""
        async with self._look[worker_id], self._looks, within_answer_timeout():
            try:
                yield
            except BaseException:  # a cancellation by the time limit, too
                self._look_back_from[worker_id] = "0"
                raise

    async def _take_delivered_before(self, worker_id: str, at_most: int) -> Sequence[Turn]:
        """After a failed read, take the turns among the entries that are pending for this consumer."""
        while (after := self._look_back_from.get(worker_id)) is not None:
            entries = await self._read(worker_id, at_most, after=after)
            turns, _ = await self._turns(worker_id, entries)
            if entries:
                self._look_back_from[worker_id] = entries[-1][0]
            else:
                del self._look_back_from[worker_id]
                self._unanswered.pop(worker_id, None)
            if turns:
                return turns
        return []

    async def _read(self, worker_id: str, at_most: int, *, after: str = ">") -> list[Any]:
        """Read new entries, or the entries after the id `after` that are pending for this consumer."""
        stream = keys.outcomes(worker_id)
        try:
            answer = await self._xreadgroup(stream, at_most, after)
        except ResponseError as error:
            if "NOGROUP" not in str(error):
                raise
            if not await self._redis.exists(stream):
                return []  # a read must not create the stream
            await self._make_group(worker_id)
            answer = await self._xreadgroup(stream, at_most, after)
        streams = answer.items() if isinstance(answer, dict) else answer or []
        return [entry for _, entries in streams for entry in _flat(entries)]

    async def _xreadgroup(self, stream: str, at_most: int, after: str) -> Any:
        return await self._redis.xreadgroup(
            keys.GROUP, self._consumer, {stream: after}, count=at_most
        )

    async def _make_group(self, worker_id: str) -> None:
        """Make the group of a new stream, or a lost group again, which delivers finished entries once more."""
        names = [keys.outcomes(worker_id), keys.finished_before(worker_id)]
        await self._eval("make_group", names, keys.GROUP)

    async def _due(self, worker_id: str, at_most: int) -> dict[str, Any]:
        now_ms = round(self._clock.now_s() * 1000)
        due = await self._redis.zrangebyscore(
            keys.later(worker_id), "-inf", now_ms, start=0, num=at_most
        )
        entry_ids = [str(entry_id) for entry_id in due]
        return dict(await self._claim(worker_id, entry_ids)) if entry_ids else {}

    async def _idle(self, worker_id: str, at_most: int) -> dict[str, Any]:
        try:
            answer = await self._redis.xautoclaim(
                keys.outcomes(worker_id),
                keys.GROUP,
                self._consumer,
                self._idle_ms,
                self._scan_from.get(worker_id, "0-0"),
                count=at_most,
            )
        except ResponseError as error:
            if "NOGROUP" not in str(error):
                raise
            return {}
        self._scan_from[worker_id] = answer[0]
        return dict(answer[1])

    async def _claim(self, worker_id: str, entry_ids: Sequence[str]) -> list[Any]:
        stream = keys.outcomes(worker_id)
        try:
            return list(
                await self._redis.xclaim(stream, keys.GROUP, self._consumer, 0, list(entry_ids))
            )
        except ResponseError as error:
            if "NOGROUP" not in str(error):
                raise
            return []  # the next `take` makes the group, which delivers these entries again

    async def _turns(self, worker_id: str, entries: Iterable[Any]) -> tuple[list[Turn], int]:
        """Return a turn for each entry that may run now, and the number of entries that were finished before."""
        read = [
            (entry_id, await self._parse_entry(worker_id, entry_id, fields))
            for entry_id, fields in entries
        ]
        unanswered = self._unanswered.setdefault(worker_id, {})
        readable = [
            (entry_id, entry, unanswered.get(entry_id) or secrets.token_hex(8))
            for entry_id, entry in read
            if entry is not None
        ]
        if not readable:
            return [], 0
        unanswered |= {entry_id: lease for entry_id, _, lease in readable}
        async with self._redis.pipeline(transaction=False) as pipe:
            for entry_id, entry, lease in readable:
                names, arguments = self._turn_arguments(worker_id, entry_id, entry, lease)
                pipe.eval(script("take_turn"), len(names), *names, *arguments)
            runs = await pipe.execute()
        for entry_id, _, _ in readable:
            unanswered.pop(entry_id, None)
        taken = zip(readable, runs, strict=True)
        turns = [
            Turn(entry_id, entry, run, lease, worker_id)
            for (entry_id, entry, lease), run in taken
            if run > 0
        ]
        return turns, runs.count(FINISHED)

    def _turn_arguments(
        self, worker_id: str, entry_id: str, entry: OutcomeEntry, lease: str
    ) -> tuple[list[str], list[Any]]:
        names = [
            keys.context(worker_id, entry.context_id),
            keys.lease(worker_id, entry.context_id),
            keys.later(worker_id),
            keys.runs(worker_id),
            keys.outcomes(worker_id),
            keys.finished(worker_id),
            keys.finished_before(worker_id),
        ]
        now_ms = round(self._clock.now_s() * 1000)
        return names, [entry_id, lease, now_ms, self._lease_ms, keys.GROUP]

    async def _parse_entry(self, worker_id: str, entry_id: str, fields: Any) -> OutcomeEntry | None:
        """Return the parsed entry. Move an unreadable entry to the dead stream and return None."""
        try:
            return OutcomeEntry.from_json(fields["entry"])
        except (ValueError, KeyError, TypeError) as error:
            self._log.warning(
                "entry.unreadable", worker_id=worker_id, entry_id=entry_id, why=str(error)
            )
            await self._move_unreadable_to_dead_stream(worker_id, entry_id, fields or {})
            return None

    async def _move_unreadable_to_dead_stream(
        self, worker_id: str, entry_id: str, fields: Any
    ) -> None:
        """Also delete it from its stream: its context is unknown, and other entries must not wait for it."""
        stream = keys.outcomes(worker_id)
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.xadd(
                keys.dead(worker_id), {"reason": "unreadable", "entry_id": entry_id, **fields}
            )
            pipe.xack(stream, keys.GROUP, entry_id)
            pipe.xdel(stream, entry_id)
            pipe.zrem(keys.later(worker_id), entry_id)
            pipe.hdel(keys.runs(worker_id), entry_id, f"missing:{entry_id}")
            await pipe.execute()

    async def _finish(
        self, turn: Turn, *, take_next: bool, dead: str, reason: str, successor: str
    ) -> Turn | None:
        worker_id, context_id = turn.worker_slot, turn.entry.context_id
        names = [
            keys.outcomes(worker_id),
            keys.context(worker_id, context_id),
            keys.lease(worker_id, context_id),
            keys.later(worker_id),
            keys.runs(worker_id),
            keys.dead(worker_id),
            keys.finished(worker_id),
        ]
        arguments = [keys.GROUP, turn.entry_id, turn.lease, int(take_next), dead, reason, successor]
        async with within_answer_timeout():
            following = await self._eval("finish", names, *arguments)
            return await self._next(turn, following) if following and take_next else None

    async def _next(self, turn: Turn, entry_id: str) -> Turn | None:
        """Take the turn of the context's next entry under the same lease, if any runner has read the entry already.

        If none has, release the lease and claim the entry once more. A runner that read it in between found the lease
        taken and dropped the entry. A runner that reads it from now on finds the lease free.
        """
        worker_id, context_id = turn.worker_slot, turn.entry.context_id
        entries = await self._claim(worker_id, [entry_id])
        if not entries:
            await self._eval("release", [keys.lease(worker_id, context_id)], turn.lease)
            entries = await self._claim(worker_id, [entry_id])
        if not entries:
            return None
        following_id, fields = entries[0]
        entry = await self._parse_entry(worker_id, following_id, fields)
        if entry is None:
            return await self.finish(replace(turn, entry_id=following_id), take_next=True)
        names, arguments = self._turn_arguments(worker_id, following_id, entry, turn.lease)
        run = await self._eval("take_turn", names, *arguments)
        return Turn(following_id, entry, run, turn.lease, worker_id) if run > 0 else None

    async def _trim(self, worker_id: str) -> None:
        """Delete entries that were finished a day ago, and consumers that ended a day ago.

        Keep each entry that is pending or was not delivered yet, and each consumer that holds one.
        """
        stream = keys.outcomes(worker_id)
        groups = await self._redis.xinfo_groups(stream) if await self._redis.exists(stream) else []
        for group in groups:
            if group["name"] != keys.GROUP:
                continue
            pending = await self._redis.xpending(stream, keys.GROUP)
            needed = _id(pending["min"]) if pending["min"] else _after(group["last-delivered-id"])
            names = [keys.finished(worker_id), keys.finished_before(worker_id)]
            await self._eval("forget_finished", names, needed[0])
            kept_from = round((self._clock.now_s() - KEEP_FINISHED_S) * 1000), 0
            minimum = "{}-{}".format(*min(needed, kept_from))
            await self._redis.xtrim(stream, minid=minimum, approximate=False)
            await self._eval(
                "forget_consumers", [stream], keys.GROUP, self._forget_consumers_after_ms
            )

    def _time_for(self, times: dict[str, float], worker_id: str, every_s: float) -> bool:
        now_s = self._clock.now_s()
        if now_s < times.get(worker_id, 0.0):
            return False
        times[worker_id] = now_s + every_s
        return True

    async def _eval(self, name: str, names: Sequence[str], *arguments: Any) -> Any:
        return await self._redis.eval(script(name), len(names), *names, *arguments)


def _id(entry_id: str) -> tuple[int, int]:
    """Return the id as numbers, which sort in the order of the stream."""
    milliseconds, _, number = entry_id.partition("-")
    return int(milliseconds), int(number)


def _after(entry_id: str) -> tuple[int, int]:
    milliseconds, number = _id(entry_id)
    return milliseconds, number + 1


def _flat(entries: Any) -> list[Any]:
    """Return one list of entries. Depending on the protocol version, redis-py gives a list of such lists."""
    if (
        entries
        and isinstance(entries[0], list)
        and entries[0]
        and isinstance(entries[0][0], list | tuple)
    ):
        return [entry for part in entries for entry in part]
    return list(entries)
