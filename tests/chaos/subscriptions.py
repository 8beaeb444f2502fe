"""The customers and prices that the subscriptions of a chaos run name. They exist before its first request."""

from __future__ import annotations

import uuid
from typing import Any

import httpx

DEMO_KEY = "sk_test_local_demo"
"""The key in the secret `demo` of the local stack, which direct producers name."""

TIMEOUT_S = 5.0
MOST_ATTEMPTS = 50

_CUSTOMER = {
    "payment_method": "pm_card_visa",
    "invoice_settings[default_payment_method]": "pm_card_visa",
}
_PRICE = {
    "currency": "usd",
    "unit_amount": "1500",
    "recurring[interval]": "month",
    "product_data[name]": "Tea",
}


def prepare_subscriptions(stripe_base: str, keys: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Return the parameters of a subscription for the account of each key."""
    return {key: _prepare(stripe_base, key) for key in (*keys, DEMO_KEY)}


def _prepare(stripe_base: str, key: str) -> dict[str, Any]:
    customer = create_object(f"{stripe_base}/v1/customers", _CUSTOMER, key)
    price = create_object(f"{stripe_base}/v1/prices", _PRICE, key)
    return {"customer": customer, "items": [{"price": price}]}


def create_object(url: str, form: dict[str, str], key: str) -> str:
    """Create an object and return its id. Repeat the call, because the twin already injects its faults."""
    for _ in range(MOST_ATTEMPTS):
        # A key of its own for each attempt, because Stripe would replay a 500 under the same one.
        headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": f"prepare-{uuid.uuid4()}"}
        try:
            answer = httpx.post(url, data=form, headers=headers, timeout=TIMEOUT_S)
            if answer.status_code == httpx.codes.OK:
                return str(answer.json()["id"])
        except (httpx.TransportError, ValueError):
            continue
    raise RuntimeError(f"{url} did not create an object in {MOST_ATTEMPTS} attempts.")
