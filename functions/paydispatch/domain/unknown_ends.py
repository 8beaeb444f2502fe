"""What is done about a request that ended unknown: where to look for its object, and what a look proves. Pure.

Found, and it is the response. Not found, and no POST under its key can happen any more, and it was not created.
Everything else proves nothing: the request stays unknown, and says why.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paydispatch.domain.envelope import Envelope
from paydispatch.domain.outcomes import (
    Certainty,
    Error,
    ErrorKind,
    Outcome,
    Response,
    error_of_stripe,
)
from paydispatch.domain.principal import QUEUE
from paydispatch.domain.retry import Progress
from paydispatch.domain.units import HORIZON_S, REMEMBER_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paydispatch.domain.entry import OutcomeEntry

CLOCKS_APART_S = 60
"""How far Stripe's clock may be behind ours."""

FIRST_LOOK_S = 300
"""Most lost answers are those of the first attempts: the first look ends this long after the first POST."""

PAYMENT_REQUIRED = 402
"""What Stripe answers when a card is declined."""

LAST_CALL_S = 900
"""The longest a Lambda lives: a POST whose invocation began may be executed until then, and no later."""


@dataclass(frozen=True, slots=True)
class UnknownEnd:
    """A request whose outcome was published as unknown."""

    entry: OutcomeEntry
    first_begun_at: float | None = None
    """Unix seconds: the first POST as every delivery counts it. None: nobody remembers."""
    last_begun_at: float | None = None
    """Unix seconds: when an attempt was last begun, one of a later redrive included. None: nobody remembers."""

    @property
    def firsts(self) -> tuple[float, ...]:
        """What the entry says of the first POST, and what all deliveries were told: they need not agree."""
        known = (self.entry.first_sent_at, self.first_begun_at)
        return tuple(at for at in known if at is not None)

    @property
    def provable_at(self) -> float | None:
        """Unix seconds from which its absence proves that it was not created. None: never."""
        if not self.firsts:
            return None
        last_begun = max(max(self.firsts) + HORIZON_S, self.last_begun_at or 0.0)
        return last_begun + LAST_CALL_S


@dataclass(frozen=True, slots=True)
class Found:
    """Stripe lists the object that the request asked for."""

    body: Mapping[str, Any]
    stripe_request_id: str | None = None


@dataclass(frozen=True, slots=True)
class NotFound:
    """Stripe was asked for all there is in the window, and it is not among it."""


@dataclass(frozen=True, slots=True)
class CannotTell:
    reason: str


Sighting = Found | NotFound | CannotTell


@dataclass(frozen=True, slots=True)
class Window:
    """Objects created from `earliest` to `latest`, both included, in unix seconds."""

    earliest: int
    latest: int


@dataclass(frozen=True, slots=True)
class StaysUnknown:
    why: str
    until: float | None = None
    """Unix seconds: when another look decides at the latest. None: nobody knows."""


def windows(end: UnknownEnd) -> tuple[Window, ...]:
    """Where the object is if it exists: near the first POST, and from there to the last one that may have been."""
    entry = end.entry
    firsts = end.firsts or (entry.accepted_at or entry.settled_at,)
    # Without a word about the last attempt, any moment up to the horizon may have been one.
    known = (*firsts, end.last_begun_at or max(firsts) + HORIZON_S)
    first, latest = min(known), int(max(known) + LAST_CALL_S)
    earliest, near = int(first) - CLOCKS_APART_S, min(int(first) + FIRST_LOOK_S, latest)
    looks = (Window(earliest, near), Window(near + 1, latest))
    return tuple(look for look in looks if look.earliest <= look.latest)


def judge(end: UnknownEnd, sighting: Sighting, now_s: float) -> Outcome | StaysUnknown:
    """Return how the request ended, or why that is still unknown."""
    before = end.entry.outcome
    match sighting:
        case Found(body, stripe_request_id) if _declined(end.entry, body):
            return _card_error(end.entry, body["last_payment_error"], stripe_request_id)
        case Found(body, stripe_request_id):
            return Response(
                body=body, attempts=before.attempts, stripe_request_id=stripe_request_id
            )
        case CannotTell(reason):
            return StaysUnknown(reason)
        case NotFound():
            return _absent(end, now_s)


def _declined(entry: OutcomeEntry, body: Mapping[str, Any]) -> bool:
    """Whether creating it ended in a 402: Stripe keeps a payment intent whose confirmation was declined.

    Only a card error is answered so. A customer who fails to authenticate later leaves another, after a success.
    """
    error = body.get("last_payment_error")
    return (
        entry.params.get("confirm") is True
        and body.get("status") == "requires_payment_method"
        and isinstance(error, dict)
        and error.get("type") == "card_error"
    )


def _card_error(
    entry: OutcomeEntry, error: Mapping[str, Any], stripe_request_id: str | None
) -> Error:
    """What the answer that was lost said."""
    return error_of_stripe(
        error,
        http_status=PAYMENT_REQUIRED,
        stripe_request_id=stripe_request_id,
        attempts=entry.outcome.attempts,
        certainty=Certainty.NOT_CREATED,
    )


def _absent(end: UnknownEnd, now_s: float) -> Error | StaysUnknown:
    provable_at = end.provable_at
    if provable_at is None:
        return StaysUnknown("Stripe does not list it, but nobody knows when it was first sent.")
    if now_s < provable_at:
        return StaysUnknown("Stripe does not list it, but it may still be sent.", provable_at)
    return Error(
        kind=ErrorKind.HTTP,
        code="not_found_after_horizon",
        message="Stripe never listed the object, and it can no longer be sent: it was not created.",
        attempts=end.entry.outcome.attempts,
        certainty=Certainty.NOT_CREATED,
    )


def beyond_memory(entry: OutcomeEntry, now_s: float) -> bool:
    """Whether it has been unknown for so long that nothing else remembers it: nobody will look for it again."""
    return now_s - entry.settled_at >= REMEMBER_S


def envelope_of(entry: OutcomeEntry) -> Envelope:
    """The envelope an entry was made of, as far as its key and its parameters go: to open, never to send."""
    return Envelope(
        request_id=entry.request_id,
        object=entry.object,
        params=entry.params,
        worker_id=entry.worker_id,
        context_id=entry.context_id,
        accepted_at=entry.accepted_at or entry.settled_at,
        progress=Progress(deadline_at=entry.settled_at, first_sent_at=entry.first_sent_at),
        sealed_secret=entry.sealed_secret,
        secret_ref=entry.secret_ref,
        lane=entry.lane,
        stripe_account=entry.stripe_account,
        principal=entry.principal or QUEUE,
        traceparent=entry.traceparent,
    )
