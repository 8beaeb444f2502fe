"""Leave events of Stripe to later looks, where nothing settles by them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paydispatch.domain.looks.messages import EventMessage
    from paydispatch.ports import EventLog


class LeaveEvents:
    """Acknowledges each event. It is harmless, because looks settle the requests too."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    async def settle(self, event: EventMessage) -> None:
        self._log.info("event.left", event_id=event.event_id, request_id=event.request_id)
