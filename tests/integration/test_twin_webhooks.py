"""The twin delivers its events to webhooks over HTTP."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import stripe as library
from aiohttp import web

from paydispatch.twin.serving import deliveries
from paydispatch.twin.serving.server import serve
from paydispatch.twin.twin import StripeTwin

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SECRET = "whsec_test"
WAIT_S = 20.0


@dataclass
class Receiver:
    """A webhook that keeps each event, and that refuses the first ones."""

    refusals: int = 0
    url: str = ""
    arrived: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)
    refused: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)
    bodies: list[bytes] = field(default_factory=list)

    async def answer(self, http: web.BaseRequest) -> web.Response:
        body = await http.read()
        self.bodies.append(body)
        if len(self.bodies) <= self.refusals:
            await self.refused.put(body)
            return web.Response(status=503)
        header = http.headers["Stripe-Signature"]
        event = library.Webhook.construct_event(body, header, SECRET)
        await self.arrived.put(event.to_dict())
        return web.Response(status=200)

    async def next_event(self) -> dict[str, Any]:
        return await asyncio.wait_for(self.arrived.get(), WAIT_S)


@asynccontextmanager
async def listen(receiver: Receiver) -> AsyncIterator[Receiver]:
    runner = web.ServerRunner(web.Server(receiver.answer), shutdown_timeout=0)
    await runner.setup()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        await web.SockSite(runner, listener).start()
        receiver.url = f"http://127.0.0.1:{listener.getsockname()[1]}/hook"
        try:
            yield receiver
        finally:
            await runner.cleanup()


@asynccontextmanager
async def a_twin(twin: StripeTwin, receiver: Receiver, **more: Any) -> AsyncIterator[Any]:
    """Serve a twin that delivers to the receiver. Yield a client of the twin."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with (
            serve(twin, listener) as base_url,
            httpx.AsyncClient(base_url=base_url, auth=("sk_test_one", ""), timeout=WAIT_S) as api,
        ):
            hook = {"url": receiver.url, "secret": SECRET, **more}
            assert (await api.post("/_twin/webhooks", json=hook)).status_code == 200
            yield api


@pytest.fixture
def twin() -> StripeTwin:
    return StripeTwin(strict=False, seed=7)


async def test_an_event_arrives_signed_and_as_the_list_has_it(twin: StripeTwin) -> None:
    async with listen(Receiver()) as receiver, a_twin(twin, receiver) as api:
        await api.post("/v1/products", data={"name": "Tea"}, headers={"Idempotency-Key": "key-1"})
        event = await receiver.next_event()
        listed = (await api.get("/v1/events")).json()["data"][0]
    assert (event["type"], event["request"]["idempotency_key"]) == ("product.created", "key-1")
    assert event["pending_webhooks"] == 1
    assert {**event, "pending_webhooks": 0} == {**listed, "pending_webhooks": 0}


async def test_an_event_arrives_although_its_answer_is_lost(twin: StripeTwin) -> None:
    twin.faults.add({"action": {"kind": "lost_answer"}})
    async with listen(Receiver()) as receiver, a_twin(twin, receiver) as api:
        with pytest.raises(httpx.TransportError):
            await api.post("/v1/products", data={"name": "Tea"})
        assert (await receiver.next_event())["type"] == "product.created"


async def test_a_webhook_receives_the_types_that_it_wants(twin: StripeTwin) -> None:
    async with (
        listen(Receiver()) as receiver,
        a_twin(twin, receiver, types=["coupon.*"]) as api,
    ):
        await api.post("/v1/products", data={"name": "Tea"})
        await api.post("/v1/coupons", data={"percent_off": 5})
        assert (await receiver.next_event())["type"] == "coupon.created"
        assert receiver.arrived.empty()


async def test_a_refused_event_is_sent_again(
    twin: StripeTwin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "RETRY_AFTER_S", (0.0, 0.0, 0.0))
    async with listen(Receiver(refusals=2)) as receiver, a_twin(twin, receiver) as api:
        await api.post("/v1/products", data={"name": "Tea"})
        event = await receiver.next_event()
    assert len(receiver.bodies) == 3
    assert {json.loads(body)["id"] for body in receiver.bodies} == {event["id"]}
    assert twin.webhooks.counts["retried"] == 2


async def test_a_webhook_that_refuses_every_time_is_given_up(
    twin: StripeTwin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "RETRY_AFTER_S", (0.0,))
    async with listen(Receiver(refusals=2)) as receiver, a_twin(twin, receiver) as api:
        await api.post("/v1/products", data={"name": "Tea"})
        for _ in range(2):
            await asyncio.wait_for(receiver.refused.get(), WAIT_S)
        await api.post("/v1/coupons", data={"percent_off": 5})
        assert (await receiver.next_event())["type"] == "coupon.created"
    assert twin.webhooks.counts["given_up"] == 1
    assert len(receiver.bodies) == 3


async def test_an_event_that_has_the_fault_twice_arrives_twice(twin: StripeTwin) -> None:
    async with listen(Receiver()) as receiver, a_twin(twin, receiver) as api:
        faults = await api.put("/_twin/event-faults", json={"twice": 1, "spread_s": 0.1})
        assert faults.status_code == 200
        await api.post("/v1/products", data={"name": "Tea"})
        events = [await receiver.next_event() for _ in range(2)]
    assert events[0]["id"] == events[1]["id"]
    assert twin.webhooks.faults.counts == {"twice": 1}


async def test_a_lost_event_never_arrives_but_is_listed(twin: StripeTwin) -> None:
    async with listen(Receiver()) as receiver, a_twin(twin, receiver) as api:
        await api.put("/_twin/event-faults", json={"lost": 1})
        await api.post("/v1/products", data={"name": "Tea"})
        await api.put("/_twin/event-faults", json={})
        await api.post("/v1/coupons", data={"percent_off": 5})
        assert (await receiver.next_event())["type"] == "coupon.created"
        listed = (await api.get("/v1/events?type=product.created")).json()["data"]
    assert len(listed) == 1
    assert receiver.arrived.empty()


async def test_the_server_ends_although_deliveries_wait(twin: StripeTwin) -> None:
    async with listen(Receiver()) as receiver:
        async with a_twin(twin, receiver) as api:
            await api.put("/_twin/event-faults", json={"late": 1, "late_s": 3600})
            await api.post("/v1/products", data={"name": "Tea"})
        assert receiver.bodies == []


async def test_too_many_waiting_deliveries_are_dropped_and_counted(
    twin: StripeTwin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "MOST_WAITING", 1)
    async with listen(Receiver()) as receiver, a_twin(twin, receiver) as api:
        await api.put("/_twin/event-faults", json={"late": 1, "late_s": 3600})
        for _ in range(3):
            await api.post("/v1/products", data={"name": "Tea"})
    assert twin.webhooks.counts == {"dropped": 2}
