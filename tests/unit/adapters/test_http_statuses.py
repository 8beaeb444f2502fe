"""The status of requests comes from the API, and each answer of the API has one meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from paydispatch.adapters.http_statuses import HttpStatuses
from paydispatch.domain.errors import PaydispatchError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

API = "https://api.example.com"
MISSING = {"error": {"code": "resource_missing", "message": "No request 'pdr_2' is known."}}


def statuses(answer: Callable[[httpx.Request], httpx.Response]) -> HttpStatuses:
    return HttpStatuses(API, "token-1", httpx.MockTransport(answer))


def always(status: int, body: object) -> Callable[[httpx.Request], httpx.Response]:
    return lambda _: httpx.Response(status, json=body)


def test_each_request_has_its_document_in_order_and_an_unknown_one_has_none() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        request_id = request.url.path.rpartition("/")[2]
        if request_id == "pdr_2":
            return httpx.Response(404, json=MISSING)
        return httpx.Response(200, json={"request_id": request_id, "status": "succeeded"})

    with statuses(answer) as api:
        found = api.find(["pdr_1", "pdr_2", "pdr_3"])
    assert [document and document["request_id"] for document in found] == ["pdr_1", None, "pdr_3"]


def test_the_token_is_sent() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["Authorization"] == "Bearer token-1"
        return httpx.Response(200, json={"request_id": "pdr_1"})

    with statuses(answer) as api:
        assert api.find(["pdr_1"])


@pytest.mark.parametrize("status", [500, 502, 503, 429, 408, 200, 302])
def test_an_answer_that_may_change_is_unavailable(status: int) -> None:
    with statuses(always(status, {})) as api, pytest.raises(Unavailable, match=str(status)):
        api.find(["pdr_1"])


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_is_told_with_its_reason(status: int) -> None:
    body = {"error": {"code": "not_signed_in", "message": "Sign in."}}
    with statuses(always(status, body)) as api, pytest.raises(PaydispatchError) as raised:
        api.find(["pdr_1"])
    assert not isinstance(raised.value, Unavailable)
    assert str(raised.value) == f"The API at {API} answered {status}: Sign in."


def test_an_api_that_does_not_answer_is_unavailable_and_the_token_is_not_shown() -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused token-1")

    with statuses(fail) as api, pytest.raises(Unavailable) as raised:
        api.find(["pdr_1"])
    assert "token-1" not in str(raised.value)
