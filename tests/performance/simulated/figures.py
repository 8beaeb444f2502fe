"""The figures of a simulated run."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from paydispatch.domain.cost.bill import LambdaUse, Use, bill
from paydispatch.domain.cost.model import CALLER_MB, MB_PER_GB

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.performance.simulated.fleet_model import Fleet
    from tests.performance.simulated.messages import Message

    from paydispatch.domain.rates.lanes import RateLane


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """The costs of a lane, per call that is done."""

    calls: int
    deferrals: float
    sqs_requests: float
    billed_ms: float
    usd_per_million: float
    max_by_min: float | None
    """The calls of the busiest caller, divided by those of the idlest. None: one made no call."""


def quantile(values: Iterable[float], share: float) -> float | None:
    """Return the quantile, or None of no values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else None


def usage(fleet: Fleet, name: RateLane) -> Usage:
    lane, concurrency = fleet.lanes[name], fleet.plan.lanes[name].concurrency
    used, calls = lane.mapping.used, max(1, len(lane.caller.done))
    requests = used.requests + lane.queue.copies
    caller = LambdaUse(
        function="caller",
        memory_gb=CALLER_MB / MB_PER_GB,
        invocations=used.invocations,
        billed_ms=used.billed_ms,
    )
    usd = bill(Use(functions=[caller], queue_requests=requests)).usd
    by_caller = [lane.caller.calls[caller] for caller in range(concurrency)]
    return Usage(
        calls=len(lane.caller.done),
        deferrals=round(lane.queue.copies / calls, 2),
        sqs_requests=round(requests / calls, 2),
        billed_ms=round(used.billed_ms / calls, 1),
        usd_per_million=round(usd / calls * 1_000_000, 2),
        max_by_min=round(max(by_caller) / min(by_caller), 2) if min(by_caller) else None,
    )


def usage_as_dict(fleet: Fleet, name: RateLane) -> dict[str, float | None]:
    return asdict(usage(fleet, name))


def calls_per_s(fleet: Fleet, account: str, seconds: range) -> list[int]:
    """Return the calls that Stripe executed in each second."""
    return [fleet.stripe.taken[account, second] for second in seconds]


def refusals_per_s(fleet: Fleet, account: str, seconds: range) -> list[int]:
    return [fleet.stripe.refused[account, second] for second in seconds]


def share_of_limit(fleet: Fleet, account: str, seconds: range, limit: float) -> float:
    taken = sum(calls_per_s(fleet, account, seconds))
    return round(taken / len(seconds) / limit, 3)


def refused_share(fleet: Fleet, account: str, seconds: range) -> float:
    """Return the part of the calls that Stripe answered with a 429."""
    refused = sum(refusals_per_s(fleet, account, seconds))
    taken = sum(calls_per_s(fleet, account, seconds))
    return round(refused / max(1, refused + taken), 4)


def refused_share_of_all(fleet: Fleet) -> float:
    refused, taken = fleet.stripe.refused.total(), fleet.stripe.taken.total()
    return round(refused / max(1, refused + taken), 4)


def waits_ms(messages: Sequence[Message]) -> dict[str, float | None]:
    """Return the p50 and the p99 of the waits for tokens, and of the times from acceptance to the outcome."""
    return {
        "wait_p50_ms": _ms(quantile((m.wait_s for m in messages), 0.5)),
        "wait_p99_ms": _ms(quantile((m.wait_s for m in messages), 0.99)),
        "done_p50_ms": _ms(quantile((m.latency_s for m in messages), 0.5)),
        "done_p99_ms": _ms(quantile((m.latency_s for m in messages), 0.99)),
    }


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000)
