"""The charge of a payment intent that a card was charged for, successfully or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paydispatch.twin.derived import balance_transactions
from paydispatch.twin.objects.factory import complete
from paydispatch.twin.objects.naming import id_after

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from paydispatch.twin.objects.factory import CreationContext
    from paydispatch.twin.objects.store import StripeObject

_AUTHORIZED = ("succeeded", "requires_capture")
_SAME = (
    "amount",
    "application",
    "currency",
    "customer",
    "description",
    "metadata",
    "on_behalf_of",
    "receipt_email",
    "shipping",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_group",
)
"""The fields that a charge copies from its payment intent."""


def of_intent(
    intent: StripeObject, _params: Mapping[str, Any], context: CreationContext
) -> Iterator[StripeObject]:
    """Yield the charge and its balance transaction, and set `latest_charge`.

    A payment intent without a charge is not confirmed yet, or its card needs authentication first.
    """
    error = intent["last_payment_error"]
    if intent["status"] not in _AUTHORIZED and error is None:
        intent["latest_charge"] = None
        return
    charge_id = context.new_id("ch", intent)
    charge = complete("charge", {**_fields(intent, error), "id": charge_id}, context)
    intent["latest_charge"] = charge["id"]
    if charge["captured"]:
        yield balance_transactions.of_charge(charge, context)
    yield charge


def of_refund(
    refund: StripeObject, _params: Mapping[str, Any], context: CreationContext
) -> Iterator[StripeObject]:
    """Add the refund to its charge. Nothing new follows."""
    add_refunded(refund, refund["amount"], context)
    yield from ()


def add_refunded(refund: StripeObject, amount: int, context: CreationContext) -> None:
    """Change the refunded amount of the charge. A canceled refund takes its amount back."""
    charge = context.find(str(refund["charge"]))
    if charge is not None and charge["object"] == "charge":
        charge["amount_refunded"] += amount
        charge["refunded"] = charge["amount_refunded"] >= charge["amount"]
        context.change(charge)


def _fields(intent: StripeObject, error: Mapping[str, Any] | None) -> dict[str, Any]:
    captured = intent["amount_received"]
    method = intent["payment_method"] or id_after("pm", intent)
    return {
        **{name: intent[name] for name in _SAME},
        "amount_captured": captured,
        "captured": captured > 0,
        "payment_intent": intent["id"],
        "payment_method": method,
        "payment_method_details": {"type": "card"},
        **(_success() if error is None else _failure(error)),
    }


def _success() -> dict[str, Any]:
    return {
        "paid": True,
        "status": "succeeded",
        "outcome": _outcome("authorized", "approved_by_network", None, "Payment complete."),
    }


def _failure(error: Mapping[str, Any]) -> dict[str, Any]:
    reason = error.get("decline_code", error["code"])
    return {
        "failure_code": error["code"],
        "failure_message": error["message"],
        "paid": False,
        "status": "failed",
        "outcome": _outcome("issuer_declined", "declined_by_network", reason, error["message"]),
    }


def _outcome(kind: str, network: str, reason: str | None, message: str) -> dict[str, Any]:
    return {
        "network_status": network,
        "reason": reason,
        "risk_level": "normal",
        "seller_message": message,
        "type": kind,
    }
