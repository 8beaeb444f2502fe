"""The scenarios of the simulation. Each returns its figures, in the order in which they are printed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.performance.simulated.figures import (
    calls_per_s,
    refusals_per_s,
    refused_share,
    refused_share_of_all,
    share_of_limit,
    usage_as_dict,
    waits_ms,
)
from tests.performance.simulated.fleet_model import BATCH, INTERACTIVE, Fleet, LaneShape, Plan

from paydispatch.domain.rates.lanes import LANES, LaneRule, RateLane

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Row = dict[str, Any]
OPERATIONS = 8
"""Enough operations that the limit of the account holds, not that of an operation."""

FIRST, SECOND = "first", "second"


@dataclass(frozen=True, slots=True)
class Scenario:
    """One question, and the rows that answer it."""

    name: str
    question: str
    rows: list[Row] = field(default_factory=list)


def of_callers(seed: int) -> Scenario:
    """One account with a backlog, and 1 to 1,000 concurrent invocations of ten messages."""
    rows = []
    for operations, limit in ((1, 25), (OPERATIONS, 100)):
        for callers in (1, 10, 100, 1_000):
            shape = LaneShape(concurrency=callers, batch_size=10)
            plan = Plan(operations=operations, lanes={RateLane.INTERACTIVE: shape}, seed=seed)
            fleet = Fleet(plan)
            fleet.send(FIRST, RateLane.INTERACTIVE, limit * 75)
            fleet.run(60.0)
            seconds = range(10, 60)
            rows.append(
                {
                    "limit": limit,
                    "callers": callers,
                    "share": share_of_limit(fleet, FIRST, seconds, limit),
                    "refused": refused_share(fleet, FIRST, seconds),
                    **usage_as_dict(fleet, RateLane.INTERACTIVE),
                }
            )
    return Scenario("callers", "Does the number of callers matter?", rows)


def of_accounts(seed: int) -> Scenario:
    """A backlog of 1, 100 and 10,000 accounts, and 100 concurrent invocations of ten messages."""
    rows = []
    for accounts, messages in ((1, 1_000), (100, 150), (10_000, 2)):
        shape = LaneShape(concurrency=100, batch_size=10)
        fleet = Fleet(Plan(lanes={RateLane.INTERACTIVE: shape}, seed=seed))
        for _ in range(messages):
            for number in range(accounts):
                fleet.send(f"account_{number}", RateLane.INTERACTIVE, 1)
        fleet.run(3_600.0)
        rows.append(
            {
                "accounts": accounts,
                "messages": accounts * messages,
                "done_s": round(fleet.loop.now_s, 1),
                "limit_alone_s": round(messages / fleet.plan.limit, 1),
                "refused": refused_share_of_all(fleet),
                **usage_as_dict(fleet, RateLane.INTERACTIVE),
            }
        )
    return Scenario("accounts", "Does the number of accounts matter?", rows)


def of_lanes(seed: int) -> Scenario:
    """Interactive calls at random times beside a batch that never ends."""
    rows = []
    for operations, limit in ((1, 25), (OPERATIONS, 100)):
        for part in (0.05, 0.1, 0.2, 0.5):
            fleet = Fleet(Plan(operations=operations, seed=seed))
            fleet.send(FIRST, RateLane.BATCH, limit * 60)
            fleet.send_steadily(
                FIRST, RateLane.INTERACTIVE, per_s=limit * part, from_s=5.0, until_s=60.0
            )
            fleet.run(60.0)
            done = fleet.done(FIRST, RateLane.INTERACTIVE, from_s=10.0)
            batch = [m for m in fleet.done(FIRST, RateLane.BATCH) if m.called_at_s >= 10.0]
            rows.append(
                {
                    "limit": limit,
                    "interactive_per_s": limit * part,
                    "batch_per_s": round(len(batch) / 50, 1),
                    **waits_ms(done),
                }
            )
    return Scenario("lanes", "How long does interactive work wait beside a batch?", rows)


def of_second_account(seed: int, backlog: int = 100_000) -> Scenario:
    """A quiet account alone, and beside the backlog of another in the same lane."""
    rows = []
    for lane in (RateLane.INTERACTIVE, RateLane.BATCH):
        for messages, fair in ((0, True), (backlog, True), (backlog, False)):
            fleet = Fleet(Plan(fair=fair, seed=seed))
            fleet.send(FIRST, lane, messages)
            fleet.send_steadily(SECOND, lane, per_s=5.0, from_s=10.0, until_s=70.0)
            fleet.run(100.0)
            done = fleet.done(SECOND, lane)
            rows.append(
                {
                    "lane": lane.value,
                    "backlog": messages,
                    "message_group_id": fair,
                    "calls": len(done),
                    **waits_ms(done),
                }
            )
    return Scenario("second_account", "Does a backlog delay another account?", rows)


HALVED_AT_S, RESTORED_AT_S, HALVING_ENDS_S = 40, 130, 220
SETTLES_WITHIN_S = 10


def run_halving(seed: int, operations: int) -> Fleet:
    """Run a fleet whose Stripe enforces half of the limits for a while."""
    shape = LaneShape(concurrency=20, batch_size=10)
    plan = Plan(operations=operations, lanes={RateLane.INTERACTIVE: shape}, seed=seed)
    fleet = Fleet(plan)
    fleet.send(FIRST, RateLane.INTERACTIVE, plan.limit * HALVING_ENDS_S)

    def enforce(part: float) -> None:
        fleet.stripe.account_rate = plan.account_rate * part
        fleet.stripe.operation_rate = plan.operation_rate * part

    fleet.loop.after(HALVED_AT_S, enforce, 0.5)
    fleet.loop.after(RESTORED_AT_S, enforce, 1.0)
    fleet.run(HALVING_ENDS_S)
    return fleet


def of_halving(seed: int) -> Scenario:
    rows = [halving_row(run_halving(seed, operations)) for operations in (1, OPERATIONS)]
    return Scenario("halving", "What happens when Stripe halves a limit?", rows)


def halving_row(fleet: Fleet) -> Row:
    limit = fleet.plan.limit
    window = range(HALVED_AT_S, HALVED_AT_S + SETTLES_WITHIN_S)
    halved = range(window.stop, RESTORED_AT_S)
    return {
        "limit": limit,
        "settled_after_s": _settled_after_s(fleet, limit / 2),
        "refused_in_10_s": refused_share(fleet, FIRST, window),
        "refused_later": refused_share(fleet, FIRST, halved),
        "share_of_half": share_of_limit(fleet, FIRST, halved, limit / 2),
        "back_after_s": _back_after_s(fleet, limit),
    }


def _settled_after_s(fleet: Fleet, limit: float) -> int:
    """Return the seconds until the calls that arrive are within a tenth above the new limit, and stay so for 5 s."""
    arrivals = [
        taken + refused
        for taken, refused in zip(
            calls_per_s(fleet, FIRST, range(HALVED_AT_S, RESTORED_AT_S)),
            refusals_per_s(fleet, FIRST, range(HALVED_AT_S, RESTORED_AT_S)),
            strict=True,
        )
    ]
    within = (all(n <= 1.1 * limit for n in arrivals[s : s + 5]) for s in range(len(arrivals)))
    return next(second for second, fits in enumerate(within) if fits)


def _back_after_s(fleet: Fleet, limit: int) -> int | None:
    """Return the seconds from the restoration until five seconds reach 95 % of the limit."""
    taken = calls_per_s(fleet, FIRST, range(RESTORED_AT_S, HALVING_ENDS_S))
    reached = (sum(taken[s : s + 5]) >= 0.95 * 5 * limit for s in range(len(taken) - 5))
    return next((second for second, is_back in enumerate(reached) if is_back), None)


def of_sleeping(seed: int) -> Scenario:
    """Different sleep budgets, with a quiet second account in the same lane."""
    rows = []
    for batch_size, shape in ((10, INTERACTIVE), (100, BATCH)):
        for sleep_s in (0.0, 1.0, 2.0, 5.0, 10.0, 20.0):
            lane = RateLane.BATCH
            rules = {**LANES, lane: LaneRule(share=1.0, longest_wait_s=sleep_s)}
            fleet = Fleet(Plan(lanes={lane: shape}, rules=rules, seed=seed))
            fleet.send(FIRST, lane, 2_500)
            fleet.send_steadily(SECOND, lane, per_s=1.0, from_s=5.0, until_s=80.0)
            fleet.run(100.0)
            rows.append(
                {
                    "batch_size": batch_size,
                    "callers": shape.concurrency,
                    "sleep_s": sleep_s,
                    "share": share_of_limit(fleet, FIRST, range(10, 80), fleet.plan.limit),
                    **usage_as_dict(fleet, lane),
                    "second_done_p99_ms": waits_ms(fleet.done(SECOND, lane))["done_p99_ms"],
                }
            )
    return Scenario("sleeping", "Is it cheaper to sleep, or to defer?", rows)


def of_mappings(seed: int) -> Scenario:
    """Different shapes of the batch lane's event source mapping, for a backlog of one account."""
    rows = []
    for operations, limit in ((1, 20), (OPERATIONS, 80)):
        for shape in _SHAPES:
            plan = Plan(operations=operations, lanes={RateLane.BATCH: shape}, seed=seed)
            fleet = Fleet(plan)
            fleet.send(FIRST, RateLane.BATCH, limit * 75)
            fleet.run(60.0)
            rows.append(
                {
                    "lane_limit": limit,
                    "concurrency": shape.concurrency,
                    "batch_size": shape.batch_size,
                    "window_s": shape.window_s,
                    "share": share_of_limit(fleet, FIRST, range(10, 60), limit),
                    **usage_as_dict(fleet, RateLane.BATCH),
                }
            )
    return Scenario("mappings", "Which batch size and concurrency suit the batch lane?", rows)


