"""The stored times of one request's path, from its acceptance to the runs of its flow. Pure data, read by `Traces`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from paydispatch.domain.entry import OutcomeEntry

MOST_LATER_SENDS = 20
"""The number of sends after the first that a slot keeps the times of."""


@dataclass(frozen=True, slots=True)
class LaterSend:
    """A send after the first one."""

    attempt: int
    at: float
    """Unix seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotTimes:
    """The times (unix seconds) in a request's slot. None: the hop has not come yet, or an older release made it."""

    accepted_at: float | None = None
    queued_at: float | None = None
    """SQS had confirmed the message to the API."""
    received_at: float | None = None
    """The Stripe caller received the message for the first time."""
    first_sent_at: float | None = None
    last_sent_at: float | None = None
    later_sends: tuple[LaterSend, ...] = ()
    unknown_at: float | None = None
    """It was known that the outcome is unknown."""
    settled_at: float | None = None
    stripe_request_id: str | None = None
    open_sends: int = 0
    """Sends that began and have no recorded end. In a settled request they mean nothing (send.lua)."""
    in_doubt: bool = False
    """An attempt may have had an effect (the latch)."""
    event_id: str | None = None
    """An event of Stripe that is kept until the doubt of the request is noted."""
    repeats: int = 0
    """The repeats under the same idempotency key, because the request before each ended without an effect."""


# The states of one entry at the flow runners


@dataclass(frozen=True, slots=True)
class NotRead:
    """No runner has read the entry yet."""

    name: ClassVar = "not_read"


@dataclass(frozen=True, slots=True)
class Pending:
    """A runner has read the entry. It waits for its turn, or for another runner to take it over."""

    name: ClassVar = "pending"
    runs: int
    behind_another: bool
    """An earlier entry of its context is not finished."""


@dataclass(frozen=True, slots=True)
class Running:
    name: ClassVar = "running"
    runs: int
    until: float
    """Unix seconds at which the lease ends, if it is not renewed."""


@dataclass(frozen=True, slots=True)
class Postponed:
    name: ClassVar = "postponed"
    runs: int
    due_at: float
    failed: int = 0
    """Those of the runs whose scripts failed. 0: the script asked for a later run, or was missing."""
    missing_since: float | None = None
    """The time (unix seconds) since which no runner has had the script."""


@dataclass(frozen=True, slots=True)
class Finished:
    name: ClassVar = "finished"
    at: float
    runs: int


@dataclass(frozen=True, slots=True)
class Dead:
    """The entry is on the dead stream."""

    name: ClassVar = "dead"
    at: float
    runs: int
    reason: str


@dataclass(frozen=True, slots=True)
class Rerun:
    """An operator has put the entry from the dead stream back on its stream, as a new entry."""

    name: ClassVar = "rerun"
    at: float
    runs: int


@dataclass(frozen=True, slots=True)
class Over:
    """The entry is finished or dead, since before releases kept the time."""

    name: ClassVar = "over"


FlowState = NotRead | Pending | Running | Postponed | Finished | Dead | Rerun | Over


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowPath:
    """One entry of a worker's stream, and how far its flow is."""

    entry_id: str
    published_at: float
    entry: OutcomeEntry | None
    """None: it was trimmed a day after its flow, or it cannot be read."""
    state: FlowState
