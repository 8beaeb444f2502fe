"""Report the looks of each place: how many requests are unknown there, since when, and when the next look comes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paydispatch.domain.looks.doubts import Place
    from paydispatch.ports import Doubts

MOST_PLACES = 1_000


@dataclass(frozen=True, slots=True)
class PlaceLooks:
    """The looks of one account and object. All times are unix seconds."""

    account: str
    object: str
    unknown: int
    """The number of requests with an unknown outcome."""
    since: float | None
    """Unix seconds at which the request of the next look became unknown. With several, one of them."""
    last_look_at: float | None
    next_look_at: float | None
    pages_of_unfinished_pass: int | None
    """Pages that a pass has read which goes on at the next look. None: the last pass ended."""


async def read_looks(doubts: Doubts) -> list[PlaceLooks]:
    """Return the looks of all places, those with the earliest next look first. Raises `Unavailable`."""
    found = [await read_place(doubts, place) for place in await doubts.places(at_most=MOST_PLACES)]
    standing = [one for one in found if one.unknown]
    return sorted(standing, key=lambda one: one.next_look_at or 0.0)


async def read_place(doubts: Doubts, place: Place) -> PlaceLooks:
    state = await doubts.state(place)
    first = await doubts.due(place, before=float("inf"), at_most=1)
    return PlaceLooks(
        place.account,
        place.object,
        state.doubts,
        first[0].since if first else None,
        state.last_at,
        state.next_at,
        None if state.cursor is None else int(state.cursor.get("pages", 0)),
    )
