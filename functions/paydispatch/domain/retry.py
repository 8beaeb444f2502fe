"""What to do after an attempt: a pure function of the attempt, what went before, the clock and the deadline.

Three rules decide, in this order.
1. *An answer ends it.* A success, a card error and every replay are final.
2. *The certainty latch.* Once any attempt was unknown, a later refusal in front cannot say "not created".
3. *Stripe's word first.* `Stripe-Should-Retry` decides; where it is silent, the table below does.
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

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paydispatch.domain.accounts import AccountBinding
    from paydispatch.domain.claims import Go, SlotState
    from paydispatch.domain.progress import Progress

BACKOFF_BASE_S = 0.5
BACKOFF_LONGEST_S = 300.0
"""Where doubling stops: an outage of hours costs each request a call every few minutes."""

_RETRIED_STATUSES = frozenset({409, 429})
"""In use or locked, and rate limited: nothing happened, and the same call will do later."""


@dataclass(frozen=True, slots=True)
class Settled:
    """Final: publish the outcome."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class GivenUp:
    """No further attempt may be made: publish the error, then park the message for an operator."""

    outcome: Error


@dataclass(frozen=True, slots=True)
class Again:
    """Try again after `delay_s`, carrying `progress`."""

    delay_s: float
    progress: Progress


Decision = Settled | GivenUp | Again

_GIVEN_UP = {
    "horizon_passed": "Its idempotency key is too old to be sent again.",
    "deadline_exceeded": "Its deadline passed before Stripe gave an answer.",
    "attempts_exhausted": f"{MOST_ATTEMPTS} attempts had no answer.",
    "account_changed": "Its key belongs to another Stripe account than the one that may have executed it.",
}


def end_with(error: Error) -> Settled | GivenUp:
    """Return the end that Stripe did not decide. One that leaves doubt is parked, for an operator."""
    return Settled(error) if error.settled else GivenUp(error)


def send_end(attempt: Attempt) -> SendEnd | None:
    """Return how a send ended that was followed by this attempt. None: with Stripe's answer, which is told instead."""
    match attempt:
        case Answered():
            return None
        case NotSent():
            return SendEnd.NOT_CONNECTED
        case _:
            return SendEnd.UNKNOWN if raises_doubt(attempt) else SendEnd.REFUSED


def progress_for_copy(progress: Progress, outcome: Outcome) -> Progress:
    """Return what a copy must know if `outcome` could not be told: only the request's slot knows a closed end."""
    closed = isinstance(outcome, Error) and outcome.settled and not outcome.answered
    return progress if closed else with_doubt(progress)


def merge_history(progress: Progress, state: SlotState) -> Progress:
    """Add what the request's slot knows of earlier sends to what the message says of itself."""
    firsts = [at for at in (progress.first_sent_at, state.first_sent_at) if at is not None]
    return replace(
        progress,
        maybe_executed=progress.maybe_executed or state.in_doubt,
        first_sent_at=min(firsts, default=None),
        last_sent_at=state.last_sent_at,
        account=state.account,
    )


def note_send(progress: Progress, go: Go, account: AccountBinding) -> Progress:
    """Return the progress once a send began. The stores were there, so their waits are over."""
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


def may_send(progress: Progress, now_s: float) -> GivenUp | None:
    """The guards before a POST: deadline, horizon and the bound on attempts."""
    if past_horizon(progress.first_sent_at, now_s):
        return give_up(progress, "horizon_passed")
    if now_s >= progress.deadline_at:
        return give_up(progress, "deadline_exceeded")
    if progress.attempt > MOST_ATTEMPTS:
        return give_up(progress, "attempts_exhausted")
    return None


def past_horizon(first_sent_at: float | None, now_s: float) -> bool:
    """Whether Stripe may have pruned the idempotency key, so that a POST could make a second object."""
    return first_sent_at is not None and now_s - first_sent_at >= HORIZON_S


def decide(attempt: Attempt, progress: Progress, now_s: float, fraction: float) -> Decision:
    """Return what follows `attempt`, the one numbered `progress.attempt`.

    `fraction` is a random number in [0, 1): the jitter. The backoff is full jitter over an exponential.
    """
    if isinstance(attempt, Answered):
        return Settled(_answer(attempt, progress))
    latched = replace(progress, maybe_executed=progress.maybe_executed or raises_doubt(attempt))
    if not _retryable(attempt):
        return _stop(attempt, latched)
    delay_s = backoff_s(progress.attempt, fraction)
    if now_s + delay_s >= progress.deadline_at:
        return GivenUp(_no_answer(attempt, latched, "deadline_exceeded"))
    if progress.attempt >= MOST_ATTEMPTS:
        return GivenUp(_no_answer(attempt, latched, "attempts_exhausted"))
    return Again(delay_s, replace(latched, attempt=progress.attempt + 1))


STORE_BACKOFF_BASE_S = 5.0


def store_backoff_s(waits: int, fraction: float) -> float:
    """Return how long a message waits for a store after `waits` such waits: half to all of a doubling time.

    Never less than half, because a store that was away a moment ago still is.
    """
    longest_s = min(BACKOFF_LONGEST_S, STORE_BACKOFF_BASE_S * 2.0 ** min(waits, 32))
    return longest_s * (0.5 + 0.5 * fraction)


def backoff_s(attempt: int, fraction: float) -> float:
    """Full jitter: anywhere between nothing and the doubled base, so that a herd spreads out."""
    return fraction * min(BACKOFF_LONGEST_S, BACKOFF_BASE_S * 2.0 ** min(attempt - 1, 32))


def raises_doubt(attempt: NotSent | RefusedInFront | Unknown) -> bool:
    """An unknown attempt does; so does any word of Stripe's that this key is, or was, executed elsewhere."""
    if isinstance(attempt, RefusedInFront):
        in_use = attempt.error.get("code") == "idempotency_key_in_use"
        return in_use or attempt.error.get("type") == "idempotency_error"
    return isinstance(attempt, Unknown)


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


def _answer(attempt: Answered, progress: Progress) -> Outcome:
    if attempt.created:
        return Response(
            body=attempt.body,
            attempts=progress.attempt,
            stripe_request_id=attempt.stripe_request_id,
        )
    error = attempt.body.get("error")
    answered = replace(
        progress, maybe_executed=False
    )  # an answer, replayed or not, ends every doubt
    return _stripe_error(
        attempt.http_status,
        error if isinstance(error, dict) else {},
        attempt.stripe_request_id,
        answered,
        answered=True,
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
    """Return the end of a request that may not be sent any more."""
    return GivenUp(
        Error(
            kind=ErrorKind.HTTP,
            code=code,
            message=_GIVEN_UP[code],
            attempts=progress.attempt - 1,
            certainty=progress.certainty,
        )
    )
