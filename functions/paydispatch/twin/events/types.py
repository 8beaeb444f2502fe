"""The types of events by the kind of the object that changed. Other kinds have no events.

A row names the beginning of its types, such as `customer.subscription`, and the plain types of it: `created`, `updated`
and `deleted`, of which Stripe has not all for every kind. Its moves are the further types. The key of a move is one of:

    "status=paid"       the field took this value
    "captured+"         the field was set, or rose
    "customer-"         the field was unset
    "status:paused>active"      the field went from one value to the other

A row that is `busy` has `updated` beside its moves. The others have it only for a change that is no move.

Stripe has no type for some writes: the update of a payment intent, the create of a Checkout session, tokens, account
links and ephemeral keys. Payment links have none here, although the official library lists types for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """The types of one kind of object."""

    prefix: str
    plain: str = "created updated deleted"
    moves: Mapping[str, str] = field(default_factory=dict)
    busy: bool = False


_BY_CHARGE = {
    "status=succeeded": "succeeded",
    "status=failed": "failed",
    "captured+": "captured",
    "amount_refunded+": "refunded",
}
_BY_INTENT = {
    "status=requires_action": "requires_action",
    "status=processing": "processing",
    "amount_capturable+": "amount_capturable_updated",
    "status=succeeded": "succeeded",
    "last_payment_error+": "payment_failed",
    "status=canceled": "canceled",
}
_BY_SETUP = {
    "status=requires_action": "requires_action",
    "status=succeeded": "succeeded",
    "last_setup_error+": "setup_failed",
    "status=canceled": "canceled",
}
_BY_INVOICE = {
    "status_transitions.finalized_at+": "finalized",
    "status=paid": "paid payment_succeeded",
    "status=uncollectible": "marked_uncollectible",
    "status=void": "voided",
}
_BY_SUBSCRIPTION = {
    "status=paused": "paused",
    "status:paused>active": "resumed",
    "status=canceled": "deleted",
}
_ENDS = {"status=canceled": "canceled", "status=failed": "failed"}

ROWS: Mapping[str, Row] = {
    # payments
    "payment_intent": Row("payment_intent", "created", _BY_INTENT),
    "setup_intent": Row("setup_intent", "created", _BY_SETUP),
    "charge": Row("charge", "updated", _BY_CHARGE),
    "refund": Row("refund", "created updated", {"status=failed": "failed"}),
    "dispute": Row(
        "charge.dispute", "created updated", {"status=lost": "closed", "status=won": "closed"}
    ),
    "payment_method": Row(
        "payment_method", "updated", {"customer+": "attached", "customer-": "detached"}
    ),
    "review": Row("review", "", {"open+": "opened", "open-": "closed"}),
    "checkout.session": Row(
        "checkout.session", "", {"status=complete": "completed", "status=expired": "expired"}
    ),
    # customers
    "customer": Row("customer"),
    "card": Row("customer.source"),
    "bank_account": Row("customer.source"),
    "tax_id": Row("customer.tax_id"),
    # products
    "product": Row("product"),
    "price": Row("price"),
    "plan": Row("plan"),
    "coupon": Row("coupon"),
    "promotion_code": Row("promotion_code", "created updated"),
    "tax_rate": Row("tax_rate", "created updated"),
    # billing
    "subscription": Row("customer.subscription", "created updated", _BY_SUBSCRIPTION, busy=True),
    "subscription_schedule": Row(
        "subscription_schedule",
        "created updated",
        {"status=canceled": "canceled", "status=released": "released"},
    ),
    "invoice": Row("invoice", "created updated deleted", _BY_INVOICE, busy=True),
    "invoice_payment": Row("invoice_payment", "", {"status=paid": "paid"}),
    "invoiceitem": Row("invoiceitem", "created deleted"),
    "credit_note": Row("credit_note", "created updated", {"status=void": "voided"}),
    "quote": Row(
        "quote",
        "created",
        {"status=open": "finalized", "status=accepted": "accepted", "status=canceled": "canceled"},
    ),
    "billing.credit_grant": Row("billing.credit_grant", "created updated"),
    "billing.meter": Row(
        "billing.meter",
        "created updated",
        {"status=inactive": "deactivated", "status:inactive>active": "reactivated"},
    ),
    "billing_portal.configuration": Row("billing_portal.configuration", "created updated"),
    "billing_portal.session": Row("billing_portal.session", "created"),
    # money
    "payout": Row("payout", "created updated", {**_ENDS, "status=paid": "paid"}),
    "topup": Row("topup", "created", {**_ENDS, "status=succeeded": "succeeded"}),
    "transfer": Row("transfer", "created updated", {"amount_reversed+": "reversed"}),
    # accounts
    "account": Row("account", "updated"),
    "capability": Row("capability", "updated"),
    "person": Row("person"),
    # issuing and others
    "issuing.authorization": Row("issuing_authorization", "created updated"),
    "issuing.card": Row("issuing_card", "created updated"),
    "issuing.cardholder": Row("issuing_cardholder", "created updated"),
    "issuing.dispute": Row(
        "issuing_dispute", "created updated", {"status=submitted": "submitted"}, busy=True
    ),
    "identity.verification_session": Row(
        "identity.verification_session", "created", {"status=canceled": "canceled"}
    ),
    "climate.order": Row("climate.order", "created", {"status=canceled": "canceled"}),
    "financial_connections.account": Row(
        "financial_connections.account", "created", {"status=disconnected": "disconnected"}
    ),
    "treasury.financial_account": Row(
        "treasury.financial_account", "created", {"status=closed": "closed"}
    ),
    "treasury.inbound_transfer": Row("treasury.inbound_transfer", "created", _ENDS),
    "treasury.outbound_payment": Row("treasury.outbound_payment", "created", _ENDS),
    "treasury.outbound_transfer": Row("treasury.outbound_transfer", "created", _ENDS),
    "test_helpers.test_clock": Row("test_helpers.test_clock", "created deleted"),
}

OF_A_CUSTOMER = {"card", "bank_account", "tax_id"}
"""The kinds whose types are those of a customer. The same objects of an account have no row."""

LATER = {"captured", "closed", "canceled", "disconnected"}
"""The moves that a new object never has, such as the capture of a charge that is captured as it is made."""

ACTS: Mapping[str, tuple[str, str]] = {"send_invoice": ("invoice", "invoice.sent")}
"""The kind and the type by the operation, for an act that leaves its object as it is."""


SILENT = {"create_preview_invoice"}
"""The operations that store nothing at Stripe, so that they cause no event."""


def types_of(
    kind: str, before: Fields | None, after: Fields | None, operation: str | None = None
) -> list[str]:
    """Return the types of the events of one change, in Stripe's usual order. `before` is None for a new object."""
    row = None if operation in SILENT else ROWS.get(kind)
    if row is None or (kind in OF_A_CUSTOMER and not (after or before or {}).get("customer")):
        return []
    plain = row.plain.split()
    if after is None:
        return [f"{row.prefix}.deleted"] if "deleted" in plain else []
    moves = _moves(row, before or {}, after, is_new=before is None)
    acted, act = ACTS.get(operation or "", ("", ""))
    return [
        *_first(row, plain, moves, before, after),
        *(f"{row.prefix}.{move}" for move in moves),
        *([act] if acted == kind else []),
    ]


