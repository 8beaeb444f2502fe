"""Stripe as a model: two token buckets per account, each with the calls of one second, and the time of its answers."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paydispatch.domain.rates.feedback import Feedback

if TYPE_CHECKING:
    import random

    from tests.performance.simulated.loop import Loop
    from tests.performance.simulated.messages import Message

ONE_WAY_S = 0.02
"""From the caller to Stripe, at least."""
ONE_WAY_JITTER_S = 0.02
ANSWER_P50_S, ANSWER_P99_S = 0.3, 1.0
"""The time of a create, as the twin's documentation assumes it."""
REFUSAL_S = 0.03
"""A refusal executes nothing."""
_Z_99 = 2.3263


@dataclass(slots=True)
class Bucket:
    rate: float
    tokens: float
    at_s: float

    def refill(self, now_s: float, rate: float) -> None:
        if rate != self.rate:
            self.rate, self.tokens = rate, min(self.tokens, rate)
        self.tokens = min(max(rate, 1.0), self.tokens + (now_s - self.at_s) * rate)
        self.at_s = now_s


class StripeModel:
    def __init__(self, loop: Loop, dice: random.Random, account: float, operation: float) -> None:
        self.account_rate, self.operation_rate = account, operation
        self._loop, self._dice = loop, dice
        self._buckets: dict[tuple[str, str], Bucket] = {}
        self.taken: Counter[tuple[str, int]] = Counter()
        """The calls that were executed, by account and second."""
        self.refused: Counter[tuple[str, int]] = Counter()

    def one_way_s(self) -> float:
        return ONE_WAY_S + self._dice.random() * ONE_WAY_JITTER_S

    def answer_s(self) -> float:
        spread = math.log(ANSWER_P99_S / ANSWER_P50_S) / _Z_99
        return self._dice.lognormvariate(math.log(ANSWER_P50_S), spread)

    def receive(self, message: Message) -> Feedback:
        """Count one call that arrives now."""
        overall = self._bucket(message.account, "", self.account_rate)
        named = self._bucket(message.account, message.operation, self.operation_rate)
        place = (message.account, int(self._loop.now_s))
        if overall.tokens < 1 or named.tokens < 1:
            self.refused[place] += 1
            return Feedback.ACCOUNT_RATE if overall.tokens < 1 else Feedback.OPERATION_RATE
        overall.tokens -= 1
        named.tokens -= 1
        self.taken[place] += 1
        return Feedback.FINE

    def _bucket(self, account: str, operation: str, rate: float) -> Bucket:
        now_s = self._loop.now_s
        bucket = self._buckets.setdefault((account, operation), Bucket(rate, max(rate, 1.0), now_s))
        bucket.refill(now_s, rate)
        return bucket
