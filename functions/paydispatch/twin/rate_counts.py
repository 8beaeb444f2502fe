"""What the limits did: for each account and operation the calls, the refusals by reason, and the calls of each second.

A test asks for them at `/_twin/rate-counts`, so that it can say how many calls went through, what part was refused,
and how many the fullest second had.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from paydispatch.twin.accounts import Account

SECONDS_KEPT = 3_600
"""The seconds that each count remembers. Older ones are dropped, but stay in the sums."""


@dataclass(slots=True)
class Count:
    """The calls of one operation of an account, or of all its operations."""

    first_at: float
    last_at: float
    """Unix seconds by the twin's clock."""
    refused: Counter[str] = field(default_factory=Counter)
    admitted: int = 0
    admitted_in: dict[int, int] = field(default_factory=dict)
    """By the second in which the call came."""
    refused_in: dict[int, int] = field(default_factory=dict)

    def add(self, reason: str | None, now: float) -> None:
        self.last_at = now
        if reason is None:
            self.admitted += 1
            _add(self.admitted_in, int(now))
        else:
            self.refused[reason] += 1
            _add(self.refused_in, int(now))

    def as_json(self) -> dict[str, Any]:
        return {
            "calls": self.admitted + self.refused.total(),
            "admitted": self.admitted,
            "refused": dict(self.refused),
            "highest_second": max(self.admitted_in.values(), default=0),
            "first_at": self.first_at,
            "last_at": self.last_at,
            "admitted_in": self.admitted_in,
            "refused_in": self.refused_in,
        }


class RateCounts:
    def __init__(self) -> None:
        self._counts: dict[tuple[Account, str | None], Count] = {}

    def add(self, account: Account, operation: str, reason: str | None, now: float) -> None:
        """Count one call. `reason` is that of its refusal, or None."""
        for place in ((account, None), (account, operation)):
            count = self._counts.get(place)
            if count is None:
                count = self._counts[place] = Count(now, now)
            count.add(reason, now)

    def as_json(self, *, account: str | None = None) -> list[dict[str, Any]]:
        """Return all counts, or those of one account. The one with the operation null is that of the whole account."""
        return [
            {"account": one.id, "mode": one.mode, "operation": operation, **count.as_json()}
            for (one, operation), count in self._counts.items()
            if account in (None, one.id)
        ]

    def clear(self) -> None:
        self._counts.clear()


def _add(seconds: dict[int, int], second: int) -> None:
    seconds[second] = seconds.get(second, 0) + 1
    if len(seconds) > SECONDS_KEPT:
        del seconds[next(iter(seconds))]
