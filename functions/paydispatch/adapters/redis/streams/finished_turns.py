"""Report finished turns to Redis in batches. Each batch takes the next turns of its contexts in the same step."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from paydispatch.adapters.redis import keys
from paydispatch.adapters.redis.scripts import script, within_answer_timeout
from paydispatch.ports import Turn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.asyncio import Redis

    from paydispatch.adapters.redis.streams.stream_reader import StreamReader
    from paydispatch.ports import Clock

    Following = tuple[int, str, list[str], int] | None
    """The number of the run, the entry's id, its fields, and the number of its runs that failed."""
    Waiting = tuple[Turn, asyncio.Future[Following]]

MOST_IN_A_BATCH = 128
"""Redis serves no other client while the script runs, and an entry takes it some 10 µs."""


class DeadCopy(NamedTuple):
    """The additional writes of `finish_turns.lua` for an entry that is given up."""

    text: str = ""
    """The entry, for the dead stream."""
    reason: str = ""
    successor: str = ""
    """The entry that takes its place at the head of the context."""


_NOT_DEAD = DeadCopy()


def killed_runs(run: int, failed: int) -> int:
    """Return how many of the runs before run number `run` did not fail, although the entry must run again."""
    return run - 1 - failed


class FinishedTurns:
    """The finished turns of one process. Those of one turn of the event loop and of one worker are a batch."""

    def __init__(
        self, redis: Redis, clock: Clock, reader: StreamReader, *, consumer: str, lease_ms: int
    ) -> None:
        self._redis = redis
        self._clock = clock
        self._reader = reader
        self._consumer = consumer
        self._lease_ms = lease_ms
        self._waiting: defaultdict[tuple[str, bool], list[Waiting]] = defaultdict(list)
        """By worker, and by whether the next turns are to be taken."""
        self._sending: set[asyncio.Task[None]] = set()

    async def finish(self, turn: Turn, *, take_next: bool) -> Turn | None:
        """Acknowledge the entry, and return the next turn of its context."""
        return await self._next_turn(turn, await self._in_batch(turn, take_next=take_next))

    async def give_up(self, turn: Turn, dead: DeadCopy, *, take_next: bool) -> Turn | None:
        """Acknowledge the entry and add it to the dead stream. Return the next turn of its context."""
        async with within_answer_timeout():
            (following,) = await self._eval(turn.worker_slot, [turn], take_next, dead)
        return await self._next_turn(turn, following or None)

    async def _next_turn(self, turn: Turn, following: Following) -> Turn | None:
        if following is None:
            return None
        run, entry_id, flat, failed = following
        fields = dict(zip(flat[::2], flat[1::2], strict=True))
        entry = self._reader.parse(turn.worker_slot, entry_id, fields)
        if entry is None:
            async with within_answer_timeout():
                await self._reader.move_to_dead_stream(turn.worker_slot, entry_id, fields)
            return await self.finish(replace(turn, entry_id=entry_id), take_next=True)
        return Turn(
            entry_id,
            entry,
            fields["entry"],
            run,
            turn.lease,
            turn.worker_slot,
            killed_runs(run, failed),
        )

    def _in_batch(self, turn: Turn, *, take_next: bool) -> asyncio.Future[Following]:
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Following] = loop.create_future()
        waiting = self._waiting[turn.worker_slot, take_next]
        if not waiting:
            loop.call_soon(self._begin_to_send, turn.worker_slot, take_next)
        waiting.append((turn, answered))
        return answered

    def _begin_to_send(self, worker_id: str, take_next: bool) -> None:
        waiting = self._waiting.pop((worker_id, take_next))
        for first in range(0, len(waiting), MOST_IN_A_BATCH):
            batch = waiting[first : first + MOST_IN_A_BATCH]
            sending = asyncio.create_task(self._send(worker_id, batch, take_next))
            self._sending.add(sending)
            sending.add_done_callback(self._sending.discard)

    async def _send(self, worker_id: str, batch: Sequence[Waiting], take_next: bool) -> None:
        """Send a batch, and give each caller its answer or the error."""
        try:
            async with within_answer_timeout():
                turns = await self._eval(worker_id, [turn for turn, _ in batch], take_next)
        except Exception as error:
            for _, answered in batch:
                if not answered.done():  # its caller may have been cancelled
                    answered.set_exception(error)
        else:
            for (_, answered), following in zip(batch, turns, strict=True):
                if not answered.done():
                    answered.set_result(following or None)

    async def _eval(
        self, worker_id: str, turns: Sequence[Turn], take_next: bool, dead: DeadCopy = _NOT_DEAD
    ) -> Any:
        names = [
            keys.outcomes(worker_id),
            keys.later(worker_id),
            keys.runs(worker_id),
            keys.finished(worker_id),
            keys.dead(worker_id),
        ]
        for turn in turns:
            context_id = turn.entry.context_id
            names += (
                keys.context(worker_id, context_id),
                keys.lease(worker_id, context_id),
                keys.ended(worker_id, turn.entry_id),
            )
        now_ms = round(self._clock.now_s() * 1000)
        tokens = " ".join([f"{turn.entry_id} {turn.lease}" for turn in turns])
        settings: list[Any] = [keys.GROUP, self._consumer, now_ms, self._lease_ms, int(take_next)]
        evaluated: Any = self._redis.eval(
            script("finish_turns"), len(names), *names, *settings, *dead, tokens
        )
        return await evaluated
