"""An outcome runs its own script. Only if the folder has none does the one for any operation run in its place."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.examples import entry, make_failure

from paydispatch.adapters.flow_scripts import FlowFolder
from paydispatch.domain.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.unit.services.conftest import Runner

    from paydispatch.flow import Flow

OWN_RESPONSE = "new_create_payment_intent_response"
OWN_ERROR = "new_create_payment_intent_error"
RUNS = "def run(argument, flow): pass\n"

BROKEN = {
    "a syntax error": "def run(:",
    "a helper that is missing": "import no_such_module_anywhere",
    "a helper of its folder that is missing": "from my_flows import no_such_helper",
    "an exit": "import sys; sys.exit(0)",
    "no run": "x = 1",
    "the error of a missing script": "from paydispatch.domain.errors import MissingFlow as M; raise M('a', 'b')",
}

each_broken_script = pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)


@pytest.fixture
def flows(tmp_path: Path, runner: Runner) -> Iterator[Path]:
    """The flows folder of the runner, with scripts for any operation and none else."""
    path, finders, modules = list(sys.path), list(sys.meta_path), set(sys.modules)
    folder = tmp_path / "my_flows"
    folder.mkdir()
    for name in ("any_response", "any_error"):
        write(folder, name)
    runner.with_flows(FlowFolder(folder))
    yield folder
    sys.path[:], sys.meta_path[:] = path, finders
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def write(folder: Path, name: str, text: str = RUNS) -> None:
    (folder / f"{name}.py").write_text(text)


def lines_of(runner: Runner) -> list[tuple[str, Any]]:
    """Return each line of the log about a flow, with the script that it names."""
    return [(event, fields["flow"]) for event, fields in runner.log.lines if "flow" in fields]


def finished(runner: Runner) -> list[Any]:
    return [script for event, script in lines_of(runner) if event == "flow.finished"]


async def test_an_outcome_without_a_script_of_its_own_runs_the_one_for_any_operation(
    runner: Runner, flows: Path
) -> None:
    runner.put("pdr_1", operation="capture_payment_intent")
    runner.put("pdr_2", operation="capture_payment_intent", outcome=make_failure())
    await runner.drain()
    assert finished(runner) == ["any_response", "any_error"]


async def test_a_script_of_its_own_runs_also_if_it_appears_after_the_first_run(
    runner: Runner, flows: Path
) -> None:
    runner.put("pdr_1")
    await runner.drain()
    write(flows, OWN_RESPONSE)
    runner.put("pdr_2")
    await runner.drain()
    assert finished(runner) == ["any_response", OWN_RESPONSE]


@each_broken_script
async def test_a_broken_response_script_is_never_replaced_by_any_response(
    runner: Runner, flows: Path, text: str
) -> None:
    write(flows, OWN_RESPONSE, text)
    runner.put()
    await runner.drain_until_quiet()
    assert finished(runner) == ["any_error"]  # it is told that the response script failed
    assert lines_of(runner).count(("flow.raised", OWN_RESPONSE)) == 3
    assert runner.dead == [entry()]
    assert runner.log.counts == {"FlowRetried": 2, "FlowFailed": 1}


@each_broken_script
async def test_a_broken_error_script_is_never_replaced_by_any_error(
    runner: Runner, flows: Path, text: str
) -> None:
    write(flows, OWN_ERROR, text)
    runner.put(outcome=make_failure())
    await runner.drain_until_quiet()
    assert finished(runner) == []
    assert lines_of(runner).count(("flow.raised", OWN_ERROR)) == 3
    assert runner.dead == [entry(outcome=make_failure())]


async def test_a_script_that_cannot_be_looked_at_is_never_replaced(
    runner: Runner, flows: Path
) -> None:
    (flows / f"{OWN_RESPONSE}.py").symlink_to(f"{OWN_RESPONSE}.py")  # a link to itself
    runner.put()
    await runner.drain_until_quiet()
    assert finished(runner) == ["any_error"]
    assert runner.log.counts == {"FlowRetried": 2, "FlowFailed": 1}


async def test_a_script_that_is_a_package_is_not_replaced(runner: Runner, flows: Path) -> None:
    (flows / OWN_RESPONSE).mkdir()
    write(flows / OWN_RESPONSE, "__init__", "from .steps import run\n")
    write(flows / OWN_RESPONSE, "steps")
    runner.put()
    await runner.drain()
    assert finished(runner) == [OWN_RESPONSE]


async def test_without_any_response_the_outcome_goes_to_the_dead_stream_under_both_names(
    runner: Runner, flows: Path
) -> None:
    (flows / "any_response.py").unlink()
    runner.put()
    await runner.drain_until_quiet()
    ((_, reason),) = runner.inbox.dead
    assert reason == f"There is no {OWN_RESPONSE}.py and no any_response.py in {flows}."
    assert runner.log.counts == {"FlowMissing": 1}
    assert finished(runner) == []


async def test_the_dead_stream_names_the_script_that_failed_in_place_of_the_outcomes_own(
    runner: Runner, flows: Path
) -> None:
    write(flows, "any_response", "def run(argument, flow): raise ValueError('no')\n")
    runner.put()
    await runner.drain_until_quiet()
    ((_, reason),) = runner.inbox.dead
    assert reason == "any_response: ValueError: no"


async def test_the_line_of_a_run_that_is_not_acknowledged_names_the_script_that_ran(
    runner: Runner,
) -> None:
    def take_redis_away(data: Any, flow: Flow) -> None:
        runner.inbox.away = True

    runner.with_scripts(any_response=take_redis_away)
    runner.put()
    with pytest.raises(Unavailable):
        await runner.drain()
    assert ("flow.not_acknowledged", "any_response") in lines_of(runner)


async def test_the_line_of_a_fault_of_paydispatch_names_the_script_that_ran(
    runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def finish(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    runner.with_scripts(any_response=lambda data, flow: None)
    monkeypatch.setattr(runner.inbox, "finish", finish)
    runner.put()
    await runner.drain()
    assert lines_of(runner) == [("flow.fault", "any_response")]
