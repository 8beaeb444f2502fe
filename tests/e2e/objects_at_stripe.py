"""The objects that example requests name, created in the twin before the requests."""

from __future__ import annotations

from typing import Any

import httpx

_CARD = {
    "payment_method": "pm_card_visa",
    "invoice_settings[default_payment_method]": "pm_card_visa",
}
_TEA = {"currency": "usd", "unit_amount": "2000", "product_data[name]": "Tea"}
_PAID = {
    "amount": "2000",
    "currency": "usd",
    "confirm": "true",
    "payment_method": "pm_card_visa",
    "automatic_payment_methods[enabled]": "true",
    "automatic_payment_methods[allow_redirects]": "never",
}


class ObjectsAtStripe:
    """Creates objects in the account of one key."""

    def __init__(self, stripe_base: str, key: str) -> None:
        self._stripe = httpx.Client(base_url=f"{stripe_base}/v1", auth=(key, ""), timeout=10.0)

    def customer(self) -> str:
        """Return the id of a new customer who has a card."""
        return self._create("customers", {"name": "Ada", **_CARD})

    def price(self) -> str:
        return self._create("prices", _TEA)

    def monthly_price(self) -> str:
        return self._create("prices", {**_TEA, "recurring[interval]": "month"})

    def product(self) -> str:
        return self._create("products", {"name": "Tea"})

    def payment(self) -> str:
        """Return the id of a new payment intent that has succeeded."""
        return self._create("payment_intents", _PAID)

    def name_existing(self, params: Any, *, recurring: bool) -> Any:
        """Return the parameters of an example with the ids of new objects. `recurring` selects the kind of price."""
        if isinstance(params, list):
            return [self.name_existing(one, recurring=recurring) for one in params]
        if not isinstance(params, dict):
            return params
        return {
            name: self._existing(name, value, recurring=recurring) for name, value in params.items()
        }

    def _existing(self, name: str, value: Any, *, recurring: bool) -> Any:
        make = {
            "customer": self.customer,
            "payment_intent": self.payment,
            "price": self.monthly_price if recurring else self.price,
            "product": self.product,
        }
        if name in make and isinstance(value, str):
            return make[name]()
        return self.name_existing(value, recurring=recurring)

    def _create(self, collection: str, form: dict[str, str]) -> str:
        answer = self._stripe.post(f"/{collection}", data=form)
        return str(answer.raise_for_status().json()["id"])

    def close(self) -> None:
        self._stripe.close()
