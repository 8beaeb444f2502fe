"""What a redrive does with a parked message: a pure function of the message, its request's slot and the clock.

The slot decides. Only where it is empty, a parked message is taken for one that may have been sent, whatever it says
of itself: something gave up on it, or died with it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from paydispatch.domain.entry import OutcomeEntry, entry_for
from paydispatch.domain.envelope import Envelope, Malformed, read_message
from paydispatch.domain.limits import MOST_ATTEMPTS
from paydispatch.domain.outcomes import Certainty, Error, ErrorKind
from paydispatch.domain.principal import QUEUE
from paydispatch.domain.retry import merge_history, past_horizon

if TYPE_CHECKING:
    from paydispatch.domain.claims import Claim, SlotState
    from paydispatch.domain.envelope import Address

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
    """Whether its unknown outcome has been published, so that reconciling looks for it already."""


@dataclass(frozen=True, slots=True)
class AlreadySettled:
    """Its settled outcome is published: its terminal flow has run, or will."""

    status: str


@dataclass(frozen=True, slots=True)
class LacksErrorFlow:
    """No envelope, but it names its worker, and died before its end could be told: Redis was away."""

    malformed: Malformed
    address: Address


@dataclass(frozen=True, slots=True)
class Unreadable:
    """No envelope: there is nothing to send."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class NotProven:
    """It may not be told under the principal it names, because nothing proves that it comes from it."""

    why: str


@dataclass(frozen=True, slots=True)
class NotExamined:
    """This message alone failed, or a store was away for a moment."""

    why: str


Plan = (
    SendBack
    | GoesToReconcile
    | AlreadySettled
    | LacksErrorFlow
    | Unreadable
    | NotProven
    | NotExamined
)


def read_parked(parked: Parked) -> Envelope | Malformed:
    """Return the message as it says itself."""
    return read_message(parked.body, message_id=parked.message_id, sent_at=parked.sent_at)


def plan_redrive(
    read: Envelope | Malformed,
    parked: Parked,
    claim: Claim | None,
    state: SlotState | None,
    now_s: float,
    *,
    deadline_s: float,
) -> Plan:
    """Return what a redrive does with a message.

    `claim` is what the message claims (None: it names no worker), `state` how the slot of that claim stands (None: it
    is empty).
    """
    if state is not None and state.final:
        return AlreadySettled(state.status or "settled")
    if isinstance(read, Malformed):
        return _plan_unreadable(read, claim, state)
    if state is None:
        return _plan_sent(_in_doubt(read, parked), claim, state, now_s, deadline_s)
    if (
        not state.owned or state.closed is not None
    ):  # the Stripe caller tells its end, and sends nothing
        return SendBack(_anew(read, now_s, deadline_s))
    known = read.at(merge_history(read.progress, state))
    return _plan_sent(known, claim, state, now_s, deadline_s)


def _plan_unreadable(read: Malformed, claim: Claim | None, state: SlotState | None) -> Plan:
    if read.address is None or claim is None:
        return Unreadable(read.code, read.message)
    if not _is_proven(claim, state):
        return NotProven(f"{read.message} Its seal does not say whose it is.")
    return LacksErrorFlow(read, read.address)


def _plan_sent(
    known: Envelope,
    claim: Claim | None,
    state: SlotState | None,
    now_s: float,
    deadline_s: float,
) -> Plan:
    """Return the plan for an envelope that carries all that is known of its sends."""
    if not past_horizon(known.progress.first_sent_at, now_s):
        return SendBack(_anew(known, now_s, deadline_s))
    # A slot whose only send was taken back has no first send. Then reconciling needs what this message knows.
    told = state is not None and state.status == "unknown" and state.first_sent_at is not None
    if told or (claim is not None and _is_proven(claim, state)):
        return GoesToReconcile(known, known=told)
    return NotProven(
        "Its key is too old to be sent again, and no record says that it comes from the principal it names."
    )


def _is_proven(claim: Claim, state: SlotState | None) -> bool:
    """Whether the message comes from the principal it names: the queue's own, or one that a claim of it proved."""
    return claim.principal == QUEUE or (state is not None and state.proves(claim))


def _in_doubt(read: Envelope, parked: Parked) -> Envelope:
    """Return the message with the doubt and the earliest send that its stay on the dead-letter queue allows for."""
    first_sent_at = read.progress.first_sent_at
    if first_sent_at is None:
        first_sent_at = min(parked.sent_at, parked.first_received_at or parked.sent_at)
    return read.at(replace(read.progress, maybe_executed=True, first_sent_at=first_sent_at))


def _anew(known: Envelope, now_s: float, deadline_s: float) -> Envelope:
    """Return the same request with a new deadline, and with attempts and waits left."""
    spent = known.progress.attempt >= MOST_ATTEMPTS
    return known.at(
        replace(
            known.progress,
            deadline_at=now_s + deadline_s,
            attempt=1 if spent else known.progress.attempt,
            store_waits=0,
            fresh_starts=0,
        )
    )


def unknown_entry(envelope: Envelope, claim: Claim, now_s: float) -> OutcomeEntry:
    """Return the end of a request whose message was parked before its end could be published."""
    error = Error(
        kind=ErrorKind.HTTP,
        code="horizon_passed",
        message="Its idempotency key is too old to be sent again.",
        attempts=envelope.progress.attempt - 1,
        certainty=Certainty.UNKNOWN,
    )
    return entry_for(envelope, claim, error, now_s)


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
