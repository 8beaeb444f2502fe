"""The state of one limit: its reservations, its deferred calls, what it has learned, and its calls in flight."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from paydispatch.domain.limits import QUEUE_DELAY_LIMIT_S
from paydispatch.domain.rates.calendar import Calendar
from paydispatch.domain.rates.learned import Learned, shrink

if TYPE_CHECKING:
    from paydispatch.domain.rates.lanes import RateLane

IN_FLIGHT_S = 130.0
"""A call leaves the calls in flight after this time without a report, because its process may have been killed.

No invocation of the caller lasts longer.
"""


@dataclass(slots=True)
class LimitState:
    calendar: Calendar = field(default_factory=Calendar)
    learned: Learned | None = None
    """The rate after the last 429."""
    cap: Learned | None = None
    """The greatest number of calls in flight, since Stripe refused one for it. None: they are not counted."""
    in_flight: dict[str, float] = field(default_factory=dict)
    """The calls in flight by name, and the time in unix seconds at which each is forgotten."""
    later: dict[RateLane, float] = field(default_factory=dict)
    """When the last deferred call of a lane comes back, in unix seconds."""

    def rate(self, now_s: float, configured: int) -> int:
        """Return the calls per second as they stand now."""
        return configured if self.learned is None else self.learned.now(now_s, configured)

    def shrink_rate(self, now_s: float, configured: int) -> int:
        self.learned = shrink(self.rate(now_s, configured), now_s)
        return self.learned.value

    def cap_in_flight(self, now_s: float, configured: int) -> int | None:
        """Return the cap. It is dropped when it is back at as many calls as the rate lets begin in a second."""
        cap = configured if self.cap is None else self.cap.now(now_s, configured)
        if cap >= configured:
            self.cap = None
            self.in_flight.clear()
            return None
        return cap

    def narrow_cap(self, now_s: float, configured: int) -> int:
        cap = self.cap_in_flight(now_s, configured)
        self.cap = shrink(configured if cap is None else cap, now_s)
        return self.cap.value

    def has_room_in_flight(self, now_s: float, configured: int) -> bool:
        cap = self.cap_in_flight(now_s, configured)
        if cap is None:
            return True
        self.in_flight = {name: until for name, until in self.in_flight.items() if until > now_s}
        return len(self.in_flight) < cap

    def last_turn(self, lane: RateLane, soonest_s: float) -> float:
        """Return when the call comes back that was deferred last, or `soonest_s` if that is later (unix seconds)."""
        return max(soonest_s, self.later.get(lane, 0.0))

    def defer(self, lane: RateLane, until_s: float, now_s: float) -> float:
        """Note that the next deferred call comes back at `until_s`, and return the time.

        It is at most 900 s from now, because SQS delays no message for longer.
        """
        self.later[lane] = min(now_s + QUEUE_DELAY_LIMIT_S, until_s)
        return self.later[lane]
