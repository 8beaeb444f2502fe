"""Open a send: ask Redis for leave to call Stripe, which records the call before it is made. Act on a refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydispatch.domain.claims import Go, NoSend, Send, SendEnd
from paydispatch.domain.errors import Unavailable
from paydispatch.domain.limits import SEND_AGE_S
from paydispatch.domain.retry import give_up, store_backoff_s, with_doubt
from paydispatch.services.calls.conclude import conclude
from paydispatch.services.calls.defer import DeferCall, defer_if_unavailable
from paydispatch.services.calls.publish_outcome import write_missing_status

if TYPE_CHECKING:
    from paydispatch.domain.progress import Progress
    from paydispatch.services.calls.call import Call

MOST_SENDS_ASKED = 3
"""How often a send is asked for again because Redis answered too late for the POST."""


async def open_send(call: Call, progress: Progress, send: Send) -> Go | NoSend:
    """Ask Redis for the send until the answer is fresh enough for the POST. Raises `DeferCall` without an answer."""
    clock = call.ports.clock
    try:
        for asked_before in range(MOST_SENDS_ASKED):
            asked_at = (
                clock.now_s()
            )  # read before the question: the process may be frozen while it waits
            answer = await call.ports.requests.send(call.claim, send)
            if isinstance(answer, NoSend):
                if asked_before:
                    await _take_back(call, send.token)
                return answer
            if clock.now_s() - asked_at <= SEND_AGE_S:
                return answer
        raise Unavailable("Redis answered too late for the call.")
    except Unavailable as error:
        await _take_back(call, send.token)
        raise DeferCall(progress, str(error)) from error


async def _take_back(call: Call, token: str) -> None:
    """Take back a send that was not followed by a POST. If it stayed open, it would be a false doubt."""
    try:
        await call.ports.requests.end_send(call.claim, token, SendEnd.NOT_CONNECTED)
    except Unavailable as error:
        call.warn("send.not_taken_back", why=str(error))


async def follow_no_send(
    call: Call, progress: Progress, why: NoSend, token: str
) -> Progress | None:
    """Act on Redis's refusal of a send. Return the progress to go on with at once, or None when the call is done."""
    match why:
        case NoSend.PUBLISHED | NoSend.TOLD:
            if (
                why is NoSend.TOLD
            ):  # the slot has opened the send, because the seen-mark is in the worker's slot
                await _take_back(call, token)
            with defer_if_unavailable(progress):
                await write_missing_status(
                    call.ports, call.claim.worker_slot, call.claim.request_id
                )
            call.log("request.duplicate", progress)
            return None
        case NoSend.PAST_HORIZON:
            await conclude(call, progress, give_up(progress, "horizon_passed"))
            return None
        case NoSend.OTHER_ACCOUNT:
            await _wait_for_account(call, progress)
            return None
        case NoSend.CLOSED | NoSend.IN_DOUBT:
            return progress  # the next claim returns the outcome that the slot is closed with, or the doubt
        case NoSend.NOT_OWNED:
            raise DeferCall(progress, "The request's slot was lost.")


async def _wait_for_account(call: Call, progress: Progress) -> None:
    """Wait until the deadline for a key of the account in which an earlier send may have had an effect."""
    delay_s = store_backoff_s(progress.store_waits, 1.0)
    if call.ports.clock.now_s() + delay_s < progress.deadline_at:
        raise DeferCall(progress, "The key belongs to another account than an open send.")
    await conclude(call, progress, give_up(with_doubt(progress), "account_changed"))
