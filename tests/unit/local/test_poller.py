"""The poller against an in-memory queue with SQS's rules of receiving and deleting."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from paydispatch.local.poller import Poller

_URL = "http://127.0.0.1:1/000000000000/requests"


class MemorySqs:
    """The part of SQS that a poller uses. It gives and deletes ten messages at once, and hides received ones."""

    meta = SimpleNamespace(region_name="us-east-1")

    def __init__(self, count: int) -> None:
        self.visible = [f"m{number}" for number in range(count)]
        self.in_flight: list[str] = []
        self.waits_s: list[int] = []

    def receive_message(self, **call: Any) -> dict[str, Any]:
        self.waits_s.append(call["WaitTimeSeconds"])
        assert 1 <= call["MaxNumberOfMessages"] <= 10
        taken = self.visible[: call["MaxNumberOfMessages"]]
        del self.visible[: len(taken)]
        self.in_flight += taken
        messages = [
            {"MessageId": name, "ReceiptHandle": name, "Body": "{}", "MD5OfBody": ""}
            for name in taken
        ]
        return {"Messages": messages} if messages else {}

    def delete_message_batch(self, **call: Any) -> dict[str, Any]:
        assert len(call["Entries"]) <= 10
        for entry in call["Entries"]:
            self.in_flight.remove(entry["ReceiptHandle"])
        return {}


def _poller(sqs: MemorySqs, handler: Callable[[Any, Any], Any], batch_size: int = 100) -> Poller:
    return Poller(sqs, _URL, handler, batch_size=batch_size, timeout_s=30)  # type: ignore[arg-type]


def _ids(event: dict[str, Any]) -> list[str]:
    return [record["messageId"] for record in event["Records"]]


def test_one_call_takes_all_messages_up_to_the_batch_size() -> None:
    batches: list[int] = []
    sqs = MemorySqs(35)
    poller = _poller(sqs, lambda event, _: batches.append(len(event["Records"])), batch_size=25)
    poller.run_once()
    poller.run_once()
    assert batches == [25, 10]


def test_only_the_first_receive_of_a_batch_waits() -> None:
    sqs = MemorySqs(25)
    _poller(sqs, lambda *_: None).run_once()
    assert sqs.waits_s == [1, 0, 0]


def test_an_empty_queue_calls_no_handler() -> None:
    def handler(*_: object) -> None:
        pytest.fail("called without messages")

    _poller(MemorySqs(0), handler).run_once()


def test_a_handled_message_is_deleted() -> None:
    sqs = MemorySqs(25)
    _poller(sqs, lambda *_: {"batchItemFailures": []}).run_once()
    assert sqs.in_flight == []


def test_a_listed_failure_stays_in_flight_and_its_neighbours_are_deleted() -> None:
    sqs = MemorySqs(3)
    _poller(sqs, lambda *_: {"batchItemFailures": [{"itemIdentifier": "m1"}]}).run_once()
    assert sqs.in_flight == ["m1"]


def test_a_handler_that_raises_keeps_the_whole_batch(capsys: pytest.CaptureFixture[str]) -> None:
    def handler(*_: object) -> None:
        raise ValueError("not today")

    sqs = MemorySqs(3)
    _poller(sqs, handler).run_once()
    assert sqs.in_flight == ["m0", "m1", "m2"]
    assert "not today" in capsys.readouterr().err


def test_a_poller_that_stops_finishes_its_current_batch() -> None:
    sqs = MemorySqs(20)

    def handler(event: dict[str, Any], _: object) -> None:
        poller.stop()

    poller = _poller(sqs, handler, batch_size=10)
    poller.run()
    assert (len(sqs.visible), sqs.in_flight) == (10, [])


def test_the_handler_gets_a_context_with_the_functions_time_left() -> None:
    seen: list[int] = []
    _poller(
        MemorySqs(1), lambda _, context: seen.append(context.get_remaining_time_in_millis())
    ).run_once()
    assert 29_000 < seen[0] <= 30_000
