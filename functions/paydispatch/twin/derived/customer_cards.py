"""The card of a customer that is created with a `source`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paydispatch.twin.derived.payment_methods import card_facts
from paydispatch.twin.objects.factory import complete
from paydispatch.twin.objects.naming import id_after

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from paydispatch.twin.objects.factory import CreationContext
    from paydispatch.twin.objects.store import StripeObject


def of_customer(
    customer: StripeObject, params: Mapping[str, Any], context: CreationContext
) -> Iterator[StripeObject]:
    """Yield the card of a token, and make it the default source. Any other source keeps its id."""
    source = params.get("source")
    if not source:
        return
    if isinstance(source, str) and not source.startswith("tok_"):
        customer["default_source"] = source
        return
    fields = {
        "id": id_after("card", customer),
        "customer": customer["id"],
        "exp_month": 12,
        "exp_year": 2040,
        "funding": "credit",
        **card_facts(str(source)),
    }
    card = complete("card", {**fields, "brand": str(fields["brand"]).title()}, context)
    customer["default_source"] = card["id"]
    yield card
