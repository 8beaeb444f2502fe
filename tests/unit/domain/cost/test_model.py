"""The model of use: checked against the simulated fleet, and by rules that hold for any workload."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.performance.simulated import stripe_model
from tests.performance.simulated.caller_model import PREPARE_S, PUBLISH_S, REDIS_S
from tests.performance.simulated.fleet_model import Fleet, LaneShape, Plan

from paydispatch.domain.cost.bill import bill
from paydispatch.domain.cost.estimate import estimate
from paydispatch.domain.cost.model import MEASURED, Workload, loop_of, use_of
from paydispatch.domain.rates.lanes import RateLane
from paydispatch.domain.requests import Lane

A_MILLION = Workload(calls=1e6, lane=Lane.BATCH)
UNLIMITED = 1_000_000


@pytest.mark.parametrize("per_invocation", [10, 100])
def test_the_simulated_fleet_uses_what_the_model_says(
    per_invocation: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stripe_model, "ANSWER_P99_S", stripe_model.ANSWER_P50_S)
    monkeypatch.setattr(stripe_model, "ONE_WAY_JITTER_S", 0.0)
    messages = 100 * per_invocation
    shape = LaneShape(concurrency=4, batch_size=per_invocation, window_s=1.0)
    plan = Plan(account_rate=UNLIMITED, operation_rate=UNLIMITED, lanes={RateLane.BATCH: shape})
    fleet = Fleet(plan)
    fleet.send("first", RateLane.BATCH, messages)
    fleet.loop.run(60.0)  # to the end of the last invocation
    used = fleet.lanes[RateLane.BATCH].mapping.used
    around_s = PREPARE_S + 2 * REDIS_S + 2 * stripe_model.ONE_WAY_S + PUBLISH_S
    measured = replace(MEASURED, call_cpu_ms=0.0, invocation_ms=around_s * 1000)
    work = Workload(calls=messages, lane=Lane.BATCH, per_invocation=per_invocation)
    use = use_of(work, measured)
    caller = use.functions[0]
    assert used.invocations == caller.invocations
    assert used.billed_ms == pytest.approx(caller.billed_ms, rel=0.01)
    without_sends = use.queue_requests - messages / 10
    assert (
        without_sends <= used.requests <= 1.3 * without_sends
    )  # a receive may find fewer than ten


def test_the_batch_lane_costs_a_fifth_of_a_loop_or_less() -> None:
    assert estimate(A_MILLION).times_cheaper >= 5


def test_quiet_traffic_pays_a_whole_invocation_for_each_call() -> None:
    quiet = estimate(Workload(calls=1e6, lane=Lane.INTERACTIVE))
    assert quiet.bill.lambda_usd > quiet.loop.lambda_usd


def test_a_loop_pays_for_the_time_of_each_answer() -> None:
    assert loop_of(A_MILLION).billed_ms == 1e6 * 300


def test_the_api_adds_its_requests_its_function_and_its_gateway() -> None:
    direct = bill(use_of(A_MILLION))
    by_api = bill(use_of(replace(A_MILLION, api_items=100)))
    added = {line.name for line in by_api.lines} - {line.name for line in direct.lines}
    assert added == {"Lambda: api, duration", "Lambda: api, invocations", "API Gateway"}


def test_every_call_holds_memory_in_redis_for_25_days() -> None:
    kept_gb, _ = estimate(A_MILLION).redis_gb
    assert kept_gb == pytest.approx(3.3)


def test_redis_is_part_of_the_standing_cost() -> None:
    without = estimate(A_MILLION).standing_usd
    assert estimate(A_MILLION, redis_usd_per_hour=0.1).standing_usd == pytest.approx(without + 73)


@given(
    calls=st.floats(1, 1e9),
    lane=st.sampled_from(Lane),
    call_ms=st.floats(1, 80_000),
    deferrals=st.floats(0, 20),
    wait_ms=st.floats(0, 20_000),
    factor=st.floats(1, 100),
)
def test_more_calls_cost_in_proportion_and_waits_and_deferrals_never_save(
    calls: float, lane: Lane, call_ms: float, deferrals: float, wait_ms: float, factor: float
) -> None:
    work = Workload(calls=calls, lane=lane, call_ms=call_ms)
    usd = bill(use_of(work)).usd
    assert bill(use_of(replace(work, calls=calls * factor))).usd == pytest.approx(usd * factor)
    assert bill(use_of(replace(work, wait_ms=wait_ms))).usd >= usd
    assert bill(use_of(replace(work, deferrals=deferrals))).usd >= usd
