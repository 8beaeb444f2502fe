"""The customer's money is free again."""

from typing import Any

from paydispatch import Flow

from shop.orders import Orders


def run(parsed_data: dict[str, Any], flow: Flow) -> None:
    Orders.from_env().move(flow.context_id, "cancelled", of=("cancelling",))
