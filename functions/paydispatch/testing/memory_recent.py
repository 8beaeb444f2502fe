"""The in-memory twin of the list of recent requests."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from paydispatch.domain.operators.recent import Page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paydispatch.domain.operators.recent import RecentRequest


@dataclass
class MemoryRecent:
    """A `Recent`. A place is the number of a worker's outcomes that were read."""

    open: list[RecentRequest] = field(default_factory=list)
    outcomes: list[RecentRequest] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)

    async def read(self, places: Mapping[str, str]) -> Page:
        self.asked.append(dict(places))
        found: list[RecentRequest] = []
        seen = dict.fromkeys((one.worker_id for one in self.outcomes), 0)
        for one in self.outcomes:
            seen[one.worker_id] += 1
            if seen[one.worker_id] > int(places.get(one.worker_id, 0)):
                found.append(one)
        now = {worker: str(number) for worker, number in seen.items() if number}
        return Page(tuple(self.open), tuple(found), {**places, **now})
