"""`OutcomeEntry`, an entry of a worker's stream."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.unit.examples import (
    KEY,
    NOW_S,
    PARAMS,
    TRACEPARENT,
    entry,
    envelope,
    make_failure,
    make_success,
)

from paydispatch.domain.claims import claim_of, claim_of_unread
from paydispatch.domain.credentials import StripeKey
from paydispatch.domain.entry import (
    OutcomeEntry,
    entry_for,
    entry_for_malformed,
    error_for_malformed,
)
from paydispatch.domain.message.read_message import Address, Malformed
from paydispatch.domain.outcomes import Certainty, ErrorKind, Outcome
from paydispatch.domain.requests import Lane
from paydispatch.domain.stripe.accounts import bind_account

ACCOUNT = bind_account(StripeKey(KEY), "acct_1", stripe_account="acct_2", stripe_context=None)


@pytest.mark.parametrize(
    "written",
    [
        entry(),
        entry(outcome=make_success(stripe_request_id="req_1", attempts=3)),
        entry(outcome=make_failure(code="card_declined", http_status=402)),
        entry(outcome=make_failure(kind=ErrorKind.HTTP, certainty=Certainty.UNKNOWN)),
        entry(sealed_secret=None, secret_ref="shop", lane=Lane.BATCH, stripe_account="acct_1"),
        entry(tenant="acme", account=ACCOUNT, last_sent_at=NOW_S, inferred=True),
        entry(
            params={"description": "Tee für zwei, 茶"}, accepted_at=NOW_S, traceparent=TRACEPARENT
        ),
    ],
)
def test_a_written_entry_is_read_unchanged(written: OutcomeEntry) -> None:
    assert OutcomeEntry.from_json(written.as_json()) == written
    assert OutcomeEntry.from_json(written.as_json().encode()) == written


@pytest.mark.parametrize("outcome", [make_success(), make_failure()])
def test_an_entry_of_a_newer_release_is_read(outcome: Outcome) -> None:
    known = entry(outcome=outcome)
    newer = json.loads(known.as_json()) | {"added_later": {"a": 1}}
    for part in {"response", "error"} & newer.keys():
        newer[part]["added_later"] = True
    assert OutcomeEntry.from_json(json.dumps(newer)) == known


def test_the_lane_and_the_error_kind_are_read_as_enum_members() -> None:
    read = OutcomeEntry.from_json(entry(lane=Lane.BATCH, outcome=make_failure()).as_json())
    assert read.lane is Lane.BATCH
    assert read.outcome == make_failure()
    assert isinstance(json.loads(read.as_json())["error"]["kind"], str)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"error": {}}', '{"request_id": 1}', "null"])
def test_text_that_is_no_entry_raises_one_of_three_errors(text: str) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        OutcomeEntry.from_json(text)


def test_the_outcome_names_the_flow() -> None:
    assert entry().flow_name == "new_create_payment_intent_response"
    assert entry(outcome=make_failure()).flow_name == "new_create_payment_intent_error"


def test_an_object_with_a_dot_has_a_flow_with_an_underscore() -> None:
    assert entry(object="checkout.session").flow_name == "new_create_checkout_session_response"


def test_with_error_changes_only_the_outcome() -> None:
    turned = entry().with_error(make_failure(kind=ErrorKind.DISPATCHER))
    assert turned.flow_name == "new_create_payment_intent_error"
    assert turned == entry(outcome=make_failure(kind=ErrorKind.DISPATCHER))


def test_an_entry_carries_the_key_principal_and_lane_of_its_request() -> None:
    sent = envelope(sealed_secret="1.abc", principal="shop/checkout", lane=Lane.BATCH)
    made = entry_for(sent, claim_of(sent, "local", NOW_S), make_success(), NOW_S + 1)
    assert (made.sealed_secret, made.secret_ref) == ("1.abc", None)
    assert (made.principal, made.lane) == ("shop/checkout", Lane.BATCH)
    assert (made.accepted_at, made.settled_at) == (NOW_S, NOW_S + 1)


def test_an_entry_for_an_unreadable_message_has_no_key() -> None:
    address = Address(
        request_id="pdr_1",
        object="payment_intent",
        worker_id="worker-1",
        context_id="context-1",
        params=PARAMS,
        operation="create_payment_intent",
    )
    malformed = Malformed("field_missing", "No object.", "object", address)
    claim = claim_of_unread(address, "local", NOW_S)
    made = entry_for_malformed(error_for_malformed(malformed), address, claim, NOW_S)
    assert made.sealed_secret is made.secret_ref is None
    assert OutcomeEntry.from_json(made.as_json()) == made
    assert made.outcome.certainty is Certainty.NOT_CREATED


@pytest.mark.parametrize(
    ("asked", "word"),
    [
        (envelope(), Certainty.NOT_CREATED),
        (
            envelope(operation="capture_payment_intent", path={"intent": "pi_1"}),
            Certainty.NOT_EXECUTED,
        ),
        (envelope(operation="create_tea", object="tea"), Certainty.NOT_CREATED),
        (envelope(operation="drink_tea", object="tea"), Certainty.NOT_EXECUTED),
    ],
    ids=lambda value: getattr(value, "operation", value),
)
def test_the_operation_chooses_the_word_for_a_certain_error(asked: Any, word: Certainty) -> None:
    claim = claim_of(asked, "local", NOW_S)
    made = entry_for(asked, claim, make_failure(), NOW_S)
    assert made.outcome.certainty is word
    assert made.outcome.settled
    assert made.settled_by_look(make_failure(), NOW_S).outcome.certainty is word
    unknown = entry_for(asked, claim, make_failure(certainty=Certainty.UNKNOWN), NOW_S)
    assert unknown.outcome.certainty is Certainty.UNKNOWN
