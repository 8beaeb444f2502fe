"""The contract of `OutcomeStream`, for the twin, Redis and a cluster."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from paydispatch.adapters.redis import keys
from paydispatch.adapters.redis.connection import connect_async
from paydispatch.adapters.redis.streams.outcomes import RedisOutcomes
from paydispatch.domain.entry import OutcomeEntry
from paydispatch.domain.identity.slots import slot_name
from paydispatch.domain.outcomes import Certainty, Error, ErrorKind
from paydispatch.testing.memory_outcomes import MemoryOutcomes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from redis.asyncio import Redis

    from paydispatch.ports import OutcomeStream
    from paydispatch.testing.memory_clock import MemoryClock

    Entries = Callable[..., OutcomeEntry]

REFUSED = Error(
    kind=ErrorKind.API, message="no", attempts=1, certainty=Certainty.NOT_CREATED, http_status=400
)


class World(Protocol):
    stream: OutcomeStream

    async def entries(self, worker: str) -> list[OutcomeEntry]:
        """Return the entries on the stream of a worker's slot."""
        ...


class MemoryWorld:
    def __init__(self, clock: MemoryClock) -> None:
        self.stream = MemoryOutcomes(clock, queue_tenant="local")

    async def entries(self, worker: str) -> list[OutcomeEntry]:
        return [entry for entry in self.stream.entries if self._slot(entry) == worker]

    def _slot(self, entry: OutcomeEntry) -> str:
        return slot_name(entry.tenant or "local", entry.worker_id, "local")


class RedisWorld:
    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self.stream = RedisOutcomes(redis, queue_tenant="local")

    async def entries(self, worker: str) -> list[OutcomeEntry]:
        stream: Any = await self._redis.xrange(keys.outcomes(worker))
        return [OutcomeEntry.from_json(fields["entry"]) for _, fields in stream]


@pytest.fixture(params=["memory", "valkey", "cluster"])
async def world(request: pytest.FixtureRequest, clock: MemoryClock) -> AsyncIterator[World]:
    if request.param == "memory":
        yield MemoryWorld(clock)
        return
    redis = connect_async(request.getfixturevalue(request.param).url)
    yield RedisWorld(redis)
    await redis.aclose()


async def test_an_outcome_is_published_once(world: World, entry: Entries) -> None:
    first = await world.stream.publish(entry("r1"))
    second = await world.stream.publish(entry("r1"))

    assert (first, second) == (True, False)
    assert await world.entries("w1") == [entry("r1")]


async def test_one_of_many_concurrent_publishers_is_first(world: World, entry: Entries) -> None:
    firsts = await asyncio.gather(*(world.stream.publish(entry("r1")) for _ in range(20)))

    assert firsts.count(True) == 1
    assert len(await world.entries("w1")) == 1


async def test_an_unknown_outcome_may_be_settled_once(world: World, entry: Entries) -> None:
    firsts = [
        await world.stream.publish(entry("r1", unknown=unknown)) for unknown in (True, False, False)
    ]

    assert firsts == [True, True, False]
    assert await world.entries("w1") == [entry("r1", unknown=True), entry("r1")]


async def test_only_a_settled_outcome_makes_a_request_settled(world: World, entry: Entries) -> None:
    said = [await world.stream.is_settled("w1", "r1")]
    for unknown in (True, False):
        await world.stream.publish(entry("r1", unknown=unknown))
        said.append(await world.stream.is_settled("w1", "r1"))

    assert said == [False, False, True]


@pytest.mark.parametrize("unknown", [True, False])
async def test_no_outcome_follows_a_settled_one(
    world: World, entry: Entries, unknown: bool
) -> None:
    refused = entry("r1", outcome=REFUSED)
    await world.stream.publish(refused)

    assert not await world.stream.publish(entry("r1", unknown=unknown))
    assert await world.entries("w1") == [refused]
    assert await world.stream.last_entry("w1", "r1") == refused


async def test_an_unknown_outcome_is_published_once(world: World, entry: Entries) -> None:
    firsts = [await world.stream.publish(entry("r1", unknown=True)) for _ in range(2)]

    assert firsts == [True, False]


async def test_the_last_published_entry_is_returned(world: World, entry: Entries) -> None:
    said = [await world.stream.last_entry("w1", "r1")]
    for unknown in (True, False):
        await world.stream.publish(entry("r1", unknown=unknown))
        said.append(await world.stream.last_entry("w1", "r1"))

    assert said == [None, entry("r1", unknown=True), entry("r1")]


async def test_requests_and_workers_do_not_affect_each_other(world: World, entry: Entries) -> None:
    for worker_id in ("w1", "w2"):
        assert await world.stream.publish(entry("r1", worker_id=worker_id))
        assert await world.stream.publish(entry("r2", worker_id=worker_id))

    assert [e.request_id for e in await world.entries("w2")] == ["r1", "r2"]


async def test_workers_of_two_tenants_with_the_same_id_do_not_share_a_stream(
    world: World, entry: Entries
) -> None:
    ours, theirs = entry("r1"), entry("r1", tenant="acme", unknown=True)

    assert await world.stream.publish(ours)
    assert await world.stream.publish(theirs)

    assert (await world.entries("w1"), await world.entries("acme w1")) == ([ours], [theirs])
    assert await world.stream.last_entry("acme w1", "r1") == theirs
    assert not await world.stream.is_settled("acme w1", "r1")


async def test_the_queue_s_tenant_may_be_named_or_left_out(world: World, entry: Entries) -> None:
    await world.stream.publish(entry("r1", tenant="local"))

    assert not await world.stream.publish(entry("r1"))
