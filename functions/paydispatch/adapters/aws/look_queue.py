"""The look queue on SQS. Its messages are small, and they hold no key and no object."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from paydispatch.adapters.aws.sqs_sends import SqsSends

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from paydispatch.domain.looks.messages import EventMessage, LookMessage


class SqsLookQueue:
    """`LookQueue` on SQS, for threads."""

    def __init__(self, sqs: SQSClient, queue_url: str) -> None:
        self._sends = SqsSends(sqs)
        self._queue_url = queue_url

    def send(self, event: EventMessage) -> None:
        self._sends.send_one(QueueUrl=self._queue_url, MessageBody=event.as_json())


class SqsAsyncLookQueue:
    """`AsyncLookQueue` on SQS, for an event loop."""

    def __init__(self, sqs: SQSClient, queue_url: str) -> None:
        self._sends = SqsSends(sqs)
        self._queue_url = queue_url

    async def send(self, message: LookMessage | EventMessage, delay_s: float) -> None:
        """Send the message with DelaySeconds, rounded up."""
        await asyncio.to_thread(
            self._sends.send_one,
            QueueUrl=self._queue_url,
            MessageBody=message.as_json(),
            DelaySeconds=math.ceil(delay_s),
        )


class NoLookQueue:
    """An `AsyncLookQueue` that sends nothing. Then only the hourly sweep looks."""

    async def send(self, message: LookMessage | EventMessage, delay_s: float) -> None:
        """Do nothing, because the index in Redis holds the request for the sweep."""
