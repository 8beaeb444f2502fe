"""What operators see of the limits: the state of an account, of the pauses and of the breakers of keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paydispatch.domain.rates.lanes import RateLane


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitView:
    """One limit of an account."""

    operation: str | None
    """None: the limit of all calls of the account."""
    configured: int | None
    """Calls per second. None: no limit."""
    overridden: bool
    """The configured limit was set for this account."""
    rate: int | None
    """Calls per second as they stand now. Lower than configured after a 429."""
    cap_in_flight: int | None = None
    """The greatest number of calls in flight, after a 429 about concurrency."""
    in_flight: int = 0
    """The calls in flight, counted while there is a cap."""
    reserved: int = 0
    """The calls that wait for a later tenth of a second."""
    deferred_until: float | None = None
    """When the last deferred call comes back, in unix seconds. None: no call is deferred."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    lane: RateLane | None
    """None: all lanes."""
    since_s: float
    by: str
    """The operator's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    """The state of an account's limits."""

    account: str
    """Its name with the mode: `live acct_1`."""
    limits: Sequence[LimitView]
    """The limit of all calls first, then the operations that were used or set, by name."""
    pauses: Sequence[Pause] = ()
    """Those of the account. Pauses of all accounts are listed apart."""
    failures_in_a_row: int = 0
    next_probe_at: float | None = None
    """Unix seconds. None: the breaker of the account is closed."""

    @property
    def breaker_open(self) -> bool:
        return self.next_probe_at is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyBreakerView:
    """An open breaker of a key."""

    key_sha256: str
    operation: str | None
    """None: for all operations."""
    since_s: float
    next_probe_at: float
    refusals: int
