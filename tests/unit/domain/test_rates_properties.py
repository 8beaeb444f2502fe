"""The limits hold for any calls at any times."""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass
from math import ceil
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from paydispatch.domain.rates.account_limits import ALL, AccountLimits
from paydispatch.domain.rates.calendar import SLOTS_PER_S, capacity, slot_of
from paydispatch.domain.rates.feedback import Feedback
from paydispatch.domain.rates.lanes import LANES, RateLane
from paydispatch.domain.rates.limits import Limits
from paydispatch.domain.rates.tokens import Granted, Postponed, TokenAsk

QUIET = settings(deadline=None, max_examples=60)
"""No example fails because the machine is busy."""

START_S = 1_800_000_000.0
RATES = st.one_of(st.integers(1, 30), st.sampled_from([100, 250]))
LIMITS = st.builds(
    lambda account, operation: Limits(account=account, operation=operation), RATES, RATES
)


@dataclass(frozen=True)
class Asked:
    after_s: float
    """Seconds since the call before."""
    ask: TokenAsk
    feedback: Feedback


ASKS = st.lists(
    st.builds(
        Asked,
        after_s=st.sampled_from([0.0, 0.0, 0.0, 0.0, 0.01, 0.03, 0.2, 1.1]),
        ask=st.builds(
            TokenAsk,
            account=st.just("live acct_1"),
            operation=st.sampled_from(["create_product", "create_price"]),
            lane=st.sampled_from(RateLane),
            longest_wait_s=st.sampled_from([0.0, 0.35, 20.0]),
            weight=st.sampled_from([1, 1, 1, 3]),
        ),
        feedback=st.sampled_from(
            [Feedback.FINE] * 12 + [Feedback.OPERATION_RATE, Feedback.ACCOUNT_RATE]
        ),
    ),
    max_size=150,
)


def take_all(limits: AccountLimits, asks: list[Asked]) -> list[tuple[float, Any]]:
    """Return each answer with the time of its ask."""
    now_s, answers = START_S + 60, []
    for number, asked in enumerate(asks):
        now_s += asked.after_s
        answers.append((now_s, limits.take(asked.ask, now_s, name=f"c{number}")))
    return answers


def slot_of_call(now_s: float, granted: Granted) -> int:
    """Return the slot in which the call goes. A wait ends where a slot begins."""
    return round((now_s + granted.wait_s) * SLOTS_PER_S) if granted.wait_s else slot_of(now_s)


@given(LIMITS, ASKS)
@settings(QUIET)
def test_no_tenth_of_a_second_holds_more_calls_than_fit(limits: Limits, asks: list[Asked]) -> None:
    reserved: dict[str, Counter[int]] = {}
    account = AccountLimits(limits, since_s=START_S)
    for asked, (now_s, answer) in zip(asks, take_all(account, asks), strict=True):
        if asked.ask.weight == 1 and isinstance(answer, Granted):
            slot = slot_of_call(now_s, answer)
            for name in (ALL, asked.ask.operation):
                reserved.setdefault(name, Counter())[slot] += 1

    for name, slots in reserved.items():
        rate = limits.account if name == ALL else limits.operation
        assert rate is not None
        assert all(calls <= capacity(rate, slot) for slot, calls in slots.items())


@given(LIMITS, ASKS)
@settings(QUIET)
def test_batch_work_and_looks_stay_within_their_share(limits: Limits, asks: list[Asked]) -> None:
    account = AccountLimits(limits, since_s=START_S)
    slots: dict[RateLane, Counter[int]] = {RateLane.BATCH: Counter(), RateLane.LOOK: Counter()}
    for asked, (now_s, answer) in zip(asks, take_all(account, asks), strict=True):
        lane = asked.ask.lane
        if asked.ask.weight == 1 and isinstance(answer, Granted) and lane in slots:
            slot = slot_of_call(now_s, answer)
            slots[RateLane.BATCH][slot] += 1
            slots[RateLane.LOOK][slot] += lane is RateLane.LOOK

    assert limits.account is not None
    for lane, calls in slots.items():
        share = max(1, int(limits.account * LANES[lane].share))
        assert all(number <= capacity(share, slot) for slot, number in calls.items())


@given(LIMITS, ASKS)
@settings(QUIET)
def test_a_reservation_is_in_both_limits_or_in_none(limits: Limits, asks: list[Asked]) -> None:
    account = AccountLimits(limits, since_s=START_S)
    take_all(account, [Asked(0.0, asked.ask, asked.feedback) for asked in asks])

    states = dict(account.states)
    of_all = states.pop(ALL).calendar.reserved if asks else {}
    for lane, slots in of_all.items():
        summed = sum((state.calendar.reserved[lane] for state in states.values()), Counter())
        assert +slots == +summed


