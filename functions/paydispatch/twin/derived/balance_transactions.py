"""The balance transactions of charges and refunds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paydispatch.twin.objects.factory import complete
from paydispatch.twin.objects.naming import id_after

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from paydispatch.twin.objects.factory import CreationContext
    from paydispatch.twin.objects.store import StripeObject

_FEE_SHARE = 0.029
_FEE_FIXED = 30
"""Stripe's standard fee for a card in the United States, whose currency is the twin's."""

_AVAILABLE_AFTER_S = 2 * 86_400


def of_charge(charge: StripeObject, context: CreationContext) -> StripeObject:
    """Return the transaction of a captured charge, and set `balance_transaction`."""
    amount = charge["amount_captured"]
    fee = min(amount, round(amount * _FEE_SHARE) + _FEE_FIXED)
    return _transaction(charge, amount, fee, context)


def of_refund(
    refund: StripeObject, _params: Mapping[str, Any], context: CreationContext
) -> Iterator[StripeObject]:
    """Yield the transaction of a refund, and set `balance_transaction`. Stripe keeps its fee."""
    yield _transaction(refund, -refund["amount"], 0, context)


def _transaction(
    source: StripeObject, amount: int, fee: int, context: CreationContext
) -> StripeObject:
    details = {"amount": fee, "application": None, "currency": source["currency"]}
    fields = {
        "id": id_after("txn", source),
        "amount": amount,
        "available_on": context.now + _AVAILABLE_AFTER_S,
        "balance_type": "payments",
        "currency": source["currency"],
        "description": source.get("description"),
        "fee": fee,
        "fee_details": [{**details, "description": "Stripe processing fees", "type": "stripe_fee"}]
        if fee
        else [],
        "net": amount - fee,
        "reporting_category": source["object"],
        "source": source["id"],
        "status": "pending",
        "type": source["object"],
    }
    transaction = complete("balance_transaction", fields, context)
    source["balance_transaction"] = transaction["id"]
    return transaction
