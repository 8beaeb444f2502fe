"""The rules of each object, in the order in which they are checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydispatch.twin.rules.amounts import check_payment_amount
from paydispatch.twin.rules.checkout_sessions import check_mode
from paydispatch.twin.rules.confirmation import check_confirmation
from paydispatch.twin.rules.coupons import check_discount
from paydispatch.twin.rules.payment_methods import (
    check_payment_method,
    check_source,
    check_token,
)
from paydispatch.twin.rules.prices import check_prices
from paydispatch.twin.rules.refunds import check_refund
from paydispatch.twin.rules.statement_descriptors import (
    check_descriptor,
    check_descriptor_of_card,
    check_descriptors,
)
from paydispatch.twin.rules.subscriptions import (
    check_billing_cycle_anchor,
    check_payment_method_to_charge,
)
from paydispatch.twin.rules.times import (
    check_checkout_trial,
    check_times,
    check_trial_days,
    end_of_session,
    end_of_trial,
    in_five_years,
    in_future,
    in_past,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from paydispatch.twin.rules.situation import Situation

RULES: Mapping[str, Sequence[Callable[[Situation], None]]] = {
    "product": (check_descriptor,),
    "coupon": (check_discount, check_times(redeem_by=in_five_years)),
    "customer": (
        check_payment_method("payment_method"),
        check_payment_method("invoice_settings.default_payment_method"),
        check_token("source"),
    ),
    "subscription": (
        check_times(
            trial_end=end_of_trial,
            cancel_at=in_future,
            billing_cycle_anchor=in_five_years,
            backdate_start_date=in_past,
        ),
        check_trial_days("trial_period_days"),
        check_prices("items", "recurring"),
        check_prices("add_invoice_items", "one_time"),
        check_billing_cycle_anchor,
        check_payment_method("default_payment_method"),
        check_source("default_source"),
        check_payment_method_to_charge,
    ),
    "payment_intent": (
        check_payment_amount,
        check_descriptors(),
        check_payment_method("payment_method"),
        check_confirmation,
        check_descriptor_of_card,
    ),
    "refund": (check_refund,),
    "invoice": (
        check_times(due_date=in_future, automatically_finalizes_at=in_five_years),
        check_payment_method("default_payment_method"),
        check_source("default_source"),
        check_descriptor,
    ),
    "checkout.session": (
        check_prices("line_items"),
        check_mode,
        check_times(expires_at=end_of_session),
        check_checkout_trial,
        check_trial_days("subscription_data.trial_period_days"),
        check_descriptors("payment_intent_data."),
    ),
    "payment_link": (
        check_prices("line_items"),
        check_trial_days("subscription_data.trial_period_days"),
        check_descriptors("payment_intent_data."),
    ),
}


def check_rules(kind: str, create: Situation) -> None:
    """Raise the `StripeError` (400) with which Stripe refuses the create of `kind`, if it does."""
    for rule in RULES.get(kind, ()):
        rule(create)
