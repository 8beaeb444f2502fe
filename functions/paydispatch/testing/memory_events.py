"""The in-memory twin of Stripe's list of events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paydispatch.domain.looks.event_pages import EventPage, event_page
from paydispatch.domain.operators.lookup_results import Inconclusive

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paydispatch.ports import ReadAs


class MemoryStripeEvents:
    """A `StripeEvents` with the events in `events`, the newest first. If `instead` is set, it is each answer."""

    def __init__(self, *events: Mapping[str, Any], page_size: int = 2) -> None:
        self.events = list(events)
        self.instead: Inconclusive | None = None
        self.asked: list[dict[str, Any]] = []
        self._page_size = page_size

    async def page(
        self, read_as: ReadAs, *, types: Sequence[str], since: float, after: str | None
    ) -> EventPage | Inconclusive:
        await read_as.turn()
        self.asked.append({"types": list(types), "since": since, "after": after})
        if self.instead is not None:
            return self.instead
        wanted = [one for one in self.events if one["type"] in types and one["created"] >= since]
        ids = [one["id"] for one in wanted]
        begin = ids.index(after) + 1 if after else 0
        shown, rest = wanted[begin : begin + self._page_size], wanted[begin + self._page_size :]
        page = event_page({"data": shown, "has_more": bool(rest)}, read_as.tenant)
        return page or Inconclusive("no list of events")
