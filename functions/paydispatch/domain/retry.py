"""Decide how a request goes on after an attempt: it is settled, given up or tried again. Pure.

Three rules, in this order:
1. *An answer is final.* A success, a card error and every replay end the request, because Stripe keeps the first answer
   of an execution under the idempotency key (docs.stripe.com/api/idempotent_requests).
2. *The certainty latch.* Stripe may have executed an attempt that ended unknown, for instance in a read timeout or a
   500 (docs.stripe.com/error-low-level). A later refusal says nothing about that attempt. Therefore the request then
   ends with certainty `unknown`, and not with `not_created` or `not_executed`. One refusal does: the 404 of a DELETE of
   an object that is gone, because it shows the effect of the attempt with the lost answer.
3. *`Stripe-Should-Retry` decides whether to retry.* Where Stripe does not send this header, the status does:
   `_RETRIED_STATUSES`. Stripe's Python library reads the header first, too (`_http_client.py`). A DELETE that could act
   on another object is not retried, whatever the header says (`repeats.Repeat`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from paydispatch.domain.attempts import Answered, Attempt, NotSent, RefusedInFront, Unknown
from paydispatch.domain.claims import SendEnd
from paydispatch.domain.limits import HORIZON_S, MOST_ATTEMPTS
from paydispatch.domain.outcomes import (
    Error,
    ErrorKind,
    Outcome,
    Response,
    error_of_stripe,
)
from paydispatch.domain.stripe.repeats import Repeat, Repeats

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paydispatch.domain.claims import Go, SlotState
    from paydispatch.domain.progress import Progress
    from paydispatch.domain.stripe.accounts import AccountBinding

BACKOFF_BASE_S = 0.5
BACKOFF_LONGEST_S = 300.0
"""The backoff stops doubling here. In an outage of hours each request then makes one call every few minutes."""

SCRIPT_WAIT_FIRST_S = 1.0
SCRIPT_WAIT_LONGEST_S = 60.0
"""The wait for a script stops doubling here, so that a new worker with the script runs it within a minute."""

_RETRIED_STATUSES = frozenset({409, 429})
"""409: the idempotency key is in use, or an object is locked. 429: rate limited.

Stripe executed nothing for the attempt, and the same call can succeed later. Stripe's library does not retry a 429 by
its status. This program must, because otherwise each rate-limited request would fail."""


GONE = 404
"""Stripe's status for an object that it does not have."""


@dataclass(frozen=True, slots=True)
class Settled:
    """The end of a request: publish the outcome."""

    outcome: Outcome
    inferred: bool = False
    """The outcome follows from the state at Stripe, because Stripe's answer was lost."""


@dataclass(frozen=True, slots=True)
class GivenUp:
    """The end of a request that must not be sent again: publish the error, then park the message for an operator."""

    outcome: Error


@dataclass(frozen=True, slots=True)
class Again:
    """Another attempt after `delay_s`, with `progress`."""

    delay_s: float
    progress: Progress


Decision = Settled | GivenUp | Again

KEYED = Repeats()
"""The repeats of a POST."""

_GIVEN_UP = {
    "horizon_passed": "Its idempotency key is at least 23 hours old, and Stripe may have forgotten it.",
    "deadline_exceeded": "Its deadline passed before Stripe answered.",
    "attempts_exhausted": f"Stripe answered none of its {MOST_ATTEMPTS} attempts.",
    "answer_unknown": "Its answer was lost, and a repeat could act on another object.",
    "account_changed": "Its Stripe key now belongs to another account than the one that may have executed it.",
}


def end_with(error: Error) -> Settled | GivenUp:
    """Return the end of a request with an error of our own. One with certainty `unknown` is parked, for an operator."""
    return Settled(error) if error.settled else GivenUp(error)


def send_end(attempt: Attempt) -> SendEnd | None:
    """Return how the send of this attempt ended. None: Stripe answered, and the answer is published instead."""
    match attempt:
        case Answered():
            return None
        case NotSent():
            return SendEnd.NOT_CONNECTED
        case _:
            return SendEnd.UNKNOWN if raises_doubt(attempt) else SendEnd.REFUSED


def progress_for_copy(progress: Progress, outcome: Outcome) -> Progress:
    """Return the progress for a copy of the message, which is needed because `outcome` could not be published.

    The copy carries the latch, because the outcome may be an answer of Stripe. It needs no latch if the request ended
    unexecuted, because the slot of such a request is closed, and nothing is sent again.
    """
    closed = isinstance(outcome, Error) and outcome.settled and not outcome.answered
    return progress if closed else with_doubt(progress)


