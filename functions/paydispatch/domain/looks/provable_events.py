"""The events of Stripe that can prove an operation. Kept by hand. An operation without a row is proven by no event.

An event carries the idempotency key of the call that caused it, which is the id of our request. A row names the types
of events that the operation itself causes on its own object. Types on other objects are left out: `charge.succeeded` is
about the charge of a payment intent. A DELETE has no row, because Stripe ignores its key.

An event is only the reason to look. These rules decide, after the object was fetched:
- A create is proven by its own object with our mark in it, in a state that is complete (`lookups.decide`).
- An operation that leads to a state is proven by that state (`states.RULES`), as in any other look.
- An update is proven by the event itself, read from Stripe with a key of the request's account. Only such an event says
  that the update was ours, because the object may show the work of somebody else.

The types are those of docs.stripe.com/api/events/types, which gives the sentence in each comment. That Stripe's library
knows each type, and that each operation exists, is held by `tests/unit/domain/test_provable_events.py`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from paydispatch.domain.errors import UnknownOperation
from paydispatch.domain.stripe.operations import operation_named
from paydispatch.domain.stripe.proofs import ByMark, ByState, proof_of

if TYPE_CHECKING:
    from collections.abc import Mapping


class EventProof(StrEnum):
    """The proof of an operation after one of its events."""

    MARK = "mark"
    """The created object, whose id the event names, with our mark."""
    STATE = "state"
    """The state of the object in the operation's path."""
    EVENT = "event"
    """The event itself, as Stripe answers it. The object in the path is the response."""


_CREATES: Mapping[str, tuple[str, ...]] = {
    # "Occurs whenever a new … is created." Each object is the event's own.
    "create_coupon": ("coupon.created",),
    "create_credit_note": ("credit_note.created",),
    "create_customer": ("customer.created",),
    "create_identity_verification_session": ("identity.verification_session.created",),
    # "Occurs whenever a new invoice is created." A subscription's create makes one too, and that one has no mark.
    "create_invoice": ("invoice.created",),
    "create_invoice_item": ("invoiceitem.created",),
    "create_issuing_card": ("issuing_card.created",),
    "create_issuing_cardholder": ("issuing_cardholder.created",),
    "create_issuing_dispute": ("issuing_dispute.created",),
    # "Occurs when a new PaymentIntent is created." A create that confirms goes on to one of the other states, and the
    # first event may come while it is unconfirmed. `decide` then waits for the next one.
    "create_payment_intent": (
        "payment_intent.created",
        "payment_intent.succeeded",
        "payment_intent.processing",
        "payment_intent.requires_action",
        "payment_intent.amount_capturable_updated",
        "payment_intent.payment_failed",
    ),
    "create_payment_link": ("payment_link.created",),
    "create_payout": ("payout.created",),
    "create_plan": ("plan.created",),
    "create_price": ("price.created",),
    "create_product": ("product.created",),
    "create_promotion_code": ("promotion_code.created",),
    "create_quote": ("quote.created",),
    # "Occurs when a refund is created." `charge.refunded` is about the charge.
    "create_refund": ("refund.created",),
    # A create that confirms: as for payment intents.
    "create_setup_intent": (
        "setup_intent.created",
        "setup_intent.succeeded",
        "setup_intent.requires_action",
        "setup_intent.setup_failed",
    ),
    # "Occurs whenever a customer is signed up for a new plan."
    "create_subscription": ("customer.subscription.created",),
    "create_subscription_schedule": ("subscription_schedule.created",),
    "create_tax_rate": ("tax_rate.created",),
    "create_topup": ("topup.created",),
    "create_transfer": ("transfer.created",),
}

