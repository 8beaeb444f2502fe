"""Decide when a sweep looks at a worker next, from the state of the worker's keys. Pure. Times are unix seconds."""

from __future__ import annotations

from dataclasses import dataclass

LOOK_AGAIN_S = 5.0
"""After a worker had something to run. A runner that dies with it is noticed as late as this."""

KEPT_LOOK_S = 600.0
"""While nothing is to run and something is kept. An entry that no sweep was told of is found then."""

GRACE_S = 60.0
"""Between a look that found nothing at all and the one that forgets the worker. A worker is noted before anything is
written for it, and a process may be slow in between."""

KEEP_FINISHED_S = 86_400
"""Finished entries stay on the stream for a day, for questions about what happened. Then they are trimmed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLook:
    """The state of a worker's keys at one look."""

    unread: bool = False
    pending: int = 0
    """Entries a runner has read and not finished."""
    postponed: int = 0
    """How many of the pending ones wait for their time."""
    first_due_at: float | None = None
    oldest_entry_at: float | None = None
    """Of all entries on the stream, the finished ones too."""
    others: int = 0
    """Open requests, unknown outcomes and dead entries."""

    @property
    def unfinished(self) -> bool:
        return self.unread or self.pending > 0

    @property
    def empty(self) -> bool:
        return not (self.unfinished or self.others or self.oldest_entry_at is not None)


def has_work(look: WorkerLook, now_s: float) -> bool:
    """Whether a runner has something to do: an entry to run, or entries to trim."""
    due = look.first_due_at is not None and look.first_due_at <= now_s
    return look.unread or look.pending > look.postponed or due or _is_to_trim(look, now_s)


def next_look_at(look: WorkerLook, now_s: float, *, noted: bool) -> float | None:
    """None: forget the worker. `noted`: it was noted since the look before this one, so more may be on its way."""
    if has_work(look, now_s):
        return now_s + LOOK_AGAIN_S
    if look.empty:
        return now_s + GRACE_S if noted else None
    return min(now_s + KEPT_LOOK_S, look.first_due_at or now_s + KEPT_LOOK_S)


def _is_to_trim(look: WorkerLook, now_s: float) -> bool:
    oldest = look.oldest_entry_at
    return not look.unfinished and oldest is not None and oldest + KEEP_FINISHED_S <= now_s