@given(LIMITS, ASKS)
@settings(QUIET)
def test_no_wait_is_longer_than_the_call_and_its_lane_can_wait(
    limits: Limits, asks: list[Asked]
) -> None:
    account = AccountLimits(limits, since_s=START_S)
    for asked, (_, answer) in zip(asks, take_all(account, asks), strict=True):
        if isinstance(answer, Granted):
            longest_s = min(asked.ask.longest_wait_s, LANES[asked.ask.lane].longest_wait_s)
            assert 0.0 <= answer.wait_s <= longest_s + 1e-6


@given(LIMITS, st.integers(1, 3_000), st.sampled_from(RateLane))
@settings(QUIET, max_examples=30)
def test_deferred_calls_come_back_no_faster_than_their_lane_may_call(
    limits: Limits, calls: int, lane: RateLane
) -> None:
    account = AccountLimits(limits, since_s=START_S)
    ask = TokenAsk(account="live a", operation="create_price", lane=lane, longest_wait_s=0.0)
    answers = [account.take(ask, START_S + 60) for _ in range(calls)]
    delays = [answer.delay_s for answer in answers if isinstance(answer, Postponed)]

    assert limits.account is not None
    assert limits.operation is not None
    lowest = min(limits.account, limits.operation)
    lane_rate = max(1, int(lowest * LANES[lane].share))
    assert all(delay <= 900.0 for delay in delays)
    spread = [delay for delay in delays if delay < 899.9]
    assert spread == sorted(spread)
    in_seconds = Counter(int(delay) for delay in spread)
    assert all(number <= lane_rate + 1 for number in in_seconds.values())


@given(LIMITS, ASKS)
@settings(QUIET)
def test_no_second_has_more_calls_than_the_limit_and_a_tenth(
    limits: Limits, asks: list[Asked]
) -> None:
    """Calls confirm after a wait and ask again, and 429s shrink the limits meanwhile."""
    made = run_calls(limits, asks, lose_at_s=None)

    assert_no_second_above(limits, made, tenths=1)


@given(LIMITS, ASKS, st.floats(0.0, 3.0))
@settings(QUIET)
def test_a_loss_of_all_state_adds_a_tenth_of_a_second_at_most(
    limits: Limits, asks: list[Asked], lose_after_s: float
) -> None:
    made = run_calls(limits, asks, lose_at_s=START_S + 60 + lose_after_s)

    assert_no_second_above(limits, made, tenths=2)


def assert_no_second_above(limits: Limits, made: list[tuple[float, str]], tenths: int) -> None:
    """Slots hold whole calls, so the bound is 1.2 times the limit from 10 calls a second on."""
    for name, rate in ((ALL, limits.account), ("create_price", limits.operation)):
        assert rate is not None
        times = sorted(at_s for at_s, operation in made if name in (ALL, operation))
        bound = rate + tenths * ceil(rate / 10) + (tenths - 1)
        for place, first_s in enumerate(times):
            within = sum(first_s <= at_s < first_s + 1 - 1e-6 for at_s in times[place:])
            assert within <= bound, (name, rate, within)


def run_calls(
    limits: Limits, asks: list[Asked], lose_at_s: float | None
) -> list[tuple[float, str]]:
    """Let each call wait, confirm, ask again, be made and be reported. Return the time and operation of those made."""
    account = AccountLimits(limits, since_s=START_S)
    made: list[tuple[float, str]] = []
    events: list[tuple[float, int, Asked, Granted | None]] = []
    now_s = START_S + 60
    for number, asked in enumerate(asks):
        now_s += asked.after_s
        heapq.heappush(events, (now_s, number, asked, None))
    while events:
        now_s, number, asked, granted = heapq.heappop(events)
        if lose_at_s is not None and now_s >= lose_at_s:
            account, lose_at_s = AccountLimits(limits, since_s=now_s), None
        stands = granted and (not granted.must_be_confirmed or account.confirm(granted))
        if granted and stands:
            made += [(now_s, asked.ask.operation)]
            account.report(granted, asked.feedback, now_s)
            continue
        answer = account.take(asked.ask, now_s, name=f"c{number}")
        if isinstance(answer, Granted):
            heapq.heappush(events, (now_s + answer.wait_s, number, asked, answer))
    return made
