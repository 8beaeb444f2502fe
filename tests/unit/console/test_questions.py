"""The page's questions are answered from the parts that this console has."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.operator_in_memory import MemoryOperatorPorts, recent

from paydispatch.compose.console.operated_recent import OperatedRecent
from paydispatch.console.sources import Sources
from paydispatch.services.operate.arguments import Arguments
from paydispatch.services.operate.table import operate
from paydispatch.services.recent import RecentRequests
from paydispatch.testing.memory_clock import MemoryClock

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.unit.console.conftest import Serve


def run_nothing(_name: str, _given: Mapping[str, Any]) -> dict[str, Any]:
    return {}


class Twin:
    """`Trials` that keep each question."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    async def submit(self, method: str, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        self.asked.append(("submit", method, path, dict(body)))
        return {}

    def rehearse(self, method: str, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        self.asked.append(("rehearse", method, path, dict(body)))
        return {}

    async def control_twin(
        self, method: str, name: str, body: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        self.asked.append(("twin", method, name, body))
        return {}


async def test_a_stack_behind_its_function_has_a_list_and_a_search(serve: Serve) -> None:
    ports = MemoryOperatorPorts()
    ports.recent_requests.outcomes += [recent("a", "succeeded"), recent("b", "failed")]

    def ask(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
        return asyncio.run(operate(ports, name, Arguments(given)))

    listed = RecentRequests(OperatedRecent(ask), MemoryClock())
    client = await serve(Sources(operate=ask, recent=listed))
    found = await (await client.get("/data/requests?q=failed")).json()
    assert [one["request_id"] for one in found["requests"]] == ["b"]


async def test_a_later_reading_through_the_function_asks_for_what_is_new() -> None:
    ports, clock = MemoryOperatorPorts(), MemoryClock()
    ports.recent_requests.outcomes.append(recent("a", "succeeded"))

    def ask(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
        return asyncio.run(operate(ports, name, Arguments(given)))

    listed = RecentRequests(OperatedRecent(ask), clock)
    await listed.find()
    clock.advance(60.0)
    ports.recent_requests.outcomes.append(recent("b", "succeeded"))
    assert len(await listed.find()) == 2
    assert ports.recent_requests.asked == [{}, {"worker-1": "1"}]


async def test_walks_through_the_dead_letters_come_one_after_the_other(serve: Serve) -> None:
    """A walk hides the messages from another one, so that a list beside a redrive would leave it nothing."""
    walks, most = threading.Semaphore(1), [0]

    def walk(_name: str, _given: Mapping[str, Any]) -> dict[str, Any]:
        alone = walks.acquire(blocking=False)
        most[0] += not alone
        threading.Event().wait(0.01)
        if alone:
            walks.release()
        return {}

    client = await serve(Sources(operate=walk))
    names = ("dlq list", "dlq redrive", "dlq list")
    await asyncio.gather(*(client.post("/data/commands", json={"command": n}) for n in names))
    assert most == [0]


async def test_a_console_without_a_twin_takes_no_trial(serve: Serve) -> None:
    client = await serve(Sources(operate=run_nothing))
    for path in ("/data/submissions", "/data/rehearsals", "/data/twin"):
        assert (await client.post(path, json={})).status == 404
    assert (await client.get("/data/operations")).status == 404


async def test_a_trial_goes_to_the_twin_and_a_rehearsal_does_not(serve: Serve) -> None:
    twin = Twin()
    client = await serve(Sources(operate=run_nothing, trials=twin))
    asked = {"method": "POST", "path": "/v1/products", "body": {"params": {}}}
    await client.post("/data/rehearsals", json=asked)
    await client.post("/data/submissions", json=asked)
    assert [one[0] for one in twin.asked] == ["rehearse", "submit"]


@pytest.mark.parametrize("name", ["ledger", "reset", "objects", "faults/../reset"])
async def test_a_control_of_the_twin_that_the_page_has_not_is_refused(
    serve: Serve, name: str
) -> None:
    twin = Twin()
    client = await serve(Sources(operate=run_nothing, trials=twin))
    answer = await client.post("/data/twin", json={"method": "POST", "name": name})
    assert answer.status == 400
    assert twin.asked == []


async def test_each_operation_has_the_schema_of_its_form(serve: Serve) -> None:
    client = await serve(Sources(operate=run_nothing, trials=Twin()))
    listed = (await (await client.get("/data/operations")).json())["operations"]
    assert {"name": "create_coupon", "method": "POST", "path": "/v1/coupons"} in listed
    form = await (await client.get("/data/operations/create_coupon")).json()
    assert "percent_off" in form["schema"]["properties"]
    assert (await client.get("/data/operations/create_nothing")).status == 404
