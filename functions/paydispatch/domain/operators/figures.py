"""Count outcomes by time and by status, and find the percentiles of their latencies. Pure: requests in, numbers out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from paydispatch.domain.operators.recent import RecentRequest

STEPS = 60
"""A window has so many steps, which suffice for a plot."""

STATUSES = ("succeeded", "failed", "unknown")
PERCENTILES = (50, 95, 99)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Numbers of equal steps of time, the oldest first. A list in it has an element for each step."""

    step_s: float
    at: list[float]
    """Unix seconds at which the step ends."""
    per_s: dict[str, list[float | None]]
    """Outcomes per second by status. None: outcomes of that time are not known any more."""
    latency_s: dict[str, list[float | None]]
    """The percentiles `p50`, `p95` and `p99` of the time from acceptance to outcome. None: there is no outcome."""


def figures_of(
    requests: Iterable[RecentRequest],
    now_s: float,
    *,
    window_s: float,
    whole_since: float | None = None,
) -> Figures:
    """Return the figures of the `window_s` up to now.

    The steps begin at multiples of their length, so that an outcome stays in its step. `whole_since` is the time (unix
    seconds) before which outcomes are missing. None: all are there.
    """
    step_s = window_s / STEPS
    first = int(now_s // step_s) - STEPS + 1
    steps = _divide(requests, first, step_s)
    ends = [(first + place + 1) * step_s for place in range(STEPS)]
    known = [whole_since is None or end - step_s >= whole_since for end in ends]
    latencies = [sorted(_latencies(step)) for step in steps]
    return Figures(
        step_s=step_s,
        at=ends,
        per_s={status: _rates(status, steps, known, step_s) for status in STATUSES},
        latency_s={f"p{p}": [percentile(step, p) for step in latencies] for p in PERCENTILES},
    )


def _divide(
    requests: Iterable[RecentRequest], first: int, step_s: float
) -> list[list[RecentRequest]]:
    steps: list[list[RecentRequest]] = [[] for _ in range(STEPS)]
    for one in requests:
        place = int(one.at // step_s) - first
        if 0 <= place < STEPS:
            steps[place].append(one)
    return steps


def _rates(
    status: str, steps: Sequence[Sequence[RecentRequest]], known: Sequence[bool], step_s: float
) -> list[float | None]:
    counts = [sum(one.status == status for one in step) for step in steps]
    return [
        count / step_s if is_known else None for count, is_known in zip(counts, known, strict=True)
    ]


def percentile(ordered: Sequence[float], percent: int) -> float | None:
    """Return the smallest value that `percent` of the values do not exceed. None: there are no values."""
    if not ordered:
        return None
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def _latencies(requests: Iterable[RecentRequest]) -> Iterable[float]:
    for one in requests:
        if one.accepted_at is not None:
            yield max(0.0, one.at - one.accepted_at)
