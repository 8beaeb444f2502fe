"""The indexes of workers, by the names of their slots.

A worker is noted in an index before anything is written for it, so that a crash hides nothing from the sweep.

Each index is a key in another slot than a worker's keys. So no script can change both in one step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paydispatch.adapters.redis import keys
from paydispatch.adapters.redis.scripts import script

if TYPE_CHECKING:
    from collections.abc import Iterable

_FIRST, _NEXT = 0, 1
"""The scores of noted workers. They are not times, so that a wrong clock cannot delay the look."""


def note_outcome(pipe: Any, worker: str, *, unknown: bool = False) -> None:
    """Note the worker of an outcome before the write in `pipe`: the next sweep looks at it before all others.

    With `unknown`, reconcile looks at the worker too.
    """
    pipe.zadd(keys.LOOKS, {worker: _FIRST}, lt=True)
    if unknown:
        note_unknown(pipe, [worker])


def note_requests(pipe: Any, workers: Iterable[str]) -> None:
    """Note the workers of requests before the writes in `pipe`: the next sweep looks at them, but not first."""
    pipe.zadd(keys.LOOKS, dict.fromkeys(workers, _NEXT), lt=True)


def was_noted(score: float) -> bool:
    return score <= _NEXT


def note_due(pipe: Any, worker: str, due_ms: float) -> None:
    """Note in `pipe` that a sweep must look at the worker at `due_ms`, if it does not do so sooner."""
    pipe.zadd(keys.LOOKS, {worker: due_ms}, lt=True)


def note_unknown(pipe: Any, workers: Iterable[str]) -> None:
    """Note the workers of unknown outcomes before the writes in `pipe`: reconcile looks at them."""
    pipe.zadd(keys.UNKNOWN_WORKERS, dict.fromkeys(workers, _FIRST))


async def move_on(redis: Any, index: str, moves: Iterable[tuple[str, float, float | None]]) -> None:
    """Give each (worker, score as it was read, new score) its new score. None removes the worker."""
    words = [word for worker, was, now in moves for word in (worker, was, _or_empty(now))]
    if words:
        await redis.eval(script("move_on"), 1, index, *words)


def _or_empty(score: float | None) -> float | str:
    return "" if score is None else score
