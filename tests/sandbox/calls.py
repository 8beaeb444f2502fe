"""The calls that are made both to Stripe's sandbox and to the twin.

A value `@name` stands for the id in the answer to the call of that name, and `@name.field` for another field of it. A
path names such an id in braces. The calls are those of the demo and those of
`tests/integration/test_twin_conformance.py`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from paydispatch.domain.stripe.resources import RESOURCES, Resource

CREATES = json.loads(
    (Path(__file__).parents[1] / "integration/twin_creates.json").read_text("utf-8")
)
"""{object: parameters of a create}. The conformance tests make the same creates."""

CREATE_ORDER = (
    "product",
    "price",
    "customer",
    "coupon",
    "subscription",
    "payment_intent",
    "refund",
    "invoice",
    "checkout.session",
    "payment_link",
)
"""Each object stands behind those that its parameters name."""

WITHOUT_REDIRECTS = {"enabled": True, "allow_redirects": "never"}


@dataclass(frozen=True, slots=True)
class Call:
    """One call of Stripe's API."""

    name: str
    method: str
    path: str
    params: dict[str, Any] = field(default_factory=dict)
    key: str | None = None
    """Calls with the same text here have the same idempotency key."""

    secret: str | None = None
    """A wrong key, to see how it is refused. None: the key of the run."""

    @property
    def creates(self) -> bool:
        """True if the call creates an object that must be cleaned up."""
        return self.method == "POST" and "{" not in self.path


def every_call() -> list[Call]:
    """Return all calls, in the order in which they must be made."""
    creates = [call for name in CREATE_ORDER for call in _calls_of(_resource(name))]
    return [*creates, *_errors(), *_expansions(), *_follow_ups(), *_demo()]


def _resource(name: str) -> Resource:
    return next(resource for resource in RESOURCES if resource.name == name)


def _calls_of(resource: Resource) -> list[Call]:
    """Return a create, its repeat, a read, a list, and a read of an id that does not exist."""
    name, path, params = resource.name, resource.endpoint, CREATES[resource.name]
    return [
        Call(name, "POST", path, params, key=name),
        Call(f"{name}, repeated", "POST", path, params, key=name),
        Call(f"{name}, read", "GET", f"{path}/{{{name}}}"),
        Call(f"{name}, listed", "GET", path, {"limit": 1}),
        Call(f"{name}, not found", "GET", f"{path}/gone_1"),
    ]


def _errors() -> list[Call]:
    declined = {**CREATES["payment_intent"], "payment_method": "pm_card_chargeDeclined"}
    return [
        Call("a declined card", "POST", "/v1/payment_intents", declined),
        Call("a first use of a key", "POST", "/v1/products", {"name": "Tea"}, key="reused"),
        Call("the key with other parameters", "POST", "/v1/products", {"name": "Mate"}, "reused"),
        Call("an unknown parameter", "POST", "/v1/products", {"label": "Tea"}),
        Call("a missing parameter", "POST", "/v1/payment_intents", {"currency": "usd"}),
        Call("a wrong type", "POST", "/v1/payment_intents", {"amount": "ten", "currency": "usd"}),
        Call("a key that is none", "GET", "/v1/products", secret="nonsense"),
    ]


def _expansions() -> list[Call]:
    price = {**CREATES["price"], "expand": ["product"]}
    paths = {
        "payment_intent": "charges",
        "product": "name",
        "price": "product.default_price.product.default_price.product",
    }
    refused = [
        Call(
            f"{name}, expanded by {path}",
            "POST",
            _resource(name).endpoint,
            {**CREATES[name], "expand": [path]},
        )
        for name, path in paths.items()
    ]
    return [
        Call("a price with its product", "POST", "/v1/prices", price),
        Call("prices with their products", "GET", "/v1/prices", {"expand": ["data.product"]}),
        Call("prices, wrongly expanded", "GET", "/v1/prices", {"expand": ["product"]}),
        *refused,
    ]


def _follow_ups() -> list[Call]:
    """Return calls whose objects follow from a create: invoices, charges, cards, line items."""
    items = [{"price": "@price", "quantity": 2}]
    subscription = {"customer": "@customer", "items": items}
    secret = ["latest_invoice.confirmation_secret", "latest_invoice.payments"]
    charge = ["latest_charge.balance_transaction", "payment_method"]
    card = {"payment_method": "pm_card_visa", "source": "tok_amex"}
    paid = {**CREATES["payment_intent"], "expand": charge}
    return [
        Call(
            "an incomplete subscription",
            "POST",
            "/v1/subscriptions",
            {**subscription, "payment_behavior": "default_incomplete", "expand": secret},
        ),
        Call(
            "a trial with its setup intent",
            "POST",
            "/v1/subscriptions",
            {**subscription, "trial_period_days": 7, "expand": ["pending_setup_intent"]},
        ),
        Call("a payment with its charge", "POST", "/v1/payment_intents", paid),
        Call(
            "its refund",
            "POST",
            "/v1/refunds",
            {"charge": "@a payment with its charge.latest_charge", "expand": ["payment_intent"]},
        ),
        Call("line items", "GET", "/v1/checkout/sessions/{checkout.session}/line_items"),
        Call("line items of a link", "GET", "/v1/payment_links/{payment_link}/line_items"),
        Call("a customer with cards", "POST", "/v1/customers", card),
        Call("their cards", "GET", "/v1/customers/{a customer with cards}/payment_methods"),
    ]


def _demo() -> list[Call]:
    """Return the conversations of the demo: capture, a capture of too much, cancel."""
    authorise = {
        "amount": 2000,
        "currency": "usd",
        "capture_method": "manual",
        "confirm": True,
        "payment_method": "pm_card_visa",
        "automatic_payment_methods": WITHOUT_REDIRECTS,
    }
    intents = "/v1/payment_intents"
    return [
        Call("an authorised payment", "POST", intents, authorise),
        Call("its capture", "POST", intents + "/{an authorised payment}/capture"),
        Call("its second capture", "POST", intents + "/{an authorised payment}/capture"),
        Call("another authorised payment", "POST", intents, authorise),
        Call(
            "a capture of too much",
            "POST",
            intents + "/{another authorised payment}/capture",
            {"amount_to_capture": 2500},
        ),
        Call("its cancel", "POST", intents + "/{another authorised payment}/cancel"),
        Call("its second cancel", "POST", intents + "/{another authorised payment}/cancel"),
        Call("an update", "POST", "/v1/products/{product}", {"name": "Mate"}),
    ]
