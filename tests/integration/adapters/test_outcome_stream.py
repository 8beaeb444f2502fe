"""The contract of `OutcomeStream`: the twin, Redis, and Redis as a cluster keep it alike."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from paydispatch.adapters import redis_keys as keys
from paydispatch.adapters.memory import MemoryClock, MemoryOutcomes
from paydispatch.adapters.redis_connection import connect_async
from paydispatch.adapters.redis_outcomes import RedisOutcomes
from paydispatch.domain.entry import OutcomeEntry
from paydispatch.domain.errors import Unavailable
from paydispatch.domain.outcomes import Certainty, Error, ErrorKind
from paydispatch.domain.retry import Progress
from paydispatch.ports import Seen

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from redis.asyncio import Redis

    from paydispatch.domain.envelope import Envelope
    from paydispatch.ports import OutcomeStream

    Entries = Callable[..., OutcomeEntry]

REFUSED = Error(
    kind=ErrorKind.API, message="no", attempts=1, certainty=Certainty.NOT_CREATED, http_status=400
)


class World(Protocol):
    stream: OutcomeStream

    async def entries(self, worker_id: str) -> list[OutcomeEntry]: ...

    async def status(self, request_id: str) -> str | None: ...


class MemoryWorld:
    def __init__(self, clock: MemoryClock) -> None:
        self.stream = MemoryOutcomes(clock)

    async def entries(self, worker_id: str) -> list[OutcomeEntry]:
        return [entry for entry in self.stream.entries if entry.worker_id == worker_id]

    async def status(self, request_id: str) -> str | None:
        return self.stream.statuses.get(request_id)


class RedisWorld:
    def __init__(self, redis: Redis, clock: MemoryClock) -> None:
        self._redis = redis
        self.stream = RedisOutcomes(redis, clock, queue_tenant="local")

    async def entries(self, worker_id: str) -> list[OutcomeEntry]:
        stream: Any = await self._redis.xrange(keys.outcomes(worker_id))
        return [OutcomeEntry.from_json(fields["entry"]) for _, fields in stream]

    async def status(self, request_id: str) -> str | None:
        fields: Mapping[str, str] = await self._redis.hgetall(keys.request(request_id))  # type: ignore[misc]
        return fields.get("status")


@pytest.fixture(params=["memory", "valkey", "cluster"])
async def world(request: pytest.FixtureRequest, clock: MemoryClock) -> AsyncIterator[World]:
    if request.param == "memory":
        yield MemoryWorld(clock)
        return
    redis = connect_async(request.getfixturevalue(request.param).url)
    yield RedisWorld(redis, clock)
    await redis.aclose()


async def test_an_outcome_is_published_once(world: World, entry: Entries) -> None:
    first = await world.stream.publish(entry("r1"))
    second = await world.stream.publish(entry("r1"))

    assert (first, second) == (True, False)
    assert await world.entries("w1") == [entry("r1")]


async def test_of_many_publishers_at_once_one_is_first(world: World, entry: Entries) -> None:
    firsts = await asyncio.gather(*(world.stream.publish(entry("r1")) for _ in range(20)))

    assert firsts.count(True) == 1
    assert len(await world.entries("w1")) == 1


async def test_an_unknown_end_may_be_settled_once(world: World, entry: Entries) -> None:
    firsts = [
        await world.stream.publish(entry("r1", unknown=unknown)) for unknown in (True, False, False)
    ]

    assert firsts == [True, True, False]
    assert await world.entries("w1") == [entry("r1", unknown=True), entry("r1")]


async def test_only_a_settled_outcome_makes_a_request_settled(world: World, entry: Entries) -> None:
    said = [await world.stream.settled("w1", "r1")]
    for unknown in (True, False):
        await world.stream.publish(entry("r1", unknown=unknown))
        said.append(await world.stream.settled("w1", "r1"))

    assert said == [False, False, True]


@pytest.mark.parametrize("unknown", [True, False])
async def test_nothing_follows_a_settled_end(world: World, entry: Entries, unknown: bool) -> None:
    await world.stream.publish(entry("r1", outcome=REFUSED))

    assert not await world.stream.publish(entry("r1", unknown=unknown))
    assert len(await world.entries("w1")) == 1
    assert await world.status("r1") == "failed"


async def test_an_unknown_end_is_published_once(world: World, entry: Entries) -> None:
    firsts = [await world.stream.publish(entry("r1", unknown=True)) for _ in range(2)]

    assert firsts == [True, False]


async def test_requests_and_workers_do_not_stand_in_each_other_s_way(
    world: World, entry: Entries
) -> None:
    for worker_id in ("w1", "w2"):
        assert await world.stream.publish(entry("r1", worker_id=worker_id))
        assert await world.stream.publish(entry("r2", worker_id=worker_id))

    assert [e.request_id for e in await world.entries("w2")] == ["r1", "r2"]


@pytest.mark.parametrize(
    ("outcome", "status"),
    [({}, "succeeded"), ({"outcome": REFUSED}, "failed"), ({"unknown": True}, "unknown")],
)
async def test_publishing_writes_the_status(
    world: World, entry: Entries, outcome: Mapping[str, Any], status: str
) -> None:
    await world.stream.publish(entry("r1", **outcome))

    assert await world.status("r1") == status


async def test_a_final_status_is_not_overwritten(
    world: World, entry: Entries, envelope: Callable[..., Envelope]
) -> None:
    await world.stream.publish(entry("r1"))
    await world.stream.begin(envelope("r1"))
    await world.stream.waiting(envelope("r1"), 0.0)

    assert await world.status("r1") == "succeeded"


async def test_the_first_attempt_finds_nothing_known(
    world: World, envelope: Callable[..., Envelope]
) -> None:
    assert await world.stream.begin(envelope("r1")) == Seen()
    assert await world.status("r1") == "calling"


async def test_an_attempt_whose_end_was_not_written_leaves_doubt(
    world: World, envelope: Callable[..., Envelope], clock: MemoryClock
) -> None:
    began_at = clock.now_s()
    await world.stream.begin(envelope("r1"))
    clock.advance(60)

    seen = await world.stream.begin(envelope("r1"))

    assert seen == Seen(known=True, in_doubt=True, first_sent_at=began_at)


async def test_an_attempt_whose_end_was_written_leaves_none(
    world: World, envelope: Callable[..., Envelope], clock: MemoryClock
) -> None:
    await world.stream.begin(envelope("r1"))
    await world.stream.waiting(envelope("r1"), clock.now_s() + 5)

    seen = await world.stream.begin(envelope("r1"))

    assert (seen.known, seen.in_doubt) == (True, False)


async def test_the_latch_is_remembered(
    world: World, envelope: Callable[..., Envelope], clock: MemoryClock
) -> None:
    latched = Progress(deadline_at=clock.now_s() + 60, attempt=2, maybe_executed=True)
    await world.stream.begin(envelope("r1"))
    await world.stream.waiting(envelope("r1", progress=latched), clock.now_s() + 5)

    assert (await world.stream.begin(envelope("r1"))).in_doubt


async def test_what_the_message_says_of_its_first_attempt_is_kept(
    world: World, envelope: Callable[..., Envelope], clock: MemoryClock
) -> None:
    sent_at = clock.now_s() - 7_000.25
    travelled = replace(envelope("r1").progress, attempt=3, first_sent_at=sent_at)
    await world.stream.begin(envelope("r1", progress=travelled))

    assert (await world.stream.begin(envelope("r1"))).first_sent_at == sent_at


async def test_a_duplicate_of_a_settled_request_is_seen_as_settled(
    world: World, entry: Entries, envelope: Callable[..., Envelope]
) -> None:
    await world.stream.publish(entry("r1"))

    assert (await world.stream.begin(envelope("r1"))).settled


async def test_a_request_that_ended_unknown_is_not_settled_and_in_doubt(
    world: World, entry: Entries, envelope: Callable[..., Envelope]
) -> None:
    await world.stream.begin(envelope("r1"))
    await world.stream.publish(entry("r1", unknown=True))

    seen = await world.stream.begin(envelope("r1"))

    assert (seen.settled, seen.known, seen.in_doubt) == (False, True, True)


async def test_what_one_delivery_was_refused_is_not_told_while_another_is_at_work(
    world: World, entry: Entries, envelope: Callable[..., Envelope]
) -> None:
    for name in ("one", "other"):
        await world.stream.begin(envelope("r1"), by=name)

    with pytest.raises(Unavailable):
        await world.stream.publish(entry("r1", outcome=REFUSED), sole="one")

    assert await world.entries("w1") == []
    assert await world.status("r1") == "calling"


async def test_a_delivery_that_waits_without_doubt_is_not_at_work(
    world: World, entry: Entries, envelope: Callable[..., Envelope]
) -> None:
    for name in ("one", "other"):
        await world.stream.begin(envelope("r1"), by=name)
    await world.stream.waiting(envelope("r1"), 0.0, by="other")

    assert await world.stream.publish(entry("r1", outcome=REFUSED), sole="one")
    assert await world.status("r1") == "failed"


async def test_a_delivery_that_waits_in_doubt_stays_at_work(
    world: World, entry: Entries, envelope: Callable[..., Envelope], clock: MemoryClock
) -> None:
    latched = Progress(deadline_at=clock.now_s() + 60, attempt=2, maybe_executed=True)
    for name in ("one", "other"):
        await world.stream.begin(envelope("r1"), by=name)
    await world.stream.waiting(envelope("r1", progress=latched), 0.0, by="other")

    with pytest.raises(Unavailable):
        await world.stream.publish(entry("r1", outcome=REFUSED), sole="one")


async def test_a_response_is_told_whoever_else_is_at_work(
    world: World, entry: Entries, envelope: Callable[..., Envelope]
) -> None:
    for name in ("one", "other"):
        await world.stream.begin(envelope("r1"), by=name)

    assert await world.stream.publish(entry("r1"), sole="one")


async def test_another_delivery_at_work_leaves_doubt(
    world: World, envelope: Callable[..., Envelope]
) -> None:
    for name in ("one", "other"):
        await world.stream.begin(envelope("r1"), by=name)
    await world.stream.waiting(envelope("r1"), 0.0, by="one")

    assert (await world.stream.begin(envelope("r1"), by="one")).in_doubt


async def test_one_delivery_s_wait_does_not_end_another_s_doubt(
    world: World, envelope: Callable[..., Envelope], clock: MemoryClock
) -> None:
    latched = Progress(deadline_at=clock.now_s() + 60, attempt=2, maybe_executed=True)
    await world.stream.begin(envelope("r1"))
    await world.stream.waiting(envelope("r1", progress=latched), 0.0)
    await world.stream.waiting(envelope("r1"), 0.0)

    assert (await world.stream.begin(envelope("r1"))).in_doubt
