"""A long command in short runs does what one long run does, and ends."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.examples import NOW_S, make_failure
from tests.unit.operator_in_memory import MemoryOperatorPorts

from paydispatch.domain.errors import PaydispatchError, Unavailable
from paydispatch.domain.operators.diagnosis import OpenRequest
from paydispatch.domain.outcomes import FLOW_FAILED, Certainty, ErrorKind
from paydispatch.services.operate.arguments import Arguments
from paydispatch.services.operate.ports import INTERRUPTED, Slice
from paydispatch.services.operate.requests import FINDINGS_SHOWN
from paydispatch.services.operate.table import operate, operate_all
from paydispatch.testing.memory_operations import MemoryDeadLetters

if TYPE_CHECKING:
    from collections.abc import Mapping

ITS_SCRIPT_FAILED = make_failure(
    kind=ErrorKind.DISPATCHER, code=FLOW_FAILED, certainty=Certainty.UNKNOWN
)
STATUSES = st.lists(st.sampled_from([None, "unknown", "succeeded"]), max_size=12)


def run_all(ports: MemoryOperatorPorts, command: str, **asked: Any) -> tuple[dict[str, Any], int]:
    """Return the document of all runs, and their number. Everything goes through JSON."""
    runs = 0

    def run(chosen: Mapping[str, Any]) -> dict[str, Any]:
        nonlocal runs
        runs += 1
        arguments = Arguments(json.loads(json.dumps(chosen)))
        return asyncio.run(operate(ports, command, arguments))

    return operate_all(run, command, asked), runs


@given(
    statuses=STATUSES,
    messages=st.integers(1, 5),
    limit=st.integers(1, 15),
    purge=st.booleans(),
    dry_run=st.booleans(),
)
def test_runs_of_any_length_redrive_like_one_run(
    statuses: list[str | None], messages: int, limit: int, purge: bool, dry_run: bool
) -> None:
    whole, sliced = MemoryOperatorPorts(), MemoryOperatorPorts(Slice(messages, 60.0))
    for ports in (whole, sliced):
        for number, status in enumerate(statuses):
            ports.park(f"pdr_{number}", status)
        ports.dead_letters.put("{", sent_at=NOW_S)
    asked = {"limit": limit, "purge_settled": purge, "dry_run": dry_run}

    once, _ = run_all(whole, "dlq redrive", **asked)
    often, runs = run_all(sliced, "dlq redrive", **asked)

    assert often == once
    assert runs <= len(often["messages"]) // messages + 1
    assert sliced.dead_letters.messages.keys() == whole.dead_letters.messages.keys()
    assert [one.request_id for one in sliced.queue.sent] == [
        one.request_id for one in whole.queue.sent
    ]
    assert not sliced.dead_letters.hidden


class ParksAgain(MemoryDeadLetters):
    """A dead-letter queue to which each message comes back under a new id as soon as it was sent back."""

    async def delete(self, parked: Any) -> None:
        await super().delete(parked)
        again = f"m-again-{len(self.messages)}-{parked.message_id}"
        self.messages[again] = type(parked)(again, "", parked.body, NOW_S, NOW_S, "timeout")


def test_a_request_that_is_parked_again_is_sent_back_once_in_all_runs() -> None:
    ports = MemoryOperatorPorts(Slice(1, 60.0))
    ports.dead_letters = ParksAgain()
    for number in range(3):
        ports.park(f"pdr_{number}")

    document, _ = run_all(ports, "dlq redrive")

    assert sorted(one.request_id for one in ports.queue.sent) == ["pdr_0", "pdr_1", "pdr_2"]
    assert len(document["messages"]) == 3


@given(
    dying=st.lists(st.tuples(st.sampled_from(["worker-1", "worker-2"]), st.booleans()), max_size=9),
    flows=st.integers(1, 4),
    limit=st.integers(1, 12),
    dry_run=st.booleans(),
)
def test_runs_of_any_length_rerun_like_one_run(
    dying: list[tuple[str, bool]], flows: int, limit: int, dry_run: bool
) -> None:
    """A response and the error of its failed script may fall into different runs."""
    whole, sliced = MemoryOperatorPorts(), MemoryOperatorPorts(Slice(flows, 60.0))
    for ports in (whole, sliced):
        for number, (worker, with_error) in enumerate(dying):
            ports.bury(f"pdr_{number}", worker_id=worker)
            if with_error:
                ports.bury(f"pdr_{number}", worker_id=worker, outcome=ITS_SCRIPT_FAILED)
    asked = {"limit": limit, "dry_run": dry_run}

    once, _ = run_all(whole, "flows dead rerun", **asked)
    often, runs = run_all(sliced, "flows dead rerun", **asked)

    assert often == once
    assert runs <= len(often["flows"]) // flows + 1
    assert sliced.inbox.dead_flows() == whole.inbox.dead_flows()


def test_a_rerun_without_time_gets_further_in_each_run() -> None:
    ports = MemoryOperatorPorts(Slice(100, 1e-9))
    for number in range(3):
        ports.bury(f"pdr_{number}")

    document, runs = run_all(ports, "flows dead rerun")

    assert [flow["action"] for flow in document["flows"]] == ["rerun"] * 3
    assert runs == 4


def test_a_run_ends_when_its_time_is_over_and_the_next_one_goes_on() -> None:
    ports = MemoryOperatorPorts(Slice(100, 25.0))
    for number in range(5):
        ports.park(f"pdr_{number}")

    document, runs = run_all(ports, "dlq redrive", rate_per_s=0.1)

    assert len(document["messages"]) == 5
    assert runs == 2


def test_a_run_that_gets_no_further_is_the_last() -> None:
    ports = MemoryOperatorPorts(Slice(100, 1e-9))
    ports.park()

    class Slow(MemoryDeadLetters):
        async def receive(self) -> Any:
            ports.clock.advance(1)
            return await super().receive()

    slow = Slow()
    slow.messages = ports.dead_letters.messages
    ports.dead_letters = slow

    document, runs = run_all(ports, "dlq list")

    assert (document, runs) == ({"messages": [], "may_be_more": True}, 1)


@pytest.mark.parametrize(
    ("error", "stopped_by"),
    [(Unavailable("gone"), "gone"), (KeyboardInterrupt(), INTERRUPTED)],
)
def test_what_the_runs_before_did_is_reported(error: BaseException, stopped_by: str) -> None:
    said: list[Any] = [
        {"messages": [{"id": "pdr_1"}], "may_be_more": True, "cursor": {"left": 1, "seen": ["m"]}},
        error,
    ]

    def run(_: Mapping[str, Any]) -> dict[str, Any]:
        answer = said.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        document: dict[str, Any] = answer
        return document

    document = operate_all(run, "dlq redrive", {})

    assert (document["messages"], document["stopped_by"]) == ([{"id": "pdr_1"}], stopped_by)


def test_a_first_run_that_fails_is_the_failure_of_the_command() -> None:
    def fail(_: Mapping[str, Any]) -> dict[str, Any]:
        raise Unavailable("gone")

    with pytest.raises(PaydispatchError, match="gone"):
        operate_all(fail, "reconcile", {})


def test_reports_of_runs_add_up() -> None:
    said = [
        {"counts": {"created": 2}, "left": 1, "requests": [1, 2], "cursor": [["w", "r"]]},
        {"counts": {"created": 1}, "left": 0, "requests": [3]},
    ]
    asked: list[Mapping[str, Any]] = []

    def run(chosen: Mapping[str, Any]) -> dict[str, Any]:
        asked.append(chosen)
        return dict(said[len(asked) - 1])

    document = operate_all(run, "reconcile", {"worker_ids": ["w"]})

    assert document == {"counts": {"created": 3}, "left": 0, "requests": [1, 2, 3]}
    assert asked[1] == {"worker_ids": ["w"], "cursor": [["w", "r"]]}


def test_the_doctor_lists_as_many_findings_as_fit_into_an_answer() -> None:
    ports = MemoryOperatorPorts()
    for number in range(FINDINGS_SHOWN + 1):
        waiting = OpenRequest(
            request_id=f"pdr_{number}", worker_id=f"w{number % 3}", known_since=NOW_S - 900
        )
        ports.backlog.open.append(waiting)

    document, _ = run_all(ports, "doctor")

    assert (len(document["findings"]), document["more_findings"]) == (FINDINGS_SHOWN, True)
