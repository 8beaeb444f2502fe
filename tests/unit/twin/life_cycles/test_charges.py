"""A charge without a payment intent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.unit.twin.life_cycles.conftest import Till

CHARGE: dict[str, Any] = {"amount": 2000, "currency": "usd", "source": "tok_visa"}


def test_a_charge_is_captured_once(till: Till) -> None:
    charge = till.post("charges", **CHARGE, capture="false")
    assert (charge["status"], charge["captured"], charge["amount_captured"]) == (
        "succeeded",
        False,
        0,
    )
    path = f"charges/{charge['id']}"
    assert till.refuse(f"{path}/capture", amount=2001)["code"] == "amount_too_large"
    captured = till.post(f"{path}/capture", amount=1500)
    assert (captured["amount_captured"], captured["amount_refunded"]) == (1500, 500)
    assert till.refuse(f"{path}/capture")["code"] == "charge_already_captured"


def test_a_charge_is_refunded_up_to_its_amount(till: Till) -> None:
    charge = till.post("charges", **CHARGE)
    path = f"charges/{charge['id']}"
    assert till.post(f"{path}/refund", amount=500)["amount_refunded"] == 500
    assert "greater than" in till.refuse(f"{path}/refund", amount=1501)["message"]
    assert till.post(f"{path}/refund")["refunded"] is True
    assert till.refuse(f"{path}/refund")["code"] == "charge_already_refunded"
    assert [each["amount"] for each in till.get("refunds")["data"]] == [1500, 500]


def test_a_partly_captured_charge_is_refunded_when_all_of_it_went_back(till: Till) -> None:
    intent = till.authorized()
    till.post(f"payment_intents/{intent['id']}/capture", amount_to_capture=1500)
    path = f"charges/{intent['latest_charge']}"
    for amount, is_refunded in ((1000, False), (500, True)):
        till.post("refunds", payment_intent=intent["id"], amount=amount)
        assert till.get(path)["refunded"] is is_refunded
    assert till.get(path)["amount_refunded"] == 2000


def test_a_declined_card_is_not_charged(till: Till) -> None:
    error = till.refuse("charges", **{**CHARGE, "source": "tok_chargeDeclined"})
    assert error["type"] == "card_error"
