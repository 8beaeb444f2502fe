"""One POST to Stripe: its content, and the kind of attempt that each failure is."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock
from urllib.parse import parse_qsl

import aiohttp
import httpx
import pytest
from tests.broken_calls import BROKEN_CALLS, LostAnswer
from tests.unit.examples import KEY, PARAMS

from paydispatch.adapters.stripe.client import READ_TIMEOUT_S, classify_failure
from paydispatch.adapters.stripe.gateway import HttpStripeGateway, make_stripe_request
from paydispatch.domain.attempts import Answered, Attempt, NotSent, RefusedInFront, Unknown
from paydispatch.domain.credentials import StripeKey
from paydispatch.domain.stripe.stripe_version import STRIPE_API_VERSION

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from paydispatch.adapters.stripe.client import BrokenCall


class Stripe:
    """A Stripe behind an in-memory transport that records the requests."""

    def __init__(self, answer: Callable[[httpx.Request], httpx.Response] | BaseException) -> None:
        self._answer = answer
        self.requests: list[httpx.Request] = []

    async def _handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if isinstance(self._answer, BaseException):
            raise self._answer
        return self._answer(request)

    async def create(self, **changes: Any) -> Attempt:
        call: dict[str, Any] = {
            "method": "POST",
            "path": "/v1/payment_intents",
            "params": PARAMS,
            "key": StripeKey(KEY),
            "request_id": "pdr_1",
            "stripe_account": None,
        }
        async with self.client() as client:
            return await HttpStripeGateway(client).call(**{**call, **changes})

    def client(self) -> httpx.AsyncClient:
        transport = httpx.MockTransport(self._handle)
        return httpx.AsyncClient(base_url="https://stripe.test", transport=transport)


def stripe_with(status: int, **response: Any) -> Stripe:
    return Stripe(lambda _: httpx.Response(status, **response))


class TestTheRequest:
    async def test_it_is_a_form_with_the_idempotency_key_of_its_request(self) -> None:
        stripe = stripe_with(200, json={"id": "pi_1"})
        params = {**PARAMS, "metadata": {"order": "1001"}, "items": [{"price": "p"}], "off": True}
        await stripe.create(params=params)
        (request,) = stripe.requests
        assert str(request.url) == "https://stripe.test/v1/payment_intents"
        assert request.method == "POST"
        assert request.headers["Idempotency-Key"] == "pdr_1"
        assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
        assert dict(parse_qsl(request.content.decode())) == {
            "amount": "2000",
            "currency": "usd",
            "metadata[order]": "1001",
            "items[0][price]": "p",
            "off": "true",
        }

    async def test_a_delete_has_its_parameters_as_the_query_and_no_idempotency_key(self) -> None:
        """As in Stripe's Python library (`_api_requestor.py`). Stripe ignores the key of a v1 DELETE."""
        stripe = stripe_with(200, json={"id": "sub_1"})
        params = {"prorate": True, "expand": ["customer"], "comment": "a&b ü"}
        await stripe.create(method="DELETE", path="/v1/subscriptions/sub%2F1", params=params)
        (request,) = stripe.requests
        assert request.method == "DELETE"
        assert request.url.raw_path == (
            b"/v1/subscriptions/sub%2F1?prorate=true&expand[0]=customer&comment=a%26b+%C3%BC"
        )
        assert not request.content
        assert "Idempotency-Key" not in request.headers
        assert "Content-Type" not in request.headers
        assert request.headers["Stripe-Version"] == STRIPE_API_VERSION

    async def test_a_delete_without_parameters_has_no_query(self) -> None:
        stripe = stripe_with(200, json={"id": "c"})
        await stripe.create(method="DELETE", path="/v1/coupons/c", params={})
        assert stripe.requests[0].url.raw_path == b"/v1/coupons/c"

    async def test_it_has_the_key_as_a_bearer_token_and_the_version_of_the_schemas(self) -> None:
        stripe = stripe_with(200, json={})
        await stripe.create()
        headers = stripe.requests[0].headers
        assert headers["Authorization"] == f"Bearer {KEY}"
        assert headers["Stripe-Version"] == STRIPE_API_VERSION

    @pytest.mark.parametrize("account", [None, "acct_1"])
    async def test_it_names_the_account_only_if_there_is_one(self, account: str | None) -> None:
        stripe = stripe_with(200, json={})
        await stripe.create(stripe_account=account)
        assert stripe.requests[0].headers.get("Stripe-Account") == account

    async def test_one_call_returns_the_whole_answer(self) -> None:
        stripe = stripe_with(402, json={"error": {"type": "card_error"}})
        async with stripe.client() as client:
            answer = await make_stripe_request(client, KEY, "/v1/coupons", {"percent_off": 5})
        assert (answer.status_code, answer.json()) == (402, {"error": {"type": "card_error"}})
        assert "Idempotency-Key" not in stripe.requests[0].headers


