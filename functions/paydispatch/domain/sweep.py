"""Decide when a sweep looks at a worker next, by the state of the worker's keys. Pure. Times are unix seconds."""

from __future__ import annotations

from dataclasses import dataclass

LOOK_AGAIN_S = 5.0
"""The time to the next look at a worker that had work. A runner that dies with this work is noticed at that look."""

KEPT_LOOK_S = 600.0
"""The time to the next look at a worker without work but with entries. It finds an entry that was never announced."""

GRACE_S = 60.0
"""The time between a look that found no key at all and the one that forgets the worker. A worker is noted before its
first entry is written, and the process may be slow in between."""

KEEP_FINISHED_S = 86_400
"""Finished entries stay on the stream for a day, so that an operator can look into them. Then they are trimmed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLook:
    """The state of a worker's keys at one look."""

    unread: bool = False
    pending: int = 0
    """The number of entries that a runner has read and not finished."""
    postponed: int = 0
    """The number of pending entries that were postponed."""
    first_due_at: float | None = None
    oldest_entry_at: float | None = None
    """The time of the oldest entry on the stream, finished ones included."""
    others: int = 0
    """The number of open requests, unknown outcomes and dead entries."""

    @property
    def unfinished(self) -> bool:
        return self.unread or self.pending > 0

    @property
    def empty(self) -> bool:
        return not (self.unfinished or self.others or self.oldest_entry_at is not None)


def has_work(look: WorkerLook, now_s: float) -> bool:
    """Return whether a runner has work: an entry to run, or entries to trim."""
    due = look.first_due_at is not None and look.first_due_at <= now_s
    return look.unread or look.pending > look.postponed or due or _is_to_trim(look, now_s)


def next_look_at(look: WorkerLook, now_s: float, *, noted: bool) -> float | None:
    """Return the time of the next look at the worker. None: forget the worker.

    `noted` means that the worker was noted after the look before this one, so that an entry may follow.
    """
    if has_work(look, now_s):
        return now_s + LOOK_AGAIN_S
    if look.empty:
        return now_s + GRACE_S if noted else None
    return min(now_s + KEPT_LOOK_S, look.first_due_at or now_s + KEPT_LOOK_S)


def _is_to_trim(look: WorkerLook, now_s: float) -> bool:
    oldest = look.oldest_entry_at
    return not look.unfinished and oldest is not None and oldest + KEEP_FINISHED_S <= now_s
