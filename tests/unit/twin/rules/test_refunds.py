"""A refund returns at most the sum that was paid and not yet refunded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.twin.rules.conftest import NO_REDIRECTS, open_shop, refusal

if TYPE_CHECKING:
    from tests.unit.twin.rules.conftest import Shop

PAID = st.integers(50, 10_000)
AMOUNTS = st.lists(st.none() | st.integers(1, 6_000), min_size=1, max_size=8)
BY_CHARGE = st.lists(st.booleans(), min_size=8, max_size=8)


@given(PAID, AMOUNTS, BY_CHARGE)
def test_refunds_never_return_more_than_was_paid(
    paid: int, amounts: list[int | None], by_charge: list[bool]
) -> None:
    """A refund without an amount returns the rest. A payment and its charge are two names of one sum."""
    shop = open_shop()
    payment, other = shop.payment(paid), shop.payment(paid)
    left = paid
    for amount, charge in zip(amounts, by_charge, strict=False):
        named = (
            {"charge": payment["latest_charge"]} if charge else {"payment_intent": payment["id"]}
        )
        reply = shop.create("refund", {**named, "amount": amount})
        fits = left > 0 if amount is None else amount <= left
        assert reply.status == (200 if fits else 400)
        if fits:
            returned = left if amount is None else amount
            assert reply.json["amount"] == returned
            left -= returned
    assert left >= 0
    assert shop.make("refund", {"payment_intent": other["id"]})["amount"] == paid


def test_too_much_of_a_whole_payment_names_the_charge_amount(shop: Shop) -> None:
    reply = shop.create("refund", {"payment_intent": shop.payment(2000)["id"], "amount": 5000})
    message = "Refund amount ($50.00) is greater than charge amount ($20.00)"
    assert reply.error["message"] == message


def test_too_much_of_the_rest_names_the_unrefunded_amount(shop: Shop) -> None:
    payment = shop.payment(2000)["id"]
    shop.make("refund", {"payment_intent": payment, "amount": 1500})
    reply = shop.create("refund", {"payment_intent": payment, "amount": 501})
    message = "Refund amount ($5.01) is greater than unrefunded amount on charge ($5.00)"
    assert reply.error["message"] == message


def test_a_payment_that_is_refunded_cannot_be_refunded_again(shop: Shop) -> None:
    payment = shop.payment()
    shop.make("refund", {"payment_intent": payment["id"]})
    reply = shop.create("refund", {"payment_intent": payment["id"]})
    assert refusal(reply) == (400, "charge_already_refunded", None)
    assert reply.error["message"] == f"Charge {payment['latest_charge']} has already been refunded."


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"payment_method": "pm_card_visa"},
        {"payment_method": "pm_card_visa", "confirm": True, "capture_method": "manual", **NO_REDIRECTS},
        {"payment_method": "pm_card_authenticationRequired", "confirm": True, **NO_REDIRECTS},
    ],
)  # fmt: skip
def test_only_a_payment_that_succeeded_can_be_refunded(shop: Shop, more: dict[str, Any]) -> None:
    payment = shop.make("payment_intent", {"amount": 2000, "currency": "usd", **more})
    reply = shop.create("refund", {"payment_intent": payment["id"], "amount": 100})
    assert refusal(reply) == (400, None, "payment_intent")
    assert "does not have a successful charge to refund" in reply.error["message"]


def test_a_charge_that_does_not_exist_cannot_be_refunded(shop: Shop) -> None:
    reply = shop.create("refund", {"charge": "ch_gone"})
    assert refusal(reply) == (400, "resource_missing", "charge")


def test_nothing_cannot_be_refunded(shop: Shop) -> None:
    reply = shop.create("refund", {"payment_intent": shop.payment()["id"], "amount": 0})
    assert refusal(reply) == (400, "parameter_invalid_integer", "amount")


def test_a_refund_of_a_cash_balance_has_no_payment(shop: Shop) -> None:
    balance = {"origin": "customer_balance", "customer": shop.customer()}
    assert shop.create("refund", {**balance, "amount": 500, "currency": "eur"}).status == 200


def test_a_refund_by_charge_knows_its_payment(shop: Shop) -> None:
    payment = shop.payment(currency="eur")
    refund = shop.make("refund", {"charge": payment["latest_charge"]})
    assert refund["payment_intent"] == payment["id"]
    assert (refund["amount"], refund["currency"]) == (2000, "eur")
