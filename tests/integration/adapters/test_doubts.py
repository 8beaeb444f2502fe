"""The index of doubts keeps one contract, in memory and on a real Valkey, alone and in a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from paydispatch.adapters.redis.connection import connect_async
from paydispatch.adapters.redis.doubts import RedisDoubts
from paydispatch.domain.looks.doubts import LOST_AFTER_S, Doubt, Place
from paydispatch.testing.memory_doubts import MemoryDoubts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from paydispatch.ports import Doubts
    from paydispatch.testing.memory_clock import MemoryClock

HERE = Place("live acct_1", "checkout.session")
THERE = Place("test acct_1", "payment_intent")
CURSOR = {"name": "list", "after": "pi_9", "steps": [["", 1, 2]]}


@pytest.fixture(params=["memory", "valkey", "cluster"])
async def doubts(request: pytest.FixtureRequest, clock: MemoryClock) -> AsyncIterator[Doubts]:
    if request.param == "memory":
        yield MemoryDoubts(clock)
        return
    server: Any = request.getfixturevalue(request.param)
    redis = connect_async(server.url)
    yield RedisDoubts(redis, clock)
    await redis.aclose()


def doubt(request_id: str, worker: str = "w1", *, since: float = 5.0) -> Doubt:
    return Doubt(worker, request_id, since)


async def ids(doubts: Doubts, place: Place = HERE, *, before: float = 1e12) -> list[str]:
    return [one.request_id for one in await doubts.due(place, before=before, at_most=100)]


async def test_the_first_doubt_of_a_place_asks_for_a_look(
    doubts: Doubts, clock: MemoryClock
) -> None:
    due_at = clock.now_s() + 10
    assert await doubts.note(HERE, doubt("r1"), due_at=due_at)
    assert not await doubts.note(HERE, doubt("r2"), due_at=due_at + 1)
    assert await doubts.note(THERE, doubt("r3"), due_at=due_at)
    state = await doubts.state(HERE)
    assert (state.looks, state.next_at, state.doubts) == (0, due_at, 2)
    assert set(await doubts.places(at_most=10)) == {HERE, THERE}


async def test_a_new_doubt_brings_a_far_look_forward(doubts: Doubts, clock: MemoryClock) -> None:
    now_s = clock.now_s()
    await doubts.note(HERE, doubt("r1"), due_at=now_s + 3600)
    assert await doubts.note(HERE, doubt("r2"), due_at=now_s + 10)
    assert (await doubts.state(HERE)).next_at == now_s + 10


async def test_a_doubt_that_is_noted_again_keeps_its_time(
    doubts: Doubts, clock: MemoryClock
) -> None:
    now_s = clock.now_s()
    await doubts.note(HERE, doubt("r1"), due_at=now_s + 10)
    await doubts.postpone(HERE, {Doubt("w1", "r1", 5.0, 77.0): now_s + 600})
    await doubts.note(HERE, doubt("r1", since=9.0), due_at=now_s + 10)
    assert await ids(doubts, before=now_s + 599) == []
    (kept,) = await doubts.due(HERE, before=now_s + 601, at_most=10)
    assert (kept.since, kept.seen_until) == (5.0, 77.0)


async def test_a_look_that_is_overdue_counts_as_lost(doubts: Doubts, clock: MemoryClock) -> None:
    await doubts.note(HERE, doubt("r1"), due_at=clock.now_s() + 10)
    clock.advance(10 + LOST_AFTER_S + 1)
    assert await doubts.note(HERE, doubt("r2"), due_at=clock.now_s() + 10)


async def test_the_doubts_that_are_due_first_come_first(doubts: Doubts, clock: MemoryClock) -> None:
    now_s = clock.now_s()
    for number, delay_s in enumerate((30, 10, 20)):
        await doubts.note(HERE, doubt(f"r{number}", "acme w1"), due_at=now_s + delay_s)
    assert await ids(doubts) == ["r1", "r2", "r0"]
    assert await ids(doubts, before=now_s + 20) == ["r1", "r2"]
    (first,) = await doubts.due(HERE, before=1e12, at_most=1)
    assert (first.worker, first.request_id) == ("acme w1", "r1")


async def test_a_doubt_is_one_of_its_worker(doubts: Doubts) -> None:
    await doubts.note(HERE, doubt("r1", "w1"), due_at=1.0)
    await doubts.note(HERE, doubt("r1", "acme w1"), due_at=2.0)
    await doubts.drop(HERE, [doubt("r1", "w1")])
    (left,) = await doubts.due(HERE, before=1e12, at_most=10)
    assert left.worker == "acme w1"


async def test_a_dropped_doubt_is_not_brought_back_by_its_plan(doubts: Doubts) -> None:
    await doubts.note(HERE, doubt("r1"), due_at=1.0)
    await doubts.drop(HERE, [doubt("r1")])
    await doubts.postpone(HERE, {doubt("r1"): 5.0})
    assert await ids(doubts) == []


async def test_one_look_at_a_time_has_the_lease_and_the_cursor(doubts: Doubts) -> None:
    await doubts.note(HERE, doubt("r1"), due_at=1.0)
    assert await doubts.lease(HERE, "a", 100)
    assert not await doubts.lease(HERE, "b", 100)
    assert await doubts.lease(HERE, "a", 100, CURSOR)
    assert not await doubts.lease(HERE, "b", 100, {})
    assert await doubts.lease(HERE, "a", 100)
    assert (await doubts.state(HERE)).cursor == CURSOR
    assert await doubts.lease(HERE, "a", 100, {})
    assert (await doubts.state(HERE)).cursor is None


async def test_a_lease_that_ran_out_is_free(doubts: Doubts) -> None:
    await doubts.note(HERE, doubt("r1"), due_at=1.0)
    assert await doubts.lease(HERE, "a", -1)
    assert await doubts.lease(HERE, "b", 100)
    assert not await doubts.lease(HERE, "a", 100, CURSOR)
    assert await doubts.end_look(HERE, "a", not_before=0.0) is None


async def test_the_end_of_a_look_plans_the_next_one(doubts: Doubts, clock: MemoryClock) -> None:
    now_s = clock.now_s()
    await doubts.note(HERE, doubt("r1"), due_at=now_s)
    await doubts.note(HERE, doubt("r2"), due_at=now_s + 600)
    await doubts.lease(HERE, "a", 100)
    assert await doubts.end_look(HERE, "a", not_before=now_s + 10) == (1, now_s + 10)
    state = await doubts.state(HERE)
    assert (state.looks, state.next_at, state.last_at) == (1, now_s + 10, now_s)
    assert await doubts.lease(HERE, "b", 100)
    await doubts.drop(HERE, [doubt("r1")])
    assert await doubts.end_look(HERE, "b", not_before=now_s) == (2, now_s + 600)


async def test_a_place_without_doubts_is_forgotten(doubts: Doubts) -> None:
    await doubts.note(HERE, doubt("r1"), due_at=1.0)
    await doubts.lease(HERE, "a", 100)
    await doubts.drop(HERE, [doubt("r1")])
    assert await doubts.end_look(HERE, "a", not_before=0.0) is None
    assert list(await doubts.places(at_most=10)) == []
    assert (await doubts.state(HERE)).next_at is None