class TestAnswers:
    async def test_a_success_is_an_answer(self) -> None:
        headers = {"Request-Id": "req_1", "Idempotent-Replayed": "true"}
        stripe = stripe_with(200, json={"id": "pi_1"}, headers=headers)
        assert await stripe.create() == Answered(200, {"id": "pi_1"}, "req_1", replayed=True)

    async def test_a_refusal_has_the_retry_header(self) -> None:
        headers = {"Stripe-Should-Retry": "false"}
        attempt = await stripe_with(429, json={"error": {"code": "c"}}, headers=headers).create()
        assert attempt == RefusedInFront(429, {"code": "c"}, False, None)

    @pytest.mark.parametrize(
        "response",
        [
            {"content": b""},
            {"content": b"<html>Bad gateway</html>"},
            {"content": b'{"id": "pi_'},
            {"content": b"\xff\xfe"},
            {"content": b'"text"'},
            {"content": b"[" * 100_000},
        ],
        ids=["empty", "html", "cut", "bytes", "text", "deep"],
    )
    @pytest.mark.parametrize("status", [200, 400])
    async def test_an_answer_that_cannot_be_read_is_unknown(
        self, status: int, response: dict[str, Any]
    ) -> None:
        assert isinstance(await stripe_with(status, **response).create(), Unknown)

    async def test_an_answer_that_breaks_off_is_unknown(self) -> None:
        async def body() -> AsyncIterator[bytes]:
            yield b'{"id": '
            raise LostAnswer

        attempt = await stripe_with(200, content=body()).create()
        assert attempt == LostAnswer().attempt

    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    async def test_a_redirect_is_not_followed(self, status: int) -> None:
        stripe = stripe_with(status, headers={"Location": "https://elsewhere.test/"})
        assert isinstance(await stripe.create(), Unknown)
        assert len(stripe.requests) == 1


REFUSED = aiohttp.ClientConnectorError(Mock(ssl=True, host="h", port=1), OSError(111, "refused"))
NOT_SENT: dict[str, aiohttp.ClientError] = {
    "connection refused": REFUSED,
    "no such host": aiohttp.ClientConnectorDNSError(Mock(), OSError(-2, "no such name")),
    "TLS": aiohttp.ClientConnectorSSLError(Mock(), ssl.SSLError("handshake")),
    "certificate": aiohttp.ClientConnectorCertificateError(Mock(), ssl.CertificateError("no")),
    "no socket": aiohttp.client_exceptions.UnixClientConnectorError(
        "/s", Mock(), OSError(2, "none")
    ),
    "proxy": aiohttp.ClientProxyConnectionError(Mock(), OSError(111, "refused")),
    "connect timeout": aiohttp.ConnectionTimeoutError("connect"),
}
MAYBE_SENT: dict[str, aiohttp.ClientError] = {
    "reset": aiohttp.ClientOSError(104, "reset by peer"),
    "connection reset": aiohttp.ClientConnectionResetError("closing transport"),
    "disconnected": aiohttp.ServerDisconnectedError(),
    "closed": aiohttp.ClientConnectionError("connection closed"),
    "read timeout": aiohttp.SocketTimeoutError("read"),
    "server timeout": aiohttp.ServerTimeoutError("server"),
    "cut off": aiohttp.ClientPayloadError("not enough data"),
    "fingerprint": aiohttp.ServerFingerprintMismatch(b"a", b"b", "h", 1),
    "broken answer": aiohttp.ClientResponseError(Mock(), (), status=400, message="bad line"),
}
TIMEOUTS = ("read timeout", "server timeout")


class TestBrokenCalls:
    @pytest.mark.parametrize("name", NOT_SENT)
    def test_only_a_connection_that_was_never_made_is_not_sent(self, name: str) -> None:
        assert isinstance(classify_failure(NOT_SENT[name]), NotSent)

    @pytest.mark.parametrize("name", MAYBE_SENT)
    def test_every_other_error_is_unknown(self, name: str) -> None:
        attempt = classify_failure(MAYBE_SENT[name])
        assert isinstance(attempt, Unknown)
        assert attempt.code == ("timeout" if name in TIMEOUTS else "connection_lost")
        assert type(MAYBE_SENT[name]).__name__ in attempt.reason

    @pytest.mark.parametrize("error", BROKEN_CALLS)
    async def test_a_broken_call_is_the_attempt_that_its_client_proved(
        self, error: type[BrokenCall]
    ) -> None:
        attempt = await Stripe(error()).create()
        assert attempt == error().attempt
        assert KEY not in repr(attempt)


def test_the_read_timeout_outlasts_stripes_own() -> None:
    assert READ_TIMEOUT_S >= 80.0
