"""The request queues on SQS, for threads (`SqsQueue`) and for the event loop (`SqsAsyncQueue`)."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any

from paydispatch.adapters.aws.sqs_sends import BEGIN_WITHIN_S, Message, SqsSends
from paydispatch.domain.errors import MaybeAccepted, Unavailable
from paydispatch.domain.limits import QUEUE_BATCH_LIMIT, QUEUE_MESSAGE_LIMIT_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mypy_boto3_sqs import SQSClient

    from paydispatch.domain.envelope import Envelope
    from paydispatch.domain.outcomes import ErrorKind
    from paydispatch.domain.requests import Lane


class SqsQueue:
    """`Queue` on SQS: one SendMessageBatch for at most ten entries and 1 MiB."""

    def __init__(
        self,
        sqs: SQSClient,
        queue_urls: Mapping[Lane, str],
        *,
        begin_within_s: float = BEGIN_WITHIN_S,
    ) -> None:
        self._sends = SqsSends(sqs, begin_within_s=begin_within_s)
        self._queue_urls = queue_urls

    def send(self, envelopes: Sequence[Envelope]) -> Mapping[str, Unavailable]:
        return self.send_messages(
            {
                lane: [
                    Message(e.request_id, e.as_message(), e.group)
                    for e in envelopes
                    if e.lane is lane
                ]
                for lane in self._queue_urls
            }
        )

    def send_messages(self, messages: Mapping[Lane, Sequence[Message]]) -> dict[str, Unavailable]:
        """Send messages by lane, all of them within one time limit. Return as `send` does."""
        until = self._sends.until()
        unconfirmed: dict[str, Unavailable] = {}
        for lane, of_lane in messages.items():
            for batch in batches(of_lane):
                results = self._sends.send_batch(self._queue_urls[lane], batch, until)
                for message, error in zip(batch, results, strict=True):
                    _note(unconfirmed, message.request_id, error)
        return unconfirmed


def _note(unconfirmed: dict[str, Unavailable], request_id: str, error: Unavailable | None) -> None:
    """Write down the error. Two messages may have one id, and then a `MaybeAccepted` of either is the id's error."""
    if error is not None and not isinstance(unconfirmed.get(request_id), MaybeAccepted):
        unconfirmed[request_id] = error


class SqsAsyncQueue:
    """`AsyncQueue` on SQS: the blocking client in worker threads, which is safe because boto3 clients are."""

    def __init__(
        self, sqs: SQSClient, queue_urls: Mapping[Lane, str], *, dead_letter_queue_url: str | None
    ) -> None:
        self._sends = SqsSends(sqs)
        self._queue = SqsQueue(sqs, queue_urls)
        self._queue_urls = queue_urls
        self._dead_letter_queue_url = dead_letter_queue_url

    async def send(self, envelopes: Sequence[Envelope]) -> None:
        unconfirmed = await asyncio.to_thread(self._queue.send, envelopes)
        if unconfirmed:
            raise Unavailable(
                f"SQS did not take {len(unconfirmed)} messages: {next(iter(unconfirmed.values()))}"
            )

    async def defer(self, envelope: Envelope, delay_s: float, *, group: str | None = None) -> None:
        """Send a copy with DelaySeconds, rounded up."""
        await self._send_one(
            self._queue_urls[envelope.lane],
            envelope.as_message(),
            math.ceil(delay_s),
            MessageGroupId=group or envelope.group,
        )

    async def park(self, body: str, *, reason: str, kind: ErrorKind) -> None:
        """Send the text to the dead-letter queue, with `reason` and `kind` as message attributes."""
        if self._dead_letter_queue_url is None:
            raise Unavailable("There is no dead-letter queue: DEAD_LETTER_QUEUE_URL is not set.")
        attributes: Any = {
            name: {"DataType": "String", "StringValue": value}
            for name, value in (("reason", reason), ("kind", kind.value))
        }
        await self._send_one(self._dead_letter_queue_url, body, 0, MessageAttributes=attributes)

    async def _send_one(self, queue_url: str, body: str, delay_s: int, **more: Any) -> None:
        await asyncio.to_thread(
            self._sends.send_one,
            QueueUrl=queue_url,
            MessageBody=body,
            DelaySeconds=delay_s,
            **more,
        )


def batches(messages: Sequence[Message]) -> Iterator[list[Message]]:
    """Cut messages into batches for SendMessageBatch. The text is ASCII, so that a character is a byte."""
    batch: list[Message] = []
    size = 0
    for message in messages:
        if batch and (
            len(batch) == QUEUE_BATCH_LIMIT or size + len(message.text) > QUEUE_MESSAGE_LIMIT_BYTES
        ):
            yield batch
            batch, size = [], 0
        batch.append(message)
        size += len(message.text)
    if batch:
        yield batch