_STATES: Mapping[str, tuple[str, ...]] = {
    # "Occurs whenever a quote is accepted", and so on: each type is the end of the operation.
    "accept_quote": ("quote.accepted",),
    "cancel_quote": ("quote.canceled",),
    "finalize_quote": ("quote.finalized",),
    # "Occurs whenever a review is closed. The review's reason field indicates why."
    "approve_review": ("review.closed",),
    "cancel_identity_verification_session": ("identity.verification_session.canceled",),
    "cancel_payment_intent": ("payment_intent.canceled",),
    # "Occurs when a PaymentIntent has successfully completed payment." A bank debit is processing first.
    "capture_payment_intent": ("payment_intent.succeeded",),
    "confirm_payment_intent": (
        "payment_intent.succeeded",
        "payment_intent.processing",
        "payment_intent.amount_capturable_updated",
    ),
    "cancel_setup_intent": ("setup_intent.canceled",),
    "confirm_setup_intent": ("setup_intent.succeeded",),
    "capture_charge": ("charge.captured",),
    # "Occurs when a dispute is closed and the dispute status changes to lost, warning_closed, or won."
    "close_dispute": ("charge.dispute.closed",),
    "cancel_payout": ("payout.canceled",),
    "cancel_topup": ("topup.canceled",),
    # "Occurs whenever a refund from a customer's cash balance is … updated", and in general "when a refund is updated".
    "cancel_refund": ("refund.updated", "refund.failed"),
    "cancel_subscription_schedule": ("subscription_schedule.canceled",),
    "release_subscription_schedule": ("subscription_schedule.released",),
    "expire_checkout_session": ("checkout.session.expired",),
    "finalize_invoice": ("invoice.finalized",),
    "mark_uncollectible_invoice": ("invoice.marked_uncollectible",),
    # "Occurs whenever an invoice payment attempt succeeds or an invoice is marked as paid out-of-band."
    "pay_invoice": ("invoice.paid", "invoice.payment_succeeded"),
    "void_invoice": ("invoice.voided",),
    "void_credit_note": ("credit_note.voided",),
    "deactivate_billing_meter": ("billing.meter.deactivated",),
    "reactivate_billing_meter": ("billing.meter.reactivated",),
    "close_treasury_financial_account": ("treasury.financial_account.closed",),
    "cancel_treasury_inbound_transfer": ("treasury.inbound_transfer.canceled",),
    "cancel_treasury_outbound_payment": ("treasury.outbound_payment.canceled",),
    "cancel_treasury_outbound_transfer": ("treasury.outbound_transfer.canceled",),
}

_UPDATES: Mapping[str, tuple[str, ...]] = {
    # "Occurs whenever any property of … changes." An update that changes nothing has no event. Only updates that take
    # effect as a whole have a row. An update of a subscription has none, because it can change the subscription and
    # still be answered with a 402 (`payment_behavior`).
    "update_coupon": ("coupon.updated",),
    "update_credit_note": ("credit_note.updated",),
    "update_customer": ("customer.updated",),
    "update_invoice": ("invoice.updated",),
    "update_plan": ("plan.updated",),
    "update_price": ("price.updated",),
    "update_product": ("product.updated",),
    "update_promotion_code": ("promotion_code.updated",),
    "update_tax_rate": ("tax_rate.updated",),
    "update_transfer": ("transfer.updated",),
}

PROVABLE_EVENTS: Mapping[str, tuple[str, ...]] = {**_CREATES, **_STATES, **_UPDATES}
"""{name of the operation: the types of events that can prove it}."""

PROVABLE_TYPES = frozenset(type_ for types in PROVABLE_EVENTS.values() for type_ in types)
"""Every type of the table. An event of another type is dropped where it comes in."""


def event_proof(operation_name: str, event_type: str) -> EventProof | None:
    """Return the proof of the operation after an event of this type. None: such an event proves nothing of it."""
    if event_type not in PROVABLE_EVENTS.get(operation_name, ()):
        return None
    try:
        proof = proof_of(operation_named(operation_name))
    except UnknownOperation:
        return None
    if isinstance(proof, ByMark):
        return EventProof.MARK
    return EventProof.STATE if isinstance(proof, ByState) else EventProof.EVENT


def types_of(operation_names: frozenset[str]) -> tuple[str, ...]:
    """Return the types of events that can prove one of these operations, sorted."""
    return tuple(sorted({t for name in operation_names for t in PROVABLE_EVENTS.get(name, ())}))
