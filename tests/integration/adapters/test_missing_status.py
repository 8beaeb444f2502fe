"""A published outcome without a status: the status is written later, from the entry on the stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.adapters.slot_worlds import DONE, REFUSED, SlotsWorld, claim_for, entry_of

from paydispatch.adapters.redis import keys
from paydispatch.adapters.redis.connection import connect_async
from paydispatch.adapters.redis.streams.outcomes import RedisOutcomes
from paydispatch.services.calls.publish_outcome import publish_outcome, write_missing_status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from paydispatch.domain.outcomes import Outcome
    from paydispatch.ports import OutcomeStream, RequestSlots

CLAIM = claim_for()


class Ports:
    """The ports of publishing an outcome."""

    def __init__(self, slots: SlotsWorld) -> None:
        self.requests: RequestSlots = slots.requests
        self.outcomes: OutcomeStream = slots.outcomes
        self.doorbell = Silent()


class Silent:
    """A doorbell that does not ring."""

    async def ring(self, worker_id: str) -> None: ...


@pytest.mark.parametrize("outcome", [DONE, REFUSED])
async def test_a_missing_status_is_written_from_the_published_entry(
    slots: SlotsWorld, outcome: Outcome
) -> None:
    await slots.requests.claim(CLAIM)
    await publish_outcome(Ports(slots), entry_of(CLAIM, outcome), "w1")
    written = slots.store.get("r1")
    killed = claim_for("r2")
    await slots.requests.claim(killed)
    await slots.outcomes.publish(entry_of(killed, outcome))

    await write_missing_status(Ports(slots), "w1", "r2")

    mended = slots.store.get("r2")
    assert written is not None
    assert mended is not None
    for name in ("status", "parsed_data", "parsed_error", "attempts"):
        assert getattr(mended, name) == getattr(written, name)


async def test_a_second_outcome_never_replaces_the_status_of_the_first(slots: SlotsWorld) -> None:
    await slots.requests.claim(CLAIM)
    await slots.outcomes.publish(entry_of(CLAIM, DONE))

    assert not await publish_outcome(Ports(slots), entry_of(CLAIM, REFUSED), "w1")

    record = slots.store.get("r1")
    assert record is not None
    assert record.status == "succeeded"


@pytest.fixture(params=["valkey", "cluster"])
async def redis(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    client = connect_async(request.getfixturevalue(request.param).url)
    yield client
    await client.aclose()


async def test_a_settled_request_whose_entry_is_trimmed_is_still_settled(
    redis: Any, entry: Any
) -> None:
    outcomes = RedisOutcomes(redis, queue_tenant="local")
    await outcomes.publish(entry("r1"))
    await redis.delete(keys.outcomes("w1"))

    assert await outcomes.is_settled("w1", "r1")
    assert await outcomes.last_entry("w1", "r1") is None


async def test_the_seen_mark_names_the_settled_entry_and_not_the_unknown_one_before_it(
    redis: Any, entry: Any
) -> None:
    outcomes = RedisOutcomes(redis, queue_tenant="local")
    await outcomes.publish(entry("r1", unknown=True))
    await outcomes.publish(entry("r1"))

    last = (await redis.xrevrange(keys.outcomes("w1"), count=1))[0][0]
    assert await redis.get(keys.seen("w1", "r1")) == f"settled {last}"
