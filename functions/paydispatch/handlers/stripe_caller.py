"""Translate an SQS event into one service call, and its result into a partial batch response."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from paydispatch.services.call_batch import Message
from paydispatch.services.refuse_events import queue_messages, refuse_event

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools.utilities.typing import LambdaContext

    from paydispatch.ports import EventLog
    from paydispatch.services.call_batch import BatchCall


async def work_on(
    event: Mapping[str, Any],
    context: LambdaContext,
    service: BatchCall,
    log: EventLog,
    *,
    exhausted_queue: str | None = None,
) -> dict[str, Any]:
    """Work on the messages, and return the ids of those that SQS must keep. An empty list acknowledges all.

    `exhausted_queue` names the queue to which SQS moves a message after its last receive. Raises `UnexpectedEvent`.
    """
    records = queue_messages(event)
    if records is None:
        raise refuse_event(event, takes="messages of an SQS queue", log=log)
    messages = [_message(record, exhausted_queue) for record in records]
    ends_at = time.time() + context.get_remaining_time_in_millis() / 1000
    kept = await service.call(messages, ends_at=ends_at)
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in kept]}


def _message(record: Mapping[str, Any], exhausted_queue: str | None) -> Message:
    attributes = record.get("attributes", {})
    return Message(
        message_id=record["messageId"],
        body=record["body"],
        receive_count=int(attributes.get("ApproximateReceiveCount", 1)),
        sent_at=_seconds(attributes.get("SentTimestamp")),
        exhausted=exhausted_queue is not None and _queue_of(record) == exhausted_queue,
    )


def _queue_of(record: Mapping[str, Any]) -> str:
    """Return the name of the queue: `arn:aws:sqs:us-east-1:123456789012:name` is `name`."""
    return str(record.get("eventSourceARN", "")).rpartition(":")[2]


def _seconds(milliseconds: str | None) -> float:
    return int(milliseconds) / 1000 if milliseconds else time.time()
