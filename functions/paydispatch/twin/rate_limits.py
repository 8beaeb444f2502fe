"""Stripe's limits. A call counts against its account (in one mode), and against its operation of that account.

Each of the two has a limit of calls per second and a limit of calls in flight. The second is off by default.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paydispatch.twin.rate_counts import RateCounts
from paydispatch.twin.wire.errors import rate_limited

if TYPE_CHECKING:
    from paydispatch.twin.accounts import Account

    Place = tuple[Account, str]
    """An account with the name of an operation, or with `ALL`."""

ALL = ""
"""The name of the limits of all calls of an account, beside those of its operations."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Limits in calls per second, by default those that Stripe documents. None means no limit."""

    live: float | None = 100
    sandbox: float | None = 25
    operation: float | None = 25
    account_concurrency: int | None = None
    """Calls in flight of an account. Stripe documents no number."""
    operation_concurrency: int | None = None
    """Calls in flight of one operation of an account."""

    @classmethod
    def unlimited(cls) -> Rates:
        return cls(None, None, None)

    def of(self, place: Place) -> float | None:
        """Return the calls per second at a place."""
        account, operation = place
        if operation != ALL:
            return self.operation
        return self.live if account.livemode else self.sandbox


@dataclass(slots=True)
class Bucket:
    """A token bucket with the calls of one second, refilled continuously."""

    rate: float
    tokens: float
    at: float

    def refill(self, now: float) -> None:
        self.tokens = min(max(self.rate, 1.0), self.tokens + (now - self.at) * self.rate)
        self.at = now

    def change(self, rate: float, now: float) -> None:
        """Go on with another rate. The level stays, so that a change gives nobody a second's worth of calls."""
        self.refill(now)
        self.rate = rate
        self.tokens = min(max(rate, 1.0), self.tokens)


class RateLimits:
    def __init__(self, rates: Rates) -> None:
        self.rates = rates
        self.counts = RateCounts()
        self._buckets: dict[Place, Bucket] = {}
        self._in_flight: Counter[Place] = Counter()

    def change(self, rates: Rates, now: float) -> None:
        """Set other limits, from now on."""
        self.rates = rates
        for place, bucket in tuple(self._buckets.items()):
            rate = rates.of(place)
            if rate is None:
                del self._buckets[place]
            else:
                bucket.change(rate, now)

    def take(self, account: Account, operation: str, now: float) -> None:
        """Count the call against both limits. Raises `StripeError` (429), and takes nothing, if either is reached."""
        places = ((account, ALL), (account, operation))
        reason = self._reason(places, now)
        self.counts.add(account, operation, reason, now)
        if reason is not None:
            raise rate_limited(reason)
        for place in places:
            self._in_flight[place] += 1
            if place in self._buckets:
                self._buckets[place].tokens -= 1

    def leave(self, account: Account, operation: str) -> None:
        """End a call that `take` let through."""
        for place in ((account, ALL), (account, operation)):
            self._in_flight[place] -= 1
            if not self._in_flight[place]:
                del self._in_flight[place]

    def _reason(self, places: tuple[Place, Place], now: float) -> str | None:
        """Return Stripe's name of the limit that is reached, or None."""
        caps = (self.rates.account_concurrency, self.rates.operation_concurrency)
        for place, reason in zip(places, ("global-rate", "endpoint-rate"), strict=True):
            if self._is_empty(place, now):
                return reason
        names = ("global-concurrency", "endpoint-concurrency")
        for place, cap, reason in zip(places, caps, names, strict=True):
            if cap is not None and self._in_flight[place] >= cap:
                return reason
        return None

    def _is_empty(self, place: Place, now: float) -> bool:
        rate = self.rates.of(place)
        if rate is None:
            return False
        bucket = self._buckets.get(place)
        if bucket is None:
            bucket = self._buckets[place] = Bucket(rate, max(rate, 1.0), now)
        bucket.refill(now)
        return bucket.tokens < 1
