"""Call Stripe for one message of the queue. The same message may be received any number of times.

The steps, in order:

1. Prove that the message comes from the principal that it names.
2. Claim the request's id in Redis. The claim returns the sends and the outcome of earlier receives.
3. Guard (`calls/guard.py`): end a request that must not be sent.
4. Open the key, and find the Stripe account that it belongs to (`calls/open_key.py`).
5. Send (`calls/open_send.py`): ask Redis for leave to call, which records the call before it is made.
6. Call Stripe.
7. Decide the next step, and record how the send ended.
8. Conclude (`calls/conclude.py`): publish the outcome and write the status. Or try again, at once or by a copy of the
   message (`calls/defer.py`).

The request's slot in Redis decides each step. A crash between any two steps leaves at worst a doubt: `maybe_executed`
is set although nothing was executed. A call returns when the message may be acknowledged, because its outcome or a
copy of it is durable. It raises `Unavailable` when neither could be made durable, and then SQS keeps the message.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from paydispatch.domain.attempts import Answered, NotSent, RefusedInFront, Unknown
from paydispatch.domain.claims import NoSend, Send, SendEnd
from paydispatch.domain.credentials import check_acts_in_account
from paydispatch.domain.errors import BadRequest, CannotOpen, Unavailable
from paydispatch.domain.identity.marks import with_mark
from paydispatch.domain.operators.redrive import NOT_ACCEPTED
from paydispatch.domain.outcomes import ErrorKind
from paydispatch.domain.parameters.unset_metadata import unsets_metadata
from paydispatch.domain.rates.feedback import Feedback
from paydispatch.domain.rates.tokens import Postponed
from paydispatch.domain.retry import (
    KEYED,
    Again,
    Decision,
    Settled,
    decide,
    end_with,
    merge_history,
    note_send,
    send_end,
    with_doubt,
)
from paydispatch.services.calls.call import Asked, Call
from paydispatch.services.calls.check_key import find_open_breaker, tell_breaker
from paydispatch.services.calls.conclude import conclude, publish_and_log, report_reused_id
from paydispatch.services.calls.defer import (
    DeferCall,
    defer,
    defer_for_store,
    defer_if_unavailable,
    mark_retrying,
)
from paydispatch.services.calls.guard import guard, needs_fresh_start, start_afresh
from paydispatch.services.calls.keep_message import keep_message, keep_message_if_slow
from paydispatch.services.calls.open_key import find_account, open_key
from paydispatch.services.calls.open_send import follow_no_send, open_send
from paydispatch.services.calls.prove_principal import is_proven
from paydispatch.services.calls.take_tokens import postpone, report, report_attempt, take_tokens

if TYPE_CHECKING:
    from paydispatch.domain.attempts import Attempt
    from paydispatch.domain.credentials import StripeKey
    from paydispatch.domain.envelope import Envelope
    from paydispatch.domain.progress import Progress
    from paydispatch.domain.rates.tokens import Granted
    from paydispatch.domain.stripe.accounts import AccountBinding
    from paydispatch.domain.stripe.repeats import Repeats
    from paydispatch.services.calls.call import CallPorts, Receive

LEAST_CALL_S = 1.0
"""The least time in which a POST is begun. With less it would probably be cut off, and leave a doubt for nothing."""

CALL_METRICS: dict[type[Attempt], str] = {
    Answered: "CallAnswered",
    RefusedInFront: "CallRefused",
    Unknown: "CallUnknown",
    NotSent: "CallNotSent",
}
"""The metric of a call by the way in which it ended. Their sum is the number of calls."""

MOST_WAITS_FOR_PROOF = 3_000
"""How often a message waits for the proof of its principal: five to ten days.

