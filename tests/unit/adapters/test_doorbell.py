"""`SqsDoorbell`: concurrent rings share a message, the last outcome always has one, and no failure is raised."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

from botocore.exceptions import ClientError, EndpointConnectionError

from paydispatch.adapters.redis.streams.doorbell import NoDoorbell, SqsDoorbell
from paydispatch.testing.memory_event_log import MemoryEventLog


class Sqs:
    """An SQS client that takes a message when `let` is set."""

    def __init__(self, *errors: Exception) -> None:
        self.sent: list[dict[str, Any]] = []
        self.let = threading.Event()
        self.let.set()
        self.begun = threading.Event()
        self._errors = list(errors)

    def send_message(self, **message: Any) -> None:
        self.begun.set()
        assert self.let.wait(10)
        self.sent.append(message)
        if self._errors:
            raise self._errors.pop(0)


def make_doorbell(sqs: Any, log: MemoryEventLog | None = None) -> SqsDoorbell:
    return SqsDoorbell(sqs, "https://queue.test/bells", log or MemoryEventLog())


async def test_a_ring_sends_the_name_of_the_worker() -> None:
    sqs = Sqs()
    await make_doorbell(sqs).ring("worker-1")
    (sent,) = sqs.sent
    assert sent["QueueUrl"] == "https://queue.test/bells"
    assert json.loads(sent["MessageBody"]) == {"worker_id": "worker-1"}


async def test_a_hundred_rings_of_one_turn_of_the_loop_send_one_message() -> None:
    sqs = Sqs()
    doorbell = make_doorbell(sqs)
    await asyncio.gather(*(doorbell.ring("worker-1") for _ in range(100)))
    assert len(sqs.sent) == 1


async def test_all_rings_while_a_message_is_being_sent_send_one_more() -> None:
    sqs = Sqs()
    sqs.let.clear()
    doorbell = make_doorbell(sqs)
    first = asyncio.create_task(doorbell.ring("worker-1"))
    await asyncio.to_thread(sqs.begun.wait, 10)
    later = [asyncio.create_task(doorbell.ring("worker-1")) for _ in range(100)]
    await asyncio.sleep(0)
    sqs.let.set()
    await asyncio.gather(first, *later)
    assert len(sqs.sent) == 2  # the second one is sent after the last outcome was published


async def test_each_worker_gets_a_message_of_its_own() -> None:
    sqs = Sqs()
    doorbell = make_doorbell(sqs)
    await asyncio.gather(doorbell.ring("worker-1"), doorbell.ring("worker-2"))
    rung = {json.loads(sent["MessageBody"])["worker_id"] for sent in sqs.sent}
    assert rung == {"worker-1", "worker-2"}


async def test_a_ring_after_a_finished_ring_sends_a_message() -> None:
    sqs = Sqs()
    doorbell = make_doorbell(sqs)
    await doorbell.ring("worker-1")
    await doorbell.ring("worker-1")
    assert len(sqs.sent) == 2


async def test_a_failed_ring_is_logged_and_the_next_one_sends_a_message() -> None:
    refused = ClientError({"Error": {"Code": "Throttled", "Message": "slow"}}, "SendMessage")
    sqs = Sqs(refused, EndpointConnectionError(endpoint_url="https://queue.test"))
    log = MemoryEventLog()
    doorbell = make_doorbell(sqs, log)
    for _ in range(3):
        await doorbell.ring("worker-1")
    assert log.events() == ["doorbell.lost", "doorbell.lost"]
    assert len(sqs.sent) == 3


async def test_the_class_no_doorbell_sends_nothing() -> None:
    await NoDoorbell().ring("worker-1")
