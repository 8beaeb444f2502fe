"""The request queues on SQS, for threads (`SqsQueue`) and for the event loop (`SqsDispatchQueue`)."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any

from paydispatch.adapters.aws_errors import unavailable_for_aws_errors
from paydispatch.domain.errors import Unavailable
from paydispatch.domain.units import QUEUE_BATCH_LIMIT, QUEUE_MESSAGE_LIMIT_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mypy_boto3_sqs import SQSClient

    from paydispatch.domain.envelope import Envelope
    from paydispatch.domain.outcomes import ErrorKind
    from paydispatch.domain.requests import Lane


class SqsQueue:
    """`Queue`: batches of at most ten entries and 1 MiB, as SQS takes them."""

    def __init__(self, sqs: SQSClient, queue_urls: Mapping[Lane, str]) -> None:
        self._sqs = sqs
        self._queue_urls = queue_urls

    def send(self, envelopes: Sequence[Envelope]) -> Mapping[str, Unavailable]:
        refused: dict[str, Unavailable] = {}
        for lane in self._queue_urls:
            messages = [(e.request_id, e.as_message()) for e in envelopes if e.lane is lane]
            refused |= self.send_messages(lane, messages)
        return refused

    def send_messages(
        self, lane: Lane, messages: Sequence[tuple[str, str]]
    ) -> dict[str, Unavailable]:
        """The same for (request_id, text) pairs of one lane."""
        refused: dict[str, Unavailable] = {}
        for batch in batches(messages):
            refused |= self._send_batch(self._queue_urls[lane], batch)
        return refused

    def _send_batch(
        self, queue_url: str, batch: Sequence[tuple[str, str]]
    ) -> dict[str, Unavailable]:
        """One call; what SQS or the way to it refused comes back as {request_id: why}."""
        entries: list[Any] = [
            {"Id": str(i), "MessageBody": body} for i, (_, body) in enumerate(batch)
        ]
        try:
            with unavailable_for_aws_errors():
                answer = self._sqs.send_message_batch(QueueUrl=queue_url, Entries=entries)
        except Unavailable as error:
            return {request_id: error for request_id, _ in batch}
        failed = answer.get("Failed", [])
        return {
            batch[int(entry["Id"])][0]: Unavailable(entry.get("Message") or entry["Code"])
            for entry in failed
        }


class SqsDispatchQueue:
    """`DispatchQueue`: the same client, in worker threads (boto3 clients are made for that)."""

    def __init__(
        self, sqs: SQSClient, queue_urls: Mapping[Lane, str], *, dead_letter_queue_url: str | None
    ) -> None:
        self._sqs = sqs
        self._queue = SqsQueue(sqs, queue_urls)
        self._queue_urls = queue_urls
        self._dead_letter_queue_url = dead_letter_queue_url

    async def send(self, envelopes: Sequence[Envelope]) -> None:
        refused = await asyncio.to_thread(self._queue.send, envelopes)
        if refused:
            raise Unavailable(
                f"SQS did not take {len(refused)} messages: {next(iter(refused.values()))}"
            )

    async def defer(self, envelope: Envelope, delay_s: float) -> None:
        await self._send_one(
            self._queue_urls[envelope.lane], envelope.as_message(), math.ceil(delay_s)
        )

    async def park(self, body: str, *, reason: str, kind: ErrorKind) -> None:
        if self._dead_letter_queue_url is None:
            raise Unavailable("There is no dead-letter queue: DEAD_LETTER_QUEUE_URL is not set.")
        attributes: Any = {
            name: {"DataType": "String", "StringValue": value}
            for name, value in (("reason", reason), ("kind", kind.value))
        }
        await self._send_one(self._dead_letter_queue_url, body, 0, MessageAttributes=attributes)

    async def _send_one(self, queue_url: str, body: str, delay_s: int, **more: Any) -> None:
        with unavailable_for_aws_errors():
            await asyncio.to_thread(
                self._sqs.send_message,
                QueueUrl=queue_url,
                MessageBody=body,
                DelaySeconds=delay_s,
                **more,
            )


def batches(messages: Sequence[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    """Cut (id, text) pairs into what one SendMessageBatch takes. The text is ASCII: characters are bytes."""
    batch: list[tuple[str, str]] = []
    size = 0
    for message in messages:
        if batch and (
            len(batch) == QUEUE_BATCH_LIMIT or size + len(message[1]) > QUEUE_MESSAGE_LIMIT_BYTES
        ):
            yield batch
            batch, size = [], 0
        batch.append(message)
        size += len(message[1])
    if batch:
        yield batch
