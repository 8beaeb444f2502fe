"""The connection pool after a restart of Redis, and with more concurrent callers than connections."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from redis import Redis

from paydispatch.adapters.redis.connection import CONNECTIONS, connect, connect_async

AT_ONCE = 4 * CONNECTIONS


async def failures(client: Any, count: int) -> list[object]:
    answers = await asyncio.gather(*(client.get("k") for _ in range(count)), return_exceptions=True)
    return [answer for answer in answers if answer is not None]


@pytest.mark.parametrize("mode", ["valkey", "cluster"])
async def test_every_caller_gets_its_answer_with_fewer_connections_than_callers(
    request: pytest.FixtureRequest, mode: str
) -> None:
    client = connect_async(request.getfixturevalue(mode).url)

    assert await failures(client, AT_ONCE) == []

    await client.aclose()


async def test_concurrent_first_callers_read_the_policy_of_a_cluster_once(cluster: Any) -> None:
    """If each read it from each node, a start with many calls would open many connections, and some would time out."""
    cluster.tell_every_node("CONFIG", "RESETSTAT")
    client = connect_async(cluster.url)

    await failures(client, AT_ONCE)

    with Redis(port=cluster.port) as admin:
        assert admin.info("commandstats")["cmdstat_info"]["calls"] == 1
    await client.aclose()


async def test_no_command_fails_on_a_connection_from_before_a_restart(mortal_valkey: Any) -> None:
    client = connect_async(mortal_valkey.url)
    await failures(client, CONNECTIONS)
    await asyncio.to_thread(mortal_valkey.kill)
    await asyncio.to_thread(mortal_valkey.start)

    assert await failures(client, CONNECTIONS) == []

    await client.aclose()


def test_the_api_s_connection_survives_a_restart_too(mortal_valkey: Any) -> None:
    client = connect(mortal_valkey.url)
    assert client.get("k") is None
    mortal_valkey.kill()
    mortal_valkey.start()

    assert client.get("k") is None

    client.close()
