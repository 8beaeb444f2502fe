"""What a subscription costs at first. The rule that judges its create and the invoice that follows compute it here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def amount_of(price: Mapping[str, Any], quantity: Any, currency: str | None = None) -> int | None:
    """Return the amount of an item in minor units. None: it depends on more than the price."""
    if (price.get("recurring") or {}).get("usage_type") == "metered":
        return 0
    unit = price.get("unit_amount")
    is_flat = price.get("billing_scheme", "per_unit") == "per_unit"
    if unit is None or not is_flat or currency not in (None, price.get("currency")):
        return None
    return int(unit) * (1 if quantity is None else int(quantity))


def less_coupons(amount: int, coupons: Iterable[Mapping[str, Any]]) -> int:
    """Return what is left of `amount` after the coupons, in their order. Each takes a share or a fixed amount off."""
    for coupon in coupons:
        share = coupon.get("percent_off") or 0
        amount -= round(amount * share / 100) + (coupon.get("amount_off") or 0)
    return amount
