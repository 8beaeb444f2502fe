"""Read the events of some requests from Stripe's list, where no event comes by itself and the object cannot prove."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydispatch.domain.looks.event_pages import EventsRead, chunks_of_types
from paydispatch.domain.operators.lookup_results import Inconclusive

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from paydispatch.domain.looks.messages import EventMessage
    from paydispatch.ports import ReadAs, StripeEvents

MOST_PAGES = 20
"""Pages of one query: 2,000 events. More are left to the next look."""


async def read_events(
    stripe: StripeEvents,
    read_as: ReadAs,
    *,
    request_ids: Collection[str],
    types: Sequence[str],
    since: float,
    most_pages: int = MOST_PAGES,
) -> EventsRead:
    """Return the events of these types that the calls of these requests caused since `since` (unix seconds).

    Only those events are kept in memory. Pass each of them to `EventSettler.settle`. Raises `Unavailable`.
    """
    found: list[EventMessage] = []
    for chunk in chunks_of_types(types):
        after: str | None = None
        for _ in range(most_pages):
            page = await stripe.page(read_as, types=chunk, since=since, after=after)
            if isinstance(page, Inconclusive):
                return EventsRead(tuple(found), page.reason)
            found += [event for event in page.events if event.request_id in request_ids]
            after = page.next_after
            if after is None:
                break
        else:
            why = f"more than {most_pages} pages of events since the first of these requests"
            return EventsRead(tuple(found), why)
    return EventsRead(tuple(found))
