"""Every operation comes in by every way as the same request: API, batch, SDK, flow and queue message."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from openapi.example_params import example_params
from tests.unit.examples import KEY, NOW_S, SECRET_REF, body, entry
from tests.unit.handlers.conftest import Client

from paydispatch import operations
from paydispatch.adapters.http_delivery import HttpDelivery
from paydispatch.domain.claims import fingerprint_of
from paydispatch.domain.envelope import Envelope
from paydispatch.domain.message.read_message import read_message
from paydispatch.domain.stripe.operations import Operation, all_operations
from paydispatch.flow import Flow
from paydispatch.sdk.dispatcher import Dispatcher
from paydispatch.testing.memory_delivery import MemoryDelivery

if TYPE_CHECKING:
    from collections.abc import Iterator

WORKER, CONTEXT = "worker-1", "context-1"


@pytest.fixture
def delivery() -> MemoryDelivery:
    return MemoryDelivery()


@pytest.fixture
def dispatcher(delivery: MemoryDelivery) -> Iterator[Dispatcher]:
    with Dispatcher(delivery) as running:
        yield running


@pytest.mark.parametrize("operation", all_operations(), ids=lambda operation: operation.name)
def test_every_way_in_gives_the_same_request(
    operation: Operation, delivery: MemoryDelivery, dispatcher: Dispatcher
) -> None:
    ids = {name: f"{name}_1-50%25" for name in operation.path_names}
    params = example_params(operation.name)
    asked = getattr(operations, operation.name)(*ids.values(), **params)
    asked.call_async(WORKER, CONTEXT, KEY)
    dispatcher.flush()
    envelopes = [
        *over_http(operation, ids, params),
        *delivery.envelopes,
        from_flow(operation, ids, params),
        from_queue(operation, ids, params),
    ]
    wanted = (operation.name, operation.object, ids, params)
    assert [(one.operation, one.object, one.path, one.params) for one in envelopes] == [wanted] * 6
    assert len({fingerprint_of(one, "local") for one in envelopes}) == 1


def over_http(operation: Operation, ids: dict[str, str], params: dict[str, Any]) -> list[Envelope]:
    """Return the requests of a call of its own, of a batch item, and of the SDK's way over HTTP."""
    client = Client()
    url = operation.path.format_map(ids)  # decoded, as API Gateway passes it on
    answer = client.send(operation.method, url, body(params=params))
    assert (answer.status, answer.json["operation"]) == (202, operation.name), answer.text
    item = body(operation=operation.name, path=ids, params=params)
    assert client.post("/v1/batches", {"requests": [item]}).status == 202
    texts = HttpTexts()
    with Dispatcher(texts) as sdk:
        asked = getattr(operations, operation.name)(*ids.values(), **params)
        asked.call_async(WORKER, CONTEXT, KEY, dispatcher=sdk)
    (text,) = texts.sent
    answer = client.post("/v1/batches", f'{{"requests":[{text}]}}')
    assert answer.json["results"][0]["status"] == "dispatched", answer.text
    return list(client.queue.sent)


class HttpTexts(HttpDelivery):
    """The SDK's way over HTTP, which keeps the batch items instead of sending them."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:1")
        self.sent: list[str] = []

    def open(self) -> None:
        """Make no client, because the test sends the items itself."""

    def deliver(self, prepared_requests: Any) -> Any:
        self.sent += [prepared.text for prepared in prepared_requests]
        return [prepared.request_id for prepared in prepared_requests]


def from_flow(operation: Operation, ids: dict[str, str], params: dict[str, Any]) -> Envelope:
    flow = Flow(entry(), attempt=1, now_s=NOW_S)
    getattr(flow, operation.name)(*ids.values(), **params).call_async()
    (sent,) = flow.outbox
    return sent


def from_queue(operation: Operation, ids: dict[str, str], params: dict[str, Any]) -> Envelope:
    message = {
        "v": 2,
        "operation": operation.name,
        "object": operation.object,
        "path": ids,
        "params": params,
        "worker_id": WORKER,
        "context_id": CONTEXT,
        "secret_ref": SECRET_REF,
    }
    read = read_message(json.dumps(message), message_id="m", sent_at=NOW_S)
    assert isinstance(read, Envelope), read
    return read
