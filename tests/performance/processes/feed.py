"""The queues of one caller process: fresh messages, and deferred copies that come back when their delay is over."""

from __future__ import annotations

import heapq
import json
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
    """An `AsyncQueue` with the messages of one phase, on a queue for each lane."""

    def __init__(self, caller: int, account: str) -> None:
        self._caller, self._account = caller, account
        self._queues: dict[Lane, list[tuple[float, str, str]]] = {lane: [] for lane in Lane}
        """(when it is visible in unix seconds, message id, body)"""
        self.sent: list[str] = []
        """Request ids."""
        self.deferred = 0
        self.parked = 0

    def send(self, lane: Lane, messages: int, *, at_s: float) -> None:
        """Add messages of the phase's account that become visible at `at_s`."""
        for _ in range(messages):
            envelope = self._envelope(lane)
            self.sent.append(envelope.request_id)
            self._push(lane, at_s, envelope.as_message())

    def receive(self, lane: Lane, most: int) -> list[Message]:
        """Return up to `most` messages that are visible now."""
        return list(self._visible(self._queues[lane], most))

    def keep(self, lane: Lane, messages: Sequence[Message], ids: Sequence[str]) -> None:
        """Make the messages with these ids visible again, because their call failed."""
        for message in messages:
            if message.message_id in ids:
                self._push(lane, time.time() + 1.0, message.body)

    @property
    def waiting(self) -> list[str]:
        """Return the request ids of the messages on the queue."""
        return [
            json.loads(body)["request_id"]
            for queue in self._queues.values()
            for _, _, body in queue
        ]

    async def defer(self, envelope: Envelope, delay_s: float, **_how: Any) -> None:
        self.deferred += 1
        self._push(envelope.lane, time.time() + math.ceil(delay_s), envelope.as_message())

    async def send_all(self, envelopes: Sequence[Envelope]) -> None:
        raise NotImplementedError("A caller sends no new messages.")

    async def park(self, body: str, **_how: Any) -> None:
        self.parked += 1

    def _push(self, lane: Lane, at_s: float, body: str) -> None:
        heapq.heappush(self._queues[lane], (at_s, uuid.uuid4().hex, body))

    def _visible(self, queue: list[tuple[float, str, str]], most: int) -> Iterator[Message]:
        for _ in range(most):
            if not queue or queue[0][0] > time.time():
                return
            _, message_id, body = heapq.heappop(queue)
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
            secret_ref=self._account,
            lane=lane,
        )
