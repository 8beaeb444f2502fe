"""`QueueDepths` on SQS: the approximate numbers of messages among a queue's attributes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from paydispatch.adapters.aws.errors import unavailable_for_aws_errors
from paydispatch.ports import QueueDepth

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mypy_boto3_sqs import SQSClient


class SqsDepths:
    """Asks one queue after the other. `queue_urls` maps each queue's name in the report to its URL."""

    def __init__(self, sqs: SQSClient, queue_urls: Mapping[str, str]) -> None:
        self._sqs = sqs
        self._queue_urls = queue_urls

    async def depths(self) -> Sequence[QueueDepth]:
        return [await self._depth(name, url) for name, url in self._queue_urls.items()]

    async def _depth(self, name: str, url: str) -> QueueDepth:
        with unavailable_for_aws_errors():
            answer = await asyncio.to_thread(
                self._sqs.get_queue_attributes, QueueUrl=url, AttributeNames=["All"]
            )
        attributes = answer["Attributes"]
        return QueueDepth(
            name=name,
            waiting=int(attributes["ApproximateNumberOfMessages"]),
            in_flight=int(attributes["ApproximateNumberOfMessagesNotVisible"]),
            delayed=int(attributes["ApproximateNumberOfMessagesDelayed"]),
        )
