"""A payment intent from its create to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from paydispatch.twin.life_cycles.payment_intents import CANCELABLE

if TYPE_CHECKING:
    from tests.unit.twin.life_cycles.conftest import Till


def test_a_confirmed_payment_succeeds_and_has_a_charge(till: Till) -> None:
    intent = till.intent(payment_method="pm_card_visa")
    assert intent["status"] == "requires_confirmation"
    paid = till.post(f"payment_intents/{intent['id']}/confirm")
    assert (paid["status"], paid["amount_received"]) == ("succeeded", 2000)
    assert till.get(f"charges/{paid['latest_charge']}")["amount_captured"] == 2000
    assert till.get(f"payment_intents/{intent['id']}") == paid


def test_a_part_of_an_authorized_amount_is_captured_and_the_rest_is_released(till: Till) -> None:
    intent = till.authorized()
    assert (intent["status"], intent["amount_capturable"]) == ("requires_capture", 2000)
    paid = till.post(f"payment_intents/{intent['id']}/capture", amount_to_capture=1500)
    assert (paid["status"], paid["amount_received"], paid["amount_capturable"]) == (
        "succeeded",
        1500,
        0,
    )
    charge = till.get(f"charges/{paid['latest_charge']}")
    assert (charge["captured"], charge["amount_captured"], charge["amount_refunded"]) == (
        True,
        1500,
        500,
    )
    assert till.get(f"balance_transactions/{charge['balance_transaction']}")["amount"] == 1500


def test_more_than_the_authorized_amount_is_not_captured(till: Till) -> None:
    intent = till.authorized()
    error = till.refuse(f"payment_intents/{intent['id']}/capture", amount_to_capture=2001)
    assert (error["code"], error["param"]) == ("amount_too_large", "amount_to_capture")
    assert till.get(f"payment_intents/{intent['id']}") == intent


def test_an_authorization_is_incremented_before_the_capture(till: Till) -> None:
    intent = till.authorized()
    path = f"payment_intents/{intent['id']}"
    raised = till.post(f"{path}/increment_authorization", amount=3000)
    assert (raised["amount"], raised["amount_capturable"]) == (3000, 3000)
    assert till.post(f"{path}/capture")["amount_received"] == 3000


def test_a_canceled_authorization_releases_the_amount(till: Till) -> None:
    intent = till.authorized()
    path = f"payment_intents/{intent['id']}"
    canceled = till.post(f"{path}/cancel", cancellation_reason="abandoned")
    assert (canceled["status"], canceled["cancellation_reason"]) == ("canceled", "abandoned")
    assert canceled["amount_capturable"] == 0
    assert till.get(f"charges/{canceled['latest_charge']}")["refunded"] is True


def test_a_payment_that_has_succeeded_is_neither_confirmed_nor_captured_nor_canceled(
    till: Till,
) -> None:
    path = f"payment_intents/{till.authorized()['id']}"
    paid = till.post(f"{path}/capture")
    refusals = {act: till.refuse(f"{path}/{act}") for act in ("confirm", "capture", "cancel")}
    assert {each["code"] for each in refusals.values()} == {"payment_intent_unexpected_state"}
    assert refusals["cancel"]["payment_intent"] == paid
    assert refusals["cancel"]["message"] == (
        "You cannot cancel this PaymentIntent because it has a status of succeeded. Only a "
        "PaymentIntent with one of the following statuses may be canceled: requires_payment_method, "
        "requires_capture, requires_confirmation, requires_action, processing."
    )
    assert "already been captured" in refusals["capture"]["message"]
    assert "already succeeded" in refusals["confirm"]["message"]
    assert till.get(path) == paid


def test_a_declined_confirmation_leaves_the_intent_for_another_card(till: Till) -> None:
    path = f"payment_intents/{till.intent()['id']}"
    error = till.refuse(f"{path}/confirm", payment_method="pm_card_chargeDeclined")
    assert (error["type"], error["decline_code"]) == ("card_error", "generic_decline")
    left = till.get(path)
    assert error["payment_intent"]["id"] == left["id"]
    assert (left["status"], left["payment_method"]) == ("requires_payment_method", None)
    assert till.get(f"charges/{left['latest_charge']}")["status"] == "failed"
    paid = till.post(f"{path}/confirm", payment_method="pm_card_visa")
    assert paid["status"] == "succeeded"
    assert paid["latest_charge"] != left["latest_charge"]


def test_a_payment_method_remembers_that_its_card_is_declined(till: Till) -> None:
    intent = till.intent(payment_method="pm_card_chargeDeclined")
    assert intent["payment_method"].startswith("pm_")
    assert till.refuse(f"payment_intents/{intent['id']}/confirm")["code"] == "card_declined"


def test_a_card_that_requires_authentication_waits_for_the_cardholder(till: Till) -> None:
    intent = till.intent(payment_method="pm_card_authenticationRequired")
    waiting = till.post(f"payment_intents/{intent['id']}/confirm")
    assert (waiting["status"], waiting["latest_charge"]) == ("requires_action", None)


def test_an_intent_without_a_payment_method_is_not_confirmed(till: Till) -> None:
    error = till.refuse(f"payment_intents/{till.intent()['id']}/confirm")
    assert error["code"] == "payment_intent_unexpected_state"
    assert "missing a payment method" in error["message"]


def test_an_update_merges_the_fields_and_the_pairs_of_metadata(till: Till) -> None:
    intent = till.intent(metadata={"order": "7", "shelf": "2"}, description="Tea")
    path = f"payment_intents/{intent['id']}"
    changed = till.post(path, amount=2500, description="", metadata={"shelf": "", "room": "1"})
    assert changed == {
        **intent,
        "amount": 2500,
        "description": None,
        "metadata": {"order": "7", "room": "1"},
    }
    assert till.post(path, metadata="")["metadata"] == {}


@pytest.mark.parametrize("change", [{"amount": 1}, {"payment_method": "pm_card_visa"}])
def test_a_paid_intent_keeps_its_amount_and_its_payment_method(
    till: Till, change: dict[str, object]
) -> None:
    path = f"payment_intents/{till.authorized()['id']}"
    till.post(f"{path}/capture")
    assert till.refuse(path, **change)["code"] == "payment_intent_unexpected_state"
    assert till.post(path, description="Paid")["description"] == "Paid"


def test_every_status_that_can_be_canceled_is_in_the_message(till: Till) -> None:
    path = f"payment_intents/{till.intent()['id']}"
    till.post(f"{path}/cancel")
    message = till.refuse(f"{path}/cancel")["message"]
    assert message.endswith(f"{', '.join(CANCELABLE)}.")
