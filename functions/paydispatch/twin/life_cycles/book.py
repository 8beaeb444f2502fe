"""The life cycle of each operation that is more than a change of fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydispatch.twin.life_cycles import (
    charges,
    customers,
    disputes,
    invoices,
    payment_intents,
    payment_methods,
    refunds,
    reviews,
    setup_intents,
    subscriptions,
)
from paydispatch.twin.life_cycles.statuses import STATUSES, set_status

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from paydispatch.twin.life_cycles.change import Change
    from paydispatch.twin.objects.store import StripeObject

LIFE_CYCLES: Mapping[str, Callable[[Change], StripeObject | None]] = {
    **{name: set_status(status) for name, status in STATUSES.items()},
    "update_payment_intent": payment_intents.update,
    "confirm_payment_intent": payment_intents.confirm,
    "capture_payment_intent": payment_intents.capture,
    "cancel_payment_intent": payment_intents.cancel,
    "increment_authorization_payment_intent": payment_intents.increment_authorization,
    "update_setup_intent": setup_intents.update,
    "confirm_setup_intent": setup_intents.confirm,
    "cancel_setup_intent": setup_intents.cancel,
    "attach_payment_method": payment_methods.attach,
    "detach_payment_method": payment_methods.detach,
    "update_customer": customers.update,
    "delete_customer": customers.delete,
    "create_customer_balance_transaction": customers.add_to_balance,
    "delete_discount_customer": customers.drop_discount,
    "delete_discount_customer_subscription": customers.drop_discount,
    "delete_discount_subscription": customers.drop_discount,
    "capture_charge": charges.capture,
    "refund_charge": charges.refund,
    "update_charge_dispute": disputes.update,
    "close_charge_dispute": disputes.close,
    "cancel_refund": refunds.cancel,
    "approve_review": reviews.approve,
    "update_subscription": subscriptions.update,
    "update_customer_subscription": subscriptions.update,
    "cancel_subscription": subscriptions.cancel,
    "delete_customer_subscription": subscriptions.cancel,
    "pause_subscription": subscriptions.pause,
    "resume_subscription": subscriptions.resume,
    "finalize_invoice": invoices.finalize,
    "pay_invoice": invoices.pay,
    "send_invoice": invoices.send,
    "void_invoice": invoices.void,
    "mark_uncollectible_invoice": invoices.mark_uncollectible,
    "delete_invoice": invoices.delete,
}
"""By the name of the operation. A function changes the target, and returns the answer if that is another object."""
