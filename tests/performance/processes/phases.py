"""The phases of `make limits` with real processes. Each returns its goals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.performance.processes.caller import LEAD_IN_S
from tests.performance.processes.goals import Goal
from tests.performance.processes.limiter_goals import measure_limiter
from tests.performance.processes.stage import LaneLoad, Rates, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.performance.processes.stage import Phase

DEFAULTS = Rates(account=100, operation=25)
ALIKE = Rates(account=100, operation=100)


def measure_rates(stage: Stage) -> Iterator[Goal]:
    """One account that gets more messages than its limit lets through, and clocks that are 10 s apart.

    Each caller gets as many, as from a queue that all read. With a backlog of its own, the caller that deferred its
    backlog first would be called first, and the shares would show only that.
    """
    both = ((DEFAULTS, 25, 90), (ALIKE, 100, 30))
    for rates, limit, usual_s in both[: stage.pick(2, quick=1)]:
        seconds = stage.pick(usual_s, quick=4)
        load = LaneLoad(backlog=2, per_s=1.2 * limit / len(stage.callers), evenly=True)
        phase = stage.run(rates, seconds=seconds, lanes={"interactive": load})
        counted = range(LEAD_IN_S, seconds)
        taken = sum(phase.taken(counted)) / len(counted)
        by_caller = phase.calls_by_caller(len(stage.callers))
        name = f"{rates.account}/s in all, {rates.operation}/s per operation"
        yield Goal(name=f"{name}: achieved", figure=_percent(taken / limit), unit="%", at_least=95)
        refused = phase.refused_share(range(seconds))
        yield Goal(name=f"{name}: 429s", figure=_percent(refused), unit="%", at_most=0.5)
        share = max(by_caller) / max(1, min(by_caller))
        yield Goal(
            name=f"{name}: busiest by idlest caller", figure=round(share, 2), unit="", at_most=1.5
        )
        yield _busiest(name, phase, range(1, seconds), limit)
        yield _lost(name, phase)


def measure_halving(stage: Stage) -> Iterator[Goal]:
    """The twin halves its limits in the middle, and restores them."""
    rates, halved_at_s = ALIKE, stage.pick(15, quick=1)
    restored_at_s, seconds = stage.pick(45, quick=2), stage.pick(115, quick=4)
    each = 1.2 * rates.account / len(stage.callers)
    phase = stage.run(
        rates,
        seconds=seconds,
        lanes={"interactive": LaneLoad(per_s=each)},
        meanwhile=(
            (halved_at_s, lambda: stage.enforce(rates, 0.5)),
            (restored_at_s, lambda: stage.enforce(rates)),
        ),
    )
    arrived = phase.arrived(range(halved_at_s, restored_at_s))
    highest = 1.1 * rates.account / 2
    settled_s = _first(lambda s: max(arrived[s : s + 5]) <= highest, len(arrived))
    window = range(halved_at_s, halved_at_s + 10)
    taken = phase.taken(range(restored_at_s, seconds))
    enough = 0.95 * rates.account * 5
    back_s = _first(lambda s: sum(taken[s : s + 5]) >= enough, len(taken) - 5)
    share = _percent(phase.refused_share(window))
    yield Goal(name="limit halved: settled after", figure=settled_s, unit="s", at_most=10)
    yield Goal(name="limit halved: 429s in 10 s", figure=share, unit="%", at_most=3)
    yield Goal(name="limit restored: at 95 % after", figure=back_s, unit="s", at_most=60)


def measure_lanes(stage: Stage) -> Iterator[Goal]:
    """Interactive calls at 5 % of the limit beside a batch that never ends. Each caller has both lanes."""
    seconds, callers = stage.pick(30, quick=4), len(stage.callers)
    phase = stage.run(
        ALIKE,
        seconds=seconds,
        lanes={
            "batch": LaneLoad(backlog=ALIKE.account * seconds // callers),
            "interactive": LaneLoad(per_s=0.05 * ALIKE.account / callers),
        },
    )
    waits, reserved = phase.waits_ms("interactive"), phase.reserved_ms("interactive")
    batch = sum(phase.taken(range(LEAD_IN_S, seconds))) / (seconds - LEAD_IN_S)
    name = "interactive p99 wait beside a batch"
    yield Goal(name=name, figure=_p99(waits), unit="ms", at_most=250)
    name = "the part of it that the limiter decided"
    yield Goal(name=name, figure=_p99(reserved), unit="ms", at_most=250)
    yield Goal(
        name="calls per second of both lanes meanwhile",
        figure=round(batch, 1),
        unit="/s",
        at_least=70,
    )


def measure_lost_redis(stage: Stage) -> Iterator[Goal]:
    """Redis is killed in the middle, and an empty one takes its place."""
    seconds, lost_at_s = stage.pick(30, quick=4), stage.pick(12, quick=1)
    each = ALIKE.account * seconds // len(stage.callers)
    phase = stage.run(
        ALIKE,
        seconds=seconds,
        lanes={"interactive": LaneLoad(backlog=each)},
        meanwhile=((lost_at_s, stage.lose_redis),),
    )
    yield _busiest("Redis lost", phase, range(1, seconds), ALIKE.account)
    yield _lost("Redis lost", phase)
    after = phase.taken(range(lost_at_s + stage.pick(8, quick=2), seconds))
    yield Goal(
        name="Redis lost: calls per second after it",
        figure=round(sum(after) / len(after), 1),
        unit="/s",
        at_least=1,
    )


PHASES = {
    "rates": measure_rates,
    "halving": measure_halving,
    "lanes": measure_lanes,
    "lost_redis": measure_lost_redis,
    "limiter": measure_limiter,
}


def _busiest(name: str, phase: Phase, seconds: range, limit: int) -> Goal:
    share = max(phase.arrived(seconds)) / limit
    return Goal(
        name=f"{name}: busiest second by limit", figure=round(share, 2), unit="", at_most=1.2
    )


def _p99(values: list[float]) -> float | None:
    return round(sorted(values)[int(len(values) * 0.99)]) if values else None


def _lost(name: str, phase: Phase) -> Goal:
    lost = phase.lost() + phase.doubled()
    return Goal(name=f"{name}: requests lost", figure=lost, unit="", at_most=0, of_time=False)


def _first(holds: Callable[[int], bool], length: int) -> int | None:
    return next((second for second in range(length) if holds(second)), None)


def _percent(share: float) -> float:
    return round(100 * share, 2)
