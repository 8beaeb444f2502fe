"""`unchecked_params` are sent without a check against the schema, and the rest is checked as before."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.examples import (
    CREATED,
    KEY,
    NOW_S,
    body,
    create_request,
    entry,
    envelope,
    message_text,
)
from tests.unit.handlers.conftest import Client
from tests.unit.services.conftest import Caller
from tests.unit.submitted_line import read_submitted

from paydispatch import Dispatcher, new_payment_intent
from paydispatch.adapters.http_delivery import HttpDelivery
from paydispatch.domain.claims import fingerprint_of
from paydispatch.domain.errors import InvalidField
from paydispatch.domain.identity.marks import MARK
from paydispatch.domain.parameters.check import check_params
from paydispatch.domain.parameters.unchecked import logged_names, merge_unchecked
from paydispatch.flow import Flow
from paydispatch.services.submission.read_requests import RequestLine
from paydispatch.testing.memory_delivery import MemoryDelivery

CHARGE: dict[str, Any] = {"amount": 2000, "currency": "usd"}
LEVEL3 = {"level3": {"merchant_reference": "1001", "line_items": [{"quantity": 1}]}}

json_objects = st.recursive(
    st.dictionaries(st.sampled_from("abc"), st.integers(), max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner | st.integers(), max_size=3),
)


def codes(params: dict[str, Any], unchecked: dict[str, Any]) -> list[tuple[str, str]]:
    found = check_params("create_payment_intent", params, unchecked)
    return [(fault.param, fault.code) for fault in found]


# The check


def test_an_unknown_parameter_is_accepted_there() -> None:
    assert codes(CHARGE, LEVEL3) == []


def test_a_nested_parameter_is_merged_into_a_checked_object() -> None:
    params = {**CHARGE, "payment_method_data": {"type": "paypal"}}
    assert codes(params, {"payment_method_data": {"paypal": {"new": 1}}}) == []
    assert codes({**CHARGE, "payment_method_data": {}}, {"payment_method_data": {"kind": 1}}) == [
        ("payment_method_data[type]", "parameter_missing")
    ]


def test_a_required_parameter_may_stand_there() -> None:
    assert codes({"currency": "usd"}, {"amount": {"value": 1}}) == []


def test_a_value_of_another_shape_replaces_a_checked_one() -> None:
    assert codes(CHARGE, {"confirm": {"when": "later"}, "description": ["a"]}) == []


def test_the_other_parameters_are_checked_as_before() -> None:
    assert set(codes({"amount": "ten", "colour": "red"}, LEVEL3)) == {
        ("amount", "parameter_invalid_integer"),
        ("colour", "parameter_unknown"),
        ("currency", "parameter_missing"),
    }


@pytest.mark.parametrize(
    ("unchecked", "param", "code"),
    [
        ({"level3": {"note": KEY}}, "[level3][note]", "secret_key_misplaced"),
        ({"card": {"number": "42"}}, "[card][number]", "card_data_refused"),
        ({"metadata": {MARK: "x"}}, f"[metadata][{MARK}]", "parameter_invalid"),
        ({"metadata": "none"}, "[metadata]", "parameter_invalid"),
        ({f"metadata[{MARK}]": "x"}, f"[metadata[{MARK}]]", "parameter_invalid"),
        ({"idempotency_key": "k"}, "[idempotency_key]", "parameter_unknown"),
        ({"stripe_account": "acct_1"}, "[stripe_account]", "parameter_unknown"),
        ({"a": {"b[c]": 1}}, "[a][b[c]]", "parameter_invalid"),
        ({"": 1}, "[]", "parameter_invalid"),
        ({"a": float("nan")}, "[a]", "parameter_invalid"),
        ({"a": "\ud800"}, "[a]", "parameter_invalid"),
        ({"a": {1, 2}}, "[a]", "parameter_invalid"),
    ],
)  # fmt: skip
def test_what_would_do_harm_is_refused_by_its_place(
    unchecked: dict[str, Any], param: str, code: str
) -> None:
    assert codes(CHARGE, unchecked) == [(f"unchecked_params{param}", code)]


def test_unchecked_parameters_nested_too_deeply_are_refused() -> None:
    nested: dict[str, Any] = {}
    for _ in range(10_000):
        nested = {"a": nested}
    assert codes(CHARGE, nested) == [("unchecked_params", "parameter_invalid")]


# The merge


@given(params=json_objects, unchecked=json_objects)
def test_a_merge_has_every_unchecked_value_and_changes_neither_side(
    params: dict[str, Any], unchecked: dict[str, Any]
) -> None:
    before = json.dumps((params, unchecked))
    merged = merge_unchecked(params, unchecked)
    assert merge_unchecked(merged, unchecked) == merged
    assert set(merged) == set(params) | set(unchecked)
    assert all(merged[name] == params[name] for name in params.keys() - unchecked.keys())
    assert json.dumps((params, unchecked)) == before


def test_the_fingerprint_covers_the_parameters_as_they_are_sent() -> None:
    plain = envelope(params=CHARGE)
    marked = replace(plain, unchecked_params=LEVEL3)
    assert fingerprint_of(plain, "local") != fingerprint_of(marked, "local")
    moved = replace(plain, params={"amount": 2000}, unchecked_params={"currency": "usd"})
    assert fingerprint_of(plain, "local") == fingerprint_of(moved, "local")


def test_a_log_line_has_the_names_and_no_value() -> None:
    assert logged_names({"level3": {"a": "secret"}, "x y": 1}) == {"unchecked_params": ["level3"]}
    assert logged_names({}) == {}


# The ways in


def test_the_api_takes_them_for_a_create_and_for_a_batch_item() -> None:
    client = Client()
    create = body(params=CHARGE, unchecked_params=LEVEL3)
    assert client.post("/v1/payment_intents", create).status == 202
    item = {"object": "payment_intent", **create}
    assert client.post("/v1/batches", {"requests": [item]}).status == 202
    assert [each.unchecked_params for each in client.queue.sent] == [LEVEL3, LEVEL3]
    accepted = [fields for event, fields in client.log.lines if event == "request.accepted"]
    assert [fields["unchecked_params"] for fields in accepted] == [["level3"], ["level3"]]
    assert "merchant_reference" not in str(client.log.lines)


def test_unchecked_parameters_that_are_no_object_are_refused() -> None:
    client = Client()
    answer = client.post("/v1/payment_intents", body(unchecked_params=[]))
    assert (answer.status, answer.error["param"]) == (400, "unchecked_params")


def test_the_sdk_takes_them() -> None:
    delivery = MemoryDelivery()
    with Dispatcher(delivery):
        new_payment_intent().amount(2000).currency("usd").create_async(
            "w", "c", KEY, unchecked_params=LEVEL3
        )
        bad: Any = ["level3"]
        with pytest.raises(InvalidField):
            new_payment_intent().create_async("w", "c", KEY, unchecked_params=bad)
    assert [each.unchecked_params for each in delivery.envelopes] == [LEVEL3]


def test_the_sdk_sends_them_to_the_api() -> None:
    delivery = HttpDelivery("http://127.0.0.1:9")
    prepared = delivery.prepare(create_request(unchecked_params=LEVEL3))
    assert json.loads(prepared.text)["unchecked_params"] == LEVEL3
    plain = delivery.prepare(create_request())
    assert "unchecked_params" not in json.loads(plain.text)


def test_a_flow_takes_them() -> None:
    run = Flow(entry(), attempt=1, now_s=NOW_S)
    intent = run.new_payment_intent().amount(5).currency("usd")
    intent.create_async(unchecked_params=LEVEL3)
    assert [each.unchecked_params for each in run.outbox] == [LEVEL3]
    bad: Any = ["level3"]
    with pytest.raises(InvalidField):
        intent.create_async(unchecked_params=bad)


def test_a_submitted_line_takes_them() -> None:
    read = read_submitted(
        {"object": "payment_intent", **body(params=CHARGE, unchecked_params=LEVEL3)}
    )
    assert isinstance(read, RequestLine)
    delivery = MemoryDelivery()
    with Dispatcher(delivery) as dispatcher:
        dispatcher.submit_request(read.request)
    assert delivery.envelopes[0].unchecked_params == LEVEL3


async def test_stripe_and_the_flow_get_the_merged_parameters() -> None:
    caller = Caller()
    caller.answers(CREATED)
    assert await caller.receive(message_text(v=2, params=CHARGE, unchecked_params=LEVEL3))
    (call,) = caller.stripe.calls
    assert call["params"] == {
        **CHARGE,
        **LEVEL3,
        "metadata": {"paydispatch_request_id": call["request_id"]},
    }
    assert caller.outcomes.entries[0].params == {**CHARGE, **LEVEL3}
    assert "merchant_reference" not in str(caller.log.lines)
    assert ["level3"] in [fields.get("unchecked_params") for _, fields in caller.log.lines]


async def test_a_message_with_refused_unchecked_parameters_ends_in_the_error_flow() -> None:
    caller = Caller()
    caller.answers(CREATED)
    unchecked = {"metadata": {"paydispatch_request_id": "another"}}
    assert await caller.receive(message_text(v=2, params=CHARGE, unchecked_params=unchecked))
    assert caller.stripe.calls == []
    assert caller.outcome.param == "unchecked_params[metadata][paydispatch_request_id]"
