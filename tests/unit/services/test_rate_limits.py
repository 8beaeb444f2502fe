"""A call takes its rate tokens before its send. It sleeps a short wait, and a longer one defers it. Nothing is lost."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.unit.examples import (
    CREATED,
    IN_AN_HOUR,
    KEY,
    NO_CONNECTION,
    NOW_S,
    TIMED_OUT,
    envelope,
    make_refusal,
)

from paydispatch.domain.limits import QUEUE_DELAY_LIMIT_S
from paydispatch.domain.message.groups import group_of_account
from paydispatch.domain.outcomes import Certainty
from paydispatch.domain.rates.lanes import RateLane
from paydispatch.domain.rates.limits import DefaultLimits, Limits
from paydispatch.domain.rates.outage import FAILURES_IN_A_ROW
from paydispatch.domain.rates.tokens import Granted, TokenAsk, Why
from paydispatch.domain.rates.waiting import Waiting
from paydispatch.domain.requests import Lane
from paydispatch.services.call_batch import PUBLISHING_TIME_S
from paydispatch.services.call_stripe import LEAST_CALL_S
from paydispatch.services.calls.take_tokens import spread_delay_s
from paydispatch.testing.memory_limiter import MemoryLimiter

if TYPE_CHECKING:
    from tests.unit.services.conftest import Caller

    from paydispatch.domain.attempts import RefusedInFront

ACCOUNT = "test acct_1"
ONE_A_SECOND = Limits(account=10, operation=1)


def rate_limited(reason: str | None, **error: str) -> RefusedInFront:
    refused = make_refusal(429, type="rate_limit", code="rate_limit")
    return replace(refused, rate_limited_reason=reason, error={**refused.error, **error})


def limit(caller: Caller, limits: Limits) -> MemoryLimiter:
    caller.limiter = MemoryLimiter(caller.clock, DefaultLimits(live=limits, sandbox=limits))
    return caller.limiter


def book_two_seconds(caller: Caller) -> None:
    """Take all tokens of `ONE_A_SECOND` for two seconds from now."""
    account = caller.limiter.reach(ACCOUNT)
    ask = TokenAsk(
        account=ACCOUNT,
        operation="create_payment_intent",
        lane=RateLane.INTERACTIVE,
        longest_wait_s=20,
    )
    for _ in range(2):
        assert isinstance(account.take(ask, NOW_S), Granted)


async def call_many(caller: Caller, number: int) -> None:
    for n in range(number):
        assert await caller.receive(envelope(request_id=f"pdr_{n}"))


class TestWaiting:
    async def test_a_call_with_free_tokens_goes_at_once(self, caller: Caller) -> None:
        limit(caller, Limits(account=100, operation=100))
        caller.answers(CREATED)
        assert await caller.receive(envelope())
        assert caller.clock.now_s() == NOW_S

    async def test_a_short_wait_is_slept_before_the_send(self, caller: Caller) -> None:
        limit(caller, ONE_A_SECOND)
        caller.answers(CREATED)
        await call_many(caller, 2)
        assert len(caller.stripe.calls) == 2
        assert NOW_S + 0.9 <= caller.clock.now_s() <= NOW_S + 2
        slot = caller.requests.store.slots["pdr_1"]
        assert slot.first_sent_at == caller.clock.now_s()

    async def test_a_longer_wait_defers_a_request_that_was_never_sent(self, caller: Caller) -> None:
        limit(caller, ONE_A_SECOND)
        caller.answers(CREATED)
        busy = envelope(request_id="pdr_9", lane=Lane.BATCH)
        book_two_seconds(caller)
        assert await caller.receive(busy)
        ((copy, delay_s),) = caller.queue.deferred
        assert not caller.stripe.calls
        assert copy.progress == busy.progress
        assert delay_s >= 1
        assert caller.queue.deferred_groups == [group_of_account(ACCOUNT)]
        assert caller.requests.store.slots["pdr_9"].first_sent_at is None
        assert caller.log.counts["RateDeferred"] == 1

    async def test_a_deferred_request_is_called_when_it_comes_again(self, caller: Caller) -> None:
        limit(caller, ONE_A_SECOND)
        caller.answers(CREATED)
        book_two_seconds(caller)
        assert await caller.receive(envelope(lane=Lane.BATCH))
        caller.clock.advance(2)
        assert await caller.receive_deferred()
        assert caller.outcome.body == CREATED.body

    async def test_the_end_of_the_invocation_bounds_the_sleep(self, caller: Caller) -> None:
        limit(caller, ONE_A_SECOND)
        caller.answers(CREATED)
        book_two_seconds(caller)
        assert await caller.receive(envelope(), left_s=PUBLISHING_TIME_S + LEAST_CALL_S + 0.3)
        assert caller.clock.now_s() == NOW_S
        assert len(caller.queue.deferred) == 1

    async def test_a_request_that_waits_past_its_deadline_ends_as_not_created(
        self, caller: Caller
    ) -> None:
        limit(caller, ONE_A_SECOND)
        caller.answers(CREATED)
        book_two_seconds(caller)
        hasty = envelope(progress=replace(IN_AN_HOUR, deadline_at=NOW_S + 0.5))
        assert await caller.receive(hasty)
        ((_, delay_s),) = caller.queue.deferred
        assert delay_s <= 1
        assert await caller.receive_deferred()
        assert (caller.outcome.code, caller.outcome.certainty) == (
            "deadline_exceeded",
            Certainty.NOT_CREATED,
        )
        assert not caller.stripe.calls

    async def test_a_limiter_that_is_away_defers_the_request(self, caller: Caller) -> None:
        caller.limiter.away = True
        assert await caller.receive(envelope())
        assert not caller.stripe.calls
        assert [copy.progress.store_waits for copy, _ in caller.queue.deferred] == [1]

    async def test_a_call_that_waited_takes_new_tokens_after_the_limit_shrank(
        self, caller: Caller
    ) -> None:
        limiter = limit(caller, Limits(account=10, operation=10))
        caller.answers(CREATED)
        asked: list[float] = []
        take, confirm = limiter.take, limiter.confirm

        async def take_and_note(ask: object) -> object:
            asked.append(caller.clock.now_s())
            return await take(ask)  # type: ignore[arg-type]

        async def refuse_once(granted: object) -> bool:
            limiter.confirm = confirm  # type: ignore[method-assign]
            return False

        limiter.take, limiter.confirm = take_and_note, refuse_once  # type: ignore[method-assign, assignment]
        await call_many(caller, 3)
        assert len(asked) == 4
        assert len(caller.stripe.calls) == 3

    @pytest.mark.parametrize("fraction", [0.0, 0.5, 1.0])
    @pytest.mark.parametrize("delay_s", [1.0, 600.0, 800.0, 900.0])
    def test_a_delay_is_spread_within_the_limit_of_the_queue(
        self, delay_s: float, fraction: float
    ) -> None:
        spread = spread_delay_s(delay_s, fraction)
        assert 0.8 * delay_s <= spread <= min(1.2 * delay_s, QUEUE_DELAY_LIMIT_S) + 1e-9


class TestFeedback:
    @pytest.mark.parametrize(
        ("reason", "name"), [("global-rate", ""), ("endpoint-rate", "create_payment_intent")]
    )
    async def test_a_429_shrinks_the_limit_that_it_names(
        self, caller: Caller, reason: str, name: str
    ) -> None:
        limiter = limit(caller, Limits(account=100, operation=50))
        caller.answers(rate_limited(reason), CREATED)
        assert await caller.receive(envelope())
        account = limiter.reach(ACCOUNT)
        full = {"": 100, "create_payment_intent": 50}
        shrunk = {
            n for n, rate in full.items() if (account.rate(n, caller.clock.now_s()) or 0) < rate
        }
        assert shrunk == {name}
        assert caller.log.counts["RateLimited"] == 1

    @pytest.mark.parametrize(
        "refusal", [rate_limited(None, code="lock_timeout"), rate_limited("resource-specific")]
    )
    async def test_a_refusal_for_one_object_slows_nobody_down(
        self, caller: Caller, refusal: RefusedInFront
    ) -> None:
        limiter = limit(caller, Limits(account=100, operation=50))
        caller.answers(refusal, CREATED)
        assert await caller.receive(envelope())
        now_s = caller.clock.now_s()
        rates = [limiter.reach(ACCOUNT).rate(n, now_s) for n in ("", "create_payment_intent")]
        assert rates == [100, 50]
        assert "RateLimited" not in caller.log.counts

    async def test_an_outage_keeps_requests_from_stripe_until_a_probe_is_answered(
        self, caller: Caller
    ) -> None:
        limiter = limit(caller, Limits(account=100, operation=100))
        caller.answers(NO_CONNECTION)
        for n in range(FAILURES_IN_A_ROW):
            assert await caller.receive(envelope(request_id=f"pdr_{n}"), left_s=6.5)
        calls = len(caller.stripe.calls)
        waiting = envelope(request_id="pdr_x")
        assert await caller.receive(waiting)
        assert len(caller.stripe.calls) == calls
        assert caller.queue.deferred[-1][0].progress == waiting.progress
        caller.answers(CREATED)
        assert await caller.receive_deferred()
        assert limiter.reach(ACCOUNT).outage.next_probe_at is None
        assert caller.outcome.body == CREATED.body

    async def test_a_lost_answer_among_answers_opens_no_breaker(self, caller: Caller) -> None:
        limiter = limit(caller, Limits(account=100, operation=100))
        caller.answers(TIMED_OUT, CREATED, TIMED_OUT, CREATED)
        await call_many(caller, 2)
        assert limiter.reach(ACCOUNT).outage.failures == 0


class TestRefusedKeys:
    @pytest.mark.parametrize("http_status", [401, 403])
    async def test_a_refused_key_ends_its_request_and_defers_the_next(
        self, caller: Caller, http_status: int
    ) -> None:
        caller.answers(make_refusal(http_status, type="invalid_request_error"))
        assert await caller.receive(envelope())
        assert caller.outcome.certainty is Certainty.NOT_CREATED
        assert await caller.receive(envelope(request_id="pdr_2"))
        assert len(caller.stripe.calls) == 1
        ((copy, _),) = caller.queue.deferred
        assert copy.progress == envelope().progress

    async def test_a_deferred_request_is_the_probe_that_closes_the_breaker(
        self, caller: Caller
    ) -> None:
        caller.answers(make_refusal(401, type="invalid_request_error"), CREATED)
        assert await caller.receive(envelope())
        assert await caller.receive(envelope(request_id="pdr_2"))
        caller.clock.advance(60)
        assert await caller.receive_deferred()
        assert caller.outcomes.entries[-1].outcome.body == CREATED.body
        assert not caller.key_breakers.breakers

    async def test_a_request_that_finds_the_breaker_open_until_its_deadline_ends_as_not_created(
        self, caller: Caller
    ) -> None:
        caller.answers(make_refusal(401, type="invalid_request_error"))
        assert await caller.receive(envelope())
        hasty = envelope(request_id="pdr_2", progress=replace(IN_AN_HOUR, deadline_at=NOW_S + 2))
        assert await caller.receive(hasty)
        caller.clock.advance(2)
        assert await caller.receive_deferred()
        last = caller.outcomes.entries[-1].outcome
        assert (last.code, last.certainty) == ("deadline_exceeded", Certainty.NOT_CREATED)

    async def test_a_forbidden_operation_leaves_the_others_of_the_key_alone(
        self, caller: Caller
    ) -> None:
        caller.answers(make_refusal(403, type="invalid_request_error"), CREATED)
        assert await caller.receive(envelope())
        product = envelope(request_id="pdr_2", object="product", params={"name": "Shirt"})
        assert await caller.receive(product)
        assert len(caller.stripe.calls) == 2

    async def test_a_lost_connected_account_leaves_the_others_of_the_key_alone(
        self, caller: Caller
    ) -> None:
        caller.answers(make_refusal(403, type="invalid_request_error"), CREATED)
        assert await caller.receive(envelope(stripe_account="acct_gone"))
        assert await caller.receive(envelope(request_id="pdr_2", stripe_account="acct_here"))
        assert await caller.receive(envelope(request_id="pdr_3"))
        assert len(caller.stripe.calls) == 3
        assert not caller.queue.deferred

    async def test_a_key_that_stripe_refuses_to_name_the_account_of_opens_its_breaker(
        self, caller: Caller
    ) -> None:
        caller.accounts.ids = {KEY: make_refusal(401, type="invalid_request_error")}
        assert await caller.receive(envelope())
        assert caller.key_breakers.breakers
        assert caller.outcome.certainty is Certainty.NOT_CREATED


class TestPause:
    @pytest.mark.parametrize("account", [None, ACCOUNT])
    async def test_paused_work_comes_again_within_a_minute_and_burns_no_receive(
        self, caller: Caller, account: str | None
    ) -> None:
        caller.limiter.pause(account)
        caller.fraction = 0.999
        assert await caller.receive(envelope())
        assert not caller.stripe.calls
        ((copy, delay_s),) = caller.queue.deferred
        assert delay_s <= 60
        assert copy.progress == envelope().progress
        (slot,) = caller.requests.store.slots.values()
        assert slot.waiting == Waiting(why=Why.PAUSED, lane=Lane.INTERACTIVE, account=ACCOUNT)

    async def test_resumed_work_is_called(self, caller: Caller) -> None:
        caller.answers(CREATED)
        caller.limiter.pause(ACCOUNT)
        assert await caller.receive(envelope())
        caller.limiter.resume(ACCOUNT)
        assert await caller.receive_deferred()
        assert caller.outcome.body == CREATED.body

    async def test_a_paused_lane_leaves_the_other_alone(self, caller: Caller) -> None:
        caller.answers(CREATED)
        caller.limiter.pause(None, RateLane.BATCH)
        assert await caller.receive(envelope(lane=Lane.BATCH))
        assert not caller.stripe.calls
        assert await caller.receive(envelope(request_id="pdr_2"))
        assert len(caller.stripe.calls) == 1
