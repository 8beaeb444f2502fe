"""`DeadLetterQueue` on SQS: a receive hides messages for a visibility timeout, and a release ends the timeout early."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from paydispatch.adapters.aws.errors import unavailable_for_aws_errors
from paydispatch.domain.limits import QUEUE_BATCH_LIMIT
from paydispatch.domain.operators.redrive import Parked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_sqs import SQSClient

HIDDEN_S = 300
"""The visibility timeout of a receive. If the operator's command is killed, SQS shows the messages again after it."""

WAIT_S = 1
"""Long polling. A receive that does not wait asks only some of SQS' servers, and may miss messages that are there."""


MOVED_BY_SQS = "DeadLetterQueueSourceArn"
"""SQS itself gives this attribute to each message that it moves, and no sender can."""


class SqsDeadLetters:
    """Receives, releases and deletes messages of the dead-letter queue with the blocking client in worker threads."""

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
                AttributeNames=[
                    "SentTimestamp",
                    "ApproximateFirstReceiveTimestamp",
                    MOVED_BY_SQS,  # type: ignore[list-item]
                ],
            )
        return [_parse_parked(message) for message in answer.get("Messages", [])]

    async def release(self, parked: Sequence[Parked]) -> None:
        """Set the visibility timeout of the messages to 0, in batches of ten."""
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


def _parse_parked(message: Any) -> Parked:
    attributes = message.get("Attributes", {})
    first_received = attributes.get("ApproximateFirstReceiveTimestamp")
    return Parked(
        message_id=message["MessageId"],
        receipt=message["ReceiptHandle"],
        body=message["Body"],
        sent_at=int(attributes["SentTimestamp"]) / 1000,
        first_received_at=int(first_received) / 1000 if first_received else None,
        reason=_read_attribute(message, "reason"),
        kind=_read_attribute(message, "kind"),
    )


def _read_attribute(message: Any, name: str) -> str | None:
    """Return a message attribute that the Stripe caller set. None: SQS itself moved the message.

    SQS keeps the attributes of a message that it moves. They are its producer's, who may write anything there.
    """
    if MOVED_BY_SQS in message.get("Attributes", {}):
        return None
    value: str | None = message.get("MessageAttributes", {}).get(name, {}).get("StringValue")
    return value
