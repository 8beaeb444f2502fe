"""`Sweep` finds the workers with work to do. The first tests use the twin and real servers, the rest only servers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.adapters.slot_worlds import claim_for, send_for

from paydispatch.adapters.redis import keys
from paydispatch.adapters.redis.connection import connect_async
from paydispatch.adapters.redis.requests.request_slots import RedisRequests
from paydispatch.adapters.redis.scripts import script
from paydispatch.adapters.redis.streams.inbox import RedisInbox
from paydispatch.adapters.redis.streams.outcomes import RedisOutcomes
from paydispatch.adapters.redis.streams.sweep import RedisSweep
from paydispatch.adapters.redis.workers import move_on, note_requests, outcome_notes, request_note
from paydispatch.domain.sweep import GRACE_S, KEEP_FINISHED_S, KEPT_LOOK_S, LOOK_AGAIN_S
from paydispatch.ports import Postponement
from paydispatch.testing.memory_clock import MemoryClock
from paydispatch.testing.memory_inbox import MemoryInbox, MemorySweep

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from paydispatch.domain.entry import OutcomeEntry
    from paydispatch.ports import FlowInbox, Sweep
    from paydispatch.testing.memory_event_log import MemoryEventLog

    Entries = Callable[..., OutcomeEntry]


@pytest.fixture
def clock() -> MemoryClock:
    """A clock at the machine's time, like the ids of a stream, and in whole seconds, so that no time is rounded."""
    return MemoryClock(float(int(time.time())))


class World:
    sweep: Sweep
    inbox: FlowInbox

    async def publish(self, entry: OutcomeEntry) -> None: ...


class MemoryWorld(World):
    def __init__(self, clock: MemoryClock) -> None:
        self.inbox: MemoryInbox = MemoryInbox(clock)
        self.sweep = MemorySweep(self.inbox, clock)

    async def publish(self, entry: OutcomeEntry) -> None:
        self.inbox.put(entry)


class RedisWorld(World):
    def __init__(self, redis: Any, clock: MemoryClock, log: MemoryEventLog) -> None:
        self.redis = redis
        self.inbox = RedisInbox(redis, clock, log, consumer="a", flow_timeout_s=30)
        self.sweep = RedisSweep(redis, clock, log)
        self.outcomes = RedisOutcomes(redis, queue_tenant="local")

    async def publish(self, entry: OutcomeEntry) -> None:
        await self.outcomes.publish(entry)

    async def note(self, *worker_ids: str) -> None:
        """Note these workers, as a publisher does before it writes."""
        async with self.redis.pipeline(transaction=False) as pipe:
            note_requests(pipe, worker_ids)
            await pipe.execute()


@pytest.fixture(params=["memory", "valkey", "cluster"])
async def world(
    request: pytest.FixtureRequest, clock: MemoryClock, log: MemoryEventLog
) -> AsyncIterator[World]:
    if request.param == "memory":
        yield MemoryWorld(clock)
        return
    redis = connect_async(request.getfixturevalue(request.param).url)
    yield RedisWorld(redis, clock, log)
    await redis.aclose()


@pytest.fixture(params=["valkey", "cluster"])
async def server(
    request: pytest.FixtureRequest, clock: MemoryClock, log: MemoryEventLog
) -> AsyncIterator[RedisWorld]:
    redis = connect_async(request.getfixturevalue(request.param).url)
    yield RedisWorld(redis, clock, log)
    await redis.aclose()


async def sweep_all(world: World) -> list[str]:
    """Make one sweep, two looks at a time, and return the workers that it finds."""
    workers: list[str] = []
    while True:
        swept = await world.sweep.due(at_most=2)
        workers += swept.with_work
        if swept.looked_at < 2:
            return sorted(workers)


async def run_all(world: World, worker_id: str = "w1") -> None:
    for turn in await world.inbox.take(worker_id, at_most=10):
        await world.inbox.finish(turn, take_next=False)


async def test_each_worker_with_an_outcome_is_found_once(world: World, entry: Entries) -> None:
    for number in range(5):
        await world.publish(entry(f"r{number}", worker_id=f"w{number}"))

    assert await sweep_all(world) == ["w0", "w1", "w2", "w3", "w4"]
    assert await sweep_all(world) == []


async def test_a_worker_whose_outcomes_are_finished_is_not_found_again(
    world: World, clock: MemoryClock, entry: Entries
) -> None:
    await world.publish(entry("r1"))
    await sweep_all(world)
    await run_all(world)
    clock.advance(LOOK_AGAIN_S)

    assert await sweep_all(world) == []


