"""The in-memory twins of the look queue."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from paydispatch.domain.errors import Unavailable

if TYPE_CHECKING:
    from paydispatch.domain.looks.messages import EventMessage, LookMessage


@dataclass
class MemoryEventQueue:
    """A `LookQueue`, which takes events for the API."""

    events: list[EventMessage] = field(default_factory=list)
    away: bool = False

    def send(self, event: EventMessage) -> None:
        if self.away:
            raise Unavailable("the look queue is unavailable")
        self.events.append(event)


@dataclass
class MemoryLookQueue:
    """An `AsyncLookQueue`, which keeps each message with its delay."""

    sent: list[tuple[LookMessage | EventMessage, float]] = field(default_factory=list)
    away: bool = False

    async def send(self, message: LookMessage | EventMessage, delay_s: float) -> None:
        if self.away:
            raise Unavailable("the look queue is unavailable")
        self.sent.append((message, delay_s))
