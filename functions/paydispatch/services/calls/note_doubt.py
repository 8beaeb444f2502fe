"""Keep the message of a request in doubt, so that an event of Stripe can settle it while it is still being retried."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydispatch.domain.errors import Unavailable

if TYPE_CHECKING:
    from paydispatch.domain.progress import Progress
    from paydispatch.services.calls.call import Call


async def note_doubt(call: Call, progress: Progress) -> None:
    """Note the message. The call goes on without the note, because looks settle the request too."""
    message = call.envelope.at(progress).as_message()
    try:
        await call.ports.requests.note_doubt(call.claim, message)
    except Unavailable as error:
        call.warn("doubt.not_noted", why=str(error))
