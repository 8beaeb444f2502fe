"""Read and claim the entries of workers' streams as one consumer of their groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redis.exceptions import ResponseError

from paydispatch.adapters.redis import keys
from paydispatch.adapters.redis.scripts import script
from paydispatch.adapters.redis.streams.entry_texts import read_entry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.asyncio import Redis

    from paydispatch.domain.entry import OutcomeEntry
    from paydispatch.ports import EventLog

    Entries = Sequence[tuple[str, dict[str, str]]]
    """Each has an id and its fields."""

IDLE_SCANNED = 1_000
"""Pending entries that a scan looks at. It takes Redis about a millisecond."""


class StreamReader:
    """Reads as `consumer`. Its methods raise redis-py's errors."""

    def __init__(self, redis: Redis, log: EventLog, *, consumer: str, idle_ms: int) -> None:
        self._redis = redis
        self._log = log
        self._consumer = consumer
        self._idle_ms = idle_ms
        """An entry that is pending for this long belongs to a runner that died."""
        self._scan_from: dict[str, str] = {}
        """For each worker, where the next scan begins, so that entries that wait for their context hide no abandoned
        one."""

    async def read(self, worker_id: str, at_most: int, *, after: str = ">") -> Entries:
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

    async def claim(self, worker_id: str, entry_ids: Sequence[str], *, idle_ms: int = 0) -> Entries:
        """Claim those of the entries that are idle for so long."""
        stream = keys.outcomes(worker_id)
        try:
            claimed: Any = await self._redis.xclaim(
                stream, keys.GROUP, self._consumer, idle_ms, list(entry_ids)
            )
        except ResponseError as error:
            if "NOGROUP" not in str(error):
                raise
            return []  # the next read makes the group, which delivers these entries again
        return list(claimed)

    async def claim_due(self, worker_id: str, now_s: float, at_most: int) -> Entries:
        """Claim postponed entries that are due."""
        due = await self._redis.zrangebyscore(
            keys.later(worker_id), "-inf", round(now_s * 1000), start=0, num=at_most
        )
        entry_ids = [str(entry_id) for entry_id in due]
        return await self.claim(worker_id, entry_ids) if entry_ids else []

    async def claim_idle(self, worker_id: str, at_most: int) -> Entries:
        """Claim entries of runners that died. Postponed ones are left to `claim_due`."""
        names = [keys.outcomes(worker_id), keys.later(worker_id)]
        first = self._scan_from.get(worker_id, "-")
        arguments = [keys.GROUP, self._idle_ms, first, IDLE_SCANNED, at_most]
        answer: Any = await self._redis.eval(
            script("find_idle"), len(names), *names, *map(str, arguments)
        )
        self._scan_from[worker_id], *entry_ids = answer
        return await self.claim(worker_id, entry_ids, idle_ms=self._idle_ms) if entry_ids else []

    def parse(self, worker_id: str, entry_id: str, fields: dict[str, str]) -> OutcomeEntry | None:
        """Return the parsed entry. None: it is unreadable, and the caller must move it to the dead stream."""
        try:
            return read_entry(fields["entry"])
        except (ValueError, KeyError, TypeError) as error:
            self._log.warning(
                "entry.unreadable", worker_id=worker_id, entry_id=entry_id, why=str(error)
            )
            return None

    async def move_to_dead_stream(self, worker_id: str, entry_id: str, fields: Any) -> None:
        """Move an unreadable entry. Its context is unknown, so delete it from its stream: no other may wait for it."""
        stream = keys.outcomes(worker_id)
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.xadd(
                keys.dead(worker_id),
                {"reason": "unreadable", "entry_id": entry_id, **(fields or {})},
            )
            pipe.xack(stream, keys.GROUP, entry_id)
            pipe.xdel(stream, entry_id)
            pipe.zrem(keys.later(worker_id), entry_id)
            pipe.hdel(keys.runs(worker_id), entry_id, f"missing:{entry_id}", f"failed:{entry_id}")
            await pipe.execute()

    async def _xreadgroup(self, stream: str, at_most: int, after: str) -> Any:
        return await self._redis.xreadgroup(
            keys.GROUP, self._consumer, {stream: after}, count=at_most
        )

    async def _make_group(self, worker_id: str) -> None:
        """Make the group of a new stream, or a lost group again, which delivers finished entries once more."""
        names = [keys.outcomes(worker_id), keys.finished_before(worker_id)]
        await self._redis.eval(script("make_group"), len(names), *names, keys.GROUP)


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
