"""Stripe's limits of an account: calls per second in all, and calls per second of one operation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

LOWEST_RATE = 1
"""Calls per second. A lower limit would leave most seconds without a token, and nobody could tell it from a pause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of one account and mode, in calls per second. None means no limit."""

    account: int | None
    """For all calls together."""
    operation: int | None
    """For each operation that `operations` does not name."""
    operations: Mapping[str, int | None] = field(default_factory=dict)

    def of(self, operation: str) -> int | None:
        """Return the limit of one operation."""
        return self.operations.get(operation, self.operation)


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultLimits:
    """The limits by mode of an account for which no operator set others.

    Source: docs.stripe.com/rate-limits. Stripe counts per account and mode, for all keys together.
    """

    live: Limits = Limits(account=100, operation=25)
    sandbox: Limits = Limits(account=25, operation=25)

    def of(self, account: str) -> Limits:
        """Return the limits of an account by its name (`AccountBinding.rate_account`), which begins with the mode.

        An organisation's key without a mode in its prefix counts as a sandbox key, because that limit is lower.
        """
        return self.live if account.startswith("live ") else self.sandbox


NO_LIMITS = DefaultLimits(
    live=Limits(account=None, operation=None), sandbox=Limits(account=None, operation=None)
)
"""For measurements that do not measure limits."""
