"""The twin over real HTTP in this process."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from paydispatch.twin.rate_limits import Rates
from paydispatch.twin.serving.server import serve
from paydispatch.twin.twin import StripeTwin

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PRODUCT = {"name": "Grüner Tee & €", "metadata[order]": "1"}


@pytest.fixture
def twin() -> StripeTwin:
    return StripeTwin(strict=False)


@pytest.fixture
async def stripe(twin: StripeTwin) -> AsyncIterator[httpx.AsyncClient]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with (
            serve(twin, listener) as base_url,
            httpx.AsyncClient(base_url=base_url, auth=("sk_test_one", ""), timeout=5) as client,
        ):
            yield client


async def fault(stripe: httpx.AsyncClient, **action: Any) -> None:
    answer = await stripe.post("/_twin/faults", json={"action": action, "times": 1})
    assert answer.status_code == 200, answer.text


async def effects(stripe: httpx.AsyncClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await stripe.get("/_twin/ledger")).json()["effects"]
    return found


async def test_an_object_survives_the_wire(stripe: httpx.AsyncClient) -> None:
    made = await stripe.post("/v1/products", data=PRODUCT)
    assert made.status_code == 200
    assert made.headers["Request-Id"].startswith("req_")
    assert made.headers["Content-Type"] == "application/json"
    found = await stripe.get(f"/v1/products/{made.json()['id']}")
    assert found.json()["name"] == "Grüner Tee & €"


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/_twin/faults"), ("PUT", "/_twin/latency"), ("GET", "/_twin/ledger")],
)
async def test_a_web_page_can_neither_create_objects_nor_inject_faults(
    stripe: httpx.AsyncClient, method: str, path: str
) -> None:
    page = {"Origin": "https://evil.example"}
    assert (await stripe.request(method, path, headers=page)).status_code == 403
    assert (await stripe.request(method, path, headers={"Host": "evil.example"})).status_code == 403
    assert (await stripe.get("/_twin/faults")).json() == {"faults": []}


async def test_a_replay_is_marked_in_the_headers(stripe: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "k"}
    first = await stripe.post("/v1/products", data=PRODUCT, headers=key)
    replay = await stripe.post("/v1/products", data=PRODUCT, headers=key)
    assert replay.content == first.content
    assert replay.headers["Idempotent-Replayed"] == "true"


async def test_a_reset_reaches_the_client_as_a_reset(stripe: httpx.AsyncClient) -> None:
    await fault(stripe, kind="reset")
    assert stripe.base_url.port is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", stripe.base_url.port)
    writer.write(b"GET /v1/products HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk_test_a\r\n\r\n")
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()


async def test_a_lost_answer_is_replayed_under_the_same_key(stripe: httpx.AsyncClient) -> None:
    await fault(stripe, kind="lost_answer")
    with pytest.raises(httpx.NetworkError):
        await stripe.post("/v1/products", data=PRODUCT, headers={"Idempotency-Key": "k"})
    again = await stripe.post("/v1/products", data=PRODUCT, headers={"Idempotency-Key": "k"})
    assert again.headers["Idempotent-Replayed"] == "true"
    assert [effect["id"] for effect in await effects(stripe)] == [again.json()["id"]]


async def test_an_answer_is_cut_off_in_the_middle(stripe: httpx.AsyncClient) -> None:
    await fault(stripe, kind="cut_off", when="after")
    with pytest.raises(httpx.RemoteProtocolError):
        await stripe.post("/v1/products", data=PRODUCT)
    assert len(await effects(stripe)) == 1


async def test_a_hanging_call_lasts_until_the_client_gives_up(stripe: httpx.AsyncClient) -> None:
    await fault(stripe, kind="hang")
    with pytest.raises(httpx.ReadTimeout):
        await stripe.post("/v1/products", data=PRODUCT, timeout=0.2)
    assert await effects(stripe) == []


async def test_an_answer_that_is_not_json_looks_like_a_gateways(stripe: httpx.AsyncClient) -> None:
    await fault(stripe, kind="not_json")
    answer = await stripe.post("/v1/products", data=PRODUCT)
    assert (answer.status_code, answer.headers["Content-Type"]) == (502, "text/html")


async def test_a_key_is_in_use_for_as_long_as_the_latency_lasts(stripe: httpx.AsyncClient) -> None:
    await stripe.put("/_twin/latency", json={"latency_ms": 300})
    calls = [
        stripe.post("/v1/products", data=PRODUCT, headers={"Idempotency-Key": "k"})
        for _ in range(3)
    ]
    statuses = sorted([answer.status_code for answer in await asyncio.gather(*calls)])
    assert statuses == [200, 409, 409]
    assert len(await effects(stripe)) == 1


async def test_a_client_that_gives_up_does_not_stop_the_execution(
    stripe: httpx.AsyncClient,
) -> None:
    await stripe.put("/_twin/latency", json={"latency_ms": 200})
    with pytest.raises(httpx.ReadTimeout):
        await stripe.post(
            "/v1/products", data=PRODUCT, headers={"Idempotency-Key": "k"}, timeout=0.05
        )
    await stripe.put("/_twin/latency", json={"latency_ms": 0})
    async with asyncio.timeout(2):
        while True:
            again = await stripe.post(
                "/v1/products", data=PRODUCT, headers={"Idempotency-Key": "k"}
            )
            if again.status_code != 409:
                break
    assert again.headers["Idempotent-Replayed"] == "true"


async def test_a_hundred_slow_calls_wait_side_by_side(stripe: httpx.AsyncClient) -> None:
    await stripe.put("/_twin/latency", json={"latency_ms": 500})
    started = time.monotonic()
    calls = [stripe.post("/v1/coupons", data={"percent_off": "5"}) for _ in range(100)]
    statuses = {answer.status_code for answer in await asyncio.gather(*calls)}
    assert statuses == {200}
    assert 0.5 <= time.monotonic() - started < 25  # one after another they take 50 s


async def test_a_rate_limit_answer_names_its_reason(
    stripe: httpx.AsyncClient, twin: StripeTwin
) -> None:
    twin.limits.rates = Rates(sandbox=2, operation=None)
    answers = [await stripe.get("/v1/products") for _ in range(4)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert refused[0].headers["Stripe-Rate-Limited-Reason"] == "global-rate"


async def test_an_error_of_the_twin_itself_is_a_500_that_names_it(
    stripe: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("paydispatch.twin.creates.make", lambda *_: 1 / 0)
    answer = await stripe.post("/v1/products", data=PRODUCT)
    assert (answer.status_code, answer.json()["error"]["type"]) == (500, "api_error")
    assert "req_twin_bug" in answer.text
