"""A small SQS with visibility timeouts, receive counts, delays and a dead-letter queue."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paydispatch.domain.operators.redrive import Parked
from paydispatch.services.call_batch import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_RECEIVES = 5
VISIBILITY_S = 180.0


@dataclass(eq=False)
class Queued:
    """One message. It stays on the queue until it is deleted, also while a worker processes it."""

    id: str
    body: str
    sent_at: float
    visible_at: float
    receives: int = 0

    def as_received(self) -> Message:
        return Message(self.id, self.body, self.receives, self.sent_at)


class ModelQueue:
    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._ids = itertools.count(1)
        self.messages: dict[str, Queued] = {}
        self.dead: list[Parked] = []
        """The dead-letter queue."""

    def send(self, body: str, *, delay_s: float = 0.0, receives: int = 0) -> None:
        id_, now_s = f"m-{next(self._ids)}", self._now_s()
        self.messages[id_] = Queued(id_, body, now_s, now_s + delay_s, receives)

    def visible(self) -> list[Queued]:
        now_s = self._now_s()
        return [message for message in self.messages.values() if message.visible_at <= now_s]

    def receive(self, message: Queued) -> Message | None:
        """Receive the message. Return None if it was received too often and is now on the dead-letter queue."""
        if message.receives >= MAX_RECEIVES:
            del self.messages[message.id]
            self.dead.append(Parked(message.id, "", message.body, message.sent_at))
            return None
        message.receives += 1
        message.visible_at = self._now_s() + VISIBILITY_S
        return message.as_received()

    def park(self, body: str, reason: str, kind: str) -> None:
        id_, now_s = f"m-{next(self._ids)}", self._now_s()
        self.dead.append(Parked(id_, "", body, now_s, reason=reason, kind=kind))

    def delete(self, ids: list[str]) -> None:
        for id_ in ids:
            self.messages.pop(id_, None)

    def redrive(self) -> None:
        """Send every message of the dead-letter queue as a new message, as SQS's own redrive does."""
        dead, self.dead = self.dead, []
        for parked in dead:
            self.send(parked.body)

    def delete_parked(self, parked: Parked) -> None:
        """Delete a message of the dead-letter queue, if it is still there."""
        self.dead = [one for one in self.dead if one.message_id != parked.message_id]

    def bodies(self) -> Iterator[str]:
        """Yield the message bodies of both queues."""
        yield from (message.body for message in self.messages.values())
        yield from (parked.body for parked in self.dead)

    def next_visible_in_s(self) -> float | None:
        now_s = self._now_s()
        waits = [m.visible_at - now_s for m in self.messages.values() if m.visible_at > now_s]
        return min(waits, default=None)
