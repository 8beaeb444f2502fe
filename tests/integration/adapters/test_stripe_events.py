"""The list of events at the twin, which reads the same parameters as Stripe."""

from __future__ import annotations

import json
import socket
import time
from typing import TYPE_CHECKING

import httpx
import pytest
from tests.broken_calls import NotConnected
from tests.read_turns import at_once

from paydispatch.adapters.stripe.client import StripeClient
from paydispatch.adapters.stripe.events import HttpStripeEvents
from paydispatch.adapters.stripe.gateway import make_stripe_request
from paydispatch.domain.credentials import StripeKey
from paydispatch.domain.looks.event_pages import EventPage
from paydispatch.domain.operators.lookup_results import Inconclusive
from paydispatch.ports import ReadAs
from paydispatch.services.read_events import read_events
from paydispatch.twin.serving.server import serve
from paydispatch.twin.twin import StripeTwin

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

KEY = "sk_test_one"
AS = ReadAs(key=StripeKey(KEY), turn=at_once, tenant="acme", stripe_account="acct_9")


@pytest.fixture
async def stripe() -> AsyncIterator[StripeClient]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with serve(StripeTwin(), listener) as url, StripeClient(url) as client:
            yield client


async def make_coupons(stripe: StripeClient, *request_ids: str) -> None:
    for request_id in request_ids:
        answer = await make_stripe_request(
            stripe,
            KEY,
            "/v1/coupons",
            {"percent_off": 5, "duration": "once"},
            idempotency_key=request_id,
            stripe_account="acct_9",
        )
        assert answer.status_code == 200, answer.content


async def test_the_events_of_our_requests_are_read_from_all_pages(
    stripe: StripeClient,
) -> None:
    await make_coupons(stripe, *(f"pdr_{number}" for number in range(120)))
    found = await read_events(
        HttpStripeEvents(stripe),
        AS,
        request_ids={"pdr_0", "pdr_119", "pdr_none"},
        types=["coupon.created", "coupon.updated"],
        since=time.time() - 60,
    )
    assert found.stopped is None
    assert [event.request_id for event in found.events] == ["pdr_119", "pdr_0"]
    assert {(event.type, event.tenant) for event in found.events} == {("coupon.created", "acme")}


async def test_the_events_of_another_account_are_not_read(stripe: StripeClient) -> None:
    await make_coupons(stripe, "pdr_1")
    other = ReadAs(key=StripeKey(KEY), turn=at_once)
    page = await HttpStripeEvents(stripe).page(
        other, types=["coupon.created"], since=0.0, after=None
    )
    assert page == EventPage((), None)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, b"{}"),
        (500, b"no"),
        (200, b"no"),
        (200, b"[]"),
        (200, json.dumps({"data": 1}).encode()),
    ],
)
async def test_any_other_answer_is_inconclusive(status: int, body: bytes) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(status, content=body))
    async with httpx.AsyncClient(transport=transport, base_url="http://stripe") as client:
        page = await HttpStripeEvents(client).page(AS, types=["a.b"], since=0.0, after=None)
    assert isinstance(page, Inconclusive)


async def test_an_unreachable_stripe_is_inconclusive() -> None:
    def refuse(_: httpx.Request) -> httpx.Response:
        raise NotConnected

    transport = httpx.MockTransport(refuse)
    async with httpx.AsyncClient(transport=transport, base_url="http://stripe") as client:
        page = await HttpStripeEvents(client).page(AS, types=["a.b"], since=0.0, after=None)
    assert page == Inconclusive("Stripe cannot be reached: ClientConnectorError")
