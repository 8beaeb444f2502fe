"""A payment as its refunds see it: the sum that was paid, and the sum that is left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paydispatch.twin.objects.store import AccountObjects, StripeObject


_WITHOUT_EFFECT = ("canceled", "failed")
"""The statuses of a refund that returns nothing."""


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment intent, and the sum of its refunds in minor units."""

    intent: StripeObject
    refunded: int

    @property
    def charge(self) -> str | None:
        """The id of the latest charge."""
        charge: str | None = self.intent["latest_charge"]
        return charge

    @property
    def currency(self) -> str:
        return str(self.intent["currency"])

    @property
    def paid(self) -> int:
        """The sum that was paid, in minor units. 0 before the payment has succeeded."""
        return int(self.intent["amount_received"]) if self.intent["status"] == "succeeded" else 0

    @property
    def left(self) -> int:
        """The sum that can still be refunded, in minor units."""
        return self.paid - self.refunded


def payment_to_refund(params: Mapping[str, Any], objects: AccountObjects) -> Payment | None:
    """Return the payment that the parameters of a refund name, or None if the account has none."""
    intent = objects.find("payment_intent", params.get("payment_intent") or "")
    if intent is None and params.get("charge"):
        intent = next(objects.find_by("payment_intent", params["charge"]), None)
    charge = objects.find("charge", params.get("charge") or "")
    if intent is None and charge is not None:
        intent = _intent_of(charge)
    if intent is None:
        return None
    refunds = objects.find_by("refund", intent["latest_charge"] or "")
    kept = (refund for refund in refunds if refund["status"] not in _WITHOUT_EFFECT)
    return Payment(intent, sum(refund["amount"] for refund in kept))


def _intent_of(charge: StripeObject) -> StripeObject:
    """Return the fields of an intent for a charge that was made without one."""
    return {
        "id": None,
        "latest_charge": charge["id"],
        "currency": charge["currency"],
        "amount_received": charge["amount_captured"],
        "status": "succeeded",
    }


def fields_of_refund(params: Mapping[str, Any], objects: AccountObjects) -> dict[str, Any]:
    """Return the fields that a refund has from its payment. Without an `amount` it returns all that is left."""
    payment = payment_to_refund(params, objects)
    if payment is None:
        return {}
    amount = params.get("amount")
    return {
        "amount": max(payment.left, 0) if amount in (None, "") else amount,
        "charge": payment.charge,
        "currency": payment.currency,
        "payment_intent": payment.intent["id"],
    }
