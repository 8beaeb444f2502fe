"""The look queue on SQS, tested with an SQS in this process."""

from __future__ import annotations

import time
from typing import Any

import pytest

from paydispatch.adapters.aws.look_queue import NoLookQueue, SqsAsyncLookQueue, SqsLookQueue
from paydispatch.domain.errors import Unavailable
from paydispatch.domain.looks.messages import EventMessage, LookMessage, read_look_message

LOOK = LookMessage(account="live acct_1", object="payment_intent", looks=1)
EVENT = EventMessage(
    event_id="evt_1",
    type="payment_intent.succeeded",
    request_id="pdr_1",
    account="acct_2",
    livemode=True,
    created=1.0,
    tenant="acme",
)


@pytest.fixture
def sqs(aws: Any) -> Any:
    return aws("sqs")


@pytest.fixture
def url(sqs: Any) -> str:
    return str(sqs.create_queue(QueueName="looks")["QueueUrl"])


def receive(sqs: Any, url: str, wait_s: int = 0) -> list[Any]:
    answer = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=wait_s, MaxNumberOfMessages=10)
    return [read_look_message(message["Body"]) for message in answer.get("Messages", [])]


def test_the_api_sends_an_event_that_the_reconciler_reads(sqs: Any, url: str) -> None:
    SqsLookQueue(sqs, url).send(EVENT)
    assert receive(sqs, url) == [EVENT]


async def test_a_look_arrives_after_its_delay(sqs: Any, url: str) -> None:
    sent_at = time.monotonic()
    await SqsAsyncLookQueue(sqs, url).send(LOOK, 0.4)
    assert receive(sqs, url, wait_s=10) == [LOOK]
    assert time.monotonic() - sent_at > 0.4


async def test_a_queue_that_does_not_exist_is_unavailable(sqs: Any, url: str) -> None:
    sqs.delete_queue(QueueUrl=url)
    with pytest.raises(Unavailable):
        await SqsAsyncLookQueue(sqs, url).send(LOOK, 0)
    with pytest.raises(Unavailable):
        SqsLookQueue(sqs, url).send(EVENT)


async def test_without_a_queue_nothing_is_sent() -> None:
    await NoLookQueue().send(LOOK, 10)
