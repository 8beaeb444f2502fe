"""The lanes of the rate budget. Each may use a share of a limit, and reserve tokens for a short time ahead."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paydispatch.domain.requests import Lane


class RateLane(StrEnum):
    """A lane, in the order of precedence."""

    INTERACTIVE = "interactive"
    BATCH = "batch"
    LOOK = "look"
    """Reconcile's reads of Stripe."""

    @classmethod
    def of(cls, lane: Lane) -> RateLane:
        return cls(lane.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneRule:
    """The share and the reach of a lane."""

    share: float
    """The part of each limit that this lane and the lanes below it may use together."""
    longest_wait_s: float
    """How far ahead the lane may reserve tokens. A longer wait reserves nothing, and the request is deferred.

    It is also the time after which another lane has what this lane holds. So batch work yields within a second.
    """


LONGEST_WAIT_S = 20.0
"""The longest wait that may be configured, because a call needs the rest of its invocation."""

LANES: Mapping[RateLane, LaneRule] = {
    RateLane.INTERACTIVE: LaneRule(share=1.0, longest_wait_s=2.0),
    RateLane.BATCH: LaneRule(share=0.8, longest_wait_s=1.0),
    RateLane.LOOK: LaneRule(share=0.5, longest_wait_s=0.5),
}
"""Stripe advises to keep background work to a part of the limit (docs.stripe.com/rate-limits)."""
