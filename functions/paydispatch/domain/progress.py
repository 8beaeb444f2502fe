"""The progress of a request: the state that passes from attempt to attempt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from paydispatch.domain.outcomes import Certainty

if TYPE_CHECKING:
    from paydispatch.domain.stripe.accounts import AccountBinding


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The state of a request between two attempts. The envelope of a deferred request carries it."""

    deadline_at: float
    """Unix seconds."""
    attempt: int = 1
    """The number of the next attempt, from 1."""
    maybe_executed: bool = False
    """The certainty latch: an attempt of this request may have had an effect."""
    first_sent_at: float | None = None
    """Unix seconds of the first POST under this key."""
    store_waits: int = 0
    """How many times in a row the message was deferred because a store was unavailable."""
    fresh_starts: int = 0
    """How many times a copy took the message's place on its last receive, because nothing had been sent."""
    last_sent_at: float | None = None
    """Unix seconds of the last send. The request's slot keeps it, not the message."""
    account: AccountBinding | None = None
    """The Stripe account of the sends. The request's slot keeps it, not the message."""

    @property
    def certainty(self) -> Certainty:
        return Certainty.UNKNOWN if self.maybe_executed else Certainty.NOT_CREATED
