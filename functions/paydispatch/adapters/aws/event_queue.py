"""The look queue on SQS, from the API's side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydispatch.adapters.aws.sqs_sends import SqsSends

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from paydispatch.domain.looks.messages import EventMessage


class SqsEventQueue:
    """`LookQueue`."""

    def __init__(self, sqs: SQSClient, queue_url: str) -> None:
        self._sends = SqsSends(sqs)
        self._queue_url = queue_url

    def send(self, event: EventMessage) -> None:
        self._sends.send_one(QueueUrl=self._queue_url, MessageBody=event.as_json())
