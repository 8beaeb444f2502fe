"""A payment intent is confirmed, captured and canceled.

requires_payment_method → requires_confirmation → succeeded
                                                → requires_action       the card requires authentication
                                                → requires_capture      with `capture_method=manual`
                                                → requires_payment_method   the card is declined
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paydispatch.twin.derived import balance_transactions, payment_methods
from paydispatch.twin.life_cycles.charging import charge
from paydispatch.twin.life_cycles.invoices import settle_invoice_of
from paydispatch.twin.rules.currencies import write_amount
from paydispatch.twin.wire.errors import StripeError, invalid_request, unexpected_state

if TYPE_CHECKING:
    from paydispatch.twin.life_cycles.change import Change
    from paydispatch.twin.objects.store import StripeObject

UNPAID = ("requires_payment_method", "requires_confirmation", "requires_action")
CANCELABLE = (
    "requires_payment_method",
    "requires_capture",
    "requires_confirmation",
    "requires_action",
    "processing",
)
SETTLED_FIELDS = ("amount", "currency", "payment_method", "setup_future_usage")
"""The fields that stay as they are after the payment."""

_METHOD = ("payment_method", "payment_method_data")


def update(change: Change) -> None:
    """Change the fields. After the payment the amount and the payment method stay."""
    intent = change.target
    for name in SETTLED_FIELDS:
        if name in change.params and intent["status"] not in UNPAID:
            raise unexpected_state(intent, _unchangeable(name, intent["status"]))
    _take_method(change)


def confirm(change: Change) -> None:
    """Charge the payment method. Raises `StripeError` (400, 402)."""
    intent = change.target
    if intent["status"] == "succeeded":
        raise unexpected_state(
            intent,
            "You cannot confirm this PaymentIntent because it has already succeeded after being "
            "previously confirmed.",
        )
    _require(intent, UNPAID, "You cannot confirm this PaymentIntent", "confirmed")
    _take_method(change)
    if not intent["payment_method"]:
        raise unexpected_state(
            intent,
            "You cannot confirm this PaymentIntent because it's missing a payment method. You can "
            "either update the PaymentIntent with a payment method and then confirm it again, or "
            "confirm it again directly with a payment method or ConfirmationToken.",
        )
    charge(intent, change)
    if intent["status"] == "succeeded":
        settle_invoice_of(intent, change)


def capture(change: Change) -> None:
    """Capture the amount, or a part of it. Stripe then releases the rest."""
    intent = change.target
    if intent["status"] == "succeeded":
        raise unexpected_state(
            intent,
            "This PaymentIntent could not be captured because it has already been captured.",
        )
    _require(intent, ("requires_capture",), "This PaymentIntent could not be captured", "captured")
    amount = change.params.get("amount_to_capture") or intent["amount_capturable"]
    if amount > intent["amount_capturable"]:
        raise _too_much(amount, intent)
    change.merge()
    intent.update(status="succeeded", amount_received=amount, amount_capturable=0)
    paid = _charge_of(intent, change)
    paid.update(captured=True, amount_captured=amount, amount_refunded=intent["amount"] - amount)
    change.save(balance_transactions.of_charge(paid, change.context))
    change.save(paid)


def cancel(change: Change) -> None:
    """Cancel an intent that has not succeeded. A charge that waits for its capture is released."""
    intent = change.target
    _require(intent, CANCELABLE, "You cannot cancel this PaymentIntent", "canceled")
    if intent["status"] == "requires_capture":
        released = _charge_of(intent, change)
        released.update(refunded=True, amount_refunded=released["amount"])
        change.save(released)
    intent.update(status="canceled", canceled_at=change.now, amount_capturable=0, next_action=None)
    intent["cancellation_reason"] = change.params.get("cancellation_reason") or None


def increment_authorization(change: Change) -> None:
    """Raise the authorized amount before the capture."""
    intent, amount = change.target, change.params["amount"]
    _require(
        intent,
        ("requires_capture",),
        "This PaymentIntent's authorization could not be incremented",
        "incremented",
    )
    if amount <= intent["amount"]:
        raise invalid_request(
            "The amount must be greater than the currently authorized amount.", param="amount"
        )
    change.merge()
    intent["amount_capturable"] = amount
    authorized = _charge_of(intent, change)
    authorized["amount"] = amount
    change.save(authorized)


def _take_method(change: Change) -> None:
    """Merge the parameters, and make the payment method that they describe."""
    intent = change.target
    change.merge("payment_method_data")
    given = any(change.params.get(name) for name in _METHOD)
    if given:
        intent["last_payment_error"] = None
        change.keep_all([*payment_methods.of_intent(intent, change.params, change.context)])
    if intent["status"] in UNPAID and intent["status"] != "requires_action":
        named = intent["payment_method"]
        intent["status"] = "requires_confirmation" if named else "requires_payment_method"


def _charge_of(intent: StripeObject, change: Change) -> StripeObject:
    found = change.find(intent["latest_charge"])
    if found is None:
        raise invalid_request(f"No such charge: '{intent['latest_charge']}'")
    return found


def _require(intent: StripeObject, allowed: tuple[str, ...], refused: str, done: str) -> None:
    if intent["status"] not in allowed:
        raise unexpected_state(
            intent,
            f"{refused} because it has a status of {intent['status']}. Only a PaymentIntent with "
            f"one of the following statuses may be {done}: {', '.join(allowed)}.",
        )


def _unchangeable(name: str, status: Any) -> str:
    return (
        f"This PaymentIntent's {name} could not be updated because it has a status of {status}. "
        f"You may only update the {name} of a PaymentIntent with one of the following statuses: "
        f"{', '.join(UNPAID)}."
    )


def _too_much(amount: int, intent: StripeObject) -> StripeError:
    asked, left = (
        write_amount(each, intent["currency"]) for each in (amount, intent["amount_capturable"])
    )
    return invalid_request(
        f"The amount to capture ({asked}) is greater than the amount that can be captured ({left}).",
        code="amount_too_large",
        param="amount_to_capture",
    )
