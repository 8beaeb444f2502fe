"""The promise, whatever is killed in between: one effect at most, one terminal event, no wrong verdict, nothing lost.

The real services run over twins on a stage (`stage.py`) that lets one call happen at a time and knows every way it can
go. A run differs from the undisturbed one in a few *deviations*: a process killed or frozen between two calls, an
answer lost, a store away, a command that is done late, another of Stripe's answers, a duplicate, a call of a second
worker in between, a secret that is pointed at another account, a day without workers, an early redrive. All runs of up
to two deviations are made of one message, all of one elsewhere, and beyond that random walks.

Why not a hypothesis state machine: rules drawn at random meet a crash point together with the one answer that makes it
harmful only by luck, and shrinking has to find out afterwards what mattered. Counting deviations from a sensible run
makes the search complete where faults are (two of them found every one so far), and its first find the shortest.
The invariants are in `invariants.py` and `flow_runs.py`; a run that breaks one is told step by step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.model.callers import Scenario, play
from tests.model.choices import Choices
from tests.model.flow_runs import FlowScenario, play_flows
from tests.model.invariants import words
from tests.model.scenarios import FLOW_SCENARIOS, IN_ORDER, ONE, SCENARIOS

if TYPE_CHECKING:
    from tests.model.conftest import Search

every_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.name)
every_flow_scenario = pytest.mark.parametrize(
    "scenario", FLOW_SCENARIOS, ids=lambda each: each.name
)


@every_scenario
def test_an_undisturbed_request_is_told_what_became_of_it(scenario: Scenario) -> None:
    stage = play(scenario, Choices({}))
    told = [words(stage.ends(ask)) for ask in scenario.requests]
    assert told == list(scenario.told_each)


@every_scenario
def test_few_faults_break_no_promise(scenario: Scenario, search: Search) -> None:
    search.through(lambda choices: play(scenario, choices), core=scenario is ONE)


@every_scenario
def test_many_faults_break_no_promise(scenario: Scenario, search: Search) -> None:
    search.at_random(lambda choices: play(scenario, choices), scenario.name)


@every_flow_scenario
def test_an_undisturbed_flow_runs_once(scenario: FlowScenario) -> None:
    runs = play_flows(scenario, Choices({}))
    returned = {request_id: times for (request_id, _), times in runs.returned.items()}
    assert returned == {request_id: 1 for request_id, _ in scenario.entries}


@every_flow_scenario
def test_few_faults_lose_no_flow_and_no_order(scenario: FlowScenario, search: Search) -> None:
    search.through(lambda choices: play_flows(scenario, choices), core=scenario is IN_ORDER)


@every_flow_scenario
def test_many_faults_lose_no_flow_and_no_order(scenario: FlowScenario, search: Search) -> None:
    search.at_random(lambda choices: play_flows(scenario, choices), scenario.name)
