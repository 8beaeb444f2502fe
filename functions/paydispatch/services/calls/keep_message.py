"""Keep the message of a request in doubt, so that an event of Stripe can settle it while it is still being retried.

An event may come before the doubt. Redis keeps it then, and it goes to the look queue as soon as the message is kept.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from paydispatch.domain.errors import Unavailable
from paydispatch.domain.retry import with_doubt

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from paydispatch.domain.progress import Progress
    from paydispatch.services.calls.call import Call

SLOW_CALL_S = 2.0
"""After these seconds without an answer the message is kept too, because a call may hang for longer than a minute.

Few answers take longer, so that few messages are kept for nothing.
"""


async def keep_message(call: Call, progress: Progress) -> None:
    """Keep the message in the slot. The call goes on without that, because looks settle the request too."""
    message = call.envelope.at(progress).as_message()
    try:
        event = await call.ports.requests.keep_message(call.claim, message)
        if event is not None:
            await call.ports.look_queue.send(event, 0)
    except Unavailable as error:
        call.warn("message.not_kept", why=str(error))


@asynccontextmanager
async def keep_message_if_slow(call: Call, progress: Progress) -> AsyncIterator[None]:
    """Keep the message if the block takes longer than `SLOW_CALL_S`. The block is a call of Stripe."""
    started: list[asyncio.Task[None]] = []

    def start() -> None:
        started.append(asyncio.create_task(keep_message(call, with_doubt(progress))))

    # A timer costs less than a task, and nearly every call ends before it.
    timer = asyncio.get_running_loop().call_later(SLOW_CALL_S, start)
    try:
        yield
    finally:
        timer.cancel()
        await asyncio.gather(*started)
