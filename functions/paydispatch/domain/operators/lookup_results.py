"""What a look at Stripe says about a request: its effect is there, it is not there, or the look proves nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CLOCKS_APART_S = 900
"""How far Stripe's clock and ours may be apart. If they are further apart, an absence proves nothing."""


NO_END = "Stripe's list does not say whether there are more pages"


@dataclass(frozen=True, slots=True)
class Found:
    """Stripe has the object of the request: the one that it created, or its own one in the state it led to."""

    body: Mapping[str, Any]
    stripe_request_id: str | None = None


@dataclass(frozen=True, slots=True)
class NotFound:
    """The effect of the request is not there: its object is in no list, or its own object is in an earlier state."""

    answered_at: float | None = None
    """Unix seconds by Stripe's clock (the `Date` header). None: Stripe sent no such header."""


@dataclass(frozen=True, slots=True)
class Inconclusive:
    """The lookup proves nothing."""

    reason: str


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list of Stripe, the newest objects first."""

    objects: Sequence[Mapping[str, Any]]
    has_more: object
    """The value in Stripe's answer. Only `False` means the end of the list."""
    stripe_request_id: str | None = None
    answered_at: float | None = None
    """Unix seconds by Stripe's clock (the `Date` header)."""


LookupResult = Found | NotFound | Inconclusive


def both(
    first: NotFound | Inconclusive, second: NotFound | Inconclusive
) -> NotFound | Inconclusive:
    """Return the result of two lookups together.

    They prove an absence only if neither was inconclusive. The absence has the earlier of their times.
    """
    if isinstance(first, Inconclusive) or isinstance(second, Inconclusive):
        return first if isinstance(first, Inconclusive) else second
    if first.answered_at is None or second.answered_at is None:
        return NotFound()
    return NotFound(min(first.answered_at, second.answered_at))
