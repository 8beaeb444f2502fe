"""The messages of the simulation, and the measurements of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paydispatch.domain.rates.lanes import RateLane


@dataclass(slots=True)
class Message:
    account: str
    operation: str
    lane: RateLane
    accepted_at_s: float
    attempt: int = 1
    deferrals: int = 0
    refusals: int = 0
    """How often Stripe refused it with a 429."""
    asked_at_s: float | None = None
    """When it asked for its tokens for the first time."""
    called_at_s: float = 0.0
    """When its last call left."""
    done_at_s: float | None = None

    @property
    def latency_s(self) -> float:
        """Return the seconds from acceptance to the published outcome."""
        assert self.done_at_s is not None
        return self.done_at_s - self.accepted_at_s

    @property
    def wait_s(self) -> float:
        """Return the seconds that the call waited for its tokens."""
        assert self.asked_at_s is not None
        return self.called_at_s - self.asked_at_s