def _first(
    row: Row, plain: list[str], moves: list[str], before: Fields | None, after: Fields
) -> list[str]:
    if before is None:
        return [f"{row.prefix}.created"] if "created" in plain else []
    is_update = "updated" in plain and before != after and "deleted" not in moves
    return [f"{row.prefix}.updated"] if is_update and (row.busy or not moves) else []


def _moves(row: Row, before: Fields, after: Fields, *, is_new: bool) -> list[str]:
    found = [
        name
        for move, names in row.moves.items()
        if _moved(move, before, after)
        for name in names.split()
    ]
    return [name for name in found if not (is_new and name in LATER)]


def _moved(move: str, before: Fields, after: Fields) -> bool:
    if ":" in move:
        path, _, change = move.partition(":")
        return f"{_at(before, path)}>{_at(after, path)}" == change
    if "=" in move:
        path, _, value = move.partition("=")
        return bool(_at(after, path) == value != _at(before, path))
    old, new = _at(before, move[:-1]), _at(after, move[:-1])
    if move.endswith("-"):
        return bool(old) and not new
    return bool(new) and new != old and not _fell(old, new)


def _fell(old: Any, new: Any) -> bool:
    return isinstance(old, int) and isinstance(new, int) and new < old


def _at(fields: Fields, path: str) -> Any:
    found: Any = fields
    for step in path.split("."):
        found = found.get(step) if isinstance(found, dict) else None
    return found
