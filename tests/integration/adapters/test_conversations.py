"""The contract of `Conversations`, for Redis, for a cluster, and for the in-memory twin."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from paydispatch.adapters.redis import keys
from paydispatch.adapters.redis.connection import connect_async
from paydispatch.adapters.redis.conversations import RedisConversations
from paydispatch.domain.identity.slots import bare_name, slot_name
from paydispatch.domain.operators.erasure import Conversation, Erased
from paydispatch.testing.memory_conversations import (
    MemoryConversations,
    StoredOutcome,
    StoredRequest,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from paydispatch.ports import Conversations

ADA = Conversation(context_id="ada", tenant="queue")
BOB = Conversation(context_id="bob", tenant="queue")
ACME = Conversation(context_id="ada", tenant="acme")
GUARDS = {"fingerprint": "f", "tenant": "queue", "worker_id": "w", "repeats": "1"}


@dataclass
class World:
    """The port, and how a test writes into its store."""

    conversations: Conversations
    add_request: Callable[..., None]
    add_outcome: Callable[..., None]
    add_dead_flow: Callable[..., None]


def memory_world() -> World:
    memory = MemoryConversations()

    def add_request(slot: str, whose: Conversation, status: str) -> None:
        of = Conversation(context_id=whose.context_id, tenant=whose.tenant, worker_id="w")
        memory.stored[slot] = StoredRequest(of, settled=status in ("succeeded", "failed"))

    def add_to(streams: dict[str, list[StoredOutcome]]) -> Callable[..., None]:
        def add(worker: str, whose: Conversation, *, finished: bool = True) -> None:
            named = Conversation(
                context_id=whose.context_id, tenant=whose.tenant, worker_id=bare_name(worker)
            )
            streams.setdefault(worker, []).append(StoredOutcome(named, finished))

        return add

    return World(memory, add_request, add_to(memory.outcomes), add_to(memory.dead_flows))


def redis_world(admin: Any, redis: Any) -> World:
    def add_request(slot: str, whose: Conversation, status: str) -> None:
        said = {"parsed_data": "{}", "parsed_error": "{}", "message": "m", "status": status}
        named = {"context_id": whose.context_id, "tenant": whose.tenant}
        admin.hset(keys.request(slot), mapping={**GUARDS, **said, **named})
        admin.sadd(keys.sends(slot), "token")

    def add_outcome(worker: str, whose: Conversation, *, finished: bool = True) -> None:
        entry = json.dumps({"context_id": whose.context_id})
        id_ = admin.xadd(keys.outcomes(worker), {"entry": entry})
        if finished:
            admin.zadd(keys.finished(worker), {id_: int(str(id_).split("-")[0])})

    def add_dead_flow(worker: str, whose: Conversation) -> None:
        admin.xadd(keys.dead(worker), {"entry": json.dumps({"context_id": whose.context_id})})

    port = RedisConversations(redis, queue_tenant="queue")
    return World(port, add_request, add_outcome, add_dead_flow)


@pytest.fixture(params=["memory", "valkey", "cluster"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    if request.param == "memory":
        yield memory_world()
        return
    server = request.getfixturevalue(request.param)
    redis = connect_async(server.url)
    with server.admin() as admin:
        yield redis_world(admin, redis)
    await redis.aclose()


async def test_it_finds_the_requests_of_one_conversation(world: World) -> None:
    world.add_request("r1", ADA, "succeeded")
    world.add_request("r2", ADA, "retrying")
    world.add_request("r3", BOB, "succeeded")
    world.add_request("acme r1", ACME, "succeeded")
    assert sorted(await world.conversations.requests(ADA)) == ["r1", "r2"]
    assert await world.conversations.requests(ACME) == ["acme r1"]
    elsewhere = Conversation(context_id="ada", tenant="queue", worker_id="other")
    assert await world.conversations.requests(elsewhere) == []


async def test_it_finds_more_requests_than_a_page_holds(world: World) -> None:
    for number in range(1_200):
        world.add_request(f"r{number}", ADA if number % 2 else BOB, "succeeded")
    assert len(await world.conversations.requests(ADA)) == 600


@pytest.mark.parametrize(
    ("status", "found"),
    [
        ("succeeded", Erased(1)),
        ("failed", Erased(1)),
        ("unknown", Erased(left=1)),
        ("calling", Erased(left=1)),
    ],
)
async def test_only_a_settled_request_is_erased(world: World, status: str, found: Erased) -> None:
    world.add_request("r1", ADA, status)
    assert await world.conversations.erase_request("r1", ADA, write=False) == found
    assert await world.conversations.erase_request("r1", ADA, write=True) == found
    left = ["r1"] if found.left else []
    assert await world.conversations.requests(ADA) == left


async def test_a_request_of_another_conversation_is_not_erased(world: World) -> None:
    world.add_request("r1", BOB, "succeeded")
    assert await world.conversations.erase_request("r1", ADA, write=True) == Erased()
    assert await world.conversations.requests(BOB) == ["r1"]


async def test_the_guards_of_an_erased_request_stay(valkey: Any) -> None:
    redis = connect_async(valkey.url)
    with valkey.admin() as admin:
        world = redis_world(admin, redis)
        world.add_request("r1", ADA, "succeeded")
        await world.conversations.erase_request("r1", ADA, write=True)
        kept = {**GUARDS, "status": "succeeded", "context_id": ""}
        assert admin.hgetall(keys.request("r1")) == kept
        assert admin.smembers(keys.sends("r1")) == {"token"}
    await redis.aclose()


async def test_finished_outcomes_are_erased_and_unfinished_ones_are_left(world: World) -> None:
    for whose, finished in ((ADA, True), (ADA, False), (BOB, True), (ADA, True)):
        world.add_outcome("w", whose, finished=finished)
    found = Erased(2, 1)
    assert await world.conversations.erase_outcomes("w", ADA, write=False) == found
    assert await world.conversations.erase_outcomes("w", ADA, write=True) == found
    assert await world.conversations.erase_outcomes("w", ADA, write=True) == Erased(0, 1)
    assert await world.conversations.erase_outcomes("w", BOB, write=False) == Erased(1)


async def test_entries_from_before_the_time_at_which_all_are_finished_are_erased(
    valkey: Any,
) -> None:
    redis = connect_async(valkey.url)
    with valkey.admin() as admin:
        world = redis_world(admin, redis)
        world.add_outcome("w", ADA, finished=False)
        ((id_, _),) = admin.xrange(keys.outcomes("w"))
        made_at_ms = int(id_.split("-")[0])
        admin.set(keys.finished_before("w"), made_at_ms)
        assert await world.conversations.erase_outcomes("w", ADA, write=True) == Erased(0, 1)
        admin.set(keys.finished_before("w"), made_at_ms + 1)
        assert await world.conversations.erase_outcomes("w", ADA, write=True) == Erased(1)
    await redis.aclose()


async def test_dead_flows_are_erased(world: World) -> None:
    world.add_dead_flow("w", ADA)
    world.add_dead_flow("w", BOB)
    assert await world.conversations.erase_dead_flows("w", ADA, write=False) == Erased(1)
    assert await world.conversations.erase_dead_flows("w", ADA, write=True) == Erased(1)
    assert await world.conversations.erase_dead_flows("w", ADA, write=True) == Erased()
    assert await world.conversations.erase_dead_flows("w", BOB, write=False) == Erased(1)


async def test_it_finds_the_workers_of_a_tenant(world: World) -> None:
    world.add_outcome("w1", ADA)
    world.add_dead_flow("w2", ADA)
    world.add_outcome(slot_name("acme", "w1", "queue"), ACME)
    assert await world.conversations.workers(ADA) == ["w1", "w2"]
    assert await world.conversations.workers(ACME) == ["acme w1"]
    one = Conversation(context_id="ada", tenant="queue", worker_id="w2")
    assert await world.conversations.workers(one) == ["w2"]
