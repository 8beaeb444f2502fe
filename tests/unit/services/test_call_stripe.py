"""`StripeCall`: each outcome of a request. No crash and no outage loses a request or charges it twice."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.examples import (
    CREATED,
    DECLINED,
    IN_AN_HOUR,
    KEY,
    NO_CONNECTION,
    NOW_S,
    PARAMS,
    REPLAYED,
    SECRET_REF,
    TIMED_OUT,
    TRACE_ID,
    TRACEPARENT,
    entry,
    envelope,
    make_failure,
    make_refusal,
    message_text,
)

from paydispatch.domain.attempts import NotSent
from paydispatch.domain.claims import Send, SendEnd, claim_of
from paydispatch.domain.credentials import Binding, StripeKey
from paydispatch.domain.errors import NotPermitted, Unavailable
from paydispatch.domain.identity.marks import MARK, METADATA_LIMIT
from paydispatch.domain.limits import (
    FORGOTTEN_S,
    HORIZON_S,
    QUEUE_DELAY_LIMIT_S,
    QUEUE_MESSAGE_LIMIT_BYTES,
)
from paydispatch.domain.message.read_message import read_message
from paydispatch.domain.outcomes import Certainty, ErrorKind, Response
from paydispatch.domain.progress import Progress
from paydispatch.domain.requests import Lane
from paydispatch.domain.stripe.accounts import bind_account
from paydispatch.services import call_stripe
from paydispatch.services.call_batch import PUBLISHING_TIME_S
from paydispatch.services.call_stripe import (
    LEAST_CALL_S,
    MOST_WAITS_FOR_PROOF,
)
from paydispatch.services.calls.guard import MOST_FRESH_STARTS
from paydispatch.testing.memory_clock import MemoryClock
from paydispatch.testing.memory_outcomes import MemoryOutcomes
from paydispatch.testing.memory_requests import MemoryRequests
from paydispatch.testing.memory_sealing import MemorySealer, MemoryVault
from paydispatch.testing.memory_stripe import MemoryAccounts, MemoryStripe

if TYPE_CHECKING:
    from tests.unit.services.conftest import Caller

    from paydispatch.domain.attempts import Attempt
    from paydispatch.domain.claims import Claim, Go, NoSend, SlotState
    from paydispatch.domain.entry import OutcomeEntry
    from paydispatch.domain.envelope import Envelope


INVALID = make_refusal(400, type="invalid_request_error", code="resource_missing", param="customer")
RATE_LIMITED = make_refusal(429, type="rate_limit", code="rate_limit")
NOT_CONNECTED = NotSent("The connection was refused", "connection_error")


def fill_envelope(size_bytes: int) -> Envelope:
    """Return an envelope with valid parameters that is `size_bytes` long as a message."""
    empty = envelope(params={**PARAMS, "expand": []}).as_message()
    whole, rest = divmod(size_bytes - len(empty) + len(","), len('"",') + 5000)
    expand = ["x" * 5000] * whole + ["x" * (rest - len('"",'))]
    return envelope(params={**PARAMS, "expand": expand})


class TestOutcomes:
    async def test_a_created_object_runs_the_response_flow(self, caller: Caller) -> None:
        caller.answers(CREATED)
        assert await caller.receive(envelope())
        assert caller.outcome == Response(body=CREATED.body, attempts=1, stripe_request_id="req_1")
        assert caller.doorbell.rung == ["worker-1"]
        assert not caller.queue.parked

    @pytest.mark.parametrize(
        "answer", [INVALID, DECLINED, make_refusal(401), make_refusal(403)], ids=str
    )
    async def test_a_refusal_runs_the_error_flow(self, caller: Caller, answer: Attempt) -> None:
        caller.answers(answer)
        assert await caller.receive(envelope())
        assert caller.outcome.kind is ErrorKind.API
        assert caller.outcome.certainty is Certainty.NOT_CREATED
        assert caller.doorbell.rung == ["worker-1"]
        assert not caller.queue.parked
        assert len(caller.stripe.calls) == 1

    async def test_a_rate_limited_request_is_retried_until_it_succeeds(
        self, caller: Caller
    ) -> None:
        caller.answers(RATE_LIMITED, CREATED)
        assert await caller.receive(envelope())
        assert caller.outcome == Response(body=CREATED.body, attempts=2, stripe_request_id="req_1")

    async def test_every_attempt_uses_the_same_request_id(self, caller: Caller) -> None:
        caller.answers(TIMED_OUT, NO_CONNECTION, RATE_LIMITED, CREATED)
        assert await caller.receive(envelope())
        assert [call["request_id"] for call in caller.stripe.calls] == ["pdr_1"] * 4
        assert all(call == caller.stripe.calls[0] for call in caller.stripe.calls)

    async def test_a_request_with_a_lost_answer_is_repeated_and_settled_by_the_replay(
        self, caller: Caller
    ) -> None:
        caller.answers(TIMED_OUT, REPLAYED)
        assert await caller.receive(envelope())
        assert caller.outcome.body == {"id": "pi_1", "object": "payment_intent"}
        assert len(caller.outcomes.entries) == 1

    async def test_a_refusal_after_a_lost_answer_is_unknown_and_parked(
        self, caller: Caller
    ) -> None:
        caller.answers(TIMED_OUT, INVALID)
        assert await caller.receive(envelope())
        assert caller.outcome.certainty is Certainty.UNKNOWN
        ((text, reason, _),) = caller.queue.parked
        assert reason == "resource_missing"
        parked = read_message(text, message_id="dlq", sent_at=NOW_S)
        assert parked == envelope(progress=replace(parked.progress, maybe_executed=True))
        assert parked.progress.first_sent_at == NOW_S

    async def test_a_request_not_sent_before_its_deadline_is_not_created(
        self, caller: Caller
    ) -> None:
        caller.answers(NO_CONNECTION)
        caller.clock.advance(3600)
        assert await caller.receive(envelope())
        assert not caller.stripe.calls
        assert (caller.outcome.code, caller.outcome.kind) == ("deadline_exceeded", ErrorKind.HTTP)
        assert caller.outcome.certainty is Certainty.NOT_CREATED
        assert caller.queue.parked

    async def test_a_deadline_that_passes_after_a_lost_answer_is_unknown(
        self, caller: Caller
    ) -> None:
        caller.answers(TIMED_OUT)
        assert await caller.receive(envelope(progress=Progress(deadline_at=NOW_S + 0.1)))
        assert caller.outcome.certainty is Certainty.UNKNOWN
        ((text, _, _),) = caller.queue.parked
        assert '"maybe_executed":true' in text

    async def test_nothing_is_posted_past_the_horizon(self, caller: Caller) -> None:
        old = Progress(
            deadline_at=NOW_S + 3600,
            attempt=9,
            first_sent_at=NOW_S - HORIZON_S,
            maybe_executed=True,
        )
        assert await caller.receive(envelope(progress=old))
        assert not caller.stripe.calls
        assert caller.outcome.code == "horizon_passed"
        assert caller.outcome.certainty is Certainty.UNKNOWN
        assert caller.queue.parked

    async def test_the_horizon_counts_from_the_slot_if_the_message_has_no_first_sent_at(
        self, caller: Caller
    ) -> None:
        patient = envelope(progress=Progress(deadline_at=NOW_S + 7 * 86_400))
        caller.answers(CREATED)
        await send_and_die(caller, patient)
        caller.clock.advance(HORIZON_S)
        assert await caller.receive(patient)
        assert not caller.stripe.calls
        assert caller.outcome.code == "horizon_passed"

    async def test_the_last_receive_of_a_request_never_sent_to_stripe_queues_a_copy(
        self, caller: Caller
    ) -> None:
        """Throttled invocations used up the receives of the message, and no process handled it."""
        caller.answers(CREATED)
        assert await caller.receive(envelope(), receive=5)
        assert not caller.stripe.calls
        assert not caller.outcomes.entries
        assert await caller.receive_deferred()
        assert isinstance(caller.outcome, Response)

    async def test_a_request_never_sent_to_stripe_gets_a_bounded_number_of_copies(
        self, caller: Caller
    ) -> None:
        sent = envelope()
        for _ in range(MOST_FRESH_STARTS):
            assert await caller.receive(sent, receive=5)
            ((sent, _),) = caller.queue.deferred
            caller.queue.deferred.clear()
        assert await caller.receive(sent, receive=5)
        assert caller.outcome.code == "last_receive"
        assert caller.outcome.certainty is Certainty.NOT_CREATED
        assert not caller.queue.deferred

    async def test_a_last_receive_after_a_send_that_may_have_had_an_effect_is_unknown(
        self, caller: Caller
    ) -> None:
        await send_and_die(caller, envelope())
        assert await caller.receive(envelope(), receive=5)
        assert not caller.stripe.calls
        assert (caller.outcome.kind, caller.outcome.code) == (ErrorKind.DISPATCHER, "last_receive")
        assert caller.outcome.certainty is Certainty.UNKNOWN
        ((_, reason, _),) = caller.queue.parked
        assert reason == "last_receive"

    async def test_a_message_that_sqs_gave_up_is_reported_whatever_its_receive_count(
        self, caller: Caller
    ) -> None:
        await send_and_die(caller, envelope())
        given_up = replace(caller.message(envelope(), receive=1), exhausted=True)
        assert await caller.receive_all(given_up) == []
        assert not caller.stripe.calls
        assert (caller.outcome.code, caller.outcome.certainty) == (
            "last_receive",
            Certainty.UNKNOWN,
        )
        assert len(caller.queue.parked) == 1

    async def test_a_message_that_sqs_gave_up_before_anything_was_sent_goes_on_as_a_copy(
        self, caller: Caller
    ) -> None:
        caller.answers(CREATED)
        given_up = replace(caller.message(envelope(), receive=1), exhausted=True)
        assert await caller.receive_all(given_up) == []
        assert not caller.queue.parked
        assert await caller.receive_deferred()
        assert isinstance(caller.outcome, Response)

    async def test_a_last_receive_after_only_refusals_is_not_created(self, caller: Caller) -> None:
        caller.answers(RATE_LIMITED)
        assert await caller.receive(envelope(progress=replace(IN_AN_HOUR, attempt=10)), left_s=60)
        assert await caller.receive(envelope(), receive=5)
        assert caller.outcome.code == "last_receive"
        assert caller.outcome.certainty is Certainty.NOT_CREATED

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"object": "tea"}, "unknown_object"),
            ({"params": {"amount": 2000}}, "parameter_missing"),
            ({"params": {**PARAMS, "colour": "red"}}, "parameter_unknown"),
            ({"secret_ref": "not-there"}, "key_not_opened"),
            ({"sealed_secret": "1.sealed-elsewhere"}, "key_not_opened"),
        ],
    )
    async def test_a_queue_message_is_checked_like_an_api_request(
        self, caller: Caller, change: dict[str, Any], code: str
    ) -> None:
        assert await caller.receive(envelope(**change))
        assert not caller.stripe.calls
        assert (caller.outcome.kind, caller.outcome.code) == (ErrorKind.DISPATCHER, code)
        assert caller.outcome.certainty is Certainty.NOT_CREATED

    async def test_a_secret_ref_to_an_organisation_key_needs_a_stripe_context(
        self, caller: Caller
    ) -> None:
        caller.vault = MemoryVault(caller.sealer, {("local", SECRET_REF): "sk_org_live_1"})
        assert await caller.receive(envelope())
        assert not caller.stripe.calls
        assert (caller.outcome.kind, caller.outcome.param) == (
            ErrorKind.DISPATCHER,
            "stripe_context",
        )
        assert caller.outcome.certainty is Certainty.NOT_CREATED

    async def test_an_organisation_key_is_used_with_the_stripe_context_of_the_request(
        self, caller: Caller
    ) -> None:
        caller.vault = MemoryVault(caller.sealer, {("local", SECRET_REF): "sk_org_live_1"})
        caller.answers(CREATED)
        assert await caller.receive(envelope(stripe_context="acct_1"))
        assert caller.stripe.calls[0]["stripe_context"] == "acct_1"

    async def test_a_message_too_large_for_a_deferred_copy_is_refused_without_a_post(
        self, caller: Caller
    ) -> None:
        """A direct producer may fill a message up to the limit of SQS, so that no copy of it can be deferred."""
        largest = fill_envelope(QUEUE_MESSAGE_LIMIT_BYTES)
        assert await caller.receive(largest)
        assert not caller.stripe.calls
        assert (caller.outcome.kind, caller.outcome.code) == (
            ErrorKind.DISPATCHER,
            "request_too_large",
        )
        assert caller.outcome.certainty is Certainty.NOT_CREATED

    async def test_a_dispatcher_error_after_a_lost_answer_is_unknown(self, caller: Caller) -> None:
        doubted = replace(IN_AN_HOUR, maybe_executed=True)
        assert await caller.receive(envelope(secret_ref="not-there", progress=doubted))
        assert caller.outcome.certainty is Certainty.UNKNOWN
        assert caller.queue.parked


class TestDuplicates:
    async def test_a_duplicate_does_not_call_stripe(self, caller: Caller) -> None:
        caller.answers(CREATED)
        assert await caller.receive(envelope())
        assert await caller.receive(envelope())
        assert len(caller.stripe.calls) == 1
        assert len(caller.outcomes.entries) == 1

    async def test_two_messages_of_one_request_in_one_batch_publish_one_outcome(
        self, caller: Caller
    ) -> None:
        caller.answers(CREATED, REPLAYED)
        kept = await caller.receive_all(
            caller.message(envelope(), id_="m-1"), caller.message(envelope(), id_="m-2")
        )
        assert kept == []
        assert len(caller.outcomes.entries) == 1

    async def test_a_redrive_after_an_unknown_outcome_settles_the_request(
        self, caller: Caller
    ) -> None:
        caller.answers(TIMED_OUT, INVALID, REPLAYED)
        await caller.receive(envelope())
        ((text, _, _),) = caller.queue.parked
        assert await caller.receive(text)  # an operator's redrive
        unknown, settled = caller.outcomes.entries
        assert not unknown.outcome.settled
        assert isinstance(settled.outcome, Response)

    async def test_a_refused_redrive_of_an_unknown_request_publishes_no_second_outcome(
        self, caller: Caller
    ) -> None:
        caller.answers(TIMED_OUT, INVALID)
        await caller.receive(envelope())
        await caller.receive(caller.queue.parked[0][0])
        assert [each.outcome.certainty for each in caller.outcomes.entries] == [Certainty.UNKNOWN]


class TestCrashes:
    async def test_a_refusal_after_a_killed_send_is_unknown(self, caller: Caller) -> None:
        caller.answers(INVALID)
        await send_and_die(caller, envelope())
        assert await caller.receive(envelope(), receive=2)
        assert caller.outcome.certainty is Certainty.UNKNOWN
        assert caller.queue.parked

    async def test_a_refusal_after_a_receive_that_died_before_its_send_is_not_created(
        self, caller: Caller
    ) -> None:
        """The slot of the request proves that nothing was sent. The receive count proves nothing."""
        caller.answers(INVALID)
        await caller.requests.claim(claim(envelope()))
        assert await caller.receive(envelope(), receive=4)
        assert caller.outcome.certainty is Certainty.NOT_CREATED

    async def test_the_next_receive_after_a_crash_settles_with_the_replay(
        self, caller: Caller
    ) -> None:
        caller.answers(REPLAYED)
        await send_and_die(caller, envelope())
        assert await caller.receive(envelope(), receive=2)
        assert isinstance(caller.outcome, Response)

    async def test_a_refusal_after_a_send_recorded_as_refused_is_not_created(
        self, caller: Caller
    ) -> None:
        caller.answers(INVALID)
        token = await send_and_die(caller, envelope())
        await caller.requests.end_send(claim(envelope()), token, SendEnd.REFUSED)
        assert await caller.receive(envelope(), receive=2)
        assert caller.outcome.certainty is Certainty.NOT_CREATED

    async def test_the_outcome_of_a_slot_closed_by_a_killed_receive_is_published(
        self, caller: Caller
    ) -> None:
        await caller.requests.claim(claim(envelope()))
        await caller.requests.close(claim(envelope()), make_failure(code="key_not_opened"))
        assert await caller.receive(envelope(), receive=2)
        assert not caller.stripe.calls
        assert caller.outcome.code == "key_not_opened"

    async def test_the_next_receive_writes_the_status_that_a_killed_receive_did_not(
        self, caller: Caller
    ) -> None:
        caller.answers(CREATED)
        await send_and_die(caller, envelope())
        await caller.outcomes.publish(entry(tenant="local"))
        assert await caller.receive(envelope(), receive=2)
        assert caller.requests.status("pdr_1") == "succeeded"
        assert not caller.stripe.calls


class TestUnavailableStores:
    async def test_without_redis_stripe_is_not_called(self, caller: Caller) -> None:
        caller.answers(CREATED)
        caller.set_redis_away(True)
        assert await caller.receive(envelope())
        assert not caller.stripe.calls
        waited = replace(IN_AN_HOUR, store_waits=1)
        assert caller.queue.deferred == [(envelope(progress=waited), 3.75)]

    async def test_waiting_for_a_store_backs_off(self, caller: Caller) -> None:
        """With a fixed wait of five seconds, an outage of hours would cost thousands of receives."""
        caller.set_redis_away(True)
        sent, receives = envelope(progress=Progress(deadline_at=NOW_S + 21_600)), 0
        while caller.clock.now_s() < NOW_S + 21_600:
            assert await caller.receive(sent)
            sent, delay_s = caller.queue.deferred.pop()
            caller.clock.advance(delay_s)
            receives += 1
        assert receives < 150

    async def test_the_backoff_for_a_store_starts_again_after_the_store_answered(
        self, caller: Caller
    ) -> None:
        caller.answers(RATE_LIMITED)
        patient = replace(IN_AN_HOUR, store_waits=9, attempt=10)
        assert await caller.receive(envelope(progress=patient), left_s=60)
        ((copy, _),) = caller.queue.deferred
        assert copy.progress.store_waits == 0

    @pytest.mark.parametrize("away_at", ["claim", "send"])
    async def test_a_lost_answer_from_the_slot_means_no_post(
        self, caller: Caller, away_at: str
    ) -> None:
        caller.requests = LosesAnswerOnce(caller, away_at)
        caller.answers(INVALID)
        assert await caller.receive(envelope())
        assert not caller.stripe.calls
        assert await caller.receive_deferred()
        assert caller.outcome.certainty is Certainty.NOT_CREATED

    async def test_a_process_that_was_frozen_after_its_send_asks_the_slot_again(
        self, caller: Caller
    ) -> None:
        """It resumes a day later. Stripe has forgotten the idempotency key, and a POST would make a second object."""
        caller.requests = FreezesAfterSend(caller, for_s=HORIZON_S)
        caller.answers(CREATED)
        patient = envelope(progress=Progress(deadline_at=NOW_S + 7 * 86_400))
        assert await caller.receive(patient, left_s=HORIZON_S + 300)
        assert not caller.stripe.calls
        assert caller.outcome.code == "horizon_passed"

    async def test_a_request_ends_at_its_deadline_while_the_vault_stays_unavailable(
        self, caller: Caller
    ) -> None:
        caller.vault.away = True
        assert await caller.receive(envelope(progress=Progress(deadline_at=NOW_S + 60)))
        caller.clock.advance(60)
        assert await caller.receive_deferred()
        assert caller.outcome.code == "deadline_exceeded"
        assert caller.outcome.certainty is Certainty.NOT_CREATED
        assert not caller.queue.deferred

    async def test_an_outage_of_redis_after_the_post_defers_a_copy_with_maybe_executed(
        self, caller: Caller
    ) -> None:
        caller.answers(lambda: answer_and_stop_redis(caller), INVALID)
        assert await caller.receive(envelope())
        ((copy, _),) = caller.queue.deferred
        assert copy.progress.maybe_executed
        assert copy.progress.first_sent_at == NOW_S
        caller.set_redis_away(False)
        assert await caller.receive_deferred()
        assert caller.outcome.certainty is Certainty.UNKNOWN

    async def test_a_refusal_after_a_failed_publish_of_a_success_is_unknown(
        self, caller: Caller
    ) -> None:
        fail_next_publish(caller)
        caller.answers(CREATED, INVALID)
        assert await caller.receive(envelope())
        assert await caller.receive_deferred()
        assert caller.outcome.certainty is Certainty.UNKNOWN

    async def test_a_failed_publish_of_an_unknown_outcome_defers_a_copy_with_maybe_executed(
        self, caller: Caller
    ) -> None:
        fail_next_publish(caller)
        caller.answers(TIMED_OUT)
        assert await caller.receive(envelope(progress=Progress(deadline_at=NOW_S + 0.1)))
        ((copy, _),) = caller.queue.deferred
        assert copy.progress.maybe_executed

    async def test_a_refusal_after_a_failed_publish_of_a_refusal_is_not_created(
        self, caller: Caller
    ) -> None:
        fail_next_publish(caller)
        caller.answers(INVALID)
        assert await caller.receive(envelope())
        assert await caller.receive_deferred()
        assert caller.outcome.certainty is Certainty.NOT_CREATED

    async def test_an_outcome_that_could_not_be_published_is_published_from_the_replay(
        self, caller: Caller
    ) -> None:
        caller.answers(lambda: answer_and_stop_redis(caller), REPLAYED)
        await caller.receive(envelope())
        caller.set_redis_away(False)
        assert await caller.receive_deferred()
        assert isinstance(caller.outcome, Response)

    async def test_an_outage_of_the_vault_counts_no_attempt_and_sets_no_latch(
        self, caller: Caller
    ) -> None:
        caller.answers(INVALID)
        caller.vault.away = True
        assert await caller.receive(envelope())
        ((copy, delay_s),) = caller.queue.deferred
        assert (copy.progress.attempt, copy.progress.maybe_executed) == (1, False)
        assert delay_s == 3.75
        caller.vault.away = False
        assert await caller.receive_deferred()
        assert caller.outcome.certainty is Certainty.NOT_CREATED

    async def test_a_message_stays_on_the_queue_if_its_copy_cannot_be_sent(
        self, caller: Caller
    ) -> None:
        caller.set_redis_away(True)
        caller.queue.away = True
        assert not await caller.receive(envelope())
        assert "message.kept" in caller.log.events()

    async def test_the_error_is_published_before_the_message_is_parked(
        self, caller: Caller
    ) -> None:
        caller.answers(TIMED_OUT, INVALID)
        caller.queue.away = True
        assert not await caller.receive(envelope())  # parking failed, so the queue keeps it
        assert caller.outcome.certainty is Certainty.UNKNOWN
        caller.queue.away = False
        assert await caller.receive(envelope(), receive=2)
        assert len(caller.outcomes.entries) == 1
        assert caller.queue.parked

    async def test_a_message_is_not_parked_if_its_error_could_not_be_published(
        self, caller: Caller
    ) -> None:
        fail_next_publish(caller)
        await send_and_die(caller, envelope())
        assert await caller.receive(envelope(), receive=5)
        assert not caller.queue.parked
        assert caller.queue.deferred


class TestWaiting:
    async def test_a_short_wait_is_slept_inside_the_invocation(self, caller: Caller) -> None:
        caller.answers(RATE_LIMITED, CREATED)
        assert await caller.receive(envelope())
        assert caller.clock.now_s() == NOW_S + 0.25
        assert not caller.queue.deferred

    async def test_the_status_says_retrying_before_a_wait_is_slept(self, caller: Caller) -> None:
        caller.clock = clock = WatchingClock()
        caller.outcomes = MemoryOutcomes(clock)
        caller.requests = clock.watched = MemoryRequests(clock, caller.outcomes)
        caller.answers(RATE_LIMITED, CREATED)
        assert await caller.receive(envelope())
        assert clock.seen == ["retrying"]

    async def test_a_long_wait_defers_a_copy_with_the_whole_progress(self, caller: Caller) -> None:
        caller.answers(TIMED_OUT)
        late = replace(IN_AN_HOUR, attempt=10)
        assert await caller.receive(envelope(progress=late), left_s=60)
        expected = replace(late, attempt=11, maybe_executed=True, first_sent_at=NOW_S)
        ((copy, delay_s),) = caller.queue.deferred
        assert copy.as_message() == envelope(progress=expected).as_message()
        assert delay_s == 128.0
        assert caller.requests.status("pdr_1") == "retrying"
        assert not caller.outcomes.entries

    async def test_a_deferred_copy_goes_on_where_the_original_stopped(self, caller: Caller) -> None:
        caller.answers(TIMED_OUT, INVALID)
        await caller.receive(envelope(progress=replace(IN_AN_HOUR, attempt=10)), left_s=60)
        assert await caller.receive_deferred()
        assert caller.outcome.attempts == 11
        assert caller.outcome.certainty is Certainty.UNKNOWN

    @pytest.mark.parametrize("fraction", [0.0, 0.5, 0.999])
    @pytest.mark.parametrize("attempt", [1, 5, 50, 190])
    async def test_no_delay_is_longer_than_sqs_allows(
        self, caller: Caller, attempt: int, fraction: float
    ) -> None:
        caller.fraction = fraction
        caller.answers(NO_CONNECTION)
        await caller.receive(envelope(progress=replace(IN_AN_HOUR, attempt=attempt)), left_s=5)
        ((_, delay_s),) = caller.queue.deferred
        assert 0 <= delay_s <= QUEUE_DELAY_LIMIT_S

    async def test_a_call_in_flight_near_the_end_of_the_invocation_is_abandoned_as_unknown(
        self, caller: Caller, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(call_stripe, "LEAST_CALL_S", 0.01)
        caller.stripe = NeverAnswers()
        assert await caller.receive(envelope(), left_s=5.02)
        ((copy, _),) = caller.queue.deferred
        assert copy.progress.maybe_executed
        assert copy.progress.first_sent_at == NOW_S
        assert copy.progress.attempt == 2

    @pytest.mark.parametrize("left_s", [PUBLISHING_TIME_S + LEAST_CALL_S - 0.1, 1.0])
    async def test_no_call_begins_too_close_to_the_end_of_the_invocation(
        self, caller: Caller, left_s: float
    ) -> None:
        assert await caller.receive(envelope(), left_s=left_s)
        assert not caller.stripe.calls
        caller.answers(INVALID)
        assert await caller.receive_deferred()
        assert caller.outcome.certainty is Certainty.NOT_CREATED

    async def test_other_messages_of_a_batch_go_on_while_one_waits(self, caller: Caller) -> None:
        caller.answers(RATE_LIMITED, CREATED)
        kept = await caller.receive_all(
            caller.message(envelope(request_id="slow"), id_="m-1"),
            caller.message(envelope(request_id="quick"), id_="m-2"),
        )
        assert kept == []
        ended = [published.request_id for published in caller.outcomes.entries]
        assert ended == ["quick", "slow"]

    async def test_a_wait_is_deferred_if_redis_cannot_record_it(self, caller: Caller) -> None:
        caller.answers(lambda: answer_and_stop_redis(caller, RATE_LIMITED))
        assert await caller.receive(envelope())
        ((copy, _),) = caller.queue.deferred
        assert copy.progress.attempt == 2


class TestTheRequestToStripe:
    async def test_stripe_receives_the_parameters_and_our_metadata_pair(
        self, caller: Caller
    ) -> None:
        caller.answers(CREATED)
        params = {**PARAMS, "metadata": {"order": "1001"}}
        await caller.receive(envelope(params=params, stripe_account="acct_1"))
        (call,) = caller.stripe.calls
        assert call["params"] == {**PARAMS, "metadata": {"order": "1001", MARK: "pdr_1"}}
        assert (call["path"], call["stripe_account"]) == ("/v1/payment_intents", "acct_1")

    @pytest.mark.parametrize("metadata", [None, {}])
    async def test_our_metadata_pair_is_added_where_there_was_no_metadata(
        self, caller: Caller, metadata: dict[str, str] | None
    ) -> None:
        caller.answers(CREATED)
        await caller.receive(envelope(params={**PARAMS, "metadata": metadata}))
        assert caller.stripe.calls[0]["params"]["metadata"] == {MARK: "pdr_1"}

    async def test_no_pair_is_added_to_full_metadata(self, caller: Caller) -> None:
        caller.answers(CREATED)
        full = {f"key{number}": "x" for number in range(METADATA_LIMIT)}
        await caller.receive(envelope(params={**PARAMS, "metadata": full}))
        assert caller.stripe.calls[0]["params"]["metadata"] == full


class TestTheLogLine:
    async def test_it_has_all_ids_and_the_outcome(self, caller: Caller) -> None:
        caller.answers(DECLINED)
        await caller.receive(envelope(traceparent=TRACEPARENT))
        lines = [fields for event, fields in caller.log.lines if event == "request.settled"]
        (line,) = lines
        assert line["request_id"] == "pdr_1"
        assert (line["worker_id"], line["context_id"]) == ("worker-1", "context-1")
        assert line["flow"] == "new_create_payment_intent_error"
        assert line["stripe_request_id"] == "req_3"
        assert (line["error_kind"], line["error_code"]) == ("api", "card_declined")
        assert line["traceparent"] == TRACEPARENT
        assert line["trace_id"] == TRACE_ID

    async def test_there_is_one_line_for_one_request(self, caller: Caller) -> None:
        caller.answers(RATE_LIMITED, CREATED)
        await caller.receive(envelope())
        assert caller.log.events() == ["request.settled"]

    async def test_each_call_is_counted_by_its_end(self, caller: Caller) -> None:
        caller.answers(RATE_LIMITED, NOT_CONNECTED, CREATED)
        await caller.receive(envelope())
        calls = {name: n for name, n in caller.log.counts.items() if name.startswith("Call")}
        assert calls == {"CallRefused": 1, "CallNotSent": 1, "CallAnswered": 1}

    async def test_a_parked_request_is_counted(self, caller: Caller) -> None:
        await send_and_die(caller, envelope())
        await caller.receive(envelope(), receive=5)
        assert caller.log.counts == {"RequestParked": 1}


class TestIdentity:
    """One request id stands for one request, whichever worker, account or principal sends it."""

    async def test_one_id_used_by_two_workers_has_one_effect_and_one_error_outcome(
        self, caller: Caller
    ) -> None:
        caller.answers(CREATED)
        assert await caller.receive(envelope())
        assert await caller.receive(envelope(worker_id="worker-2"))
        assert len(caller.stripe.calls) == 1
        response, refusal = caller.outcomes.entries
        assert (response.worker_id, response.outcome) == ("worker-1", response_of_created())
        assert (refusal.worker_id, refusal.outcome.code) == ("worker-2", "idempotency_key_reused")
        assert refusal.outcome.certainty is Certainty.NOT_CREATED
        assert refusal.request_id != response.request_id

    async def test_a_settled_request_is_not_sent_again_for_another_worker_a_day_later(
        self, caller: Caller
    ) -> None:
        caller.answers(CREATED)
        assert await caller.receive(envelope())
        caller.clock.advance(25 * 3600)
        assert await caller.receive(envelope(worker_id="worker-2"))
        assert len(caller.stripe.calls) == 1

    @pytest.mark.parametrize(
        "change",
        [
            {"params": {**PARAMS, "amount": 3000}},
            {"context_id": "context-2"},
            {"object": "product", "params": {"name": "Tea"}},
            {"stripe_account": "acct_2"},
            {"stripe_context": "acct_2"},
        ],
        ids=str,
    )
    async def test_another_request_under_a_used_id_gets_one_error_outcome(
        self, caller: Caller, change: dict[str, Any]
    ) -> None:
        caller.answers(CREATED)
        assert await caller.receive(envelope())
        second = envelope(**change)
        for _ in range(3):
            assert await caller.receive(second)
        assert len(caller.stripe.calls) == 1
        _, published = caller.outcomes.entries
        assert published.outcome.code == "idempotency_key_reused"
        assert caller.requests.status(published.request_id) == "failed"
        assert caller.requests.status("pdr_1") == "succeeded"

    async def test_an_error_outcome_gets_the_next_id_if_its_own_is_taken(
        self, caller: Caller
    ) -> None:
        caller.answers(CREATED)
        assert await caller.receive(envelope())
        second = envelope(worker_id="worker-2")
        taken = claim(second).as_second_request()
        await caller.requests.claim(replace(taken, fingerprint="f1:something else"))
        assert await caller.receive(second)
        assert not caller.queue.deferred
        _, published = caller.outcomes.entries
        assert published.outcome.code == "idempotency_key_reused"
        assert published.request_id == taken.as_second_request().request_id

    async def test_of_two_bodies_under_one_id_in_a_batch_one_gets_an_error_under_an_id_of_its_own(
        self, caller: Caller
    ) -> None:
        caller.answers(CREATED)
        other = envelope(params={**PARAMS, "amount": 3000})
        kept = await caller.receive_all(
            caller.message(envelope(), id_="m-1"), caller.message(other, id_="m-2")
        )
        assert kept == []
        by_id = {published.request_id: published for published in caller.outcomes.entries}
        assert by_id.pop("pdr_1").outcome == response_of_created()
        ((_, published),) = by_id.items()
        assert published.outcome.code == "idempotency_key_reused"

    @pytest.mark.parametrize(
        "change",
        [
            {"lane": Lane.BATCH},
            {"progress": Progress(deadline_at=NOW_S + 60)},
            {"params": {"amount": "2000", "currency": "usd"}},
            {"params": {**PARAMS, "metadata": {}}},
        ],
        ids=str,
    )
    async def test_a_message_that_is_equal_for_stripe_is_a_duplicate(
        self, caller: Caller, change: dict[str, Any]
    ) -> None:
        caller.answers(CREATED)
        assert await caller.receive(envelope())
        assert await caller.receive(envelope(**change))
        assert len(caller.stripe.calls) == len(caller.outcomes.entries) == 1

    async def test_the_same_id_of_two_tenants_is_two_requests(self, caller: Caller) -> None:
        caller.answers(CREATED)
        for tenant in ("acme", "globex"):
            principal = f"{tenant}/shop"
            sealed = caller.sealer.seal(StripeKey(KEY), Binding(principal, "worker-1", "context-1"))
            assert await caller.receive(envelope(principal=principal, sealed_secret=sealed))
        assert len(caller.stripe.calls) == 2
        assert caller.doorbell.rung == ["acme worker-1", "globex worker-1"]
        assert [published.tenant for published in caller.outcomes.entries] == ["acme", "globex"]

    async def test_a_malformed_message_does_not_end_the_request_it_names(
        self, caller: Caller
    ) -> None:
        caller.answers(CREATED)
        assert await caller.receive(message_text(request_id="pdr_1", attempt="never"))
        assert await caller.receive(envelope())
        refusal, response = caller.outcomes.entries
        assert refusal.request_id != "pdr_1"
        assert (response.request_id, response.outcome) == ("pdr_1", response_of_created())

    async def test_an_old_message_with_an_expired_slot_is_not_sent(self, caller: Caller) -> None:
        caller.answers(CREATED)
        old = envelope(accepted_at=NOW_S - FORGOTTEN_S, progress=Progress(deadline_at=NOW_S + 60))
        assert await caller.receive(old)
        assert not caller.stripe.calls
        assert caller.outcome.certainty is Certainty.UNKNOWN

    async def test_an_old_message_with_a_slot_is_sent(self, caller: Caller) -> None:
        caller.answers(CREATED)
        old = envelope(accepted_at=NOW_S - FORGOTTEN_S, progress=Progress(deadline_at=NOW_S + 60))
        await caller.requests.claim(replace(claim(old), older_than_memory=False))
        assert await caller.receive(old)
        assert caller.outcome == response_of_created()


class TestAccounts:
    """Stripe's keys and lists belong to one account and mode, and so does a request."""

    LIVE = "sk_live_" + "Hush" * 6
    OTHER = "sk_test_" + "Else" * 6

    async def test_a_secret_that_points_at_another_account_after_a_lost_answer_makes_no_second_call(
        self, caller: Caller
    ) -> None:
        caller.answers(TIMED_OUT)
        assert await caller.receive(envelope(progress=replace(IN_AN_HOUR, attempt=10)), left_s=60)
        self.repoint(caller, self.OTHER, account="acct_2")
        assert await caller.receive_deferred()
        assert len(caller.stripe.calls) == 1

    async def test_a_secret_that_points_from_test_to_live_of_one_account_makes_no_second_call(
        self, caller: Caller
    ) -> None:
        caller.answers(TIMED_OUT)
        assert await caller.receive(envelope(progress=replace(IN_AN_HOUR, attempt=10)), left_s=60)
        self.repoint(caller, self.LIVE, account="acct_1")
        assert await caller.receive_deferred()
        assert len(caller.stripe.calls) == 1

    async def test_a_request_is_unknown_at_its_deadline_if_the_old_key_does_not_come_back(
        self, caller: Caller
    ) -> None:
        caller.answers(TIMED_OUT)
        assert await caller.receive(envelope(progress=replace(IN_AN_HOUR, attempt=10)), left_s=60)
        self.repoint(caller, self.OTHER, account="acct_2")
        while not caller.outcomes.entries:
            assert await caller.receive_deferred()
        assert caller.outcome.code == "account_changed"
        assert caller.outcome.certainty is Certainty.UNKNOWN
        assert caller.clock.now_s() <= NOW_S + 3600
        assert caller.queue.parked

    async def test_a_request_goes_on_when_the_old_key_comes_back(self, caller: Caller) -> None:
        caller.answers(TIMED_OUT, REPLAYED)
        assert await caller.receive(envelope(progress=replace(IN_AN_HOUR, attempt=10)), left_s=60)
        self.repoint(caller, self.OTHER, account="acct_2")
        assert await caller.receive_deferred()
        self.repoint(caller, KEY, account="acct_1")
        assert await caller.receive_deferred()
        assert caller.outcome == replace(
            response_of_created(), attempts=11, stripe_request_id="req_2"
        )

    async def test_a_key_of_another_account_is_used_after_a_refusal(self, caller: Caller) -> None:
        caller.answers(RATE_LIMITED, CREATED)
        assert await caller.receive(envelope(progress=replace(IN_AN_HOUR, attempt=10)), left_s=60)
        self.repoint(caller, self.OTHER, account="acct_2")
        assert await caller.receive_deferred()
        assert caller.outcome == replace(response_of_created(), attempts=11)

    async def test_a_request_goes_on_with_another_key_of_the_same_account(
        self, caller: Caller
    ) -> None:
        caller.answers(TIMED_OUT, REPLAYED)
        assert await caller.receive(envelope(progress=replace(IN_AN_HOUR, attempt=10)), left_s=60)
        self.repoint(caller, self.OTHER, account="acct_1")
        assert await caller.receive_deferred()
        assert isinstance(caller.outcome, Response)

    async def test_a_key_that_may_not_read_its_account_is_accepted_on_a_repeat(
        self, caller: Caller
    ) -> None:
        caller.accounts = MemoryAccounts(**{KEY: None})
        caller.answers(TIMED_OUT, REPLAYED)
        assert await caller.receive(envelope())
        assert isinstance(caller.outcome, Response)

    async def test_a_request_is_not_created_if_stripe_refuses_its_key_before_a_send(
        self, caller: Caller
    ) -> None:
        caller.accounts = MemoryAccounts(**{KEY: make_refusal(401, code="api_key_expired")})
        assert await caller.receive(envelope())
        assert not caller.stripe.calls
        assert caller.outcome.code == "api_key_expired"
        assert caller.outcome.certainty is Certainty.NOT_CREATED

    async def test_a_request_waits_until_the_account_of_its_key_can_be_read(
        self, caller: Caller
    ) -> None:
        caller.answers(CREATED)
        caller.accounts.away = True
        assert await caller.receive(envelope())
        assert not caller.stripe.calls
        caller.accounts.away = False
        assert await caller.receive_deferred()
        assert caller.outcome == response_of_created()

    def repoint(self, caller: Caller, key: str, *, account: str) -> None:
        caller.vault = MemoryVault(caller.sealer, {("local", SECRET_REF): key})
        caller.accounts.ids[key] = account


