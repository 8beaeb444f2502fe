"""One invocation of the Stripe caller: all messages of its batch at once, each with its tokens.

The limits are the real ones: `domain/rates/account_limits.py`.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from tests.performance.simulated.stripe_model import REFUSAL_S

from paydispatch.domain.limits import QUEUE_DELAY_LIMIT_S
from paydispatch.domain.rates.account_limits import AccountLimits
from paydispatch.domain.rates.feedback import Feedback
from paydispatch.domain.rates.tokens import Granted, TokenAsk
from paydispatch.domain.retry import backoff_s

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping, Sequence

    from tests.performance.simulated.loop import Loop
    from tests.performance.simulated.messages import Message
    from tests.performance.simulated.queue_model import QueueModel
    from tests.performance.simulated.stripe_model import StripeModel

    from paydispatch.domain.rates.lanes import LaneRule, RateLane
    from paydispatch.domain.rates.limits import Limits

PREPARE_S = 0.01
"""Read, claim, open the key: everything before the tokens."""
REDIS_S = 0.001
"""One round trip."""
PUBLISH_S = 0.005
DEFER_S = 0.015
"""Write the status and send the copy."""
JITTER = 0.2
LONGEST_SLEEP_S = 5.0
"""A longer backoff after a 429 is deferred."""


class LimiterModel:
    """The state of every account, as Redis would hold it."""

    def __init__(self, loop: Loop, limits: Limits, rules: Mapping[RateLane, LaneRule]) -> None:
        self._loop, self._limits, self._rules = loop, limits, rules
        self._accounts: dict[str, AccountLimits] = {}
        self.skew_s: Sequence[float] = ()
        """How far each caller's clock is off, if the limits went by the clocks of the callers. They do not."""

    def now_s(self, caller: int) -> float:
        """Return the time that counts for an ask of this caller."""
        return self._loop.now_s + (self.skew_s[caller] if self.skew_s else 0.0)

    def of(self, account: str) -> AccountLimits:
        found = self._accounts.get(account)
        if found is None:
            found = self._accounts[account] = AccountLimits(
                self._limits, since_s=self._loop.now_s, rules=self._rules
            )
        return found

    def forget(self) -> None:
        """Lose everything, as a Redis that comes back empty."""
        self._accounts.clear()


class CallerModel:
    def __init__(
        self,
        loop: Loop,
        dice: random.Random,
        limiter: LimiterModel,
        stripe: StripeModel,
        queue: QueueModel,
    ) -> None:
        self._loop, self._dice, self._limiter = loop, dice, limiter
        self._stripe, self._queue = stripe, queue
        self.done: list[Message] = []
        self.calls: Counter[int] = Counter()
        """By caller."""

    def invoke(self, caller: int, messages: list[Message], end: Callable[[], None]) -> None:
        left = len(messages)

        def finish() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                end()

        for message in messages:
            self._loop.after(PREPARE_S, self._take, caller, message, finish)

    def _take(self, caller: int, message: Message, finish: Callable[[], None]) -> None:
        if message.asked_at_s is None:
            message.asked_at_s = self._loop.now_s
        ask = TokenAsk(
            account=message.account,
            operation=message.operation,
            lane=message.lane,
            longest_wait_s=20.0,
        )
        answer = self._limiter.of(message.account).take(ask, self._limiter.now_s(caller))
        if isinstance(answer, Granted):
            wait_s = REDIS_S + answer.wait_s
            self._loop.after(wait_s, self._confirm, caller, message, answer, finish)
        else:
            self._defer(message, answer.delay_s)
            self._loop.after(REDIS_S + DEFER_S, finish)

    def _confirm(
        self, caller: int, message: Message, granted: Granted, finish: Callable[[], None]
    ) -> None:
        if granted.must_be_confirmed and not self._limiter.of(message.account).confirm(granted):
            self._take(caller, message, finish)
            return
        self.calls[caller] += 1
        message.called_at_s = self._loop.now_s
        way_s = REDIS_S + self._stripe.one_way_s()
        self._loop.after(way_s, self._arrive, caller, message, granted, finish)

    def _arrive(
        self, caller: int, message: Message, granted: Granted, finish: Callable[[], None]
    ) -> None:
        feedback = self._stripe.receive(message)
        fine = feedback is Feedback.FINE
        answer_s = self._stripe.answer_s() if fine else REFUSAL_S
        way_s = answer_s + self._stripe.one_way_s()
        self._loop.after(way_s, self._hear, caller, message, granted, feedback, finish)

    def _hear(
        self,
        caller: int,
        message: Message,
        granted: Granted,
        feedback: Feedback,
        finish: Callable[[], None],
    ) -> None:
        self._limiter.of(message.account).report(granted, feedback, self._loop.now_s)
        if feedback is Feedback.FINE:
            message.done_at_s = self._loop.now_s + PUBLISH_S
            self.done.append(message)
            self._loop.after(PUBLISH_S, finish)
            return
        message.refusals += 1
        delay_s = backoff_s(message.attempt, self._dice.random())
        message.attempt += 1
        if delay_s <= LONGEST_SLEEP_S:
            self._loop.after(delay_s, self._take, caller, message, finish)
        else:
            self._queue.send_copy(message, math.ceil(delay_s))
            self._loop.after(DEFER_S, finish)

    def _defer(self, message: Message, delay_s: float) -> None:
        """Send a copy with a delay that varies by a fifth. At the longest delay it is shorter, up to a fifth."""
        varied_s = delay_s * (1 - JITTER + 2 * JITTER * self._dice.random())
        if varied_s > QUEUE_DELAY_LIMIT_S:
            varied_s = QUEUE_DELAY_LIMIT_S * (1 - JITTER * self._dice.random())
        self._queue.send_copy(message, math.ceil(varied_s))
