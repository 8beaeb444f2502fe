"""What is done about a request that ended unknown: where to look for its object, and what a look proves. Pure.

An object that Stripe lists, and has ended its create of, is the response. An object that Stripe does not list was not
created once no POST under its key can happen any more. Everything else proves nothing: the request stays unknown, and
says why. No look proves anything in another account than the one the request was sent to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paydispatch.domain.claims import Claim
from paydispatch.domain.envelope import Envelope
from paydispatch.domain.limits import FORGOTTEN_S, HORIZON_S, REMEMBER_S
from paydispatch.domain.outcomes import (
    Certainty,
    Error,
    ErrorKind,
    Outcome,
    Response,
    error_of_stripe,
)
from paydispatch.domain.principal import QUEUE
from paydispatch.domain.progress import Progress
from paydispatch.domain.resources import resource_named
from paydispatch.domain.slots import beside

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paydispatch.domain.accounts import AccountBinding
    from paydispatch.domain.entry import OutcomeEntry

CLOCKS_APART_S = 900
"""How far Stripe's clock and ours may be apart. Further apart, absence proves nothing."""

FIRST_LOOK_S = 300
"""Most lost answers are those of the first attempts: the first look ends this long after the first POST."""

PAYMENT_REQUIRED = 402
"""What Stripe answers when a card is declined."""

LAST_CALL_S = 900
"""The longest a Lambda lives: a POST whose invocation began may be executed until then, and no later."""


@dataclass(frozen=True, slots=True)
class UnknownOutcome:
    """A request whose outcome was published as unknown, with what its slot adds to that."""

    entry: OutcomeEntry
    worker_slot: str = ""
    """The name of the worker's slot it was told in. Empty: the worker's id."""
    slot_stands: bool = False
    """The request's slot is still there. Otherwise only the entry tells of the sends."""
    slot_first_sent_at: float | None = None
    """Unix seconds: its clock refuses sends after the horizon. None: it refuses none."""
    slot_last_sent_at: float | None = None
    """Unix seconds. A redrive sends later than the entry says."""
    slot_account: AccountBinding | None = None
    """Where the sends went, or what an operator called the same account."""

    @property
    def worker(self) -> str:
        return self.worker_slot or self.entry.worker_id

    @property
    def account(self) -> AccountBinding | None:
        """The account and mode that a look proves something in. None: no record of it, so any look counts."""
        return self.slot_account or self.entry.account

    @property
    def firsts(self) -> tuple[float, ...]:
        """What the slot and the entry say of the first send. They need not agree."""
        return _known(self.slot_first_sent_at, self.entry.first_sent_at)

    @property
    def last_sent_at(self) -> float | None:
        """Unix seconds: when a send last began. None: no record of it."""
        return max(_known(self.slot_last_sent_at, self.entry.last_sent_at), default=None)

    @property
    def forgotten(self) -> bool:
        """Whether its message was older than what Redis remembers, and there is no record of its sends."""
        accepted_at = self.entry.accepted_at or self.entry.settled_at
        return self.account is None and self.entry.settled_at - accepted_at >= FORGOTTEN_S

    @property
    def provable_at(self) -> float | None:
        """Unix seconds from which its absence proves that it was not created. None: never."""
        # A slot without a first send refuses no send: it may be redriven at any time.
        unsent = self.slot_stands and self.slot_first_sent_at is None
        if unsent or self.forgotten or not self.firsts:
            return None
        # The later of both, because the guard of the caller's sends may know the later one alone.
        last_began = max(max(self.firsts) + HORIZON_S, self.last_sent_at or 0.0)
        return last_began + LAST_CALL_S


def _known(*times: float | None) -> tuple[float, ...]:
    return tuple(at for at in times if at is not None)


@dataclass(frozen=True, slots=True)
class Found:
    """Stripe lists the object that the request asked for."""

    body: Mapping[str, Any]
    stripe_request_id: str | None = None


@dataclass(frozen=True, slots=True)
class NotFound:
    """Stripe was asked for all there is in the window, and it is not among it."""

    answered_at: float | None = None
    """Unix seconds by Stripe's clock (the `Date` header). None: Stripe did not say."""


@dataclass(frozen=True, slots=True)
class Inconclusive:
    reason: str


LookupResult = Found | NotFound | Inconclusive


def both(
    first: NotFound | Inconclusive, second: NotFound | Inconclusive
) -> NotFound | Inconclusive:
    """Return what two looks prove together. Only two that found nothing prove an absence, by the older time."""
    if isinstance(first, Inconclusive) or isinstance(second, Inconclusive):
        return first if isinstance(first, Inconclusive) else second
    if first.answered_at is None or second.answered_at is None:
        return NotFound()
    return NotFound(min(first.answered_at, second.answered_at))


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


def windows(end: UnknownOutcome) -> tuple[Window, ...]:
    """Where the object is if it exists: near the first send, and from there to the last that may have been.

    Each end leaves room for Stripe's clock, and the later one for a POST that took as long as a Lambda lives.
    """
    entry = end.entry
    firsts = end.firsts or (entry.accepted_at or entry.settled_at,)
    # Without a word about the last send, any moment up to the horizon may have been one. Of a message that was
    # forgotten, any moment until it was told.
    latest_send = entry.settled_at if end.forgotten else max(firsts) + HORIZON_S
    known = (*firsts, end.last_sent_at or latest_send)
    first, latest = min(known), int(max(known)) + LAST_CALL_S + CLOCKS_APART_S
    earliest, near = int(first) - CLOCKS_APART_S, min(int(first) + FIRST_LOOK_S, latest)
    looks = (Window(earliest, near), Window(near + 1, latest))
    return tuple(look for look in looks if look.earliest <= look.latest)


