"""The worker's slot on Redis: expiring keys, doorbells, lost answers and restarts."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.adapters.rings import next_ring
from tests.integration.adapters.slot_worlds import LATE, claim_for, send_for

from paydispatch.adapters.redis import keys
from paydispatch.adapters.redis.connection import connect_async
from paydispatch.adapters.redis.requests.request_slots import RedisRequests
from paydispatch.adapters.redis.scripts import digest, script
from paydispatch.adapters.redis.streams.doorbell_listener import RedisDoorbellListener
from paydispatch.adapters.redis.streams.inbox import RedisInbox
from paydispatch.adapters.redis.streams.outcomes import RedisOutcomes
from paydispatch.adapters.redis.streams.sweep import RedisSweep
from paydispatch.domain.claims import SendEnd
from paydispatch.domain.errors import Unavailable
from paydispatch.domain.limits import REMEMBER_S
from paydispatch.local.listening import free_port, listen_on_loopback, port_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from paydispatch.testing.memory_clock import MemoryClock

TIME_TO_PUBLISH_S = 4.0


@pytest.fixture
async def redis(valkey: Any) -> AsyncIterator[Any]:
    client = connect_async(valkey.url)
    yield client
    await client.aclose()


@pytest.fixture
def outcomes(redis: Any) -> RedisOutcomes:
    return RedisOutcomes(redis, queue_tenant="local")


async def test_the_seen_mark_of_a_request_outlives_its_message(
    outcomes: RedisOutcomes, redis: Any, entry: Any
) -> None:
    await outcomes.publish(entry("r1"))

    assert REMEMBER_S - 3_600 < await redis.ttl(keys.seen("w1", "r1")) <= REMEMBER_S


async def test_unfinished_entries_do_not_expire(
    outcomes: RedisOutcomes, redis: Any, entry: Any
) -> None:
    await outcomes.publish(entry("r1"))

    for key in (keys.outcomes("w1"), keys.context("w1", "c1"), keys.LOOKS):
        assert await redis.ttl(key) == -1


async def test_a_worker_with_an_outcome_is_found_by_a_sweep(
    outcomes: RedisOutcomes, redis: Any, entry: Any
) -> None:
    await outcomes.publish(entry("r1", worker_id="w2"))
    await outcomes.publish(entry("r1", tenant="acme"))

    assert await redis.zrange("pd:looks", 0, -1) == ["acme w1", "w2"]


async def test_the_keys_are_those_of_the_contract(
    outcomes: RedisOutcomes, redis: Any, entry: Any
) -> None:
    await outcomes.publish(entry("r1"))
    await outcomes.publish(entry("r1", tenant="acme"))

    assert {"pd:{w1}:outcomes", "pd:{acme w1}:outcomes"} <= set(await redis.keys())


@pytest.mark.parametrize(("tenant", "worker"), [("local", "a*b[1]"), ("acme", "acme a*b[1]")])
@pytest.mark.parametrize("mode", ["valkey", "cluster"])
async def test_publishing_rings_the_worker_s_doorbell_once(
    request: pytest.FixtureRequest, mode: str, log: Any, entry: Any, tenant: str, worker: str
) -> None:
    redis = connect_async(request.getfixturevalue(mode).url)
    listener = RedisDoorbellListener(redis, log)
    outcomes = RedisOutcomes(redis, queue_tenant="local")
    try:
        assert await listener.next(0.05) is None
        for _ in range(2):
            await outcomes.publish(entry("r1", worker_id="a*b[1]", tenant=tenant))

        assert [await next_ring(listener), await listener.next(0.05)] == [worker, None]
    finally:
        await listener.close()
        await redis.aclose()


async def test_a_closed_doorbell_listener_can_listen_again(redis: Any, log: Any) -> None:
    listener = RedisDoorbellListener(redis, log)
    await listener.next(0.01)
    await listener.close()
    await listener.next(0.01)
    await redis.publish(keys.bell("w1"), "")

    assert await next_ring(listener) == "w1"
    await listener.close()


async def test_an_outcome_with_a_lost_publish_answer_is_on_the_stream_once(
    lossy: Any, redis: Any, entry: Any
) -> None:
    way, url = lossy
    client = connect_async(url)
    outcomes = RedisOutcomes(client, queue_tenant="local")
    await redis.script_load(script("publish"))
    way.lose_answer_to(digest("publish").encode())
    try:
        await asyncio.wait_for(publish_until_taken(outcomes, entry("r1")), 5)
    finally:
        await client.aclose()

    assert way.lost == 1
    assert await redis.xlen(keys.outcomes("w1")) == 1
    assert await redis.llen(keys.context("w1", "c1")) == 1


async def publish_until_taken(outcomes: RedisOutcomes, entry: Any) -> bool:
    """Publish, with a few retries, as a message does that stays on the queue."""
    for _ in range(3):
        with contextlib.suppress(Unavailable):
            return await outcomes.publish(entry)
    return await outcomes.publish(entry)


@pytest.fixture(params=["refused", "silent"])
def nowhere(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of an address that refuses connections or never answers."""
    if request.param == "refused":
        yield f"redis://127.0.0.1:{free_port()}"
        return
    with listen_on_loopback() as silent:
        yield f"redis://127.0.0.1:{port_of(silent)}"


