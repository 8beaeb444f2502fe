"""The setup intents that collect a payment method without a payment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paydispatch.twin.derived.subscriptions import amount_due, has_payment_method
from paydispatch.twin.objects.factory import complete
from paydispatch.twin.objects.naming import id_after

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from paydispatch.twin.objects.factory import CreationContext
    from paydispatch.twin.objects.store import StripeObject


def of_session(
    session: StripeObject, _params: Mapping[str, Any], context: CreationContext
) -> Iterator[StripeObject]:
    """Yield the setup intent of a Checkout session in setup mode, and name it in the session."""
    if session["mode"] == "setup":
        session["setup_intent"] = id_after("seti", session)
        yield _make(session, context)


def of_subscription(
    subscription: StripeObject, params: Mapping[str, Any], context: CreationContext
) -> Iterator[StripeObject]:
    """Yield the setup intent of a subscription that starts without a payment, such as with a trial.

    Stripe makes one if it has no payment method for the first payment, and if it may charge one then.
    """
    is_charged = subscription["collection_method"] == "charge_automatically"
    starts_free = amount_due(subscription, params, context) == 0
    if is_charged and starts_free and not has_payment_method(subscription, context):
        subscription["pending_setup_intent"] = id_after("seti", subscription)
        yield _make(subscription, context)


def _make(owner: StripeObject, context: CreationContext) -> StripeObject:
    setup_id = id_after("seti", owner)
    fields = {
        "id": setup_id,
        "client_secret": f"{setup_id}_secret_{context.naming.letters(24)}",
        "customer": owner["customer"],
        "payment_method_types": ["card"],
        "status": "requires_payment_method",
        "usage": "off_session",
    }
    return complete("setup_intent", fields, context)
