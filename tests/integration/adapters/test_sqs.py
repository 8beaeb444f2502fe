"""The queues on SQS, tested with an SQS in this process."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.stub import Stubber
from tests.unit.examples import FARTHEST

from paydispatch.adapters.aws.kms import KmsSealer
from paydispatch.adapters.aws.sqs import SqsAsyncQueue, SqsQueue
from paydispatch.adapters.aws.sqs_delivery import Clients, SqsDelivery
from paydispatch.adapters.aws.sqs_sends import SEND_ATTEMPTS, Message
from paydispatch.domain.credentials import StripeKey
from paydispatch.domain.envelope import Envelope, check_size
from paydispatch.domain.errors import InvalidParams, Unavailable
from paydispatch.domain.identity.principal import QUEUE
from paydispatch.domain.limits import COPY_ROOM_BYTES, QUEUE_MESSAGE_LIMIT_BYTES
from paydispatch.domain.message.groups import group_of_account, group_of_credential
from paydispatch.domain.message.read_message import read_message
from paydispatch.domain.outcomes import ErrorKind
from paydispatch.domain.requests import Lane, OperationRequest
from paydispatch.domain.stripe.operations import operation_named
from paydispatch.sdk.delivery import PreparedRequest

if TYPE_CHECKING:
    from paydispatch.testing.memory_clock import MemoryClock

MEBIBYTE = 1024 * 1024


@pytest.fixture
def sqs(aws: Any) -> Any:
    return aws("sqs")


@pytest.fixture
def urls(sqs: Any) -> dict[Lane, str]:
    return {lane: sqs.create_queue(QueueName=lane.value)["QueueUrl"] for lane in Lane}


@pytest.fixture
def dead_letters(sqs: Any) -> str:
    return str(sqs.create_queue(QueueName="dead")["QueueUrl"])


@pytest.fixture
def batches(sqs: Any) -> list[Any]:
    """The entries of every SendMessageBatch call."""
    sent: list[Any] = []
    sqs.meta.events.register(
        "provide-client-params.sqs.SendMessageBatch",
        lambda params, **_: sent.append(params["Entries"]),
    )
    return sent


@pytest.fixture
def calls(sqs: Any) -> list[Any]:
    """The parameters of every SendMessage call."""
    sent: list[Any] = []
    sqs.meta.events.register(
        "provide-client-params.sqs.SendMessage", lambda params, **_: sent.append(params)
    )
    return sent


def receive_all(sqs: Any, url: str) -> list[Any]:
    messages = []
    while answer := sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
    ).get("Messages"):
        messages += answer
    return messages


def test_each_lane_has_its_queue(sqs: Any, urls: Any, envelope: Any) -> None:
    sent = [envelope("r1"), envelope("r2", lane=Lane.BATCH), envelope("r3")]

    assert SqsQueue(sqs, urls).send(sent) == {}

    bodies = {
        lane: [message["Body"] for message in receive_all(sqs, url)] for lane, url in urls.items()
    }
    assert bodies == {
        Lane.INTERACTIVE: [sent[0].as_message(), sent[2].as_message()],
        Lane.BATCH: [sent[1].as_message()],
    }


def test_a_received_message_equals_the_sent_one(sqs: Any, urls: Any, envelope: Any) -> None:
    sent = envelope("r1", params={"name": "Tee für \u2028 \U0001f375 & <zwei>"})
    SqsQueue(sqs, urls).send([sent])

    (message,) = receive_all(sqs, urls[Lane.INTERACTIVE])

    assert read_message(message["Body"], message_id="m", sent_at=0.0) == sent


def test_a_batch_has_ten_entries_at_most(sqs: Any, urls: Any, envelope: Any, batches: Any) -> None:
    SqsQueue(sqs, urls).send([envelope(f"r{n}") for n in range(25)])

    assert [len(entries) for entries in batches] == [10, 10, 5]


def test_a_batch_has_one_mebibyte_at_most(sqs: Any, urls: Any, batches: Any) -> None:
    sizes = [400_000, 400_000, 400_000, QUEUE_MESSAGE_LIMIT_BYTES, 1, QUEUE_MESSAGE_LIMIT_BYTES - 1]
    messages = [Message(f"r{n}", "x" * size) for n, size in enumerate(sizes)]

    assert SqsQueue(sqs, urls).send_messages({Lane.INTERACTIVE: messages}) == {}
    assert [len(entries) for entries in batches] == [2, 1, 1, 2]
    assert all(sum(len(e["MessageBody"]) for e in entries) <= MEBIBYTE for entries in batches)


def test_each_message_of_a_batch_has_the_group_of_its_account(
    sqs: Any, urls: Any, envelope: Any, batches: Any
) -> None:
    sent = [envelope("r1", stripe_account="acct_1"), envelope("r2", worker_id="w2")]

    assert SqsQueue(sqs, urls).send(sent) == {}

    (entries,) = batches
    assert [entry["MessageGroupId"] for entry in entries] == [one.group for one in sent]


def test_a_message_without_a_known_group_has_none(sqs: Any, urls: Any, batches: Any) -> None:
    SqsQueue(sqs, urls).send_messages({Lane.BATCH: [Message("r1", "x")]})

    assert batches == [[{"Id": "0", "MessageBody": "x"}]]


def stub_answers(sqs: Any, *answers: Any) -> Stubber:
    """Make SQS give these answers to SendMessageBatch in order. A string is an error code."""
    stub = Stubber(sqs)
    for answer in answers:
        if isinstance(answer, str):
            stub.add_client_error("send_message_batch", answer, "no")
        else:
            stub.add_response("send_message_batch", answer)
    return stub


def test_the_refused_messages_of_a_batch_are_reported_and_the_rest_is_sent(
    sqs: Any, urls: Any, envelope: Any
) -> None:
    taken = {"Id": "0", "MessageId": "m", "MD5OfMessageBody": "x"}
    refused = {"Id": "1", "SenderFault": False, "Code": "InternalError", "Message": "not now"}
    with stub_answers(sqs, {"Successful": [taken], "Failed": [refused]}):
        result = SqsQueue(sqs, urls).send([envelope("r1"), envelope("r2")])

    assert {id_: str(why) for id_, why in result.items()} == {
        "r2": "SQS did not accept the message (InternalError)."
    }
    assert type(result["r2"]) is Unavailable


def test_a_failed_call_refuses_only_its_own_batch(sqs: Any, urls: Any, envelope: Any) -> None:
    taken = [{"Id": str(n), "MessageId": "m", "MD5OfMessageBody": "x"} for n in range(2)]
    with stub_answers(
        sqs, *["RequestThrottled"] * SEND_ATTEMPTS, {"Successful": taken, "Failed": []}
    ):
        refused = SqsQueue(sqs, urls).send([envelope(f"r{n}") for n in range(12)])

    assert sorted(refused) == sorted(f"r{n}" for n in range(10))


async def test_sending_from_the_event_loop_is_all_or_unavailable(
    sqs: Any, urls: Any, envelope: Any
) -> None:
    queue = SqsAsyncQueue(sqs, urls, dead_letter_queue_url=None)
    with stub_answers(sqs, "ThrottlingException"), pytest.raises(Unavailable):
        await queue.send([envelope("r1")])


@pytest.mark.parametrize(("delay_s", "sent_s"), [(0.2, 1), (30.0, 30), (899.5, 900)])
async def test_a_deferred_copy_waits_on_its_lane_s_queue(
    sqs: Any, urls: Any, envelope: Any, calls: list[Any], delay_s: float, sent_s: int
) -> None:
    copy = envelope("r1", lane=Lane.BATCH)

    await SqsAsyncQueue(sqs, urls, dead_letter_queue_url=None).defer(copy, delay_s)

    (call,) = calls
    assert (call["QueueUrl"], call["DelaySeconds"]) == (urls[Lane.BATCH], sent_s)
    assert call["MessageBody"] == copy.as_message()
    assert call["MessageGroupId"] == copy.group
    assert receive_all(sqs, urls[Lane.BATCH]) == []


async def test_a_deferred_copy_has_the_group_that_the_caller_names(
    sqs: Any, urls: Any, envelope: Any, calls: list[Any]
) -> None:
    queue = SqsAsyncQueue(sqs, urls, dead_letter_queue_url=None)

    await queue.defer(envelope("r1"), 1.0, group=group_of_account("live acct_1"))

    (call,) = calls
    assert call["MessageGroupId"] == group_of_account("live acct_1")


async def test_a_parked_message_has_no_group(
    sqs: Any, urls: Any, dead_letters: str, calls: list[Any]
) -> None:
    queue = SqsAsyncQueue(sqs, urls, dead_letter_queue_url=dead_letters)

    await queue.park("{}", reason="expired", kind=ErrorKind.HTTP)

    assert "MessageGroupId" not in calls[0]


async def test_a_parked_message_carries_its_reason(sqs: Any, urls: Any, dead_letters: str) -> None:
    queue = SqsAsyncQueue(sqs, urls, dead_letter_queue_url=dead_letters)

    await queue.park("not an envelope", reason="message_not_json", kind=ErrorKind.DISPATCHER)

    (message,) = receive_all(sqs, dead_letters)
    assert message["Body"] == "not an envelope"
    assert message["MessageAttributes"]["reason"]["StringValue"] == "message_not_json"
    assert message["MessageAttributes"]["kind"]["StringValue"] == "dispatcher"


LONGEST_CODE = "payment_method_microdeposit_verification_descriptor_code_mismatch"
"""Stripe's, and with that the longest `reason`."""


