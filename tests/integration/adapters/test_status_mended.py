"""A request whose outcome was published, and whose status was not: the next delivery of its message writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from paydispatch.adapters import redis_keys as keys
from paydispatch.adapters.redis_connection import connect_async
from paydispatch.adapters.redis_outcomes import RedisOutcomes
from paydispatch.domain.outcomes import Certainty, Error, ErrorKind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

REFUSED = Error(
    kind=ErrorKind.API, message="No.", attempts=1, certainty=Certainty.NOT_CREATED, code="refused"
)


@pytest.fixture(params=["valkey", "cluster"])
async def redis(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    client = connect_async(request.getfixturevalue(request.param).url)
    yield client
    await client.aclose()


@pytest.fixture
def outcomes(redis: Any, clock: Any) -> RedisOutcomes:
    return RedisOutcomes(redis, clock, queue_tenant="local")


@pytest.mark.parametrize("ending", ["succeeded", "failed"])
async def test_a_duplicate_writes_the_status_a_killed_publisher_left_unwritten(
    outcomes: RedisOutcomes, redis: Any, entry: Any, envelope: Any, ending: str
) -> None:
    outcome = {"outcome": REFUSED} if ending == "failed" else {}
    await outcomes.begin(envelope("r1"))
    await outcomes.publish(entry("r1", **outcome))
    written = await redis.hgetall(keys.request("r1"))
    await redis.delete(keys.request("r1"))

    seen = await outcomes.begin(envelope("r1"))

    mended = await redis.hgetall(keys.request("r1"))
    assert seen.settled
    assert mended["status"] == ending
    for name in ("parsed_data", "parsed_error", "attempts"):
        assert mended.get(name) == written.get(name)


async def test_a_second_end_never_becomes_the_status_of_the_first(
    outcomes: RedisOutcomes, redis: Any, entry: Any
) -> None:
    await outcomes.publish(entry("r1"))
    await redis.delete(keys.request("r1"))

    assert not await outcomes.publish(entry("r1", outcome=REFUSED), sole="another")

    assert await redis.hget(keys.request("r1"), "status") == "succeeded"


async def test_a_settled_request_whose_entry_is_trimmed_is_still_a_duplicate(
    outcomes: RedisOutcomes, redis: Any, entry: Any, envelope: Any
) -> None:
    await outcomes.publish(entry("r1"))
    await redis.delete(keys.request("r1"), keys.outcomes("w1"))

    assert (await outcomes.begin(envelope("r1"))).settled


async def test_the_mark_names_the_entry_that_settles_and_not_the_provisional_one(
    outcomes: RedisOutcomes, redis: Any, entry: Any
) -> None:
    await outcomes.publish(entry("r1", unknown=True))
    await outcomes.publish(entry("r1"))

    last = (await redis.xrevrange(keys.outcomes("w1"), count=1))[0][0]
    assert await redis.get(keys.seen("w1", "r1")) == f"settled {last}"