Then it is parked. Without a bound a message would go round for ever if KMS never lets its seal be opened.
"""


async def call_stripe(ports: CallPorts, envelope: Envelope, receive: Receive) -> None:
    """Bring one request to its outcome, or defer it.

    Raises `Unavailable` when neither the outcome nor a copy could be made durable.
    """
    call = Call(ports, envelope, receive)
    try:
        if not await _is_proven(call):
            await _park_unaccepted(call)
            return
        progress: Progress | None = envelope.progress
        while progress is not None:
            progress = await _attempt_once(call, progress)
    except DeferCall as deferral:
        await defer_for_store(call, deferral)


async def _attempt_once(call: Call, progress: Progress) -> Progress | None:
    """Claim, guard and make one attempt. Return the progress to go on with at once, or None when the call is done."""
    with defer_if_unavailable(progress, claimed=False):
        state = await call.ports.requests.claim(call.claim)
        if not state.owned:
            await report_reused_id(call, progress)
            return None
    if state.final:
        call.log("request.duplicate", progress)
        return None
    progress = merge_history(progress, state)
    if state.in_doubt:  # an earlier receive may have died before it noted the doubt
        await keep_message(call, progress)
    if state.closed is not None:
        await publish_and_log(call, progress, state.closed)
        return None
    if needs_fresh_start(call, progress):
        await start_afresh(call, progress)
        return None
    asked = guard(call, progress)
    if not isinstance(asked, Asked):
        await conclude(call, progress, asked)
        return None
    return await _attempt(call, progress, asked)


async def _attempt(call: Call, progress: Progress, asked: Asked) -> Progress | None:
    try:
        key = await open_key(call, progress)
        # The API checks a key that the request carries. A named key is known only now.
        check_acts_in_account(key, call.envelope.stripe_context)
    except CannotOpen as error:
        refusal = call.dispatcher_error(progress, "key_not_opened", str(error))
        await conclude(call, progress, end_with(refusal))
        return None
    except BadRequest as error:
        refusal = call.dispatcher_error(progress, error.code, str(error), error.param)
        await conclude(call, progress, end_with(refusal))
        return None
    breaker = await find_open_breaker(call, progress, key)
    if breaker is not None:
        await postpone(call, progress, breaker)
        return None
    account = await find_account(call, progress, key)
    if isinstance(account, RefusedInFront):  # Stripe refused the key, and nothing was sent
        await tell_breaker(call, key, account)
        return await _follow(call, progress, _decide(call, progress, account))
    granted = await take_tokens(call, progress, account, until=call.receive.until - LEAST_CALL_S)
    if isinstance(granted, Postponed):
        await postpone(call, progress, granted, account)
        return None
    if call.time_left_s() < LEAST_CALL_S:
        ending = NotSent("The invocation had no time left for a call", "invocation_ending")
        return await _follow(call, progress, _decide(call, progress, ending))
    return await _send_and_call(call, progress, asked, Leave(key, account, granted))


# 1. Prove the principal


async def _is_proven(call: Call) -> bool:
    """Return whether the message comes from the principal that it names. Nothing is written before that is known."""
    envelope = call.envelope
    try:
        return await is_proven(call.ports, call.claim, envelope.binding, envelope.sealed_secret)
    except Unavailable as error:
        if envelope.progress.store_waits >= MOST_WAITS_FOR_PROOF:
            return False
        raise DeferCall(envelope.progress, str(error), claimed=False) from error


async def _park_unaccepted(call: Call) -> None:
    """Put a message without a proven principal on the dead-letter queue. No flow runs for it."""
    call.warn("message.not_accepted")
    call.ports.log.count("MessageNotAccepted")
    await call.ports.queue.park(
        call.envelope.as_message(), reason=NOT_ACCEPTED, kind=ErrorKind.DISPATCHER
    )


# 6. Send


@dataclass(frozen=True, slots=True)
class Leave:
    """What a call needs beside its request: the key, the key's account and the rate tokens."""

    key: StripeKey
    account: AccountBinding
    granted: Granted


