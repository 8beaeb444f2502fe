"""Defer a call: send a delayed copy of its message, which carries the progress made so far.

A copy costs no receive, so a message that waits is never moved to the dead-letter queue for waiting.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from paydispatch.domain.errors import Unavailable
from paydispatch.domain.limits import QUEUE_DELAY_LIMIT_S
from paydispatch.domain.message.groups import group_of_account
from paydispatch.domain.retry import store_backoff_s

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paydispatch.domain.progress import Progress
    from paydispatch.domain.rates.waiting import Waiting
    from paydispatch.domain.stripe.accounts import AccountBinding
    from paydispatch.services.calls.call import Call


class DeferCall(Exception):
    """Raised where a call cannot go on now. `progress` is everything that the copy must carry."""

    def __init__(self, progress: Progress, why: str, *, claimed: bool = True) -> None:
        super().__init__(why)
        self.progress = progress
        self.claimed = claimed
        """Whether this request holds its id, so that its status may be written."""


@contextmanager
def defer_if_unavailable(progress: Progress, *, claimed: bool = True) -> Iterator[None]:
    """Raise `DeferCall` with `progress` in place of `Unavailable`."""
    try:
        yield
    except Unavailable as error:
        raise DeferCall(progress, str(error), claimed=claimed) from error


async def defer_for_store(call: Call, deferral: DeferCall) -> None:
    """Defer with the backoff for unavailable stores. Raises `Unavailable` when the copy could not be sent."""
    progress = deferral.progress
    delay_s = store_backoff_s(progress.store_waits, call.ports.fraction())
    waited = replace(progress, store_waits=progress.store_waits + 1)
    await defer(call, waited, delay_s, why=str(deferral), claimed=deferral.claimed)


async def defer(
    call: Call,
    progress: Progress,
    delay_s: float,
    *,
    why: str,
    claimed: bool = True,
    account: AccountBinding | None = None,
    waiting: Waiting | None = None,
) -> None:
    """Send a copy that arrives in `delay_s` seconds. Raises `Unavailable` when it could not be sent.

    `account` is the Stripe account of the call. By default it is that of the last send, if there was one.
    `waiting` says what the request waits for, where it is not its next attempt.
    """
    delay_s = min(delay_s, QUEUE_DELAY_LIMIT_S)
    if claimed:
        try:
            await mark_retrying(call, progress, call.ports.clock.now_s() + delay_s, waiting)
        except Unavailable as error:
            call.ports.log.warning("status.not_written", why=str(error))
    known = account or progress.account
    group = None if known is None else group_of_account(known.rate_account)
    await call.ports.queue.defer(call.envelope.at(progress), delay_s, group=group)
    call.log("request.deferred", progress, delay_s=round(delay_s, 3), why=why)


async def mark_retrying(
    call: Call, progress: Progress, retry_at: float, waiting: Waiting | None = None
) -> None:
    """Write into the status that the next attempt is at `retry_at` (unix seconds). Raises `Unavailable`."""
    await call.ports.requests.mark_retrying(
        call.claim, retry_at, attempts=progress.attempt - 1, waiting=waiting
    )