_SHAPES = (
    LaneShape(concurrency=2, batch_size=100, window_s=1.0),
    LaneShape(concurrency=4, batch_size=100, window_s=1.0),
    LaneShape(concurrency=10, batch_size=100, window_s=1.0),
    LaneShape(concurrency=4, batch_size=50, window_s=1.0),
    LaneShape(concurrency=10, batch_size=10),
)


def of_clocks(seed: int) -> Scenario:
    """Callers whose clocks differ by up to 5 s, with the time of Redis and, for comparison, with their own."""
    rows = []
    for clock in ("of Redis", "of each caller"):
        shape = LaneShape(concurrency=20, batch_size=10)
        fleet = Fleet(Plan(operations=OPERATIONS, lanes={RateLane.INTERACTIVE: shape}, seed=seed))
        if clock != "of Redis":
            fleet.limiter.skew_s = [fleet.dice.uniform(-5.0, 5.0) for _ in range(20)]
        fleet.send(FIRST, RateLane.INTERACTIVE, 100 * 60)
        fleet.run(50.0)
        rows.append({"clock": clock, **_steadiness(fleet, range(10, 50))})
    return Scenario("clocks", "Do the clocks of the callers matter?", rows)


def of_lost_redis(seed: int) -> Scenario:
    """Redis loses its state in the middle of a backlog."""
    shape = LaneShape(concurrency=20, batch_size=10)
    fleet = Fleet(Plan(operations=OPERATIONS, lanes={RateLane.INTERACTIVE: shape}, seed=seed))
    fleet.send(FIRST, RateLane.INTERACTIVE, 100 * 60)
    fleet.loop.after(20.35, fleet.limiter.forget)
    fleet.run(50.0)
    return Scenario(
        "lost_redis", "What if Redis loses its state?", [_steadiness(fleet, range(15, 30))]
    )


def _steadiness(fleet: Fleet, seconds: range) -> Row:
    arrivals = [
        taken + refused
        for taken, refused in zip(
            calls_per_s(fleet, FIRST, seconds), refusals_per_s(fleet, FIRST, seconds), strict=True
        )
    ]
    return {
        "share": share_of_limit(fleet, FIRST, seconds, fleet.plan.limit),
        "refused": refused_share(fleet, FIRST, seconds),
        "busiest_second_of_limit": round(max(arrivals) / fleet.plan.limit, 2),
    }


ALL: dict[str, Callable[[int], Scenario]] = {
    "callers": of_callers,
    "accounts": of_accounts,
    "lanes": of_lanes,
    "second_account": of_second_account,
    "halving": of_halving,
    "sleeping": of_sleeping,
    "mappings": of_mappings,
    "clocks": of_clocks,
    "lost_redis": of_lost_redis,
}


def run(names: Iterable[str], seed: int) -> Iterable[Scenario]:
    """Run scenarios by name."""
    return (ALL[name](seed) for name in names)