async def _send_and_call(
    call: Call, progress: Progress, asked: Asked, leave: Leave
) -> Progress | None:
    key, account, granted = leave.key, leave.account, leave.granted
    # A new token for each send, because a late command for an old send must change nothing.
    token = secrets.token_hex(8)
    if unsets_metadata(asked.operation, call.envelope.sent_params):
        # Before the call, because it may remove the mark of a create.
        with defer_if_unavailable(progress):
            await call.ports.requests.note_unset_metadata(account)
    send = Send(token=token, account=account, attempt=progress.attempt, rule=asked.repeats.rule)
    answer = await open_send(call, progress, send)
    if isinstance(answer, NoSend):
        await report(call, granted, Feedback.NOT_CALLED)
        return await follow_no_send(call, progress, answer, send.token)
    sent = note_send(progress, answer, account)
    async with keep_message_if_slow(call, sent):
        attempt = await _call_stripe(call, asked, key, within_s=call.time_left_s())
    call.ports.log.count(CALL_METRICS[type(attempt)])
    # If no connection was made, the send is taken back. Then a copy must not carry its time.
    known = replace(progress, store_waits=0) if isinstance(attempt, NotSent) else sent
    decision = _decide(call, known, attempt, asked.repeats)
    await _end_send(call, known, decision, attempt, token)
    await report_attempt(call, granted, attempt)
    await tell_breaker(call, key, attempt)
    return await _follow(call, known, decision, token)


# 7. Call Stripe


async def _call_stripe(call: Call, asked: Asked, key: StripeKey, *, within_s: float) -> Attempt:
    """Make one call. It is abandoned as unknown before Lambda would kill it.

    Only a create carries the mark. With an update it would replace the mark of the create.
    """
    envelope, started = call.envelope, call.ports.clock.now_s()
    params = envelope.sent_params
    try:
        async with asyncio.timeout(within_s):
            return await call.ports.gateway.call(
                method=asked.operation.method,
                path=asked.path,
                params=with_mark(params, envelope.request_id) if asked.operation.marked else params,
                key=key,
                request_id=envelope.request_id,
                stripe_account=envelope.stripe_account,
                stripe_context=envelope.stripe_context,
            )
    except TimeoutError:
        return Unknown("The invocation ended before Stripe answered", "invocation_ended")
    finally:
        call.stripe_s += call.ports.clock.now_s() - started


# 8. Decide the next step


def _decide(call: Call, progress: Progress, attempt: Attempt, repeats: Repeats = KEYED) -> Decision:
    return decide(attempt, progress, call.ports.clock.now_s(), call.ports.fraction(), repeats)


async def _end_send(
    call: Call, progress: Progress, decision: Decision, attempt: Attempt, token: str
) -> None:
    """Record how the send ended, unless the next step does: an answer is published, a close ends its own send."""
    end = send_end(attempt)
    if end is None or (isinstance(decision, Settled) and end is SendEnd.REFUSED):
        return
    latched = decision.progress if isinstance(decision, Again) else progress
    doubted = with_doubt(latched) if end is SendEnd.UNKNOWN else latched
    with defer_if_unavailable(doubted):
        await call.ports.requests.end_send(call.claim, token, end)
    if end is SendEnd.UNKNOWN:
        await keep_message(call, doubted)


async def _follow(
    call: Call, progress: Progress, decision: Decision, token: str = ""
) -> Progress | None:
    """Conclude, sleep or defer. Return the progress of the next attempt in this invocation, or None."""
    if not isinstance(decision, Again):
        await conclude(call, progress, decision, token)
        return None
    if await _sleep(call, decision):
        return decision.progress
    await defer(call, decision.progress, decision.delay_s, why="backoff")
    return None


async def _sleep(call: Call, again: Again) -> bool:
    """Sleep until the next attempt while other requests go on. False: the wait does not fit into this invocation."""
    retry_at = call.ports.clock.now_s() + again.delay_s
    if retry_at > call.receive.until - LEAST_CALL_S:
        return False
    with defer_if_unavailable(again.progress):
        await mark_retrying(call, again.progress, retry_at)
    await call.ports.clock.sleep(again.delay_s)
    return True
