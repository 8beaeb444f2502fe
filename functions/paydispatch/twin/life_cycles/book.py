"""The life cycle of each operation that is more than a change of fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from paydispatch.twin.life_cycles.change import Change
    from paydispatch.twin.objects.store import StripeObject

LIFE_CYCLES: Mapping[str, Callable[[Change], StripeObject | None]] = {}
