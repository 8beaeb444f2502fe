"""`parse_request` checks each field of a request."""

from __future__ import annotations

import math
from typing import Any

import pytest
from tests.unit.examples import KEY, PARAMS, body, create_request

from paydispatch.domain.credentials import SecretRef, StripeKey
from paydispatch.domain.errors import InvalidField, InvalidParams
from paydispatch.domain.limits import LONGEST_DEADLINE_S
from paydispatch.domain.requests import Lane, OperationRequest, parse_request
from paydispatch.domain.stripe.operations import operation_named

CREATE = operation_named("create_payment_intent")


def parse(fields: dict[str, Any], **options: Any) -> OperationRequest:
    return parse_request(CREATE, {}, fields, **options)


def test_a_complete_body_becomes_a_request() -> None:
    fields = body(lane="batch", deadline_s=60, stripe_account="acct_1")
    assert parse(fields, idempotency_key="order-1") == OperationRequest(
        operation=CREATE,
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


def test_the_idempotency_key_header_wins_over_the_body() -> None:
    assert parse(body(idempotency_key="body")).idempotency_key == "body"
    assert parse(body(idempotency_key="body"), idempotency_key="header").idempotency_key == "header"


def test_a_valid_traceparent_is_kept_and_an_invalid_one_is_dropped() -> None:
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    assert parse(body(), traceparent=trace).traceparent == trace
    assert parse(body(), traceparent="junk").traceparent is None


def test_the_traceparent_of_a_batch_item_goes_before_that_of_the_header() -> None:
    item, header = f"00-{'a' * 32}-{'b' * 16}-01", f"00-{'c' * 32}-{'d' * 16}-01"
    assert parse(body(traceparent=item), traceparent=header).traceparent == item
    for invalid in ("junk", 7, None, {}, "0" * 999):
        assert parse(body(traceparent=invalid), traceparent=header).traceparent == header


def test_a_key_in_place_of_the_traceparent_is_refused() -> None:
    with pytest.raises(InvalidField) as refused:
        parse(body(traceparent=KEY))
    assert refused.value.param == "traceparent"


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
    "stripe_context": ["", "acct 1", "/acct_1", "acct_1/", "acct_1//acct_2", 7, "a" * 256],
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
def test_any_other_idempotency_key_is_accepted(key: str) -> None:
    assert create_request(idempotency_key=key).idempotency_key == key


def test_a_key_together_with_a_secret_ref_is_refused() -> None:
    with pytest.raises(InvalidField) as refusal:
        parse(body(secret_ref="shop"))
    assert refusal.value.param == "secret_ref"


def test_the_error_for_a_parameter_outside_params_mentions_params() -> None:
    with pytest.raises(InvalidField) as refusal:
        parse(body(amount=2000))
    assert (refusal.value.param, refusal.value.code) == ("amount", "parameter_unknown")
    assert "`params`" in refusal.value.message


@pytest.mark.parametrize("name", ["worker_id", "context_id", "stripe_account", "stripe_context"])
@pytest.mark.parametrize("text", [KEY, f"x{KEY}", "sk_live_1", "sk_org_1"])
def test_a_key_in_a_wrong_field_is_refused_and_not_repeated(name: str, text: str) -> None:
    with pytest.raises(InvalidField) as refusal:
        parse(body(**{name: text}))
    assert (refusal.value.param, refusal.value.code) == (name, "secret_key_misplaced")
    assert text not in refusal.value.message


def test_a_key_as_idempotency_key_is_refused_and_not_repeated() -> None:
    with pytest.raises(InvalidField) as refusal:
        parse(body(), idempotency_key=f"order {KEY}")
    assert refusal.value.param == "Idempotency-Key"
    assert KEY not in refusal.value.message


@pytest.mark.parametrize("name", [f"a{KEY}", f"a.{KEY}"])
def test_a_key_as_part_of_a_secret_s_name_is_refused_and_not_repeated(name: str) -> None:
    with pytest.raises(InvalidField) as refusal:
        parse(body(stripe_secret=None, secret_ref=name))
    assert refusal.value.param == "secret_ref"
    assert KEY not in refusal.value.message


def test_an_organisation_key_needs_a_stripe_context() -> None:
    with pytest.raises(InvalidField) as refusal:
        parse(body(stripe_secret="sk_org_live_1", stripe_account="acct_1"))
    assert (refusal.value.param, refusal.value.code) == ("stripe_context", "parameter_missing")
    request = parse(body(stripe_secret="sk_org_live_1", stripe_context="acct_1/acct_2"))
    assert request.stripe_context == "acct_1/acct_2"


def test_any_key_may_name_an_account_and_a_context() -> None:
    request = parse(body(stripe_account="acct_1", stripe_context="acct_2"))
    assert (request.stripe_account, request.stripe_context) == ("acct_1", "acct_2")


@pytest.mark.parametrize("depth", [33, 979, 5_000])
def test_parameters_nested_too_deeply_are_refused_by_name(depth: int) -> None:
    nested: Any = 1
    for _ in range(depth):
        nested = {"a": nested} if depth % 2 else [nested]
    with pytest.raises(InvalidParams) as refusal:
        parse(body(params={**PARAMS, "metadata": nested}))
    assert (refusal.value.param, refusal.value.code) == ("metadata", "parameter_invalid")
    assert "at most 32 levels" in refusal.value.message


def test_32_levels_below_params_are_accepted() -> None:
    nested: Any = 1
    for _ in range(32):
        nested = {"a": nested}
    assert parse(body(params={"metadata": nested})).params == {"metadata": nested}


def test_a_key_sent_as_the_name_of_a_field_is_not_repeated() -> None:
    with pytest.raises(InvalidField) as refusal:
        parse(body(**{KEY: 1}))
    assert KEY not in str(refusal.value.as_dict())


def test_a_request_never_shows_its_key() -> None:
    assert KEY not in repr(create_request())
