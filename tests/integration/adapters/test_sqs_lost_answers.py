"""A send to SQS ends in one of three ways: accepted, refused, or unknown because the answer was lost."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

from paydispatch.adapters.aws.errors import CLIENT_CONFIG, SEND_CONFIG
from paydispatch.adapters.aws.sqs import SqsQueue
from paydispatch.adapters.aws.sqs_sends import SEND_ATTEMPTS, Message
from paydispatch.domain.errors import MaybeAccepted, Unavailable
from paydispatch.domain.requests import Lane
from paydispatch.local.listening import free_port
from paydispatch.local.settings import local_aws

if TYPE_CHECKING:
    from collections.abc import Mapping

IMPATIENT = SEND_CONFIG.merge(Config(read_timeout=0.2))
SAID_BY_AWS = "User: arn:aws:iam::123456789012:user/shop is not authorized"
REFUSED = {"__type": "com.amazonaws.sqs#AccessDeniedException", "message": SAID_BY_AWS}
MESSAGES = [Message("r0", "body-0"), Message("r1", "body-1")]


@pytest.fixture
def sqs_at(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make a queue that uses the SQS at a URL."""
    for name, value in local_aws("").items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL")

    def make(url: str, config: Config = IMPATIENT, **bounds: float) -> SqsQueue:
        client = boto3.client("sqs", endpoint_url=url, config=config)
        return SqsQueue(client, dict.fromkeys(Lane, f"{url}/queue"), **bounds)

    return make


@pytest.fixture
def sqs(wire: Any) -> Any:
    """The server with prepared answers."""
    return wire[0]


@pytest.fixture
def queue(wire: Any, sqs_at: Any) -> SqsQueue:
    made: SqsQueue = sqs_at(wire[1])
    return made


async def send(queue: SqsQueue, messages: Any = MESSAGES) -> Mapping[str, Unavailable]:
    """Send in a thread, as the Dispatcher does."""
    return await asyncio.to_thread(queue.send_messages, {Lane.INTERACTIVE: messages})


def success(*entry_ids: str) -> dict[str, Any]:
    taken = [{"Id": id_, "MessageId": "m", "MD5OfMessageBody": "x"} for id_ in entry_ids]
    return {"Successful": taken}


def cut_answer(wire_answer: Any, said: bytes = b"") -> Any:
    """Make an answer that ends after these bytes."""
    return type(wire_answer(200, b""))(said, then=lambda writer: writer.close())


def bodies(sqs: Any) -> list[list[str]]:
    """Return the messages of each call."""
    calls = [json.loads(call.body)["Entries"] for call in sqs.received]
    return [[entry["MessageBody"] for entry in entries] for entries in calls]


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n",
        b"no HTTP\r\n\r\n",
    ],
    ids=["closed", "cut off", "cut off in the head", "no HTTP"],
)
async def test_a_cut_off_answer_makes_the_messages_unknown(
    sqs: Any, queue: SqsQueue, wire_answer: Any, said: bytes
) -> None:
    sqs.answers = iter([cut_answer(wire_answer, said)] * SEND_ATTEMPTS)

    assert [type(why) for why in (await send(queue)).values()] == [MaybeAccepted] * 2


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>sign in</html>"),
        (200, b""),
        (200, b"{}"),
        (200, b"[]"),
        (200, b"\xff\xfe"),
        (500, b"{}"),
        (500, {"__type": "InternalFailure"}),
        (502, b"<html>"),
        (503, {"__type": "ServiceUnavailable"}),
    ],
)
async def test_an_unclear_answer_makes_the_messages_unknown(
    sqs: Any, queue: SqsQueue, wire_answer: Any, status: int, body: Any
) -> None:
    sqs.answers = iter([wire_answer(status, body)] * SEND_ATTEMPTS)

    assert [type(why) for why in (await send(queue)).values()] == [MaybeAccepted] * 2


async def test_a_timeout_makes_the_messages_unknown(
    sqs: Any, queue: SqsQueue, wire_answer: Any
) -> None:
    sqs.answers = iter([wire_answer(200, success("0", "1"), after_s=60)] * SEND_ATTEMPTS)

    assert [type(why) for why in (await send(queue)).values()] == [MaybeAccepted] * 2