def merge_history(progress: Progress, state: SlotState) -> Progress:
    """Add the earlier sends that the request's slot records to those that the message carries."""
    firsts = [at for at in (progress.first_sent_at, state.first_sent_at) if at is not None]
    return replace(
        progress,
        maybe_executed=progress.maybe_executed or state.in_doubt,
        first_sent_at=min(firsts, default=None),
        last_sent_at=state.last_sent_at,
        account=state.account,
    )


def note_send(progress: Progress, go: Go, account: AccountBinding) -> Progress:
    """Return the progress after a send began. `store_waits` is 0 again, because the stores answered."""
    return replace(
        progress,
        first_sent_at=go.first_sent_at,
        last_sent_at=go.sent_at,
        account=account,
        store_waits=0,
    )


def with_doubt(progress: Progress) -> Progress:
    """Return the progress with the latch set."""
    return replace(progress, maybe_executed=True)


def may_send(progress: Progress, now_s: float, rule: Repeat = Repeat.KEYED) -> GivenUp | None:
    """Check horizon, deadline, number of attempts and repeats before a send. Return None if the request may be sent."""
    if rule is Repeat.UNTIL_DOUBT and progress.maybe_executed:
        return give_up(progress, "answer_unknown")
    if past_horizon(progress.first_sent_at, now_s):
        return give_up(progress, "horizon_passed")
    if now_s >= progress.deadline_at:
        return give_up(progress, "deadline_exceeded")
    if progress.attempt > MOST_ATTEMPTS:
        return give_up(progress, "attempts_exhausted")
    return None


def past_horizon(first_sent_at: float | None, now_s: float) -> bool:
    """Return whether Stripe may have pruned the idempotency key. Then a POST could create a second object."""
    return first_sent_at is not None and now_s - first_sent_at >= HORIZON_S


def decide(
    attempt: Attempt, progress: Progress, now_s: float, fraction: float, repeats: Repeats = KEYED
) -> Decision:
    """Return the decision after `attempt`, which has the number `progress.attempt`.

    `fraction` is a random number in [0, 1), for the jitter of the backoff.
    """
    if isinstance(attempt, Answered):
        return _end_answered(attempt, progress, repeats)
    if repeats.gone is not None and _shows_effect(attempt, progress, repeats):
        return Settled(_response(repeats.gone, attempt, progress), inferred=True)
    latched = replace(progress, maybe_executed=progress.maybe_executed or raises_doubt(attempt))
    if not _retryable(attempt) or not _may_repeat(latched, repeats):
        return _stop(attempt, latched)
    delay_s = backoff_s(progress.attempt, fraction)
    if now_s + delay_s >= progress.deadline_at:
        return GivenUp(_no_answer(attempt, latched, "deadline_exceeded"))
    if progress.attempt >= MOST_ATTEMPTS:
        return GivenUp(_no_answer(attempt, latched, "attempts_exhausted"))
    return Again(delay_s, replace(latched, attempt=progress.attempt + 1))


STORE_BACKOFF_BASE_S = 5.0


def store_backoff_s(waits: int, fraction: float) -> float:
    """Return for how many seconds a message waits for an unavailable store, after `waits` such waits.

    It is at least half of the exponential time, because a store that was unavailable a moment ago still is.
    """
    longest_s = min(BACKOFF_LONGEST_S, STORE_BACKOFF_BASE_S * 2.0 ** min(waits, 32))
    return longest_s * (0.5 + 0.5 * fraction)


def backoff_s(attempt: int, fraction: float) -> float:
    """Return a random part of the exponential time (full jitter), so that requests that failed together spread out."""
    return fraction * min(BACKOFF_LONGEST_S, BACKOFF_BASE_S * 2.0 ** min(attempt - 1, 32))


def wait_for_script_s(missing_for_s: float, at_most_s: float) -> float | None:
    """Return the seconds until an entry without a script is looked at again. None: the time for this is over.

    The time so far doubles with each look, so that a folder without a script causes few looks, however many entries
    wait for it.
    """
    left_s = at_most_s - missing_for_s
    wait_s = min(SCRIPT_WAIT_LONGEST_S, max(SCRIPT_WAIT_FIRST_S, missing_for_s))
    return min(wait_s, left_s) if left_s > 0 else None


