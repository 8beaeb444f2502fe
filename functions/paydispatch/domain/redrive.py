"""What a redrive does with a parked message: a pure function of the message, its request's status and the clock.

Whatever a parked message says of itself, it may have been sent: something gave up on it, or died with it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from paydispatch.domain.entry import OutcomeEntry, entry_for
from paydispatch.domain.envelope import Envelope, Malformed, read_message
from paydispatch.domain.outcomes import Certainty, Error, ErrorKind
from paydispatch.domain.retry import past_horizon
from paydispatch.domain.units import MOST_ATTEMPTS

if TYPE_CHECKING:
    from paydispatch.domain.envelope import Address

FINAL_STATUSES = frozenset({"succeeded", "failed"})

PARKED_BY_SQS = "dead-lettered by the queue"
"""The reason of a message on which nobody noted one."""


@dataclass(frozen=True, slots=True)
class Parked:
    """One message on the dead-letter queue, as it was received there."""

    message_id: str
    receipt: str
    """What SQS wants to see when this message is deleted or released. New with every receive."""
    body: str
    sent_at: float
    """Unix seconds. When SQS moved the message by itself: when it was sent to the queue it comes from."""
    first_received_at: float | None = None
    """Unix seconds."""
    reason: str | None = None
    """Why the Stripe caller parked it. None: SQS did, after the last receive (`PARKED_BY_SQS`)."""
    kind: str | None = None
    """Of the error it was parked with: `http`, `api` or `dispatcher`. None as above."""


@dataclass(frozen=True, slots=True)
class SendBack:
    """To its lane's queue, under the same identity."""

    envelope: Envelope


@dataclass(frozen=True, slots=True)
class GoesToReconcile:
    """Its idempotency key may be forgotten: another POST could make a second object."""

    envelope: Envelope
    known: bool
    """Whether its unknown end has been published, so that reconciling looks for it already."""


@dataclass(frozen=True, slots=True)
class AlreadySettled:
    """Its settled outcome is published: its terminal flow has run, or will."""

    status: str


@dataclass(frozen=True, slots=True)
class LacksErrorFlow:
    """No envelope, but it says whose it is, and died before anybody could tell them: Redis was away."""

    malformed: Malformed
    address: Address


@dataclass(frozen=True, slots=True)
class Unreadable:
    """No envelope: there is nothing to send."""

    code: str
    message: str


Plan = SendBack | GoesToReconcile | AlreadySettled | LacksErrorFlow | Unreadable


def read_parked(parked: Parked) -> Envelope | Malformed:
    """The envelope, with the doubt and the earliest first POST that its stay on the dead-letter queue implies."""
    read = read_message(parked.body, message_id=parked.message_id, sent_at=parked.sent_at)
    if isinstance(read, Malformed):
        return read
    first_sent_at = read.progress.first_sent_at
    if first_sent_at is None:
        first_sent_at = min(parked.sent_at, parked.first_received_at or parked.sent_at)
    return read.at(replace(read.progress, maybe_executed=True, first_sent_at=first_sent_at))


def plan_redrive(
    read: Envelope | Malformed,
    status: str | None,
    now_s: float,
    *,
    deadline_s: float,
    settled: bool = False,
) -> Plan:
    """`read` is what `read_parked` returned, `status` where the request stands (None: nobody remembers it).

    `settled`: its outcome has been published. A final status alone does not say so: it stands in another slot.
    """
    if settled:
        return AlreadySettled(status or "settled")
    if isinstance(read, Malformed):
        if read.address is not None and (status is None or status in FINAL_STATUSES):
            return LacksErrorFlow(read, read.address)
        return Unreadable(read.code, read.message)
    if past_horizon(read.progress.first_sent_at, now_s):
        return GoesToReconcile(read, known=status == "unknown")
    spent = read.progress.attempt >= MOST_ATTEMPTS
    progress = replace(
        read.progress,
        deadline_at=now_s + deadline_s,
        attempt=1 if spent else read.progress.attempt,
    )
    return SendBack(read.at(progress))


def unknown_entry(envelope: Envelope, now_s: float) -> OutcomeEntry:
    """The end of a request whose message was parked before anybody could publish one."""
    error = Error(
        kind=ErrorKind.HTTP,
        code="horizon_passed",
        message="Its idempotency key is too old to be sent again.",
        attempts=envelope.progress.attempt - 1,
        certainty=Certainty.UNKNOWN,
    )
    return entry_for(envelope, error, now_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which parked messages are meant. What is None leaves any."""

    request_id: str | None = None
    """Or the id of the SQS message."""
    object: str | None = None
    worker_id: str | None = None
    account: str | None = None
    reason: str | None = None
    kind: str | None = None
    older_than_s: float | None = None
    newer_than_s: float | None = None

    def takes(self, parked: Parked, read: Envelope | Malformed, now_s: float) -> bool:
        named = read.address if isinstance(read, Malformed) else read
        ids = (parked.message_id, named.request_id if named else None)
        age_s = now_s - parked.sent_at
        return (
            (self.request_id is None or self.request_id in ids)
            and self._names(named)
            and self.reason in (None, parked.reason or PARKED_BY_SQS)
            and self.kind in (None, parked.kind)
            and (self.older_than_s is None or age_s >= self.older_than_s)
            and (self.newer_than_s is None or age_s <= self.newer_than_s)
        )

    def _names(self, named: Envelope | Address | None) -> bool:
        wanted = (
            ("object", self.object),
            ("worker_id", self.worker_id),
            ("stripe_account", self.account),
        )
        return all(value is None or getattr(named, name, None) == value for name, value in wanted)
