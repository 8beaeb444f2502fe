"""Decide the outcome of a request with an unknown outcome by a lookup at Stripe. Pure.

A lookup searches Stripe's lists for the object. It proves something only in the account that the request was sent to.
- Stripe lists the object, and has finished its create: the object is the response.
- Stripe does not list the object, and no POST under its key can happen any more: it was not created.
- Everything else proves nothing. The request stays unknown, and the result says why.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paydispatch.domain.limits import HORIZON_S
from paydispatch.domain.outcomes import (
    Certainty,
    Error,
    ErrorKind,
    Outcome,
    Response,
    error_of_stripe,
)
from paydispatch.domain.stripe.resources import resource_named
from paydispatch.domain.unknown_outcomes import LAST_CALL_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paydispatch.domain.entry import OutcomeEntry
    from paydispatch.domain.stripe.accounts import AccountBinding
    from paydispatch.domain.unknown_outcomes import UnknownOutcome

CLOCKS_APART_S = 900
"""How far Stripe's clock and ours may be apart. If they are further apart, an absence proves nothing."""

FIRST_LOOK_S = 300
"""The first lookup ends this long after the first POST, because most lost answers are those of the first attempts."""

PAYMENT_REQUIRED = 402
"""The status with which Stripe answers a declined card."""


@dataclass(frozen=True, slots=True)
class Found:
    """Stripe lists the object of the request."""

    body: Mapping[str, Any]
    stripe_request_id: str | None = None


@dataclass(frozen=True, slots=True)
class NotFound:
    """Stripe listed every object of the window, and the request's object is not among them."""

    answered_at: float | None = None
    """Unix seconds by Stripe's clock (the `Date` header). None: Stripe sent no such header."""


@dataclass(frozen=True, slots=True)
class Inconclusive:
    """The lookup proves nothing."""

    reason: str


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


@dataclass(frozen=True, slots=True)
class Window:
    """The objects that were created from `earliest` to `latest`, both included, in unix seconds."""

    earliest: int
    latest: int


@dataclass(frozen=True, slots=True)
class StaysUnknown:
    """The lookup does not settle the request."""

    why: str
    until: float | None = None
    """Unix seconds from which another lookup can prove an absence. None: such a time is not known."""


def windows(unknown: UnknownOutcome) -> tuple[Window, ...]:
    """Return the windows that hold the object if it exists.

    The first window lies near the first send. The second one goes on from there to the last send that is possible. Both
    ends leave room for a difference between the clocks. The later end also leaves room for a POST that took as long as
    a Lambda function may run.
    """
    entry = unknown.entry
    firsts = unknown.firsts or (entry.accepted_at or entry.settled_at,)
    # If the last send is not recorded, it may have been as late as the horizon. If Redis may have forgotten the sends,
    # it may have been as late as the publication of the unknown outcome.
    latest_send = entry.settled_at if unknown.forgotten else max(firsts) + HORIZON_S
    known = (*firsts, unknown.last_sent_at or latest_send)
    first, latest = min(known), int(max(known)) + LAST_CALL_S + CLOCKS_APART_S
    earliest, near = int(first) - CLOCKS_APART_S, min(int(first) + FIRST_LOOK_S, latest)
    both_windows = (Window(earliest, near), Window(near + 1, latest))
    return tuple(window for window in both_windows if window.earliest <= window.latest)


ACCOUNT_CHANGED = (
    "account_changed: the request's key now belongs to another Stripe account or mode than the one the request was "
    "sent to, so a lookup there proves nothing. Restore a key of the first account."
)

MAYBE_ACCOUNT_CHANGED = (
    "account_changed: the request was sent with another key than its present one, and Stripe does not say whether both "
    "belong to one account. If they do, run paydispatch reconcile --same-account {request_id}"
)


