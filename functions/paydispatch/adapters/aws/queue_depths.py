"""`QueueDepths` on SQS."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from paydispatch.adapters.aws.errors import unavailable_for_aws_errors
from paydispatch.ports import QueueDepth

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mypy_boto3_sqs import SQSClient


class SqsDepths:
    """`queue_urls`: what each queue is called in the report, and its URL."""

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
        held = answer["Attributes"]
        return QueueDepth(
            name=name,
            waiting=int(held["ApproximateNumberOfMessages"]),
            in_flight=int(held["ApproximateNumberOfMessagesNotVisible"]),
            delayed=int(held["ApproximateNumberOfMessagesDelayed"]),
        )
