"""The messages of the look queue are read as they were written, and nothing else is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paydispatch.domain.looks.messages import (
    EventMessage,
    LookMessage,
    event_message,
    read_look_message,
)

LOOK = LookMessage(account="live acct_1", object="payment_intent", looks=3)
EVENT = EventMessage(
    event_id="evt_1",
    type="payment_intent.succeeded",
    request_id="pdr_1",
    account="acct_2",
    livemode=True,
    created=1_800_000_000.0,
)
AT_STRIPE: dict[str, Any] = {
    "id": "evt_1",
    "object": "event",
    "type": "payment_intent.succeeded",
    "account": "acct_2",
    "livemode": True,
    "created": 1_800_000_000,
    "request": {"id": "req_1", "idempotency_key": "pdr_1"},
    "data": {"object": {"id": "pi_1"}},
}


@pytest.mark.parametrize("message", [LOOK, EVENT])
def test_a_message_is_read_as_it_was_written(message: LookMessage | EventMessage) -> None:
    assert read_look_message(message.as_json()) == message


def test_an_event_of_eventbridge_is_read_from_its_detail() -> None:
    text = json.dumps({"version": "0", "source": "aws.partner/stripe.com/1", "detail": AT_STRIPE})
    assert read_look_message(text) == EVENT


def test_the_object_of_an_event_is_not_kept() -> None:
    assert "pi_1" not in (event_message(AT_STRIPE) or EVENT).as_json()


@pytest.mark.parametrize(
    "request_", [None, {}, {"idempotency_key": None}, {"idempotency_key": 7}, "pdr_1"]
)
def test_an_event_that_no_request_caused_is_no_message(request_: object) -> None:
    assert event_message({**AT_STRIPE, "request": request_}) is None


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_any_other_json_is_no_message(value: object) -> None:
    assert read_look_message(json.dumps(value)) is None


@given(st.dictionaries(st.sampled_from(["v", "kind", "account", "detail", "looks"]), st.text()))
def test_any_other_object_is_no_message_or_a_look(fields: dict[str, str]) -> None:
    message = read_look_message(json.dumps(fields))
    assert message is None or isinstance(message, LookMessage)
