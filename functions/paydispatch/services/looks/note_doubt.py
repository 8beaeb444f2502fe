"""Note a doubt by its account and object, and plan the look that serves all doubts there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from paydispatch.domain.errors import Unavailable
from paydispatch.domain.looks.doubts import FIRST_LOOK_S, Doubt, Place
from paydispatch.domain.looks.messages import LookMessage

if TYPE_CHECKING:
    from paydispatch.domain.unknown_outcomes import UnknownOutcome
    from paydispatch.ports import AsyncLookQueue, Clock, Doubts, EventLog


class NotePorts(Protocol):
    @property
    def doubts(self) -> Doubts: ...

    @property
    def look_queue(self) -> AsyncLookQueue: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def log(self) -> EventLog: ...


class DropPorts(Protocol):
    @property
    def doubts(self) -> Doubts: ...


async def drop_doubt(ports: DropPorts, unknown: UnknownOutcome) -> None:
    """Drop the doubt of a request that was settled, so that no look comes for it. Raises `Unavailable`."""
    entry, account = unknown.entry, unknown.account
    if account is None:
        return
    place = Place(account.rate_account, entry.object)
    await ports.doubts.drop(place, [Doubt(unknown.worker, entry.request_id, 0.0)])


async def note_doubt(ports: NotePorts, unknown: UnknownOutcome) -> None:
    """Note the request, whose unknown outcome is published. Never raises: the hourly sweep notes what is missing.

    A request without a recorded account has no place. Only the sweep looks for it.
    """
    entry, account, now_s = unknown.entry, unknown.account, ports.clock.now_s()
    if account is None:
        return
    place = Place(account.rate_account, entry.object)
    doubt = Doubt(unknown.worker, entry.request_id, now_s)
    try:
        if await ports.doubts.note(place, doubt, due_at=now_s + FIRST_LOOK_S):
            await ports.look_queue.send(
                LookMessage(account=place.account, object=place.object), FIRST_LOOK_S
            )
    except Unavailable as error:
        ports.log.warning("doubt.not_noted", request_id=entry.request_id, why=str(error))
