"""Conclude a call: look first if it ends unknown, close the slot if it ended unexecuted, publish, park."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydispatch.domain.claims import Disputed, SendEnd
from paydispatch.domain.entry import entry_for
from paydispatch.domain.outcomes import Error, Outcome, error_for_reused_id
from paydispatch.domain.progress import Progress
from paydispatch.domain.retry import GivenUp, Settled, progress_for_copy
from paydispatch.services.calls.defer import DeferCall, defer_if_unavailable
from paydispatch.services.calls.look_first import look_first, unknown_outcome
from paydispatch.services.calls.publish_outcome import (
    close_and_publish,
    publish_outcome,
    write_missing_status,
)
from paydispatch.services.looks.note_doubt import note_doubt

if TYPE_CHECKING:
    from paydispatch.services.calls.call import Call


async def conclude(
    call: Call, progress: Progress, decision: Settled | GivenUp, token: str = ""
) -> None:
    """Publish the outcome, then park the message if the request was given up.

    `token` names this call's own send, if it made one. Raises `DeferCall` when a store is unavailable.
    """
    if isinstance(decision, GivenUp):
        decision = await look_first(call, progress, decision)
    outcome = decision.outcome
    if isinstance(outcome, Error) and outcome.settled and not outcome.answered:
        closed_with = await _close(call, progress, outcome, token)
        if closed_with is None:
            return
        outcome = closed_with
    inferred = isinstance(decision, Settled) and decision.inferred
    await publish_and_log(call, progress, outcome, inferred=inferred)
    if isinstance(decision, GivenUp):
        await _note_doubt(call, progress, decision.outcome)
        await _park(call, progress_for_copy(progress, decision.outcome), decision.outcome)


async def _note_doubt(call: Call, progress: Progress, error: Error) -> None:
    """Plan a look for a request with an unknown outcome, after it was published, so that the look finds it."""
    if not error.settled:
        await note_doubt(call.ports, unknown_outcome(call, progress, error))


async def _close(call: Call, progress: Progress, error: Error, token: str) -> Error | None:
    """End the request unexecuted, so that no send can follow.

    Return the error that the slot is closed with, which may be an earlier one. None: an outcome was published before.
    """
    requests = call.ports.requests
    with defer_if_unavailable(progress):
        closed_with = await requests.close(call.claim, error, token=token)
        if closed_with is Disputed.PUBLISHED:
            await write_missing_status(call.ports, call.claim.worker_slot, call.claim.request_id)
            return None
        if closed_with is Disputed.MAYBE_EXECUTED:
            if token:
                await requests.end_send(call.claim, token, SendEnd.REFUSED)
            raise DeferCall(progress, "Another receive may still have an effect.")
    return closed_with


async def publish_and_log(
    call: Call, progress: Progress, outcome: Outcome, *, inferred: bool = False
) -> None:
    """Publish `outcome` to the worker's stream and write the status. Raises `DeferCall`."""
    now_s = call.ports.clock.now_s()
    envelope = call.envelope.at(progress)
    entry = entry_for(envelope, call.claim, outcome, now_s, inferred=inferred)
    # Only this process knows the answer. Until it is published, no later refusal may say "not created".
    with defer_if_unavailable(progress_for_copy(progress, outcome)):
        first = await publish_outcome(call.ports, entry, call.claim.worker_slot)
    published = entry.outcome
    error = published.as_dict() if isinstance(published, Error) else {}
    call.log(
        "request.settled" if first else "request.settled_before",
        progress,
        flow=entry.flow_name,
        inferred=inferred or None,
        stripe_request_id=outcome.stripe_request_id,
        **{f"error_{name}": error.get(name) for name in ("kind", "code", "certainty", "message")},
    )


async def report_reused_id(call: Call, progress: Progress) -> None:
    """Publish an error for a second request under a used id: it was not executed.

    The error goes to the worker of the second request, under an id of its own. Raises `Unavailable`.
    """
    claim, error = call.claim.as_second_request(), error_for_reused_id()
    unsent = call.envelope.at(Progress(deadline_at=progress.deadline_at))
    entry = entry_for(unsent, claim, error, call.ports.clock.now_s())
    reported = await close_and_publish(call.ports, claim, error, entry)
    if reported is None:
        call.log("request.duplicate", progress)
        return
    call.warn("request.id_reused", told_under=reported.request_id)
    call.ports.log.count("IdempotencyKeyReused")


async def _park(call: Call, progress: Progress, error: Error) -> None:
    """Put the message on the dead-letter queue, where an operator finds it."""
    message = call.envelope.at(progress).as_message()
    with defer_if_unavailable(progress):
        await call.ports.queue.park(message, reason=error.code or error.kind.value, kind=error.kind)
    call.ports.log.count("RequestParked")