class TestPrincipals:
    """A message proves its principal by a seal that opens, or by a claim that was proven before."""

    async def test_a_forged_principal_writes_nothing_and_runs_no_flow(self, caller: Caller) -> None:
        """The message names its secret without a seal, so nothing proves that `acme/shop` sent it."""
        assert await caller.receive(envelope(principal="acme/shop"))
        assert not caller.stripe.calls
        assert not caller.outcomes.entries
        assert not caller.requests.store.slots
        ((_, reason, _),) = caller.queue.parked
        assert reason == "not_accepted"
        assert caller.log.counts == {"MessageNotAccepted": 1}

    async def test_a_seal_for_another_context_proves_no_principal(self, caller: Caller) -> None:
        sealed = caller.sealer.seal(StripeKey(KEY), Binding("acme/shop", "worker-1", "elsewhere"))
        assert await caller.receive(envelope(principal="acme/shop", sealed_secret=sealed))
        assert not caller.requests.store.slots
        assert not caller.outcomes.entries

    async def test_a_forged_message_cannot_claim_an_id_before_the_api_does(
        self, caller: Caller
    ) -> None:
        caller.answers(CREATED)
        assert await caller.receive(envelope(principal="acme/shop", params={"amount": 1}))
        asked = self.seal_envelope(caller)
        assert await caller.receive(asked)
        assert caller.outcome == response_of_created()

    async def test_a_malformed_message_of_an_unproven_principal_runs_no_flow(
        self, caller: Caller
    ) -> None:
        assert await caller.receive(message_text(principal="acme/shop", attempt="never"))
        assert not caller.outcomes.entries
        assert caller.queue.parked

    async def test_a_claim_by_the_api_proves_the_principal_while_the_vault_is_unavailable(
        self, caller: Caller
    ) -> None:
        asked = self.seal_envelope(caller, progress=Progress(deadline_at=NOW_S + 60))
        await caller.requests.claim(claim(asked))
        caller.vault.away = True
        caller.clock.advance(60)
        assert await caller.receive(asked)
        assert caller.outcome.code == "deadline_exceeded"

    @pytest.mark.parametrize("away", [False, True])
    @pytest.mark.parametrize(
        "forged",
        [
            {"sealed_secret": "not-a-seal"},
            {"secret_ref": SECRET_REF},
            {"sealed_secret": "not-a-seal", "progress": Progress(deadline_at=NOW_S)},
        ],
        ids=["a seal that does not open", "the queue's own secret", "a deadline that is past"],
    )
    async def test_a_claim_by_the_api_proves_nothing_for_a_message_with_another_seal(
        self, caller: Caller, forged: dict[str, Any], away: bool
    ) -> None:
        """A forger may guess the id and the parameters. The forged message neither ends the request nor sends it."""
        caller.answers(CREATED)
        asked = self.seal_envelope(caller)
        await caller.requests.claim(claim(asked))
        caller.vault.away = away
        await caller.receive(replace(asked, **{"sealed_secret": None, **forged}))
        caller.vault.away = False
        assert not caller.stripe.calls
        assert not caller.outcomes.entries
        assert await caller.receive(asked)
        assert caller.outcome == response_of_created()

    async def test_a_message_with_a_seal_that_no_longer_opens_gets_an_error_if_its_claim_is_proven(
        self, caller: Caller
    ) -> None:
        asked = self.seal_envelope(caller)
        await caller.requests.claim(claim(asked))
        caller.vault = MemoryVault(MemorySealer())
        assert await caller.receive(asked)
        assert caller.outcome.code == "key_not_opened"

    async def test_no_outcome_is_published_for_an_unproven_principal_even_past_the_deadline(
        self, caller: Caller
    ) -> None:
        asked = self.seal_envelope(caller, progress=Progress(deadline_at=NOW_S + 60))
        caller.vault.away = True
        caller.clock.advance(3600)
        assert await caller.receive(asked)
        assert not caller.outcomes.entries
        assert not caller.requests.store.slots
        caller.vault.away = False
        assert await caller.receive_deferred()
        assert caller.outcome.code == "deadline_exceeded"

    async def test_a_message_waits_a_bounded_number_of_times_for_its_proof(
        self, caller: Caller
    ) -> None:
        waited = replace(IN_AN_HOUR, store_waits=MOST_WAITS_FOR_PROOF)
        caller.vault.away = True
        assert await caller.receive(self.seal_envelope(caller, progress=waited))
        assert not caller.queue.deferred
        ((_, reason, _),) = caller.queue.parked
        assert reason == "not_accepted"

    async def test_a_request_waits_until_its_deadline_for_a_missing_permission_to_open_its_key(
        self, caller: Caller
    ) -> None:
        caller.vault = NotPermittedVault(caller.sealer)
        assert await caller.receive(envelope())
        assert not caller.outcomes.entries
        assert caller.log.counts == {"KeyNotPermitted": 1}
        caller.clock.advance(3600)
        assert await caller.receive_deferred()
        assert caller.outcome.code == "deadline_exceeded"

    def seal_envelope(self, caller: Caller, **changes: Any) -> Envelope:
        sealed = caller.sealer.seal(StripeKey(KEY), Binding("acme/shop", "worker-1", "context-1"))
        return envelope(principal="acme/shop", sealed_secret=sealed, **changes)


