"""The doorbell on SQS: it sends few rings for many outcomes and never raises."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.stub import Stubber

from paydispatch.adapters.redis.streams.doorbell import SqsDoorbell

if TYPE_CHECKING:
    from paydispatch.testing.memory_event_log import MemoryEventLog


@pytest.fixture
def sqs(aws: Any) -> Any:
    return aws("sqs")


@pytest.fixture
def doorbell(sqs: Any, log: MemoryEventLog) -> SqsDoorbell:
    url = sqs.create_queue(QueueName="doorbell")["QueueUrl"]
    return SqsDoorbell(sqs, url, log)


@pytest.fixture
def rings(sqs: Any) -> list[str]:
    """The workers of all rings, in order."""
    sent: list[str] = []
    sqs.meta.events.register(
        "provide-client-params.sqs.SendMessage",
        lambda params, **_: sent.append(json.loads(params["MessageBody"])["worker_id"]),
    )
    return sent


async def test_a_ring_names_its_worker(doorbell: SqsDoorbell, rings: list[str]) -> None:
    await doorbell.ring("w1")
    await doorbell.ring("w2")

    assert rings == ["w1", "w2"]


async def test_a_hundred_rings_of_one_moment_become_one_message(
    doorbell: SqsDoorbell, rings: list[str]
) -> None:
    await asyncio.gather(*(doorbell.ring("w1") for _ in range(100)))

    assert rings == ["w1"]


async def test_a_lost_ring_is_logged_and_raises_nothing(
    doorbell: SqsDoorbell, sqs: Any, log: MemoryEventLog
) -> None:
    with Stubber(sqs) as stub:
        stub.add_client_error("send_message", "ThrottlingException")
        await doorbell.ring("w1")

    assert log.events() == ["doorbell.lost"]


async def test_the_doorbell_rings_again_after_a_lost_ring(
    doorbell: SqsDoorbell, sqs: Any, rings: list[str]
) -> None:
    with Stubber(sqs) as stub:
        stub.add_client_error("send_message", "ThrottlingException")
        await doorbell.ring("w1")
    rings.clear()

    await doorbell.ring("w1")

    assert rings == ["w1"]
