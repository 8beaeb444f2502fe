"""The indexes of workers, by the names of their slots.

A worker is noted in an index before anything is written for it, so that a crash hides nothing from the sweep.

Each index is a key in another slot than a worker's keys. So no script can change both in one step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paydispatch.adapters.redis import keys
from paydispatch.adapters.redis.scripts import Note, script

if TYPE_CHECKING:
    from collections.abc import Iterable

_FIRST, _NEXT = 0, 1
"""The scores of noted workers. They are not times, so that a wrong clock cannot delay the look."""


def outcome_notes(worker: str, *, unknown: bool = False) -> list[Note]:
    """Return the notes of an outcome's worker, to be made before the outcome is written.

    The next sweep looks at the worker before all others. With `unknown`, reconcile looks at it too.
    """
    note = Note(("ZADD", keys.LOOKS, "LT", _FIRST, worker))
    return [note, _unknown_note([worker])] if unknown else [note]


def request_note(workers: Iterable[str]) -> Note:
    """Return the note of the workers of requests, to be made before the requests are written.

    The next sweep looks at them, but not first.
    """
    return Note(("ZADD", keys.LOOKS, "LT", *_scored(workers, _NEXT)))


def note_requests(pipe: Any, workers: Iterable[str]) -> None:
    """Add `request_note` to a pipeline."""
    pipe.execute_command(*request_note(workers))


def was_noted(score: float) -> bool:
    return score <= _NEXT


def note_due(pipe: Any, worker: str, due_ms: float) -> None:
    """Note in `pipe` that a sweep must look at the worker at `due_ms`, if it does not do so sooner."""
    pipe.zadd(keys.LOOKS, {worker: due_ms}, lt=True)


def note_unknown(pipe: Any, workers: Iterable[str]) -> None:
    """Note the workers of unknown outcomes before the writes in `pipe`: reconcile looks at them."""
    pipe.execute_command(*_unknown_note(workers))


def _unknown_note(workers: Iterable[str]) -> Note:
    return Note(("ZADD", keys.UNKNOWN_WORKERS, *_scored(workers, _FIRST)))


def _scored(workers: Iterable[str], score: int) -> list[Any]:
    return [word for worker in workers for word in (score, worker)]


async def move_on(redis: Any, index: str, moves: Iterable[tuple[str, float, float | None]]) -> None:
    """Give each (worker, score as it was read, new score) its new score. None removes the worker."""
    words = [word for worker, was, now in moves for word in (worker, was, _or_empty(now))]
    if words:
        await redis.eval(script("move_on"), 1, index, *words)


def _or_empty(score: float | None) -> float | str:
    return "" if score is None else score
