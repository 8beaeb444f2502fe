"""A subscription that must charge at once needs a payment method to charge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.twin.rules.conftest import CARD, MONTHLY, NOW, open_shop, refusal

if TYPE_CHECKING:
    from tests.unit.twin.rules.conftest import Shop

NOTHING_TO_CHARGE = (400, "resource_missing", None)


def subscribe(shop: Shop, customer: str, **more: Any) -> Any:
    items = [{"price": shop.monthly()}]
    return shop.create("subscription", {"customer": customer, "items": items, **more})


@pytest.mark.parametrize(
    "more", [{}, {"payment_behavior": "allow_incomplete"}, {"payment_behavior": "error_if_incomplete"}]
)  # fmt: skip
def test_a_customer_without_a_payment_method_cannot_be_charged(
    shop: Shop, more: dict[str, Any]
) -> None:
    reply = subscribe(shop, shop.customer(), **more)
    assert refusal(reply) == NOTHING_TO_CHARGE
    message = "This customer has no attached payment source or default payment method."
    assert reply.error["message"].startswith(message)


def test_a_payment_method_that_is_no_default_is_not_charged(shop: Shop) -> None:
    reply = subscribe(shop, shop.customer(payment_method="pm_card_visa"))
    assert refusal(reply) == NOTHING_TO_CHARGE


@pytest.mark.parametrize(
    ("customer", "more"),
    [
        (CARD, {}),
        ({"source": "tok_visa"}, {}),
        ({}, {"default_payment_method": "pm_1"}),
        ({}, {"default_source": "card_1"}),
        ({}, {"payment_behavior": "default_incomplete"}),
        ({}, {"collection_method": "send_invoice", "days_until_due": 30}),
        ({}, {"trial_period_days": 14}),
        ({}, {"trial_end": NOW + 86_400}),
        ({"balance": -500}, {}),
    ],
)
def test_a_subscription_with_something_to_charge_or_nothing_due_is_taken(
    shop: Shop, customer: dict[str, Any], more: dict[str, Any]
) -> None:
    assert subscribe(shop, shop.customer(**customer), **more).status == 200


@pytest.mark.parametrize(
    ("price", "status"),
    [
        ({"unit_amount": 0}, 200),
        ({"unit_amount": 49}, 200),
        ({"unit_amount": 50}, 400),
        ({"recurring": {"interval": "month", "usage_type": "metered", "meter": "mtr_1"}}, 200),
    ],
)
def test_a_first_invoice_below_the_smallest_charge_is_not_charged(
    shop: Shop, price: dict[str, Any], status: int
) -> None:
    items = [{"price": shop.monthly(**price)}]
    reply = shop.create("subscription", {"customer": shop.customer(), "items": items})
    assert reply.status == status


@given(
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 3)), min_size=1, max_size=3),
    st.none() | st.integers(1, 100),
)
def test_the_amount_due_decides(items: list[tuple[int, int]], percent_off: int | None) -> None:
    shop = open_shop()
    product = shop.make("product", {"name": "Tea"})["id"]
    data = [
        {"price_data": {**MONTHLY, "product": product, "unit_amount": unit}, "quantity": quantity}
        for unit, quantity in items
    ]
    asked: dict[str, Any] = {"customer": shop.customer(), "items": data}
    if percent_off:
        coupon = shop.make("coupon", {"percent_off": percent_off})["id"]
        asked["discounts"] = [{"coupon": coupon}]
    due = sum(unit * quantity for unit, quantity in items) * (100 - (percent_off or 0)) / 100
    assert shop.create("subscription", asked).status == (400 if round(due) >= 50 else 200)


def test_an_unknown_amount_is_left_to_stripe(shop: Shop) -> None:
    asked = {"customer": shop.customer(), "discounts": [{"promotion_code": "promo_1"}]}
    assert (
        shop.create("subscription", {**asked, "items": [{"price": shop.monthly()}]}).status == 200
    )


def test_prices_are_of_the_type_that_their_place_takes(shop: Shop) -> None:
    customer = shop.customer(**CARD)
    reply = shop.create("subscription", {"customer": customer, "items": [{"price": shop.price()}]})
    assert refusal(reply) == (400, None, "items[0][price]")
    extra = [{"price": shop.price()}, {"price": shop.monthly()}]
    reply = subscribe(shop, customer, add_invoice_items=extra)
    assert refusal(reply) == (400, None, "add_invoice_items[1][price]")


def test_an_inactive_price_is_refused(shop: Shop) -> None:
    items = [{"price": shop.monthly(active=False)}]
    reply = shop.create("subscription", {"customer": shop.customer(**CARD), "items": items})
    assert refusal(reply) == (400, None, "items[0][price]")


@pytest.mark.parametrize(
    ("name", "value"),
    [("default_payment_method", "tok_visa"), ("default_source", "pm_card_visa")],
)
def test_tokens_and_payment_methods_have_their_own_places(
    shop: Shop, name: str, value: str
) -> None:
    reply = subscribe(shop, shop.customer(), **{name: value})
    assert refusal(reply) == (400, "resource_missing", name)