def raises_doubt(attempt: NotSent | RefusedInFront | Unknown) -> bool:
    """Return whether the attempt sets the latch.

    An unknown attempt does. So does a refusal which says that Stripe executes or has executed another call under this
    key: `idempotency_key_in_use` and `idempotency_error`.
    """
    if isinstance(attempt, RefusedInFront):
        in_use = attempt.error.get("code") == "idempotency_key_in_use"
        return in_use or attempt.error.get("type") == "idempotency_error"
    return isinstance(attempt, Unknown)


def _shows_effect(
    attempt: NotSent | RefusedInFront | Unknown, progress: Progress, repeats: Repeats
) -> bool:
    """Return whether a 404 shows the effect of an earlier attempt: the object of the path is gone.

    Without an earlier attempt that may have had an effect it is a plain refusal. So is one that names a parameter.
    """
    return (
        progress.maybe_executed
        and isinstance(attempt, RefusedInFront)
        and attempt.http_status == GONE
        and attempt.error.get("code") == "resource_missing"
        and str(attempt.error.get("param")) not in repeats.sent
    )


def _may_repeat(latched: Progress, repeats: Repeats) -> bool:
    return not (repeats.rule is Repeat.UNTIL_DOUBT and latched.maybe_executed)


def _retryable(attempt: NotSent | RefusedInFront | Unknown) -> bool:
    match attempt:
        case NotSent():
            return True
        case Unknown(should_retry=said):
            return said is not False
        case RefusedInFront(should_retry=None, http_status=status):
            return status in _RETRIED_STATUSES
        case RefusedInFront(should_retry=said):
            return bool(said)


def _stop(attempt: NotSent | RefusedInFront | Unknown, progress: Progress) -> Settled | GivenUp:
    if isinstance(attempt, RefusedInFront):
        error = _stripe_error(
            attempt.http_status, attempt.error, attempt.stripe_request_id, progress
        )
        return Settled(error) if error.settled else GivenUp(error)
    return GivenUp(_no_answer(attempt, progress, "answer_unknown"))


def _end_answered(attempt: Answered, progress: Progress, repeats: Repeats) -> Settled | GivenUp:
    if attempt.succeeded:
        return Settled(_response(attempt.body, attempt, progress))
    error = attempt.body.get("error")
    # An answer under the key, replayed or not, holds for every attempt and clears the latch. Without a key it does not.
    keyed = repeats.rule is Repeat.KEYED
    known = replace(progress, maybe_executed=progress.maybe_executed and not keyed)
    answered = _stripe_error(
        attempt.http_status,
        error if isinstance(error, dict) else {},
        attempt.stripe_request_id,
        known,
        answered=keyed,
    )
    return end_with(answered)


def _response(body: Mapping[str, Any], attempt: Attempt, progress: Progress) -> Response:
    return Response(
        body=body,
        attempts=progress.attempt,
        stripe_request_id=getattr(attempt, "stripe_request_id", None),
    )


def _stripe_error(
    http_status: int,
    error: Mapping[str, Any],
    stripe_request_id: str | None,
    progress: Progress,
    *,
    answered: bool = False,
) -> Error:
    return error_of_stripe(
        error,
        http_status=http_status,
        stripe_request_id=stripe_request_id,
        attempts=progress.attempt,
        certainty=progress.certainty,
        answered=answered,
    )


def _no_answer(attempt: NotSent | RefusedInFront | Unknown, progress: Progress, code: str) -> Error:
    last = attempt.error if isinstance(attempt, RefusedInFront) else {}
    reason = str(last.get("message")) if last else getattr(attempt, "reason", "")
    return Error(
        kind=ErrorKind.HTTP,
        message=f"No answer from Stripe after {progress.attempt} attempts ({code}). The last: {reason}",
        code=getattr(attempt, "code", None) or last.get("code") or code,
        http_status=getattr(attempt, "http_status", None),
        stripe_request_id=getattr(attempt, "stripe_request_id", None),
        attempts=progress.attempt,
        certainty=progress.certainty,
    )


def give_up(progress: Progress, code: str) -> GivenUp:
    """Return the end of a request that must not be sent any more."""
    return GivenUp(
        Error(
            kind=ErrorKind.HTTP,
            code=code,
            message=_GIVEN_UP[code],
            attempts=progress.attempt - 1,
            certainty=progress.certainty,
        )
    )