ACCOUNT_CHANGED = (
    "account_changed: its key now opens another Stripe account or mode than the one it was sent to, so a look there "
    "proves nothing. Put the key of the first account back."
)

MAYBE_ACCOUNT_CHANGED = (
    "account_changed: its key is not the one it was sent with, and Stripe does not say whether both belong to one "
    "account. If they do, say so: paydispatch reconcile --same-account {request_id}"
)


def other_account(
    end: UnknownOutcome, looked_in: AccountBinding, *, same: bool = False
) -> Inconclusive | None:
    """Return why a look with a key of `looked_in` proves nothing. None: it does.

    `same` is an operator's word that it is the same account. It counts where Stripe has not said otherwise.
    """
    sent_to = end.account
    if sent_to is None or sent_to.same_as(looked_in):
        return None
    if _contradicts(sent_to, looked_in):
        return Inconclusive(ACCOUNT_CHANGED)
    return (
        None
        if same
        else Inconclusive(MAYBE_ACCOUNT_CHANGED.format(request_id=end.entry.request_id))
    )


def _contradicts(one: AccountBinding, other: AccountBinding) -> bool:
    """Whether two bindings certainly lead to different places."""
    ids = {one.account_id, other.account_id} - {None}
    return (one.mode, one.headers) != (other.mode, other.headers) or len(ids) > 1


FORGOTTEN = "Stripe does not list it, but its message is older than the record of its sends and their account."

UNRECORDED = (
    "Stripe does not list it, but there is no record of its first send. It can be redriven."
)


def decide(end: UnknownOutcome, result: LookupResult, now_s: float) -> Outcome | StaysUnknown:
    """Return how the request ended, or why that is still unknown."""
    before = end.entry.outcome
    match result:
        case Found(body, stripe_request_id) if _is_declined(end.entry, body):
            return _card_error(end.entry, body["last_payment_error"], stripe_request_id)
        case Found(body) if not _is_complete(end.entry, body):
            return StaysUnknown("Stripe lists it, and is still at work on it.")
        case Found(body, stripe_request_id):
            return Response(
                body=body, attempts=before.attempts, stripe_request_id=stripe_request_id
            )
        case Inconclusive(reason):
            return StaysUnknown(reason)
        case NotFound(answered_at):
            return _absent(end, answered_at, now_s)


def _confirms(entry: OutcomeEntry) -> bool:
    """Whether the create confirms in the same call. A form says `true` for either value."""
    return entry.params.get("confirm") in (True, "true")


def _is_complete(entry: OutcomeEntry, body: Mapping[str, Any]) -> bool:
    """Whether Stripe has ended the create that made the object, by the object's own row."""
    unconfirmed = body.get("status") in resource_named(entry.object).unconfirmed
    failed = isinstance(body.get("last_payment_error"), dict)
    return not (_confirms(entry) and unconfirmed and not failed)


def _is_declined(entry: OutcomeEntry, body: Mapping[str, Any]) -> bool:
    """Whether creating it ended in a 402: Stripe keeps a payment intent whose confirmation was declined.

    Only a card error is answered so. A customer who fails to authenticate later leaves another, after a success.
    """
    error = body.get("last_payment_error")
    return (
        _confirms(entry)
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


def _absent(end: UnknownOutcome, answered_at: float | None, now_s: float) -> Error | StaysUnknown:
    provable_at = end.provable_at
    if provable_at is None:
        return StaysUnknown(FORGOTTEN if end.forgotten else UNRECORDED)
    if now_s < provable_at:
        return StaysUnknown("Stripe does not list it, but it may still be sent.", provable_at)
    if answered_at is None:
        return StaysUnknown("Stripe does not list it, but did not say its time (no Date header).")
    if abs(answered_at - now_s) > CLOCKS_APART_S:
        return StaysUnknown(
            f"Stripe does not list it, but Stripe's clock and ours are {abs(answered_at - now_s):.0f} s apart."
        )
    return Error(
        kind=ErrorKind.HTTP,
        code="not_found_after_horizon",
        message="Stripe never listed the object, and it can no longer be sent: it was not created.",
        attempts=end.entry.outcome.attempts,
        certainty=Certainty.NOT_CREATED,
    )


def claim_of_unknown(end: UnknownOutcome) -> Claim:
    """Return the claim that the request's slot holds."""
    entry = end.entry
    return Claim(
        slot=beside(end.worker, entry.request_id),
        worker_slot=end.worker,
        request_id=entry.request_id,
        fingerprint=entry.fingerprint or "",
        tenant=entry.tenant or "",
        principal=entry.principal or QUEUE,
        worker_id=entry.worker_id,
        context_id=entry.context_id,
        operation=entry.operation,
        object=entry.object,
        accepted_at=entry.accepted_at or entry.settled_at,
    )


def beyond_memory(entry: OutcomeEntry, now_s: float) -> bool:
    """Whether it has been unknown for so long that nothing else remembers it: nobody will look for it again."""
    return now_s - entry.settled_at >= REMEMBER_S


def envelope_of(entry: OutcomeEntry) -> Envelope:
    """The envelope an entry was made of, as far as its key and its parameters go: to open, never to send."""
    return Envelope(
        request_id=entry.request_id,
        object=entry.object,
        operation=entry.operation,
        path=entry.path,
        params=entry.params,
        worker_id=entry.worker_id,
        context_id=entry.context_id,
        accepted_at=entry.accepted_at or entry.settled_at,
        progress=Progress(deadline_at=entry.settled_at, first_sent_at=entry.first_sent_at),
        sealed_secret=entry.sealed_secret,
        secret_ref=entry.secret_ref,
        lane=entry.lane,
        stripe_account=entry.stripe_account,
        stripe_context=entry.stripe_context,
        principal=entry.principal or QUEUE,
        traceparent=entry.traceparent,
    )
