"""Stripe has made a payment intent: of a renewal, which is paid, or of an order, whose money is reserved."""

from typing import Any

from paydispatch import Flow

from shop.orders import Orders


def run(parsed_data: dict[str, Any], flow: Flow) -> None:
    orders, payment = Orders.from_env(), parsed_data["id"]
    if contract := parsed_data["metadata"].get("contract"):
        orders.renew(contract, payment)
    elif parsed_data["status"] == "requires_capture":
        orders.move(
            flow.context_id, "authorised", of=("new", "authorising", "unclear"), payment=payment
        )
        flow.capture_payment_intent(payment).call_async()
    else:
        orders.move(
            flow.context_id,
            "unclear",
            of=("new", "authorising"),
            payment=payment,
            reason=parsed_data["status"],
        )
