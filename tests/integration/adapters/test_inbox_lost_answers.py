"""Entries in a lost answer of Redis run at the next read. They do not wait until their idle time is over."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from paydispatch.adapters.redis.connection import connect_async
from paydispatch.adapters.redis.streams.inbox import RedisInbox
from paydispatch.adapters.redis.streams.outcomes import RedisOutcomes
from paydispatch.domain.errors import Unavailable
from paydispatch.ports import Postponement

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.lossy_way import LossyWay

    from paydispatch.domain.entry import OutcomeEntry
    from paydispatch.testing.memory_clock import MemoryClock
    from paydispatch.testing.memory_event_log import MemoryEventLog

READ = b"XREADGROUP"
TURN = b"local head = redis.call('LINDEX', queue, 0)"
"""A line that only the script `take_turns.lua` contains."""
FINISH = b"local function finish(queue, over, id, dead, successor)"
"""A line that only the script `finish_turns.lua` contains."""


class World:
    """A runner with a lossy connection, a neighbour with a reliable one, and a publisher for both."""

    def __init__(self, lossy: Any, sound: Any, clock: MemoryClock, log: MemoryEventLog) -> None:
        self.runner = RedisInbox(lossy, clock, log, consumer="a", flow_timeout_s=1_000)
        self.neighbour = RedisInbox(sound, clock, log, consumer="b", flow_timeout_s=1_000)
        self._outcomes = RedisOutcomes(sound, queue_tenant="local")

    async def publish(self, *entries: OutcomeEntry) -> None:
        for entry in entries:
            await self._outcomes.publish(entry)


@pytest.fixture
async def world(
    lossy: tuple[LossyWay, str], valkey: Any, clock: MemoryClock, log: MemoryEventLog
) -> AsyncIterator[World]:
    clients = connect_async(lossy[1]), connect_async(valkey.url)
    yield World(*clients, clock, log)
    for client in clients:
        await client.aclose()


@pytest.fixture
def way(lossy: tuple[LossyWay, str]) -> LossyWay:
    return lossy[0]


async def run_all(inbox: RedisInbox) -> list[str]:
    """Run every entry that can run now, without waiting, and return the request ids in order."""
    turns = [*await inbox.take_abandoned("w1", at_most=2), *await inbox.take("w1", at_most=2)]
    if not turns:
        return []
    followed = [await inbox.finish(turn, take_next=False) for turn in turns]
    assert followed == [None] * len(turns)
    return [*(turn.entry.request_id for turn in turns), *await run_all(inbox)]


@pytest.mark.parametrize("lost", [READ, TURN])
async def test_entries_of_a_lost_answer_run_in_order_at_the_next_reads(
    world: World, way: LossyWay, entry: Callable[..., OutcomeEntry], lost: bytes
) -> None:
    await world.publish(entry("makes the group"))
    await run_all(world.neighbour)
    await world.publish(entry("r1"), entry("r2", "c2"), entry("r3", "c3"))
    way.lose_answer_to(lost)
    with pytest.raises(Unavailable):
        await world.runner.take("w1", at_most=2)

    assert await run_all(world.runner) == ["r1", "r2", "r3"]
    assert way.lost == 1


async def test_a_postponed_entry_of_a_lost_answer_runs_at_the_next_read(
    world: World, way: LossyWay, entry: Callable[..., OutcomeEntry]
) -> None:
    await world.publish(entry("r1"))
    (turn,) = await world.runner.take("w1", at_most=2)
    await world.runner.postpone(turn, 0, Postponement.LATER)
    way.lose_answer_to(TURN)
    with pytest.raises(Unavailable):
        await world.runner.take_abandoned("w1", at_most=2)

    assert await run_all(world.runner) == ["r1"]


async def test_a_repeated_read_takes_neither_a_running_turn_nor_the_entries_behind_it(
    world: World, way: LossyWay, entry: Callable[..., OutcomeEntry]
) -> None:
    """The entry that can run comes after more waiting entries than one read returns."""
    await world.publish(*(entry(f"r{n}") for n in range(6)), entry("free", "c2"))
    (_,) = await world.runner.take("w1", at_most=6)
    way.lose_answer_to(TURN)
    with pytest.raises(Unavailable):
        await world.runner.take("w1", at_most=6)

    assert await run_all(world.runner) == ["free"]


async def test_two_concurrent_reads_do_not_return_the_same_turn_twice(
    world: World, way: LossyWay, entry: Callable[..., OutcomeEntry]
) -> None:
    await world.publish(entry("lost", "lost"))
    way.lose_answer_to(TURN)
    with pytest.raises(Unavailable):
        await world.runner.take("w1", at_most=9)
    await world.publish(*(entry(f"r{n}", f"c{n}") for n in range(9)))

    looks = await asyncio.gather(
        world.runner.take("w1", at_most=9),
        world.runner.take_abandoned("w1", at_most=20),
        world.runner.take_abandoned("w1", at_most=20),
    )

    taken = sorted(turn.entry.request_id for look in looks for turn in look)
    assert taken == sorted(["lost", *(f"r{n}" for n in range(9))])


async def test_a_neighbour_does_not_take_the_turn_of_a_lost_answer(
    world: World, way: LossyWay, entry: Callable[..., OutcomeEntry]
) -> None:
    await world.publish(entry("r1"))
    way.lose_answer_to(TURN)
    with pytest.raises(Unavailable):
        await world.runner.take("w1", at_most=2)

    assert await run_all(world.neighbour) == []
    assert await run_all(world.runner) == ["r1"]


async def test_a_repeated_finish_returns_the_next_turn_of_the_lost_answer_and_counts_it_once(
    world: World, way: LossyWay, entry: Callable[..., OutcomeEntry]
) -> None:
    await world.publish(entry("r1"), entry("r2"))
    (turn,) = await world.runner.take("w1", at_most=2)
    way.lose_answer_to(FINISH)
    with pytest.raises(Unavailable):
        await world.runner.finish(turn, take_next=True)

    following = await world.runner.finish(turn, take_next=True)

    assert following is not None
    assert (following.entry.request_id, following.attempt) == ("r2", 1)


async def test_every_finish_of_a_batch_learns_of_the_lost_answer_and_may_be_repeated(
    world: World, way: LossyWay, entry: Callable[..., OutcomeEntry]
) -> None:
    contexts = [f"c{n}" for n in range(5)]
    await world.publish(*(entry(f"{c}-{n}", c) for n in range(2) for c in contexts))
    turns = await world.runner.take("w1", at_most=10)
    way.lose_answer_to(FINISH)
    finishes = (world.runner.finish(turn, take_next=True) for turn in turns)
    lost = await asyncio.gather(*finishes, return_exceptions=True)
    assert [type(error) for error in lost] == [Unavailable] * 5
    assert way.lost == 1

    repeats = (world.runner.finish(turn, take_next=True) for turn in turns)
    following = [turn for turn in await asyncio.gather(*repeats) if turn]

    assert [turn.entry.request_id for turn in following] == [f"{c}-1" for c in contexts]
    assert {turn.attempt for turn in following} == {1}


async def test_a_finish_that_arrives_late_and_again_takes_no_turn(
    world: World, entry: Callable[..., OutcomeEntry]
) -> None:
    """Its caller has gone on, and would never run the entry."""
    await world.publish(entry("r1"))
    (first,) = await world.runner.take("w1", at_most=2)
    assert await world.runner.finish(first, take_next=True) is None
    await world.publish(entry("r2"))
    (second,) = await world.neighbour.take("w1", at_most=2)
    await world.neighbour.postpone(second, 0, Postponement.LATER)

    assert await world.runner.finish(first, take_next=True) is None

    assert await run_all(world.neighbour) == ["r2"]
