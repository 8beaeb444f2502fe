"""The discount of a coupon. Which parameters it has together is checked with the schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydispatch.twin.rules.amounts import check_positive
from paydispatch.twin.wire.errors import invalid_request

if TYPE_CHECKING:
    from paydispatch.twin.rules.situation import Situation

_COUNTS = ("amount_off", "duration_in_months", "max_redemptions")


def check_discount(create: Situation) -> None:
    """Require 0 < percent_off ≤ 100, and positive counts and amounts."""
    percent = create.value("percent_off")
    if percent is not None and not 0 < float(percent) <= 100:
        raise invalid_request(
            f"Invalid percent_off: {percent}. It must be greater than 0 and at most 100.",
            param="percent_off",
        )
    for name in _COUNTS:
        count = create.value(name)
        if count is not None:
            check_positive(count, name)
