"""Dispatch: each end of a request, and that nothing is lost or charged twice on the way there."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.examples import (
    CREATED,
    DECLINED,
    IN_AN_HOUR,
    NO_CONNECTION,
    NOW_S,
    PARAMS,
    REPLAYED,
    TIMED_OUT,
    envelope,
    refused,
)

from paydispatch.adapters.memory import MemoryClock, MemoryOutcomes, MemoryStripe
from paydispatch.domain.envelope import read_message
from paydispatch.domain.errors import Unavailable
from paydispatch.domain.outcomes import Certainty, ErrorKind, Response
from paydispatch.domain.retry import Progress
from paydispatch.domain.units import HORIZON_S, QUEUE_DELAY_LIMIT_S, QUEUE_MESSAGE_LIMIT_BYTES
from paydispatch.services import dispatch
from paydispatch.services.batch import PUBLISHING_TIME_S
from paydispatch.services.dispatch import LEAST_CALL_S, MARK, METADATA_LIMIT, STORE_RETRY_S

if TYPE_CHECKING:
    from tests.unit.services.conftest import Caller

    from paydispatch.domain.attempts import Attempt
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
        await caller.outcomes.begin(patient)  # and then the process died
        caller.clock.advance(HORIZON_S)
        assert await caller.receive(patient)
        assert not caller.stripe.calls
        assert caller.outcome.code == "horizon_passed"

    async def test_a_last_receive_after_a_wait_without_doubt_is_in_doubt(
        self, caller: Caller
    ) -> None:
        """What deferred it died before it was acknowledged: its copy may be creating the object."""
        await caller.outcomes.begin(envelope(), by="an earlier receive")
        await caller.outcomes.waiting(envelope(), NOW_S + 60, by="an earlier receive")
        assert await caller.receive(envelope(), receive=5)
        assert caller.outcome.certainty is Certainty.UNKNOWN

    async def test_a_last_receive_counts_from_now_where_nobody_knows_of_a_call(
        self, caller: Caller
    ) -> None:
        """Redis was away when the earlier receives began. Without any time there could never be proof."""
        await caller.outcomes.waiting(envelope(), NOW_S + 60, by="an earlier receive")
        assert await caller.receive(envelope(), receive=5)
        (published,) = caller.outcomes.entries
        assert published.first_sent_at == NOW_S

    async def test_a_last_receive_is_reported_without_calling_stripe_again(
        self, caller: Caller
    ) -> None:
        assert await caller.receive(envelope(), receive=5)
        assert not caller.stripe.calls
        assert (caller.outcome.kind, caller.outcome.code) == (ErrorKind.DISPATCHER, "last_receive")
        assert caller.outcome.certainty is Certainty.UNKNOWN
        ((text, reason, _),) = caller.queue.parked
        assert reason == "last_receive"
        assert '"maybe_executed":true' in text

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
    async def test_the_queue_is_trusted_no_more_than_the_door(
        self, caller: Caller, change: dict[str, Any], code: str
    ) -> None:
        assert await caller.receive(envelope(**change))
        assert not caller.stripe.calls
        assert (caller.outcome.kind, caller.outcome.code) == (ErrorKind.DISPATCHER, code)
        assert caller.outcome.certainty is Certainty.NOT_CREATED

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

    async def test_an_unknown_end_may_still_be_settled(self, caller: Caller) -> None:
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
    async def test_a_redelivery_after_a_crash_is_latched(self, caller: Caller) -> None:
        caller.answers(INVALID)
        await caller.outcomes.begin(envelope())  # the process died somewhere after this
        assert await caller.receive(envelope(), receive=2)
        assert caller.outcome.certainty is Certainty.UNKNOWN
        assert caller.queue.parked

    async def test_a_redelivery_that_redis_has_forgotten_is_latched(self, caller: Caller) -> None:
        caller.answers(INVALID)
        assert await caller.receive(envelope(), receive=2)
        assert caller.outcome.certainty is Certainty.UNKNOWN

    async def test_a_redelivery_that_redis_has_forgotten_counts_its_horizon_from_the_first_receive(
        self, caller: Caller
    ) -> None:
        caller.answers(CREATED)
        patient = envelope(progress=Progress(deadline_at=NOW_S + 7 * 86_400))
        first = caller.message(patient, receive=2)
        caller.clock.advance(HORIZON_S)
        assert await caller.receive_all(first) == []
        assert not caller.stripe.calls

    async def test_a_redelivery_after_a_crash_settles_with_the_replay(self, caller: Caller) -> None:
        caller.answers(REPLAYED)
        await caller.outcomes.begin(envelope())
        assert await caller.receive(envelope(), receive=2)
        assert isinstance(caller.outcome, Response)

    async def test_a_deferral_that_was_written_down_is_no_crash(self, caller: Caller) -> None:
        caller.answers(INVALID)
        await caller.outcomes.begin(envelope())
        await caller.outcomes.waiting(envelope(), NOW_S + 60)
        assert await caller.receive(envelope(), receive=2)
        assert caller.outcome.certainty is Certainty.NOT_CREATED


class TestStoresAway:
    async def test_without_redis_stripe_is_not_called(self, caller: Caller) -> None:
        caller.answers(CREATED)
        caller.outcomes.away = True
        assert await caller.receive(envelope())
        assert not caller.stripe.calls
        assert caller.queue.deferred == [(envelope(), STORE_RETRY_S)]

    async def test_a_crash_before_redis_went_away_leaves_a_doubt(self, caller: Caller) -> None:
        """Whether the first receive called Stripe, only Redis could have told."""
        caller.outcomes.away = True
        assert await caller.receive(envelope(), receive=2)
        await redis_comes_back(caller, forgets=True)
        caller.answers(INVALID)
        assert await caller.receive_deferred()
        assert caller.outcome.certainty is Certainty.UNKNOWN

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

    @pytest.mark.parametrize("forgets", [False, True])
    async def test_redis_lost_after_the_call_leaves_a_latched_copy(
        self, caller: Caller, forgets: bool
    ) -> None:
        caller.answers(lambda: answered_while_redis_goes_away(caller), INVALID)
        assert await caller.receive(envelope())
        ((copy, _),) = caller.queue.deferred
        assert copy.progress.maybe_executed
        assert copy.progress.first_sent_at == NOW_S
        await redis_comes_back(caller, forgets=forgets)
        assert await caller.receive_deferred()
        assert caller.outcome.certainty is Certainty.UNKNOWN

    async def test_redis_lost_for_the_publish_alone_leaves_a_latched_copy(
        self, caller: Caller
    ) -> None:
        caller.outcomes = PublishFailsOnce(caller.clock)
        caller.answers(CREATED, INVALID)
        assert await caller.receive(envelope())
        assert await caller.receive_deferred()
        assert caller.outcome.certainty is Certainty.UNKNOWN

    async def test_redis_lost_for_the_publish_of_a_doubt_leaves_a_latched_copy(
        self, caller: Caller
    ) -> None:
        caller.outcomes = PublishFailsOnce(caller.clock)
        caller.answers(TIMED_OUT)
        assert await caller.receive(envelope(progress=Progress(deadline_at=NOW_S + 0.1)))
        ((copy, _),) = caller.queue.deferred
        assert copy.progress.maybe_executed

    async def test_redis_lost_after_a_refusal_leaves_no_doubt(self, caller: Caller) -> None:
        caller.outcomes = PublishFailsOnce(caller.clock)
        caller.answers(INVALID)
        assert await caller.receive(envelope())
        assert await caller.receive_deferred()
        assert caller.outcome.certainty is Certainty.NOT_CREATED

    async def test_what_redis_lost_is_published_from_the_replay(self, caller: Caller) -> None:
        caller.answers(lambda: answered_while_redis_goes_away(caller), REPLAYED)
        await caller.receive(envelope())
        await redis_comes_back(caller, forgets=False)
        assert await caller.receive_deferred()
        assert isinstance(caller.outcome, Response)

    async def test_a_vault_that_is_away_costs_nothing(self, caller: Caller) -> None:
        caller.answers(INVALID)
        caller.vault.away = True
        assert await caller.receive(envelope())
        ((copy, delay_s),) = caller.queue.deferred
        assert (copy.progress.attempt, copy.progress.maybe_executed) == (1, False)
        assert delay_s == STORE_RETRY_S
        caller.vault.away = False
        assert await caller.receive_deferred()
        assert caller.outcome.certainty is Certainty.NOT_CREATED

    async def test_without_a_queue_to_defer_to_the_message_is_kept(self, caller: Caller) -> None:
        caller.outcomes.away = caller.queue.away = True
        assert not await caller.receive(envelope())
        assert "message.kept" in caller.journal.events()

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
        caller.outcomes = PublishFailsOnce(caller.clock)
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
        clock.watched = caller.outcomes.statuses
        caller.answers(RATE_LIMITED, CREATED)
        assert await caller.receive(envelope())
        assert clock.seen == [{"pdr_1": "retrying"}]

    async def test_a_long_wait_is_deferred_with_all_that_is_known(self, caller: Caller) -> None:
        caller.answers(TIMED_OUT)
        late = replace(IN_AN_HOUR, attempt=10)
        assert await caller.receive(envelope(progress=late), left_s=60)
        expected = replace(late, attempt=11, maybe_executed=True, first_sent_at=NOW_S)
        assert caller.queue.deferred == [(envelope(progress=expected), 128.0)]
        assert caller.outcomes.statuses == {"pdr_1": "retrying"}
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
        monkeypatch.setattr(dispatch, "LEAST_CALL_S", 0.01)
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
        lines = [fields for event, fields in caller.journal.lines if event == "request.settled"]
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
        assert caller.journal.events() == ["request.settled"]

    async def test_giving_up_is_counted(self, caller: Caller) -> None:
        await caller.receive(envelope(), receive=5)
        assert caller.journal.counts == {"RequestParked": 1}


def answered_while_redis_goes_away(caller: Caller, answer: Attempt = CREATED) -> Attempt:
    caller.outcomes.away = True
    return answer


async def redis_comes_back(caller: Caller, *, forgets: bool) -> None:
    if forgets:
        caller.outcomes = type(caller.outcomes)(caller.clock)
    caller.outcomes.away = False


class PublishFailsOnce(MemoryOutcomes):
    """Redis is away for the first publish, and only then."""

    failed = False

    async def publish(self, entry: OutcomeEntry, *, sole: str | None = None) -> bool:
        if not self.failed:
            self.failed = True
            raise Unavailable("Redis is away")
        return await super().publish(entry, sole=sole)


class WatchingClock(MemoryClock):
    """Looks at the statuses whenever somebody sleeps."""

    def __init__(self) -> None:
        super().__init__()
        self.watched: dict[str, str] = {}
        self.seen: list[dict[str, str]] = []

    async def sleep(self, seconds: float) -> None:
        self.seen.append(dict(self.watched))
        await super().sleep(seconds)


class NeverAnswers(MemoryStripe):
    async def create(self, **call: Any) -> Attempt:
        await asyncio.Event().wait()
        raise AssertionError
