"""A page of Stripe's list of events, and the result of reading the list. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paydispatch.domain.looks.messages import event_message

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paydispatch.domain.looks.messages import EventMessage

MOST_TYPES = 20
"""Stripe's limit for `types[]` of one query."""


@dataclass(frozen=True, slots=True)
class EventPage:
    """The events of one page that name a request. Their objects are not kept."""

    events: tuple[EventMessage, ...]
    next_after: str | None
    """The id of the page's last event. None: it is the last page."""


@dataclass(frozen=True, slots=True)
class EventsRead:
    """The events of the asked requests, newest first. That a request has none proves nothing."""

    events: tuple[EventMessage, ...]
    stopped: str | None = None
    """Why the list was not read to its end. None: it was."""


def event_page(body: Mapping[str, Any], tenant: str | None) -> EventPage | None:
    """Read Stripe's answer. None: it is no list of events."""
    listed = body.get("data")
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        return None
    events = tuple(event for one in listed if (event := event_message(one, tenant)) is not None)
    last = listed[-1].get("id") if listed and body.get("has_more") is True else None
    return EventPage(events, last if isinstance(last, str) else None)


def chunks_of_types(types: Sequence[str]) -> list[list[str]]:
    """Cut the types into as few queries as Stripe's limit allows."""
    return [list(types[begin : begin + MOST_TYPES]) for begin in range(0, len(types), MOST_TYPES)]
