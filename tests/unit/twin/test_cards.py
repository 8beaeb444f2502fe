"""Stripe's test cards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.twin.conftest import Client

CHARGE = "amount=2000&currency=usd&confirm=true&return_url=https://example.com/done&payment_method="


@pytest.mark.parametrize(
    ("card", "code", "decline_code"),
    [
        ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_visa_chargeDeclinedLostCard", "card_declined", "lost_card"),
        ("pm_card_visa_chargeDeclinedStolenCard", "card_declined", "stolen_card"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc"),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", "processing_error"),
        ("pm_card_chargeCustomerFail", "card_declined", "generic_decline"),
        ("pm_card_radarBlock", "card_declined", "fraudulent"),
    ],
)
def test_a_test_card_declines_as_stripe_documents(
    stripe: Client, card: str, code: str, decline_code: str
) -> None:
    reply = stripe.post("/v1/payment_intents", CHARGE + card)
    assert (reply.status, reply.error["type"]) == (402, "card_error")
    assert (reply.error["code"], reply.error["decline_code"]) == (code, decline_code)
    assert reply.error["message"]


@pytest.mark.parametrize("card", ["pm_card_visa", "pm_card_mastercard", "pm_1OtherCard"])
def test_other_cards_succeed(stripe: Client, card: str) -> None:
    assert stripe.post("/v1/payment_intents", CHARGE + card).json["status"] == "succeeded"


def test_a_declined_intent_is_kept_with_its_error(stripe: Client) -> None:
    error = stripe.post("/v1/payment_intents", CHARGE + "pm_card_chargeDeclined").error
    left = stripe.get(f"/v1/payment_intents/{error['payment_intent']['id']}").json
    assert left == error["payment_intent"]
    assert left["status"] == "requires_payment_method"
    assert left["last_payment_error"]["decline_code"] == "generic_decline"
    assert left["latest_charge"] == error["charge"]


def test_a_declining_card_is_not_tried_until_confirmed(stripe: Client) -> None:
    form = "amount=2000&currency=usd&payment_method=pm_card_chargeDeclined"
    assert stripe.post("/v1/payment_intents", form).json["status"] == "requires_confirmation"


@pytest.mark.parametrize("absent", ["off_session=true", "error_on_requires_action=true"])
def test_a_payment_without_its_owner_is_declined_if_it_needs_authentication(
    stripe: Client, absent: str
) -> None:
    card = CHARGE + "pm_card_authenticationRequired&"
    assert stripe.post("/v1/payment_intents", card).json["status"] == "requires_action"
    assert (
        stripe.post("/v1/payment_intents", card + absent).error["code"] == "authentication_required"
    )


def test_a_subscription_that_must_not_stay_incomplete_is_refused(stripe: Client) -> None:
    form = (
        "customer=cus_1&items[0][price]=price_1&payment_behavior=error_if_incomplete"
        "&default_payment_method=pm_card_chargeDeclined"
    )
    assert stripe.post("/v1/subscriptions", form).status == 402
    assert stripe.effects() == []
