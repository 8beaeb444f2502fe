"""The rules of a payment intent that is confirmed as it is created: the parameters it needs, and those of it alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydispatch.twin.wire.errors import invalid_request

if TYPE_CHECKING:
    from paydispatch.twin.rules.situation import Situation

ONLY_WITH_CONFIRM = (
    "error_on_requires_action",
    "mandate",
    "mandate_data",
    "off_session",
    "return_url",
)
"""Source: the descriptions of these parameters in https://docs.stripe.com/api/payment_intents/create."""

DASHBOARD_METHODS_SINCE = "2023-08-16"
"""From this version of Stripe's API on, a payment intent takes the payment methods of the Dashboard by default."""

REDIRECTING = frozenset(
    (
        "affirm", "afterpay_clearpay", "alipay", "alma", "amazon_pay", "bancontact", "billie",
        "bizum", "cashapp", "crypto", "eps", "fpx", "giropay", "grabpay",
        "ideal", "kakao_pay", "klarna", "kr_card", "mb_way", "mobilepay", "naver_pay",
        "p24", "pay_by_bank", "payco", "paypal", "revolut_pay", "samsung_pay", "satispay",
        "sofort", "twint", "wechat_pay", "zip",
    )
)  # fmt: skip
"""The types of payment methods that send the customer to another page."""


def check_confirmation(create: Situation) -> None:
    """Check the parameters that depend on `confirm`."""
    if create.value("confirm"):
        _check_method_to_charge(create)
        _check_return_url(create)
        return
    for name in ONLY_WITH_CONFIRM:
        if create.value(name):
            raise invalid_request(
                f"The parameter `{name}` cannot be passed when creating a PaymentIntent unless "
                "`confirm` is set to true.",
                param=name,
            )


def _check_method_to_charge(create: Situation) -> None:
    """Require a payment method. The `default_source` of the customer is one, too."""
    given = ("payment_method", "payment_method_data", "confirmation_token", "source")
    customer = create.find("customer", create.value("customer")) or {}
    if any(create.value(name) for name in given) or customer.get("default_source"):
        return
    raise invalid_request(
        "You cannot confirm this PaymentIntent because it's missing a payment method. You can "
        "either update the PaymentIntent with a payment method and then confirm it again, or "
        "confirm it again directly with a payment method or ConfirmationToken.",
        code="payment_intent_unexpected_state",
    )


def _check_return_url(create: Situation) -> None:
    """Require a `return_url` if a payment method may redirect. A confirmation token may hold the URL."""
    if create.value("return_url") or create.value("confirmation_token"):
        return
    if _may_redirect(create):
        raise invalid_request(
            "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. "
            "Because some of these payment methods might redirect your customer off of your page, "
            "you must provide a `return_url`. If you don't want to accept redirect-based payment "
            "methods, set `automatic_payment_methods[enabled]` to `true` and "
            "`automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents "
            "and Payment Intents."
        )


def _may_redirect(create: Situation) -> bool:
    enabled = create.value("automatic_payment_methods.enabled")
    if enabled is False or create.value("automatic_payment_methods.allow_redirects") == "never":
        return False
    if create.value("payment_method_types"):
        return False  # Stripe then asks for the URL only if the method at hand redirects
    allowed = create.value("allowed_payment_method_types")
    if allowed:
        return not REDIRECTING.isdisjoint(allowed)
    return bool(enabled) or create.version >= DASHBOARD_METHODS_SINCE