async def test_the_largest_message_that_is_accepted_can_still_be_deferred_and_parked(
    sqs: Any, urls: Any, dead_letters: str, envelope: Any, calls: list[Any]
) -> None:
    accepted = as_large_as_accepted(envelope)
    copy = accepted.at(FARTHEST)
    queue = SqsAsyncQueue(sqs, urls, dead_letter_queue_url=dead_letters)

    await queue.defer(copy, 900)
    await queue.park(copy.as_message(), reason=LONGEST_CODE, kind=ErrorKind.DISPATCHER)

    deferred, parked = map(size_in_sqs, calls)
    assert deferred < parked <= QUEUE_MESSAGE_LIMIT_BYTES
    assert parked - len(accepted.as_message()) < COPY_ROOM_BYTES / 2


def as_large_as_accepted(envelope: Any) -> Envelope:
    room = (
        QUEUE_MESSAGE_LIMIT_BYTES
        - COPY_ROOM_BYTES
        - len(envelope(params={"name": ""}).as_message())
    )
    accepted: Envelope = envelope(params={"name": "x" * room})
    check_size(accepted.as_message())
    return accepted


def size_in_sqs(call: Any) -> int:
    """Return the size that SQS counts: the body, and the name, type and value of each attribute."""
    attributes = call.get("MessageAttributes", {})
    return len(call["MessageBody"]) + sum(
        len(name) + len(attribute["DataType"]) + len(attribute["StringValue"])
        for name, attribute in attributes.items()
    )


