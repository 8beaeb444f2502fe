"""Subscriptions, their invoices, and refunds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.twin.life_cycles.conftest import Till

SENT = {"collection_method": "send_invoice", "days_until_due": 30}


def test_a_subscription_changes_its_items_and_ends(till: Till) -> None:
    made = till.subscription(trial_period_days=7)
    path = f"subscriptions/{made['id']}"
    item = made["items"]["data"][0]["id"]
    changed = till.post(path, items=[{"id": item, "quantity": 5}], metadata={"plan": "big"})
    assert changed["items"]["data"][0]["quantity"] == 5
    assert changed["metadata"] == {"plan": "big"}
    assert till.post(path, cancel_at_period_end="true")["cancel_at_period_end"] is True
    ended = till.delete(path)
    assert (ended["status"], ended["ended_at"] is None) == ("canceled", False)
    assert till.refuse(path, method="DELETE")["code"] == "resource_missing"
    assert "canceled subscription" in till.refuse(path, cancel_at_period_end="false")["message"]
    assert till.post(path, metadata={"left": "yes"})["metadata"]["left"] == "yes"


def test_only_a_paused_subscription_is_resumed(till: Till) -> None:
    path = f"subscriptions/{till.subscription(trial_period_days=7)['id']}"
    assert "status of trialing" in till.refuse(f"{path}/resume")["message"]
    till.post(f"{path}/pause", type="subscription")
    assert till.post(f"{path}/resume")["status"] == "active"


def test_a_sent_invoice_is_finalized_and_paid_once(till: Till) -> None:
    invoice = till.subscription(**SENT)["latest_invoice"]
    path = f"invoices/{invoice}"
    opened = till.post(f"{path}/finalize")
    assert (opened["status"], opened["amount_due"]) == ("open", 1000)
    assert "already finalized" in till.refuse(f"{path}/finalize")["message"]
    assert till.post(f"{path}/send")["status"] == "open"
    paid = till.post(f"{path}/pay", payment_method="pm_card_visa")
    assert (paid["status"], paid["amount_paid"], paid["amount_remaining"]) == ("paid", 1000, 0)
    payments = till.get("invoice_payments", f"invoice={invoice}")["data"]
    intent = till.get(f"payment_intents/{payments[0]['payment']['payment_intent']}")
    assert (intent["status"], intent["amount_received"]) == ("succeeded", 1000)
    assert till.refuse(f"{path}/pay")["message"] == "Invoice is already paid"


def test_a_declined_card_leaves_the_invoice_open(till: Till) -> None:
    path = f"invoices/{till.subscription(**SENT)['latest_invoice']}"
    till.post(f"{path}/finalize")
    error = till.refuse(f"{path}/pay", payment_method="pm_card_chargeDeclined")
    assert error["type"] == "card_error"
    assert till.get(path)["status"] == "open"
    assert till.post(f"{path}/pay", paid_out_of_band="true")["status"] == "paid"


@pytest.mark.parametrize("act", ["void", "mark_uncollectible"])
def test_only_an_open_invoice_is_given_up(till: Till, act: str) -> None:
    path = f"invoices/{till.subscription(**SENT)['latest_invoice']}"
    assert "isn't open" in till.refuse(f"{path}/{act}")["message"]
    till.post(f"{path}/finalize")
    assert till.post(f"{path}/{act}")["status"] in ("void", "uncollectible")


def test_only_a_draft_is_deleted(till: Till) -> None:
    customer = till.post("customers")["id"]
    path = f"invoices/{till.post('invoices', customer=customer)['id']}"
    assert till.delete(path)["deleted"] is True
    assert till.send(path, "DELETE").status == 404
    opened = f"invoices/{till.subscription(**SENT)['latest_invoice']}"
    till.post(f"{opened}/finalize")
    assert "only delete draft" in till.refuse(opened, method="DELETE")["message"]


def test_the_first_payment_of_a_subscription_makes_it_active(till: Till) -> None:
    made = till.subscription(payment_behavior="default_incomplete")
    invoice = made["latest_invoice"]
    intent = till.get("invoice_payments", f"invoice={invoice}")["data"][0]["payment"]
    path = f"payment_intents/{intent['payment_intent']}/confirm"
    till.post(path, payment_method="pm_card_visa")
    assert till.get(f"invoices/{invoice}")["status"] == "paid"
    assert till.get(f"subscriptions/{made['id']}")["status"] == "active"


def test_a_refund_is_in_the_charge_and_takes_new_metadata(till: Till) -> None:
    paid = till.intent(
        confirm="true", payment_method="pm_card_visa", return_url="https://example.com"
    )
    refund = till.post("refunds", payment_intent=paid["id"], amount=500)
    charge = till.get(f"charges/{paid['latest_charge']}")
    assert (charge["amount_refunded"], charge["refunded"]) == (500, False)
    changed = till.post(f"refunds/{refund['id']}", metadata={"why": "broken"})
    assert changed["metadata"] == {"why": "broken"}
    till.post("refunds", payment_intent=paid["id"])
    assert till.get(f"charges/{paid['latest_charge']}")["refunded"] is True
    assert "cannot cancel" in till.refuse(f"refunds/{refund['id']}/cancel")["message"]