def other_account(
    unknown: UnknownOutcome, looked_in: AccountBinding, *, same: bool = False
) -> Inconclusive | None:
    """Return why a lookup with a key of `looked_in` proves nothing. None: the lookup can prove something.

    `same` means that an operator declared it to be the same account. This counts unless Stripe's ids contradict it.
    """
    sent_to = unknown.account
    if sent_to is None or sent_to.same_as(looked_in):
        return None
    if _contradicts(sent_to, looked_in):
        return Inconclusive(ACCOUNT_CHANGED)
    return (
        None
        if same
        else Inconclusive(MAYBE_ACCOUNT_CHANGED.format(request_id=unknown.entry.request_id))
    )


def _contradicts(one: AccountBinding, other: AccountBinding) -> bool:
    """Return whether two bindings certainly lead to different accounts, modes or headers."""
    ids = {one.account_id, other.account_id} - {None}
    return (one.mode, one.headers) != (other.mode, other.headers) or len(ids) > 1


FORGOTTEN = "Stripe does not list the object, but its message is older than the record of its sends and their account."

UNRECORDED = "Stripe does not list the object, but its first send is not recorded. Its message can be redriven."


def decide(unknown: UnknownOutcome, result: LookupResult, now_s: float) -> Outcome | StaysUnknown:
    """Return the outcome of the request, or the reason why it stays unknown."""
    before = unknown.entry.outcome
    match result:
        case Found(body, stripe_request_id) if _is_declined(unknown.entry, body):
            return _card_error(unknown.entry, body["last_payment_error"], stripe_request_id)
        case Found(body) if not _is_complete(unknown.entry, body):
            return StaysUnknown("Stripe lists the object, but has not finished its create.")
        case Found(body, stripe_request_id):
            return Response(
                body=body, attempts=before.attempts, stripe_request_id=stripe_request_id
            )
        case Inconclusive(reason):
            return StaysUnknown(reason)
        case NotFound(answered_at):
            return _absent(unknown, answered_at, now_s)


def _confirms(entry: OutcomeEntry) -> bool:
    """Return whether the create also confirms the object. Stripe reads `True` and `"true"` alike, as form text."""
    return entry.params.get("confirm") in (True, "true")


def _is_complete(entry: OutcomeEntry, body: Mapping[str, Any]) -> bool:
    """Return whether Stripe has finished the create of the object. The object's row names its unfinished states."""
    unconfirmed = body.get("status") in resource_named(entry.object).unconfirmed
    failed = isinstance(body.get("last_payment_error"), dict)
    return not (_confirms(entry) and unconfirmed and not failed)


def _is_declined(entry: OutcomeEntry, body: Mapping[str, Any]) -> bool:
    """Return whether Stripe answered the create with a 402. It keeps a payment intent even if the card was declined.

    Only a card error is answered with a 402. An error of another type was left by a later step: the create succeeded,
    and the customer failed to authenticate afterwards.
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
    """Return the outcome that the lost answer reported. Stripe keeps that answer under the idempotency key."""
    return error_of_stripe(
        error,
        http_status=PAYMENT_REQUIRED,
        stripe_request_id=stripe_request_id,
        attempts=entry.outcome.attempts,
        certainty=Certainty.NOT_CREATED,
        answered=True,
    )


def _absent(
    unknown: UnknownOutcome, answered_at: float | None, now_s: float
) -> Error | StaysUnknown:
    provable_at = unknown.provable_at
    if provable_at is None:
        return StaysUnknown(FORGOTTEN if unknown.forgotten else UNRECORDED)
    if now_s < provable_at:
        return StaysUnknown(
            "Stripe does not list the object, but it may still be sent.", provable_at
        )
    if answered_at is None:
        return StaysUnknown(
            "Stripe does not list the object, but sent no Date header to compare clocks by."
        )
    if abs(answered_at - now_s) > CLOCKS_APART_S:
        return StaysUnknown(
            "Stripe does not list the object, but Stripe's clock and ours are "
            f"{abs(answered_at - now_s):.0f} s apart."
        )
    return Error(
        kind=ErrorKind.HTTP,
        code="not_found_after_horizon",
        message="Stripe never listed the object, and it can no longer be sent. It was not created.",
        attempts=unknown.entry.outcome.attempts,
        certainty=Certainty.NOT_CREATED,
    )
