"""The modes of a Checkout session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.twin.rules.conftest import MONTHLY, ONE_TIME, refusal

if TYPE_CHECKING:
    from tests.unit.twin.rules.conftest import Shop

URL = "https://example.com/done"


def open_session(shop: Shop, mode: str, *prices: dict[str, Any], **more: Any) -> Any:
    product = {"product_data": {"name": "Tea"}}
    items = [{"price_data": {**price, **product}, "quantity": 1} for price in prices]
    asked = {"mode": mode, "success_url": URL, "line_items": items}
    return shop.create("checkout.session", {**asked, **more})


@pytest.mark.parametrize(
    ("mode", "prices"),
    [
        ("payment", [ONE_TIME]),
        ("payment", [{**ONE_TIME, "unit_amount": 0}]),
        ("subscription", [MONTHLY]),
        ("subscription", [MONTHLY, ONE_TIME]),
        ("setup", []),
    ],
)
def test_each_mode_takes_its_own_prices(
    shop: Shop, mode: str, prices: list[dict[str, Any]]
) -> None:
    currency = {"currency": "usd"} if mode == "setup" else {}
    assert open_session(shop, mode, *prices, **currency).status == 200


@pytest.mark.parametrize(
    ("mode", "prices", "code", "param"),
    [
        ("payment", [ONE_TIME, MONTHLY], None, "line_items[1][price_data][recurring]"),
        ("payment", [], "parameter_missing", "line_items"),
        ("payment", [{**ONE_TIME, "unit_amount": 49}], "amount_too_small", None),
        ("subscription", [ONE_TIME], None, "line_items"),
        ("subscription", [], "parameter_missing", "line_items"),
        ("setup", [ONE_TIME], None, "line_items"),
    ],
)
def test_the_prices_of_another_mode_are_refused(
    shop: Shop, mode: str, prices: list[dict[str, Any]], code: str | None, param: str | None
) -> None:
    assert refusal(open_session(shop, mode, *prices)) == (400, code, param)


def test_a_recurring_price_by_its_id_is_refused_in_payment_mode(shop: Shop) -> None:
    items = [{"price": shop.monthly(), "quantity": 1}]
    reply = open_session(shop, "payment", line_items=items)
    assert refusal(reply) == (400, None, "line_items[0][price]")
    assert reply.error["message"].startswith("You specified `payment` mode but passed a recurring")


@pytest.mark.parametrize(
    ("mode", "name"),
    [
        ("payment", "subscription_data"),
        ("payment", "setup_intent_data"),
        ("subscription", "payment_intent_data"),
    ],
)
def test_the_data_of_another_mode_is_refused(shop: Shop, mode: str, name: str) -> None:
    price = MONTHLY if mode == "subscription" else ONE_TIME
    reply = open_session(shop, mode, price, **{name: {"description": "Tea"}})
    assert refusal(reply) == (400, None, name)


def test_a_total_that_may_still_change_is_not_judged(shop: Shop) -> None:
    cheap = {**ONE_TIME, "unit_amount": 10}
    assert open_session(shop, "payment", cheap, automatic_tax={"enabled": True}).status == 200
