"""A failover behind one address. The old primary is now a replica, and all connections to it are still open."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.adapters.rings import next_ring
from tests.integration.adapters.slot_worlds import claim_for
from tests.replicated_redis import ReplicatedRedis

from paydispatch.adapters.redis import connection, keys, scripts, shared_pipelines
from paydispatch.adapters.redis.connection import connect, connect_async
from paydispatch.adapters.redis.requests.request_store import RedisRequestStore
from paydispatch.adapters.redis.streams.doorbell_listener import RedisDoorbellListener
from paydispatch.adapters.redis.streams.inbox import RedisInbox
from paydispatch.adapters.redis.streams.outcomes import RedisOutcomes
from paydispatch.adapters.redis.streams.sweep import RedisSweep
from paydispatch.domain.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
    from pathlib import Path

    from paydispatch.local.processes import Supervisor
    from paydispatch.testing.memory_clock import MemoryClock

CALLS_AT_ONCE = 20


@pytest.fixture(autouse=True)
def wait_for_a_busy_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give Redis more time to answer, because these tests are about the node that answers."""
    for module in (connection, scripts, shared_pipelines):
        monkeypatch.setattr(module, "ANSWER_TIMEOUT_S", 30.0)


@pytest.fixture
def pair(supervisor: Supervisor, tmp_path: Path) -> Iterator[ReplicatedRedis]:
    redis = ReplicatedRedis(supervisor, tmp_path)
    redis.start()
    yield redis
    redis.stop()


@pytest.fixture
async def client(pair: ReplicatedRedis) -> AsyncIterator[Any]:
    client = connect_async(pair.url)
    yield client
    await client.aclose()


async def on_the_second_try(call: Callable[[], Awaitable[Any]]) -> Any:
    """Call twice if needed, as a deferred message does. The first try may find that the node is no primary."""
    with contextlib.suppress(Unavailable):
        return await call()
    return await call()


async def test_an_outcome_is_published_at_the_second_try_and_once(
    pair: ReplicatedRedis, client: Any, clock: MemoryClock, entry: Any
) -> None:
    outcomes = RedisOutcomes(client, queue_tenant="local")
    await outcomes.publish(entry("r1"))
    await asyncio.to_thread(pair.fail_over)

    assert await on_the_second_try(lambda: outcomes.publish(entry("r2"))) is True
    assert await outcomes.publish(entry("r1")) is False
    with pair.client() as primary:
        assert primary.xlen(keys.outcomes("w1")) == 2


async def test_one_answer_of_a_replica_closes_all_connections_to_it(
    pair: ReplicatedRedis, client: Any, clock: MemoryClock, entry: Any
) -> None:
    outcomes = RedisOutcomes(client, queue_tenant="local")
    first = [outcomes.publish(entry(f"a{n}")) for n in range(CALLS_AT_ONCE)]
    await asyncio.gather(*first)
    await asyncio.to_thread(pair.fail_over)
    with pytest.raises(Unavailable):
        await outcomes.publish(entry("r1"))

    then = [outcomes.publish(entry(f"b{n}")) for n in range(CALLS_AT_ONCE)]
    assert await asyncio.gather(*then) == [True] * CALLS_AT_ONCE


async def test_the_runner_reads_and_finishes_what_was_published_before(
    pair: ReplicatedRedis, client: Any, clock: MemoryClock, log: Any, entry: Any
) -> None:
    inbox = RedisInbox(client, clock, log, consumer="a", flow_timeout_s=30)
    outcomes = RedisOutcomes(client, queue_tenant="local")
    await outcomes.publish(entry("r1"))
    await outcomes.publish(entry("r2", "c2"))
    running = await inbox.take("w1", at_most=1)
    await asyncio.to_thread(pair.fail_over)

    taken = await on_the_second_try(lambda: inbox.take("w1", at_most=5))
    assert [turn.entry.request_id for turn in (*running, *taken)] == ["r1", "r2"]
    for turn in (*running, *taken):
        await inbox.finish(turn, take_next=False)
    assert await inbox.take_abandoned("w1", at_most=5) == []


def test_a_create_with_a_key_is_claimed_at_the_second_try(
    pair: ReplicatedRedis, clock: MemoryClock
) -> None:
    with contextlib.closing(connect(pair.url)) as client:
        store = RedisRequestStore(client, clock)
        store.claim([claim_for("r1")])
        pair.fail_over()

        with pytest.raises(Unavailable, match="READONLY"):
            store.claim([claim_for("r1")])

        (other,) = store.claim([claim_for("r1", fingerprint="f1:coffee")])
        assert not other.owned


def test_the_health_check_fails_on_a_replica_and_closes_its_connections(
    pair: ReplicatedRedis, clock: MemoryClock
) -> None:
    with contextlib.closing(connect(pair.url)) as client:
        store = RedisRequestStore(client, clock)
        store.check()
        pair.fail_over()

        with pytest.raises(Unavailable, match="READONLY"):
            store.check()
        store.check()


@pytest.mark.parametrize("named", [True, False], ids=["named", "all"])
async def test_a_sweep_without_work_notices_a_failover(
    pair: ReplicatedRedis, client: Any, clock: MemoryClock, log: Any, entry: Any, named: bool
) -> None:
    """Otherwise it would read from a replica that no longer follows a primary and never find anything."""
    sweep = RedisSweep(client, clock, log)

    async def find_work() -> Sequence[str]:
        if named:
            return await sweep.with_work(["w1"])
        return (await sweep.due(at_most=5)).with_work

    assert await find_work() == []
    await asyncio.to_thread(pair.fail_over)
    pair.part()
    other = connect_async(pair.url)
    await RedisOutcomes(other, queue_tenant="local").publish(entry("r1"))
    await other.aclose()

    assert await on_the_second_try(find_work) == ["w1"]


async def test_a_doorbell_listener_leaves_a_replica_like_the_other_connections(
    pair: ReplicatedRedis, client: Any, clock: MemoryClock, log: Any, entry: Any
) -> None:
    """A replica forwards the rings of its primary only while it follows that primary."""
    outcomes, listener = (
        RedisOutcomes(client, queue_tenant="local"),
        RedisDoorbellListener(client, log),
    )
    await listener.next(0.01)
    await outcomes.publish(entry("r1"))
    assert await next_ring(listener) == "w1"
    await asyncio.to_thread(pair.fail_over)
    pair.part()
    with pytest.raises(Unavailable):
        await outcomes.publish(entry("r2"))
    await listener.next(0.01)  # closes the connection and subscribes again

    await outcomes.publish(entry("r2"))
    assert await next_ring(listener) == "w1"
    await listener.close()


async def test_it_continues_after_the_address_has_led_to_the_old_node(
    pair: ReplicatedRedis, client: Any, clock: MemoryClock, entry: Any
) -> None:
    outcomes = RedisOutcomes(client, queue_tenant="local")
    await outcomes.publish(entry("r1"))
    old = pair.address.target
    await asyncio.to_thread(pair.fail_over)
    new, pair.address.target = pair.address.target, old
    for _ in range(3):
        with pytest.raises(Unavailable):
            await outcomes.publish(entry("r2"))

    pair.address.target = new
    started = time.monotonic()
    assert await on_the_second_try(lambda: outcomes.publish(entry("r2"))) is True
    assert time.monotonic() - started < 15
