"""Every way by which a request comes in: API, batch, SDK, builder, flow and direct producer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.unit.examples import KEY, NOW_S, SECRET_REF, body, entry
from tests.unit.handlers.conftest import Client

import paydispatch
from paydispatch import operations
from paydispatch.adapters.http_delivery import HttpDelivery
from paydispatch.domain.credentials import Binding, StripeKey
from paydispatch.domain.parameters.plain_values import take_params
from paydispatch.domain.stripe.resources import RESOURCES
from paydispatch.flow import Flow
from paydispatch.sdk.dispatcher import Dispatcher
from paydispatch.testing.memory_delivery import MemoryDelivery
from paydispatch.testing.memory_sealing import MemorySealer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from paydispatch.domain.stripe.operations import Operation

WORKER, CONTEXT = "worker-1", "context-1"
LOCAL_PRINCIPAL = "local"

_BUILT = {resource.operation: resource for resource in RESOURCES}

Ids = dict[str, str]
Params = dict[str, Any]


class EveryWayIn:
    """The ways in of one program. `sealer` holds the keys that they seal."""

    def __init__(self) -> None:
        self.sealer = MemorySealer()
        self._delivery = MemoryDelivery(self.sealer)

    def messages(self, operation: Operation, ids: Ids, params: Params) -> Iterator[tuple[str, str]]:
        """Yield each way with the queue message that it gives. `params` may have the values of a Python program."""
        plain = take_params(params)
        yield "the API", self._over_http(operation, ids, plain)
        yield "a batch of the API", self._in_a_batch(operation, ids, plain)
        yield "the SDK over HTTP", self._sdk_over_http(operation, ids, params)
        yield "the SDK over a queue", self._over_a_queue(_ask(operation, ids, params))
        if operation.name in _BUILT:
            yield "a builder", self._over_a_queue(_build(operation, params))
        yield "a flow", self._from_flow(operation, ids, params)
        yield "a direct producer", _of_a_producer(operation, ids, plain)

    def _client(self) -> Client:
        client = Client()
        client.sealer = self.sealer
        return client

    def _over_http(self, operation: Operation, ids: Ids, params: Params) -> str:
        client = self._client()
        url = operation.path.format_map(ids)  # decoded, as API Gateway passes it on
        answer = client.send(operation.method, url, body(params=params))
        assert (answer.status, answer.json["operation"]) == (202, operation.name), answer.text
        return _only_message(client)

    def _in_a_batch(self, operation: Operation, ids: Ids, params: Params) -> str:
        item = body(operation=operation.name, path=ids, params=params)
        return self._batch(json.dumps(item))

    def _sdk_over_http(self, operation: Operation, ids: Ids, params: Params) -> str:
        texts = _HttpTexts()
        with Dispatcher(texts) as dispatcher:
            _ask(operation, ids, params)(dispatcher)
        (text,) = texts.sent
        return self._batch(text)

    def _batch(self, item: str) -> str:
        client = self._client()
        answer = client.post("/v1/batches", f'{{"requests":[{item}]}}')
        assert answer.json["results"][0]["status"] == "dispatched", answer.text
        return _only_message(client)

    def _over_a_queue(self, ask: Callable[[Dispatcher], Any]) -> str:
        with Dispatcher(self._delivery) as dispatcher:
            ask(dispatcher)
        return self._delivery.envelopes[-1].as_message()

    def _from_flow(self, operation: Operation, ids: Ids, params: Params) -> str:
        binding = Binding(LOCAL_PRINCIPAL, WORKER, CONTEXT)
        came = entry(sealed_secret=self.sealer.seal(StripeKey(KEY), binding))
        flow = Flow(came, attempt=1, now_s=NOW_S)
        getattr(flow, operation.name)(*ids.values(), **params).call_async()
        (sent,) = flow.outbox
        return sent.as_message()


class _HttpTexts(HttpDelivery):
    """The SDK's way over HTTP, which keeps the batch items instead of sending them."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:1")
        self.sent: list[str] = []

    def open(self) -> None:
        """Make no client, because the test sends the items itself."""

    def deliver(self, prepared_requests: Any) -> Any:
        self.sent += [prepared.text for prepared in prepared_requests]
        return [prepared.request_id for prepared in prepared_requests]


def _only_message(client: Client) -> str:
    (sent,) = client.queue.sent
    return sent.as_message()


def _ask(operation: Operation, ids: Ids, params: Params) -> Callable[[Dispatcher], Any]:
    asked = getattr(operations, operation.name)(*ids.values(), **params)
    return lambda dispatcher: asked.call_async(WORKER, CONTEXT, KEY, dispatcher=dispatcher)


def _build(operation: Operation, params: Params) -> Callable[[Dispatcher], Any]:
    builder = getattr(paydispatch, f"new_{_BUILT[operation.name].identifier}")()
    for name, value in params.items():
        builder = getattr(builder, name)(value)
    return lambda dispatcher: builder.create_async(WORKER, CONTEXT, KEY, dispatcher=dispatcher)


def _of_a_producer(operation: Operation, ids: Ids, params: Params) -> str:
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
    return json.dumps(message)
