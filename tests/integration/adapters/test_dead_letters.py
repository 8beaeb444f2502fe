"""The contract of `DeadLetterQueue`, for the twin and for SQS."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from paydispatch.adapters.aws.dead_letters import SqsDeadLetters
from paydispatch.local.settings import REGION
from paydispatch.testing.memory_operations import MemoryDeadLetters

if TYPE_CHECKING:
    from paydispatch.domain.operators.redrive import Parked
    from paydispatch.ports import DeadLetterQueue


class World(Protocol):
    dead_letters: DeadLetterQueue

    def put(self, body: str, **notes: str) -> None:
        """Add a message. `notes` are its `reason` and `kind`."""
        ...


class MemoryWorld:
    def __init__(self) -> None:
        self.dead_letters = MemoryDeadLetters()

    def put(self, body: str, **notes: str) -> None:
        self.dead_letters.put(body, sent_at=1.0, **notes)


class SqsWorld:
    def __init__(self, sqs: Any) -> None:
        self._sqs = sqs
        self._url = sqs.create_queue(QueueName="dead")["QueueUrl"]
        self.dead_letters = SqsDeadLetters(sqs, self._url)

    def put(self, body: str, **notes: str) -> None:
        named = {n: {"DataType": "String", "StringValue": note} for n, note in notes.items()}
        self._sqs.send_message(QueueUrl=self._url, MessageBody=body, MessageAttributes=named)


@pytest.fixture(params=["memory", "sqs"])
def world(request: pytest.FixtureRequest) -> World:
    if request.param == "memory":
        return MemoryWorld()
    return SqsWorld(request.getfixturevalue("aws")("sqs"))


async def receive_all(world: World) -> list[Parked]:
    found: list[Parked] = []
    while page := await world.dead_letters.receive():
        found += page
    return found


async def test_a_message_has_its_body_its_reason_its_kind_and_its_times(world: World) -> None:
    world.put("{}", reason="timeout", kind="http")
    world.put("[]")

    found = {one.body: one for one in await receive_all(world)}

    assert (found["{}"].reason, found["{}"].kind) == ("timeout", "http")
    assert (found["[]"].reason, found["[]"].kind) == (None, None)
    assert all(one.sent_at > 0 and one.receipt for one in found.values())


async def test_a_received_message_is_hidden_until_it_is_released(world: World) -> None:
    for number in range(25):
        world.put(str(number))

    first = await receive_all(world)
    assert len({one.message_id for one in first}) == 25
    assert await world.dead_letters.receive() == []

    await world.dead_letters.release(first)
    assert len(await receive_all(world)) == 25


async def test_a_deleted_message_is_gone(world: World) -> None:
    world.put("1")
    world.put("2")
    found = await receive_all(world)

    await world.dead_letters.delete(found[0])
    await world.dead_letters.release(found[1:])

    assert [one.body for one in await receive_all(world)] == [found[1].body]


async def test_releasing_no_messages_does_nothing(world: World) -> None:
    await world.dead_letters.release([])


class _SqsThatMovedOne:
    """Answers as SQS does for a message that it moved itself. moto 5.2 and MiniStack 1.4 move it without its source."""

    def receive_message(self, **asked: Any) -> dict[str, Any]:
        said = {"DataType": "String", "StringValue": "mine"}
        all_of_it = {"SentTimestamp": "1000", "DeadLetterQueueSourceArn": "arn:aws:sqs:x:1:asked"}
        attributes = {
            name: all_of_it[name] for name in asked["AttributeNames"] if name in all_of_it
        }
        message = {"MessageId": "m", "ReceiptHandle": "r", "Body": "{}", "Attributes": attributes}
        return {"Messages": [{**message, "MessageAttributes": {"reason": said, "kind": said}}]}


def test_moto_does_not_name_the_source_of_a_message_that_it_moved(aws: Any) -> None:
    """When it does, moto can take the place of `_SqsThatMovedOne`."""
    sqs = aws("sqs")
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    arn = f"arn:aws:sqs:{REGION}:123456789012:dead"
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})
    asked = sqs.create_queue(QueueName="asked", Attributes={"RedrivePolicy": policy})["QueueUrl"]
    sqs.send_message(QueueUrl=asked, MessageBody="{}")
    for _ in range(2):
        sqs.receive_message(QueueUrl=asked, VisibilityTimeout=0)

    (moved,) = sqs.receive_message(QueueUrl=dead, AttributeNames=["All"])["Messages"]

    assert "DeadLetterQueueSourceArn" not in moved["Attributes"]


async def test_a_message_that_sqs_moved_has_no_reason_although_its_producer_wrote_one() -> None:
    sqs: Any = _SqsThatMovedOne()

    (moved,) = await SqsDeadLetters(sqs, "url").receive()

    assert (moved.body, moved.reason, moved.kind) == ("{}", None, None)
