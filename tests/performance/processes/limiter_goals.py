"""The goals of the limiter itself: tokens per second of one Valkey, and its part of a call's CPU in the caller."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redis import Redis
from tests.performance.limiter import HIGH, STRIPES, ask_for, run_pipeline
from tests.performance.processes.goals import Goal
from tests.performance.processes.stage import Rates

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.performance.processes.stage import Stage

UNREACHED = Rates(account=1_000_000, operation=1_000_000)
CALLS, OPERATIONS = 100, 4
"""Of one command."""
RUNS = 5
"""The fastest counts, because in the others Redis waited for the processor."""


def measure_limiter(stage: Stage) -> Iterator[Goal]:
    commands, rounds = stage.pick(300, quick=50), stage.pick(40, quick=4)
    with Redis.from_url(stage.valkey.url) as admin:
        for name, limits in (("limits not reached", HIGH), ("limits reached", STRIPES)):
            asks = [ask_for(number, OPERATIONS) for number in range(CALLS)]
            runs = [run_pipeline(admin, limits, asks, commands) for _ in range(RUNS)]
            fastest_s = min(seconds for seconds, _ in runs)
            cpu_s = min(cpu_s for _, cpu_s in runs)
            yield Goal(
                name=f"limiter, {name} ({commands * CALLS / cpu_s:,.0f}/s of Redis' CPU)",
                figure=round(commands * CALLS / fastest_s),
                unit="/s",
                at_least=80_000,
            )
            admin.flushall()
    cost = stage.measure_cost(UNREACHED, rounds)
    yield Goal(
        name=f"limiter: CPU of {cost['limiter_us']:.0f} us in a call's {cost['call_us']:.0f} us",
        figure=round(100 * cost["limiter_us"] / cost["call_us"], 2),
        unit="%",
        at_most=5,
    )