@pytest.mark.parametrize("dead_letter_queue_url", [None, "http://127.0.0.1/none"])
async def test_parking_without_a_queue_is_unavailable(
    sqs: Any, urls: Any, dead_letter_queue_url: str | None
) -> None:
    queue = SqsAsyncQueue(sqs, urls, dead_letter_queue_url=dead_letter_queue_url)
    with pytest.raises(Unavailable):
        await queue.park("x", reason="y", kind=ErrorKind.HTTP)


@pytest.fixture
def delivery(aws: Any, sqs: Any, urls: Any, clock: MemoryClock) -> SqsDelivery:
    kms = aws("kms")
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    delivery = SqsDelivery(
        lambda: Clients(SqsQueue(sqs, urls), KmsSealer(kms, key_id, clock)), clock
    )
    delivery.open()
    return delivery


def request(**changed: Any) -> OperationRequest:
    fields = {
        "operation": operation_named("create_product"),
        "params": {"name": "Tea"},
        "worker_id": "w1",
        "context_id": "c1",
        "credential": StripeKey("sk_test_visible"),
    }
    return OperationRequest(**{**fields, **changed})


def test_a_prepared_request_holds_the_key_sealed(delivery: SqsDelivery) -> None:
    prepared = delivery.prepare(request())

    assert "visible" not in prepared.text
    assert json.loads(prepared.text)["sealed_secret"].startswith("1.")


def test_the_sdk_sends_all_requests_of_a_key_in_one_group(
    delivery: SqsDelivery, batches: Any
) -> None:
    contexts = [request(context_id="c1"), request(context_id="c2", worker_id="w9")]

    delivery.deliver([delivery.prepare(one) for one in contexts])

    (entries,) = batches
    groups = {entry["MessageGroupId"] for entry in entries}
    assert groups == {group_of_credential(contexts[0].credential, QUEUE, (None, None))}


def test_the_same_key_makes_the_same_request(delivery: SqsDelivery) -> None:
    first, again = (delivery.prepare(request(idempotency_key="order-1")) for _ in range(2))

    assert first.request_id == again.request_id != delivery.prepare(request()).request_id


def test_parameters_stripe_refuses_are_refused_before_anything_is_sent(
    delivery: SqsDelivery,
) -> None:
    with pytest.raises(InvalidParams):
        delivery.prepare(request(params={"nome": "Tea"}))


def test_prepared_requests_are_delivered_to_their_lanes(
    delivery: SqsDelivery, sqs: Any, urls: Any
) -> None:
    prepared_requests = [delivery.prepare(request(lane=lane)) for lane in Lane]

    assert delivery.deliver(prepared_requests) == [
        prepared.request_id for prepared in prepared_requests
    ]
    assert [len(receive_all(sqs, url)) for url in urls.values()] == [1, 1]


def test_a_prepared_request_the_queue_did_not_take_can_be_tried_again(
    delivery: SqsDelivery, sqs: Any
) -> None:
    with stub_answers(sqs, "RequestThrottled"):
        (result,) = delivery.deliver([PreparedRequest("r1", "{}", Lane.BATCH, "sqs")])

    assert isinstance(result, Unavailable)
