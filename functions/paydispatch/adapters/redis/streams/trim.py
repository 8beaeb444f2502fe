"""Trim a worker's stream: finished entries of more than a day ago, and the consumers of processes that ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paydispatch.adapters.redis import keys
from paydispatch.adapters.redis.scripts import script
from paydispatch.domain.sweep import KEEP_FINISHED_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from redis.asyncio import Redis


async def trim(redis: Redis, worker_id: str, now_s: float, forget_consumers_after_ms: int) -> None:
    """Delete entries that were finished a day ago, and consumers that ended a day ago.

    Keep each entry that is pending or was not delivered yet, and each consumer that holds one.
    """
    stream = keys.outcomes(worker_id)
    groups = await redis.xinfo_groups(stream) if await redis.exists(stream) else []
    group = next((each for each in groups if each["name"] == keys.GROUP), None)
    if group is None:
        return
    needed = await _first_needed(redis, stream, group)
    names = [keys.finished(worker_id), keys.finished_before(worker_id)]
    await redis.eval(script("forget_finished"), len(names), *names, needed[0])
    kept_from = round((now_s - KEEP_FINISHED_S) * 1000), 0
    minimum = "{}-{}".format(*min(needed, kept_from))
    await redis.xtrim(stream, minid=minimum, approximate=False)
    await redis.eval(
        script("forget_consumers"), 1, stream, keys.GROUP, str(forget_consumers_after_ms)
    )


async def _first_needed(redis: Redis, stream: str, group: Mapping[str, Any]) -> tuple[int, int]:
    """Return the id before which all entries are finished."""
    pending = await redis.xpending(stream, keys.GROUP)
    return _id(pending["min"]) if pending["min"] else _after(group["last-delivered-id"])


def _id(entry_id: str) -> tuple[int, int]:
    """Return the id as numbers, which sort in the order of the stream."""
    milliseconds, _, number = entry_id.partition("-")
    return int(milliseconds), int(number)


def _after(entry_id: str) -> tuple[int, int]:
    milliseconds, number = _id(entry_id)
    return milliseconds, number + 1
