"""The operations that lead to a state, which can be seen in their object after a lost answer. Kept by hand.

A row says three things about the object that `GET` returns at the path of its id:
- `done`: the states that prove the operation. Somebody else may have led the object there, so that the outcome is
  marked as inferred.
- `undone`: the states that the object cannot have after the operation. They prove that it was not executed, as soon as
  no send can follow. A state that an object can return to is not among them.
- Every other state proves nothing.

Each comment names its source: a page of Stripe's documentation, or a text in Stripe's API reference. The reference is
quoted as Stripe's Python library 16.1.0 has it, for instance `PaymentIntent.cancel`. The names of the states are those
of the library. `tests/unit/domain/test_proofs.py` holds that each row is an operation of the table, and
`tests/unit/domain/test_states_of_the_library.py` that the library knows each state.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_BEFORE_A_SETUP_ENDS = (
    "requires_payment_method",
    "requires_confirmation",
    "requires_action",
    "processing",
)
_BEFORE_A_PAYMENT_ENDS = (*_BEFORE_A_SETUP_ENDS, "requires_capture")
_LIVING_SUBSCRIPTION = ("active", "trialing", "past_due", "unpaid", "paused", "incomplete")


@dataclass(frozen=True, slots=True, kw_only=True)
class StateRule:
    """One row."""

    done: tuple[Any, ...]
    undone: tuple[Any, ...] = ()
    field: str = "status"
    """The member of the object that holds its state."""
    unless: tuple[str, ...] = ()
    """Parameters with which the operation may leave the object in its old state, so that the state proves nothing."""
    more: tuple[str, ...] = ()
    """Parameters that ask for an effect which the state does not show. If one of them is true, `done` proves nothing,
    because another program may have led the object there without that effect."""
    same: tuple[tuple[str, str], ...] = ()
    """Pairs of a parameter and the member that shows its value. If they differ, another request led to the state."""

    def more_asked(self, params: Mapping[str, Any]) -> str | None:
        """Return the parameter that asks for an effect which the state does not show. None: there is none."""
        return next((name for name in self.more if params.get(name) in (True, "true")), None)


RULES: Mapping[str, StateRule] = {
    # docs.stripe.com/payments/paymentintents/lifecycle: a payment intent never leaves `succeeded` or `canceled`, and a
    # refund changes neither. A capture may pass through `processing`, which proves nothing. One that is not the final
    # one leaves the intent in `requires_capture` (`PaymentIntentCaptureParams.final_capture`). The final one releases
    # the rest, so that an intent with another amount was captured by another request.
    "capture_payment_intent": StateRule(
        done=("succeeded",),
        undone=("requires_capture", "canceled"),
        unless=("final_capture",),
        same=(("amount_to_capture", "amount_received"),),
    ),
    # `PaymentIntent.cancel`: after it any operation on the intent fails. Stripe cancels an uncaptured intent by itself
    # after seven days (`PaymentIntent.capture`). That has the same effect.
    "cancel_payment_intent": StateRule(
        done=("canceled",), undone=("succeeded", *_BEFORE_A_PAYMENT_ENDS)
    ),
    # `SetupIntent.cancel`: the same, without a capture.
    "cancel_setup_intent": StateRule(
        done=("canceled",), undone=("succeeded", *_BEFORE_A_SETUP_ENDS)
    ),
    # `PaymentIntent.confirm`: a failed payment leads back to `requires_payment_method`, or to `canceled` at the limit
    # of confirmations. A manual confirmation leads back to `requires_confirmation`. None of these proves anything.
    "confirm_payment_intent": StateRule(done=("succeeded", "processing", "requires_capture")),
    # `SetupIntent.confirm`: the same, without a capture.
    "confirm_setup_intent": StateRule(done=("succeeded", "processing")),
    # `Charge.captured`: whether the charge "is still uncaptured or has since been captured". A refund does not change
    # it. `Charge.amount_captured`: a partial capture has the lower amount.
    "capture_charge": StateRule(
        field="captured", done=(True,), undone=(False,), same=(("amount", "amount_captured"),)
    ),
    # support.stripe.com/questions/invoice-states: an invoice is finalized before it is open, paid or void, and never
    # returns to `draft`. Stripe finalizes a draft by itself too (`Invoice.finalize_invoice`). `uncollectible` proves
    # nothing, because the reference marks a draft so (docs.stripe.com/api/invoices/mark_uncollectible).
    "finalize_invoice": StateRule(done=("open", "paid", "void"), undone=("draft",)),
    # support.stripe.com/questions/invoice-states: `paid` is final, and a draft cannot be paid. Stripe may have
    # collected the payment by itself, and then the invoice was not paid out of band
    # (`InvoicePayParams.paid_out_of_band`). An invoice that is being paid by a bank debit stays `open`.
    "pay_invoice": StateRule(done=("paid",), undone=("draft",), more=("paid_out_of_band",)),
    # support.stripe.com/questions/invoice-states: `void` is final. `Invoice.void_invoice`: it "cannot be undone".
    "void_invoice": StateRule(done=("void",), undone=("draft", "open", "paid", "uncollectible")),
    # support.stripe.com/questions/invoice-states: an uncollectible invoice can still become `void` or `paid`, so that
    # these two prove nothing. It never becomes `open` again.
    "mark_uncollectible_invoice": StateRule(done=("uncollectible",), undone=("draft", "open")),
    # `CreditNote.status`: `issued` or `void`. No operation leads out of `void`.
    "void_credit_note": StateRule(done=("void",), undone=("issued",)),
    # `Subscription.cancel`: after it the subscription is "largely immutable". Stripe cancels one by itself when its
    # payments failed or its period ended, and then makes no final invoice or proration. An incomplete one becomes
    # `incomplete_expired` by its cancellation and by time (`Subscription.status`), so that this state proves nothing.
    "cancel_subscription": StateRule(
        done=("canceled",), undone=_LIVING_SUBSCRIPTION, more=("invoice_now", "prorate")
    ),
    # `at_period_end` is a parameter of older versions. A request may send it unchecked.
    "delete_customer_subscription": StateRule(
        done=("canceled",),
        undone=_LIVING_SUBSCRIPTION,
        unless=("at_period_end",),
        more=("invoice_now", "prorate"),
    ),
    # `SubscriptionSchedule.cancel` and `.release`: only a schedule that is `not_started` or `active` can be canceled or
    # released. So none of the other three states follows another one of them.
    "cancel_subscription_schedule": StateRule(
        done=("canceled",),
        undone=("not_started", "active", "completed", "released"),
        more=("invoice_now", "prorate"),
    ),
    "release_subscription_schedule": StateRule(
        done=("released",), undone=("not_started", "active", "completed", "canceled")
    ),
    # docs.stripe.com/quotes/overview: draft → open → accepted, and draft or open → canceled. A quote also becomes
    # `canceled` when it expires. So `canceled` does not prove that a quote was or was not finalized.
    "finalize_quote": StateRule(done=("open", "accepted"), undone=("draft",)),
    "accept_quote": StateRule(done=("accepted",), undone=("draft", "open")),
    "cancel_quote": StateRule(done=("canceled",), undone=("draft", "open", "accepted")),
    # `checkout.Session.expire`: only an open session can be expired. It expires by itself after its `expires_at`, which
    # has the same effect.
    "expire_checkout_session": StateRule(done=("expired",), undone=("open", "complete")),
    # `Refund.cancel`: only a refund in `requires_action` can be canceled. `succeeded` and `failed` prove nothing,
    # because a refund can change between them.
    "cancel_refund": StateRule(done=("canceled",), undone=("pending", "requires_action")),
    # `Payout.cancel`: only a pending payout can be canceled. `Payout.status`: a bank may also lead it to `canceled`,
    # and the funds come back in both cases. `paid` can become `failed`, so that `failed` proves nothing.
    "cancel_payout": StateRule(done=("canceled",), undone=("pending", "in_transit", "paid")),
    # `Topup.cancel`: only a pending top-up can be canceled.
    "cancel_topup": StateRule(done=("canceled",), undone=("pending", "succeeded")),
    # `Dispute.close`: the status changes "from needs_response to lost", and "closing a dispute is irreversible". The
    # bank may also decide so. The money is lost in both cases. The states of a warning and of an appeal prove nothing.
    "close_dispute": StateRule(done=("lost",), undone=("needs_response", "under_review")),
    # `Review.closed_reason`: a refund or a dispute closes a review too, and then nobody approved the payment. So its
    # `open` alone proves nothing. The reason is null while the review is open.
    "approve_review": StateRule(field="closed_reason", done=("approved",), undone=(None,)),
    # `identity.VerificationSession.cancel`: only a session in `requires_input` can be canceled, and it "cannot be
    # undone".
    "cancel_identity_verification_session": StateRule(
        done=("canceled",), undone=("requires_input", "processing", "verified")
    ),
    # `billing.Meter.deactivate` and `.reactivate` undo each other, so that neither state proves that an operation did
    # not happen.
    "deactivate_billing_meter": StateRule(done=("inactive",)),
    "reactivate_billing_meter": StateRule(done=("active",)),
    # `treasury.FinancialAccount.status`: `open` or `closed`. No operation opens a closed account.
    "close_treasury_financial_account": StateRule(done=("closed",), undone=("open",)),
    # `treasury.InboundTransfer.status`, `treasury.OutboundPayment.status`, `treasury.OutboundTransfer.status`: each is
    # `processing` until it ends. The other ends prove nothing.
    "cancel_treasury_inbound_transfer": StateRule(done=("canceled",), undone=("processing",)),
    "cancel_treasury_outbound_payment": StateRule(done=("canceled",), undone=("processing",)),
    "cancel_treasury_outbound_transfer": StateRule(done=("canceled",), undone=("processing",)),
}
"""{name of the operation: its row}."""
