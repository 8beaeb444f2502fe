"""The event source mapping of Lambda: it receives batches and invokes callers, so many at a time at most."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.performance.simulated.loop import Loop
    from tests.performance.simulated.messages import Message
    from tests.performance.simulated.queue_model import QueueModel

RECEIVE_S = 0.02
"""From a receive to the start of the invocation."""
RECEIVED_AT_ONCE = 10
"""The most messages of one ReceiveMessage, and of one DeleteMessageBatch."""


@dataclass(slots=True)
class Used:
    """The resources that the mapping and its callers used."""

    invocations: int = 0
    billed_ms: float = 0.0
    requests: int = 0
    """SQS requests with messages: receives and deletes. The queue counts the sends."""


@dataclass(slots=True)
class Poller:
    """One of the mapping's pollers, with the caller that it invokes."""

    caller: int
    messages: list[Message] = field(default_factory=list)
    window: int = 0
    """Counts the batches, so that the end of an old window changes nothing."""


class MappingModel:
    def __init__(
        self,
        loop: Loop,
        queue: QueueModel,
        invoke: Callable[[int, list[Message], Callable[[], None]], None],
        *,
        concurrency: int,
        batch_size: int,
        window_s: float,
    ) -> None:
        self._loop, self._queue, self._invoke = loop, queue, invoke
        self._batch_size, self._window_s = batch_size, window_s
        self._ready = deque(Poller(number) for number in range(concurrency))
        self.used = Used()
        queue.on_message = self._pump

    def _pump(self) -> None:
        """Let the pollers that are free, or that fill their batch, receive in turn."""
        while self._ready and self._queue.visible:
            poller = self._ready.popleft()
            most = min(RECEIVED_AT_ONCE, self._batch_size - len(poller.messages))
            messages = self._queue.receive(most)
            if not messages:  # too many are in flight
                self._ready.appendleft(poller)
                return
            self.used.requests += 1
            self._add(poller, messages)

    def _add(self, poller: Poller, messages: list[Message]) -> None:
        is_first = not poller.messages
        poller.messages += messages
        if not self._window_s or len(poller.messages) == self._batch_size:
            self._start(poller)
            return
        self._ready.append(poller)
        if is_first:
            self._loop.after(self._window_s, self._close_window, poller, poller.window)

    def _close_window(self, poller: Poller, window: int) -> None:
        if poller.window == window:
            self._ready.remove(poller)
            self._start(poller)

    def _start(self, poller: Poller) -> None:
        messages, poller.messages = poller.messages, []
        poller.window += 1
        self.used.invocations += 1
        self.used.requests += math.ceil(len(messages) / RECEIVED_AT_ONCE)
        self._loop.after(RECEIVE_S, self._begin, poller, messages)

    def _begin(self, poller: Poller, messages: list[Message]) -> None:
        began_s = self._loop.now_s

        def end() -> None:
            self.used.billed_ms += math.ceil((self._loop.now_s - began_s) * 1000)
            for message in messages:
                self._queue.acknowledge(message)
            self._ready.append(poller)
            self._pump()

        self._invoke(poller.caller, messages, end)
