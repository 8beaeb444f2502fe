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

from paydispatch.domain.rates.lanes import RateLane

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SLOTS_PER_S = 10
"""A slot is a tenth of a second. Its capacity is the greatest burst."""


def slot_of(at_s: float) -> int:
    """Return the slot of a time in seconds."""
    return int(at_s * SLOTS_PER_S)


def capacity(rate: int, slot: int) -> int:
    """Return how many calls fit into a slot. Ten slots, from a full second on, hold exactly `rate` calls."""
    tenth = slot % SLOTS_PER_S
    return (tenth + 1) * rate // SLOTS_PER_S - tenth * rate // SLOTS_PER_S


_LANES = tuple(RateLane)
_FROM = {lane: _LANES[place:] for place, lane in enumerate(_LANES)}
"""Each lane with the lanes below it."""


@dataclass(slots=True)
class Calendar:
    """The reservations under one limit."""

    reserved: dict[RateLane, Counter[int]] = field(
        default_factory=lambda: {lane: Counter() for lane in RateLane}
    )
    """The calls in each slot, by lane."""

    def count(self, slot: int, highest: RateLane = RateLane.INTERACTIVE) -> int:
        """Return the calls in a slot of the lane `highest` and the lanes below it."""
        calls = 0
        for lane in _FROM[highest]:
            calls += self.reserved[lane].get(slot, 0)
        return calls

    def reserve(self, slot: int, lane: RateLane, calls: int) -> None:
        self.reserved[lane][slot] += calls

    def keep_slots(self, first: int, last: int | None = None) -> None:
        """Drop the reservations of all other slots. Without `last`, keep the future."""
        for slots in self.reserved.values():
            for slot in [at for at in slots if at < first or (last is not None and at > last)]:
                del slots[slot]

    def reserved_after(self, slot: int) -> int:
        """Return the calls that wait for a later slot."""
        return sum(
            calls for slots in self.reserved.values() for at, calls in slots.items() if at > slot
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The part of one limit that the calls of one lane may use."""

    calendar: Calendar
    lane: RateLane
    rate: int
    """Calls per second of the limit."""
    lane_rates: Mapping[RateLane, int]
    """Calls per second of the lane and of each lane above it, in each case together with the lanes below."""
    scarce_until: int
    """Up to this slot only half of each slot's capacity is used, because nobody knows of the calls just before."""

    def room(self, slot: int) -> int:
        """Return how many more calls fit into the slot. It is negative after the limit shrank."""
        in_all = self._capacity(self.rate, slot) - self.calendar.count(slot)
        in_lanes = (
            self._capacity(rate, slot) - self.calendar.count(slot, lane)
            for lane, rate in self.lane_rates.items()
        )
        return min(in_all, *in_lanes)

    def _capacity(self, rate: int, slot: int) -> int:
        full = capacity(rate, slot)
        return full if slot > self.scarce_until or full < 2 else full // 2


def reserve_first(budgets: Sequence[Budget], weight: int, first: int, last: int) -> int | None:
    """Reserve `weight` tokens of all budgets, in the earliest slots from `first` to `last` with room in all of them.

    Return the slot of the last token, in which the call may go. None: there is not enough room, and nothing is
    reserved.
    """
    found: Counter[int] = Counter()
    missing = weight
    for slot in range(first, last + 1):
        room = min((budget.room(slot) for budget in budgets), default=missing)
        found[slot] = max(0, min(missing, room))
        missing -= found[slot]
        if missing == 0:
            _reserve(budgets, found)
            return slot
    return None


def _reserve(budgets: Sequence[Budget], found: Counter[int]) -> None:
    for budget in budgets:
        for slot, tokens in found.items():
            budget.calendar.reserve(slot, budget.lane, tokens)
