"""An outcome whose script a runner lacks waits for a runner that has it, for a bounded time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.examples import entry, make_failure

from paydispatch.domain.errors import Unavailable
from paydispatch.domain.flow_retry import Retry
from paydispatch.domain.retry import SCRIPT_WAIT_LONGEST_S, wait_for_script_s
from paydispatch.flow import RetryLater
from paydispatch.services.flow_runs.ports import FlowPolicy
from paydispatch.testing.memory_scripts import MemoryScripts

if TYPE_CHECKING:
    from tests.unit.services.conftest import Runner

    from paydispatch.flow import Flow
    from paydispatch.ports import Turn

WAIT_S = 600.0


class Script:
    def __init__(self, *raises: Exception) -> None:
        self._raises = list(raises)
        self.attempts: list[tuple[str, int]] = []

    def __call__(self, argument: Any, flow: Flow) -> None:
        self.attempts.append((flow.request_id, flow.attempt))
        if self._raises:
            raise self._raises.pop(0)


@pytest.fixture(autouse=True)
def policy(runner: Runner) -> None:
    runner.policy = FlowPolicy(timeout_s=5.0, retry=Retry(attempts=3), missing_wait_s=WAIT_S)
    runner.with_scripts()


async def drain_for(runner: Runner, seconds: float) -> int:
    """Drain every second for so long. Return the number of looks at the entries."""
    looks = 0
    for _ in range(round(seconds)):
        looks += await runner.drain()
        runner.clock.advance(1.0)
    return looks


async def test_an_entry_without_a_script_waits_and_a_runner_with_the_script_takes_it(
    runner: Runner,
) -> None:
    runner.put("pdr_1")
    await drain_for(runner, WAIT_S - 100)
    assert (runner.waiting, runner.dead) == (["pdr_1"], [])
    script = Script()
    runner.with_scripts(response=script)
    await drain_for(runner, SCRIPT_WAIT_LONGEST_S + 1)
    assert script.attempts == [("pdr_1", 1)]
    assert (runner.waiting, runner.log.counts) == ([], {})


async def test_an_entry_that_no_runner_has_a_script_for_is_dead_after_the_time_with_a_metric(
    runner: Runner,
) -> None:
    runner.put("pdr_1")
    await drain_for(runner, WAIT_S)
    assert (runner.waiting, runner.log.counts) == (["pdr_1"], {})
    await drain_for(runner, 2)
    ((dead, reason),) = runner.inbox.dead
    assert (dead.request_id, runner.log.counts) == ("pdr_1", {"FlowMissing": 1})
    assert reason.startswith("There is no new_create_payment_intent_response.py")


async def test_the_time_begins_when_the_script_is_first_missing_not_at_the_publication(
    runner: Runner,
) -> None:
    """The entry waited longer for its context than it may wait for its script."""
    runner.with_scripts(response=Script(RetryLater(after_s=2 * WAIT_S)))
    runner.put("pdr_1")
    runner.put("pdr_2", outcome=make_failure())
    await runner.drain()
    await drain_for(runner, 2 * WAIT_S + 2)
    assert runner.waiting == ["pdr_2"]
    assert runner.dead == []


async def test_the_context_of_a_missing_script_waits_and_other_contexts_go_on(
    runner: Runner,
) -> None:
    script = Script()
    runner.with_scripts(response=script)
    runner.put("pdr_1", outcome=make_failure())
    runner.put("pdr_2")
    runner.put("pdr_3", "context-2")
    await drain_for(runner, WAIT_S)
    assert script.attempts == [("pdr_3", 1)]
    await drain_for(runner, 2)
    assert [dead.request_id for dead in runner.dead] == ["pdr_1"]
    assert script.attempts == [("pdr_3", 1), ("pdr_2", 1)]


async def test_a_runner_that_has_the_script_begins_the_time_anew(runner: Runner) -> None:
    """An outcome is given up only if no worker has its script."""
    runner.put("pdr_1")
    await drain_for(runner, 10)
    script = Script(RetryLater(after_s=WAIT_S))
    runner.with_scripts(response=script)
    await drain_for(runner, 20)
    runner.with_scripts()
    await drain_for(runner, 1.5 * WAIT_S)
    assert script.attempts == [("pdr_1", 1)]
    assert (runner.waiting, runner.dead) == (["pdr_1"], [])


@pytest.mark.parametrize(
    ("name", "outcome"), [("any_response", None), ("any_error", make_failure())]
)
async def test_another_runner_may_run_the_script_for_any_operation(
    runner: Runner, name: str, outcome: Any
) -> None:
    runner.inbox.put(entry(outcome=outcome) if outcome else entry())
    await drain_for(runner, 3)
    script = Script()
    runner.with_scripts(**{name: script})
    await drain_for(runner, 10)
    assert script.attempts == [("pdr_1", 1)]


async def test_a_wait_is_no_failed_run(runner: Runner) -> None:
    runner.put()
    await drain_for(runner, WAIT_S - 100)
    script = Script(ValueError("no"), ValueError("no"))
    runner.with_scripts(response=script)
    await drain_for(runner, 100)
    assert [attempt for _, attempt in script.attempts] == [1, 2, 3]


async def test_each_wait_is_logged_and_the_waits_grow(runner: Runner) -> None:
    runner.put()
    looks = await drain_for(runner, WAIT_S + 2)
    waits = [line for event, line in runner.log.lines if event == "flow.missing"]
    assert waits[0]["request_id"] == "pdr_1"
    assert "There is no new_create_payment_intent_response.py" in waits[0]["why"]
    assert [line["after_s"] for line in waits][:2] == [1.0, 1.0]
    assert looks == len(waits) + 1
    assert len(waits) < 20


async def test_a_wait_that_redis_did_not_note_is_reported_again(
    runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    note, failures = runner.inbox.missing_since, iter([True, False])

    async def missing_since(turn: Turn) -> float:
        if next(failures, False):
            raise Unavailable("Redis is unavailable")
        return await note(turn)

    monkeypatch.setattr(runner.inbox, "missing_since", missing_since)
    runner.put()
    await runner.drain()
    assert [event for event, _ in runner.log.lines] == ["flow.missing"]


@pytest.mark.parametrize(
    ("missing_for_s", "at_most_s", "wait_s"),
    [
        (0, 600, 1),
        (8, 600, 8),
        (300, 600, 60),
        (590, 600, 10),
        (600, 600, None),
        (700, 600, None),
        (0, 0.5, 0.5),
        (-5, 600, 1),  # the clock of another runner goes ahead
    ],
)
def test_the_wait_doubles_up_to_a_minute_and_ends_with_the_time(
    missing_for_s: float, at_most_s: float, wait_s: float | None
) -> None:
    assert wait_for_script_s(missing_for_s, at_most_s) == wait_s


# `--only`


def only(*patterns: str) -> FlowPolicy:
    return FlowPolicy(timeout_s=5.0, missing_wait_s=WAIT_S, only=patterns)


async def test_a_runner_leaves_a_script_that_it_has_to_another_one(runner: Runner) -> None:
    script = Script()
    runner.policy = only("new_create_refund_*")
    runner.with_scripts(response=script)
    runner.put("pdr_1")
    looks = await drain_for(runner, 60)
    assert (script.attempts, runner.waiting, looks) == ([], ["pdr_1"], 60)
    runner.policy = only("new_create_refund_*", "new_create_payment_*")
    runner.with_scripts(response=script)
    await drain_for(runner, 2)
    assert script.attempts == [("pdr_1", 1)]


async def test_it_does_not_run_the_script_for_any_operation_in_its_place(runner: Runner) -> None:
    script, for_any = Script(), Script()
    runner.policy = only("any_*")
    runner.with_flows(
        MemoryScripts(new_create_payment_intent_response=script, any_response=for_any)
    )
    runner.put("pdr_1")
    await drain_for(runner, 60)
    assert (script.attempts, for_any.attempts) == ([], [])


async def test_a_script_that_every_runner_leaves_goes_to_the_dead_stream_in_time(
    runner: Runner,
) -> None:
    runner.policy = only("any_*")
    runner.with_scripts(response=Script())
    runner.put("pdr_1")
    await drain_for(runner, WAIT_S + 10)
    ((_, reason),) = runner.inbox.dead
    assert reason == "This worker leaves new_create_payment_intent_response to others."


async def test_leaving_it_counts_as_no_run(runner: Runner) -> None:
    runner.policy = only("any_*")
    runner.with_scripts(response=Script())
    runner.put("pdr_1")
    await drain_for(runner, 30)
    runner.policy = only()
    script = Script()
    runner.with_scripts(response=script)
    await drain_for(runner, 3)
    assert script.attempts == [("pdr_1", 1)]
