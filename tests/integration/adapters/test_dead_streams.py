"""`DeadStreams` moves dead flows back to their streams, on Redis and in memory alike."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.adapters.conftest import MemoryInboxWorld, RedisInboxWorld

from paydispatch.adapters.redis import keys
from paydispatch.adapters.redis.connection import connect_async
from paydispatch.adapters.redis.streams.dead_streams import RedisDeadStreams
from paydispatch.adapters.redis.traces import RedisTraces
from paydispatch.domain.errors import Unavailable
from paydispatch.domain.operators.dead_flows import Moved
from paydispatch.domain.operators.traces import Finished, NotRead, Rerun
from paydispatch.domain.outcomes import FLOW_FAILED, Certainty, Error, ErrorKind, Response
from paydispatch.testing.memory_dead_streams import MemoryDeadStreams
from paydispatch.testing.memory_traces import MemoryTraces

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.lossy_way import LossyWay

    from paydispatch.domain.entry import OutcomeEntry
    from paydispatch.domain.operators.dead_flows import DeadFlow
    from paydispatch.ports import DeadStreams, FlowInbox, Traces
    from paydispatch.testing.memory_clock import MemoryClock

MOVE = b"local lying = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]"
"""A line that only the script `rerun.lua` contains."""

ITS_SCRIPT_FAILED = Error(
    kind=ErrorKind.DISPATCHER,
    code=FLOW_FAILED,
    message="it failed",
    attempts=1,
    certainty=Certainty.UNKNOWN,
)


@dataclass
class World:
    inboxes: MemoryInboxWorld | RedisInboxWorld
    inbox: FlowInbox
    streams: DeadStreams
    traces: Traces

    async def bury(
        self, *dying: OutcomeEntry, successor: OutcomeEntry | None = None, publish: bool = True
    ) -> None:
        """Give each entry up as soon as it is published."""
        for each in dying:
            if publish:
                await self.inboxes.publish(each)
            (turn,) = await self.inbox.take(each.worker_id, at_most=10)
            await self.inbox.move_to_dead_stream(
                turn, reason="no database", successor=successor, take_next=False
            )

    async def run_all(self, worker_id: str = "w1") -> list[str]:
        """Finish every entry that may run. Return their requests in order."""
        ran = []
        for take in (self.inbox.take, self.inbox.take_abandoned):
            turns = list(await take(worker_id, at_most=10))
            while turns:
                turn = turns.pop(0)
                ran.append(turn.entry.request_id)
                following = await self.inbox.finish(turn, take_next=True)
                turns += [following] if following else []
        return ran

    async def lying(self, worker: str = "w1") -> list[DeadFlow]:
        until_s = await self.streams.time_s(worker) + 60
        return list(await self.streams.page(worker, after="", until_s=until_s, at_most=100))


@pytest.fixture
async def world(inboxes: MemoryInboxWorld | RedisInboxWorld, clock: MemoryClock) -> World:
    inbox = inboxes.runner("a")
    if isinstance(inboxes, RedisInboxWorld):
        streams: DeadStreams = RedisDeadStreams(inboxes.redis, clock)
        traces: Traces = RedisTraces(inboxes.redis, clock)
    else:
        streams = MemoryDeadStreams(inboxes._inbox, clock)
        traces = MemoryTraces(None, inboxes._inbox)  # type: ignore[arg-type]
    return World(inboxes, inbox, streams, traces)


async def test_a_dead_flow_says_what_it_was(world: World, entry: Callable[..., Any]) -> None:
    await world.bury(entry("r1"))
    (dead,) = await world.lying()
    assert dead.entry == entry("r1")
    assert (dead.worker_id, dead.reason, dead.script) == (
        "w1",
        "no database",
        "new_create_product_response",
    )
    assert dead.dead_id
    assert dead.entry_id


async def test_only_workers_with_dead_flows_are_named(
    world: World, entry: Callable[..., Any]
) -> None:
    await world.bury(entry("r1", worker_id="w2"))
    await world.inboxes.publish(entry("r3", worker_id="w3"))
    assert list(await world.streams.workers()) == ["w2"]


async def test_a_moved_entry_runs_as_the_last_of_its_context(
    world: World, entry: Callable[..., Any]
) -> None:
    await world.bury(entry("r1"), entry("r2"))
    await world.inboxes.publish(entry("r3"))
    for dead in await world.lying():
        assert await world.streams.rerun("w1", dead) is Moved.MOVED
    assert await world.lying() == []
    assert await world.run_all() == ["r3", "r1", "r2"]
    assert await world.run_all() == []


async def test_a_second_move_changes_nothing_and_says_the_same(
    world: World, entry: Callable[..., Any]
) -> None:
    await world.bury(entry("r1"))
    (dead,) = await world.lying()
    ends = await asyncio.gather(*(world.streams.rerun("w1", dead) for _ in range(3)))
    assert ends == [Moved.MOVED] * 3
    assert await world.run_all() == ["r1"]


async def test_a_page_goes_on_after_an_id_and_leaves_out_later_deaths(
    world: World, entry: Callable[..., Any]
) -> None:
    await world.bury(*(entry(f"r{number}") for number in range(3)))
    first, *others = await world.lying()
    until_s = await world.streams.time_s("w1") + 60
    page = await world.streams.page("w1", after=first.dead_id, until_s=until_s, at_most=1)
    assert list(page) == others[:1]
    before_s = first.dead_since - 1
    assert not await world.streams.page("w1", after="", until_s=before_s, at_most=10)


async def test_the_path_of_a_request_goes_on_with_the_rerun(
    world: World, entry: Callable[..., Any]
) -> None:
    """The response script fails, its error script runs, and then the response script runs again."""
    error = entry("r1").with_error(ITS_SCRIPT_FAILED)
    await world.bury(entry("r1"), successor=error)
    await world.run_all()
    (dead,) = await world.lying()
    await world.streams.rerun("w1", dead)
    states = [path.state for path in await world.traces.flows("w1", "r1")]
    assert [type(state) for state in states] == [Rerun, Finished, NotRead]
    await world.run_all()
    paths = await world.traces.flows("w1", "r1")
    assert isinstance(paths[-1].state, Finished)
    assert paths[-1].entry == entry("r1")


async def test_the_error_of_a_failed_response_says_that_the_response_ran_again(
    world: World, entry: Callable[..., Any]
) -> None:
    await world.bury(entry("r1"), successor=entry("r1").with_error(ITS_SCRIPT_FAILED))
    await world.bury(entry("r1"), publish=False)
    response, error = await world.lying()
    assert not error.response_reran
    await world.streams.rerun("w1", response)
    (error,) = await world.lying()
    assert error.response_reran


class TestOnRedis:
    """The facts that only the store itself knows."""

    @pytest.fixture(params=["valkey", "cluster"])
    async def redis(self, request: pytest.FixtureRequest) -> AsyncIterator[Any]:
        redis = connect_async(request.getfixturevalue(request.param).url)
        yield redis
        await redis.aclose()

    @pytest.fixture
    def world(self, redis: Any, clock: MemoryClock, log: Any) -> World:
        inboxes = RedisInboxWorld(redis, clock, log)
        streams, traces = RedisDeadStreams(redis, clock), RedisTraces(redis, clock)
        return World(inboxes, inboxes.runner("a"), streams, traces)

    async def test_an_unknown_outcome_is_not_told_after_the_settled_one(
        self, world: World, redis: Any, entry: Callable[..., Any]
    ) -> None:
        await world.bury(entry("r1", unknown=True))
        (dead,) = await world.lying()
        assert not dead.settled_since
        await world.inboxes.publish(entry("r1"))
        assert await world.streams.rerun("w1", dead) is Moved.SETTLED
        (dead,) = await world.lying()
        assert dead.settled_since
        assert await world.run_all() == ["r1"]

    async def test_the_error_of_a_failed_script_may_run_after_the_settled_outcome(
        self, world: World, entry: Callable[..., Any]
    ) -> None:
        await world.bury(entry("r1"), successor=entry("r1").with_error(ITS_SCRIPT_FAILED))
        await world.bury(entry("r1"), publish=False)
        _, error = await world.lying()
        assert await world.streams.rerun("w1", error) is Moved.MOVED

    async def test_the_worker_is_noted_for_the_sweep(
        self, world: World, redis: Any, entry: Callable[..., Any]
    ) -> None:
        await world.bury(entry("r1"))
        (dead,) = await world.lying()
        await redis.zadd(keys.LOOKS, {"w1": 9e12})
        await world.streams.rerun("w1", dead)
        assert await redis.zscore(keys.LOOKS, "w1") == 0

    async def test_an_entry_without_the_id_that_it_had_is_moved_too(
        self, world: World, redis: Any, entry: Callable[..., Any]
    ) -> None:
        await redis.zadd(keys.LOOKS, {"w1": 0})
        await redis.xadd(keys.dead("w1"), {"entry": entry("r1").as_json(), "reason": "old"})
        (dead,) = await world.lying()
        assert await world.streams.rerun("w1", dead) is Moved.MOVED
        assert await world.run_all() == ["r1"]

    async def test_an_entry_that_nobody_can_read_is_shown_and_not_moved(
        self, world: World, redis: Any
    ) -> None:
        await redis.xadd(keys.dead("w1"), {"entry": "{", "reason": "unreadable"})
        (dead,) = await world.lying()
        assert (dead.entry, dead.script) == (None, None)
        with pytest.raises(ValueError, match="cannot be read"):
            await world.streams.rerun("w1", dead)

    async def test_a_deleted_entry_is_gone(
        self, world: World, redis: Any, entry: Callable[..., Any]
    ) -> None:
        await world.bury(entry("r1"))
        (dead,) = await world.lying()
        await redis.delete(keys.dead("w1"))
        assert await world.streams.rerun("w1", dead) is Moved.GONE
        assert await world.run_all() == []

    async def test_the_whole_entry_comes_back_as_it_was(
        self, world: World, redis: Any, entry: Callable[..., Any]
    ) -> None:
        body = {"id": "prod_1", "name": "Tee 🍵", "deep": [{"n": 1.5}]}
        whole = entry("r1", outcome=Response(body=body, attempts=1), sealed_secret="1.sealed")
        await world.bury(whole)
        (dead,) = await world.lying()
        await world.streams.rerun("w1", dead)
        _, (_, fields) = await redis.xrange(keys.outcomes("w1"))
        assert json.loads(fields["entry"]) == json.loads(whole.as_json())


async def test_a_move_whose_answer_was_lost_is_made_once(
    lossy: tuple[LossyWay, str],
    valkey: Any,
    clock: MemoryClock,
    log: Any,
    entry: Callable[..., Any],
) -> None:
    way, url = lossy
    sound, weak = connect_async(valkey.url), connect_async(url)
    inboxes = RedisInboxWorld(sound, clock, log)
    world = World(
        inboxes, inboxes.runner("a"), RedisDeadStreams(weak, clock), RedisTraces(sound, clock)
    )
    await world.bury(entry("r1"))
    (dead,) = await world.lying()
    way.lose_answer_to(MOVE)
    try:
        moved = await world.streams.rerun("w1", dead)
    except Unavailable:
        moved = await world.streams.rerun("w1", dead)
    assert moved is Moved.MOVED
    assert await world.run_all() == ["r1"]
    await sound.aclose()
    await weak.aclose()
