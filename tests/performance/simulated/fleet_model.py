"""A whole fleet: one Stripe, one limiter, and a queue with its mapping for each lane."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.performance.simulated.caller_model import CallerModel, LimiterModel
from tests.performance.simulated.loop import Loop
from tests.performance.simulated.mapping_model import MappingModel
from tests.performance.simulated.messages import Message
from tests.performance.simulated.queue_model import QueueModel
from tests.performance.simulated.stripe_model import StripeModel

from paydispatch.domain.rates.lanes import LANES, LaneRule, RateLane
from paydispatch.domain.rates.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneShape:
    """The event source mapping of a lane."""

    concurrency: int
    batch_size: int
    window_s: float = 0.0


INTERACTIVE = LaneShape(concurrency=10, batch_size=10)
BATCH = LaneShape(concurrency=2, batch_size=100, window_s=1.0)
"""As in template.yaml."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The shape of a fleet."""

    account_rate: int = 100
    operation_rate: int = 25
    operations: int = 1
    """The calls are spread over so many operations."""
    lanes: Mapping[RateLane, LaneShape] = field(
        default_factory=lambda: {RateLane.INTERACTIVE: INTERACTIVE, RateLane.BATCH: BATCH}
    )
    rules: Mapping[RateLane, LaneRule] = field(default_factory=lambda: LANES)
    fair: bool = True
    seed: int = 1

    @property
    def limit(self) -> int:
        """Return the calls per second that one account may make."""
        return min(self.account_rate, self.operation_rate * self.operations)


class Lane:
    def __init__(self, fleet: Fleet, shape: LaneShape) -> None:
        self.queue = QueueModel(fleet.loop, fleet.dice, fair=fleet.plan.fair)
        self.caller = CallerModel(fleet.loop, fleet.dice, fleet.limiter, fleet.stripe, self.queue)
        self.mapping = MappingModel(
            fleet.loop,
            self.queue,
            self.caller.invoke,
            concurrency=shape.concurrency,
            batch_size=shape.batch_size,
            window_s=shape.window_s,
        )


class Fleet:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.loop = Loop()
        self.dice = random.Random(plan.seed)
        self.stripe = StripeModel(self.loop, self.dice, plan.account_rate, plan.operation_rate)
        limits = Limits(account=plan.account_rate, operation=plan.operation_rate)
        self.limiter = LimiterModel(self.loop, limits, plan.rules)
        self.lanes = {name: Lane(self, shape) for name, shape in plan.lanes.items()}
        self.planned = 0
        """The messages that were sent or will be."""

    def send(self, account: str, lane: RateLane, messages: int) -> None:
        """Put so many messages on the queue now."""
        for _ in range(messages):
            self._send(account, lane, self._plan())

    def send_steadily(
        self, account: str, lane: RateLane, *, per_s: float, from_s: float, until_s: float
    ) -> None:
        """Send messages at random times, `per_s` on average."""
        at_s = from_s
        while (at_s := at_s + self.dice.expovariate(per_s)) < until_s:
            self.loop.after(at_s - self.loop.now_s, self._send, account, lane, self._plan())

    def _plan(self) -> int:
        """Count a message. Return its number."""
        self.planned += 1
        return self.planned

    def _send(self, account: str, lane: RateLane, number: int) -> None:
        operation = f"operation_{number % self.plan.operations}"
        self.lanes[lane].queue.send(Message(account, operation, lane, self.loop.now_s))

    def run(self, until_s: float) -> None:
        """Run until that time, or until every message that was sent is done."""
        self.loop.run(until_s, stop=lambda: self.finished == self.planned)

    @property
    def finished(self) -> int:
        return sum(len(lane.caller.done) for lane in self.lanes.values())

    def done(self, account: str, lane: RateLane, *, from_s: float = 0.0) -> list[Message]:
        """Return the finished messages of an account that were accepted at `from_s` or later."""
        finished = self.lanes[lane].caller.done
        return [m for m in finished if m.account == account and m.accepted_at_s >= from_s]
