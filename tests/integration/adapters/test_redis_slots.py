"""The request's slot on Redis: keys that expire, keys that share a hash tag, and answers that get lost."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.adapters.slot_worlds import (
    DOUBT,
    LATE,
    SlotsWorld,
    account_for,
    claim_for,
    entry_of,
    redis_world,
    send_for,
)

from paydispatch.adapters.redis import keys
from paydispatch.adapters.redis.connection import connect, connect_async
from paydispatch.adapters.redis.requests.request_store import RedisRequestStore
from paydispatch.adapters.redis.scripts import digest, script
from paydispatch.domain.claims import Go, SendEnd
from paydispatch.domain.errors import Unavailable
from paydispatch.domain.limits import REMEMBER_S
from paydispatch.local.listening import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from paydispatch.testing.memory_clock import MemoryClock

    Touch = Callable[[SlotsWorld], Awaitable[object]]

CLAIM = claim_for()
AN_HOUR_S = 3_600


@pytest.fixture(params=["valkey", "cluster"])
def url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param).url)


@pytest.fixture
async def redis(url: str) -> AsyncIterator[Any]:
    client = connect_async(url)
    yield client
    await client.aclose()


@pytest.fixture
async def on_redis(url: str) -> AsyncIterator[SlotsWorld]:
    async with redis_world(url) as world:
        yield world


async def put(slots: SlotsWorld, end: SendEnd) -> None:
    await slots.requests.end_send(CLAIM, "t1", end)


TOUCHES: dict[str, Touch] = {
    "claim": lambda slots: slots.requests.claim(CLAIM),
    "the API's claim": lambda slots: asyncio.to_thread(slots.store.claim, [CLAIM]),
    "the note that it is queued": lambda slots: asyncio.to_thread(slots.store.mark_queued, [CLAIM]),
    "send": lambda slots: slots.requests.send(CLAIM, send_for("t2")),
    "refused": lambda slots: put(slots, SendEnd.REFUSED),
    "not connected": lambda slots: put(slots, SendEnd.NOT_CONNECTED),
    "unknown": lambda slots: put(slots, SendEnd.UNKNOWN),
    "retrying": lambda slots: slots.requests.mark_retrying(CLAIM, 0.0, attempts=1),
    "status": lambda slots: slots.requests.write_status(entry_of(CLAIM, DOUBT)),
    "account": lambda slots: slots.requests.accept_account(CLAIM, account_for()),
}


@pytest.mark.parametrize("touch", TOUCHES.values(), ids=TOUCHES.keys())
async def test_every_touch_keeps_both_keys_of_a_request_for_25_days(
    on_redis: SlotsWorld, redis: Any, touch: Touch
) -> None:
    names = [keys.request("r1"), keys.sends("r1")]
    await on_redis.requests.claim(CLAIM)
    for token in ("t0", "t1"):
        await on_redis.requests.send(CLAIM, send_for(token))
    for name in names:
        await redis.expire(name, AN_HOUR_S)

    await touch(on_redis)

    for name in names:
        assert REMEMBER_S - AN_HOUR_S < await redis.ttl(name) <= REMEMBER_S


async def test_a_close_keeps_the_request_for_25_days(on_redis: SlotsWorld, redis: Any) -> None:
    await on_redis.requests.claim(CLAIM)
    await redis.expire(keys.request("r1"), AN_HOUR_S)

    await on_redis.requests.close(CLAIM, LATE)

    assert await redis.ttl(keys.request("r1")) > REMEMBER_S - AN_HOUR_S


async def test_another_request_under_a_used_id_does_not_keep_the_slot_alive(
    on_redis: SlotsWorld, redis: Any
) -> None:
    await on_redis.requests.claim(CLAIM)
    await redis.expire(keys.request("r1"), AN_HOUR_S)

    await on_redis.requests.claim(replace(CLAIM, fingerprint="f1:other"))

    assert await redis.ttl(keys.request("r1")) <= AN_HOUR_S


@pytest.mark.parametrize(("tenant", "slot"), [("local", "r1"), ("acme", "acme r1")])
async def test_the_keys_are_those_of_the_contract(
    on_redis: SlotsWorld, redis: Any, tenant: str, slot: str
) -> None:
    claim = claim_for(tenant=tenant)
    await on_redis.requests.claim(claim)
    await on_redis.requests.send(claim, send_for())

    assert {f"pd:req:{{{slot}}}", f"pd:req:{{{slot}}}:sends"} <= set(await redis.keys())


async def test_a_queued_request_s_worker_is_found_by_a_sweep(
    on_redis: SlotsWorld, redis: Any
) -> None:
    on_redis.store.mark_queued([CLAIM, claim_for(tenant="acme")])

    assert await redis.zrange(keys.LOOKS, 0, -1) == ["acme w1", "w1"]


async def test_a_send_whose_answer_was_lost_is_asked_for_again_and_begins_once(
    lossy: Any, valkey: Any
) -> None:
    way, url = lossy
    async with redis_world(url) as slots:
        await slots.requests.claim(CLAIM)
        with valkey.admin() as admin:
            admin.script_load(script("send"))
        way.lose_answer_to(digest("send").encode())
        answer = await asyncio.wait_for(send_until_answered(slots), 5)

        state = await slots.requests.find(CLAIM)
    assert way.lost == 1
    assert isinstance(answer, Go)
    assert state is not None
    assert (state.open_sends, state.first_sent_at) == (1, answer.first_sent_at)


async def send_until_answered(slots: SlotsWorld) -> object:
    """As a delivery does, under one token: a few times."""
    for _ in range(3):
        with contextlib.suppress(Unavailable):
            return await slots.requests.send(CLAIM, send_for())
    return await slots.requests.send(CLAIM, send_for())


@pytest.mark.parametrize("mode", ["", "?cluster=true"], ids=["alone", "cluster"])
def test_the_api_s_side_connects_when_it_is_used_and_is_unavailable_without_redis(
    clock: MemoryClock, mode: str
) -> None:
    with contextlib.closing(connect(f"redis://127.0.0.1:{free_port()}{mode}")) as client:
        store = RedisRequestStore(client, clock)

        for use in (lambda: store.get("r1"), lambda: store.claim([CLAIM])):
            with pytest.raises(Unavailable):
                use()


def test_the_api_s_side_works_again_after_redis_came_back(
    mortal_valkey: Any, clock: MemoryClock
) -> None:
    with contextlib.closing(connect(mortal_valkey.url)) as client:
        store, other = RedisRequestStore(client, clock), replace(CLAIM, fingerprint="f1:other")
        store.claim([CLAIM])

        mortal_valkey.kill()
        with pytest.raises(Unavailable):
            store.claim([other])
        mortal_valkey.start()

        assert not store.claim([other])[0].owned