class NotPermittedVault(MemoryVault):
    async def open(self, envelope: Envelope) -> StripeKey:
        raise NotPermitted("kms:Decrypt is denied")


def response_of_created() -> Response:
    return Response(body=CREATED.body, attempts=1, stripe_request_id="req_1")


def claim(sent: Envelope) -> Claim:
    return claim_of(sent, "local", NOW_S)


async def send_and_die(caller: Caller, sent: Envelope) -> str:
    """Open a send and end, like a receive that is killed. Only Stripe knows whether the POST left."""
    await caller.requests.claim(claim(sent))
    account = bind_account(StripeKey(KEY), "acct_1", stripe_account=None, stripe_context=None)
    await caller.requests.send(claim(sent), Send(token="killed", account=account, attempt=1))
    return "killed"


def answer_and_stop_redis(caller: Caller, answer: Attempt = CREATED) -> Attempt:
    caller.set_redis_away(True)
    return answer


def fail_next_publish(caller: Caller) -> None:
    caller.outcomes = PublishFailsOnce(caller.clock)
    caller.requests = MemoryRequests(caller.clock, caller.outcomes)


class PublishFailsOnce(MemoryOutcomes):
    """Outcomes that cannot be published the first time."""

    failed = False

    async def publish(self, entry: OutcomeEntry) -> bool:
        if not self.failed:
            self.failed = True
            raise Unavailable("Redis is unavailable")
        return await super().publish(entry)


