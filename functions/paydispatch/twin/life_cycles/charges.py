"""A charge that was made without a payment intent is captured. Any charge is refunded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydispatch.twin.derived import balance_transactions
from paydispatch.twin.life_cycles.change import without
from paydispatch.twin.objects.factory import make
from paydispatch.twin.objects.payments import fields_of_refund
from paydispatch.twin.rules.refunds import check_refund
from paydispatch.twin.rules.situation import Situation
from paydispatch.twin.wire.errors import invalid_request

if TYPE_CHECKING:
    from paydispatch.twin.life_cycles.change import Change


def capture(change: Change) -> None:
    """Capture the amount of a charge, or a part of it. The rest is refunded."""
    charge = change.target
    if charge["captured"]:
        raise invalid_request(
            f"Charge {charge['id']} has already been captured.", code="charge_already_captured"
        )
    amount = change.params.get("amount") or charge["amount"]
    if amount > charge["amount"]:
        raise invalid_request(
            "Amount to capture is greater than the amount of the charge.",
            code="amount_too_large",
            param="amount",
        )
    change.merge("amount")
    rest = charge["amount"] - amount
    charge.update(captured=True, amount_captured=amount, amount_refunded=rest)
    change.save(balance_transactions.of_charge(charge, change.context))


def refund(change: Change) -> None:
    """Refund a charge. Raises `StripeError` (400) for more than is left of it."""
    charge = change.target
    params = {**without(change.params, ("expand",)), "charge": charge["id"]}
    check_refund(Situation(params, change.objects, change.now, ""))
    fields = fields_of_refund(params, change.objects)
    change.save(make("refund", params, change.context, fields))
    charge.update(change.find(charge["id"]) or {})
