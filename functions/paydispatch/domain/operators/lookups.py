"""Decide the outcome of a request with an unknown outcome by a lookup at Stripe. Pure.

A lookup searches Stripe's lists for a created object, or fetches the object that the operation acts on. It proves
something only in the account that the request was sent to.
- The effect is there, and is complete: the object is the response.
- The effect is not there, and no send can happen any more: the operation was not executed.
- Everything else proves nothing. The request stays unknown, and the result says why.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paydispatch.domain.limits import HORIZON_S
from paydispatch.domain.operators.lookup_results import (
    CLOCKS_APART_S,
    Found,
    Inconclusive,
    LookupResult,
    NotFound,
)
from paydispatch.domain.outcomes import (
    Certainty,
    Error,
    ErrorKind,
    Outcome,
    Response,
    error_of_stripe,
)
from paydispatch.domain.stripe.operations import operation_named
from paydispatch.domain.stripe.proofs import ByMark, proof_of
from paydispatch.domain.unknown_outcomes import LAST_CALL_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paydispatch.domain.entry import OutcomeEntry
    from paydispatch.domain.stripe.accounts import AccountBinding
    from paydispatch.domain.unknown_outcomes import UnknownOutcome

FIRST_LOOK_S = 300
"""The first lookup ends this long after the first POST, because most lost answers are those of the first attempts."""

PAYMENT_REQUIRED = 402
"""The status with which Stripe answers a declined card."""


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


NEAR_S = 10
"""Sends that are no further apart are searched in one window."""


def first_windows(unknown: UnknownOutcome) -> tuple[Window, ...]:
    """Return the windows that a look reads before an unknown outcome is published: the seconds of the sends.

    They are narrow, because in a busy account a page of a list holds few seconds. Most objects are made by the first
    send, and within a second of it. Later looks read the whole time.
    """
    whole = windows(unknown)
    first = int(min(unknown.firsts, default=whole[0].earliest))
    last = max(first, int(unknown.last_sent_at or first))
    if last - first <= NEAR_S:
        return (Window(first, last + 1),)
    return Window(first, first + 1), Window(last, last + 1)


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


FORGOTTEN = "{seen}, but its message is older than the record of its sends and their account."

UNRECORDED = "{seen}, but its first send is not recorded. Its message can be redriven."


def decide(unknown: UnknownOutcome, result: LookupResult, now_s: float) -> Outcome | StaysUnknown:
    """Return the outcome of the request, or the reason why it stays unknown."""
    before = unknown.entry.outcome
    match result:
        case Found(body, stripe_request_id) if not _is_listed(unknown.entry):
            return Response(
                body=body, attempts=before.attempts, stripe_request_id=stripe_request_id
            )
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


def _is_listed(entry: OutcomeEntry) -> bool:
    """Return whether the result comes from the list of a create, and not from the object's own path."""
    return isinstance(proof_of(operation_named(entry.operation)), ByMark)


def _confirms(entry: OutcomeEntry) -> bool:
    """Return whether the create also confirms the object. Stripe reads `True` and `"true"` alike, as form text."""
    return entry.params.get("confirm") in (True, "true")


def _is_complete(entry: OutcomeEntry, body: Mapping[str, Any]) -> bool:
    """Return whether Stripe has finished the create of the object. The object's list names its unfinished states."""
    listing = operation_named(entry.operation).listing
    unconfirmed = listing is not None and body.get("status") in listing.unconfirmed
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
    provable_at, listed = unknown.provable_at, _is_listed(unknown.entry)
    seen = "Stripe does not list the object" if listed else "Stripe's object shows no effect"
    if provable_at is None:
        why = FORGOTTEN if unknown.forgotten else UNRECORDED
        return StaysUnknown(why.format(seen=seen))
    if now_s < provable_at:
        return StaysUnknown(f"{seen}, but the request may still be sent.", provable_at)
    if answered_at is None:
        return StaysUnknown(f"{seen}, but Stripe sent no Date header to compare clocks by.")
    if abs(answered_at - now_s) > CLOCKS_APART_S:
        return StaysUnknown(
            f"{seen}, but Stripe's clock and ours are {abs(answered_at - now_s):.0f} s apart."
        )
    return Error(
        kind=ErrorKind.HTTP,
        code="not_found_after_horizon" if listed else "not_executed_after_horizon",
        message="Stripe never listed the object, and it can no longer be sent. It was not created."
        if listed
        else "Stripe's object never showed an effect, and the request can no longer be sent. It was not executed.",
        attempts=unknown.entry.outcome.attempts,
        certainty=Certainty.NOT_CREATED,
    )
