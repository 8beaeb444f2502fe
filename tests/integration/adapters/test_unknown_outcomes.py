"""The indexes of unknown outcomes and of open requests, for the twin, Redis and a cluster."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from paydispatch.adapters.redis import keys
from paydispatch.adapters.redis.backlog import RedisBacklog
from paydispatch.adapters.redis.connection import connect, connect_async
from paydispatch.adapters.redis.doubts import RedisDoubts
from paydispatch.adapters.redis.requests.request_slots import RedisRequests
from paydispatch.adapters.redis.requests.request_store import RedisRequestStore
from paydispatch.adapters.redis.requests.unknown_outcomes import RedisUnknownOutcomes
from paydispatch.adapters.redis.streams.outcomes import RedisOutcomes
from paydispatch.domain.claims import Claim, Go, NoSend, Send, claim_of
from paydispatch.domain.limits import LONGEST_DEADLINE_S, REMEMBER_S
from paydispatch.domain.operators.diagnosis import OLDEST_OPEN_S, Reason
from paydispatch.domain.outcomes import Certainty, Error, ErrorKind, Response
from paydispatch.domain.stripe.accounts import AccountBinding
from paydispatch.domain.sweep import GRACE_S
from paydispatch.domain.unknown_outcomes import UnknownOutcome
from paydispatch.services.doctor import Doctor
from paydispatch.testing.memory_limiter import MemoryKeyBreakers, MemoryLimitBoard, MemoryLimiter
from paydispatch.testing.memory_operations import MemoryQueueDepths, MemoryUnknownOutcomes
from paydispatch.testing.memory_outcomes import MemoryOutcomes
from paydispatch.testing.memory_requests import MemoryRequests

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from paydispatch.domain.envelope import Envelope
    from paydispatch.ports import OutcomeStream, RequestSlots, UnknownOutcomes
    from paydispatch.testing.memory_clock import MemoryClock

UNKNOWN_OUTCOMES = {Reason.UNKNOWN, Reason.UNREADABLE}
NOT_CREATED = Error(kind=ErrorKind.HTTP, message="no", attempts=3, certainty=Certainty.NOT_CREATED)


ACCOUNT = AccountBinding(account_id="acct_1", mode="test", key_sha256="one")


class World(Protocol):
    stream: OutcomeStream
    requests: RequestSlots
    ends: UnknownOutcomes

    async def open(self, worker_id: str) -> dict[str, float]: ...


class MemoryWorld:
    def __init__(self, clock: MemoryClock) -> None:
        self.stream = MemoryOutcomes(clock)
        self.requests = MemoryRequests(clock, self.stream)
        self.ends = MemoryUnknownOutcomes(self.stream, self.requests)

    async def open(self, worker_id: str) -> dict[str, float]:
        return {
            request: at for (worker, request), at in self.stream.open.items() if worker == worker_id
        }


class RedisWorld:
    def __init__(self, redis: Any, clock: MemoryClock) -> None:
        self.redis = redis
        self.stream = RedisOutcomes(redis, queue_tenant="local")
        self.requests = RedisRequests(redis, clock, queue_tenant="local")
        self.ends = RedisUnknownOutcomes(redis, clock)

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


async def open_send(world: World, envelope: Envelope, *, named: str = "t1") -> Go | NoSend:
    """Claim the request and open a send."""
    claim = claim_of(envelope, "local", envelope.accepted_at)
    await world.requests.claim(claim)
    return await world.requests.send(claim, Send(token=named, account=ACCOUNT, attempt=1))


async def test_an_unknown_outcome_is_in_the_index_of_its_worker(world: World, entry: Any) -> None:
    unknown = entry("r1", unknown=True)
    await world.stream.publish(unknown)

    assert await world.ends.workers(at_most=10) == ["w1"]
    assert await world.ends.some("w1", at_most=10) == ["r1"]
    assert await world.ends.some("w2", at_most=10) == []
    assert await world.ends.read("w1", "r1") == UnknownOutcome(unknown, "w1")


async def test_another_tenant_s_unknown_outcome_is_under_its_own_worker_slot(
    world: World, entry: Any, envelope: Any
) -> None:
    unknown = entry("r1", unknown=True, tenant="acme")
    await open_send(world, envelope("r1", principal="acme"))
    await open_send(world, envelope("r2"))
    await world.stream.publish(unknown)

    assert await world.ends.some("w1", at_most=10) == []
    assert await world.ends.some("acme w1", at_most=10) == ["r1"]
    end = await world.ends.read("acme w1", "r1")
    assert end is not None
    assert (end.entry, end.slot_account) == (unknown, ACCOUNT)


async def test_an_unknown_outcome_has_the_first_and_last_send_and_the_account_of_its_slot(
    world: World, entry: Any, envelope: Any
) -> None:
    """This includes a send by a redrive after the outcome was published."""
    one = envelope("r1")
    first = await open_send(world, one)
    await world.stream.publish(entry("r1", unknown=True))
    last = await open_send(world, one, named="t2")

    end = await world.ends.read("w1", "r1")

    assert isinstance(first, Go)
    assert isinstance(last, Go)
    assert end is not None
    assert (end.slot_first_sent_at, end.slot_last_sent_at) == (first.sent_at, last.sent_at)
    assert (end.slot_stands, end.slot_account) == (True, ACCOUNT)


async def test_an_unknown_outcome_without_a_send_still_has_its_slot(
    world: World, entry: Any, envelope: Any
) -> None:
    await world.requests.claim(claim_of(envelope("r1"), "local", 0.0))
    await world.stream.publish(entry("r1", unknown=True))

    end = await world.ends.read("w1", "r1")

    assert end is not None
    assert (end.slot_stands, end.slot_first_sent_at) == (True, None)


async def test_an_entry_keeps_the_account_that_an_operator_accepted(
    world: World, entry: Any
) -> None:
    unknown = entry("r1", unknown=True)
    await world.stream.publish(unknown)

    await world.ends.accept_account("w1", "r1", ACCOUNT)

    assert await world.ends.read("w1", "r1") == UnknownOutcome(
        replace(unknown, account=ACCOUNT), "w1"
    )


async def test_accepting_an_account_too_late_restores_no_entry(world: World, entry: Any) -> None:
    await world.ends.accept_account("w1", "r1", ACCOUNT)

    assert await world.ends.read("w1", "r1") is None


@pytest.mark.parametrize(
    "outcome", [Response(body={"id": "prod_1"}, attempts=1), NOT_CREATED], ids=["found", "absent"]
)
async def test_a_settled_outcome_takes_the_place_of_the_unknown_one_until_it_is_forgotten(
    world: World, entry: Any, outcome: Any
) -> None:
    unknown = entry("r1", unknown=True)
    settled = replace(unknown, outcome=outcome)
    await world.stream.publish(unknown)

    assert await world.stream.publish(settled)
    assert not await world.stream.publish(unknown)
    assert not await world.stream.publish(replace(settled, settled_at=0.0))

    assert await world.ends.read("w1", "r1") == UnknownOutcome(settled, "w1")
    await world.ends.forget("w1", "r1")
    assert await world.ends.some("w1", at_most=10) == []


async def test_a_settled_outcome_of_a_request_that_was_never_unknown_is_not_in_the_index(
    world: World, entry: Any
) -> None:
    await world.stream.publish(entry("r1"))

    assert await world.ends.some("w1", at_most=10) == []


async def test_an_unknown_outcome_after_a_settled_one_is_not_indexed(
    world: World, entry: Any
) -> None:
    await world.stream.publish(entry("r1"))

    assert not await world.stream.publish(entry("r1", unknown=True))

    assert await world.ends.some("w1", at_most=10) == []


async def test_an_unknown_outcome_keeps_its_first_entry(world: World, entry: Any) -> None:
    first = entry("r1", unknown=True)
    await world.stream.publish(first)
    await world.stream.publish(replace(first, settled_at=first.settled_at + 60))

    assert await world.ends.read("w1", "r1") == UnknownOutcome(first, "w1")


async def test_an_expired_unknown_outcome_is_gone(world: World, entry: Any) -> None:
    await world.stream.publish(entry("r1", unknown=True))
    await world.ends.forget("w1", "r1")

    assert await world.ends.read("w1", "r1") is None


@pytest.mark.parametrize("server_name", ["valkey", "cluster"])
async def test_accepting_an_account_too_late_replaces_no_settled_entry(
    request: pytest.FixtureRequest, server_name: str, clock: MemoryClock, entry: Any
) -> None:
    """The outcome settles between the read of the unknown entry and its replacement."""
    async with connect_async(request.getfixturevalue(server_name).url) as redis:
        world, settled = RedisWorld(redis, clock), entry("r1")
        await world.stream.publish(entry("r1", unknown=True))
        read = redis.hget

        async def read_before_it_settles(*asked: Any) -> Any:
            found = await read(*asked)
            await world.stream.publish(settled)
            return found

        redis.hget = read_before_it_settles
        await world.ends.accept_account("w1", "r1", ACCOUNT)

        assert await world.ends.read("w1", "r1") == UnknownOutcome(settled, "w1")


UNREADABLE = {
    "no JSON": "nonsense",
    "no object": "[]",
    "another's": '{"v": 2}',
    "an error that is a list": '{"error": []}',
    "an error that is a text": '{"error": "no"}',
    "a response that is a list": '{"response": [1]}',
}


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE)
async def test_an_unreadable_unknown_outcome_is_reported_by_doctor(
    valkey: Any, clock: MemoryClock, entry: Any, text: str
) -> None:
    async with connect_async(valkey.url) as redis:
        world = RedisWorld(redis, clock)
        await world.stream.publish(entry("r1", unknown=True))
        await redis.hset(keys.unknown("w1"), "r2", text)
        limits = MemoryLimitBoard(MemoryLimiter(clock), MemoryKeyBreakers(clock))
        backlog, doubts = RedisBacklog(redis, clock), RedisDoubts(redis, clock)
        doctor = Doctor(backlog, world.ends, MemoryQueueDepths(), limits, doubts, clock)
        findings = (await doctor.examine(older_than_s=-1)).findings

    reasons = {one.request_id: one.reason for one in findings if one.reason in UNKNOWN_OUTCOMES}
    assert reasons == {"r1": Reason.UNKNOWN, "r2": Reason.UNREADABLE}


async def test_at_most_the_given_number_is_returned(world: World, entry: Any) -> None:
    for number in range(20):
        await world.stream.publish(entry(f"r{number}", unknown=True))

    drawn = await world.ends.some("w1", at_most=5)

    assert len(set(drawn)) == 5


async def test_a_request_is_open_from_its_first_attempt_to_its_outcome(
    world: World, entry: Any, envelope: Any, clock: MemoryClock
) -> None:
    accepted_at = clock.now_s()
    clock.advance(10)
    await open_send(world, envelope("r1", accepted_at=accepted_at))
    await open_send(world, envelope("r1", accepted_at=accepted_at + 5))
    assert await world.open("w1") == {"r1": accepted_at}

    await world.stream.publish(entry("r1"))
    assert await world.open("w1") == {}


@pytest.mark.parametrize("unknown", [False, True])
async def test_a_send_after_the_outcome_opens_no_request(
    world: World, entry: Any, envelope: Any, unknown: bool
) -> None:
    await world.stream.publish(entry("r1", unknown=unknown))
    await open_send(world, envelope("r1"))

    assert await world.open("w1") == {}


async def test_a_producer_s_clock_that_is_ahead_hides_no_request(
    world: World, envelope: Any, clock: MemoryClock
) -> None:
    await open_send(world, envelope("r1", accepted_at=clock.now_s() + 1e6))

    assert await world.open("w1") == {"r1": clock.now_s()}


async def test_a_producer_s_clock_that_is_far_behind_hides_no_request(
    world: World, envelope: Any, clock: MemoryClock
) -> None:
    """Every note drops requests that are older than Redis' memory, but no request that still waits for its deadline."""
    noted_at = clock.now_s()
    await open_send(world, envelope("r1", accepted_at=1.0))
    clock.advance(LONGEST_DEADLINE_S)
    await open_send(world, envelope("r2", accepted_at=clock.now_s()))

    assert await world.open("w1") == {
        "r1": noted_at - OLDEST_OPEN_S,
        "r2": clock.now_s(),
    }


