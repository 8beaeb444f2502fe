"""The state in which a lenient twin makes up an object, so that its life allows the act on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_INTENT = {
    "amount": 2000,
    "currency": "usd",
    "capture_method": "automatic_async",
    "metadata": {},
}
_PAYMENTS = {"object": "list", "data": [], "has_more": False, "url": "/v1/invoice_payments"}
_CUSTOMER = {"balance": 0, "invoice_settings": {"default_payment_method": None}}

BEFOREHAND: Mapping[str, Mapping[str, Any]] = {
    "update_payment_intent": {**_INTENT, "status": "requires_payment_method"},
    "confirm_payment_intent": {
        **_INTENT,
        "status": "requires_confirmation",
        "payment_method": "pm_card_visa",
    },
    "cancel_payment_intent": {**_INTENT, "status": "requires_payment_method"},
    "capture_payment_intent": {
        **_INTENT,
        "status": "requires_capture",
        "amount_capturable": 2000,
        "amount_received": 0,
        "capture_method": "manual",
    },
    "increment_authorization_payment_intent": {
        **_INTENT,
        "amount": 1,
        "status": "requires_capture",
        "amount_capturable": 1,
        "amount_received": 0,
        "capture_method": "manual",
    },
    "capture_charge": {"amount": 2000, "currency": "usd", "captured": False},
    "refund_charge": {"amount": 2000, "amount_captured": 2000, "currency": "usd"},
    "update_setup_intent": {"status": "requires_payment_method"},
    "confirm_setup_intent": {"status": "requires_confirmation", "payment_method": "pm_card_visa"},
    "cancel_setup_intent": {"status": "requires_payment_method"},
    "update_customer": _CUSTOMER,
    "create_customer_balance_transaction": _CUSTOMER,
    "detach_payment_method": {"customer": "cus_1"},
    "cancel_refund": {"status": "requires_action"},
    "update_subscription": {"status": "active"},
    "cancel_subscription": {"status": "active"},
    "resume_subscription": {"status": "paused"},
    "finalize_invoice": {"status": "draft"},
    "pay_invoice": {"status": "open", "currency": "usd", "payments": _PAYMENTS},
    "send_invoice": {"status": "open"},
    "void_invoice": {"status": "open"},
    "mark_uncollectible_invoice": {"status": "open"},
    "delete_invoice": {"status": "draft"},
    "approve_review": {"open": True},
    "close_dispute": {"status": "needs_response"},
    "cancel_identity_verification_session": {"status": "requires_input"},
    "reactivate_billing_meter": {"status": "inactive"},
    "close_treasury_financial_account": {"status": "open"},
    "cancel_treasury_inbound_transfer": {"status": "processing"},
    "cancel_treasury_outbound_payment": {"status": "processing"},
    "cancel_treasury_outbound_transfer": {"status": "processing"},
}
"""The fields of the object by the operation. Any other object has the values of fields that are not set."""
