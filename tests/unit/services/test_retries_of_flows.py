"""A flow that fails runs again for hours. Its time lies in the inbox, so that no process has to wait or to survive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from paydispatch import Retry
from paydispatch.flow import RetryLater
from paydispatch.services.flow_runs.ports import FlowPolicy
from paydispatch.testing.memory_scripts import MemoryScripts

if TYPE_CHECKING:
    from tests.unit.services.conftest import Runner

    from paydispatch.flow import Flow

SCRIPT = "new_create_payment_intent_response"
MINUTE_S, HOUR_S = 60.0, 3_600.0


class Database:
    """A script whose database is away for some time."""

    def __init__(self, runner: Runner, away_s: float, context_id: str = "") -> None:
        self._clock = runner.clock
        self._back_at = runner.clock.now_s() + away_s
        self._context_id = context_id
        self.tried: list[str] = []
        self.done: list[str] = []

    def __call__(self, data: Any, flow: Flow) -> None:
        self.tried.append(flow.request_id)
        needed = not self._context_id or flow.context_id == self._context_id
        if needed and self._clock.now_s() < self._back_at:
            raise ConnectionError("the database is away")
        self.done.append(flow.request_id)


@pytest.fixture(autouse=True)
def policy(runner: Runner) -> None:
    runner.policy = FlowPolicy(timeout_s=5.0)


async def drain_for(runner: Runner, seconds: float, every_s: float = 1.0) -> None:
    """Drain at each sweep for so long."""
    for _ in range(round(seconds / every_s)):
        await runner.drain()
        runner.clock.advance(every_s)


@pytest.mark.parametrize("away_s", [MINUTE_S, 3 * HOUR_S])
async def test_a_database_that_is_away_buries_no_outcome(runner: Runner, away_s: float) -> None:
    database = Database(runner, away_s)
    runner.with_scripts(response=database)
    for number in range(5):
        runner.put(f"pdr_{number}", f"context-{number}")
    await drain_for(runner, away_s + 700, every_s=10)
    assert sorted(database.done) == [f"pdr_{number}" for number in range(5)]
    assert (runner.waiting, runner.dead) == ([], [])


async def test_after_the_last_run_the_outcome_is_dead_and_the_error_script_runs(
    runner: Runner,
) -> None:
    told: list[str] = []
    database = Database(runner, 24 * HOUR_S)
    runner.with_scripts(response=database, error=lambda error, flow: told.append(str(error)))
    runner.put()
    await drain_for(runner, 7 * HOUR_S, every_s=20)
    assert len(database.tried) == 50
    assert [dead.request_id for dead in runner.dead] == ["pdr_1"]
    assert "failed 50 times" in told[0]


async def test_a_context_that_waits_blocks_only_itself(runner: Runner) -> None:
    database = Database(runner, HOUR_S, context_id="broken")
    runner.with_scripts(response=database)
    runner.put("pdr_1", "broken")
    runner.put("pdr_2", "broken")
    runner.put("pdr_3", "whole")
    await drain_for(runner, HOUR_S / 2, every_s=5)
    runner.put("pdr_4", "whole")
    await drain_for(runner, 5)
    assert database.done == ["pdr_3", "pdr_4"]
    assert "pdr_2" not in database.tried
    await drain_for(runner, HOUR_S, every_s=5)
    assert database.done == ["pdr_3", "pdr_4", "pdr_1", "pdr_2"]


async def test_no_drain_sleeps_until_a_retry_is_due(runner: Runner) -> None:
    """An invocation of the Lambda would pay for the wait, and end in it."""
    runner.with_scripts(response=Database(runner, HOUR_S))
    runner.put()
    before_s = runner.clock.now_s()
    assert await runner.drain() == 1
    assert runner.clock.now_s() == before_s
    assert runner.inbox.look("worker-1").first_due_at == before_s + 0.75


async def test_the_retries_go_on_in_a_process_that_starts_later(runner: Runner) -> None:
    database = Database(runner, HOUR_S)
    for _ in range(12):
        runner.with_scripts(response=database)  # a new runner, with the inbox of the old one
        if not database.tried:
            runner.put()
        await runner.drain()
        runner.clock.advance(700)
    assert (len(database.tried), database.done) == (7, ["pdr_1"])


async def test_a_script_sets_its_own_retries(runner: Runner) -> None:
    database = Database(runner, HOUR_S)
    retry = Retry(attempts=3, first_s=40, longest_s=40)
    runner.with_flows(MemoryScripts({SCRIPT: retry}, **{SCRIPT: database}))
    runner.put()
    await runner.drain()
    due_s = runner.inbox.look("worker-1").first_due_at
    assert due_s == runner.clock.now_s() + 30  # of 20 to 40
    await drain_for(runner, 200)
    assert (len(database.tried), len(runner.dead)) == (3, 1)


async def test_a_script_may_have_more_runs_than_its_runner_gives_the_others(
    runner: Runner,
) -> None:
    runner.policy = FlowPolicy(timeout_s=5.0, retry=Retry(attempts=2))
    database = Database(runner, HOUR_S)
    runner.with_flows(MemoryScripts({SCRIPT: Retry(attempts=60)}, **{SCRIPT: database}))
    runner.put()
    await drain_for(runner, 2 * HOUR_S, every_s=5)
    assert (database.done, runner.dead) == (["pdr_1"], [])


async def test_a_later_run_counts_neither_as_a_failure_nor_as_a_killed_run(runner: Runner) -> None:
    runs: list[int] = []

    def response(data: Any, flow: Flow) -> None:
        runs.append(flow.attempt)
        raise RetryLater(after_s=60) if len(runs) % 2 else ConnectionError

    runner.policy = FlowPolicy(timeout_s=5.0, retry=Retry(attempts=4))
    runner.with_scripts(response=response)
    runner.put()
    await drain_for(runner, 600)
    assert runs == [1, 1, 2, 2, 3, 3, 4, 4]


async def kill_runs(runner: Runner, runs: int) -> None:
    """Take the turn so often, and let each lease run out without a report."""
    for _ in range(runs):
        assert [*await runner.inbox.take("worker-1", at_most=1)] or [
            *await runner.inbox.take_abandoned("worker-1", at_most=1)
        ]
        runner.clock.advance(41)


async def test_a_script_that_kills_its_worker_is_given_up_long_before_one_that_fails(
    runner: Runner,
) -> None:
    database = Database(runner, 0)
    runner.with_scripts(response=database)
    runner.put()
    await kill_runs(runner, 5)
    await runner.drain()
    ((_, reason),) = runner.inbox.dead
    assert (reason, database.tried) == ("5 of its runs were killed", [])


async def test_failed_runs_do_not_count_as_killed_ones(runner: Runner) -> None:
    database = Database(runner, MINUTE_S)
    runner.with_scripts(response=database)
    runner.put()
    await drain_for(runner, 10)
    runner.clock.advance(10)
    await kill_runs(runner, 4)
    await drain_for(runner, 200)
    assert (database.done, runner.dead) == (["pdr_1"], [])


async def test_the_last_run_of_a_script_is_not_repeated_if_it_was_killed(runner: Runner) -> None:
    database = Database(runner, 0)
    runner.with_flows(MemoryScripts({SCRIPT: Retry(attempts=2)}, **{SCRIPT: database}))
    runner.put()
    await kill_runs(runner, 2)
    await runner.drain()
    ((_, reason),) = runner.inbox.dead
    assert (reason, database.tried) == ("its last run was killed", [])


async def test_each_failed_run_is_a_metric_and_a_line_with_its_number(runner: Runner) -> None:
    """An operator hears of a flow that fails at once, and not hours later."""
    runner.with_scripts(response=Database(runner, HOUR_S))
    runner.put()
    await runner.drain()
    (line,) = (line for event, line in runner.log.lines if event == "flow.retried")
    assert (line["attempt"], line["of"], line["after_s"]) == (1, 50, 0.75)
    assert "the database is away" in line["why"]
    assert runner.log.counts == {"FlowRetried": 1}
