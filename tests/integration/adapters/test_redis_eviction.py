"""Every new connection to a Redis that evicts is refused, on real servers."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.adapters.slot_worlds import claim_for

from paydispatch.adapters.redis.connection import connect, connect_async, refuse_eviction
from paydispatch.adapters.redis.eviction import EvictionCheck
from paydispatch.adapters.redis.requests.request_store import RedisRequestStore
from paydispatch.adapters.redis.streams.outcomes import RedisOutcomes
from paydispatch.domain.errors import BadSetting, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paydispatch.testing.memory_clock import MemoryClock
    from paydispatch.testing.memory_event_log import MemoryEventLog

REFUSED = r"maxmemory-policy is volatile-lru.*noeviction.*REDIS_ALLOW_EVICTION=true"


@pytest.fixture(params=["valkey", "cluster"])
def url_of_evicting_redis(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a server with an eviction policy, with and without a memory limit."""
    server = request.getfixturevalue(request.param)
    server.tell_every_node("CONFIG", "SET", "maxmemory-policy", "volatile-lru")
    yield server.url
    server.tell_every_node("CONFIG", "SET", "maxmemory-policy", "noeviction")


@pytest.fixture
def hidden(valkey: Any) -> Iterator[str]:
    """The URL of a server that evicts, for a user that may not read its policy."""
    with valkey.admin() as admin:
        admin.config_set("maxmemory-policy", "volatile-lru")
        admin.acl_setuser(
            "hidden", enabled=True, nopass=True, keys="*", commands=["+@all", "-info"]
        )
        yield f"redis://hidden:any@127.0.0.1:{valkey.port}/0"
        admin.acl_deluser("hidden")
        admin.config_set("maxmemory-policy", "noeviction")


async def test_nothing_is_published_to_a_redis_that_evicts(
    url_of_evicting_redis: str, clock: MemoryClock, entry: Any
) -> None:
    client = connect_async(url_of_evicting_redis)
    outcomes = RedisOutcomes(client, queue_tenant="local")
    for _ in range(2):
        with pytest.raises(Unavailable, match=REFUSED):
            await outcomes.publish(entry("r1"))
    await client.aclose()


def test_nothing_is_claimed_in_a_redis_that_evicts(
    url_of_evicting_redis: str, clock: MemoryClock
) -> None:
    with contextlib.closing(connect(url_of_evicting_redis)) as client:
        for _ in range(2):
            with pytest.raises(Unavailable, match=REFUSED):
                RedisRequestStore(client, clock).claim([claim_for("r1")])


async def test_an_allowed_eviction_policy_is_logged_once(
    url_of_evicting_redis: str, clock: MemoryClock, log: MemoryEventLog, entry: Any
) -> None:
    client = connect_async(url_of_evicting_redis, EvictionCheck(allowed=True, log=log))
    outcomes = RedisOutcomes(client, queue_tenant="local")
    assert await outcomes.publish(entry("r1"))
    await client.connection_pool.disconnect() if hasattr(client, "connection_pool") else None
    assert await outcomes.publish(entry("r2"))
    await client.aclose()

    assert log.lines == [("redis.evicts", {"policy": "volatile-lru"})]


async def test_an_unreadable_eviction_policy_is_accepted_and_logged_once(
    hidden: str, clock: MemoryClock, log: MemoryEventLog, entry: Any
) -> None:
    client = connect_async(hidden, EvictionCheck(log=log))
    outcomes = RedisOutcomes(client, queue_tenant="local")
    assert await outcomes.publish(entry("r1"))
    await client.aclose()
    with contextlib.closing(connect(hidden)) as api:
        RedisRequestStore(api, clock).check()

    assert log.events() == ["redis.policy_hidden"]


def test_a_command_refuses_a_redis_that_evicts_at_its_start(url_of_evicting_redis: str) -> None:
    with pytest.raises(BadSetting, match=REFUSED):
        refuse_eviction(url_of_evicting_redis, allowed=False)

    refuse_eviction(url_of_evicting_redis, allowed=True)


@pytest.mark.parametrize("mode", ["", "?cluster=true"], ids=["alone", "cluster"])
def test_a_command_starts_while_redis_is_unavailable(mode: str) -> None:
    refuse_eviction(f"redis://127.0.0.1:1{mode}", allowed=False)
