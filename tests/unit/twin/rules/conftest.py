"""A strict twin with the objects that creates name, and a way to send the parameters of a create."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.twin.conftest import Client

from paydispatch.domain.form_encoding import encode
from paydispatch.domain.stripe.resources import resource_named
from paydispatch.twin.clock import TwinClock
from paydispatch.twin.twin import StripeTwin

if TYPE_CHECKING:
    from tests.unit.twin.conftest import Reply

NOW = 1_700_000_000
CARD = {
    "payment_method": "pm_card_visa",
    "invoice_settings": {"default_payment_method": "pm_card_visa"},
}
MONTHLY = {"currency": "usd", "unit_amount": 500, "recurring": {"interval": "month"}}
ONE_TIME = {"currency": "usd", "unit_amount": 500}
NO_REDIRECTS = {"automatic_payment_methods": {"enabled": True, "allow_redirects": "never"}}


@dataclass
class Shop:
    """One account of a twin. The twin's clock moves only when a test moves it."""

    client: Client

    def create(self, name: str, params: dict[str, Any], **headers: str) -> Reply:
        """Send a create."""
        endpoint = resource_named(name).endpoint
        return self.client.post(endpoint, encode(params).decode(), **headers)

    def make(self, name: str, params: dict[str, Any]) -> dict[str, Any]:
        """Return the object of a create that Stripe accepts."""
        reply = self.create(name, params)
        assert reply.status == 200, reply.text
        made: dict[str, Any] = reply.json
        return made

    def customer(self, **params: Any) -> str:
        return str(self.make("customer", {"name": "Ada", **params})["id"])

    def price(self, **params: Any) -> str:
        data = {"product_data": {"name": "Tea"}}
        return str(self.make("price", {**data, **ONE_TIME, **params})["id"])

    def monthly(self, **params: Any) -> str:
        return self.price(**{**MONTHLY, **params})

    def payment(self, amount: int = 2000, currency: str = "usd", **params: Any) -> dict[str, Any]:
        """Return a payment intent that has succeeded."""
        paid = {"confirm": True, "payment_method": "pm_card_visa", **NO_REDIRECTS}
        asked = {"amount": amount, "currency": currency, **paid, **params}
        return self.make("payment_intent", asked)


def open_shop(*, strict: bool = True) -> Shop:
    clock = TwinClock(source=lambda: float(NOW))
    return Shop(Client(StripeTwin(strict=strict, seed=7, clock=clock)))


@pytest.fixture
def shop() -> Shop:
    return open_shop()


@pytest.fixture
def lenient_shop() -> Shop:
    return open_shop(strict=False)


def refusal(reply: Reply) -> tuple[int, str | None, str | None]:
    """Return the status, code and param of a refusal."""
    assert reply.error["type"] == "invalid_request_error"
    return reply.status, reply.error.get("code"), reply.error.get("param")
