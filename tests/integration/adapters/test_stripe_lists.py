"""The lookup of created objects in the lists of the twin, which refuses the same parameters as Stripe."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.read_turns import at_once

from paydispatch.adapters.stripe.client import StripeClient
from paydispatch.adapters.stripe.gateway import make_stripe_request
from paydispatch.adapters.stripe.lists import HttpStripeLists
from paydispatch.domain.credentials import StripeKey
from paydispatch.domain.operators.lookup_results import Found, NotFound
from paydispatch.domain.operators.lookups import Window
from paydispatch.domain.stripe.operations import create_operation
from paydispatch.domain.stripe.resources import RESOURCES, resource_named
from paydispatch.twin.serving.server import serve
from paydispatch.twin.twin import StripeTwin

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from paydispatch.domain.operators.lookup_results import LookupResult

CREATES = json.loads((Path(__file__).parents[1] / "twin_creates.json").read_text("utf-8"))
KEY = "sk_test_one"
MARK = ("paydispatch_request_id", "pdr_1")
LONG_AGO = Window(1, 2)


class Shop:
    """An account at the Stripe twin."""

    def __init__(self, stripe: StripeClient) -> None:
        self._stripe = stripe

    async def make(self, name: str, params: dict[str, Any], **metadata: str) -> Any:
        form = {**params, "metadata": metadata}
        answer = await make_stripe_request(self._stripe, KEY, resource_named(name).endpoint, form)
        assert answer.status_code == 200, answer.text
        return json.loads(answer.content)

    async def look(
        self, name: str, params: dict[str, Any], *, within: Window | None = None
    ) -> LookupResult:
        now = int(time.time())
        return await HttpStripeLists(self._stripe).find_created(
            path=create_operation(name).path,
            listing=create_operation(name).listing,
            mark=MARK,
            params=params,
            within=within or Window(now - 60, now + 60),
            key=StripeKey(KEY),
            stripe_account=None,
            turn=at_once,
        )


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with (
            serve(StripeTwin(strict=False), listener) as base_url,
            StripeClient(base_url) as stripe,
        ):
            yield Shop(stripe)


@pytest.mark.parametrize("name", [row.name for row in RESOURCES])
async def test_every_object_is_found_only_by_its_mark(shop: Shop, name: str) -> None:
    await shop.make(name, CREATES[name], paydispatch_request_id="pdr_2")
    assert isinstance(await shop.look(name, CREATES[name]), NotFound)

    made = await shop.make(name, CREATES[name], **dict([MARK]))
    seen = await shop.look(name, CREATES[name])

    assert isinstance(seen, Found)
    assert seen.body["id"] == made["id"]


@pytest.mark.parametrize("name", ["product", "price"])
async def test_an_inactive_object_is_found(shop: Shop, name: str) -> None:
    params = {**CREATES[name], "active": False}
    await shop.make(name, params, **dict([MARK]))

    assert isinstance(await shop.look(name, params), Found)


async def test_payment_links_beyond_the_first_page_are_found(shop: Shop) -> None:
    params = CREATES["payment_link"]
    await shop.make("payment_link", params, **dict([MARK]))
    for _ in range(100):
        await shop.make("payment_link", params)

    assert isinstance(await shop.look("payment_link", params), Found)


async def test_a_customer_on_a_test_clock_is_found_at_any_time_of_that_clock(shop: Shop) -> None:
    params = {"test_clock": "clock_1"}
    await shop.make("customer", params, **dict([MARK]))

    assert isinstance(await shop.look("customer", params, within=LONG_AGO), Found)


@pytest.mark.parametrize("name", ["subscription", "invoice"])
async def test_objects_of_a_customer_on_a_test_clock_are_found(shop: Shop, name: str) -> None:
    customer = await shop.make("customer", {"test_clock": "clock_1"})
    params = {**CREATES[name], "customer": customer["id"]}
    await shop.make(name, params, **dict([MARK]))

    assert isinstance(await shop.look(name, params, within=LONG_AGO), Found)
