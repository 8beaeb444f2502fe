"""A request of a web page to this machine is refused. A request of a program is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from paydispatch.domain.web.web_pages import refuse_web_page
from paydispatch.local.gateway import Gateway

if TYPE_CHECKING:
    from collections.abc import Mapping

OWN = {"host": "127.0.0.1:8080"}
PAGES: dict[str, tuple[dict[str, str], int]] = {
    "another site": ({"origin": "https://evil.example"}, 403),
    "a page without an origin": ({"origin": "null"}, 403),
    "another program here": ({"origin": "http://127.0.0.1:5173"}, 403),
    "the same name by TLS": ({"origin": "https://127.0.0.1:8080"}, 403),
    "a name that leads here": ({"host": "evil.example:8080"}, 403),
    "a name like ours": ({"host": "localhost.evil.example"}, 403),
    "a name that leads here, as its own page": (
        {"host": "evil.example", "origin": "http://evil.example"},
        403,
    ),
    "a host that is none": ({"host": "[::1"}, 403),
    "no host": ({"host": ""}, 403),
    "a newer browser": ({"sec-fetch-site": "cross-site"}, 403),
    "a newer browser, another port": ({"sec-fetch-site": "same-site"}, 403),
    "a form of an old browser": ({"content-type": "text/plain"}, 415),
    "a form with a file": ({"content-type": "Multipart/Form-Data; boundary=b"}, 415),
}
PROGRAMS: dict[str, dict[str, str]] = {
    "curl": {"content-type": "application/x-www-form-urlencoded"},
    "a program": {"content-type": "application/json"},
    "boto3": {"content-type": "application/x-amz-json-1.0"},
    "no content": {},
    "by name": {"host": "localhost:8080"},
    "by the newer address": {"host": "[::1]:8080"},
    "by another address of the loop": {"host": "127.9.9.9"},
    "its own page": {"origin": "http://127.0.0.1:8080", "sec-fetch-site": "same-origin"},
    "an address bar": {"sec-fetch-site": "none"},
}


@pytest.mark.parametrize(("headers", "status"), PAGES.values(), ids=PAGES)
def test_a_request_of_a_web_page_is_refused(headers: dict[str, str], status: int) -> None:
    refusal = refuse_web_page(OWN | headers)
    assert refusal is not None
    assert refusal.status == status


@pytest.mark.parametrize("headers", PROGRAMS.values(), ids=PROGRAMS)
def test_a_request_of_a_program_is_accepted(headers: dict[str, str]) -> None:
    assert refuse_web_page(OWN | headers) is None


class Handler:
    def __init__(self) -> None:
        self.called = 0

    def __call__(self, event: Any, context: Any) -> dict[str, Any]:
        self.called += 1
        return {"statusCode": 202, "body": "{}"}


async def post(client: TestClient[Any, Any], path: str, headers: Mapping[str, str]) -> int:
    async with client.post(path, data=b"{}", headers=headers) as answer:
        return answer.status


async def test_the_local_api_calls_no_handler_for_a_web_page() -> None:
    handler = Handler()
    async with TestClient(TestServer(Gateway(handler).application())) as client:
        for headers in ({"Origin": "https://evil.example"}, {"Host": "evil.example"}):
            assert await post(client, "/v1/products", headers) == 403
        assert handler.called == 0
        assert await post(client, "/v1/products", {}) == 202


async def test_the_refusal_of_a_web_page_is_an_error_of_stripe_s_shape() -> None:
    page = {"Origin": "https://evil.example"}
    async with (
        TestClient(TestServer(Gateway(Handler()).application())) as client,
        client.post("/v1/products", headers=page) as answer,
    ):
        error = (await answer.json())["error"]
    assert error["type"] == "invalid_request_error"
    assert "Origin" in error["message"]
