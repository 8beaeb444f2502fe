"""The times of creates: seconds, in the future, and not too far away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.twin.rules.conftest import CARD, NOW, open_shop, refusal

if TYPE_CHECKING:
    from tests.unit.twin.rules.conftest import Shop

DAY = 86_400
YEAR = 365 * DAY
SHOP = open_shop()
CUSTOMER = SHOP.customer(**CARD)
SUBSCRIPTION = {"customer": CUSTOMER, "items": [{"price": SHOP.monthly()}]}
SESSION = {"success_url": "https://example.com", "line_items": [{"price": SHOP.price()}]}
ITEMS = [{"price": SHOP.monthly(), "quantity": 1}]
SUBSCRIBING = {"mode": "subscription", "success_url": "https://example.com", "line_items": ITEMS}
INVOICE = {"customer": CUSTOMER, "collection_method": "send_invoice"}

FUTURE = [
    ("subscription", SUBSCRIPTION, "trial_end", 729 * DAY),
    ("subscription", SUBSCRIPTION, "cancel_at", 5 * YEAR),
    ("subscription", SUBSCRIPTION, "billing_cycle_anchor", 28 * DAY),
    ("coupon", {"percent_off": 5}, "redeem_by", 5 * YEAR),
    ("invoice", INVOICE, "due_date", 5 * YEAR),
    ("invoice", INVOICE, "automatically_finalizes_at", 5 * YEAR),
]
EVERY_FUTURE = pytest.mark.parametrize(
    ("name", "params", "param", "longest"), FUTURE, ids=[f"{row[0]} {row[2]}" for row in FUTURE]
)


@EVERY_FUTURE
@given(share=st.floats(0, 1))
def test_a_time_in_the_future_is_taken(
    name: str, params: dict[str, Any], param: str, longest: int, share: float
) -> None:
    time = NOW + 1 + int((longest - 1) * share)
    assert SHOP.create(name, {**params, param: time}).status == 200


@EVERY_FUTURE
@given(time=st.integers(1, NOW))
def test_a_time_in_the_past_is_refused(
    name: str, params: dict[str, Any], param: str, longest: int, time: int
) -> None:
    reply = SHOP.create(name, {**params, param: time})
    assert refusal(reply) == (400, None, param)
    assert reply.error["message"].endswith("must be an integer Unix timestamp in the future.")


@EVERY_FUTURE
@given(seconds=st.integers(NOW, NOW + 5 * YEAR))
def test_milliseconds_are_refused(
    name: str, params: dict[str, Any], param: str, longest: int, seconds: int
) -> None:
    reply = SHOP.create(name, {**params, param: seconds * 1000})
    assert refusal(reply) == (400, None, param)
    assert "can be no more than five years in the future" in reply.error["message"]


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("coupon", {"percent_off": 5, "redeem_by": NOW + 6 * YEAR}),
        ("invoice", {**INVOICE, "automatically_finalizes_at": NOW + 6 * YEAR}),
        ("subscription", {**SUBSCRIPTION, "trial_end": NOW + 6 * YEAR}),
    ],
)
def test_a_time_after_five_years_is_refused(shop: Shop, name: str, params: dict[str, Any]) -> None:
    reply = SHOP.create(name, params)
    assert "can be no more than five years in the future" in reply.error["message"]


@pytest.mark.parametrize(
    "params",
    [
        {"trial_end": NOW + 732 * DAY},
        {"trial_period_days": 731},
    ],
)
def test_a_trial_of_more_than_two_years_is_refused(params: dict[str, Any]) -> None:
    reply = SHOP.create("subscription", {**SUBSCRIPTION, **params})
    assert refusal(reply) == (400, None, next(iter(params)))
    assert "730 (2 years)" in reply.error["message"]


@pytest.mark.parametrize(
    "params",
    [{"trial_end": "now"}, {"cancel_at": "min_period_end"}, {"trial_period_days": 730}],
)
def test_a_word_in_place_of_a_time_is_taken(params: dict[str, Any]) -> None:
    assert SHOP.create("subscription", {**SUBSCRIPTION, **params}).status == 200


def test_an_anchor_after_the_first_period_is_refused() -> None:
    reply = SHOP.create("subscription", {**SUBSCRIPTION, "billing_cycle_anchor": NOW + 32 * DAY})
    assert refusal(reply) == (400, None, "billing_cycle_anchor")


@given(st.integers(NOW + 1, NOW * 1000))
def test_a_subscription_starts_in_the_past_when_it_is_backdated(time: int) -> None:
    reply = SHOP.create("subscription", {**SUBSCRIPTION, "backdate_start_date": time})
    assert refusal(reply) == (400, None, "backdate_start_date")


@given(st.integers(-3600, 25 * 3600))
def test_a_checkout_session_is_open_for_30_minutes_to_24_hours(seconds: int) -> None:
    reply = SHOP.create("checkout.session", {**SESSION, "expires_at": NOW + seconds})
    if 1800 <= seconds <= 24 * 3600:
        assert reply.status == 200
    else:
        assert refusal(reply) == (400, None, "expires_at")


@given(st.integers(1, 4 * DAY))
def test_a_trial_of_a_checkout_session_takes_two_days(seconds: int) -> None:
    trial = {"subscription_data": {"trial_end": NOW + seconds}}
    reply = SHOP.create("checkout.session", {**SUBSCRIBING, **trial})
    if seconds >= 2 * DAY:
        assert reply.status == 200
    else:
        assert refusal(reply) == (400, None, "subscription_data[trial_end]")


def test_the_time_of_a_test_clock_is_not_judged(shop: Shop) -> None:
    customer = shop.customer(test_clock="clock_1", **CARD)
    asked = {"customer": customer, "items": [{"price": shop.monthly()}], "trial_end": NOW - DAY}
    assert shop.create("subscription", asked).status == 200
