"""The in-memory twins of the queues."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from paydispatch.domain.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paydispatch.domain.envelope import Envelope
    from paydispatch.domain.looks.messages import EventMessage, LookMessage
    from paydispatch.domain.outcomes import ErrorKind


@dataclass
class MemoryQueue:
    """The common part of the queues. It keeps the sent, deferred and parked messages for the test to look at."""

    sent: list[Envelope] = field(default_factory=list)
    deferred: list[tuple[Envelope, float]] = field(default_factory=list)
    deferred_groups: list[str] = field(default_factory=list)
    """The message group of each deferred copy."""
    parked: list[tuple[str, str, ErrorKind]] = field(default_factory=list)
    """(text, reason, kind)"""
    away: bool = False

    def _reach(self) -> None:
        if self.away:
            raise Unavailable("the queue is unavailable")

    def take(self, envelopes: Sequence[Envelope]) -> None:
        self._reach()
        self.sent.extend(envelopes)

    async def defer(self, envelope: Envelope, delay_s: float, *, group: str | None = None) -> None:
        self._reach()
        self.deferred.append((envelope, delay_s))
        self.deferred_groups.append(group or envelope.group)

    async def park(self, body: str, *, reason: str, kind: ErrorKind) -> None:
        self._reach()
        self.parked.append((body, reason, kind))


class MemoryRequestQueue(MemoryQueue):
    """A `Queue` for the API."""

    def send(self, envelopes: Sequence[Envelope]) -> Mapping[str, Unavailable]:
        self.take(envelopes)
        return {}


class MemoryAsyncQueue(MemoryQueue):
    """An `AsyncQueue` for the services in an event loop."""

    async def send(self, envelopes: Sequence[Envelope]) -> None:
        self.take(envelopes)


@dataclass
class MemoryLookQueue:
    """A `LookQueue` for the API. It keeps the sent events for the test to look at."""

    sent: list[EventMessage] = field(default_factory=list)
    away: bool = False

    def send(self, event: EventMessage) -> None:
        if self.away:
            raise Unavailable("the queue is unavailable")
        self.sent.append(event)


@dataclass
class MemoryAsyncLookQueue:
    """An `AsyncLookQueue` for the services in an event loop. It keeps each message with its delay."""

    sent: list[tuple[LookMessage | EventMessage, float]] = field(default_factory=list)
    away: bool = False

    async def send(self, message: LookMessage | EventMessage, delay_s: float) -> None:
        if self.away:
            raise Unavailable("the queue is unavailable")
        self.sent.append((message, delay_s))
