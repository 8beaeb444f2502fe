"""A shop that sends its requests to a strict twin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from paydispatch.domain.form_encoding import encode

if TYPE_CHECKING:
    from tests.unit.twin.conftest import Client, Reply


@dataclass(frozen=True)
class Till:
    """Sends calls, and returns the objects of their answers."""

    stripe: Client

    def send(self, path: str, method: str = "POST", /, **params: Any) -> Reply:
        form = encode(params).decode()
        return self.stripe.finish(self.stripe.start(method, f"/v1/{path}", form))

    def post(self, path: str, /, **params: Any) -> Any:
        reply = self.send(path, **params)
        assert reply.status == 200, reply.text
        return reply.json

    def get(self, path: str, query: str = "") -> Any:
        reply = self.stripe.get(f"/v1/{path}", query)
        assert reply.status == 200, reply.text
        return reply.json

    def delete(self, path: str, /, **params: Any) -> Any:
        reply = self.send(path, "DELETE", **params)
        assert reply.status == 200, reply.text
        return reply.json

    def refuse(self, path: str, /, method: str = "POST", **params: Any) -> Any:
        """Return the error of a call that the twin refuses."""
        reply = self.send(path, method, **params)
        assert reply.status in (400, 402, 404), reply.text
        return reply.error

    def intent(self, /, **params: Any) -> Any:
        return self.post("payment_intents", **{"amount": 2000, "currency": "usd", **params})

    def authorized(self) -> Any:
        """Return a payment intent that is authorized and not captured yet."""
        intent = self.intent(capture_method="manual")
        return self.post(
            f"payment_intents/{intent['id']}/confirm", payment_method="pm_card_visa", **RETURN
        )

    def subscription(self, /, **params: Any) -> Any:
        recurring = {"currency": "usd", "unit_amount": 500, "recurring": {"interval": "month"}}
        price = self.post("prices", **recurring, product_data={"name": "Tea"})
        customer = self.post("customers", email="ada@example.com")
        items = [{"price": price["id"], "quantity": 2}]
        return self.post("subscriptions", **{"customer": customer["id"], "items": items, **params})


RETURN = {"return_url": "https://example.com/back"}


@pytest.fixture
def till(strict_stripe: Client) -> Till:
    return Till(strict_stripe)
