"""The moment in which a payment intent charges its card."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paydispatch.twin.derived import charges
from paydispatch.twin.objects import cards
from paydispatch.twin.wire.errors import card_error

if TYPE_CHECKING:
    from paydispatch.twin.life_cycles.change import Change
    from paydispatch.twin.objects.store import StripeObject

AUTHENTICATION = {
    "type": "use_stripe_sdk",
    "use_stripe_sdk": {"type": "three_d_secure_redirect"},
}
"""The next action of a card that requires authentication."""

_CHARGE = {"when": {}, "with": ["payment_method"], "use": "charge"}


def charge(intent: StripeObject, change: Change) -> None:
    """Charge the payment method of an intent, and store the intent with its charge.

    Raises `StripeError` (402) for a declined card. The intent then waits for another payment method.
    """
    refusal = refusal_of(intent, _CHARGE, change)
    intent["last_payment_error"] = intent["next_action"] = None
    if isinstance(refusal, cards.Unauthenticated):
        intent.update(status="requires_action", next_action=AUTHENTICATION)
        change.save(intent)
        return
    if isinstance(refusal, cards.Declined):
        raise _decline(intent, refusal, change)
    _authorize(intent)
    change.keep_all([*charges.of_intent(intent, {}, change.context)])
    change.save(intent)


def refusal_of(intent: StripeObject, use: dict[str, Any], change: Change) -> cards.Refusal | None:
    """Return the refusal of the card behind the payment method of an intent, or None."""
    params = {**change.params, "payment_method": intent["payment_method"]}
    return cards.refusal((use,), params, change.context.find)


def _authorize(intent: StripeObject) -> None:
    if intent["capture_method"] == "manual":
        intent.update(status="requires_capture", amount_capturable=intent["amount"])
    else:
        intent.update(status="succeeded", amount_received=intent["amount"])


def _decline(intent: StripeObject, refusal: cards.Declined, change: Change) -> Exception:
    error = card_error(refusal.error)
    intent.update(status="requires_payment_method", last_payment_error=dict(error.error))
    change.keep_all([*charges.of_intent(intent, {}, change.context)])
    error.error["charge"] = intent["latest_charge"]
    intent["last_payment_error"] = dict(error.error)
    intent["payment_method"] = None
    change.save(intent)
    change.record(intent)
    error.error["payment_intent"] = intent
    return error
