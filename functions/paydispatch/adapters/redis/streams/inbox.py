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
from typing import TYPE_CHECKING, Any

from paydispatch.adapters.redis import keys
from paydispatch.adapters.redis.scripts import script, within_answer_timeout
from paydispatch.adapters.redis.streams.finished_turns import (
    DeadCopy,
    FinishedTurns,
    killed_runs,
)
from paydispatch.adapters.redis.streams.stream_reader import StreamReader
from paydispatch.adapters.redis.streams.trim import trim
from paydispatch.adapters.redis.workers import note_due
from paydispatch.ports import Turn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from redis.asyncio import Redis

    from paydispatch.adapters.redis.streams.stream_reader import Entries
    from paydispatch.domain.entry import OutcomeEntry
    from paydispatch.ports import Clock, EventLog, Postponement

LEASE_MARGIN_S = 5.0
"""A lease lasts this much longer than its flow's timeout. An entry is idle after this much more."""

FORGET_CONSUMERS_AFTER_S = 86_400
"""A consumer without pending entries that has not read for a day has ended. If it reads, Redis makes it again."""

LOOKS_AT_ONCE = 25
"""Half of the connections. However many workers are read at once, `finish` and the like find a free connection."""

FINISHED = -1
"""The answer of `take_turns.lua` for an entry that was finished before."""

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
        self._lease_ms = round((flow_timeout_s + LEASE_MARGIN_S) * 1000)
        idle_ms = round((flow_timeout_s + 2 * LEASE_MARGIN_S) * 1000)
        self._reader = StreamReader(redis, log, consumer=consumer, idle_ms=idle_ms)
        self._finished = FinishedTurns(
            redis, clock, self._reader, consumer=consumer, lease_ms=self._lease_ms
        )
        self._forget_consumers_after_ms = round(forget_consumers_after_s * 1000)
        self._looks = asyncio.Semaphore(LOOKS_AT_ONCE)
        self._look: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        """A lock per worker. Two reads that ask for one turn under one lease token at once would both get it."""
        self._scan_at: dict[str, float] = {}
        self._trim_at: dict[str, float] = {}
        self._look_back_from: dict[str, str] = {}
        """For each worker with a failed read: the id after which to read this consumer's pending entries again."""
        self._unanswered: dict[str, dict[str, str]] = {}
        """For each worker: the lease token per entry that got no answer from `take_turns`, but may have its turn."""

    async def take(self, worker_id: str, *, at_most: int) -> Sequence[Turn]:
        """Read new entries with XREADGROUP, and take their turns with `take_turns.lua`."""
        async with self._exclusive_read(worker_id):
            while True:
                entries = await self._reader.read(worker_id, at_most)
                turns, finished = await self._turns(worker_id, entries)
                if finished < at_most:
                    return turns

    async def take_abandoned(self, worker_id: str, *, at_most: int) -> Sequence[Turn]:
        """Claim idle entries and due entries with XCLAIM, and take the turn of each.

        Entries that may not run yet take no place, so that many of them hold up neither kind.
        """
        async with self._exclusive_read(worker_id):
            if delivered_before := await self._take_delivered_before(worker_id, at_most):
                return delivered_before
            turns: list[Turn] = []
            if self._time_for(self._scan_at, worker_id, SCAN_EVERY_S):
                idle = await self._reader.claim_idle(worker_id, at_most)
                turns, _ = await self._turns(worker_id, idle)
            if left := at_most - len(turns):
                due = await self._reader.claim_due(worker_id, self._clock.now_s(), left)
                turns += (await self._turns(worker_id, due))[0]
            if self._time_for(self._trim_at, worker_id, TRIM_EVERY_S):
                await self._trim(worker_id)
            return turns

    async def finish(self, turn: Turn, *, take_next: bool) -> Turn | None:
        """Acknowledge the entry, and take the next turn of the context, with `finish_turns.lua`."""
        return await self._finished.finish(turn, take_next=take_next)

    async def move_to_dead_stream(
        self, turn: Turn, *, reason: str, successor: OutcomeEntry | None, take_next: bool
    ) -> Turn | None:
        """Finish the entry, add its text to the dead stream, and add the successor, all with `finish_turns.lua`."""
        dead = DeadCopy(turn.text, reason, successor.as_json() if successor else "")
        return await self._finished.give_up(turn, dead, take_next=take_next)

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

    async def postpone(self, turn: Turn, delay_s: float, why: Postponement) -> None:
        """Note the time for the sweep, then add the entry to the postponed ones and delete its lease."""
        worker_id = turn.worker_slot
        names = [
            keys.lease(worker_id, turn.entry.context_id),
            keys.later(worker_id),
            keys.runs(worker_id),
        ]
        due_ms = round((self._clock.now_s() + delay_s) * 1000)
        arguments: list[Any] = [turn.entry_id, turn.lease, due_ms, why.value]
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
            entries = await self._reader.read(worker_id, at_most, after=after)
            turns, _ = await self._turns(worker_id, entries)
            if entries:
                self._look_back_from[worker_id] = entries[-1][0]
            else:
                del self._look_back_from[worker_id]
                self._unanswered.pop(worker_id, None)
            if turns:
                return turns
        return []

    async def _turns(self, worker_id: str, entries: Entries) -> tuple[list[Turn], int]:
        """Return a turn for each entry that may run now, and the number of entries that were finished before."""
        unanswered = self._unanswered.setdefault(worker_id, {})
        asked = []
        for entry_id, fields in entries:
            entry = self._reader.parse(worker_id, entry_id, fields)
            if entry is None:
                await self._reader.move_to_dead_stream(worker_id, entry_id, fields)
            else:
                lease = unanswered.get(entry_id) or secrets.token_hex(8)
                asked.append((entry_id, entry, fields["entry"], lease))
        if not asked:
            return [], 0
        unanswered |= {entry_id: lease for entry_id, _, _, lease in asked}
        runs, failed = await self._take_turns(worker_id, asked)
        for entry_id, _, _, _ in asked:
            unanswered.pop(entry_id, None)
        turns = [
            Turn(entry_id, entry, text, run, lease, worker_id, killed_runs(run, failures))
            for (entry_id, entry, text, lease), run, failures in zip(
                asked, runs, failed, strict=True
            )
            if run > 0
        ]
        return turns, runs.count(FINISHED)

    async def _take_turns(
        self, worker_id: str, asked: Sequence[tuple[str, OutcomeEntry, str, str]]
    ) -> tuple[list[int], list[int]]:
        """Return the answer of `take_turns.lua`: per entry its number of runs, and of those that failed."""
        names = [
            keys.outcomes(worker_id),
            keys.later(worker_id),
            keys.runs(worker_id),
            keys.finished(worker_id),
            keys.finished_before(worker_id),
        ]
        for _, entry, _, _ in asked:
            context_id = entry.context_id
            names += (keys.context(worker_id, context_id), keys.lease(worker_id, context_id))
        now_ms = round(self._clock.now_s() * 1000)
        tokens = " ".join([f"{entry_id} {lease}" for entry_id, _, _, lease in asked])
        answer = await self._eval("take_turns", names, keys.GROUP, now_ms, self._lease_ms, tokens)
        runs, failed = answer
        return runs, failed

    async def _trim(self, worker_id: str) -> None:
        now_s = self._clock.now_s()
        await trim(self._redis, worker_id, now_s, self._forget_consumers_after_ms)

    def _time_for(self, times: dict[str, float], worker_id: str, every_s: float) -> bool:
        now_s = self._clock.now_s()
        if now_s < times.get(worker_id, 0.0):
            return False
        times[worker_id] = now_s + every_s
        return True

    async def _eval(self, name: str, names: Sequence[str], *arguments: Any) -> Any:
        return await self._redis.eval(script(name), len(names), *names, *arguments)
