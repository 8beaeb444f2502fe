"""The figures of a plot: outcomes per second by status, and the percentiles of the latencies."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.operator_in_memory import recent

from paydispatch.domain.operators.figures import STATUSES, STEPS, figures_of, percentile

WINDOW_S = 600.0
STEP_S = WINDOW_S / STEPS
NOW_S = 1_000_000.0


def test_an_outcome_counts_in_the_step_of_its_time() -> None:
    now, before = NOW_S, NOW_S - STEP_S
    ends = [recent(f"r{n}", "succeeded", at=at) for n, at in enumerate((now, now, before))]
    figures = figures_of(ends, NOW_S, window_s=WINDOW_S)
    assert figures.per_s["succeeded"][-2:] == [1 / STEP_S, 2 / STEP_S]
    assert figures.at[-1] - STEP_S <= NOW_S < figures.at[-1]


def test_a_latency_is_the_time_from_acceptance_to_outcome() -> None:
    slow = recent("slow", "failed", at=NOW_S, accepted_at=NOW_S - 8.0)
    fast = [recent(f"r{n}", "succeeded", at=NOW_S, accepted_at=NOW_S - 1.0) for n in range(9)]
    figures = figures_of([slow, *fast], NOW_S, window_s=WINDOW_S)
    assert figures.latency_s["p50"][-1] == 1.0
    assert figures.latency_s["p95"][-1] == 8.0
    assert figures.latency_s["p50"][0] is None


def test_steps_whose_outcomes_were_dropped_are_not_shown_as_none_at_all() -> None:
    figures = figures_of([], NOW_S, window_s=WINDOW_S, whole_since=NOW_S - WINDOW_S / 2)
    assert figures.per_s["failed"][0] is None
    assert figures.per_s["failed"][-1] == 0.0


@given(ages=st.lists(st.floats(0, WINDOW_S - STEP_S), max_size=50))
def test_no_outcome_of_the_window_is_lost(ages: list[float]) -> None:
    ends = [recent(f"r{n}", STATUSES[n % 3], at=NOW_S - age) for n, age in enumerate(ages)]
    rates = figures_of(ends, NOW_S, window_s=WINDOW_S).per_s.values()
    counted = sum(rate or 0.0 for each in rates for rate in each) * STEP_S
    assert counted == pytest.approx(len(ages))


@given(values=st.lists(st.floats(0, 1e6), min_size=1), percent=st.sampled_from((50, 95, 99)))
def test_a_percentile_is_a_value_that_so_many_do_not_exceed(
    values: list[float], percent: int
) -> None:
    found = percentile(sorted(values), percent)
    assert found in values
    assert sum(value <= found for value in values) * 100 >= percent * len(values)
