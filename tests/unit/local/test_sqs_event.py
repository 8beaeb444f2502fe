"""The event that Lambda's SQS event source makes of messages, and the effect of a partial batch response."""

from typing import TYPE_CHECKING

import pytest

from paydispatch.local.lambdas.sqs_event import ids_to_delete, queue_arn, sqs_event

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageTypeDef

_ARN = "arn:aws:sqs:us-east-1:000000000000:requests"
_SENT = ["a", "b", "c"]


def _message() -> "MessageTypeDef":
    return {
        "MessageId": "m",
        "ReceiptHandle": "r",
        "Body": "{}",
        "MD5OfBody": "5",
        "Attributes": {"ApproximateReceiveCount": "2", "MessageGroupId": "g"},
        "MessageAttributes": {
            "text": {"DataType": "String", "StringValue": "v"},
            "bytes": {"DataType": "Binary", "BinaryValue": b"\xff"},
        },
    }


def test_a_queue_url_gives_its_arn() -> None:
    assert queue_arn("http://127.0.0.1:4566/000000000000/requests", "us-east-1") == _ARN


def test_a_message_becomes_a_record_with_lambdas_names() -> None:
    (record,) = sqs_event([_message()], _ARN)["Records"]
    assert record == {
        "messageId": "m",
        "receiptHandle": "r",
        "body": "{}",
        "attributes": {"ApproximateReceiveCount": "2", "MessageGroupId": "g"},
        "messageAttributes": record["messageAttributes"],
        "md5OfBody": "5",
        "eventSource": "aws:sqs",
        "eventSourceARN": _ARN,
        "awsRegion": "us-east-1",
    }


def test_message_attributes_are_typed_and_bytes_are_base64() -> None:
    (record,) = sqs_event([_message()], _ARN)["Records"]
    text, data = record["messageAttributes"]["text"], record["messageAttributes"]["bytes"]
    assert (text["dataType"], text["stringValue"]) == ("String", "v")
    assert (data["dataType"], data["binaryValue"]) == ("Binary", "/w==")


@pytest.mark.parametrize(
    "answer", [None, {}, {"batchItemFailures": []}, {"batchItemFailures": None}]
)
def test_an_answer_without_failures_deletes_the_whole_batch(answer: object) -> None:
    assert ids_to_delete(_SENT, answer) == {"a", "b", "c"}


def test_a_listed_message_stays() -> None:
    answer = {"batchItemFailures": [{"itemIdentifier": "b"}]}
    assert ids_to_delete(_SENT, answer) == {"a", "c"}


@pytest.mark.parametrize(
    "failure",
    [
        {"itemIdentifier": ""},
        {"itemIdentifier": None},
        {"itemIdentifier": "unknown"},
        {"messageId": "b"},
        "b",
    ],
)
def test_a_failure_that_names_no_message_of_the_batch_keeps_the_whole_batch(
    failure: object,
) -> None:
    answer = {"batchItemFailures": [{"itemIdentifier": "a"}, failure]}
    assert ids_to_delete(_SENT, answer) == set()


def test_an_answer_that_is_not_an_object_keeps_the_batch() -> None:
    assert ids_to_delete(_SENT, "done") == set()
