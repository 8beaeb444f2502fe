"""SQS event in, partial batch response out."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from tests.unit.examples import message_text
from tests.unit.handlers.conftest import Context
from tests.unit.services.conftest import Caller

from paydispatch.handlers.stripe_caller import work_on
from paydispatch.testing.memory_event_log import MemoryEventLog

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paydispatch.services.call_batch import Message

EVENTS = Path(__file__).parents[2] / "events"


def record(id_: str, body: str, *, receive_count: int = 1) -> dict[str, Any]:
    return {
        "messageId": id_,
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": str(receive_count),
            "SentTimestamp": "1795381200000",
            "ApproximateFirstReceiveTimestamp": "1795381260500",
        },
    }


class Service:
    """A stand-in for `BatchCall` that records its messages and returns `kept`."""

    def __init__(self, *kept: str) -> None:
        self.kept = list(kept)
        self.messages: list[Message] = []
        self.ends_at = 0.0

    async def call(self, messages: Sequence[Message], *, ends_at: float) -> list[str]:
        self.messages, self.ends_at = list(messages), ends_at
        return self.kept


async def handle(event: dict[str, Any], service: Any, left_ms: int = 60_000) -> Any:
    context: Any = Context(left_ms)
    return await work_on(event, context, service, MemoryEventLog())


async def test_the_answer_names_the_messages_to_keep() -> None:
    event = {"Records": [record("m-1", "a"), record("m-2", "b")]}
    assert await handle(event, Service("m-2")) == {"batchItemFailures": [{"itemIdentifier": "m-2"}]}


async def test_an_answer_without_failures_acknowledges_all() -> None:
    event = {"Records": [record("m-1", "a")]}
    assert await handle(event, Service()) == {"batchItemFailures": []}


async def test_a_record_becomes_a_message_in_seconds() -> None:
    service = Service()
    await handle({"Records": [record("m-1", "a", receive_count=4)]}, service)
    (message,) = service.messages
    assert (message.message_id, message.body, message.receive_count) == ("m-1", "a", 4)
    assert message.sent_at == 1795381200.0


@pytest.mark.parametrize(
    ("queue", "exhausted"),
    [("pd-ExhaustedQueue-1", True), ("pd-RequestQueue-1", False), ("ExhaustedQueue-1", False)],
)
async def test_a_record_of_the_exhausted_queue_is_known_by_the_queue_s_name(
    queue: str, exhausted: bool
) -> None:
    service, context = Service(), Context(60_000)
    arn = f"arn:aws:sqs:us-east-1:123456789012:{queue}"
    event = {"Records": [{**record("m-1", "a"), "eventSourceARN": arn}]}

    await work_on(
        event, cast("Any", context), cast("Any", service), MemoryEventLog(),
        exhausted_queue="pd-ExhaustedQueue-1",
    )  # fmt: skip

    assert service.messages[0].exhausted is exhausted


async def test_without_an_exhausted_queue_no_record_is_from_it() -> None:
    service = Service()
    await handle({"Records": [record("m-1", "a")]}, service)
    assert not service.messages[0].exhausted


async def test_a_record_without_attributes_is_taken_as_new() -> None:
    service = Service()
    await handle({"Records": [{"messageId": "m-1", "body": "a"}]}, service)
    assert service.messages[0].receive_count == 1
    assert service.messages[0].sent_at > 1_600_000_000


@pytest.mark.parametrize("name", ["sqs_create.json", "sqs_batch_mixed.json"])
async def test_the_example_events_are_read(name: str) -> None:
    event = json.loads((EVENTS / name).read_text())
    service = Service()
    assert await handle(event, service) == {"batchItemFailures": []}
    assert len(service.messages) == len(event["Records"])


async def test_an_exception_in_a_port_never_leaves_the_handler() -> None:
    caller: Any = Caller()
    caller.clock.advance(time.time() - caller.clock.now_s())  # as the invocation's end
    caller.outcomes = None  # every use of it raises
    event = {"Records": [record("m-1", message_text()), record("m-2", "nonsense")]}
    answer = await handle(event, caller.service())
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m-1"}]}
    assert caller.log.counts["MessageFailed"] == 1
