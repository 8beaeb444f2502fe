"""A setup intent is confirmed, which keeps its payment method for later, or canceled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydispatch.twin.derived import payment_methods
from paydispatch.twin.life_cycles.charging import AUTHENTICATION, refusal_of
from paydispatch.twin.life_cycles.payment_methods import attach_to
from paydispatch.twin.objects import cards
from paydispatch.twin.wire.errors import card_error, unexpected_state

if TYPE_CHECKING:
    from paydispatch.twin.life_cycles.change import Change

OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")
_ATTACH = {"when": {}, "with": ["payment_method"], "use": "attach"}


def update(change: Change) -> None:
    """Change the fields, and take another payment method."""
    intent = change.target
    change.merge("payment_method_data")
    if any(change.params.get(name) for name in ("payment_method", "payment_method_data")):
        intent["last_setup_error"] = None
        change.keep_all([*payment_methods.of_intent(intent, change.params, change.context)])
        intent["status"] = "requires_confirmation"


def confirm(change: Change) -> None:
    """Keep the payment method, and attach it to the customer. Raises `StripeError` (400, 402)."""
    intent = change.target
    if intent["status"] not in OPEN:
        reason = "has already succeeded" if intent["status"] == "succeeded" else "is canceled"
        raise unexpected_state(intent, f"You cannot confirm this SetupIntent because it {reason}.")
    update(change)
    if not intent["payment_method"]:
        raise unexpected_state(
            intent,
            "You cannot confirm this SetupIntent because it's missing a payment method. You can "
            "either update the SetupIntent with a payment method and then confirm it again, or "
            "confirm it again directly with a payment method or ConfirmationToken.",
        )
    _set_up(change)


def cancel(change: Change) -> None:
    """Cancel an intent that has not succeeded."""
    intent = change.target
    if intent["status"] not in OPEN:
        raise unexpected_state(
            intent,
            f"You cannot cancel this SetupIntent because it has a status of {intent['status']}. "
            "Only a SetupIntent with one of the following statuses may be canceled: "
            f"{', '.join(OPEN)}.",
        )
    intent.update(status="canceled", next_action=None)
    intent["cancellation_reason"] = change.params.get("cancellation_reason") or None


def _set_up(change: Change) -> None:
    intent = change.target
    refusal = refusal_of(intent, _ATTACH, change)
    if isinstance(refusal, cards.Unauthenticated):
        intent.update(status="requires_action", next_action=AUTHENTICATION)
        return
    if isinstance(refusal, cards.Declined):
        error = card_error(refusal.error)
        intent.update(status="requires_payment_method", payment_method=None)
        intent["last_setup_error"] = dict(error.error)
        change.save(intent)
        change.record(intent)
        error.error["setup_intent"] = intent
        raise error
    intent.update(status="succeeded", next_action=None)
    method = change.find(intent["payment_method"])
    if method is not None and intent["customer"]:
        attach_to(intent["customer"], method, change)
