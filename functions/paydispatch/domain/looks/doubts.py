"""Doubts: requests with an unknown outcome, kept by account and object, and the times of their looks. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

FIRST_LOOK_S = 10.0
"""From the publication of an unknown outcome to its first look. Other requests of a storm join that look."""

DISTANCES_S = ((30.0, 60.0), (300.0, 600.0))
"""(age of the doubt, distance to its next look). Most objects are there at the first look, or never."""

LONGEST_DISTANCE_S = 3_600.0

TOO_FULL_DISTANCE_S = 86_400.0
"""A list that is too long is read once a day, because its 20,000 pages take half an hour of the account's budget."""

UNKNOWN_FOR_LONG_S = 600.0
"""Requests that are unknown for longer are counted. It is the age at the third look, the last one before an hour."""

LOST_AFTER_S = 120.0
"""A look that is overdue by this much has lost its message, and is planned again."""

TAKEN_AT = 1.0
"""The due time (unix seconds) of a doubt that a pass has taken. An invocation that goes on with the pass takes these
alone, because the pages before its position were not read for any other."""

MOST_DOUBTS = 1_000
"""Doubts of one pass. They bound its memory."""


@dataclass(frozen=True, slots=True)
class Place:
    """The account and the object of a list. All doubts of a place are looked up together."""

    account: str
    """`AccountBinding.rate_account`, such as `live acct_1`."""
    object: str

    @property
    def name(self) -> str:
        return f"{self.account} {self.object}"

    @classmethod
    def of_name(cls, name: str) -> Place:
        account, _, object_name = name.rpartition(" ")
        return cls(account, object_name)


@dataclass(frozen=True, slots=True)
class Doubt:
    """One request with an unknown outcome."""

    worker: str
    """The name of the worker's slot."""
    request_id: str
    since: float
    """Unix seconds at which the doubt was noted."""
    seen_until: float = field(default=0.0, compare=False)
    """Unix seconds by Stripe's clock. Its list was read up to this time. 0: it was not read yet."""


@dataclass(frozen=True, slots=True)
class LookState:
    """The looks of a place."""

    looks: int = 0
    """How many looks came since the last first look was planned. A message with another number is out of date."""
    next_at: float | None = None
    """Unix seconds of the next look."""
    last_at: float | None = None
    """Unix seconds of the end of the last look."""
    cursor: dict[str, Any] | None = None
    """Where a pass stopped that did not end."""
    doubts: int = 0


def next_distance_s(age_s: float) -> float:
    """Return the seconds from a look to the next one, for a doubt of this age."""
    return next((distance for age, distance in DISTANCES_S if age_s < age), LONGEST_DISTANCE_S)
