"""A payment intent that is confirmed as it is created."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.twin.rules.conftest import NO_REDIRECTS, refusal

if TYPE_CHECKING:
    from tests.unit.twin.rules.conftest import Shop

ASKED = {"amount": 2000, "currency": "usd"}
CONFIRMED = {**ASKED, "confirm": True, "payment_method": "pm_card_visa"}
URL = "https://example.com/done"
OLDER, BEFORE_DASHBOARD = "2026-05-27.dahlia", "2022-11-15"


@pytest.mark.parametrize(
    "more",
    [
        {"return_url": URL},
        NO_REDIRECTS,
        {"automatic_payment_methods": {"enabled": False}},
        {"allowed_payment_method_types": ["card", "sepa_debit"]},
    ],
)
def test_a_confirmation_that_cannot_redirect_needs_no_return_url(
    shop: Shop, more: dict[str, Any]
) -> None:
    assert shop.create("payment_intent", {**CONFIRMED, **more}).status == 200


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"automatic_payment_methods": {"enabled": True}},
        {"automatic_payment_methods": {"enabled": True, "allow_redirects": "always"}},
        {"allowed_payment_method_types": ["card", "klarna"]},
        {"off_session": True},
    ],
)
def test_a_confirmation_that_may_redirect_needs_a_return_url(
    shop: Shop, more: dict[str, Any]
) -> None:
    reply = shop.create("payment_intent", {**CONFIRMED, **more})
    assert refusal(reply) == (400, None, None)
    assert "you must provide a `return_url`" in reply.error["message"]


def test_a_confirmation_token_may_hold_the_return_url(shop: Shop) -> None:
    asked = {**ASKED, "confirm": True, "confirmation_token": "ctoken_1"}
    assert shop.create("payment_intent", asked).status == 200


@pytest.mark.parametrize(
    ("version", "more", "status"),
    [
        (OLDER, {}, 400),
        (OLDER, {"payment_method_types": ["card"]}, 200),
        (BEFORE_DASHBOARD, {}, 200),
        (BEFORE_DASHBOARD, {"automatic_payment_methods": {"enabled": True}}, 400),
    ],
)
def test_an_older_version_asks_for_a_return_url_only_with_the_methods_of_the_dashboard(
    shop: Shop, version: str, more: dict[str, Any], status: int
) -> None:
    reply = shop.create("payment_intent", {**CONFIRMED, **more}, stripe_version=version)
    assert reply.status == status


@pytest.mark.parametrize(
    ("name", "value"),
    [("return_url", URL), ("off_session", True), ("mandate", "mandate_1")],
)
def test_parameters_of_a_confirmation_are_refused_without_one(
    shop: Shop, name: str, value: Any
) -> None:
    reply = shop.create("payment_intent", {**ASKED, name: value})
    assert refusal(reply) == (400, None, name)
    assert "unless `confirm` is set to true" in reply.error["message"]


def test_a_confirmation_without_a_payment_method_is_refused(shop: Shop) -> None:
    reply = shop.create("payment_intent", {**ASKED, "confirm": True, **NO_REDIRECTS})
    assert refusal(reply) == (400, "payment_intent_unexpected_state", None)


def test_a_confirmation_may_use_the_default_source_of_the_customer(shop: Shop) -> None:
    customer = shop.customer(source="tok_visa")
    asked = {**ASKED, "confirm": True, "customer": customer, **NO_REDIRECTS}
    assert shop.create("payment_intent", asked).status == 200


@pytest.mark.parametrize("named", ["tok_visa", "btok_1", "4242", "cus_1"])
def test_a_token_is_no_payment_method(shop: Shop, named: str) -> None:
    reply = shop.create("payment_intent", {**CONFIRMED, "payment_method": named})
    assert refusal(reply) == (400, "resource_missing", "payment_method")
    assert reply.error["message"] == f"No such PaymentMethod: '{named}'"


@pytest.mark.parametrize("named", ["pm_1", "pm_card_visa", "card_1", "src_1", "ba_1"])
def test_older_cards_and_sources_are_payment_methods(shop: Shop, named: str) -> None:
    asked = {**CONFIRMED, "payment_method": named, "return_url": URL}
    assert shop.create("payment_intent", asked).status == 200


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"payment_method": "tok_visa"}, "payment_method"),
        (
            {"invoice_settings": {"default_payment_method": "tok_visa"}},
            "invoice_settings[default_payment_method]",
        ),
        ({"source": "pm_card_visa"}, "source"),
    ],
)
def test_a_customer_takes_tokens_and_payment_methods_in_their_own_places(
    shop: Shop, params: dict[str, Any], param: str
) -> None:
    assert refusal(shop.create("customer", params)) == (400, "resource_missing", param)
