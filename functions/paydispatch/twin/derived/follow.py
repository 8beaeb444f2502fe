"""Makes the objects that follow from a created one, and sets the fields of the created one that name them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paydispatch.twin.derived import (
    balance_transactions,
    charges,
    customer_cards,
    payment_methods,
    setup_intents,
    subscriptions,
)
from paydispatch.twin.derived.stand_ins import stand_ins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from paydispatch.twin.objects.factory import CreationContext
    from paydispatch.twin.objects.store import StripeObject

    Follower = Callable[[StripeObject, Mapping[str, Any], CreationContext], Iterator[StripeObject]]

FOLLOWERS: Mapping[str, tuple[Follower, ...]] = {
    "checkout.session": (setup_intents.of_session,),
    "customer": (payment_methods.of_customer, customer_cards.of_customer),
    "payment_intent": (payment_methods.of_intent, charges.of_intent),
    "refund": (balance_transactions.of_refund, charges.of_refund),
    "setup_intent": (payment_methods.of_intent,),
    "subscription": (
        payment_methods.of_subscription,
        subscriptions.of_subscription,
        setup_intents.of_subscription,
    ),
}
"""The functions that run for a created object, in this order."""


def follow(
    made: StripeObject, params: Mapping[str, Any], context: CreationContext
) -> tuple[list[StripeObject], list[StripeObject]]:
    """Return every object that follows from `made`, and from those. None of them is stored yet.

    The second list has the stand-ins for objects that count as always there.
    """
    companions = list(_companions(made, params, context))
    known = {made["id"], *(companion["id"] for companion in companions)}
    found = []
    for answer in (made, *companions):
        for stand_in in stand_ins(answer, known, context):
            known.add(stand_in["id"])
            found.append(stand_in)
    return companions, found


def _companions(
    made: StripeObject, params: Mapping[str, Any], context: CreationContext
) -> Iterator[StripeObject]:
    for follower in FOLLOWERS.get(made["object"], ()):
        for companion in follower(made, params, context):
            yield companion
            yield from _companions(companion, {}, context)