class LosesAnswerOnce(MemoryRequests):
    """Request slots that execute each call and lose the answer of the first one named `step`."""

    def __init__(self, caller: Caller, step: str) -> None:
        super().__init__(caller.clock, caller.outcomes)
        self._step: str | None = step

    async def claim(self, claim: Claim) -> SlotState:
        return self._lose_answer("claim", await super().claim(claim))

    async def send(self, claim: Claim, send: Send) -> Go | NoSend:
        return self._lose_answer("send", await super().send(claim, send))

    def _lose_answer(self, step: str, answer: Any) -> Any:
        if step == self._step:
            self._step = None
            raise Unavailable("the answer was lost")
        return answer


class FreezesAfterSend(MemoryRequests):
    """Request slots that freeze the process once, after the send took effect and before its answer is read."""

    def __init__(self, caller: Caller, *, for_s: float) -> None:
        super().__init__(caller.clock, caller.outcomes)
        self._caller = caller
        self._for_s = for_s

    async def send(self, claim: Claim, send: Send) -> Go | NoSend:
        answer = await super().send(claim, send)
        self._caller.clock.advance(self._for_s)
        self._for_s = 0.0
        return answer


class WatchingClock(MemoryClock):
    """A clock that records the status of the request at each sleep."""

    watched: MemoryRequests

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str | None] = []

    async def sleep(self, seconds: float) -> None:
        self.seen.append(self.watched.status("pdr_1"))
        await super().sleep(seconds)


class NeverAnswers(MemoryStripe):
    async def call(self, **call: Any) -> Attempt:
        await asyncio.Event().wait()
        raise AssertionError
