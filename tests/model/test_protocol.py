"""Search for faults that break the promise: at most one effect, one settled flow, no wrong verdict, no lost request.

The real services run over twins on a stage (`stage.py`). The stage makes one call at a time and knows every way in
which the call can end. A run differs from the undisturbed run by a few *deviations*: a process that is killed or frozen
between two calls, a lost answer, an unavailable store, a command that is executed late, another answer of Stripe, a
duplicate message, a call of a second worker in between, a secret that now holds the key of another account, a day
without workers, an early redrive. The search makes every run of one message with up to two deviations, and every run of
the other scenarios with one deviation. Random walks go further.

This is not a hypothesis state machine, because rules drawn at random rarely combine a crash point with the one answer
that makes the crash harmful, and shrinking would have to separate cause from noise afterwards. A search by the number
of deviations is complete for few faults (two deviations found every fault so far), and the first run that it finds is
the shortest. The invariants are in `invariants.py` and `flow_runs.py`. A run that breaks one is printed step by step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.model.callers import Scenario, play
from tests.model.choices import Choices
from tests.model.flow_runs import FlowScenario, play_flows
from tests.model.invariants import short_names
from tests.model.scenarios import FLOW_SCENARIOS, IN_ORDER, ONE, SCENARIOS

if TYPE_CHECKING:
    from tests.model.conftest import Search

every_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.name)
every_flow_scenario = pytest.mark.parametrize(
    "scenario", FLOW_SCENARIOS, ids=lambda each: each.name
)


@every_scenario
def test_an_undisturbed_request_has_the_expected_outcomes(scenario: Scenario) -> None:
    stage = play(scenario, Choices({}))
    outcomes = [short_names(stage.entries_of(ask)) for ask in scenario.requests]
    assert outcomes == list(scenario.expected_outcomes)


@every_scenario
def test_few_faults_break_no_promise(scenario: Scenario, search: Search) -> None:
    search.explore(lambda choices: play(scenario, choices), core=scenario is ONE)


@every_scenario
def test_many_faults_break_no_promise(scenario: Scenario, search: Search) -> None:
    search.walk(lambda choices: play(scenario, choices), scenario.name)


@every_flow_scenario
def test_an_undisturbed_flow_runs_once(scenario: FlowScenario) -> None:
    runs = play_flows(scenario, Choices({}))
    returned = {request_id: times for (request_id, _), times in runs.returned.items()}
    assert returned == {request_id: 1 for request_id, _ in scenario.entries}


@every_flow_scenario
def test_few_faults_lose_no_flow_and_no_order(scenario: FlowScenario, search: Search) -> None:
    search.explore(lambda choices: play_flows(scenario, choices), core=scenario is IN_ORDER)


@every_flow_scenario
def test_many_faults_lose_no_flow_and_no_order(scenario: FlowScenario, search: Search) -> None:
    search.walk(lambda choices: play_flows(scenario, choices), scenario.name)
