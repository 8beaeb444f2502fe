"""A worker runs its due flows among very many idle workers, as a process and as a Lambda."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.adapters.slot_worlds import claim_for
from tests.unit.examples import entry

from paydispatch.adapters.clock import SystemClock
from paydispatch.adapters.redis.connection import connect, connect_async
from paydispatch.adapters.redis.requests.request_store import RedisRequestStore
from paydispatch.adapters.redis.streams.inbox import RedisInbox
from paydispatch.adapters.redis.streams.outcomes import RedisOutcomes
from paydispatch.adapters.redis.streams.sweep import RedisSweep
from paydispatch.flow import RetryLater
from paydispatch.services.flow_runs.ports import FlowPolicy, FlowPorts
from paydispatch.services.run_flows import FlowRunner
from paydispatch.services.serve_flows import FlowServer
from paydispatch.testing.memory_event_log import MemoryEventLog
from paydispatch.testing.memory_queues import MemoryAsyncQueue
from paydispatch.testing.memory_scripts import MemoryScripts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from paydispatch.domain.claims import Claim
    from paydispatch.flow import Flow

NEIGHBOURS = 20_000
AT_ONCE = 100
PATIENCE_S = 30.0
"""The limit only stops a test that hangs. docs/adr/0024 has the measured times."""


class NoDoorbells:
    """A doorbell listener that never receives a ring."""

    async def next(self, timeout_s: float) -> str | None:
        await asyncio.sleep(timeout_s)
        return None

    async def close(self) -> None:
        """Do nothing, because there is no connection."""


class Runner:
    """A flow server with a flow that raises `RetryLater` in its first run and completes in the second."""

    def __init__(self, redis: Any) -> None:
        self.log, clock = MemoryEventLog(), SystemClock()
        self.ended = asyncio.Event()
        self.outcomes = RedisOutcomes(redis, queue_tenant="local")
        inbox = RedisInbox(redis, clock, self.log, consumer="a", flow_timeout_s=30)
        ports = FlowPorts(
            inbox=inbox,
            scripts=MemoryScripts(new_create_payment_intent_response=self._flow),
            queue=MemoryAsyncQueue(),
            clock=clock,
            log=self.log,
            fraction=lambda: 0.5,
            queue_tenant="local",
        )
        runner, sweep = FlowRunner(ports, FlowPolicy()), RedisSweep(redis, clock, self.log)
        self.server = FlowServer(runner, sweep, NoDoorbells(), clock, self.log)
        self._runs = 0

    def _flow(self, data: Any, flow: Flow) -> None:
        self._runs += 1
        if self._runs == 1:
            raise RetryLater(after_s=0.1)
        self.ended.set()


@pytest.fixture
def url_with_neighbours(valkey: Any) -> str:
    """The URL of a server on which the first request of every neighbour has just been accepted."""
    with contextlib.closing(connect(valkey.url)) as client:
        store = RedisRequestStore(client, SystemClock())
        for start in range(0, NEIGHBOURS, AT_ONCE):
            store.mark_queued([neighbour(number) for number in range(start, start + AT_ONCE)])
    return str(valkey.url)


def neighbour(number: int) -> Claim:
    worker = f"neighbour-{number}"
    return claim_for(f"pdr_{number}", worker_id=worker, worker_slot=worker)


@pytest.fixture
async def runner(url_with_neighbours: str) -> AsyncIterator[Runner]:
    redis = connect_async(url_with_neighbours)
    runner = Runner(redis)
    await runner.outcomes.publish(entry(request_id="pdr_due", settled_at=time.time()))
    yield runner
    await redis.aclose()


async def test_a_process_runs_a_due_flow_among_twenty_thousand_idle_workers(runner: Runner) -> None:
    stop = asyncio.Event()
    serving = asyncio.create_task(runner.server.serve(None, stop))
    try:
        await asyncio.wait_for(runner.ended.wait(), PATIENCE_S)
    finally:
        stop.set()
        await serving

    assert set(runner.log.events()) == {"flow.postponed", "flow.finished"}


async def test_a_lambda_s_sweeps_run_a_due_flow_among_twenty_thousand_idle_workers(
    runner: Runner, valkey: Any
) -> None:
    until = time.time() + PATIENCE_S
    while not runner.ended.is_set():
        await runner.server.drain_all(None, until=until)
        assert time.time() < until

    assert set(runner.log.events()) == {"flow.postponed", "flow.finished"}
    with valkey.admin() as admin:
        assert list(admin.scan_iter("pd:{neighbour-*}:outcomes")) == []
