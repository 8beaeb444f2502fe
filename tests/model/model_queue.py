"""A small SQS: visibility, receive counts, delays, and a dead-letter queue after so many receives."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paydispatch.services.batch import Message

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_RECEIVES = 5
VISIBILITY_S = 180.0


@dataclass(eq=False)
class Queued:
    """One message: on the queue until it is deleted, even while somebody works on it."""

    id: str
    body: str
    sent_at: float
    visible_at: float
    receives: int = 0
    first_received_at: float | None = None


class ModelQueue:
    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._ids = itertools.count(1)
        self.messages: dict[str, Queued] = {}
        self.dead: list[str] = []
        """Bodies on the dead-letter queue."""

    def send(self, body: str, *, delay_s: float = 0.0, receives: int = 0) -> None:
        id_, now_s = f"m-{next(self._ids)}", self._now_s()
        first = now_s if receives else None
        self.messages[id_] = Queued(id_, body, now_s, now_s + delay_s, receives, first)

    def visible(self) -> list[Queued]:
        now_s = self._now_s()
        return [message for message in self.messages.values() if message.visible_at <= now_s]

    def receive(self, message: Queued) -> Message | None:
        """Give it out. None: it has been given out too often and lies on the dead-letter queue now."""
        if message.receives >= MAX_RECEIVES:
            del self.messages[message.id]
            self.dead.append(message.body)
            return None
        now_s = self._now_s()
        message.receives += 1
        message.visible_at = now_s + VISIBILITY_S
        if message.first_received_at is None:
            message.first_received_at = now_s
        return as_received(message)

    def delete(self, ids: list[str]) -> None:
        for id_ in ids:
            self.messages.pop(id_, None)

    def redrive(self) -> None:
        """Everything on the dead-letter queue becomes new messages, as SQS's own redrive does it."""
        dead, self.dead = self.dead, []
        for body in dead:
            self.send(body)

    def holds(self, request_id: str) -> bool:
        return any(self._is_of(message.body, request_id) for message in self.messages.values())

    def dead_holds(self, request_id: str) -> bool:
        return any(self._is_of(body, request_id) for body in self.dead)

    def next_visible_in_s(self) -> float | None:
        now_s = self._now_s()
        waits = [m.visible_at - now_s for m in self.messages.values() if m.visible_at > now_s]
        return min(waits, default=None)

    def _is_of(self, body: str, request_id: str) -> bool:
        return f'"request_id":"{request_id}"' in body


def as_received(message: Queued) -> Message:
    first: Any = message.first_received_at
    return Message(message.id, message.body, message.receives, message.sent_at, first)