@pytest.mark.parametrize("mode", ["", "?cluster=true"], ids=["alone", "cluster"])
async def test_every_call_to_an_unreachable_redis_fails_while_there_is_time_to_defer(
    nowhere: str, mode: str, clock: MemoryClock, log: Any, entry: Any
) -> None:
    client = connect_async(nowhere + mode)
    outcomes = RedisOutcomes(client, queue_tenant="local")
    requests, claim = RedisRequests(client, clock, queue_tenant="local"), claim_for()
    inbox = RedisInbox(client, clock, log, consumer="a", flow_timeout_s=30)
    listener = RedisDoorbellListener(client, log)
    started = time.monotonic()
    calls = (
        outcomes.publish(entry("r1")),
        outcomes.is_settled("w1", "r1"),
        outcomes.last_entry("w1", "r1"),
        requests.claim(claim),
        requests.find(claim),
        requests.send(claim, send_for()),
        requests.end_send(claim, "t1", SendEnd.UNKNOWN),
        requests.close(claim, LATE),
        requests.mark_retrying(claim, 0.0, attempts=1),
        requests.write_status(entry("r1")),
        inbox.take("w1", at_most=1),
        RedisSweep(client, clock, log).due(at_most=10),
        listener.next(0.1),
    )
    ended = await asyncio.gather(*calls, return_exceptions=True)
    took_s = time.monotonic() - started
    await listener.close()
    await client.aclose()

    assert [type(error) for error in ended] == [Unavailable] * len(calls)
    assert took_s < TIME_TO_PUBLISH_S


async def test_a_doorbell_listener_leaks_no_connection_while_redis_is_unreachable(
    nowhere: str, log: Any
) -> None:
    client = connect_async(nowhere)
    listener = RedisDoorbellListener(client, log)
    with pytest.raises(Unavailable):
        await listener.next(0.1)

    assert not client.connection_pool._in_use_connections
    await listener.close()
    await client.aclose()


async def test_an_outcome_is_not_published_again_after_a_restart_of_redis(
    mortal_valkey: Any, clock: MemoryClock, log: Any, entry: Any
) -> None:
    client = connect_async(mortal_valkey.url)
    outcomes = RedisOutcomes(client, queue_tenant="local")
    inbox = RedisInbox(client, clock, log, consumer="a", flow_timeout_s=30)
    await publish_until_taken(outcomes, entry("r1"))

    mortal_valkey.kill()
    with pytest.raises(Unavailable):
        await outcomes.publish(entry("r1"))
    mortal_valkey.start()

    assert await publish_until_taken(outcomes, entry("r1")) is False
    assert [turn.entry.request_id for turn in await inbox.take("w1", at_most=5)] == ["r1"]
    await client.aclose()


async def listen_on(listener: RedisDoorbellListener) -> None:
    """Listen several times, because the first calls read the rings from before the kill."""
    for _ in range(5):
        await listener.next(0.5)


async def test_doorbells_ring_again_after_a_restart_of_redis(
    mortal_valkey: Any, log: Any, entry: Any
) -> None:
    client = connect_async(mortal_valkey.url)
    outcomes = RedisOutcomes(client, queue_tenant="local")
    listener = RedisDoorbellListener(client, log)
    await listener.next(0.01)

    mortal_valkey.kill()
    with pytest.raises(Unavailable):
        await listen_on(listener)
    await listener.close()
    mortal_valkey.start()

    await listener.next(0.01)
    await publish_until_taken(outcomes, entry("r1"))
    assert await next_ring(listener) == "w1"
    await listener.close()
    await client.aclose()
