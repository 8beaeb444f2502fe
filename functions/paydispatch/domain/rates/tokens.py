"""What a call asks of the rate limiter, and its answers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paydispatch.domain.rates.lanes import RateLane

CONFIRM_AFTER_S = 0.1
"""A token that was waited for longer than this is confirmed before the call.

The limit may have shrunk meanwhile, or an operator may have paused the account. The tokens of the next tenth of a
second stand anyway.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenAsk:
    """One call that asks for its tokens."""

    account: str
    """`AccountBinding.rate_account`."""
    operation: str
    """The operation's name. Lists and other reads have a name of their own, such as `list_payment_intents`."""
    lane: RateLane
    longest_wait_s: float
    """The longest wait that the call can sleep now. The lane's own bound holds too."""
    weight: int = 1
    """The tokens of one call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """The tokens are reserved. The call may go after `wait_s`."""

    ask: TokenAsk
    wait_s: float
    epoch: str = ""
    """The state of the account's limits in which the tokens were reserved. After a change they count no more."""
    in_flight: str = ""
    """The name of the call in the account's set of calls in flight, while there is a cap on them."""
    watched: bool = False
    """The limiter wants to hear of a success, because earlier calls failed or a probe is out."""

    @property
    def must_be_confirmed(self) -> bool:
        return self.wait_s > CONFIRM_AFTER_S


class Why(StrEnum):
    """Why a call does not go now."""

    RATE = "rate_limit"
    IN_FLIGHT = "concurrency_limit"
    PAUSED = "paused"
    OUTAGE = "outage"
    KEY_REFUSED = "key_refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Postponed:
    """Nothing is reserved. The call is deferred by `delay_s`."""

    why: Why
    delay_s: float


TokenAnswer = Granted | Postponed
