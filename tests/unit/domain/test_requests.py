"""The fields of a create, checked one by one."""

from __future__ import annotations

import math
from typing import Any

import pytest
from tests.unit.examples import KEY, PARAMS, body, create_request

from paydispatch.domain.credentials import SecretRef, StripeKey
from paydispatch.domain.errors import InvalidField
from paydispatch.domain.requests import CreateRequest, Lane, parse_create_request
from paydispatch.domain.units import LONGEST_DEADLINE_S


def parse(fields: dict[str, Any], **options: Any) -> CreateRequest:
    return parse_create_request("payment_intent", fields, **options)


def test_a_complete_body_becomes_a_request() -> None:
    fields = body(lane="batch", deadline_s=60, stripe_account="acct_1")
    assert parse(fields, idempotency_key="order-1") == CreateRequest(
        object="payment_intent",
        params=PARAMS,
        worker_id="worker-1",
        context_id="context-1",
        credential=StripeKey(KEY),
        lane=Lane.BATCH,
        deadline_s=60,
        stripe_account="acct_1",
        idempotency_key="order-1",
    )


def test_a_named_secret_stands_in_for_the_key() -> None:
    fields = body(stripe_secret=None, secret_ref="shop")
    assert parse(fields).credential == SecretRef("shop")


def test_the_header_beats_the_key_in_the_body() -> None:
    assert parse(body(idempotency_key="body")).idempotency_key == "body"
    assert parse(body(idempotency_key="body"), idempotency_key="header").idempotency_key == "header"


def test_a_trace_is_carried_if_it_is_one() -> None:
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    assert parse(body(), traceparent=trace).traceparent == trace
    assert parse(body(), traceparent="junk").traceparent is None


@pytest.mark.parametrize("name", ["worker_id", "context_id", "stripe_secret"])
def test_a_missing_field_is_named(name: str) -> None:
    with pytest.raises(InvalidField) as refusal:
        parse(body(**{name: None}))
    assert (refusal.value.param, refusal.value.code) == (name, "parameter_missing")


WRONG: dict[str, list[Any]] = {
    "worker_id": ["", "w 1", "w{1}", "ü", "w\n", "w" * 129, 7, ["w"]],
    "context_id": ["", "c\n", "c\x00", "c\ud800", "c" * 256, 7],
    "params": [[], "amount=1", 7],
    "lane": ["express", "", 1, ["batch"]],
    "deadline_s": [0, -1, math.inf, math.nan, "60", True, LONGEST_DEADLINE_S + 1, 10**400],
    "stripe_account": ["", "acct 1", "acct\r\n", 7, "a" * 129],
    "secret_ref": ["a/b"],
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param(name, value, id=f"{name} {ascii(value)[:20]}")
        for name, values in WRONG.items()
        for value in values
    ],
)
def test_a_wrong_field_is_named(name: str, value: Any) -> None:
    key = {"stripe_secret": None} if name == "secret_ref" else {}
    with pytest.raises(InvalidField) as refusal:
        parse(body(**{name: value}, **key))
    assert (refusal.value.param, refusal.value.status) == (name, 400)


@pytest.mark.parametrize("key", ["", "k" * 256, 7, "k\ud800"], ids=ascii)
def test_an_idempotency_key_is_text_of_1_to_255_characters(key: Any) -> None:
    with pytest.raises(InvalidField) as refusal:
        create_request(idempotency_key=key)
    assert refusal.value.code == "idempotency_key_invalid"


@pytest.mark.parametrize("key", ["k", "k" * 255, "Bestellung Nº 1"])
def test_any_other_idempotency_key_is_taken(key: str) -> None:
    assert create_request(idempotency_key=key).idempotency_key == key


def test_both_a_key_and_its_name_are_one_too_many() -> None:
    with pytest.raises(InvalidField) as refusal:
        parse(body(secret_ref="shop"))
    assert refusal.value.param == "secret_ref"


def test_a_parameter_beside_params_is_told_where_it_belongs() -> None:
    with pytest.raises(InvalidField) as refusal:
        parse(body(amount=2000))
    assert (refusal.value.param, refusal.value.code) == ("amount", "parameter_unknown")
    assert "`params`" in refusal.value.message


def test_a_key_sent_as_the_name_of_a_field_is_not_repeated() -> None:
    with pytest.raises(InvalidField) as refusal:
        parse(body(**{KEY: 1}))
    assert KEY not in str(refusal.value.as_dict())


def test_a_request_never_shows_its_key() -> None:
    assert KEY not in repr(create_request())
