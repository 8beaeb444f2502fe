"""The estimate that `paydispatch cost` prints: the bill, the same work as a usual loop, and other engines' prices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from paydispatch.domain.cost.bill import Bill, LambdaUse, Use, bill
from paydispatch.domain.cost.model import (
    MB_PER_GB,
    RUNNER_MB,
    Workload,
    loop_of,
    redis_gb_of,
    use_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

HOURS_PER_MONTH = 730
SWEEPS_PER_MONTH = HOURS_PER_MONTH * 60
SWEEP_MS = 50.0

NOT_COUNTED = (
    "free tiers and discounts",
    "receives of an empty queue by Lambda's pollers",
    "data transfer, NAT gateways and endpoints of a VPC",
    "the storage of logs, metrics and alarms",
    "cold starts",
    "the time of your flows",
)
"""The estimate leaves these out, because they depend on the account or on the user's own code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    work: Workload
    bill: Bill
    loop: Bill
    """Lambda's part of the same calls in a loop, one after the other, in a function of the caller's memory."""
    redis_gb: tuple[float, float]
    """The memory that the calls hold in Redis for 25 days, and beside it for a day."""
    standing_usd: float
    """The cost of a month without any call: the schedules, and Redis if its price is given."""

    @property
    def times_cheaper(self) -> float:
        """Return how many times the loop's Lambda costs more than all of ours."""
        return self.loop.lambda_usd / self.bill.lambda_usd


def estimate(work: Workload, *, redis_usd_per_hour: float = 0.0) -> Estimate:
    return Estimate(
        work=work,
        bill=bill(use_of(work)),
        loop=bill(Use(functions=[loop_of(work)])),
        redis_gb=redis_gb_of(work),
        standing_usd=bill(Use(functions=_schedules())).usd + redis_usd_per_hour * HOURS_PER_MONTH,
    )


def _schedules() -> Sequence[LambdaUse]:
    """Return a month of the runner's sweeps. Those of the reconciler are a sixtieth of it."""
    sweeps = SWEEPS_PER_MONTH + HOURS_PER_MONTH
    return [
        LambdaUse(
            function="sweeps",
            memory_gb=RUNNER_MB / MB_PER_GB,
            invocations=sweeps,
            billed_ms=sweeps * SWEEP_MS,
        )
    ]