@pytest.fixture(params=["valkey", "cluster"])
def store(
    request: pytest.FixtureRequest, clock: MemoryClock
) -> Iterator[tuple[RedisRequestStore, Any]]:
    client = connect(request.getfixturevalue(request.param).url)
    yield RedisRequestStore(client, clock), client
    client.close()


@pytest.fixture
def claim(envelope: Any) -> Any:
    def make(request_id: str) -> Claim:
        return claim_of(envelope(request_id), "local", 0.0)

    return make


def test_a_request_that_the_api_accepted_is_open(
    store: tuple[RedisRequestStore, Any], claim: Any, clock: MemoryClock
) -> None:
    api, redis = store
    api.mark_queued([claim("r1"), claim("r2")])

    assert dict(redis.zrange("pd:{w1}:open", 0, -1, withscores=True)) == {
        "r1": clock.now_s(),
        "r2": clock.now_s(),
    }
    assert redis.zrange("pd:looks", 0, -1) == ["w1"]


def test_a_request_that_is_open_for_longer_than_redis_memory_is_dropped(
    store: tuple[RedisRequestStore, Any], claim: Any, clock: MemoryClock
) -> None:
    api, redis = store
    api.mark_queued([claim("r1")])
    clock.advance(REMEMBER_S + 1)
    api.mark_queued([claim("r2")])

    assert redis.zrange("pd:{w1}:open", 0, -1) == ["r2"]
    assert 0 < redis.ttl("pd:{w1}:open") <= REMEMBER_S


