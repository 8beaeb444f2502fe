"""The indexes of workers, by the names of their slots.

A worker is noted there before anything is written for it, so that a crash leaves nothing unseen.

Each is a key of its own, in another slot than a worker's keys. So no step can be made together with one there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paydispatch.adapters.redis import keys
from paydispatch.adapters.redis.scripts import script

if TYPE_CHECKING:
    from collections.abc import Iterable

_FIRST, _NEXT = 0, 1
"""Scores of workers that were noted. They are no times, so that no clock that is wrong delays the look."""


def note_outcome(pipe: Any, worker: str, *, unknown: bool = False) -> None:
    """Add to a pipeline, before the write: the next sweep looks at the worker before all others.

    An unknown one is looked for by reconciling, too.
    """
    pipe.zadd(keys.LOOKS, {worker: _FIRST}, lt=True)
    if unknown:
        note_unknown(pipe, [worker])


def note_requests(pipe: Any, workers: Iterable[str]) -> None:
    """Add to a pipeline, before the writes: the next sweep looks at these workers, which have nothing to run yet."""
    pipe.zadd(keys.LOOKS, dict.fromkeys(workers, _NEXT), lt=True)


def was_noted(score: float) -> bool:
    return score <= _NEXT


def note_due(pipe: Any, worker: str, due_ms: float) -> None:
    """Add to a pipeline: a sweep looks at the worker when it is due, if it does not do so sooner."""
    pipe.zadd(keys.LOOKS, {worker: due_ms}, lt=True)


def note_unknown(pipe: Any, workers: Iterable[str]) -> None:
    """Add to a pipeline, before the writes: reconciling looks at these workers."""
    pipe.zadd(keys.UNKNOWN_WORKERS, dict.fromkeys(workers, _FIRST))


async def move_on(redis: Any, index: str, moves: Iterable[tuple[str, float, float | None]]) -> None:
    """Give each (worker, score as it was read, new score) its new score. None forgets the worker."""
    words = [word for worker, was, now in moves for word in (worker, was, _or_empty(now))]
    if words:
        await redis.eval(script("move_on"), 1, index, *words)


def _or_empty(score: float | None) -> float | str:
    return "" if score is None else score
