"""Stands in for the objects that an answer names and that the twin cannot create, such as a connected account.

The twin accepts any id of such a kind, because it has no create for it. The stand-in has this id, and its other fields
are empty. Objects inside an answer that Stripe answers at an address of their own are returned as they are: the items
of a subscription, and tax rates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paydispatch.twin.objects.addresses import addressed_kinds
from paydispatch.twin.objects.expandable import references
from paydispatch.twin.objects.factory import complete

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from paydispatch.twin.objects.factory import CreationContext
    from paydispatch.twin.objects.store import StripeObject

_KINDS_BY_PREFIX = {"acct": "account", "ba": "bank_account", "card": "card", "src": "source"}
"""The kind of an id in a field that can hold several kinds."""


def stand_ins(
    answer: StripeObject, known: Container[str], context: CreationContext
) -> Iterator[StripeObject]:
    """Yield a stand-in for each id in `answer` that is not `known` and that no stored object has."""
    for kinds, named in references(answer, answer["object"]):
        object_id = named if isinstance(named, str) else named.get("id")
        kind = _kind_of(kinds, object_id)
        if kind is not None and object_id not in known and context.find(object_id) is None:
            yield named if isinstance(named, dict) else complete(kind, {"id": object_id}, context)


def _kind_of(kinds: list[str], object_id: Any) -> str | None:
    """Return the kind of a stand-in, or None if there is none for this id."""
    if not isinstance(object_id, str) or not object_id:
        return None
    by_prefix = _KINDS_BY_PREFIX.get(object_id.partition("_")[0], "")
    kind = kinds[0] if len(kinds) == 1 else by_prefix
    return kind if kind in kinds and kind in addressed_kinds() else None