def test_a_late_write_of_the_api_opens_no_request(
    store: tuple[RedisRequestStore, Any], claim: Any
) -> None:
    """The queue was quicker, so the outcome is already on the stream."""
    api, redis = store
    redis.set(keys.seen("w1", "r1"), "settled")
    api.mark_queued([claim("r1")])

    assert redis.exists("pd:{w1}:open") == 0


def test_an_api_without_accepted_requests_writes_nothing(
    store: tuple[RedisRequestStore, Any],
) -> None:
    api, redis = store
    api.mark_queued([])

    assert redis.exists("pd:looks") == 0


@pytest.fixture(params=["valkey", "cluster"])
async def server(request: pytest.FixtureRequest, clock: MemoryClock) -> AsyncIterator[RedisWorld]:
    redis = connect_async(request.getfixturevalue(request.param).url)
    yield RedisWorld(redis, clock)
    await redis.aclose()


async def test_a_worker_without_unknown_outcomes_is_forgotten_after_a_while(
    server: RedisWorld, clock: MemoryClock, entry: Any
) -> None:
    """The entry of a worker that was just noted may not be written yet."""
    await server.stream.publish(entry("r1", unknown=True))
    await server.stream.publish(entry("r1"))
    await server.ends.forget("w1", "r1")
    for _ in range(2):
        assert await server.ends.workers(at_most=10) == []
        assert await server.redis.exists(keys.UNKNOWN_WORKERS)
    clock.advance(GRACE_S + 1)
    assert await server.ends.workers(at_most=10) == []

    assert not await server.redis.exists(keys.UNKNOWN_WORKERS)


