"""The operations that lead to a state, which can be seen in their object after a lost answer. Kept by hand.

A row says three things about the object that `GET` returns at the path of its id:
- `done`: the states that prove the operation. Somebody else may have led the object there, so that the outcome is
  marked as inferred.
- `undone`: the states that the object cannot have after the operation. They prove that it was not executed, as soon as
  no send can follow. A state that an object can return to is not among them.
- Every other state proves nothing.

Sources are the life cycles in Stripe's guides (docs.stripe.com/payments/paymentintents/lifecycle,
docs.stripe.com/invoicing/overview, docs.stripe.com/billing/subscriptions/overview, docs.stripe.com/quotes/overview) and
the descriptions of `status` in Stripe's API reference. `tests/unit/domain/test_proofs.py` holds that each row is an
operation of the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_BEFORE_AN_INTENT_ENDS = (
    "requires_payment_method",
    "requires_confirmation",
    "requires_action",
    "requires_capture",
    "processing",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StateRule:
    """One row."""

    done: tuple[Any, ...]
    undone: tuple[Any, ...] = ()
    field: str = "status"
    """The member of the object that holds its state."""
    unless: tuple[str, ...] = ()
    """Parameters with which the operation may leave the object in its old state, so that the state proves nothing."""


RULES: Mapping[str, StateRule] = {
    # A payment or setup intent never leaves `succeeded` or `canceled`. A capture that is not the final one leaves the
    # intent in `requires_capture`.
    "capture_payment_intent": StateRule(
        done=("succeeded",), undone=("requires_capture", "canceled"), unless=("final_capture",)
    ),
    "cancel_payment_intent": StateRule(
        done=("canceled",), undone=("succeeded", *_BEFORE_AN_INTENT_ENDS)
    ),
    "cancel_setup_intent": StateRule(
        done=("canceled",), undone=("succeeded", *_BEFORE_AN_INTENT_ENDS)
    ),
    # A declined or unfinished confirmation leads back to the states before it, so that they prove nothing.
    "confirm_payment_intent": StateRule(done=("succeeded", "processing", "requires_capture")),
    "confirm_setup_intent": StateRule(done=("succeeded", "processing")),
    "capture_charge": StateRule(field="captured", done=(True,), undone=(False,)),
    # An invoice never returns to `draft`, and never leaves `void`. One that is being paid by a bank debit stays `open`.
    "finalize_invoice": StateRule(
        done=("open", "paid", "uncollectible", "void"), undone=("draft",)
    ),
    "pay_invoice": StateRule(done=("paid",), undone=("draft",)),
    "void_invoice": StateRule(done=("void",), undone=("draft", "open", "paid", "uncollectible")),
    "mark_uncollectible_invoice": StateRule(done=("uncollectible",), undone=("draft", "open")),
    "void_credit_note": StateRule(done=("void",), undone=("issued",)),
    # A canceled subscription is never active again.
    "cancel_subscription": StateRule(
        done=("canceled",),
        undone=("active", "trialing", "past_due", "unpaid", "paused", "incomplete"),
    ),
    "delete_customer_subscription": StateRule(
        done=("canceled",),
        undone=("active", "trialing", "past_due", "unpaid", "paused", "incomplete"),
        unless=("at_period_end",),
    ),
    "cancel_subscription_schedule": StateRule(
        done=("canceled",), undone=("not_started", "active", "completed", "released")
    ),
    "release_subscription_schedule": StateRule(
        done=("released",), undone=("not_started", "active", "completed", "canceled")
    ),
    "finalize_quote": StateRule(done=("open", "accepted"), undone=("draft",)),
    "accept_quote": StateRule(done=("accepted",), undone=("draft", "open")),
    "cancel_quote": StateRule(done=("canceled",), undone=("draft", "open", "accepted")),
    "expire_checkout_session": StateRule(done=("expired",), undone=("open", "complete")),
    "cancel_refund": StateRule(done=("canceled",), undone=("pending", "requires_action")),
    "cancel_payout": StateRule(done=("canceled",), undone=("pending", "in_transit", "paid")),
    "cancel_topup": StateRule(done=("canceled",), undone=("pending", "succeeded")),
    # A closed dispute is lost. Stripe may also decide so by itself.
    "close_dispute": StateRule(done=("lost",), undone=("needs_response", "under_review")),
    "approve_review": StateRule(field="open", done=(False,), undone=(True,)),
    "cancel_identity_verification_session": StateRule(
        done=("canceled",), undone=("requires_input", "processing", "verified")
    ),
    # These two undo each other, so that neither state proves that an operation did not happen.
    "deactivate_billing_meter": StateRule(done=("inactive",)),
    "reactivate_billing_meter": StateRule(done=("active",)),
    "close_treasury_financial_account": StateRule(done=("closed",), undone=("open",)),
    "cancel_treasury_inbound_transfer": StateRule(done=("canceled",), undone=("processing",)),
    "cancel_treasury_outbound_payment": StateRule(done=("canceled",), undone=("processing",)),
    "cancel_treasury_outbound_transfer": StateRule(done=("canceled",), undone=("processing",)),
}
"""{name of the operation: its row}."""
