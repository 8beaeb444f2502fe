"""Doorbells: an empty "look at the stream". The outcome itself is on the stream; a lost ring costs only time."""

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
    """No doorbell but the one the publishing script rings in Redis: for workers that listen there."""

    async def ring(self, worker_id: str) -> None:
        """Nothing to do: whoever listens has heard it already."""


class SqsDoorbell:
    """Wakes the flow runner through a queue of its own. A hundred outcomes of one worker in flight ring twice."""

    def __init__(self, sqs: SQSClient, queue_url: str, log: EventLog) -> None:
        self._sqs = sqs
        self._queue_url = queue_url
        self._log = log
        self._ringing: dict[str, bool] = {}
        """Workers whose ring is on its way, and whether another is asked for after it."""

    async def ring(self, worker_id: str) -> None:
        if worker_id in self._ringing:
            self._ringing[worker_id] = True
            return
        self._ringing[worker_id] = True
        try:
            while self._ringing[worker_id]:
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
