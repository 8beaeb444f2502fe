"""The limits of one account as a state machine: what each ask is answered, and what each report changes.

The Redis limiter runs the same steps as Lua scripts. The in-memory limiter and the simulation run these.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from paydispatch.domain.rates.calendar import SLOTS_PER_S, Budget, reserve_first, slot_of
from paydispatch.domain.rates.feedback import NO_CHANGE, Change, Feedback
from paydispatch.domain.rates.lanes import LANES, RateLane
from paydispatch.domain.rates.limit_state import IN_FLIGHT_S, LimitState
from paydispatch.domain.rates.outage import Outage
from paydispatch.domain.rates.tokens import Granted, Postponed, TokenAsk, Why

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from paydispatch.domain.rates.lanes import LaneRule
    from paydispatch.domain.rates.limits import Limits

PAUSED_WAIT_S = 60.0
"""A paused request is deferred by this time, so that `resume` takes hold within it."""

ALL = ""
"""The name of the limit of all calls of the account, beside those of its operations."""


@dataclass(frozen=True, slots=True)
class _Bound:
    """A limit that holds for a call."""

    state: LimitState
    configured: int
    rate: int


@dataclass(slots=True)
class AccountLimits:
    """The state of one account and mode. It begins at `since_s`."""

    limits: Limits
    since_s: float
    rules: Mapping[RateLane, LaneRule] = field(default_factory=lambda: LANES)
    states: dict[str, LimitState] = field(default_factory=dict)
    """By the operation's name, or `ALL`."""
    paused: Collection[RateLane] = ()
    outage: Outage = field(default_factory=Outage)
    epoch: int = field(init=False)
    """Changes whenever tokens that wait count no more. It is a time in microseconds, so that it is new after a loss."""

    def __post_init__(self) -> None:
        self.epoch = _micros(self.since_s)

    def take(self, ask: TokenAsk, now_s: float, *, name: str = "") -> Granted | Postponed:
        """Reserve the tokens of one call, or say when it should come again.

        `name` is the call's name among the calls in flight. A call that is postponed changes nothing but the time at
        which the next one comes back.
        """
        if ask.lane in self.paused:
            return Postponed(why=Why.PAUSED, delay_s=PAUSED_WAIT_S)
        # A read can do no harm, and only a read shows the effects of lost answers, which open the breaker.
        stopped_by_outage = ask.lane is not RateLane.LOOK
        probe_in_s = self.outage.wait_s(now_s) if stopped_by_outage else 0.0
        if probe_in_s > 0:
            return Postponed(why=Why.OUTAGE, delay_s=probe_in_s)
        bounds = self._bounds(ask.operation, now_s)
        if not all(bound.state.has_room_in_flight(now_s, bound.configured) for bound in bounds):
            return self._postpone(Why.IN_FLIGHT, ask, bounds, now_s)
        wait_s = self._reserve(ask, bounds, now_s)
        if wait_s is None:
            return self._postpone(Why.RATE, ask, bounds, now_s)
        watched = self.outage.failures > 0
        if stopped_by_outage:
            self.outage.let_through(now_s)
        return Granted(
            ask=ask,
            wait_s=wait_s,
            epoch=str(self.epoch),
            in_flight=_join_flight(name, bounds, now_s),
            watched=watched,
        )

    def confirm(self, granted: Granted) -> bool:
        """Return whether tokens that were waited for still count. If not, the call leaves the calls in flight."""
        stands = granted.epoch == str(self.epoch) and granted.ask.lane not in self.paused
        if not stands:
            self._leave_flight(granted)
        return stands

    def report(self, granted: Granted, feedback: Feedback, now_s: float) -> Change:
        """Take note of the end of a call. Return the change that it made for all calls."""
        self._leave_flight(granted)
        if is_quiet(granted, feedback):
            return NO_CHANGE
        if feedback is Feedback.FAILED:
            return Change(breaker_opened=self.outage.fail(now_s))
        self.outage.close()
        if granted.epoch != str(self.epoch):
            return NO_CHANGE  # the limit has shrunk since this call took its tokens
        return Change(shrunk_to=self._learn(feedback, granted.ask.operation, now_s))

    def rate(self, name: str, now_s: float) -> int | None:
        """Return the limit of an operation, or of `ALL`, as it stands now. None: there is none."""
        configured = self.configured(name)
        if configured is None:
            return None
        return self.states[name].rate(now_s, configured) if name in self.states else configured

    def configured(self, name: str) -> int | None:
        return self.limits.account if name == ALL else self.limits.of(name)

    def _bounds(self, operation: str, now_s: float) -> list[_Bound]:
        """Return the limits that hold for a call of the operation."""
        found = []
        for name in (ALL, operation):
            configured = self.configured(name)
            if configured is not None:
                state = self.states.setdefault(name, LimitState())
                found.append(_Bound(state, configured, state.rate(now_s, configured)))
        return found

    def _reserve(self, ask: TokenAsk, bounds: Sequence[_Bound], now_s: float) -> float | None:
        """Return the seconds until the call may go. None: not enough is free within its longest wait."""
        first = slot_of(now_s)
        budgets = []
        for bound in bounds:
            bound.state.calendar.keep_slots(first)
            budgets.append(
                Budget(
                    calendar=bound.state.calendar,
                    lane=ask.lane,
                    rate=bound.rate,
                    lane_rates=self._lane_rates(bound.rate, ask.lane),
                    scarce_until=slot_of(self.since_s) + 1,
                )
            )
        weight = min([ask.weight, *(min(budget.lane_rates.values()) for budget in budgets)])
        longest_s = min(ask.longest_wait_s, self.rules[ask.lane].longest_wait_s)
        slot = reserve_first(budgets, weight, first, slot_of(now_s + max(0.0, longest_s)))
        return None if slot is None else max(0.0, slot / SLOTS_PER_S - now_s)

    def _postpone(
        self, why: Why, ask: TokenAsk, bounds: Sequence[_Bound], now_s: float
    ) -> Postponed:
        """Return when the call's turn comes if all that were deferred before it come first.

        A limit that shrank is expected to be restored meanwhile. Otherwise they would come back at the shrunk rate.
        """
        lane, soonest_s = ask.lane, now_s + self.rules[ask.lane].longest_wait_s
        back_s = []
        for bound in bounds:
            last_s = bound.state.last_turn(lane, soonest_s)
            rates = self._lane_rates(bound.state.rate(last_s, bound.configured), lane)
            interval_s = ask.weight / min(rates.values())
            back_s.append(bound.state.defer(lane, last_s + interval_s, now_s))
        return Postponed(why=why, delay_s=max(back_s) - now_s)

    def _lane_rates(self, rate: int, lane: RateLane) -> dict[RateLane, int]:
        """Return the calls per second of the lane and of each lane above it, with the lanes below.

        A look counts in the share of batch work too, because batch work and looks share it.
        """
        lanes = list(RateLane)
        above = lanes[: lanes.index(lane) + 1]
        return {one: max(1, int(rate * self.rules[one].share)) for one in above}

    def _leave_flight(self, granted: Granted) -> None:
        if granted.in_flight:
            for name in (ALL, granted.ask.operation):
                if name in self.states:
                    self.states[name].in_flight.pop(granted.in_flight, None)

    def _learn(self, feedback: Feedback, operation: str, now_s: float) -> int | None:
        """Shrink the limit that Stripe enforced, if it is configured here. Return what is left of it."""
        name = ALL if feedback in _OF_ACCOUNT else operation
        configured = self.configured(name)
        if feedback is Feedback.FINE or configured is None:
            return None
        state = self.states.setdefault(name, LimitState())
        shrink = state.shrink_rate if feedback in _OF_RATE else state.narrow_cap
        left = shrink(now_s, configured)
        self._begin_epoch(now_s)
        return left

    def _begin_epoch(self, now_s: float) -> None:
        """Void all tokens that wait. Their calls take new ones when they wake.

        Those of this slot and the next stand, because their calls go without asking again (`CONFIRM_AFTER_S`).
        """
        self.epoch = max(self.epoch + 1, _micros(now_s))
        now = slot_of(now_s)
        for state in self.states.values():
            state.calendar.keep_slots(now, now + 1)


_OF_ACCOUNT = {Feedback.ACCOUNT_RATE, Feedback.ACCOUNT_CONCURRENCY}
_OF_RATE = {Feedback.ACCOUNT_RATE, Feedback.OPERATION_RATE}


def is_quiet(granted: Granted, feedback: Feedback) -> bool:
    """Return whether a report says nothing about the account.

    A success counts only where earlier calls had failed when the call took its tokens. So most reports of success cost
    no round trip.
    """
    return feedback is Feedback.NOT_CALLED or (feedback is Feedback.FINE and not granted.watched)


def _micros(at_s: float) -> int:
    return int(at_s * 1_000_000)


def _join_flight(name: str, bounds: Sequence[_Bound], now_s: float) -> str:
    """Count the call among those in flight where there is a cap. Return its name there, or nothing."""
    capped = [bound.state for bound in bounds if bound.state.cap is not None]
    for state in capped:
        state.in_flight[name] = now_s + IN_FLIGHT_S
    return name if capped else ""
