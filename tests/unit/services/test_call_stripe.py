"""One call: each end of a request, and that nothing is lost or charged twice on the way there."""

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
    entry,
    envelope,
    failed,
    message_text,
    refused,
)

from paydispatch.domain.accounts import bind_account
from paydispatch.domain.claims import Send, SendEnd, claim_of
from paydispatch.domain.credentials import Binding, StripeKey
from paydispatch.domain.envelope import read_message
from paydispatch.domain.errors import NotPermitted, Unavailable
from paydispatch.domain.limits import (
    FORGOTTEN_S,
    HORIZON_S,
    QUEUE_DELAY_LIMIT_S,
    QUEUE_MESSAGE_LIMIT_BYTES,
)
from paydispatch.domain.marks import MARK, METADATA_LIMIT
from paydispatch.domain.outcomes import Certainty, ErrorKind, Response
from paydispatch.domain.progress import Progress
from paydispatch.domain.requests import Lane
from paydispatch.services import call_stripe
from paydispatch.services.call_batch import PUBLISHING_TIME_S
from paydispatch.services.call_stripe import (
    LEAST_CALL_S,
    MOST_FRESH_STARTS,
    MOST_WAITS_FOR_PROOF,
)
from paydispatch.testing.memory import (
    MemoryAccounts,
    MemoryClock,
    MemoryOutcomes,
    MemorySealer,
    MemoryStripe,
    MemoryVault,
)
from paydispatch.testing.memory_requests import MemoryRequests

if TYPE_CHECKING:
    from tests.unit.services.conftest import Caller

    from paydispatch.domain.attempts import Attempt
    from paydispatch.domain.claims import Claim, Go, NoSend, SlotState
    from paydispatch.domain.entry import OutcomeEntry
    from paydispatch.domain.envelope import Envelope


INVALID = refused(400, type="invalid_request_error", code="resource_missing", param="customer")
RATE_LIMITED = refused(429, type="rate_limit", code="rate_limit")


def filled(size_bytes: int) -> Envelope:
    """An envelope with parameters Stripe takes, `size_bytes` long as a message."""
    empty = envelope(params={**PARAMS, "expand": []}).as_message()
    whole, rest = divmod(size_bytes - len(empty) + len(","), len('"",') + 5000)
    expand = ["x" * 5000] * whole + ["x" * (rest - len('"",'))]
    return envelope(params={**PARAMS, "expand": expand})


