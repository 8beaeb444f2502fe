"""The indexes that are kept with the outcomes: unknown ends, and what is open. Twin, Redis and cluster alike."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from paydispatch.adapters import redis_keys as keys
from paydispatch.adapters.memory import MemoryOutcomes
from paydispatch.adapters.memory_operations import MemoryQueueDepths, MemoryUnknownEnds
from paydispatch.adapters.redis_backlog import RedisBacklog
from paydispatch.adapters.redis_board import RedisBoard
from paydispatch.adapters.redis_connection import connect, connect_async
from paydispatch.adapters.redis_outcomes import RedisOutcomes
from paydispatch.adapters.redis_unknown import RedisUnknownEnds
from paydispatch.domain.diagnosis import OLDEST_OPEN_S, Reason
from paydispatch.domain.outcomes import Certainty, Error, ErrorKind, Response
from paydispatch.domain.units import LONGEST_DEADLINE_S, REMEMBER_S
from paydispatch.domain.unknown_ends import UnknownEnd
from paydispatch.ports import RequestRecord
from paydispatch.services.doctor import Doctor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from paydispatch.adapters.memory import MemoryClock
    from paydispatch.ports import OutcomeStream, UnknownEnds

UNKNOWN_ENDS = {Reason.UNKNOWN, Reason.UNREADABLE}
NOT_CREATED = Error(kind=ErrorKind.HTTP, message="no", attempts=3, certainty=Certainty.NOT_CREATED)


class World(Protocol):
    stream: OutcomeStream
    ends: UnknownEnds

    async def open(self, worker_id: str) -> dict[str, float]: ...


class MemoryWorld:
    def __init__(self, clock: MemoryClock) -> None:
        self.stream = MemoryOutcomes(clock)
        self.ends = MemoryUnknownEnds(self.stream)

    async def open(self, worker_id: str) -> dict[str, float]:
        return {
            request: at for (worker, request), at in self.stream.open.items() if worker == worker_id
        }


class RedisWorld:
    def __init__(self, redis: Any, clock: MemoryClock) -> None:
        self.redis = redis
        self.stream = RedisOutcomes(redis, clock, queue_tenant="local")
        self.ends = RedisUnknownEnds(redis)

    async def open(self, worker_id: str) -> dict[str, float]:
        return dict(await self.redis.zrange(keys.open_requests(worker_id), 0, -1, withscores=True))


@pytest.fixture(params=["memory", "valkey", "cluster"])
async def world(request: pytest.FixtureRequest, clock: MemoryClock) -> AsyncIterator[World]:
    if request.param == "memory":
        yield MemoryWorld(clock)
        return
    redis = connect_async(request.getfixturevalue(request.param).url)
    yield RedisWorld(redis, clock)
    await redis.aclose()


async def test_an_unknown_end_is_in_the_index_of_its_worker(world: World, entry: Any) -> None:
    unknown = entry("r1", unknown=True)
    await world.stream.publish(unknown)

    assert await world.ends.workers() == ["w1"]
    assert await world.ends.some("w1", at_most=10) == ["r1"]
    assert await world.ends.some("w2", at_most=10) == []
    assert await world.ends.read("w1", "r1") == UnknownEnd(unknown)


async def test_the_first_and_the_last_attempt_are_known_with_it_one_of_a_redrive_too(
    world: World, entry: Any, envelope: Any, clock: MemoryClock
) -> None:
    first = clock.now_s()
    await world.stream.begin(envelope("r1"))
    await world.stream.publish(entry("r1", unknown=True))
    clock.advance(600)
    await world.stream.begin(envelope("r1"))

    end = await world.ends.read("w1", "r1")

    assert end is not None
    assert (end.first_begun_at, end.last_begun_at) == (first, clock.now_s())


@pytest.mark.parametrize(
    "outcome", [Response(body={"id": "prod_1"}, attempts=1), NOT_CREATED], ids=["found", "absent"]
)
async def test_a_settled_outcome_takes_it_out(world: World, entry: Any, outcome: Any) -> None:
    unknown = entry("r1", unknown=True)
    await world.stream.publish(unknown)

    assert await world.stream.publish(replace(unknown, outcome=outcome))

    assert await world.ends.some("w1", at_most=10) == []
    assert await world.ends.read("w1", "r1") is None


async def test_an_unknown_end_after_a_settled_one_is_not_indexed(world: World, entry: Any) -> None:
    await world.stream.publish(entry("r1"))

    assert not await world.stream.publish(entry("r1", unknown=True))

    assert await world.ends.some("w1", at_most=10) == []


async def test_an_unknown_end_keeps_its_first_entry(world: World, entry: Any) -> None:
    first = entry("r1", unknown=True)
    await world.stream.publish(first)
    await world.stream.publish(replace(first, settled_at=first.settled_at + 60))

    assert await world.ends.read("w1", "r1") == UnknownEnd(first)


async def test_a_forgotten_one_is_gone(world: World, entry: Any) -> None:
    await world.stream.publish(entry("r1", unknown=True))
    await world.ends.forget("w1", "r1")

    assert await world.ends.read("w1", "r1") is None


UNREADABLE = {
    "no JSON": "nonsense",
    "no object": "[]",
    "another's": '{"v": 2}',
    "an error that is a list": '{"error": []}',
    "an error that is a text": '{"error": "no"}',
    "a response that is a list": '{"response": [1]}',
}


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE)
async def test_an_end_nobody_can_read_is_a_finding_of_the_doctor_s(
    valkey: Any, clock: MemoryClock, entry: Any, text: str
) -> None:
    async with connect_async(valkey.url) as redis:
        world = RedisWorld(redis, clock)
        await world.stream.publish(entry("r1", unknown=True))
        await redis.hset(keys.unknown("w1"), "r2", text)
        doctor = Doctor(RedisBacklog(redis, clock), world.ends, MemoryQueueDepths(), clock)
        findings = (await doctor.examine(older_than_s=-1)).findings

    reasons = {one.request_id: one.reason for one in findings if one.reason in UNKNOWN_ENDS}
    assert reasons == {"r1": Reason.UNKNOWN, "r2": Reason.UNREADABLE}


async def test_at_most_so_many_are_drawn(world: World, entry: Any) -> None:
    for number in range(20):
        await world.stream.publish(entry(f"r{number}", unknown=True))

    drawn = await world.ends.some("w1", at_most=5)

    assert len(set(drawn)) == 5


async def test_a_request_is_open_from_its_first_attempt_to_its_outcome(
    world: World, entry: Any, envelope: Any, clock: MemoryClock
) -> None:
    accepted_at = clock.now_s()
    clock.advance(10)
    await world.stream.begin(envelope("r1", accepted_at=accepted_at))
    await world.stream.begin(envelope("r1", accepted_at=accepted_at + 5))
    assert await world.open("w1") == {"r1": accepted_at}

    await world.stream.publish(entry("r1"))
    assert await world.open("w1") == {}


@pytest.mark.parametrize("unknown", [False, True])
async def test_a_delivery_after_the_outcome_opens_nothing(
    world: World, entry: Any, envelope: Any, unknown: bool
) -> None:
    await world.stream.publish(entry("r1", unknown=unknown))
    await world.stream.begin(envelope("r1"))

    assert await world.open("w1") == {}


async def test_a_producer_s_clock_that_is_ahead_hides_nothing(
    world: World, envelope: Any, clock: MemoryClock
) -> None:
    await world.stream.begin(envelope("r1", accepted_at=clock.now_s() + 1e6))

    assert await world.open("w1") == {"r1": clock.now_s()}


async def test_a_producer_s_clock_that_is_far_behind_hides_nothing_either(
    world: World, envelope: Any, clock: MemoryClock
) -> None:
    """Every note drops what is older than anything is remembered: not what waits for its deadline still."""
    noted_at = clock.now_s()
    await world.stream.begin(envelope("r1", accepted_at=1.0))
    clock.advance(LONGEST_DEADLINE_S)
    await world.stream.begin(envelope("r2", accepted_at=clock.now_s()))

    assert await world.open("w1") == {
        "r1": noted_at - OLDEST_OPEN_S,
        "r2": clock.now_s(),
    }


@pytest.fixture(params=["valkey", "cluster"])
def board(request: pytest.FixtureRequest, clock: MemoryClock) -> Iterator[tuple[RedisBoard, Any]]:
    client = connect(request.getfixturevalue(request.param).url)
    yield RedisBoard(client, clock), client
    client.close()


def record(request_id: str) -> RequestRecord:
    return RequestRecord(
        request_id=request_id,
        tenant="local",
        object="product",
        worker_id="w1",
        context_id="c1",
        status="dispatched",
    )


def test_what_the_door_took_is_open(board: tuple[RedisBoard, Any], clock: MemoryClock) -> None:
    door, redis = board
    door.queued([record("r1"), record("r2")])

    assert dict(redis.zrange("pd:{w1}:open", 0, -1, withscores=True)) == {
        "r1": clock.now_s(),
        "r2": clock.now_s(),
    }
    assert redis.smembers("pd:workers") == {"w1"}


def test_what_is_open_for_longer_than_anything_is_remembered_is_dropped(
    board: tuple[RedisBoard, Any], clock: MemoryClock
) -> None:
    door, redis = board
    door.queued([record("r1")])
    clock.advance(REMEMBER_S + 1)
    door.queued([record("r2")])

    assert redis.zrange("pd:{w1}:open", 0, -1) == ["r2"]
    assert 0 < redis.ttl("pd:{w1}:open") <= REMEMBER_S


def test_a_door_that_writes_late_opens_nothing(
    board: tuple[RedisBoard, Any], clock: MemoryClock
) -> None:
    """The queue was quicker: the outcome stands on the stream already."""
    door, redis = board
    redis.set(keys.seen("w1", "r1"), "settled")
    door.queued([record("r1")])

    assert redis.exists("pd:{w1}:open") == 0


def test_a_door_that_took_nothing_writes_nothing(board: tuple[RedisBoard, Any]) -> None:
    door, redis = board
    door.queued([])

    assert redis.exists("pd:workers") == 0
