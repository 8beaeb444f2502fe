"""The amounts of payments in every currency."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.twin.rules.conftest import Shop, open_shop, refusal

from paydispatch.twin.rules.currencies import SMALLEST_CHARGES, THREE_DECIMALS, smallest_charge

SHOP = open_shop()
CURRENCIES = st.sampled_from(sorted({*SMALLEST_CHARGES, *THREE_DECIMALS, "krw", "isk", "cop"}))
AMOUNTS = st.integers(1, 20_000) | st.integers(1, 999_999_999_999)


@given(AMOUNTS, CURRENCIES, st.booleans())
def test_a_payment_is_at_least_the_smallest_charge_and_fits_its_decimals(
    amount: int, currency: str, capitals: bool
) -> None:
    asked = {"amount": amount, "currency": currency.upper() if capitals else currency}
    reply = SHOP.create("payment_intent", asked)
    if amount < smallest_charge(currency):
        assert refusal(reply) == (400, "amount_too_small", "amount")
    elif currency in THREE_DECIMALS and amount % 10:
        assert refusal(reply) == (400, "parameter_invalid_integer", "amount")
    else:
        assert reply.status == 200


@pytest.mark.parametrize(
    ("currency", "message"),
    [
        ("usd", "Amount must be at least $0.50 usd"),
        ("gbp", "Amount must be at least £0.30 gbp"),
        ("jpy", "Amount must be at least ¥50 jpy"),
        ("czk", "Amount must be at least 15.00 czk"),
    ],
)
def test_the_message_names_the_smallest_charge(shop: Shop, currency: str, message: str) -> None:
    reply = shop.create("payment_intent", {"amount": 1, "currency": currency})
    assert reply.error["message"] == message


def test_a_payment_of_nothing_is_refused(shop: Shop) -> None:
    reply = shop.create("payment_intent", {"amount": 0, "currency": "usd"})
    assert refusal(reply) == (400, "parameter_invalid_integer", "amount")


@pytest.mark.parametrize(("amount", "status"), [(1230, 200), (1234, 400)])
def test_a_refund_fits_the_decimals_of_its_currency(shop: Shop, amount: int, status: int) -> None:
    payment = shop.payment(5000, "kwd")["id"]
    reply = shop.create("refund", {"payment_intent": payment, "amount": amount})
    assert reply.status == status


@given(st.floats(-50, 250, allow_nan=False).map(lambda percent: round(percent, 2)))
def test_a_coupon_takes_off_more_than_nothing_and_at_most_everything(percent: float) -> None:
    reply = SHOP.create("coupon", {"percent_off": percent})
    if 0 < percent <= 100:
        assert reply.status == 200
    else:
        assert refusal(reply) == (400, None, "percent_off")


@pytest.mark.parametrize("name", ["amount_off", "duration_in_months", "max_redemptions"])
def test_the_counts_of_a_coupon_are_positive(shop: Shop, name: str) -> None:
    others = {"duration_in_months": {"percent_off": 5, "duration": "repeating"}}
    others["amount_off"] = {"currency": "usd"}
    params = {**others.get(name, {"percent_off": 5}), name: 0}
    assert refusal(shop.create("coupon", params)) == (400, "parameter_invalid_integer", name)