class TestEnds:
    async def test_a_created_object_runs_the_response_flow(self, caller: Caller) -> None:
        caller.answers(CREATED)
        assert await caller.receive(envelope())
        assert caller.outcome == Response(body=CREATED.body, attempts=1, stripe_request_id="req_1")
        assert caller.doorbell.rung == ["worker-1"]
        assert not caller.queue.parked

    @pytest.mark.parametrize("answer", [INVALID, DECLINED, refused(401), refused(403)], ids=str)
    async def test_a_refusal_runs_the_error_flow(self, caller: Caller, answer: Attempt) -> None:
        caller.answers(answer)
        assert await caller.receive(envelope())
        assert caller.outcome.kind is ErrorKind.API
        assert caller.outcome.certainty is Certainty.NOT_CREATED
        assert caller.doorbell.rung == ["worker-1"]
        assert not caller.queue.parked
        assert len(caller.stripe.calls) == 1

    async def test_a_rate_limit_is_waited_out(self, caller: Caller) -> None:
        caller.answers(RATE_LIMITED, CREATED)
        assert await caller.receive(envelope())
        assert caller.outcome == Response(body=CREATED.body, attempts=2, stripe_request_id="req_1")

    async def test_every_attempt_is_made_under_the_same_identity(self, caller: Caller) -> None:
        caller.answers(TIMED_OUT, NO_CONNECTION, RATE_LIMITED, CREATED)
        assert await caller.receive(envelope())
        assert [call["request_id"] for call in caller.stripe.calls] == ["pdr_1"] * 4
        assert all(call == caller.stripe.calls[0] for call in caller.stripe.calls)

    async def test_a_lost_answer_is_asked_for_again_and_replayed(self, caller: Caller) -> None:
        caller.answers(TIMED_OUT, REPLAYED)
        assert await caller.receive(envelope())
        assert caller.outcome.body == {"id": "pi_1", "object": "payment_intent"}
        assert len(caller.outcomes.entries) == 1

    async def test_a_refusal_after_a_lost_answer_says_unknown_and_is_parked(
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

    async def test_a_spent_deadline_is_not_created_if_nothing_was_in_doubt(
        self, caller: Caller
    ) -> None:
        caller.answers(NO_CONNECTION)
        caller.clock.advance(3600)
        assert await caller.receive(envelope())
        assert not caller.stripe.calls
        assert (caller.outcome.code, caller.outcome.kind) == ("deadline_exceeded", ErrorKind.HTTP)
        assert caller.outcome.certainty is Certainty.NOT_CREATED
        assert caller.queue.parked

    async def test_a_deadline_spent_in_doubt_is_unknown(self, caller: Caller) -> None:
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

    async def test_the_horizon_of_redis_counts_where_the_message_has_none(
        self, caller: Caller
    ) -> None:
        patient = envelope(progress=Progress(deadline_at=NOW_S + 7 * 86_400))
        caller.answers(CREATED)
        await send_and_die(caller, patient)
        caller.clock.advance(HORIZON_S)
        assert await caller.receive(patient)
        assert not caller.stripe.calls
        assert caller.outcome.code == "horizon_passed"

    async def test_a_last_receive_of_what_was_never_sent_goes_on_as_a_copy(
        self, caller: Caller
    ) -> None:
        """Throttled receives used the message up: no process ever looked at it."""
        caller.answers(CREATED)
        assert await caller.receive(envelope(), receive=5)
        assert not caller.stripe.calls
        assert not caller.outcomes.entries
        assert await caller.receive_deferred()
        assert isinstance(caller.outcome, Response)

    async def test_the_copies_of_a_message_that_is_never_sent_are_bounded(
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

    async def test_a_last_receive_after_refusals_alone_is_not_created(self, caller: Caller) -> None:
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
    async def test_the_queue_is_trusted_no_more_than_the_api(
        self, caller: Caller, change: dict[str, Any], code: str
    ) -> None:
        assert await caller.receive(envelope(**change))
        assert not caller.stripe.calls
        assert (caller.outcome.kind, caller.outcome.code) == (ErrorKind.DISPATCHER, code)
        assert caller.outcome.certainty is Certainty.NOT_CREATED

    async def test_a_named_key_of_an_organisation_needs_the_account_it_acts_in(
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

    async def test_a_key_of_an_organisation_acts_in_the_account_that_is_named(
        self, caller: Caller
    ) -> None:
        caller.vault = MemoryVault(caller.sealer, {("local", SECRET_REF): "sk_org_live_1"})
        caller.answers(CREATED)
        assert await caller.receive(envelope(stripe_context="acct_1"))
        assert caller.stripe.calls[0]["stripe_context"] == "acct_1"

    async def test_what_could_not_be_put_back_on_the_queue_is_not_begun(
        self, caller: Caller
    ) -> None:
        """A direct producer may fill all that SQS takes: then no copy of its message could wait for Stripe."""
        largest = filled(QUEUE_MESSAGE_LIMIT_BYTES)
        assert await caller.receive(largest)
        assert not caller.stripe.calls
        assert (caller.outcome.kind, caller.outcome.code) == (
            ErrorKind.DISPATCHER,
            "request_too_large",
        )
        assert caller.outcome.certainty is Certainty.NOT_CREATED

    async def test_an_end_of_ours_is_unknown_after_a_lost_answer(self, caller: Caller) -> None:
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

    async def test_two_at_once_publish_one_outcome(self, caller: Caller) -> None:
        caller.answers(CREATED, REPLAYED)
        kept = await caller.receive_all(
            caller.message(envelope(), id_="m-1"), caller.message(envelope(), id_="m-2")
        )
        assert kept == []
        assert len(caller.outcomes.entries) == 1

    async def test_an_unknown_outcome_may_still_be_settled(self, caller: Caller) -> None:
        caller.answers(TIMED_OUT, INVALID, REPLAYED)
        await caller.receive(envelope())
        ((text, _, _),) = caller.queue.parked
        assert await caller.receive(text)  # an operator's redrive
        unknown, settled = caller.outcomes.entries
        assert not unknown.outcome.settled
        assert isinstance(settled.outcome, Response)

    async def test_a_redrive_that_is_refused_stays_unknown_and_tells_nobody_twice(
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

    async def test_a_delivery_that_died_before_its_send_leaves_no_doubt(
        self, caller: Caller
    ) -> None:
        """The receive count proves nothing: the request's slot does."""
        caller.answers(INVALID)
        await caller.requests.claim(claim(envelope()))
        assert await caller.receive(envelope(), receive=4)
        assert caller.outcome.certainty is Certainty.NOT_CREATED

    async def test_a_redelivery_after_a_crash_settles_with_the_replay(self, caller: Caller) -> None:
        caller.answers(REPLAYED)
        await send_and_die(caller, envelope())
        assert await caller.receive(envelope(), receive=2)
        assert isinstance(caller.outcome, Response)

    async def test_a_refused_send_that_was_written_down_is_no_doubt(self, caller: Caller) -> None:
        caller.answers(INVALID)
        token = await send_and_die(caller, envelope())
        await caller.requests.end_send(claim(envelope()), token, SendEnd.REFUSED)
        assert await caller.receive(envelope(), receive=2)
        assert caller.outcome.certainty is Certainty.NOT_CREATED

    async def test_an_end_that_was_closed_by_a_killed_delivery_is_told(
        self, caller: Caller
    ) -> None:
        await caller.requests.claim(claim(envelope()))
        await caller.requests.close(claim(envelope()), failed(code="key_not_opened"))
        assert await caller.receive(envelope(), receive=2)
        assert not caller.stripe.calls
        assert caller.outcome.code == "key_not_opened"

    async def test_a_status_that_a_killed_delivery_did_not_write_is_mended(
        self, caller: Caller
    ) -> None:
        caller.answers(CREATED)
        await send_and_die(caller, envelope())
        await caller.outcomes.publish(entry(tenant="local"))
        assert await caller.receive(envelope(), receive=2)
        assert caller.requests.status("pdr_1") == "succeeded"
        assert not caller.stripe.calls


class TestStoresAway:
    async def test_without_redis_stripe_is_not_called(self, caller: Caller) -> None:
        caller.answers(CREATED)
        caller.redis_away(True)
        assert await caller.receive(envelope())
        assert not caller.stripe.calls
        waited = replace(IN_AN_HOUR, store_waits=1)
        assert caller.queue.deferred == [(envelope(progress=waited), 3.75)]

    async def test_waiting_for_a_store_backs_off(self, caller: Caller) -> None:
        """A fixed wait of five seconds is thousands of deliveries in an outage of hours."""
        caller.redis_away(True)
        sent, deliveries = envelope(progress=Progress(deadline_at=NOW_S + 21_600)), 0
        while caller.clock.now_s() < NOW_S + 21_600:
            assert await caller.receive(sent)
            sent, delay_s = caller.queue.deferred.pop()
            caller.clock.advance(delay_s)
            deliveries += 1
        assert deliveries < 150

    async def test_a_store_that_was_there_again_is_waited_for_from_the_start(
        self, caller: Caller
    ) -> None:
        caller.answers(RATE_LIMITED)
        patient = replace(IN_AN_HOUR, store_waits=9, attempt=10)
        assert await caller.receive(envelope(progress=patient), left_s=60)
        ((copy, _),) = caller.queue.deferred
        assert copy.progress.store_waits == 0

    @pytest.mark.parametrize("away_at", ["claim", "send"])
    async def test_a_slot_that_gives_no_answer_means_no_post(
        self, caller: Caller, away_at: str
    ) -> None:
        caller.requests = LosesAnswerOnce(caller, away_at)
        caller.answers(INVALID)
        assert await caller.receive(envelope())
        assert not caller.stripe.calls
        assert await caller.receive_deferred()
        assert caller.outcome.certainty is Certainty.NOT_CREATED

    async def test_a_process_that_was_frozen_after_its_send_asks_again(
        self, caller: Caller
    ) -> None:
        """It thaws a day later: Stripe has forgotten the key, and a POST would make a second object."""
        caller.requests = FreezesAfterSend(caller, for_s=HORIZON_S)
        caller.answers(CREATED)
        patient = envelope(progress=Progress(deadline_at=NOW_S + 7 * 86_400))
        assert await caller.receive(patient, left_s=HORIZON_S + 300)
        assert not caller.stripe.calls
        assert caller.outcome.code == "horizon_passed"

    async def test_a_vault_that_stays_away_does_not_outlast_the_deadline(
        self, caller: Caller
    ) -> None:
        caller.vault.away = True
        assert await caller.receive(envelope(progress=Progress(deadline_at=NOW_S + 60)))
        caller.clock.advance(60)
        assert await caller.receive_deferred()
        assert caller.outcome.code == "deadline_exceeded"
        assert caller.outcome.certainty is Certainty.NOT_CREATED
        assert not caller.queue.deferred

    async def test_redis_lost_after_the_call_leaves_a_latched_copy(self, caller: Caller) -> None:
        caller.answers(lambda: answered_while_redis_goes_away(caller), INVALID)
        assert await caller.receive(envelope())
        ((copy, _),) = caller.queue.deferred
        assert copy.progress.maybe_executed
        assert copy.progress.first_sent_at == NOW_S
        caller.redis_away(False)
        assert await caller.receive_deferred()
        assert caller.outcome.certainty is Certainty.UNKNOWN

    async def test_redis_lost_for_the_publish_alone_leaves_a_latched_copy(
        self, caller: Caller
    ) -> None:
        fail_next_publish(caller)
        caller.answers(CREATED, INVALID)
        assert await caller.receive(envelope())
        assert await caller.receive_deferred()
        assert caller.outcome.certainty is Certainty.UNKNOWN

    async def test_redis_lost_for_the_publish_of_a_doubt_leaves_a_latched_copy(
        self, caller: Caller
    ) -> None:
        fail_next_publish(caller)
        caller.answers(TIMED_OUT)
        assert await caller.receive(envelope(progress=Progress(deadline_at=NOW_S + 0.1)))
        ((copy, _),) = caller.queue.deferred
        assert copy.progress.maybe_executed

    async def test_redis_lost_after_a_refusal_leaves_no_doubt(self, caller: Caller) -> None:
        fail_next_publish(caller)
        caller.answers(INVALID)
        assert await caller.receive(envelope())
        assert await caller.receive_deferred()
        assert caller.outcome.certainty is Certainty.NOT_CREATED

    async def test_what_redis_lost_is_published_from_the_replay(self, caller: Caller) -> None:
        caller.answers(lambda: answered_while_redis_goes_away(caller), REPLAYED)
        await caller.receive(envelope())
        caller.redis_away(False)
        assert await caller.receive_deferred()
        assert isinstance(caller.outcome, Response)

    async def test_a_vault_that_is_away_costs_nothing(self, caller: Caller) -> None:
        caller.answers(INVALID)
        caller.vault.away = True
        assert await caller.receive(envelope())
        ((copy, delay_s),) = caller.queue.deferred
        assert (copy.progress.attempt, copy.progress.maybe_executed) == (1, False)
        assert delay_s == 3.75
        caller.vault.away = False
        assert await caller.receive_deferred()
        assert caller.outcome.certainty is Certainty.NOT_CREATED

    async def test_without_a_queue_to_defer_to_the_message_is_kept(self, caller: Caller) -> None:
        caller.redis_away(True)
        caller.queue.away = True
        assert not await caller.receive(envelope())
        assert "message.kept" in caller.log.events()

    async def test_the_error_is_published_before_the_message_is_parked(
        self, caller: Caller
    ) -> None:
        caller.answers(TIMED_OUT, INVALID)
        caller.queue.away = True
        assert not await caller.receive(envelope())  # it could not be parked: the queue keeps it
        assert caller.outcome.certainty is Certainty.UNKNOWN
        caller.queue.away = False
        assert await caller.receive(envelope(), receive=2)
        assert len(caller.outcomes.entries) == 1
        assert caller.queue.parked

    async def test_nothing_is_parked_whose_error_could_not_be_published(
        self, caller: Caller
    ) -> None:
        fail_next_publish(caller)
        await send_and_die(caller, envelope())
        assert await caller.receive(envelope(), receive=5)
        assert not caller.queue.parked
        assert caller.queue.deferred


class TestWaiting:
    async def test_a_short_wait_is_slept(self, caller: Caller) -> None:
        caller.answers(RATE_LIMITED, CREATED)
        assert await caller.receive(envelope())
        assert caller.clock.now_s() == NOW_S + 0.25
        assert not caller.queue.deferred

    async def test_a_slept_wait_is_written_down_first(self, caller: Caller) -> None:
        caller.clock = clock = WatchingClock()
        caller.outcomes = MemoryOutcomes(clock)
        caller.requests = clock.watched = MemoryRequests(clock, caller.outcomes)
        caller.answers(RATE_LIMITED, CREATED)
        assert await caller.receive(envelope())
        assert clock.seen == ["retrying"]

    async def test_a_long_wait_is_deferred_with_all_that_is_known(self, caller: Caller) -> None:
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
    async def test_no_delay_is_longer_than_the_queue_takes(
        self, caller: Caller, attempt: int, fraction: float
    ) -> None:
        caller.fraction = fraction
        caller.answers(NO_CONNECTION)
        await caller.receive(envelope(progress=replace(IN_AN_HOUR, attempt=attempt)), left_s=5)
        ((_, delay_s),) = caller.queue.deferred
        assert 0 <= delay_s <= QUEUE_DELAY_LIMIT_S

    async def test_a_call_in_flight_near_the_end_is_abandoned_as_unknown(
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
    async def test_no_call_is_begun_that_would_be_abandoned_and_no_doubt_is_left(
        self, caller: Caller, left_s: float
    ) -> None:
        assert await caller.receive(envelope(), left_s=left_s)
        assert not caller.stripe.calls
        caller.answers(INVALID)
        assert await caller.receive_deferred()
        assert caller.outcome.certainty is Certainty.NOT_CREATED

    async def test_others_go_on_while_one_waits(self, caller: Caller) -> None:
        caller.answers(RATE_LIMITED, CREATED)
        kept = await caller.receive_all(
            caller.message(envelope(request_id="slow"), id_="m-1"),
            caller.message(envelope(request_id="quick"), id_="m-2"),
        )
        assert kept == []
        ended = [published.request_id for published in caller.outcomes.entries]
        assert ended == ["quick", "slow"]

    async def test_a_wait_that_redis_cannot_note_is_deferred(self, caller: Caller) -> None:
        caller.answers(lambda: answered_while_redis_goes_away(caller, RATE_LIMITED))
        assert await caller.receive(envelope())
        ((copy, _),) = caller.queue.deferred
        assert copy.progress.attempt == 2


class TestWhatStripeReceives:
    async def test_the_callers_parameters_and_one_mark(self, caller: Caller) -> None:
        caller.answers(CREATED)
        params = {**PARAMS, "metadata": {"order": "1001"}}
        await caller.receive(envelope(params=params, stripe_account="acct_1"))
        (call,) = caller.stripe.calls
        assert call["params"] == {**PARAMS, "metadata": {"order": "1001", MARK: "pdr_1"}}
        assert (call["endpoint"], call["stripe_account"]) == ("/v1/payment_intents", "acct_1")

    @pytest.mark.parametrize("metadata", [None, {}])
    async def test_a_mark_where_there_was_no_metadata(
        self, caller: Caller, metadata: dict[str, str] | None
    ) -> None:
        caller.answers(CREATED)
        await caller.receive(envelope(params={**PARAMS, "metadata": metadata}))
        assert caller.stripe.calls[0]["params"]["metadata"] == {MARK: "pdr_1"}

    async def test_full_metadata_is_not_pushed_out(self, caller: Caller) -> None:
        caller.answers(CREATED)
        full = {f"key{number}": "x" for number in range(METADATA_LIMIT)}
        await caller.receive(envelope(params={**PARAMS, "metadata": full}))
        assert caller.stripe.calls[0]["params"]["metadata"] == full


class TestTheWideLine:
    async def test_it_has_all_ids_and_the_verdict(self, caller: Caller) -> None:
        caller.answers(DECLINED)
        await caller.receive(envelope(traceparent="00-1"))
        lines = [fields for event, fields in caller.log.lines if event == "request.settled"]
        (line,) = lines
        assert line["request_id"] == "pdr_1"
        assert (line["worker_id"], line["context_id"]) == ("worker-1", "context-1")
        assert line["flow"] == "new_create_payment_intent_error"
        assert line["stripe_request_id"] == "req_3"
        assert (line["error_kind"], line["error_code"]) == ("api", "card_declined")
        assert line["traceparent"] == "00-1"

    async def test_there_is_one_line_for_one_request(self, caller: Caller) -> None:
        caller.answers(RATE_LIMITED, CREATED)
        await caller.receive(envelope())
        assert caller.log.events() == ["request.settled"]

    async def test_giving_up_is_counted(self, caller: Caller) -> None:
        await send_and_die(caller, envelope())
        await caller.receive(envelope(), receive=5)
        assert caller.log.counts == {"RequestParked": 1}


class TestIdentity:
    """One id stands for one thing asked, whichever worker, account or principal it comes from."""

    async def test_one_key_and_two_workers_is_one_effect_and_one_told_refusal(
        self, caller: Caller
    ) -> None:
        caller.answers(CREATED)
        assert await caller.receive(envelope())
        assert await caller.receive(envelope(worker_id="worker-2"))
        assert len(caller.stripe.calls) == 1
        response, refusal = caller.outcomes.entries
        assert (response.worker_id, response.outcome) == ("worker-1", created())
        assert (refusal.worker_id, refusal.outcome.code) == ("worker-2", "idempotency_key_reused")
        assert refusal.outcome.certainty is Certainty.NOT_CREATED
        assert refusal.request_id != response.request_id

    async def test_a_final_request_is_not_sent_again_by_another_worker_a_day_later(
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
    async def test_another_thing_asked_under_a_used_id_is_told_so_once(
        self, caller: Caller, change: dict[str, Any]
    ) -> None:
        caller.answers(CREATED)
        assert await caller.receive(envelope())
        second = envelope(**change)
        for _ in range(3):
            assert await caller.receive(second)
        assert len(caller.stripe.calls) == 1
        _, told = caller.outcomes.entries
        assert told.outcome.code == "idempotency_key_reused"
        assert caller.requests.status(told.request_id) == "failed"
        assert caller.requests.status("pdr_1") == "succeeded"

    async def test_a_refusal_whose_own_id_was_taken_before_is_told_under_the_next(
        self, caller: Caller
    ) -> None:
        caller.answers(CREATED)
        assert await caller.receive(envelope())
        second = envelope(worker_id="worker-2")
        taken = claim(second).as_second_request()
        await caller.requests.claim(replace(taken, fingerprint="f1:something else"))
        assert await caller.receive(second)
        assert not caller.queue.deferred
        _, told = caller.outcomes.entries
        assert told.outcome.code == "idempotency_key_reused"
        assert told.request_id == taken.as_second_request().request_id

    async def test_the_loser_of_two_bodies_at_once_is_told_under_an_id_of_its_own(
        self, caller: Caller
    ) -> None:
        caller.answers(CREATED)
        other = envelope(params={**PARAMS, "amount": 3000})
        kept = await caller.receive_all(
            caller.message(envelope(), id_="m-1"), caller.message(other, id_="m-2")
        )
        assert kept == []
        by_id = {told.request_id: told for told in caller.outcomes.entries}
        assert by_id.pop("pdr_1").outcome == created()
        ((_, told),) = by_id.items()
        assert told.outcome.code == "idempotency_key_reused"

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
    async def test_what_stripe_takes_for_the_same_is_the_same(
        self, caller: Caller, change: dict[str, Any]
    ) -> None:
        caller.answers(CREATED)
        assert await caller.receive(envelope())
        assert await caller.receive(envelope(**change))
        assert len(caller.stripe.calls) == len(caller.outcomes.entries) == 1

    async def test_two_tenants_with_one_id_have_nothing_to_do_with_each_other(
        self, caller: Caller
    ) -> None:
        caller.answers(CREATED)
        for tenant in ("acme", "globex"):
            principal = f"{tenant}/shop"
            sealed = caller.sealer.seal(StripeKey(KEY), Binding(principal, "worker-1", "context-1"))
            assert await caller.receive(envelope(principal=principal, sealed_secret=sealed))
        assert len(caller.stripe.calls) == 2
        assert caller.doorbell.rung == ["acme worker-1", "globex worker-1"]
        assert [told.tenant for told in caller.outcomes.entries] == ["acme", "globex"]

    async def test_a_malformed_message_does_not_end_the_request_it_names(
        self, caller: Caller
    ) -> None:
        caller.answers(CREATED)
        assert await caller.receive(message_text(request_id="pdr_1", attempt="never"))
        assert await caller.receive(envelope())
        refusal, response = caller.outcomes.entries
        assert refusal.request_id != "pdr_1"
        assert (response.request_id, response.outcome) == ("pdr_1", created())

    async def test_a_message_older_than_the_memory_is_not_sent(self, caller: Caller) -> None:
        caller.answers(CREATED)
        old = envelope(accepted_at=NOW_S - FORGOTTEN_S, progress=Progress(deadline_at=NOW_S + 60))
        assert await caller.receive(old)
        assert not caller.stripe.calls
        assert caller.outcome.certainty is Certainty.UNKNOWN

    async def test_a_message_older_than_the_memory_whose_slot_stands_goes_on(
        self, caller: Caller
    ) -> None:
        caller.answers(CREATED)
        old = envelope(accepted_at=NOW_S - FORGOTTEN_S, progress=Progress(deadline_at=NOW_S + 60))
        await caller.requests.claim(replace(claim(old), older_than_memory=False))
        assert await caller.receive(old)
        assert caller.outcome == created()


class TestAccounts:
    """Stripe's keys and lists belong to one account and mode, so a request does too."""

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

    async def test_it_ends_as_unknown_at_its_deadline_if_the_old_key_does_not_come_back(
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

    async def test_it_goes_on_when_the_old_key_comes_back(self, caller: Caller) -> None:
        caller.answers(TIMED_OUT, REPLAYED)
        assert await caller.receive(envelope(progress=replace(IN_AN_HOUR, attempt=10)), left_s=60)
        self.repoint(caller, self.OTHER, account="acct_2")
        assert await caller.receive_deferred()
        self.repoint(caller, KEY, account="acct_1")
        assert await caller.receive_deferred()
        assert caller.outcome == replace(created(), attempts=11, stripe_request_id="req_2")

    async def test_a_key_that_was_put_right_after_a_refusal_is_used(self, caller: Caller) -> None:
        caller.answers(RATE_LIMITED, CREATED)
        assert await caller.receive(envelope(progress=replace(IN_AN_HOUR, attempt=10)), left_s=60)
        self.repoint(caller, self.OTHER, account="acct_2")
        assert await caller.receive_deferred()
        assert caller.outcome == replace(created(), attempts=11)

    async def test_another_key_of_the_same_account_goes_on(self, caller: Caller) -> None:
        caller.answers(TIMED_OUT, REPLAYED)
        assert await caller.receive(envelope(progress=replace(IN_AN_HOUR, attempt=10)), left_s=60)
        self.repoint(caller, self.OTHER, account="acct_1")
        assert await caller.receive_deferred()
        assert isinstance(caller.outcome, Response)

    async def test_a_key_that_may_not_ask_is_known_by_itself(self, caller: Caller) -> None:
        caller.accounts = MemoryAccounts(**{KEY: None})
        caller.answers(TIMED_OUT, REPLAYED)
        assert await caller.receive(envelope())
        assert isinstance(caller.outcome, Response)

    async def test_a_key_that_stripe_refuses_before_anything_was_sent_is_not_created(
        self, caller: Caller
    ) -> None:
        caller.accounts = MemoryAccounts(**{KEY: refused(401, code="api_key_expired")})
        assert await caller.receive(envelope())
        assert not caller.stripe.calls
        assert caller.outcome.code == "api_key_expired"
        assert caller.outcome.certainty is Certainty.NOT_CREATED

    async def test_an_account_that_cannot_be_found_now_is_waited_for(self, caller: Caller) -> None:
        caller.answers(CREATED)
        caller.accounts.away = True
        assert await caller.receive(envelope())
        assert not caller.stripe.calls
        caller.accounts.away = False
        assert await caller.receive_deferred()
        assert caller.outcome == created()

    def repoint(self, caller: Caller, key: str, *, account: str) -> None:
        caller.vault = MemoryVault(caller.sealer, {("local", SECRET_REF): key})
        caller.accounts.ids[key] = account


class TestPrincipals:
    """A claimed principal counts when its seal opened, or when a proven claim says so."""

    async def test_a_forged_principal_writes_nothing_and_runs_no_flow(self, caller: Caller) -> None:
        """Its key would be the queue's, in the clear: the forger would pay with it."""
        assert await caller.receive(envelope(principal="acme/shop"))
        assert not caller.stripe.calls
        assert not caller.outcomes.entries
        assert not caller.requests.store.slots
        ((_, reason, _),) = caller.queue.parked
        assert reason == "not_accepted"
        assert caller.log.counts == {"MessageNotAccepted": 1}

    async def test_a_seal_of_another_conversation_proves_nothing(self, caller: Caller) -> None:
        sealed = caller.sealer.seal(StripeKey(KEY), Binding("acme/shop", "worker-1", "elsewhere"))
        assert await caller.receive(envelope(principal="acme/shop", sealed_secret=sealed))
        assert not caller.requests.store.slots
        assert not caller.outcomes.entries

    async def test_a_forged_message_cannot_take_an_id_that_the_api_will_give(
        self, caller: Caller
    ) -> None:
        caller.answers(CREATED)
        assert await caller.receive(envelope(principal="acme/shop", params={"amount": 1}))
        asked = self.sealed(caller)
        assert await caller.receive(asked)
        assert caller.outcome == created()

    async def test_a_malformed_message_of_an_unproven_principal_runs_no_flow(
        self, caller: Caller
    ) -> None:
        assert await caller.receive(message_text(principal="acme/shop", attempt="never"))
        assert not caller.outcomes.entries
        assert caller.queue.parked

    async def test_a_claim_of_the_api_is_a_proof_while_the_key_service_is_away(
        self, caller: Caller
    ) -> None:
        asked = self.sealed(caller, progress=Progress(deadline_at=NOW_S + 60))
        await caller.requests.claim(claim(asked))
        caller.vault.away = True
        caller.clock.advance(60)
        assert await caller.receive(asked)
        assert caller.outcome.code == "deadline_exceeded"

    @pytest.mark.parametrize("away", [False, True])
    @pytest.mark.parametrize(
        "forged",
        [
            {"sealed_secret": "sealed-by-nobody"},
            {"secret_ref": SECRET_REF},
            {"sealed_secret": "sealed-by-nobody", "progress": Progress(deadline_at=NOW_S)},
        ],
        ids=["a seal that does not open", "the queue's own secret", "a deadline that is past"],
    )
    async def test_a_claim_of_the_api_is_no_proof_for_a_message_with_another_seal(
        self, caller: Caller, forged: dict[str, Any], away: bool
    ) -> None:
        """A stranger may guess the id and what is asked. It neither ends the request nor pays for it."""
        caller.answers(CREATED)
        asked = self.sealed(caller)
        await caller.requests.claim(claim(asked))
        caller.vault.away = away
        await caller.receive(replace(asked, **{"sealed_secret": None, **forged}))
        caller.vault.away = False
        assert not caller.stripe.calls
        assert not caller.outcomes.entries
        assert await caller.receive(asked)
        assert caller.outcome == created()

    async def test_a_message_whose_seal_opens_no_more_is_told_because_its_claim_proves_it(
        self, caller: Caller
    ) -> None:
        asked = self.sealed(caller)
        await caller.requests.claim(claim(asked))
        caller.vault = MemoryVault(MemorySealer())
        assert await caller.receive(asked)
        assert caller.outcome.code == "key_not_opened"

    async def test_nobody_is_told_under_an_unproven_principal_past_the_deadline_either(
        self, caller: Caller
    ) -> None:
        asked = self.sealed(caller, progress=Progress(deadline_at=NOW_S + 60))
        caller.vault.away = True
        caller.clock.advance(3600)
        assert await caller.receive(asked)
        assert not caller.outcomes.entries
        assert not caller.requests.store.slots
        caller.vault.away = False
        assert await caller.receive_deferred()
        assert caller.outcome.code == "deadline_exceeded"

    async def test_the_waits_for_a_proof_are_bounded(self, caller: Caller) -> None:
        waited = replace(IN_AN_HOUR, store_waits=MOST_WAITS_FOR_PROOF)
        caller.vault.away = True
        assert await caller.receive(self.sealed(caller, progress=waited))
        assert not caller.queue.deferred
        ((_, reason, _),) = caller.queue.parked
        assert reason == "not_accepted"

    async def test_a_permission_that_is_missing_is_waited_for_until_the_deadline(
        self, caller: Caller
    ) -> None:
        caller.vault = NotPermittedVault(caller.sealer)
        assert await caller.receive(envelope())
        assert not caller.outcomes.entries
        assert caller.log.counts == {"KeyNotPermitted": 1}
        caller.clock.advance(3600)
        assert await caller.receive_deferred()
        assert caller.outcome.code == "deadline_exceeded"

    def sealed(self, caller: Caller, **changes: Any) -> Envelope:
        sealed = caller.sealer.seal(StripeKey(KEY), Binding("acme/shop", "worker-1", "context-1"))
        return envelope(principal="acme/shop", sealed_secret=sealed, **changes)


class NotPermittedVault(MemoryVault):
    async def open(self, envelope: Envelope) -> StripeKey:
        raise NotPermitted("kms:Decrypt is denied")


def created() -> Response:
    return Response(body=CREATED.body, attempts=1, stripe_request_id="req_1")


def claim(sent: Envelope) -> Claim:
    return claim_of(sent, "local", NOW_S)


async def send_and_die(caller: Caller, sent: Envelope) -> str:
    """A delivery opens its send and is killed: whether the POST left, only Stripe knows."""
    await caller.requests.claim(claim(sent))
    account = bind_account(StripeKey(KEY), "acct_1", stripe_account=None, stripe_context=None)
    await caller.requests.send(claim(sent), Send(token="killed", account=account, attempt=1))
    return "killed"


def answered_while_redis_goes_away(caller: Caller, answer: Attempt = CREATED) -> Attempt:
    caller.redis_away(True)
    return answer


def fail_next_publish(caller: Caller) -> None:
    caller.outcomes = PublishFailsOnce(caller.clock)
    caller.requests = MemoryRequests(caller.clock, caller.outcomes)


class PublishFailsOnce(MemoryOutcomes):
    """Redis is away for the first publish, and only then."""

    failed = False

    async def publish(self, entry: OutcomeEntry) -> bool:
        if not self.failed:
            self.failed = True
            raise Unavailable("Redis is away")
        return await super().publish(entry)


class LosesAnswerOnce(MemoryRequests):
    """Does what it is asked, and loses the answer of the first call named `step`."""

    def __init__(self, caller: Caller, step: str) -> None:
        super().__init__(caller.clock, caller.outcomes)
        self._step: str | None = step

    async def claim(self, claim: Claim) -> SlotState:
        return self._lost("claim", await super().claim(claim))

    async def send(self, claim: Claim, send: Send) -> Go | NoSend:
        return self._lost("send", await super().send(claim, send))

    def _lost(self, step: str, answer: Any) -> Any:
        if step == self._step:
            self._step = None
            raise Unavailable("the answer was lost")
        return answer


class FreezesAfterSend(MemoryRequests):
    """The process is frozen once, after the script ran and before it reads the answer."""

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
    """Notes the request's status at each sleep."""

    watched: MemoryRequests

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str | None] = []

    async def sleep(self, seconds: float) -> None:
        self.seen.append(self.watched.status("pdr_1"))
        await super().sleep(seconds)


class NeverAnswers(MemoryStripe):
    async def create(self, **call: Any) -> Attempt:
        await asyncio.Event().wait()
        raise AssertionError
