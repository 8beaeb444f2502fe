"""The objects that the updates, captures, cancels and deletes of a chaos run act on. Each request gets its own object.

An object is made directly at the twin, just before its request is submitted. Therefore a request without an effect, or
with the effect of another request, is seen in the ledger.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.chaos.subscriptions import create_object

if TYPE_CHECKING:
    from collections.abc import Mapping

_PAYMENT = {"amount": "2000", "currency": "usd"}
_AUTHORISED = {
    **_PAYMENT,
    "capture_method": "manual",
    "confirm": "true",
    "payment_method": "pm_card_visa",
    "automatic_payment_methods[enabled]": "true",
    "automatic_payment_methods[allow_redirects]": "never",
}


@dataclass(frozen=True, slots=True)
class Kind:
    """An operation, and the object that it needs."""

    object: str
    path_name: str
    collection: str
    form: Mapping[str, str]
    params: Mapping[str, object]
    takes_metadata: bool


KINDS = {
    "update_product": Kind(
        "product", "id", "products", {"name": "Tea"}, {"description": "Green"}, takes_metadata=True
    ),
    "capture_payment_intent": Kind(
        "payment_intent", "intent", "payment_intents", _AUTHORISED, {}, takes_metadata=True
    ),
    "cancel_payment_intent": Kind(
        "payment_intent",
        "intent",
        "payment_intents",
        _PAYMENT,
        {"cancellation_reason": "abandoned"},
        takes_metadata=False,
    ),
    "delete_coupon": Kind(
        "coupon",
        "coupon",
        "coupons",
        {"percent_off": "10", "duration": "once"},
        {},
        takes_metadata=False,
    ),
}
"""The operations of a run that are no creates."""

UNPROVABLE = frozenset({"update_product", "delete_coupon"})
"""The operations that may stay unknown if all their answers are lost.

Nothing proves an update. A coupon that still stands proves nothing either, because it is as young as its request here:
its caller may have made it anew after the DELETE.
"""


class Targets:
    """Makes the objects at the twin."""

    def __init__(self, stripe_base: str) -> None:
        self._stripe_base = stripe_base

    def path_for(self, operation: str, key: str) -> dict[str, str]:
        """Make an object in the account of `key`, and return the path ids of an operation on it."""
        kind = KINDS[operation]
        made = create_object(f"{self._stripe_base}/v1/{kind.collection}", dict(kind.form), key)
        return {kind.path_name: made}
