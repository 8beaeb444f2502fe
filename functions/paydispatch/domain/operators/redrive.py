"""Plan the redrive of a parked message. Pure: the plan follows from the message, its request's slot and the clock.

The request's slot says whether the request was sent and how it ended. If the slot is empty, the request counts as one
that may have been sent, even if its message says otherwise, because a caller gave up on the message or died with it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from paydispatch.domain.entry import OutcomeEntry, entry_for
from paydispatch.domain.identity.principal import QUEUE
from paydispatch.domain.limits import MOST_ATTEMPTS
from paydispatch.domain.message.read_message import Malformed, read_message
from paydispatch.domain.outcomes import Certainty, Error, ErrorKind
from paydispatch.domain.retry import merge_history, past_horizon
from paydispatch.domain.stripe.repeats import Repeat, rule_named

if TYPE_CHECKING:
    from paydispatch.domain.claims import Claim, SlotState
    from paydispatch.domain.envelope import Envelope
    from paydispatch.domain.message.read_message import Address

PARKED_BY_SQS = "dead-lettered by the queue"
"""The reason of a message that has none, because SQS moved it to the dead-letter queue by itself."""

NOT_ACCEPTED = "not_accepted"
"""The reason of a message whose principal was not proven. No flow runs for it."""


@dataclass(frozen=True, slots=True)
class Parked:
    """One message on the dead-letter queue, as it was received there."""

    message_id: str
    receipt: str
    """SQS' receipt handle, which deletes or releases this message. Each receive returns a new one."""
    body: str
    sent_at: float
    """Unix seconds. If SQS moved the message by itself, this is when it was sent to the request queue."""
    first_received_at: float | None = None
    """Unix seconds."""
    reason: str | None = None
    """Why the Stripe caller parked it. None: SQS moved it after the last receive (`PARKED_BY_SQS`)."""
    kind: str | None = None
    """The kind of the error it was parked with: `http`, `api` or `dispatcher`. None: SQS moved it."""


@dataclass(frozen=True, slots=True)
class SendBack:
    """Send the request to the queue of its lane, under the same identity."""

    envelope: Envelope


@dataclass(frozen=True, slots=True)
class GoesToReconcile:
    """Leave the request to reconcile. Stripe may have pruned its key, so that a POST could have a second effect.

    Or the request is a DELETE that may have been executed, and a repeat could delete an object that was made anew."""

    envelope: Envelope
    known: bool
    """Its unknown outcome has been published, so that reconcile looks for it already."""


@dataclass(frozen=True, slots=True)
class AlreadySettled:
    """Keep the message (or purge it): its settled outcome is published, so its terminal flow has run or will run."""

    status: str


@dataclass(frozen=True, slots=True)
class LacksErrorFlow:
    """Publish the error of an unreadable message that names its worker.

    The caller could not publish it before SQS moved the message, because Redis was unavailable.
    """

    malformed: Malformed
    address: Address


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Keep the message: it is not an envelope and names no worker."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class NotProven:
    """Keep the message: nothing proves that it comes from the principal it names."""

    why: str


@dataclass(frozen=True, slots=True)
class NotExamined:
    """Keep the message: its examination failed, or a store was unavailable."""

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
    """Return the content of a parked message."""
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
    """Return the plan for a message.

    `claim` is the message's claim (None: it names no worker). `state` is the state of the slot of that claim (None: the
    slot is empty).
    """
    if state is not None and state.final:
        return AlreadySettled(state.status or "settled")
    if isinstance(read, Malformed):
        return _plan_unreadable(read, claim, state)
    if state is None:
        return _plan_sent(_in_doubt(read, parked), claim, state, now_s, deadline_s)
    if (
        not state.owned or state.closed is not None
    ):  # the Stripe caller publishes its outcome, and sends nothing
        return SendBack(_anew(read, now_s, deadline_s))
    known = read.at(merge_history(read.progress, state))
    return _plan_sent(known, claim, state, now_s, deadline_s)


def _plan_unreadable(read: Malformed, claim: Claim | None, state: SlotState | None) -> Plan:
    if read.address is None or claim is None:
        return Unreadable(read.code, read.message)
    if not _is_proven(claim, state):
        return NotProven(
            f"{read.message} Nothing proves that it comes from the principal it names."
        )
    return LacksErrorFlow(read, read.address)


def _plan_sent(
    known: Envelope,
    claim: Claim | None,
    state: SlotState | None,
    now_s: float,
    deadline_s: float,
) -> Plan:
    """Return the plan for an envelope that carries everything known about its sends."""
    if _may_be_sent(known, now_s):
        return SendBack(_anew(known, now_s, deadline_s))
    # If the only send was taken back, the slot has no first send. Then reconcile needs the time in this message.
    published = state is not None and state.status == "unknown" and state.first_sent_at is not None
    if published or (claim is not None and _is_proven(claim, state)):
        return GoesToReconcile(known, known=published)
    return NotProven(
        f"{why_not_again(known)[1]} Nothing proves that it comes from the principal it names."
    )


def _may_be_sent(known: Envelope, now_s: float) -> bool:
    """Return whether the request may be sent again: Stripe still knows its key, or it certainly was never sent."""
    progress = known.progress
    if rule_named(known.operation) is Repeat.KEYED:
        return not past_horizon(progress.first_sent_at, now_s)
    return progress.first_sent_at is None and not progress.maybe_executed


def why_not_again(known: Envelope) -> tuple[str, str]:
    """Return the code and the sentence for a request that must not be sent again."""
    if rule_named(known.operation) is Repeat.KEYED:
        return (
            "horizon_passed",
            "Its idempotency key is at least 23 hours old, and Stripe may have forgotten it.",
        )
    return (
        "delete_not_repeated",
        "It may have been executed, and a repeat could delete an object that was made anew.",
    )


def _is_proven(claim: Claim, state: SlotState | None) -> bool:
    """Return whether the message comes from the principal it names.

    The principal `queue` needs no proof. Any other one is proved by the claim in the request's slot.
    """
    return claim.principal == QUEUE or (state is not None and state.proves(claim))


def _in_doubt(read: Envelope, parked: Parked) -> Envelope:
    """Return the message with the latch set, and with the earliest possible time of its first send."""
    first_sent_at = read.progress.first_sent_at
    if first_sent_at is None:
        first_sent_at = min(parked.sent_at, parked.first_received_at or parked.sent_at)
    return read.at(replace(read.progress, maybe_executed=True, first_sent_at=first_sent_at))


def _anew(known: Envelope, now_s: float, deadline_s: float) -> Envelope:
    """Return the same request with a new deadline, and without the waits and the attempts that it has used up."""
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
    """Return the unknown outcome of a request that was parked before an outcome could be published."""
    code, message = why_not_again(envelope)
    error = Error(
        kind=ErrorKind.HTTP,
        code=code,
        message=message,
        attempts=envelope.progress.attempt - 1,
        certainty=Certainty.UNKNOWN,
    )
    return entry_for(envelope, claim, error, now_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """An operator's choice of parked messages. A field that is None does not restrict it."""

    request_id: str | None = None
    """The id of the request, or that of the SQS message."""
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
