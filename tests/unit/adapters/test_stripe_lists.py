"""`HttpStripeLists`: what is asked of Stripe, and what each answer proves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from tests.unit.examples import KEY

from paydispatch.adapters.stripe_lists import HttpStripeLists
from paydispatch.domain.credentials import StripeKey
from paydispatch.domain.resources import RESOURCES, resource_named
from paydispatch.domain.stripe_version import STRIPE_API_VERSION
from paydispatch.domain.unknown_ends import CannotTell, Found, NotFound, Sighting, Window

MARK = ("paydispatch_request_id", "pdr_1")
OURS = {"id": "pi_1", "metadata": dict([MARK])}
OTHER = {"id": "pi_2", "metadata": {"paydispatch_request_id": "pdr_2"}}

Answer = Callable[[httpx.Request], httpx.Response]


def page(*listed: Any, has_more: bool = False) -> httpx.Response:
    body = {"object": "list", "data": list(listed), "has_more": has_more}
    return httpx.Response(200, json=body, headers={"Request-Id": "req_9"})


async def look(
    answer: Answer,
    *,
    object_name: str = "payment_intent",
    account: str | None = None,
    pages: int = 5,
) -> Sighting:
    transport = httpx.MockTransport(answer)
    async with httpx.AsyncClient(transport=transport, base_url="http://stripe") as client:
        return await HttpStripeLists(client, most_pages=pages).find_created(
            resource=resource_named(object_name),
            mark=MARK,
            within=Window(100, 200),
            key=StripeKey(KEY),
            stripe_account=account,
        )


async def test_the_object_that_carries_our_mark_is_found() -> None:
    assert await look(lambda _: page(OTHER, OURS)) == Found(OURS, "req_9")


@pytest.mark.parametrize("other", [OTHER, {"id": "x"}, {"id": "x", "metadata": None}])
async def test_an_object_without_it_is_not(other: Any) -> None:
    assert await look(lambda _: page(other)) == NotFound()


async def test_the_window_the_version_and_the_account_are_named() -> None:
    asked: list[httpx.Request] = []
    await look(lambda request: asked.append(request) or page(), account="acct_1")

    (request,) = asked
    assert dict(request.url.params) == {
        "created[gte]": "100",
        "created[lte]": "200",
        "limit": "100",
    }
    assert request.url.path == "/v1/payment_intents"
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert request.headers["Stripe-Version"] == STRIPE_API_VERSION
    assert request.headers["Stripe-Account"] == "acct_1"


@pytest.mark.parametrize(
    ("object_name", "listings"),
    [
        ("price", [{"active": "true"}, {"active": "false"}]),
        ("subscription", [{"status": "all"}]),
        ("product", [{}]),
    ],
)
async def test_what_stripe_leaves_out_unasked_is_asked_for(
    object_name: str, listings: list[dict[str, str]]
) -> None:
    asked: list[dict[str, str]] = []
    await look(
        lambda request: asked.append(dict(request.url.params)) or page(), object_name=object_name
    )

    own = [{name: q[name] for name in ("active", "status") if name in q} for q in asked]
    assert own == listings


async def test_pages_are_followed_to_the_last() -> None:
    pages = {None: page(OTHER, has_more=True), "pi_2": page(OURS)}

    assert isinstance(await look(lambda r: pages[r.url.params.get("starting_after")]), Found)


async def test_more_pages_than_are_read_prove_nothing() -> None:
    asked: list[httpx.Request] = []

    seen = await look(lambda r: asked.append(r) or page(OTHER, has_more=True), pages=3)

    assert isinstance(seen, CannotTell)
    assert len(asked) == 3


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"object": "list"}),
        httpx.Response(200, json={"data": ["x"]}),
        httpx.Response(401, json={"error": {"type": "invalid_request_error"}}),
        httpx.Response(403, json={"error": "no"}),
        httpx.Response(429, json={"error": {"code": "rate_limit"}}),
        httpx.Response(500, text=""),
    ],
    ids=lambda answer: f"{answer.status_code} {answer.text[:20]}",
)
async def test_any_other_answer_proves_nothing(answer: httpx.Response) -> None:
    assert isinstance(await look(lambda _: answer), CannotTell)


@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ReadTimeout, httpx.DecodingError])
async def test_a_broken_connection_proves_nothing(error: type[httpx.RequestError]) -> None:
    def broken(_: httpx.Request) -> httpx.Response:
        raise error("broken")

    assert isinstance(await look(broken), CannotTell)


async def test_a_listing_that_fails_leaves_no_proof_to_the_other() -> None:
    answers = {"true": httpx.Response(500), "false": page()}

    seen = await look(lambda r: answers[r.url.params["active"]], object_name="price")

    assert isinstance(seen, CannotTell)


async def test_the_key_is_in_no_reason() -> None:
    seen = await look(lambda _: httpx.Response(401, json={"error": {"message": KEY, "code": "x"}}))

    assert KEY not in repr(seen)


def test_every_row_is_listed_somehow() -> None:
    assert all(resource.listings for resource in RESOURCES)
