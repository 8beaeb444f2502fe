"""How Stripe lists the objects that an operation creates, so that a lookup can find a marked one.

The table of operations has the facts that the document and the library say. The rest is kept here by hand, by object.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Listing:
    """The list at the path of a create."""

    queries: tuple[str, ...]
    """The queries that together list every object. Stripe leaves some objects out of a list by default, and does not
    document this for every list. Therefore a list that can be divided in two is read in both halves."""

    dated: bool
    """Whether the list can be filtered by time (`created`). If it cannot, it is read from end to end."""

    clocked_by: tuple[str, ...]
    """Parameters of the create that may put the object on a test clock. Stripe lists such an object only if the list is
    filtered by one of them, and dates it by that clock."""

    needs: tuple[str, ...]
    """Parameters of the create without which Stripe answers no list."""

    unconfirmed: tuple[str, ...]
    """States of an object that its create (`confirm=true`) has not confirmed yet. Stripe lists such an object before
    the create has ended. A `last_payment_error` means that the create has ended."""


QUERIES: Mapping[str, tuple[str, ...]] = {
    # The list has no canceled subscriptions without it. (https://docs.stripe.com/api/subscriptions/list)
    "subscription": ("status=all",),
}

UNCONFIRMED: Mapping[str, tuple[str, ...]] = {
    "payment_intent": ("requires_confirmation", "requires_payment_method"),
}

_BOTH_HALVES = ("active=true", "active=false")


def listing_of(object_name: str, row: Mapping[str, Any]) -> Listing:
    """Return the listing of an object from the `list` of its row and from the tables above."""
    default = _BOTH_HALVES if row.get("halved") else ("",)
    return Listing(
        queries=QUERIES.get(object_name, default),
        dated=row.get("dated", False),
        clocked_by=tuple(row.get("clocked_by", ())),
        needs=tuple(row.get("needs", ())),
        unconfirmed=UNCONFIRMED.get(object_name, ()),
    )
