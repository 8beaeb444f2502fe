"""What a limit has learned from Stripe's 429s: it shrinks at once and comes back step by step (AIMD)."""

from __future__ import annotations

from dataclasses import dataclass

from paydispatch.domain.rates.limits import LOWEST_RATE

SHRINK_TO = 0.7
"""The part that is left of a limit after a 429. A limit that Stripe halved is found in two steps."""

RESTORED_PER_S = 0.015
"""The part of the configured limit that each quiet second gives back. A halved limit is back after half a minute."""


@dataclass(frozen=True, slots=True)
class Learned:
    """A limit that shrank: of calls per second, or of calls in flight."""

    value: int
    """The limit just after it shrank."""
    at_s: float
    """Unix seconds of that time."""

    def now(self, now_s: float, configured: int) -> int:
        """Return the limit at `now_s`. It is never above the configured one."""
        restored = int(max(0.0, now_s - self.at_s) * configured * RESTORED_PER_S)
        return min(configured, self.value + restored)


def shrink(value: int, now_s: float) -> Learned:
    """Return the limit after a 429."""
    return Learned(max(LOWEST_RATE, int(value * SHRINK_TO)), now_s)
