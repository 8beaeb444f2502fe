"""`DeadStreams` on Redis: pages through the dead streams, and moves an entry back with `rerun.lua`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from paydispatch.adapters.redis import keys
from paydispatch.adapters.redis.scripts import script, within_answer_timeout
from paydispatch.adapters.redis.streams.entry_texts import read_entry
from paydispatch.adapters.redis.workers import outcome_notes
from paydispatch.domain.operators.dead_flows import (
    DeadFlow,
    Moved,
    follows_failed_response,
    says_unknown,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from redis.asyncio import Redis

    from paydispatch.domain.entry import OutcomeEntry
    from paydispatch.ports import Clock

_WORKERS_AT_ONCE = 200


class Mark(NamedTuple):
    """The seen-mark of a request: `unknown` or `settled`, a blank, and the id of the entry that was published last."""

    worker: str
    text: str


class RedisDeadStreams:
    def __init__(self, redis: Redis, clock: Clock) -> None:
        self._redis = redis
        self._clock = clock

    async def workers(self) -> Sequence[str]:
        """Page through the index of workers with ZSCAN. It keeps a worker for as long as it has dead flows."""
        found: set[str] = set()
        cursor = None
        while cursor != 0:
            async with within_answer_timeout():
                cursor, page = await self._redis.zscan(
                    keys.LOOKS, cursor or 0, count=_WORKERS_AT_ONCE
                )
                found |= await self._with_dead_flows([str(worker) for worker, _ in page])
        return sorted(found)

    async def time_s(self, worker_slot: str) -> float:
        async with within_answer_timeout():
            evaluated: Any = self._redis.eval(script("store_time"), 1, keys.dead(worker_slot))
            seconds, microseconds = await evaluated
        return int(seconds) + int(microseconds) / 1_000_000

    async def page(
        self, worker_slot: str, *, after: str, until_s: float, at_most: int
    ) -> Sequence[DeadFlow]:
        first = f"({after}" if after else "-"
        async with within_answer_timeout():
            lying: Any = await self._redis.xrange(
                keys.dead(worker_slot), first, str(int(until_s * 1000)), count=at_most
            )
            flows = [read_dead_flow(worker_slot, str(id_), fields) for id_, fields in lying]
            marks = await self._marks(flows)
            ends = await self._ends([mark for flow, mark in marks if follows_failed_response(flow)])
        return [_with_news(flow, mark, ends.get(mark, "")) for flow, mark in marks]

    async def rerun(self, worker_slot: str, dead: DeadFlow) -> Moved:
        """Note the worker for the sweep, and then run `rerun.lua`."""
        entry = _must_be_readable(dead)
        names = [
            keys.dead(worker_slot),
            keys.outcomes(worker_slot),
            keys.context(worker_slot, entry.context_id),
            keys.ended(worker_slot, dead.entry_id or f"dead {dead.dead_id}"),
            keys.seen(worker_slot, entry.request_id),
        ]
        arguments: list[Any] = [
            dead.dead_id,
            int(says_unknown(dead)),
            round(self._clock.now_s() * 1000),
            keys.bell(worker_slot),
        ]
        async with within_answer_timeout(), self._redis.pipeline(transaction=False) as pipe:
            for note in outcome_notes(worker_slot):
                pipe.execute_command(*note)
            pipe.eval(script("rerun"), len(names), *names, *arguments)
            *_, moved = await pipe.execute()
        return Moved(moved)

    async def _marks(self, flows: Sequence[DeadFlow]) -> list[tuple[DeadFlow, Mark]]:
        """Return each flow with the seen-mark of its request. Empty if the mark does not matter."""
        asked = [flow for flow in flows if says_unknown(flow) or follows_failed_response(flow)]
        names = [keys.seen(flow.worker_id, _must_be_readable(flow).request_id) for flow in asked]
        texts = dict(zip([flow.dead_id for flow in asked], await self._get(names), strict=True))
        return [(flow, Mark(flow.worker_id, texts.get(flow.dead_id) or "")) for flow in flows]

    async def _ends(self, marks: Sequence[Mark]) -> dict[Mark, str]:
        """Return how the entries ended that the marks name."""
        names = [keys.ended(mark.worker, mark.text.partition(" ")[2]) for mark in marks]
        return {mark: end or "" for mark, end in zip(marks, await self._get(names), strict=True)}

    async def _get(self, names: Sequence[str]) -> list[str | None]:
        async with self._redis.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.get(name)
            found: list[str | None] = await pipe.execute() if names else []
        return found

    async def _with_dead_flows(self, workers: Sequence[str]) -> set[str]:
        if not workers:
            return set()
        async with self._redis.pipeline(transaction=False) as pipe:
            for worker in workers:
                pipe.xlen(keys.dead(worker))
            counts = await pipe.execute()
        return {worker for worker, count in zip(workers, counts, strict=True) if count}


def _with_news(flow: DeadFlow, mark: Mark, end: str) -> DeadFlow:
    """Add to a flow the events after its death: its request was settled, or its response script ran again."""
    return replace(
        flow,
        settled_since=says_unknown(flow) and mark.text.startswith("settled"),
        response_reran=end.startswith("rerun "),
    )


def read_dead_flow(worker_slot: str, dead_id: str, fields: Mapping[str, str]) -> DeadFlow:
    return DeadFlow(
        worker_id=worker_slot,
        entry=_entry(fields),
        reason=str(fields.get("reason", "")),
        dead_since=int(dead_id.partition("-")[0]) / 1000,
        dead_id=dead_id,
        entry_id=str(fields.get("entry_id", "")),
    )


def _entry(fields: Mapping[str, str]) -> OutcomeEntry | None:
    try:
        return read_entry(fields["entry"])
    except (ValueError, KeyError, TypeError):
        return None


def _must_be_readable(dead: DeadFlow) -> OutcomeEntry:
    if dead.entry is None:
        raise ValueError("an entry that cannot be read has no context to run in")
    return dead.entry