async def test_an_outcome_after_the_last_one_is_found_at_once(world: World, entry: Entries) -> None:
    await world.publish(entry("r1"))
    await sweep_all(world)
    await run_all(world)
    await world.publish(entry("r2"))

    assert await sweep_all(world) == ["w1"]


async def test_a_worker_whose_runner_died_is_found_again(
    world: World, clock: MemoryClock, entry: Entries
) -> None:
    await world.publish(entry("r1"))
    await sweep_all(world)
    await world.inbox.take("w1", at_most=1)
    for _ in range(3):
        clock.advance(LOOK_AGAIN_S)
        assert await sweep_all(world) == ["w1"]


async def test_another_sweep_continues_after_a_sweeper_died_before_its_first_run(
    world: World, clock: MemoryClock, entry: Entries
) -> None:
    await world.publish(entry("r1"))
    await sweep_all(world)
    clock.advance(LOOK_AGAIN_S)

    assert await sweep_all(world) == ["w1"]


async def test_a_postponed_flow_s_worker_is_found_when_it_is_due(
    world: World, clock: MemoryClock, entry: Entries
) -> None:
    await world.publish(entry("r1"))
    await sweep_all(world)
    (turn,) = await world.inbox.take("w1", at_most=1)
    await world.inbox.postpone(turn, 1.0, Postponement.FAILED)
    assert await sweep_all(world) == []
    clock.advance(1.0)

    assert await sweep_all(world) == ["w1"]


async def test_a_flow_postponed_for_long_is_found_after_many_sweeps(
    world: World, clock: MemoryClock, entry: Entries
) -> None:
    await world.publish(entry("r1"))
    (turn,) = await world.inbox.take("w1", at_most=1)
    await world.inbox.postpone(turn, 10_000.0, Postponement.FAILED)
    for _ in range(9):
        assert await sweep_all(world) == []
        clock.advance(1_000.0)
    clock.advance(1_000.0)

    assert await sweep_all(world) == ["w1"]


async def test_named_workers_are_checked_even_if_they_are_not_due(
    world: World, entry: Entries
) -> None:
    await world.publish(entry("r1"))
    await sweep_all(world)

    assert await world.sweep.with_work(["w0", "w1", "w2"]) == ["w1"]
    assert await world.sweep.with_work(["w1"]) == ["w1"]
    await run_all(world)
    assert await world.sweep.with_work(["w1"]) == []


async def test_another_sweep_continues_after_one_was_killed_before_its_looks(
    server: RedisWorld, clock: MemoryClock, entry: Entries
) -> None:
    await server.publish(entry("r1"))
    now_ms = clock.now_s() * 1000
    until_ms = now_ms + LOOK_AGAIN_S * 1000
    await server.redis.eval(script("take_due"), 1, keys.LOOKS, now_ms, 10, until_ms)
    assert await sweep_all(server) == []
    clock.advance(LOOK_AGAIN_S)

    assert await sweep_all(server) == ["w1"]


async def test_a_look_creates_no_key(server: RedisWorld) -> None:
    await server.note("w1", "w2")
    await sweep_all(server)
    await server.sweep.with_work(["w3"])
    await server.inbox.take("w4", at_most=1)
    await server.inbox.take_abandoned("w4", at_most=1)

    assert [key async for key in server.redis.scan_iter("*")] == [keys.LOOKS]


async def test_a_noted_worker_without_an_entry_is_forgotten(
    server: RedisWorld, clock: MemoryClock
) -> None:
    await server.note("bogus")
    await sweep_all(server)
    assert await server.redis.zrange(keys.LOOKS, 0, -1) == ["bogus"]
    clock.advance(GRACE_S)
    await sweep_all(server)

    assert await server.redis.exists(keys.LOOKS) == 0


async def test_a_worker_with_an_open_request_is_remembered(
    server: RedisWorld, clock: MemoryClock
) -> None:
    requests = RedisRequests(server.redis, clock, queue_tenant="local")
    await requests.claim(claim_for("r1"))
    await requests.send(claim_for("r1"), send_for())
    for _ in range(3):
        await sweep_all(server)
        clock.advance(KEPT_LOOK_S)

    assert await server.redis.zrange(keys.LOOKS, 0, -1) == ["w1"]


