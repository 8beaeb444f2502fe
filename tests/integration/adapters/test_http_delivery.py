"""The Dispatcher's delivery over the HTTP API, against a server with prepared answers."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from paydispatch.adapters.http_delivery import BODY_LIMIT_BYTES, HttpDelivery
from paydispatch.domain.credentials import SecretRef, StripeKey
from paydispatch.domain.errors import BadRequest, InvalidParams, MaybeAccepted, Unavailable
from paydispatch.domain.requests import Lane, OperationRequest
from paydispatch.domain.stripe.operations import operation_named
from paydispatch.local.listening import free_port
from paydispatch.sdk.delivery import PreparedRequest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PARCELS = [
    PreparedRequest(f"key-{n}", json.dumps({"n": n}), Lane.INTERACTIVE, "http") for n in range(3)
]


@pytest.fixture
def api(wire: Any) -> Any:
    return wire[0]


@pytest.fixture
def delivery(wire: Any) -> Iterator[HttpDelivery]:
    delivery = HttpDelivery(wire[1], auth="token-1")
    delivery.open()
    yield delivery
    delivery.close()


async def deliver(
    delivery: HttpDelivery, prepared_requests: Sequence[PreparedRequest] = PARCELS
) -> list[Any]:
    """Deliver in a thread, as the Dispatcher does."""
    return list(await asyncio.to_thread(delivery.deliver, prepared_requests))


def request(**changed: Any) -> OperationRequest:
    fields = {
        "operation": operation_named("create_product"),
        "params": {"name": "Tea"},
        "worker_id": "w1",
        "context_id": "c1",
        "credential": StripeKey("sk_test_1"),
    }
    return OperationRequest(**{**fields, **changed})


async def test_a_batch_is_one_call_with_a_token(
    api: Any, delivery: HttpDelivery, wire_answer: Any
) -> None:
    api.answers = iter([wire_answer(202, {"results": [{"request_id": f"r{n}"} for n in range(3)]})])

    assert await deliver(delivery) == ["r0", "r1", "r2"]
    (call,) = api.received
    assert (call.method, call.target) == ("POST", "/v1/batches")
    assert call.headers["authorization"] == "Bearer token-1"
    assert json.loads(call.body) == {"requests": [{"n": 0}, {"n": 1}, {"n": 2}]}


async def test_each_request_has_its_own_result(
    api: Any, delivery: HttpDelivery, wire_answer: Any
) -> None:
    refused = {"http_status": 422, "error": {"code": "parameter_unknown", "param": "nome"}}
    busy = {"http_status": 503, "error": {"code": "unavailable", "message": "later"}}
    api.answers = iter([wire_answer(202, {"results": [{"request_id": "r0"}, refused, busy]})])

    accepted, bad, later = await deliver(delivery)

    assert accepted == "r0"
    assert isinstance(bad, BadRequest)
    assert (bad.status, bad.code, bad.param) == (422, "parameter_unknown", "nome")
    assert type(later) is Unavailable


NOT_ACCEPTED = {"code": "unavailable", "message": "The request was not accepted. Try again."}
IN_DOUBT = {"code": "unavailable", "message": "The request may have been accepted."}


@pytest.mark.parametrize(
    ("item", "kind"),
    [
        ({"error": NOT_ACCEPTED}, Unavailable),
        ({"error": IN_DOUBT}, MaybeAccepted),
        ({"error": NOT_ACCEPTED, "request_id": "pdr_1", "idempotency_key": "k"}, MaybeAccepted),
        ({"error": {**NOT_ACCEPTED, "idempotency_key": "k"}}, MaybeAccepted),
        ({"error": {"code": "maybe_accepted", "message": "later"}}, MaybeAccepted),
        ({}, MaybeAccepted),
    ],
)
async def test_an_item_s_503_is_unknown_only_if_it_may_have_been_accepted(
    api: Any, delivery: HttpDelivery, wire_answer: Any, item: Any, kind: type
) -> None:
    answered = {"status": "refused", "http_status": 503, **item}
    api.answers = iter([wire_answer(202, {"results": [answered] * 3})])

    assert [type(result) for result in await deliver(delivery)] == [kind] * 3


@pytest.mark.parametrize(
    ("error", "kind"), [(NOT_ACCEPTED, Unavailable), (IN_DOUBT, MaybeAccepted)]
)
async def test_a_call_s_503_is_unknown_only_if_it_may_have_been_accepted(
    api: Any, delivery: HttpDelivery, wire_answer: Any, error: Any, kind: type
) -> None:
    api.answers = iter([wire_answer(503, {"error": error})])

    assert [type(result) for result in await deliver(delivery)] == [kind] * 3


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_server_error_makes_every_request_unknown(
    api: Any, delivery: HttpDelivery, wire_answer: Any, status: int
) -> None:
    api.answers = iter([wire_answer(status, b"<html>")])

    assert [type(result) for result in await deliver(delivery)] == [MaybeAccepted] * 3


async def test_a_429_of_the_api_can_be_retried(
    api: Any, delivery: HttpDelivery, wire_answer: Any
) -> None:
    api.answers = iter([wire_answer(429, b"<html>")])

    assert [type(result) for result in await deliver(delivery)] == [Unavailable] * 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413])
async def test_an_api_that_refuses_the_call_refuses_each_request(
    api: Any, delivery: HttpDelivery, wire_answer: Any, status: int
) -> None:
    api.answers = iter([wire_answer(status, {"error": {"code": "no", "message": "not you"}})])

    results = await deliver(delivery)

    assert [(result.status, result.code, str(result)) for result in results] == [
        (status, "no", "not you")
    ] * 3


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (202, b"<html>sign in</html>"),
        (202, b""),
        (202, b"{}"),
        (202, b"[]"),
        (202, b'{"results": null}'),
        (202, b'{"results": []}'),
        (202, b'{"results": [1, 2, 3]}'),
        (202, b'{"results": [{}, {}, {}, {}]}'),
        (200, b"<html>sign in</html>"),
        (302, b""),
    ],
)
async def test_an_unreadable_answer_makes_every_request_unknown(
    api: Any, delivery: HttpDelivery, wire_answer: Any, status: int, body: bytes
) -> None:
    """The requests can be repeated, because the API recognises each by its idempotency key."""
    api.answers = iter([wire_answer(status, body)])

    assert [type(result) for result in await deliver(delivery)] == [MaybeAccepted] * 3


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 202 OK\r\nContent-Length: 90\r\n\r\n{",
        b"HTTP/1.1 202 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
        b"no HTTP\r\n\r\n",
    ],
    ids=["closed", "cut off", "bad encoding", "no HTTP"],
)
async def test_a_lost_answer_makes_every_request_unknown(
    api: Any, delivery: HttpDelivery, wire_answer: Any, said: bytes
) -> None:
    kind = type(wire_answer(202, b""))
    api.answers = iter([kind(said, then=lambda writer: writer.close())])

    assert [type(result) for result in await deliver(delivery)] == [MaybeAccepted] * 3


async def test_a_silent_api_is_waited_for_once_and_not_once_per_call(
    api: Any, delivery: HttpDelivery, wire_answer: Any
) -> None:
    large = [
        PreparedRequest(f"key-{n}", json.dumps("x" * 3_000_000), Lane.BATCH, "http")
        for n in range(5)
    ]
    kind = type(wire_answer(202, b""))
    api.answers = iter([kind(b"", then=lambda writer: writer.close())] * 5)

    results = await deliver(delivery, large)

    assert [type(result) for result in results] == [MaybeAccepted, *[Unavailable] * 4]
    assert len(api.received) == 1


async def test_a_repeat_is_the_same_request_under_the_same_key(
    api: Any, delivery: HttpDelivery, wire_answer: Any
) -> None:
    prepared_requests = [delivery.prepare(request())]
    lost = type(wire_answer(202, b""))(b"", then=lambda writer: writer.close())
    api.answers = iter([lost, wire_answer(202, {"results": [{"request_id": "pdr_1"}]})])

    assert [type(result) for result in await deliver(delivery, prepared_requests)] == [
        MaybeAccepted
    ]
    assert await deliver(delivery, prepared_requests) == ["pdr_1"]
    assert api.received[0].body == api.received[1].body


async def test_an_unreachable_api_can_be_retried() -> None:
    delivery = HttpDelivery(f"http://127.0.0.1:{free_port()}")
    delivery.open()

    assert [type(result) for result in await deliver(delivery)] == [Unavailable] * 3
    delivery.close()


async def test_a_batch_too_large_for_one_call_is_cut(
    api: Any, delivery: HttpDelivery, wire_answer: Any
) -> None:
    large = [
        PreparedRequest(f"key-{n}", json.dumps("x" * 1_000_000), Lane.BATCH, "http")
        for n in range(10)
    ]
    api.answers = iter(
        wire_answer(202, {"results": [{"request_id": "r"}] * count}) for count in counts(api)
    )

    assert await deliver(delivery, large) == ["r"] * 10
    assert len(api.received) > 1
    assert all(len(call.body) <= BODY_LIMIT_BYTES + 1_000 for call in api.received)


def counts(api: Any) -> Iterator[int]:
    """Yield the number of requests in the call that the server has just received."""
    while True:
        yield len(json.loads(api.received[-1].body)["requests"])


def test_a_call_contains_every_option_of_the_request(delivery: HttpDelivery) -> None:
    prepared = delivery.prepare(
        request(
            lane=Lane.BATCH,
            deadline_s=60,
            stripe_account="acct_1",
            idempotency_key="order-1",
            traceparent=f"00-{'a' * 32}-{'b' * 16}-01",
        )
    )

    assert json.loads(prepared.text) == {
        "object": "product",
        "worker_id": "w1",
        "context_id": "c1",
        "params": {"name": "Tea"},
        "stripe_secret": "sk_test_1",
        "lane": "batch",
        "deadline_s": 60,
        "stripe_account": "acct_1",
        "idempotency_key": "order-1",
        "traceparent": f"00-{'a' * 32}-{'b' * 16}-01",
    }


def test_a_named_secret_is_sent_by_its_name(delivery: HttpDelivery) -> None:
    sent = json.loads(delivery.prepare(request(credential=SecretRef("main"))).text)

    assert (sent["secret_ref"], "stripe_secret" in sent) == ("main", False)


def test_every_request_has_an_idempotency_key_so_that_a_repeat_is_harmless(
    delivery: HttpDelivery,
) -> None:
    first, second = (json.loads(delivery.prepare(request()).text) for _ in range(2))

    assert first["idempotency_key"] != second["idempotency_key"]


def test_parameters_stripe_refuses_are_refused_here(delivery: HttpDelivery) -> None:
    with pytest.raises(InvalidParams):
        delivery.prepare(request(params={"nome": "Tea"}))


def test_a_prepared_request_does_not_show_the_key_it_holds(delivery: HttpDelivery) -> None:
    assert "sk_test_1" not in repr(delivery.prepare(request()))
