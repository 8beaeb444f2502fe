"""The limits of one account as a state machine: what each ask is answered, and what each report changes.

The Redis limiter runs the same steps as Lua scripts. The in-memory limiter and the simulation run these.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from paydispatch.domain.limits import QUEUE_DELAY_LIMIT_S
from paydispatch.domain.rates.calendar import SLOTS_PER_S, Calendar, reserve_first, share_of, slot_of
from paydispatch.domain.rates.feedback import Feedback
from paydispatch.domain.rates.lanes import LANES
from paydispatch.domain.rates.learned import Learned, shrink
from paydispatch.domain.rates.outage import Outage
from paydispatch.domain.rates.tokens import Granted, Postponed, TokenAsk, Why

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from paydispatch.domain.rates.lanes import LaneRule, RateLane
    from paydispatch.domain.rates.limits import Limits

IN_FLIGHT_WAIT_S = 1.0
"""After this time a call asks again that found the cap on calls in flight reached."""

PAUSED_WAIT_S = 60.0
"""A paused request is deferred by this time, so that `resume` takes hold within it."""

ALL = ""
"""The name of the limit of all calls of the account, beside those of its operations."""


@dataclass(slots=True)
class AccountLimits:
    """The state of one account and mode."""

    limits: Limits
    rules: Mapping[RateLane, LaneRule] = field(default_factory=lambda: LANES)
    epoch: int = 0
    """Grows whenever tokens that wait count no more."""
    calendars: dict[str, Calendar] = field(default_factory=dict)
    """By the operation's name, or `ALL`."""
    learned: dict[str, Learned] = field(default_factory=dict)
    later: dict[tuple[str, RateLane], float] = field(default_factory=dict)
    """When the last deferred call of a limit and lane comes back, in unix seconds."""
    caps: dict[str, int] = field(default_factory=dict)
    """The greatest number of calls in flight, where Stripe refused one for it."""
    in_flight: dict[str, set[str]] = field(default_factory=dict)
    paused: Collection[RateLane] = ()
    outage: Outage = field(default_factory=Outage)

    def take(self, ask: TokenAsk, now_s: float, *, name: str = "") -> Granted | Postponed:
        """Reserve the tokens of one call, or say when it should come again.

        `name` is the call's name in the set of calls in flight.
        """
        if ask.lane in self.paused:
            return Postponed(why=Why.PAUSED, delay_s=PAUSED_WAIT_S)
        if self._is_full(ask.operation):
            return Postponed(why=Why.IN_FLIGHT, delay_s=IN_FLIGHT_WAIT_S)
        rates = self._rates(ask.operation, now_s)
        wait_s = self._reserve(ask, rates, now_s)
        if wait_s is None:
            return Postponed(why=Why.RATE, delay_s=self._delay_s(ask, rates, now_s))
        probe_in_s = self.outage.admit(now_s)
        if probe_in_s is not None:
            return Postponed(why=Why.OUTAGE, delay_s=probe_in_s)
        in_flight = self._join_flight(ask.operation, name)
        watched = self.outage.failures > 0
        return Granted(
            ask=ask, wait_s=wait_s, epoch=str(self.epoch), in_flight=in_flight, watched=watched
        )

    def confirm(self, granted: Granted) -> bool:
        """Return whether tokens that were waited for still count. If not, the call leaves the calls in flight."""
        stands = granted.epoch == str(self.epoch) and granted.ask.lane not in self.paused
        if not stands:
            self._leave_flight(granted)
        return stands

    def report(self, granted: Granted, feedback: Feedback, now_s: float) -> None:
        self._leave_flight(granted)
        operation = granted.ask.operation
        if feedback is Feedback.FAILED:
            self.outage.fail(now_s)
            return
        self.outage.answer()
        if granted.epoch != str(self.epoch):
            return  # the limit has shrunk since this call took its tokens
        match feedback:
            case Feedback.ACCOUNT_RATE:
                self._shrink(ALL, now_s)
            case Feedback.OPERATION_RATE:
                self._shrink(operation, now_s)
            case Feedback.ACCOUNT_CONCURRENCY:
                self._narrow(ALL, now_s)
            case Feedback.OPERATION_CONCURRENCY:
                self._narrow(operation, now_s)
            case _:
                pass

    def rate(self, name: str, now_s: float) -> int | None:
        """Return the limit of an operation, or of `ALL`, as it stands now. None: there is none."""
        configured = self.limits.account if name == ALL else self.limits.of(name)
        if configured is None:
            return None
        learned = self.learned.get(name)
        return configured if learned is None else learned.rate_at(now_s, configured)

    def _rates(self, operation: str, now_s: float) -> dict[str, int]:
        rates = {name: self.rate(name, now_s) for name in (ALL, operation)}
        return {name: rate for name, rate in rates.items() if rate is not None}

    def _reserve(self, ask: TokenAsk, rates: Mapping[str, int], now_s: float) -> float | None:
        """Return the seconds until the call may go. None: nothing is free within its longest wait."""
        first = slot_of(now_s)
        longest_s = min(ask.longest_wait_s, self.rules[ask.lane].longest_wait_s)
        last = slot_of(now_s + max(0.0, longest_s))
        calendars = [(self.calendars.setdefault(name, Calendar()), r) for name, r in rates.items()]
        for calendar, _ in calendars:
            calendar.forget_before(first)
        slot = reserve_first(calendars, ask.lane, ask.weight, first, last)
        return None if slot is None else max(0.0, slot / SLOTS_PER_S - now_s)

    def _delay_s(self, ask: TokenAsk, rates: Mapping[str, int], now_s: float) -> float:
        """Return when the call's turn comes if all that were deferred before it come first, 900 s at most."""
        latest = now_s + QUEUE_DELAY_LIMIT_S
        for name, rate in rates.items():
            place = (name, ask.lane)
            soonest = now_s + self.rules[ask.lane].longest_wait_s
            interval_s = ask.weight / share_of(rate, ask.lane)
            self.later[place] = min(latest, max(soonest, self.later.get(place, 0.0)) + interval_s)
        return max(self.later[name, ask.lane] for name in rates) - now_s

    def _shrink(self, name: str, now_s: float) -> None:
        rate = self.rate(name, now_s)
        if rate is not None:
            self.learned[name] = shrink(rate, now_s)
        self._begin_epoch()

    def _begin_epoch(self) -> None:
        """Void all tokens that wait. Their calls take new ones when they wake."""
        self.epoch += 1
        self.calendars.clear()
