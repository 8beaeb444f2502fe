"""The money is there: ship the goods."""

from typing import Any

from paydispatch import Flow

from shop.orders import Orders


def run(parsed_data: dict[str, Any], flow: Flow) -> None:
    orders = Orders.from_env()
    orders.move(flow.context_id, "paid", of=("authorised", "unclear"))
    orders.send_parcel(flow.context_id)
