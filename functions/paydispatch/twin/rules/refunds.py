"""A refund returns at most the sum that was paid and not yet refunded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydispatch.twin.objects.payments import payment_to_refund
from paydispatch.twin.rules.amounts import check_last_digit, check_positive
from paydispatch.twin.rules.currencies import write_amount
from paydispatch.twin.wire.errors import StripeError, invalid_request

if TYPE_CHECKING:
    from paydispatch.twin.objects.payments import Payment
    from paydispatch.twin.rules.situation import Situation


def check_refund(create: Situation) -> None:
    """Check a refund against its payment. A refund of a customer's cash balance has none."""
    if create.value("origin"):
        return
    payment = payment_to_refund(create.params, create.objects)
    if payment is None:
        raise invalid_request(
            f"No such charge: '{create.value('charge')}'", code="resource_missing", param="charge"
        )
    if payment.paid == 0:
        raise invalid_request(
            f"This PaymentIntent ({payment.intent['id']}) does not have a successful charge to refund.",
            param="payment_intent" if create.value("payment_intent") else "charge",
        )
    _check_left(create, payment)


def _check_left(create: Situation, payment: Payment) -> None:
    if payment.left <= 0:
        raise invalid_request(
            f"Charge {payment.charge} has already been refunded.", code="charge_already_refunded"
        )
    amount = create.value("amount")
    if amount is None:
        return
    check_positive(amount, "amount")
    if amount > payment.left:
        raise _too_much(amount, payment)
    check_last_digit(amount, payment.currency)


def _too_much(amount: int, payment: Payment) -> StripeError:
    named = "unrefunded amount on charge" if payment.refunded else "charge amount"
    asked, left = (write_amount(each, payment.currency) for each in (amount, payment.left))
    return invalid_request(
        f"Refund amount ({asked}) is greater than {named} ({left})", param="amount"
    )
