"""The Stripe caller for operations that are no creates: the call, its repeats, and the words of its end."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.examples import (
    IN_AN_HOUR,
    KEY,
    NO_CONNECTION,
    NOW_S,
    TIMED_OUT,
    envelope,
    make_refusal,
    message_text,
)

from paydispatch.domain.attempts import Answered
from paydispatch.domain.claims import Send, claim_of
from paydispatch.domain.credentials import StripeKey
from paydispatch.domain.errors import Unavailable
from paydispatch.domain.identity.marks import MARK
from paydispatch.domain.outcomes import Certainty, Response
from paydispatch.domain.stripe.accounts import bind_account
from paydispatch.domain.stripe.repeats import Repeat

if TYPE_CHECKING:
    from tests.unit.services.conftest import Caller

    from paydispatch.domain.envelope import Envelope

DONE = Answered(200, {"id": "x"}, "req_1")
GONE = make_refusal(404, code="resource_missing", param="coupon")
ACCOUNT = bind_account(StripeKey(KEY), "acct_1", stripe_account=None, stripe_context=None)


def capture(**changes: Any) -> Envelope:
    asked = {
        "operation": "capture_payment_intent",
        "path": {"intent": "pi_1"},
        "params": {"amount_to_capture": 500},
    }
    return envelope(**{**asked, **changes})


def update(**params: Any) -> Envelope:
    return envelope(operation="update_payment_intent", path={"intent": "pi_1"}, params=params)


def delete_coupon(**changes: Any) -> Envelope:
    asked: dict[str, Any] = {
        "object": "coupon",
        "operation": "delete_coupon",
        "path": {"coupon": "SUMMER"},
        "params": {},
    }
    return envelope(**{**asked, **changes})


def delete_discount(**changes: Any) -> Envelope:
    asked: dict[str, Any] = {
        "object": "customer",
        "operation": "delete_discount_customer",
        "path": {"customer": "cus_1"},
        "params": {},
    }
    return envelope(**{**asked, **changes})


async def test_an_operation_is_called_at_its_path_without_the_mark(caller: Caller) -> None:
    caller.answers(DONE)
    assert await caller.receive(capture())
    (call,) = caller.stripe.calls
    assert (call["method"], call["path"]) == ("POST", "/v1/payment_intents/pi_1/capture")
    assert call["params"] == {"amount_to_capture": 500}
    (published,) = caller.outcomes.entries
    assert published.flow_name == "new_capture_payment_intent_response"
    assert not published.inferred


async def test_an_update_never_carries_the_mark_that_would_replace_that_of_the_create(
    caller: Caller,
) -> None:
    caller.answers(DONE)
    assert await caller.receive(update(metadata={"order": "1"}))
    (call,) = caller.stripe.calls
    assert call["params"]["metadata"] == {"order": "1"}


async def test_an_update_that_unsets_all_metadata_is_sent_and_recorded_before(
    caller: Caller,
) -> None:
    recorded: list[dict[str, float]] = []

    def answer() -> Answered:
        recorded.append(dict(caller.requests.store.metadata_unset))
        return DONE

    caller.answers(answer)
    assert await caller.receive(update(metadata=""))
    (call,) = caller.stripe.calls
    assert call["params"]["metadata"] == ""
    assert recorded == [dict.fromkeys(ACCOUNT.names, NOW_S)]


async def test_an_update_that_unsets_pairs_by_name_is_not_recorded(caller: Caller) -> None:
    caller.answers(DONE)
    assert await caller.receive(update(metadata={"order": ""}))
    assert caller.requests.store.metadata_unset == {}


async def test_an_update_that_unsets_all_metadata_waits_while_it_cannot_be_recorded(
    caller: Caller,
) -> None:
    async def away(_: Any) -> None:
        raise Unavailable("Redis is away.")

    caller.requests.note_unset_metadata = away  # type: ignore[method-assign]
    assert await caller.receive(update(metadata=""))
    assert not caller.stripe.calls
    assert len(caller.queue.deferred) == 1


async def test_a_create_below_another_object_carries_the_mark(caller: Caller) -> None:
    caller.answers(DONE)
    asked = envelope(
        object="customer_balance_transaction",
        operation="create_customer_balance_transaction",
        path={"customer": "cus_1"},
        params={"amount": -500, "currency": "usd"},
    )
    assert await caller.receive(asked)
    (call,) = caller.stripe.calls
    assert call["path"] == "/v1/customers/cus_1/balance_transactions"
    assert call["params"]["metadata"] == {MARK: "pdr_1"}


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"path": {}}, "path[intent]"),
        ({"path": {"intent": "pi/../1"}}, "path[intent]"),
        ({"path": {"intent": "pi_1", "id": "x"}}, "path[id]"),
        ({"operation": "catch_payment_intent"}, "operation"),
        ({"object": "coupon"}, "object"),
        ({"params": {"amount": 5}}, "amount"),
        ({"params": {"metadata": {MARK: ""}}}, f"metadata[{MARK}]"),
    ],
    ids=str,
)
async def test_a_message_that_does_not_fit_its_operation_ends_in_its_error_flow(
    caller: Caller, change: dict[str, Any], param: str
) -> None:
    fields = {"operation": "capture_payment_intent", "path": {"intent": "pi_1"}, "params": {}}
    assert await caller.receive(message_text(v=2, **{**fields, **change}))
    assert caller.outcome.param == param
    assert caller.outcome.certainty is Certainty.NOT_EXECUTED
    assert not caller.stripe.calls
    (published,) = caller.outcomes.entries
    assert published.flow_name.endswith("_error")


async def test_a_refused_operation_was_not_executed_and_its_key_may_make_a_new_request(
    caller: Caller,
) -> None:
    caller.answers(make_refusal(400, code="payment_intent_unexpected_state"))
    assert await caller.receive(capture())
    assert caller.outcome.certainty is Certainty.NOT_EXECUTED
    assert caller.requests.status("pdr_1") == "failed"
    assert caller.requests.slot("pdr_1").outcome == caller.outcome
    assert not caller.queue.parked


async def test_an_operation_that_was_never_sent_was_not_executed(caller: Caller) -> None:
    caller.answers(NO_CONNECTION)
    caller.clock.advance(3600)
    assert await caller.receive(capture())
    assert caller.outcome.certainty is Certainty.NOT_EXECUTED


async def test_the_log_names_the_operation(caller: Caller) -> None:
    caller.answers(DONE)
    await caller.receive(capture())
    named = {fields["operation"] for _, fields in caller.log.lines if "request_id" in fields}
    assert named == {"capture_payment_intent"}


class TestDeletes:
    async def test_a_lost_answer_and_a_404_are_an_inferred_response(self, caller: Caller) -> None:
        caller.answers(TIMED_OUT, GONE)
        assert await caller.receive(delete_coupon())
        body = {"id": "SUMMER", "deleted": True}
        assert caller.outcome == Response(body=body, attempts=2, stripe_request_id="req_4")
        (published,) = caller.outcomes.entries
        assert published.inferred
        assert caller.requests.status("pdr_1") == "succeeded"

    async def test_a_404_alone_is_a_refusal(self, caller: Caller) -> None:
        caller.answers(GONE)
        assert await caller.receive(delete_coupon())
        assert caller.outcome.certainty is Certainty.NOT_EXECUTED
        assert not caller.outcomes.entries[0].inferred

    async def test_a_404_after_a_caller_died_in_its_call_is_an_inferred_response(
        self, caller: Caller
    ) -> None:
        await open_send(caller, delete_coupon(), Repeat.UNTIL_TOLD)
        caller.answers(GONE)
        assert await caller.receive(delete_coupon(), receive=2)
        assert isinstance(caller.outcome, Response)

    async def test_a_deleted_place_is_not_deleted_again_after_a_lost_answer(
        self, caller: Caller
    ) -> None:
        caller.answers(TIMED_OUT)
        assert await caller.receive(delete_discount())
        assert len(caller.stripe.calls) == 1
        assert caller.outcome.certainty is Certainty.UNKNOWN
        assert len(caller.queue.parked) == 1

    async def test_a_deleted_place_is_not_deleted_again_after_a_caller_died(
        self, caller: Caller
    ) -> None:
        await open_send(caller, delete_discount(), Repeat.UNTIL_DOUBT)
        caller.answers(DONE)
        assert await caller.receive(delete_discount(), receive=2)
        assert not caller.stripe.calls
        assert caller.outcome.code == "answer_unknown"

    async def test_a_send_of_another_receive_stops_a_delete_of_a_place(
        self, caller: Caller
    ) -> None:
        """The other receive begins between this one's claim and its send."""
        caller.answers(DONE)
        claim = caller.requests.claim

        async def claim_before_another_send(asked: Any) -> Any:
            state = await claim(asked)
            if not caller.requests.slot("pdr_1").sends:
                other = Send(token="t9", account=ACCOUNT, attempt=1, rule=Repeat.UNTIL_DOUBT)
                await caller.requests.send(asked, other)
            return state

        caller.requests.claim = claim_before_another_send  # type: ignore[method-assign]
        assert await caller.receive(delete_discount())
        assert not caller.stripe.calls
        assert caller.outcome.certainty is Certainty.UNKNOWN

    async def test_a_delete_that_was_refused_is_repeated(self, caller: Caller) -> None:
        caller.answers(make_refusal(429), NO_CONNECTION, DONE)
        assert await caller.receive(delete_discount())
        assert len(caller.stripe.calls) == 3
        assert isinstance(caller.outcome, Response)

    @pytest.mark.parametrize("asked", [delete_coupon(), delete_discount()])
    async def test_no_delete_is_sent_after_its_unknown_outcome_was_told(
        self, caller: Caller, asked: Envelope
    ) -> None:
        """The caller may have made the name anew since."""
        spent = asked.at(replace(IN_AN_HOUR, deadline_at=NOW_S + 0.1))
        caller.fraction = 0.99
        caller.lists.away = True
        caller.answers(TIMED_OUT)
        assert await caller.receive(spent)
        assert caller.outcome.certainty is Certainty.UNKNOWN
        caller.answers(DONE)
        assert await caller.receive(asked, receive=2, left_s=60)
        assert not caller.stripe.calls
        assert len(caller.outcomes.entries) == 1
        assert caller.requests.status("pdr_1") == "unknown"

    async def test_a_post_is_still_sent_after_its_unknown_outcome_was_told(
        self, caller: Caller
    ) -> None:
        caller.fraction = 0.99
        caller.answers(TIMED_OUT)
        assert await caller.receive(capture(progress=replace(IN_AN_HOUR, deadline_at=NOW_S + 0.1)))
        caller.answers(DONE)
        assert await caller.receive(capture(), receive=2)
        assert caller.outcomes.entries[-1].outcome.body == {"id": "x"}

    async def test_a_delete_that_could_not_be_published_is_inferred_from_its_404_later(
        self, caller: Caller
    ) -> None:
        caller.answers(DONE)

        async def dies(entry: Any) -> bool:
            caller.outcomes.publish = publish  # type: ignore[method-assign]
            raise RuntimeError(entry.request_id)

        publish, caller.outcomes.publish = caller.outcomes.publish, dies  # type: ignore[method-assign]
        assert not await caller.receive(delete_coupon())
        caller.answers(GONE)
        assert await caller.receive(delete_coupon(), receive=2)
        assert isinstance(caller.outcome, Response)
        assert caller.outcomes.entries[0].inferred


async def open_send(caller: Caller, asked: Envelope, rule: Repeat) -> None:
    """Leave the slot as a caller does that dies in its call."""
    claim = claim_of(asked, "local", NOW_S)
    await caller.requests.claim(claim)
    await caller.requests.send(claim, Send(token="t0", account=ACCOUNT, attempt=1, rule=rule))
