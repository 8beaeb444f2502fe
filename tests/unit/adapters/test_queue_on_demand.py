"""A queue that is made when a flow first dispatches."""

from __future__ import annotations

import asyncio

import pytest
from botocore.exceptions import NoRegionError
from tests.unit.examples import envelope

from paydispatch.adapters.queue_on_demand import QueueOnDemand
from paydispatch.domain.errors import Unavailable
from paydispatch.domain.outcomes import ErrorKind
from paydispatch.testing.memory_queues import MemoryAsyncQueue

ENVELOPE = envelope()


async def test_nothing_is_made_before_the_first_use() -> None:
    made: list[MemoryAsyncQueue] = []

    QueueOnDemand(lambda: _make(made))

    assert made == []


async def test_it_is_made_once_for_concurrent_uses() -> None:
    made: list[MemoryAsyncQueue] = []
    queue = QueueOnDemand(lambda: _make(made))

    others = [envelope(request_id=f"req_{number}") for number in range(5)]
    await asyncio.gather(*(queue.send([other]) for other in others))

    (real,) = made
    assert len(real.sent) == 5


async def test_it_defers_and_parks_as_the_real_queue_does() -> None:
    real, expected = MemoryAsyncQueue(), MemoryAsyncQueue()

    for queue in (QueueOnDemand(lambda: real), expected):
        await queue.defer(ENVELOPE, 3.0, group="a")
        await queue.park("{", reason="not JSON", kind=ErrorKind.DISPATCHER)

    assert vars(real) == vars(expected)


async def test_a_queue_that_cannot_be_made_is_unavailable_and_the_next_use_tries_again() -> None:
    real = MemoryAsyncQueue()
    results = [NoRegionError(), real]

    def connect() -> MemoryAsyncQueue:
        result = results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    queue = QueueOnDemand(connect)
    with pytest.raises(Unavailable, match="NoRegionError"):
        await queue.send([ENVELOPE])
    await queue.send([ENVELOPE])

    assert len(real.sent) == 1


def _make(made: list[MemoryAsyncQueue]) -> MemoryAsyncQueue:
    made.append(MemoryAsyncQueue())
    return made[-1]
