"""`FlowServer` drains a stream when its doorbell rings. A sweep finds the entries with a lost doorbell."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.examples import entry

from paydispatch.domain.errors import Unavailable
from paydispatch.services.serve_flows import FlowServer
from paydispatch.testing.memory_clock import MemoryClock
from paydispatch.testing.memory_doorbells import MemoryDoorbellListener
from paydispatch.testing.memory_inbox import MemoryInbox, MemorySweep

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Sequence

    from tests.unit.services.conftest import Runner

    from paydispatch.flow import Flow
    from paydispatch.ports import Turn


class TickingClock(MemoryClock):
    """A clock with sleeps that last until the test calls `tick`."""

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


class LiveServer:
    """A server that runs during a test, and the request ids of the flows that ran."""

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.clock = TickingClock()
        self.listener = MemoryDoorbellListener()
        self.stop = asyncio.Event()
        self.ran: list[str] = []
        runner.with_scripts(response=self._response)

    def _response(self, data: Any, flow: Flow) -> None:
        self.ran.append(flow.request_id)

    def server(self) -> FlowServer:
        sweep = MemorySweep(self.runner.inbox, self.clock)
        parts = (sweep, self.listener, self.clock, self.runner.log)
        return FlowServer(self.runner.runner, *parts)

    @asynccontextmanager
    async def serve(self, worker_ids: Collection[str] | None = None) -> AsyncIterator[None]:
        task = asyncio.create_task(self.server().serve(worker_ids, self.stop))
        await settle()
        try:
            yield
        finally:
            self.stop.set()
            async with asyncio.timeout(5):
                await task


@pytest.fixture
async def live(runner: Runner) -> LiveServer:
    return LiveServer(runner)


async def test_entries_that_wait_at_the_start_run_first(live: LiveServer) -> None:
    live.runner.put("pdr_1")
    async with live.serve():
        assert live.ran == ["pdr_1"]


class Connecting(MemoryDoorbellListener):
    """A listener that loses a cancellation while it connects, as redis-py does."""

    async def next(self, timeout_s: float) -> str | None:
        try:
            return await super().next(timeout_s)
        except asyncio.CancelledError:
            return None


async def test_a_server_stops_although_a_cancellation_is_lost(live: LiveServer) -> None:
    live.listener = Connecting()
    async with live.serve():
        live.stop.set()


async def test_a_doorbell_starts_a_drain(live: LiveServer) -> None:
    async with live.serve():
        live.runner.put("pdr_1")
        await settle()
        assert live.ran == []
        live.listener.ring("worker-1")
        await settle()
        assert live.ran == ["pdr_1"]


async def test_a_sweep_finds_an_entry_with_a_lost_doorbell(live: LiveServer) -> None:
    async with live.serve():
        live.runner.put("pdr_1")
        await live.clock.tick()
        assert live.ran == ["pdr_1"]


async def test_only_the_named_workers_are_served(live: LiveServer) -> None:
    async with live.serve(["worker-2"]):
        live.runner.put("pdr_1")
        live.listener.ring("worker-1")
        await live.clock.tick()
        assert live.ran == []


async def test_the_server_survives_an_outage_of_redis(live: LiveServer) -> None:
    async with live.serve():
        live.runner.inbox.away = True
        live.runner.put("pdr_1")
        await live.clock.tick()
        live.listener.ring("worker-1")
        await settle()
        assert live.ran == []
        assert "stream.unavailable" in live.runner.log.events()
        live.runner.inbox.away = False
        for _ in range(3):
            await live.clock.tick()
        assert live.ran == ["pdr_1"]


async def test_a_doorbell_during_a_drain_is_not_lost(live: LiveServer) -> None:
    begun, release = asyncio.Event(), asyncio.Event()

    async def response(data: Any, flow: Flow) -> None:
        live.ran.append(flow.request_id)
        if flow.request_id == "pdr_1":
            begun.set()
            await release.wait()

    live.runner.with_scripts(response=response)
    live.runner.put("pdr_1")
    async with live.serve():
        await begun.wait()
        live.runner.put("pdr_2")
        live.listener.ring("worker-1")
        await settle()
        release.set()
        await settle()
        assert live.ran == ["pdr_1", "pdr_2"]


async def test_a_doorbell_after_the_last_read_of_a_drain_is_not_lost(runner: Runner) -> None:
    runner.inbox = inbox = LateInbox(runner.clock)
    live = LiveServer(runner)
    inbox.listener = live.listener
    inbox.put(entry(request_id="pdr_1"))
    async with live.serve(["worker-1"]):
        assert live.ran == ["pdr_1", "pdr_late"]


async def test_stopping_lets_the_current_run_finish(live: LiveServer) -> None:
    ended: list[str] = []

    async def response(data: Any, flow: Flow) -> None:
        live.stop.set()
        await settle()
        ended.append(flow.request_id)

    live.runner.with_scripts(response=response)
    live.runner.put("pdr_1")
    live.runner.put("pdr_2")
    async with live.serve():
        pass
    assert ended == ["pdr_1"]
    assert live.runner.waiting == ["pdr_2"]


class TestDrainAll:
    async def test_it_runs_the_entries_of_the_named_workers(self, live: LiveServer) -> None:
        live.runner.put("pdr_1")
        live.runner.inbox.put(entry(request_id="pdr_2", worker_id="worker-2"))
        assert await live.server().drain_all({"worker-2"}) == 1
        assert live.ran == ["pdr_2"]

    async def test_without_names_it_runs_the_entries_of_all_workers(self, live: LiveServer) -> None:
        live.runner.put("pdr_1")
        live.runner.inbox.put(entry(request_id="pdr_2", worker_id="worker-2"))
        assert await live.server().drain_all(None) == 2

    async def test_a_stream_that_cannot_be_read_interrupts_no_run_of_another(
        self, runner: Runner
    ) -> None:
        runner.inbox = OneUnavailableStream(runner.clock)
        live = LiveServer(runner)

        async def response(data: Any, flow: Flow) -> None:
            await settle()
            live.ran.append(flow.request_id)

        runner.with_scripts(response=response)
        runner.put("pdr_1")
        with pytest.raises(Unavailable):
            await live.server().drain_all(["away", "worker-1"])
        assert live.ran == ["pdr_1"]


class LateInbox(MemoryInbox):
    """An inbox that gets an outcome and rings its doorbell just after a read found nothing."""

    listener: MemoryDoorbellListener
    came = False

    async def take(self, worker_id: str, *, at_most: int) -> Sequence[Turn]:
        turns = await super().take(worker_id, at_most=at_most)
        if not turns and not self.came:
            self.came = True
            self.put(entry(request_id="pdr_late"))
            self.listener.ring(worker_id)
            for _ in range(10):
                await asyncio.sleep(0)
        return turns


class OneUnavailableStream(MemoryInbox):
    async def take(self, worker_id: str, *, at_most: int) -> Sequence[Turn]:
        if worker_id == "away":
            raise Unavailable("this shard is unavailable")
        return await super().take(worker_id, at_most=at_most)
