"""Translates SQS messages to the event of a Lambda, and reads its partial batch response. No I/O."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageAttributeValueOutputTypeDef, MessageTypeDef


def queue_arn(queue_url: str, region: str) -> str:
    """Return the ARN of a queue: `http://host/000000000000/name` → `arn:aws:sqs:us-east-1:000000000000:name`."""
    account, name = urlsplit(queue_url).path.strip("/").split("/")[-2:]
    return f"arn:aws:sqs:{region}:{account}:{name}"


def sqs_event(messages: Iterable[MessageTypeDef], arn: str) -> dict[str, Any]:
    """Return the event of an SQS event source: `{"Records": [...]}`."""
    return {"Records": [_record(message, arn) for message in messages]}


def ids_to_delete(sent: Sequence[str], answer: object) -> set[str]:
    """Return the ids of `sent` that a partial batch response does not name as failed.

    The rules of AWS: without an answer, or without failures in it, every message is handled. Each `itemIdentifier`
    stays on the queue. An invalid answer, or one with an id that is not in `sent`, keeps the whole batch on the queue.
    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
    """
    if not answer:
        return set(sent)
    if not isinstance(answer, Mapping):
        return set()
    failures = answer.get("batchItemFailures") or []
    failed = [_identifier(failure) for failure in failures]
    if any(identifier not in sent for identifier in failed):
        return set()
    return set(sent) - {str(identifier) for identifier in failed}


def _identifier(failure: object) -> object:
    return failure.get("itemIdentifier") if isinstance(failure, Mapping) else None


def _record(message: MessageTypeDef, arn: str) -> dict[str, Any]:
    attributes = message.get("MessageAttributes", {})
    record = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": dict(message.get("Attributes", {})),
        "messageAttributes": {name: _attribute(value) for name, value in attributes.items()},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": arn.split(":")[3],
    }
    if md5 := message.get("MD5OfMessageAttributes"):
        record["md5OfMessageAttributes"] = md5
    return record


def _attribute(value: MessageAttributeValueOutputTypeDef) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "dataType": value["DataType"],
        "stringListValues": [],
        "binaryListValues": [],
    }
    if "StringValue" in value:
        shown["stringValue"] = value["StringValue"]
    if "BinaryValue" in value:
        shown["binaryValue"] = base64.b64encode(value["BinaryValue"]).decode()
    return shown
