"""The prices that a create names: active ones, and of the type that the place takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paydispatch.twin.wire.errors import invalid_request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from paydispatch.twin.rules.situation import Situation


def price_of(create: Situation, element: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the price of an item: the one it names, or its own `price_data`. None: it is not known."""
    data = element.get("price_data")
    return data if isinstance(data, dict) else create.find("price", element.get("price"))


def is_recurring(price: Mapping[str, Any]) -> bool:
    return bool(price.get("recurring"))


def check_prices(path: str, wanted: str | None = None) -> Callable[[Situation], None]:
    """Return the rule that the prices of a list are active, and of the type `wanted` (`recurring` or `one_time`)."""

    def check(create: Situation) -> None:
        for name, element in create.elements(path):
            price = create.find("price", element.get("price"))
            if price is not None:
                _check_price(price, wanted, f"{name}[price]")

    return check


def _check_price(price: Mapping[str, Any], wanted: str | None, param: str) -> None:
    if not price["active"]:
        raise invalid_request(
            "The price specified is inactive. This field only accepts active prices.", param=param
        )
    actual = "recurring" if is_recurring(price) else "one_time"
    if wanted not in (None, actual):
        raise invalid_request(
            f"The price specified is set to `type={actual}` but this field only accepts prices "
            f"with `type={wanted}`.",
            param=param,
        )
