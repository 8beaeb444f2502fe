"""The reader of outcomes over the HTTP API, against a server with prepared answers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from paydispatch.adapters.http_outcomes import HttpOutcomeReader
from paydispatch.domain.errors import BadRequest, BadSetting, IdempotencyKeyReused, Unavailable
from paydispatch.local.listening import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    Read = Callable[..., Coroutine[Any, Any, Mapping[str, Any] | None]]

STATUS = {"request_id": "pdr_1", "status": "succeeded"}


@pytest.fixture
def api(wire: Any) -> Any:
    return wire[0]


@pytest.fixture(params=["sync", "async"])
def read(request: pytest.FixtureRequest, wire: Any) -> Read:
    """Read as a program does: in a thread, or in the event loop."""
    reader = HttpOutcomeReader(wire[1], auth="token-1")
    return way_of(reader, request.param)


def way_of(reader: HttpOutcomeReader, way: str) -> Read:
    async def in_a_thread(*asked: Any) -> Mapping[str, Any] | None:
        return await asyncio.to_thread(reader.read, *asked)

    return in_a_thread if way == "sync" else reader.read_async


async def test_a_status_is_asked_for_with_fingerprint_wait_and_token(
    api: Any, read: Read, wire_answer: Any
) -> None:
    api.answers = iter([wire_answer(200, STATUS)])

    assert await read("pdr/1", "f1:a b", 10.0) == STATUS

    (call,) = api.received
    assert (call.method, call.target) == ("GET", "/v1/requests/pdr%2F1?fingerprint=f1%3Aa+b")
    assert (call.headers["prefer"], call.headers["authorization"]) == ("wait=9", "Bearer token-1")


@pytest.mark.parametrize(("within_s", "prefer"), [(0.5, None), (60.0, "wait=20")])
async def test_a_wait_is_as_long_as_there_is_time_and_never_long_for_a_proxy(
    api: Any, read: Read, wire_answer: Any, within_s: float, prefer: str | None
) -> None:
    api.answers = iter([wire_answer(200, STATUS)])
    await read("pdr_1", None, within_s)
    (call,) = api.received
    assert call.headers.get("prefer") == prefer


async def test_a_request_that_is_not_known_has_no_status(
    api: Any, read: Read, wire_answer: Any
) -> None:
    api.answers = iter([wire_answer(404, {"error": {"code": "resource_missing"}})])
    assert await read("pdr_1", None, 5.0) is None


ERRORS: dict[str, tuple[int, Any, type[Exception]]] = {
    "a key of another request": (
        409,
        {"error": {"code": "idempotency_key_reused", "message": "used"}},
        IdempotencyKeyReused,
    ),
    "no sign-in": (401, {"error": {"code": "not_signed_in", "message": "no"}}, BadRequest),
    "a refusal of the gateway": (403, {"message": "Forbidden"}, BadRequest),
    "a throttle": (429, {"message": "Too Many Requests"}, Unavailable),
    "an outage": (503, {"error": {"code": "unavailable", "message": "away"}}, Unavailable),
    "a page of somebody else": (200, {"hello": "world"}, Unavailable),
}


@pytest.mark.parametrize(("status", "body", "error"), ERRORS.values(), ids=ERRORS)
async def test_every_other_answer_is_an_error(
    api: Any, read: Read, wire_answer: Any, status: int, body: Any, error: type[Exception]
) -> None:
    api.answers = iter([wire_answer(status, body)])
    with pytest.raises(error) as raised:
        await read("pdr_1", None, 5.0)
    assert isinstance(raised.value, BadRequest) is issubclass(error, BadRequest)


@pytest.mark.parametrize("way", ["sync", "async"])
async def test_an_api_that_is_away_is_unavailable(way: str) -> None:
    reader = HttpOutcomeReader(f"http://127.0.0.1:{free_port()}", auth="token-1")
    with pytest.raises(Unavailable, match="ConnectError") as raised:
        await way_of(reader, way)("pdr_1", None, 5.0)
    assert "token-1" not in str(raised.value)


def test_a_token_never_goes_out_unencrypted() -> None:
    with pytest.raises(BadSetting, match="https://"):
        HttpOutcomeReader("http://api.example", auth="token-1")