@pytest.mark.parametrize("status", [400, 403, 404, 413, 429])
async def test_a_refusal_by_sqs_is_certain(
    sqs: Any, queue: SqsQueue, wire_answer: Any, status: int
) -> None:
    sqs.answers = iter([wire_answer(status, REFUSED)] * SEND_ATTEMPTS)

    assert [type(why) for why in (await send(queue)).values()] == [Unavailable] * 2


async def test_a_connection_that_was_never_made_is_certain(sqs_at: Any) -> None:
    queue = sqs_at(f"http://127.0.0.1:{free_port()}")

    assert [type(why) for why in (await send(queue)).values()] == [Unavailable] * 2


async def test_without_credentials_nothing_was_sent(
    wire: Any, sqs_at: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)

    assert [type(why) for why in (await send(sqs_at(wire[1]))).values()] == [Unavailable] * 2
    assert wire[0].received == []


async def test_an_accepted_repeat_settles_a_lost_answer(
    sqs: Any, queue: SqsQueue, wire_answer: Any
) -> None:
    sqs.answers = iter([cut_answer(wire_answer), wire_answer(200, success("0", "1"))])

    assert await send(queue) == {}
    assert bodies(sqs) == [["body-0", "body-1"]] * 2


@pytest.mark.parametrize(
    "refusal",
    [
        REFUSED,
        {
            "Failed": [
                {"Id": id_, "SenderFault": False, "Code": "InternalError"} for id_ in ("0", "1")
            ]
        },
    ],
    ids=["the call", "each message"],
)
async def test_a_refused_repeat_leaves_a_lost_answer_unknown(
    sqs: Any, queue: SqsQueue, wire_answer: Any, refusal: Any
) -> None:
    status = 200 if "Failed" in refusal else 403
    sqs.answers = iter([cut_answer(wire_answer), *[wire_answer(status, refusal)] * SEND_ATTEMPTS])

    assert [type(why) for why in (await send(queue)).values()] == [MaybeAccepted] * 2


async def test_a_message_that_the_answer_does_not_list_is_unknown(
    sqs: Any, queue: SqsQueue, wire_answer: Any
) -> None:
    sqs.answers = iter([wire_answer(200, success("1"))])

    assert {id_: type(why) for id_, why in (await send(queue)).items()} == {"r0": MaybeAccepted}


async def test_two_messages_of_one_id_are_unknown_if_one_of_them_is(
    sqs: Any, queue: SqsQueue, wire_answer: Any
) -> None:
    refused = {"Failed": [{"Id": "1", "SenderFault": False, "Code": "InternalError"}]}
    sqs.answers = iter([wire_answer(200, refused)])

    why = await send(queue, [Message("r0", "one body"), Message("r0", "another")])

    assert type(why["r0"]) is MaybeAccepted


async def test_a_silent_sqs_is_waited_for_once_and_not_once_per_batch(
    wire: Any, sqs_at: Any, wire_answer: Any
) -> None:
    wire[0].answers = iter([wire_answer(200, {}, after_s=60)] * 100)
    queue = sqs_at(wire[1], begin_within_s=0.3)

    why = await send(queue, [Message(f"r{n}", "body") for n in range(60)])

    assert len(wire[0].received) <= SEND_ATTEMPTS
    assert [type(why[f"r{n}"]) for n in (0, 9)] == [MaybeAccepted] * 2
    assert [type(why[f"r{n}"]) for n in range(50, 60)] == [Unavailable] * 10


async def test_aws_s_message_about_its_users_goes_only_to_the_log(
    sqs: Any, queue: SqsQueue, wire_answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    sqs.answers = iter([wire_answer(403, REFUSED)] * SEND_ATTEMPTS)

    why = await send(queue)

    assert str(why["r0"]) == "SQS did not accept the message (AccessDeniedException)."
    assert SAID_BY_AWS in caplog.text


def test_a_client_with_its_own_retries_is_refused(sqs_at: Any) -> None:
    with pytest.raises(ValueError, match="SEND_CONFIG"):
        sqs_at("http://127.0.0.1:1", CLIENT_CONFIG)