async def test_an_unknown_outcome_that_comes_as_its_worker_is_forgotten_is_found(
    server: RedisWorld, clock: MemoryClock, entry: Any
) -> None:
    await server.stream.publish(entry("r1", unknown=True))
    await server.stream.publish(entry("r1"))
    await server.ends.workers(at_most=10)
    clock.advance(GRACE_S + 1)
    await server.stream.publish(entry("r2", unknown=True))

    assert await server.ends.workers(at_most=10) == ["w1"]


async def test_reconcile_does_not_read_workers_without_an_unknown_outcome(
    server: RedisWorld, entry: Any
) -> None:
    for number in range(20):
        await server.stream.publish(entry(f"r{number}", worker_id=f"w{number}"))
    await server.stream.publish(entry("r20", worker_id="w7", unknown=True))

    assert await server.redis.zrange(keys.UNKNOWN_WORKERS, 0, -1) == ["w7"]
    assert await server.ends.workers(at_most=1) == ["w7"]


async def test_the_time_at_which_metadata_was_unset_is_found_by_each_name_of_the_account(
    world: World, clock: MemoryClock
) -> None:
    by_another_key = replace(ACCOUNT, key_sha256="two")
    by_hash_alone = replace(ACCOUNT, account_id=None)
    assert await world.ends.metadata_unset_at(ACCOUNT) is None
    await world.requests.note_unset_metadata(ACCOUNT)
    clock.advance(5)
    await world.requests.note_unset_metadata(by_hash_alone)
    assert await world.ends.metadata_unset_at(by_another_key) == clock.now_s() - 5
    assert await world.ends.metadata_unset_at(ACCOUNT) == clock.now_s()
    assert await world.ends.metadata_unset_at(replace(ACCOUNT, mode="live")) is None


async def test_a_connected_account_has_one_name_whichever_key_acts_in_it(world: World) -> None:
    await world.requests.note_unset_metadata(replace(ACCOUNT, stripe_account="acct_c"))
    by_context = replace(ACCOUNT, key_sha256="two", stripe_context="acct_2/acct_c")
    assert await world.ends.metadata_unset_at(by_context) is not None
    assert await world.ends.metadata_unset_at(ACCOUNT) is None
