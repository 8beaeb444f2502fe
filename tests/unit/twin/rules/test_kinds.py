"""The kinds of creates that Stripe refuses, and the kinds beside them that it accepts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.twin.rules.conftest import CARD, refusal

if TYPE_CHECKING:
    from tests.unit.twin.rules.conftest import Shop

KINDS = [
    json.loads(line)
    for line in (Path(__file__).parent / "kinds.jsonl").read_text("utf-8").splitlines()
]
EVERY_KIND = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind["why"])


def fill(shop: Shop, value: Any) -> Any:
    """Replace each object in angle brackets by the id of one."""
    if isinstance(value, dict):
        return {name: fill(shop, inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [fill(shop, inner) for inner in value]
    objects = {
        "<customer without payment method>": shop.customer,
        "<customer with card>": lambda: shop.customer(**CARD),
        "<price>": shop.monthly,
        "<one-time price>": shop.price,
        "<succeeded, 2000>": lambda: shop.payment(2000)["id"],
    }
    return objects[value]() if isinstance(value, str) and value in objects else value


@EVERY_KIND
def test_the_twin_decides_as_stripe_does(shop: Shop, kind: dict[str, Any]) -> None:
    reply = shop.create(kind["object"], fill(shop, kind["params"]))
    assert reply.status == kind["status"], reply.text
    if reply.status != 200:
        assert refusal(reply) == (400, kind["code"], kind["param"])


@EVERY_KIND
def test_a_lenient_twin_accepts_them_all(lenient_shop: Shop, kind: dict[str, Any]) -> None:
    assert lenient_shop.create(kind["object"], fill(lenient_shop, kind["params"])).status == 200


@pytest.mark.parametrize(
    ("name", "params", "code"),
    [
        ("payment_intent", {"amount": 2000}, "parameter_missing"),
        ("coupon", {"amount_off": 5}, "parameter_missing"),
        ("payment_intent", {"amount": 10**12, "currency": "usd"}, "amount_too_large"),
    ],
)
def test_a_lenient_twin_still_checks_the_parameters(
    lenient_shop: Shop, name: str, params: dict[str, Any], code: str
) -> None:
    reply = lenient_shop.create(name, params)
    assert (reply.status, reply.error["code"]) == (400, code)


def test_a_refusal_by_a_rule_is_replayed_under_its_key(shop: Shop) -> None:
    """Stripe keeps the answers of the execution, where its rules are. A later state does not change them."""
    params = {"customer": shop.customer(), "items": [{"price": shop.monthly()}]}
    first = shop.create("subscription", params, idempotency_key="k")
    again = shop.create("subscription", params, idempotency_key="k")
    assert (first.status, again.status, again.text) == (400, 400, first.text)
    assert again.headers["Idempotent-Replayed"] == "true"
    other = {**params, "payment_behavior": "default_incomplete"}
    refused = shop.create("subscription", other, idempotency_key="k")
    assert refused.error["type"] == "idempotency_error"


def test_a_refused_create_makes_nothing(shop: Shop) -> None:
    shop.create("payment_intent", {"amount": 1, "currency": "usd"})
    assert shop.client.effects() == []


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/v1/payment_intents/pi_x", "No such payment_intent: 'pi_x'"),
        ("/v1/checkout/sessions/cs_x", "No such checkout.session: 'cs_x'"),
        ("/v1/customers/cus_x", "No such customer: 'cus_x'"),
    ],
)
def test_a_message_names_the_object_as_stripe_writes_it(
    shop: Shop, path: str, message: str
) -> None:
    assert shop.client.get(path).error["message"] == message