async def test_an_outcome_written_late_after_its_note_is_found(
    server: RedisWorld, clock: MemoryClock, entry: Entries
) -> None:
    """The publisher was slow between its note and its write, a sweep looked in between, and the ring is lost."""
    await server.note("w1")
    await sweep_all(server)
    await server.redis.xadd(keys.outcomes("w1"), {"entry": entry("r1").as_json()})
    clock.advance(GRACE_S)

    assert await sweep_all(server) == ["w1"]


async def test_a_note_during_a_look_is_not_lost(server: RedisWorld) -> None:
    """A sweep found nothing and is about to forget the worker. At this moment a publisher notes it."""
    for note in (*outcome_notes("w1"), request_note(["w1"])):
        await server.redis.zadd(keys.LOOKS, {"w1": 5_000.0})
        await server.redis.execute_command(*note)
        await move_on(server.redis, keys.LOOKS, [("w1", 5_000.0, None)])

        assert await server.redis.zscore(keys.LOOKS, "w1") <= 1


async def test_a_worker_that_one_sweep_forgot_is_kept_if_another_sweep_finds_work(
    server: RedisWorld,
) -> None:
    """Both sweeps took it in the same millisecond, and a note came between them."""
    await server.redis.zadd(keys.LOOKS, {"w1": 5_000.0})
    await move_on(server.redis, keys.LOOKS, [("w1", 5_000.0, None)])
    await move_on(server.redis, keys.LOOKS, [("w1", 5_000.0, 9_000.0)])

    assert await server.redis.zscore(keys.LOOKS, "w1") == 9_000.0


async def test_workers_with_outcomes_come_before_those_with_requests_and_later_looks(
    server: RedisWorld,
) -> None:
    await server.redis.zadd(keys.LOOKS, {"a-later": 1_000.0})
    await server.note("b-request", "c-outcome")
    for note in (*outcome_notes("c-outcome"), request_note(["c-outcome"])):
        await server.redis.execute_command(*note)

    taken = await server.redis.eval(script("take_due"), 1, keys.LOOKS, 2_000, 10, 7_000)
    assert taken[0::2] == ["c-outcome", "b-request", "a-later"]


async def test_a_worker_with_keys_of_a_wrong_type_does_not_stop_the_others(
    server: RedisWorld, clock: MemoryClock, log: MemoryEventLog, entry: Entries
) -> None:
    await server.redis.set(keys.outcomes("foreign"), "a string")
    await server.note("foreign")
    await server.publish(entry("r1", worker_id="zebra"))

    assert await sweep_all(server) == ["zebra"]
    assert log.lines == [("worker.unreadable", {"worker_id": "foreign"})]
    assert await server.sweep.with_work(["foreign", "zebra"]) == ["zebra"]


async def test_entries_that_ended_a_day_ago_are_trimmed_and_their_worker_is_forgotten(
    server: RedisWorld, clock: MemoryClock, entry: Entries
) -> None:
    await server.publish(entry("r1"))
    await sweep_all(server)
    await run_all(server)
    clock.advance(KEEP_FINISHED_S + KEPT_LOOK_S)
    assert await sweep_all(server) == ["w1"]
    await server.inbox.take_abandoned("w1", at_most=1)
    clock.advance(LOOK_AGAIN_S)
    assert await sweep_all(server) == []

    assert await server.redis.exists(keys.LOOKS) == 0


async def test_workers_of_an_earlier_version_s_set_are_taken_over(
    server: RedisWorld, clock: MemoryClock, entry: Entries
) -> None:
    await server.redis.sadd(keys.OLD_WORKERS, "w1", "idle")
    await server.redis.xadd(keys.outcomes("w1"), {"entry": entry("r1").as_json()})
    await sweep_all(server)

    assert await sweep_all(server) == ["w1"]
    assert await server.redis.exists(keys.OLD_WORKERS) == 0


async def test_several_sweeps_share_the_looks(
    server: RedisWorld, clock: MemoryClock, log: MemoryEventLog, entry: Entries
) -> None:
    for number in range(6):
        await server.publish(entry(f"r{number}", worker_id=f"w{number}"))
    other = RedisSweep(server.redis, clock, log)

    one, two = await server.sweep.due(at_most=4), await other.due(at_most=4)
    assert (one.looked_at, two.looked_at) == (4, 2)
    assert sorted([*one.with_work, *two.with_work]) == [f"w{number}" for number in range(6)]
