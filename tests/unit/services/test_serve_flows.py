"""Serve flows: woken by bells, and by a sweep where a bell was lost."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.examples import entry

from paydispatch.domain.errors import Unavailable
from paydispatch.services.serve_flows import FlowServer
from paydispatch.testing.memory import MemoryClock, MemoryDoorbellListener, MemoryInbox, MemorySweep

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Sequence

    from tests.unit.services.conftest import Runner

    from paydispatch.flow import Flow
    from paydispatch.ports import Turn


class TickingClock(MemoryClock):
    """Sleeps until the test says that time has passed."""

    def __init__(self) -> None:
        super().__init__()
        self._ticks = asyncio.Condition()

    async def sleep(self, seconds: float) -> None:
        async with self._ticks:
            await self._ticks.wait()

    async def tick(self) -> None:
        await settle()
        self.advance(1)
        async with self._ticks:
            self._ticks.notify_all()
        await settle()


async def settle() -> None:
    """Let every task run until it waits."""
    for _ in range(30):
        await asyncio.sleep(0)


class Served:
    """A server at work, and what its flows did."""

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.clock = TickingClock()
        self.bells = MemoryDoorbellListener()
        self.stop = asyncio.Event()
        self.ran: list[str] = []
        runner.with_scripts(response=self._response)

    def _response(self, data: Any, flow: Flow) -> None:
        self.ran.append(flow.request_id)

    def server(self) -> FlowServer:
        sweep = MemorySweep(self.runner.inbox, self.clock)
        parts = (sweep, self.bells, self.clock, self.runner.log)
        return FlowServer(self.runner.runner, *parts)

    @asynccontextmanager
    async def serving(self, worker_ids: Collection[str] | None = None) -> AsyncIterator[None]:
        task = asyncio.create_task(self.server().serve(worker_ids, self.stop))
        await settle()
        try:
            yield
        finally:
            self.stop.set()
            async with asyncio.timeout(5):
                await task


@pytest.fixture
async def served(runner: Runner) -> Served:
    return Served(runner)


async def test_what_waits_already_is_run_first(served: Served) -> None:
    served.runner.put("pdr_1")
    async with served.serving():
        assert served.ran == ["pdr_1"]


async def test_a_bell_wakes(served: Served) -> None:
    async with served.serving():
        served.runner.put("pdr_1")
        await settle()
        assert served.ran == []
        served.bells.ring("worker-1")
        await settle()
        assert served.ran == ["pdr_1"]


async def test_a_sweep_finds_what_a_lost_bell_left(served: Served) -> None:
    async with served.serving():
        served.runner.put("pdr_1")
        await served.clock.tick()
        assert served.ran == ["pdr_1"]


async def test_a_worker_of_somebody_else_is_left_alone(served: Served) -> None:
    async with served.serving(["worker-2"]):
        served.runner.put("pdr_1")
        served.bells.ring("worker-1")
        await served.clock.tick()
        assert served.ran == []


async def test_redis_may_go_away_and_come_back(served: Served) -> None:
    async with served.serving():
        served.runner.inbox.away = True
        served.runner.put("pdr_1")
        await served.clock.tick()
        served.bells.ring("worker-1")
        await settle()
        assert served.ran == []
        assert "stream.unavailable" in served.runner.log.events()
        served.runner.inbox.away = False
        for _ in range(3):
            await served.clock.tick()
        assert served.ran == ["pdr_1"]


async def test_a_bell_during_a_drain_is_not_lost(served: Served) -> None:
    in_hand, take_next = asyncio.Event(), asyncio.Event()

    async def response(data: Any, flow: Flow) -> None:
        served.ran.append(flow.request_id)
        if flow.request_id == "pdr_1":
            in_hand.set()
            await take_next.wait()

    served.runner.with_scripts(response=response)
    served.runner.put("pdr_1")
    async with served.serving():
        await in_hand.wait()
        served.runner.put("pdr_2")
        served.bells.ring("worker-1")
        await settle()
        take_next.set()
        await settle()
        assert served.ran == ["pdr_1", "pdr_2"]


async def test_a_bell_after_the_last_look_of_a_drain_is_not_lost(runner: Runner) -> None:
    runner.inbox = inbox = LateInbox(runner.clock)
    served = Served(runner)
    inbox.bells = served.bells
    inbox.put(entry(request_id="pdr_1"))
    async with served.serving(["worker-1"]):
        assert served.ran == ["pdr_1", "pdr_late"]


async def test_stopping_lets_the_run_in_hand_finish(served: Served) -> None:
    ended: list[str] = []

    async def response(data: Any, flow: Flow) -> None:
        served.stop.set()
        await settle()
        ended.append(flow.request_id)

    served.runner.with_scripts(response=response)
    served.runner.put("pdr_1")
    served.runner.put("pdr_2")
    async with served.serving():
        pass
    assert ended == ["pdr_1"]
    assert served.runner.waiting == ["pdr_2"]


class TestDrainAll:
    async def test_it_runs_what_the_named_workers_hold(self, served: Served) -> None:
        served.runner.put("pdr_1")
        served.runner.inbox.put(entry(request_id="pdr_2", worker_id="worker-2"))
        assert await served.server().drain_all({"worker-2"}) == 1
        assert served.ran == ["pdr_2"]

    async def test_without_names_it_runs_everybodys(self, served: Served) -> None:
        served.runner.put("pdr_1")
        served.runner.inbox.put(entry(request_id="pdr_2", worker_id="worker-2"))
        assert await served.server().drain_all(None) == 2

    async def test_one_stream_that_cannot_be_read_leaves_no_other_half_done(
        self, runner: Runner
    ) -> None:
        runner.inbox = OneStreamAway(runner.clock)
        served = Served(runner)

        async def response(data: Any, flow: Flow) -> None:
            await settle()
            served.ran.append(flow.request_id)

        runner.with_scripts(response=response)
        runner.put("pdr_1")
        with pytest.raises(Unavailable):
            await served.server().drain_all(["away", "worker-1"])
        assert served.ran == ["pdr_1"]


class LateInbox(MemoryInbox):
    """An outcome comes, and its bell rings, just after somebody found nothing."""

    bells: MemoryDoorbellListener
    came = False

    async def take(self, worker_id: str, *, at_most: int) -> Sequence[Turn]:
        turns = await super().take(worker_id, at_most=at_most)
        if not turns and not self.came:
            self.came = True
            self.put(entry(request_id="pdr_late"))
            self.bells.ring(worker_id)
            for _ in range(10):
                await asyncio.sleep(0)
        return turns


class OneStreamAway(MemoryInbox):
    async def take(self, worker_id: str, *, at_most: int) -> Sequence[Turn]:
        if worker_id == "away":
            raise Unavailable("this shard is away")
        return await super().take(worker_id, at_most=at_most)
