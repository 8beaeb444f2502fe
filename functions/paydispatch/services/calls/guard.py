"""The guard before a call: a request that must not be sent ends here. A request that SQS is about to lose is copied."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from paydispatch.domain.envelope import check_copy_size, check_operation
from paydispatch.domain.errors import BadRequest
from paydispatch.domain.parameters.check import require_valid_params
from paydispatch.domain.retry import GivenUp, Settled, end_with, may_send
from paydispatch.domain.stripe.repeats import repeats_of
from paydispatch.services.calls.call import Asked

if TYPE_CHECKING:
    from paydispatch.domain.progress import Progress
    from paydispatch.services.calls.call import Call

MOST_FRESH_STARTS = 5
"""How often a copy replaces a message on its last receive, if nothing was ever sent.

SQS counts a receive even if Lambda throttled it and no process saw the message. The bound ends a message that kills
each process that works on it.
"""


def needs_fresh_start(call: Call, progress: Progress) -> bool:
    """Return whether a copy must replace the message, because SQS is about to dead-letter it and nothing was sent."""
    unsent = progress.first_sent_at is None and not progress.maybe_executed
    return call.receive.last_receive and unsent and progress.fresh_starts < MOST_FRESH_STARTS


async def start_afresh(call: Call, progress: Progress) -> None:
    copy = replace(progress, fresh_starts=progress.fresh_starts + 1)
    await call.ports.queue.defer(call.envelope.at(copy), 0.0)
    call.log("request.started_afresh", copy)


def guard(call: Call, progress: Progress) -> Asked | Settled | GivenUp:
    """Return the operation of a request that may be sent, or else its outcome."""
    if call.receive.last_receive:
        why = "Every worker that took this request died."
        return GivenUp(call.dispatcher_error(progress, "last_receive", why))
    try:
        asked = _check(call, progress)
    except BadRequest as error:
        refusal = call.dispatcher_error(progress, error.code, str(error), error.param)
        return end_with(refusal)
    return may_send(progress, call.ports.clock.now_s(), asked.repeats.rule) or asked


def _check(call: Call, progress: Progress) -> Asked:
    """Repeat the API's checks, because programs may write to the queue themselves. Raises `BadRequest`."""
    envelope = call.envelope
    operation = check_operation(envelope)
    warnings = require_valid_params(
        operation.name,
        envelope.params,
        envelope.unchecked_params,
        call.ports.stripe_api_version,
    )
    check_copy_size(envelope)
    if warnings and progress.attempt == 1:
        call.log("request.warned", progress, warnings=[warning.param for warning in warnings])
    return Asked(
        operation,
        operation.endpoint(envelope.path),
        repeats_of(operation, envelope.path, envelope.sent_params),
    )
