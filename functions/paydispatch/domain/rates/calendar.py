"""The calendar of a rate limit: how many calls are reserved for each tenth of a second.

A call needs tokens of two limits at the same time: the account's and its operation's. One time of arrival per limit, as
in GCRA, cannot hold such a pair: while a call waits for the one limit, its token of the other must stand at the time of
the call and leave the time before it free. A calendar can. In all other respects it is a GCRA with a burst of a tenth
of a second's worth. `lua/rates/take.lua` does the same in Redis.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from paydispatch.domain.rates.lanes import LANES, RateLane

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paydispatch.domain.rates.lanes import LaneRule

SLOTS_PER_S = 10
"""A slot is a tenth of a second. Its capacity is the greatest burst."""


def slot_of(at_s: float) -> int:
    """Return the slot of a time in seconds."""
    return int(at_s * SLOTS_PER_S)


def capacity(rate: int, slot: int) -> int:
    """Return how many calls fit into a slot. Ten slots, from a full second on, hold exactly `rate` calls."""
    tenth = slot % SLOTS_PER_S
    return (tenth + 1) * rate // SLOTS_PER_S - tenth * rate // SLOTS_PER_S


def share_of(rate: int, lane: RateLane, rules: Mapping[RateLane, LaneRule] = LANES) -> int:
    """Return the calls per second that a lane may make, with the lanes below it."""
    return max(1, int(rate * rules[lane].share))


@dataclass(slots=True)
class Calendar:
    """The reservations under one limit."""

    reserved: dict[RateLane, Counter[int]] = field(
        default_factory=lambda: {lane: Counter() for lane in RateLane}
    )
    """The calls in each slot, by lane."""

    def room(self, slot: int, rate: int, lane: RateLane) -> int:
        """Return how many more calls of the lane fit into the slot."""
        below = list(RateLane)[list(RateLane).index(lane) :]
        of_all = sum(slots[slot] for slots in self.reserved.values())
        of_lane = sum(self.reserved[other][slot] for other in below)
        return min(
            capacity(rate, slot) - of_all, capacity(share_of(rate, lane), slot) - of_lane
        )

    def reserve(self, slot: int, lane: RateLane, calls: int) -> None:
        self.reserved[lane][slot] += calls

    def forget_before(self, slot: int) -> None:
        """Drop the reservations of the past."""
        for lane, slots in self.reserved.items():
            self.reserved[lane] = Counter({at: n for at, n in slots.items() if at >= slot})


def reserve_first(
    limits: Sequence[tuple[Calendar, int]], lane: RateLane, weight: int, first: int, last: int
) -> int | None:
    """Reserve `weight` tokens in all calendars, in the earliest slots from `first` to `last` with room in all of them.

    Return the slot of the last token, in which the call may go. None: there is not enough room, and nothing is
    reserved. `limits` pairs each calendar with its rate.
    """
    found: Counter[int] = Counter()
    missing = weight
    for slot in range(first, last + 1):
        rooms = [calendar.room(slot, rate, lane) for calendar, rate in limits]
        found[slot] = max(0, min(missing, *rooms)) if rooms else missing
        missing -= found[slot]
        if missing == 0:
            for calendar, _ in limits:
                for at, tokens in found.items():
                    calendar.reserve(at, lane, tokens)
            return slot
    return None
