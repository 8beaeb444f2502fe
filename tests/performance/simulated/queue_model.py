"""A standard queue of SQS as AWS documents it, with fair queues by message group.

A group with fewer than 30 messages in flight is quiet, and its messages are delivered first. AWS does not document how
large a share of the messages in flight makes a group noisy. This model takes every group with 30 or more for noisy.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from tests.performance.simulated.loop import Loop
    from tests.performance.simulated.messages import Message

MOST_IN_FLIGHT = 120_000
QUIET_BELOW = 30
LONGEST_DELAY_S = 900
LATE_S = 0.25
"""A delayed message becomes visible up to so much later. AWS does not document it."""


class QueueModel:
    def __init__(self, loop: Loop, dice: random.Random, *, fair: bool = True) -> None:
        self._loop, self._dice, self._fair = loop, dice, fair
        self._groups: dict[str, deque[Message]] = {}
        self._quiet: deque[str] = deque()
        self._noisy: deque[str] = deque()
        self._in_flight: Counter[str] = Counter()
        self._flying = 0
        self.visible = 0
        self.copies = 0
        """The deferred copies that were sent."""
        self.on_message: Callable[[], None] = lambda: None

    def send(self, message: Message, delay_s: int = 0) -> None:
        """Add a message. It becomes visible after `delay_s`, which SQS takes in whole seconds up to 900."""
        if not 0 <= delay_s <= LONGEST_DELAY_S or delay_s != int(delay_s):
            raise ValueError(f"SQS takes no DelaySeconds of {delay_s}.")
        if delay_s:
            self._loop.after(delay_s + self._dice.random() * LATE_S, self._show, message)
        else:
            self._show(message)

    def send_copy(self, message: Message, delay_s: int) -> None:
        """Add the deferred copy of a message."""
        message.deferrals += 1
        self.copies += 1
        self.send(message, delay_s)

    def receive(self, most: int) -> list[Message]:
        """Return up to `most` messages, which are then in flight until `acknowledge`."""
        free = MOST_IN_FLIGHT - self._flying
        return [self._take() for _ in range(min(most, free, self.visible))]

    def acknowledge(self, message: Message) -> None:
        group = self._group(message)
        self._flying -= 1
        self._in_flight[group] -= 1

    def _show(self, message: Message) -> None:
        group = self._group(message)
        if group not in self._groups:
            self._groups[group] = deque()
            self._quiet.append(group)
        self._groups[group].append(message)
        self.visible += 1
        self.on_message()

    def _take(self) -> Message:
        group = self._next_group()
        waiting = self._groups[group]
        message = waiting.popleft()
        if waiting:
            self._quiet.append(group)
        else:
            del self._groups[group]
        self.visible -= 1
        self._flying += 1
        self._in_flight[group] += 1
        return message

    def _next_group(self) -> str:
        """Return the next quiet group in turn, or the next of all if there is none."""
        for _ in range(len(self._noisy)):  # some have become quiet
            group = self._noisy.popleft()
            (self._noisy if self._is_noisy(group) else self._quiet).append(group)
        while self._quiet:
            group = self._quiet.popleft()
            if not self._is_noisy(group):
                return group
            self._noisy.append(group)
        return self._noisy.popleft()

    def _is_noisy(self, group: str) -> bool:
        return self._fair and self._in_flight[group] >= QUIET_BELOW

    def _group(self, message: Message) -> str:
        return message.account if self._fair else ""
