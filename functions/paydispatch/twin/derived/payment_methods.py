"""The payment methods that a create makes: of a test card such as `pm_card_visa`, and of `payment_method_data`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paydispatch.twin.objects.cards import plain
from paydispatch.twin.objects.factory import complete

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from paydispatch.twin.objects.factory import CreationContext
    from paydispatch.twin.objects.store import StripeObject

_TEST_CARD = "pm_card_"
_LAST4 = {"mastercard": "4444", "amex": "8431", "discover": "1117", "diners": "3237", "jcb": "0505"}
_EXPIRY_YEARS = 3
_ERRORS = {"payment_intent": "last_payment_error", "setup_intent": "last_setup_error"}
"""The field that has the error of a declined card."""


def of_intent(
    intent: StripeObject, params: Mapping[str, Any], context: CreationContext
) -> Iterator[StripeObject]:
    """Yield the payment method that the create makes, and name it in the payment intent.

    A declined card is not named there, but its charge names it.
    """
    named, data = params.get("payment_method"), params.get("payment_method_data")
    if not is_test_card(named) and not isinstance(data, dict):
        return
    method = _make(intent, named, data or {}, context)
    if intent[_ERRORS[intent["object"]]] is None:
        intent["payment_method"] = method["id"]
    yield method


def of_card(named: str, customer: str, context: CreationContext) -> StripeObject:
    """Return the payment method of a customer that a test card makes."""
    owner = {"id": context.naming.letters(24)}
    return _make(owner, named, {}, context, customer=customer)


def of_subscription(
    subscription: StripeObject, _params: Mapping[str, Any], context: CreationContext
) -> Iterator[StripeObject]:
    """Yield the default payment method if it is a test card, and name it in the subscription."""
    named = subscription["default_payment_method"]
    if is_test_card(named):
        method = _make(subscription, named, {}, context, customer=subscription["customer"])
        subscription["default_payment_method"] = method["id"]
        yield method


def of_customer(
    customer: StripeObject, params: Mapping[str, Any], context: CreationContext
) -> Iterator[StripeObject]:
    """Yield the attached payment method, and name it in `invoice_settings` if the create names it there too."""
    named = params.get("payment_method")
    if not isinstance(named, str) or not named or context.find(named) is not None:
        return
    method = _make(customer, named, {}, context, customer=customer["id"])
    settings = customer["invoice_settings"] or {}
    if settings.get("default_payment_method") == named:
        settings["default_payment_method"] = method["id"]
    yield method


def card_facts(named: str) -> dict[str, Any]:
    """Return the brand and the last digits of a test card by its name. An unknown card is a Visa card."""
    brand = named.removeprefix(_TEST_CARD).removeprefix("tok_").partition("_")[0]
    known = brand in _LAST4
    return {"brand": brand if known else "visa", "last4": _LAST4.get(brand, "4242")}


def is_test_card(named: Any) -> bool:
    return isinstance(named, str) and named.startswith(_TEST_CARD)


def _make(
    owner: StripeObject,
    named: Any,
    data: Mapping[str, Any],
    context: CreationContext,
    customer: str | None = None,
) -> StripeObject:
    is_own = isinstance(named, str) and not is_test_card(named)
    kind = data.get("type", "card")
    card = named or (data.get("card") or {}).get("token") or ""
    fields = {
        "id": named if is_own else context.new_id("pm", owner),
        "customer": customer,
        "metadata": data.get("metadata") or {},
        "type": kind,
    }
    method = complete("payment_method", fields, context)
    method["billing_details"] |= data.get("billing_details") or {}
    method[kind] = _card(str(card), context.now) if kind == "card" else {}
    return method


def _card(named: str, now: int) -> dict[str, Any]:
    year = 1970 + now // 31_556_952 + _EXPIRY_YEARS
    return {
        **card_facts(named),
        "country": "US",
        "fingerprint": plain(named),
        "exp_month": 12,
        "exp_year": year,
        "funding": "credit",
    }
