"""Stripe's two rate limits. A call counts against both: per account and mode, and per operation of that account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from paydispatch.twin.wire.errors import rate_limited

if TYPE_CHECKING:
    from paydispatch.twin.accounts import Account


@dataclass(frozen=True, slots=True)
class Rates:
    """Limits in calls per second, by default those that Stripe documents. None means no limit."""

    live: float | None = 100
    sandbox: float | None = 25
    operation: float | None = 25

    @classmethod
    def unlimited(cls) -> Rates:
        return cls(None, None, None)


@dataclass(slots=True)
class Bucket:
    """A token bucket with the calls of one second, refilled continuously."""

    rate: float
    tokens: float
    at: float

    def refill(self, now: float) -> None:
        self.tokens = min(max(self.rate, 1.0), self.tokens + (now - self.at) * self.rate)
        self.at = now


class RateLimits:
    def __init__(self, rates: Rates) -> None:
        self.rates = rates
        self._buckets: dict[tuple[Account, str], Bucket] = {}

    def take(self, account: Account, operation: str, now: float) -> None:
        """Take one token from both buckets. Raises `StripeError` (429), and takes none, if either is empty."""
        overall = self._bucket(account, "", self._account_rate(account), now)
        named = self._bucket(account, operation, self.rates.operation, now)
        if overall is not None and overall.tokens < 1:
            raise rate_limited("global-rate")
        if named is not None and named.tokens < 1:
            raise rate_limited("endpoint-rate")
        for bucket in (overall, named):
            if bucket is not None:
                bucket.tokens -= 1

    def _account_rate(self, account: Account) -> float | None:
        return self.rates.live if account.livemode else self.rates.sandbox

    def _bucket(
        self, account: Account, operation: str, rate: float | None, now: float
    ) -> Bucket | None:
        if rate is None:
            return None
        bucket = self._buckets.get((account, operation))
        if bucket is None or bucket.rate != rate:
            bucket = self._buckets[account, operation] = Bucket(rate, max(rate, 1.0), now)
        bucket.refill(now)
        return bucket
