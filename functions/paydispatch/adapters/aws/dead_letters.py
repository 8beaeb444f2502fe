"""`DeadLetterQueue` on SQS: received messages are hidden for a while, and shown again as soon as we are done."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from paydispatch.adapters.aws.errors import unavailable_for_aws_errors
from paydispatch.domain.limits import QUEUE_BATCH_LIMIT
from paydispatch.domain.redrive import Parked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_sqs import SQSClient

HIDDEN_S = 300
"""While an operator's command looks through the queue. A command that is killed gives them back after it."""

WAIT_S = 1
"""A receive that does not wait asks a part of SQS' servers only, and may find nothing where something is."""


class SqsDeadLetters:
    def __init__(self, sqs: SQSClient, queue_url: str) -> None:
        self._sqs = sqs
        self._queue_url = queue_url

    async def receive(self) -> Sequence[Parked]:
        with unavailable_for_aws_errors():
            answer = await asyncio.to_thread(
                self._sqs.receive_message,
                QueueUrl=self._queue_url,
                MaxNumberOfMessages=QUEUE_BATCH_LIMIT,
                VisibilityTimeout=HIDDEN_S,
                WaitTimeSeconds=WAIT_S,
                MessageAttributeNames=["reason", "kind"],
                AttributeNames=["SentTimestamp", "ApproximateFirstReceiveTimestamp"],
            )
        return [_parked(message) for message in answer.get("Messages", [])]

    async def release(self, parked: Sequence[Parked]) -> None:
        for start in range(0, len(parked), QUEUE_BATCH_LIMIT):
            entries: list[Any] = [
                {"Id": str(number), "ReceiptHandle": one.receipt, "VisibilityTimeout": 0}
                for number, one in enumerate(parked[start : start + QUEUE_BATCH_LIMIT])
            ]
            with unavailable_for_aws_errors():
                await asyncio.to_thread(
                    self._sqs.change_message_visibility_batch,
                    QueueUrl=self._queue_url,
                    Entries=entries,
                )

    async def delete(self, parked: Parked) -> None:
        with unavailable_for_aws_errors():
            await asyncio.to_thread(
                self._sqs.delete_message, QueueUrl=self._queue_url, ReceiptHandle=parked.receipt
            )


def _parked(message: Any) -> Parked:
    attributes = message.get("Attributes", {})
    first_received = attributes.get("ApproximateFirstReceiveTimestamp")
    return Parked(
        message_id=message["MessageId"],
        receipt=message["ReceiptHandle"],
        body=message["Body"],
        sent_at=int(attributes["SentTimestamp"]) / 1000,
        first_received_at=int(first_received) / 1000 if first_received else None,
        reason=_said(message, "reason"),
        kind=_said(message, "kind"),
    )


def _said(message: Any, name: str) -> str | None:
    """What the Stripe caller noted on it; SQS itself notes nothing."""
    said: str | None = message.get("MessageAttributes", {}).get(name, {}).get("StringValue")
    return said
