"""The limits of an account: which calls go, when the others come again, and what a report changes."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import pytest

from paydispatch.domain.rates.account_limits import ALL, PAUSED_WAIT_S, AccountLimits
from paydispatch.domain.rates.feedback import Feedback
from paydispatch.domain.rates.lanes import RateLane
from paydispatch.domain.rates.learned import Learned
from paydispatch.domain.rates.limit_state import IN_FLIGHT_S
from paydispatch.domain.rates.limits import NO_LIMITS, Limits
from paydispatch.domain.rates.outage import FAILURES_IN_A_ROW
from paydispatch.domain.rates.tokens import Granted, Postponed, TokenAsk, Why

NOW_S = 1_800_000_000.0
"""The first tenth of a full second."""


def account(all_calls: int | None = 100, operation: int | None = 25) -> AccountLimits:
    """Make limits that are known for so long that nothing is scarce."""
    return AccountLimits(Limits(account=all_calls, operation=operation), since_s=NOW_S - 60)


def ask(operation: str = "create_product", **changed: Any) -> TokenAsk:
    fields = {"lane": RateLane.INTERACTIVE, "longest_wait_s": 20.0}
    return TokenAsk(account="live acct_1", operation=operation, **{**fields, **changed})


def take(limits: AccountLimits, count: int = 1, now_s: float = NOW_S, **asked: Any) -> list[Any]:
    return [limits.take(ask(**asked), now_s, name=f"c{number}") for number in range(count)]


def granted(limits: AccountLimits, now_s: float = NOW_S, **asked: Any) -> Granted:
    (answer,) = take(limits, now_s=now_s, **asked)
    assert isinstance(answer, Granted)
    return answer


def postponed(limits: AccountLimits, now_s: float = NOW_S, **asked: Any) -> Postponed:
    (answer,) = take(limits, now_s=now_s, **asked)
    assert isinstance(answer, Postponed)
    return answer


def waits(answers: list[Any]) -> list[float]:
    return [round(answer.wait_s, 3) for answer in answers if isinstance(answer, Granted)]


def open_breaker(limits: AccountLimits, now_s: float = NOW_S) -> None:
    for call in take(limits, FAILURES_IN_A_ROW, now_s):
        limits.report(call, Feedback.FAILED, now_s)


# Rates


def test_calls_within_the_limit_go_at_once_and_the_next_ones_wait_for_a_later_tenth() -> None:
    assert waits(take(account(), 7)) == [0.0, 0.0, 0.1, 0.1, 0.1, 0.2, 0.2]


def test_a_second_holds_as_many_calls_as_the_limit() -> None:
    per_second = Counter(int(wait) for wait in waits(take(account(), 60)))

    assert per_second == {0: 25, 1: 25, 2: 2}


def test_operations_share_the_limit_of_the_account() -> None:
    limits = account(all_calls=30, operation=25)
    first = waits(take(limits, 25, operation="create_product", longest_wait_s=0.95))
    second = waits(take(limits, 25, operation="create_price", longest_wait_s=0.95))

    assert (len(first), len(second)) == (25, 5)


def test_a_call_that_waits_for_its_operation_leaves_the_account_free_for_others() -> None:
    limits = account()
    limits.limits = Limits(account=25, operation=25, operations={"create_product": 5})
    take(limits, 10, operation="create_product")

    assert waits(take(limits, operation="create_price")) == [0.0]


def test_a_postponed_call_reserves_nothing_in_either_limit() -> None:
    limits = account(all_calls=100, operation=5)
    take(limits, 40, operation="create_product")

    in_all = limits.states[ALL].calendar.reserved
    assert in_all == limits.states["create_product"].calendar.reserved


def test_no_wait_is_longer_than_the_call_or_its_lane_can_wait() -> None:
    assert max(waits(take(account(), 200))) <= 2.0
    assert max(waits(take(account(), 200, longest_wait_s=0.3))) <= 0.3
    assert max(waits(take(account(), 200, lane=RateLane.BATCH))) <= 1.0


def test_without_limits_every_call_goes_at_once() -> None:
    limits = AccountLimits(NO_LIMITS.live, since_s=NOW_S)

    assert set(waits(take(limits, 1_000))) == {0.0}


def test_a_call_of_more_weight_takes_more_tokens() -> None:
    assert waits(take(account(), 5, weight=5)) == [0.1, 0.3, 0.5, 0.7, 0.9]


def test_a_weight_above_the_limit_of_a_second_takes_all_of_the_second() -> None:
    assert waits(take(account(1, 1), weight=5)) == [0.9]


def test_limits_that_were_just_begun_give_half_because_calls_before_a_loss_are_unknown() -> None:
    limits = AccountLimits(Limits(account=100, operation=100), since_s=NOW_S)

    assert waits(take(limits, 21)) == [0.0] * 5 + [0.1] * 5 + [0.2] * 10 + [0.3]


# Lanes


def test_batch_work_leaves_a_fifth_of_every_limit_to_interactive_work() -> None:
    limits = account(100, 100)
    batch = waits(take(limits, 200, lane=RateLane.BATCH, longest_wait_s=0.95))

    assert len(batch) == 80
    assert waits(take(limits, 3)) == [0.0] * 2 + [0.1]


def test_looks_and_batch_work_share_the_part_of_batch_work() -> None:
    limits = account(100, 100)
    looks = waits(take(limits, 200, lane=RateLane.LOOK, longest_wait_s=0.45))
    batch = waits(take(limits, 200, lane=RateLane.BATCH, longest_wait_s=0.45))

    assert (len(looks), len(batch)) == (25, 15)


def test_a_look_counts_in_the_part_of_batch_work_too() -> None:
    limits = account(100, 100)
    take(limits, 80, lane=RateLane.BATCH, longest_wait_s=0.95)

    assert postponed(limits, lane=RateLane.LOOK, longest_wait_s=0.0).why is Why.RATE


# Deferral


def test_deferred_calls_come_back_at_the_rate_of_their_lane() -> None:
    limits = account(100, 25)
    delays = [
        answer.delay_s
        for answer in take(limits, 300, lane=RateLane.BATCH)
        if isinstance(answer, Postponed)
    ]

    steps = [later - sooner for sooner, later in itertools.pairwise(delays)]
    assert delays[0] == pytest.approx(1.05)
    assert steps == pytest.approx([1 / 20] * len(steps), abs=1e-6)


def test_no_deferral_is_longer_than_a_queue_can_delay() -> None:
    answers = take(account(1, 1), 2_000)

    assert answers[-1].delay_s == pytest.approx(900.0)


def test_deferred_calls_come_back_as_a_shrunk_limit_is_restored() -> None:
    limits = account(100, 100)
    limits.report(granted(limits), Feedback.ACCOUNT_RATE, NOW_S)
    answers = take(limits, 5_000)

    in_order_s = answers[-1].delay_s
    assert 5_000 / 100 < in_order_s < 5_000 / 90  # at the shrunk rate of 70/s it were 71 s


# Pause


def test_a_paused_lane_gets_no_tokens_and_comes_again_within_a_minute() -> None:
    limits = account()
    limits.paused = {RateLane.BATCH}

    assert postponed(limits, lane=RateLane.BATCH) == Postponed(
        why=Why.PAUSED, delay_s=PAUSED_WAIT_S
    )
    assert waits(take(limits)) == [0.0]


def test_tokens_that_wait_do_not_count_after_a_pause() -> None:
    limits = account()
    waiting = take(limits, 5)[-1]
    limits.paused = set(RateLane)

    assert limits.confirm(waiting) is False


# Feedback


def test_a_429_about_the_operation_shrinks_its_limit_at_once_and_no_other() -> None:
    limits = account(100, 25)
    limits.report(granted(limits), Feedback.OPERATION_RATE, NOW_S)

    assert limits.rate("create_product", NOW_S) == 17
    assert (limits.rate(ALL, NOW_S), limits.rate("create_price", NOW_S)) == (100, 25)


def test_a_429_about_the_account_shrinks_the_limit_of_all_calls() -> None:
    limits = account(100, 25)
    limits.report(granted(limits), Feedback.ACCOUNT_RATE, NOW_S)

    assert (limits.rate(ALL, NOW_S), limits.rate("create_product", NOW_S)) == (70, 25)


def test_the_429s_of_one_moment_shrink_a_limit_once() -> None:
    limits = account(100, 25)
    for call in take(limits, 10):
        limits.report(call, Feedback.OPERATION_RATE, NOW_S)

    assert limits.rate("create_product", NOW_S) == 17


def test_a_429_of_a_call_after_the_shrink_shrinks_the_limit_again() -> None:
    limits = account(100, 25)
    for _ in range(2):
        limits.report(granted(limits), Feedback.OPERATION_RATE, NOW_S)

    assert limits.rate("create_product", NOW_S) == 11


def test_a_limit_never_shrinks_below_one_call_a_second() -> None:
    limits = account(100, 25)
    for second in range(60):
        limits.report(granted(limits, NOW_S + second), Feedback.OPERATION_RATE, NOW_S)

    assert limits.rate("create_product", NOW_S) == 1


def test_a_limit_comes_back_step_by_step_and_no_further() -> None:
    limits = account(100, 100)
    limits.report(granted(limits), Feedback.OPERATION_RATE, NOW_S)
    rates = [limits.rate("create_product", NOW_S + second) for second in (0, 1, 10, 30, 3_600)]

    assert rates == [70, 71, 85, 100, 100]


def test_tokens_that_wait_do_not_count_after_a_limit_shrank() -> None:
    limits = account()
    calls = take(limits, 20)
    limits.report(calls[0], Feedback.OPERATION_RATE, NOW_S)

    assert calls[-1].must_be_confirmed
    assert limits.confirm(calls[-1]) is False


def test_a_shrink_does_not_forget_the_calls_that_go_without_asking_again() -> None:
    limits = account(100, 20)
    calls = take(limits, 20)
    limits.report(calls[0], Feedback.OPERATION_RATE, NOW_S)

    assert waits(take(limits, 1)) == [0.2]
    assert [call.must_be_confirmed for call in calls[:5]] == [False] * 4 + [True]


def test_tokens_count_while_nothing_changes() -> None:
    limits = account()

    assert all(limits.confirm(call) for call in take(limits, 20))


# Calls in flight


def narrow(limits: AccountLimits, times: int = 1) -> None:
    for _ in range(times):
        limits.report(granted(limits), Feedback.OPERATION_CONCURRENCY, NOW_S)


def test_a_429_about_concurrency_caps_the_calls_in_flight_of_the_operation() -> None:
    limits = account(100, 10)
    narrow(limits)
    calls = take(limits, 10, NOW_S + 1)

    assert len([call for call in calls if isinstance(call, Granted)]) == 7
    assert calls[-1].why is Why.IN_FLIGHT
    assert waits(take(limits, 1, NOW_S + 1, operation="create_price")) == [0.0]


def test_a_reported_call_leaves_the_calls_in_flight() -> None:
    limits = account(100, 10)
    narrow(limits)
    calls = take(limits, 7, NOW_S + 1)
    limits.report(calls[0], Feedback.FINE, NOW_S + 2)

    assert granted(limits, NOW_S + 2).in_flight


def test_a_call_without_a_report_leaves_the_calls_in_flight_in_the_end() -> None:
    limits = account(100, 100)
    granted(limits)
    state = limits.states["create_product"]
    state.cap = Learned(1, NOW_S)
    granted(limits)
    state.cap = Learned(1, NOW_S + IN_FLIGHT_S)  # it would be back by then

    assert postponed(limits, NOW_S + IN_FLIGHT_S - 0.01).why is Why.IN_FLIGHT
    assert granted(limits, NOW_S + IN_FLIGHT_S)


def test_a_call_whose_tokens_count_no_more_leaves_the_calls_in_flight() -> None:
    limits = account(100, 10)
    narrow(limits)
    calls = take(limits, 7, NOW_S + 1)
    limits.paused = set(RateLane)
    assert limits.confirm(calls[-1]) is False
    limits.paused = ()

    assert granted(limits, NOW_S + 1)


def test_the_cap_goes_when_it_is_back_at_the_rate() -> None:
    limits = account(100, 10)
    narrow(limits)

    assert len(waits(take(limits, 30, NOW_S + 31))) == 21


# Outage


def test_calls_stop_after_many_failures_in_a_row_and_one_probe_goes_after_a_second() -> None:
    limits = account(100, 100)
    open_breaker(limits)

    assert postponed(limits, NOW_S + 0.9) == Postponed(
        why=Why.OUTAGE, delay_s=pytest.approx(0.1, abs=1e-6)
    )
    assert granted(limits, NOW_S + 1)
    assert postponed(limits, NOW_S + 1).why is Why.OUTAGE


def test_an_open_breaker_stops_no_look_and_gives_no_probe_to_one() -> None:
    limits = account(100, 100)
    open_breaker(limits)

    assert granted(limits, NOW_S + 0.5, lane=RateLane.LOOK)
    assert granted(limits, NOW_S + 1, lane=RateLane.LOOK)
    assert granted(limits, NOW_S + 1)


def test_the_probes_come_at_growing_intervals() -> None:
    limits = account(100, 100)
    open_breaker(limits)
    now_s, delays = NOW_S + 1, []
    for _ in range(8):
        limits.report(granted(limits, now_s), Feedback.FAILED, now_s)
        delays.append(round(postponed(limits, now_s).delay_s))
        now_s += delays[-1]

    assert delays == [2, 4, 8, 16, 30, 30, 30, 30]


@pytest.mark.parametrize("answer", [Feedback.FINE, Feedback.OPERATION_RATE])
def test_an_answer_to_the_probe_lets_all_calls_go(answer: Feedback) -> None:
    limits = account(100, 100)
    open_breaker(limits)
    probe = granted(limits, NOW_S + 1)
    assert probe.watched
    limits.report(probe, answer, NOW_S + 1)

    assert len(waits(take(limits, 7, NOW_S + 2))) == 7


def test_a_probe_that_was_not_made_does_not_let_the_others_go() -> None:
    limits = account(100, 100)
    open_breaker(limits)
    limits.report(granted(limits, NOW_S + 1), Feedback.NOT_CALLED, NOW_S + 1)

    assert postponed(limits, NOW_S + 1).why is Why.OUTAGE


def test_a_call_without_tokens_does_not_use_up_the_probe() -> None:
    limits = account(100, 100)
    open_breaker(limits)
    limits.limits = Limits(account=100, operation=100, operations={"create_product": 1})

    assert postponed(limits, NOW_S + 1, longest_wait_s=0.0).why is Why.RATE
    assert granted(limits, NOW_S + 1, operation="create_price")


def test_a_closed_account_uses_up_no_tokens() -> None:
    limits = account(100, 100)
    open_breaker(limits)
    take(limits, 100, NOW_S + 0.9)

    assert limits.states[ALL].calendar.count(int((NOW_S + 0.9) * 10)) == 0


def test_an_answer_among_failures_keeps_the_breaker_closed() -> None:
    limits = account(100, 100)
    for number in range(60):
        call = granted(limits, NOW_S + number)
        limits.report(call, Feedback.FAILED if number % 10 else Feedback.FINE, NOW_S + number)

    assert granted(limits, NOW_S + 60).watched
