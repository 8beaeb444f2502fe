"""Doorbells: messages that make a flow runner read a worker's stream.

The outcome itself is on the stream, so a lost doorbell message only delays its flow.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from paydispatch.adapters.aws.errors import unavailable_for_aws_errors
from paydispatch.domain.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from paydispatch.ports import EventLog


class NoDoorbell:
    """A doorbell that sends nothing, for workers that listen to the Redis channel."""

    async def ring(self, worker_id: str) -> None:
        """Do nothing, because `publish.lua` has published on the channel already."""


class SqsDoorbell:
    """A doorbell that sends to the flow runner's own SQS queue.

    All rings for a worker in one turn of the loop become one message. Those that come while it is being sent become
    one more.
    """

    def __init__(self, sqs: SQSClient, queue_url: str, log: EventLog) -> None:
        self._sqs = sqs
        self._queue_url = queue_url
        self._log = log
        self._ringing: dict[str, bool] = {}
        """The workers for which a message is being sent, each with whether another must follow."""

    async def ring(self, worker_id: str) -> None:
        if worker_id in self._ringing:
            self._ringing[worker_id] = True
            return
        self._ringing[worker_id] = True
        try:
            while self._ringing[worker_id]:
                # The outcomes of one pipeline ring in the same turn of the loop, and share this message.
                await asyncio.sleep(0)
                self._ringing[worker_id] = False
                await self._send(worker_id)
        finally:
            del self._ringing[worker_id]

    async def _send(self, worker_id: str) -> None:
        body = json.dumps({"worker_id": worker_id})
        try:
            with unavailable_for_aws_errors():
                await asyncio.to_thread(
                    self._sqs.send_message, QueueUrl=self._queue_url, MessageBody=body
                )
        except Unavailable as error:
            self._log.warning("doorbell.lost", worker_id=worker_id, why=str(error))
