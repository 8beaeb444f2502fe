"""The queue of one caller process: fresh messages, and deferred copies that come back when their delay is over."""

from __future__ import annotations

import heapq
import math
import time
import uuid
from typing import TYPE_CHECKING

from paydispatch.domain.envelope import Envelope
from paydispatch.domain.progress import Progress
from paydispatch.domain.requests import Lane
from paydispatch.services.call_batch import Message

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

DEADLINE_S = 3_600.0


class Feed:
    """An `AsyncQueue` with the messages of one phase."""

    def __init__(self, caller: int, key: str) -> None:
        self._caller, self._key = caller, key
        self._waiting: list[tuple[float, str, str]] = []
        """(when it is visible in unix seconds, message id, body)"""
        self.sent = 0
        self.deferred = 0
        self.parked = 0

    def send(self, lane: Lane, messages: int, *, at_s: float) -> None:
        """Add messages of the phase's account that become visible at `at_s`."""
        for _ in range(messages):
            self.sent += 1
            self._push(at_s, self._envelope(lane).as_message())

    def receive(self, most: int) -> list[Message]:
        """Return up to `most` messages that are visible now."""
        return list(self._visible(most))

    def keep(self, messages: Sequence[Message], ids: Sequence[str]) -> None:
        """Make the messages with these ids visible again, because their call failed."""
        for message in messages:
            if message.message_id in ids:
                self._push(time.time() + 1.0, message.body)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    async def defer(self, envelope: Envelope, delay_s: float, **_how: Any) -> None:
        self.deferred += 1
        self._push(time.time() + math.ceil(delay_s), envelope.as_message())

    async def send_all(self, envelopes: Sequence[Envelope]) -> None:
        raise NotImplementedError("A caller sends no new messages.")

    async def park(self, body: str, **_how: Any) -> None:
        self.parked += 1

    def _push(self, at_s: float, body: str) -> None:
        heapq.heappush(self._waiting, (at_s, uuid.uuid4().hex, body))

    def _visible(self, most: int) -> Iterator[Message]:
        for _ in range(most):
            if not self._waiting or self._waiting[0][0] > time.time():
                return
            _, message_id, body = heapq.heappop(self._waiting)
            yield Message(message_id=message_id, body=body, receive_count=1, sent_at=time.time())

    def _envelope(self, lane: Lane) -> Envelope:
        now_s = time.time()
        return Envelope(
            request_id=f"pdr_{self._caller}_{uuid.uuid4().hex}",
            object="payment_intent",
            params={"amount": 2000, "currency": "usd"},
            worker_id=f"limits-{self._caller}",
            context_id="limits",
            accepted_at=now_s,
            progress=Progress(deadline_at=now_s + DEADLINE_S),
            sealed_secret=self._key,
            lane=lane,
        )
