"""The SDK's waits end within the given time, also when SQS accepts connections and never answers."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from tests.unit.examples import KEY, PARAMS

from paydispatch import Dispatcher
from paydispatch.adapters.aws.errors import SEND_CONFIG
from paydispatch.adapters.aws.kms import KmsSealer
from paydispatch.adapters.aws.sqs import SqsQueue
from paydispatch.adapters.aws.sqs_delivery import Clients, SqsDelivery
from paydispatch.adapters.clock import SystemClock
from paydispatch.domain.errors import MaybeAccepted, NotDelivered, Unavailable
from paydispatch.domain.requests import Lane
from paydispatch.local.settings import local_aws

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paydispatch.sdk.receipt import Receipt

GIVEN_S = 0.5
GENEROUS_S = 6.0
"""One send to SQS takes up to ten seconds. Without the bound it took fifteen seconds for every ten messages."""


class Kms:
    def generate_data_key(self, **_: Any) -> dict[str, bytes]:
        return {"Plaintext": b"k" * 32, "CiphertextBlob": b"wrapped"}


@pytest.fixture
def silent_sqs() -> Iterator[str]:
    """An endpoint that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def dispatcher(silent_sqs: str, monkeypatch: pytest.MonkeyPatch) -> Dispatcher:
    for name, value in local_aws("").items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL")

    def connect() -> Clients:
        sqs = boto3.client("sqs", endpoint_url=silent_sqs, config=SEND_CONFIG)
        queue = SqsQueue(sqs, dict.fromkeys(Lane, f"{silent_sqs}/queue"))
        return Clients(queue, KmsSealer(Kms(), "key", SystemClock()))  # type: ignore[arg-type]

    return Dispatcher(SqsDelivery(connect, SystemClock()))


def submit(dispatcher: Dispatcher) -> Receipt:
    return dispatcher.submit("create_payment_intent", PARAMS, "worker-1", "context-1", KEY)


def test_close_ends_in_time_and_reports_the_unknown_requests(dispatcher: Dispatcher) -> None:
    dispatcher.start()
    receipts = [submit(dispatcher) for _ in range(60)]
    started = time.monotonic()

    with pytest.raises(NotDelivered) as left:
        dispatcher.close(timeout_s=GIVEN_S)

    assert time.monotonic() - started < GENEROUS_S
    assert set(left.value.receipts) == set(receipts)
    assert all(isinstance(each.failure, MaybeAccepted) for each in left.value.unknown)
    assert receipts[0] in left.value.unknown


def test_every_receipt_is_resolved_by_close(dispatcher: Dispatcher) -> None:
    dispatcher.start()
    receipt = submit(dispatcher)
    with pytest.raises(TimeoutError):
        receipt.wait(0.01)
    with pytest.raises(NotDelivered):
        dispatcher.close(timeout_s=GIVEN_S)
    with pytest.raises(Unavailable):
        receipt.wait()
