"""Keep the message of a request in doubt, so that an event of Stripe can settle it while it is still being retried."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydispatch.domain.errors import Unavailable

if TYPE_CHECKING:
    from paydispatch.domain.progress import Progress
    from paydispatch.services.calls.call import Call


async def keep_message(call: Call, progress: Progress) -> None:
    """Keep the message in the slot. The call goes on without that, because looks settle the request too."""
    message = call.envelope.at(progress).as_message()
    try:
        await call.ports.requests.keep_message(call.claim, message)
    except Unavailable as error:
        call.warn("message.not_kept", why=str(error))
