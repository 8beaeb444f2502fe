"""`HttpStripeLists`: the queries to Stripe, and the proof that each answer gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.broken_calls import BROKEN_CALLS, TimedOut
from tests.read_turns import at_once
from tests.unit.examples import KEY

from paydispatch.adapters.stripe.lists import HttpStripeLists
from paydispatch.domain.credentials import StripeKey
from paydispatch.domain.errors import Unavailable
from paydispatch.domain.operators.lookup_results import (
    Found,
    Inconclusive,
    LookupResult,
    NotFound,
)
from paydispatch.domain.operators.lookups import Window
from paydispatch.domain.stripe.operations import create_operation
from paydispatch.domain.stripe.stripe_version import STRIPE_API_VERSION

if TYPE_CHECKING:
    from paydispatch.ports import ReadTurn

MARK = ("paydispatch_request_id", "pdr_1")
OURS = {"id": "pi_1", "metadata": dict([MARK])}
OTHER = {"id": "pi_2", "metadata": {"paydispatch_request_id": "pdr_2"}}

Answer = Callable[[httpx.Request], httpx.Response]


LIVE_KEY = KEY.replace("_test_", "_live_")
DEEP = 100_000
"""A number of nested brackets that Python's parser refuses."""


DATE = "Tue, 14 Nov 2023 22:13:20 GMT"
AT = 1_700_000_000.0


def page(*listed: Any, has_more: Any = False, date: str | None = DATE) -> httpx.Response:
    body = {"object": "list", "data": list(listed), "has_more": has_more}
    headers = {"Request-Id": "req_9"} | ({"Date": date} if date else {})
    return httpx.Response(200, json=body, headers=headers)


async def look(
    answer: Answer,
    *,
    object_name: str = "payment_intent",
    params: Mapping[str, Any] | None = None,
    key: str = KEY,
    account: str | None = None,
    context: str | None = None,
    pages: int = 5,
    turn: ReadTurn = at_once,
) -> LookupResult:
    transport, operation = httpx.MockTransport(answer), create_operation(object_name)
    assert operation.listing is not None
    async with httpx.AsyncClient(transport=transport, base_url="http://stripe") as client:
        return await HttpStripeLists(client, most_pages=pages).find_created(
            path=operation.path,
            listing=operation.listing,
            mark=MARK,
            params=params or {},
            within=Window(100, 200),
            key=StripeKey(key),
            stripe_account=account,
            stripe_context=context,
            turn=turn,
        )


async def queries(
    object_name: str, params: Mapping[str, Any] | None = None
) -> list[dict[str, str]]:
    """Return the queries to Stripe when no query finds the object."""
    asked: list[dict[str, str]] = []
    await look(
        lambda request: asked.append(dict(request.url.params)) or page(),
        object_name=object_name,
        params=params,
    )
    return asked


async def test_the_object_with_our_metadata_pair_is_found() -> None:
    assert await look(lambda _: page(OTHER, OURS)) == Found(OURS, "req_9")


@pytest.mark.parametrize("other", [OTHER, {"id": "x"}, {"id": "x", "metadata": None}])
async def test_an_object_without_our_metadata_pair_is_not_found(other: Any) -> None:
    assert await look(lambda _: page(other)) == NotFound(AT)


@pytest.mark.parametrize("date", [None, "", "yesterday", "Tue, 99 Nov 2023 22:13:20 GMT"])
async def test_an_absence_has_no_time_if_stripe_sends_no_date(date: str | None) -> None:
    assert await look(lambda _: page(date=date)) == NotFound()


async def test_an_absence_from_two_lists_has_the_earlier_time() -> None:
    dates = {"true": "Tue, 14 Nov 2023 23:13:20 GMT", "false": DATE}

    seen = await look(lambda r: page(date=dates[r.url.params["active"]]), object_name="price")

    assert seen == NotFound(AT)


async def test_a_query_has_the_window_the_version_the_account_and_the_context() -> None:
    asked: list[httpx.Request] = []
    await look(lambda request: asked.append(request) or page(), account="acct_1", context="acct_2")

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
    assert request.headers["Stripe-Context"] == "acct_2"


@pytest.mark.parametrize(
    ("object_name", "listings"),
    [
        ("price", [{"active": "true"}, {"active": "false"}]),
        ("subscription", [{"status": "all"}]),
        ("product", [{"active": "true"}, {"active": "false"}]),
        ("payment_link", [{"active": "true"}, {"active": "false"}]),
        ("invoice", [{}]),
    ],
)
async def test_objects_that_stripe_lists_only_on_request_are_requested(
    object_name: str, listings: list[dict[str, str]]
) -> None:
    asked = await queries(object_name)

    own = [{name: q[name] for name in ("active", "status") if name in q} for q in asked]
    assert own == listings


async def test_a_list_without_a_time_filter_is_queried_without_a_window() -> None:
    asked = await queries("payment_link")

    assert asked == [{"active": active, "limit": "100"} for active in ("true", "false")]


async def test_a_list_without_a_time_filter_is_read_to_its_end() -> None:
    pages = {None: page(OTHER, has_more=True), "pi_2": page(OURS)}

    seen = await look(
        lambda r: pages[r.url.params.get("starting_after")], object_name="payment_link"
    )

    assert isinstance(seen, Found)


@pytest.mark.parametrize(
    ("object_name", "params", "asked_for"),
    [
        ("customer", {"test_clock": "clock_1"}, {"test_clock": "clock_1"}),
        ("subscription", {"customer": "cus_1"}, {"status": "all", "customer": "cus_1"}),
        ("invoice", {"customer": "cus_1"}, {"customer": "cus_1"}),
        ("invoice", {"customer_account": "acct_1"}, {"customer_account": "acct_1"}),
    ],
)
async def test_an_object_that_may_be_on_a_test_clock_is_queried_without_a_window_too(
    object_name: str, params: dict[str, str], asked_for: dict[str, str]
) -> None:
    in_the_window, on_the_clock = await queries(object_name, params)

    assert in_the_window["created[gte]"] == "100"
    assert on_the_clock == {**asked_for, "limit": "100"}


async def test_an_object_on_a_test_clock_is_found() -> None:
    seen = await look(
        lambda r: page(OURS) if "customer" in r.url.params else page(),
        object_name="invoice",
        params={"customer": "cus_1"},
    )

    assert seen == Found(OURS, "req_9")


async def test_a_test_clock_that_cannot_be_listed_proves_nothing() -> None:
    gone = httpx.Response(400, json={"error": {"code": "resource_missing"}})

    seen = await look(
        lambda r: gone if "test_clock" in r.url.params else page(),
        object_name="customer",
        params={"test_clock": "clock_1"},
    )

    assert isinstance(seen, Inconclusive)


@pytest.mark.parametrize("params", [{}, {"customer": ""}, {"description": "Tea"}])
async def test_without_a_customer_no_test_clock_is_queried(
    params: dict[str, str],
) -> None:
    assert len(await queries("invoice", params)) == 1


async def test_live_objects_are_on_no_test_clock() -> None:
    asked: list[httpx.Request] = []
    await look(
        lambda r: asked.append(r) or page(),
        object_name="invoice",
        params={"customer": "cus_1"},
        key=LIVE_KEY,
    )

    assert len(asked) == 1


async def test_pages_are_followed_to_the_last() -> None:
    pages = {None: page(OTHER, has_more=True), "pi_2": page(OURS)}

    assert isinstance(await look(lambda r: pages[r.url.params.get("starting_after")]), Found)


async def test_a_list_with_too_many_pages_proves_nothing() -> None:
    asked: list[httpx.Request] = []

    seen = await look(lambda r: asked.append(r) or page(OTHER, has_more=True), pages=3)

    assert isinstance(seen, Inconclusive)
    assert len(asked) == 3


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"object": "list"}),
        httpx.Response(200, json={"data": ["x"]}),
        httpx.Response(200, json={"object": "list", "data": []}),
        httpx.Response(200, json={"object": "list", "data": [OTHER]}),
        page(OTHER, has_more=None),
        page(OTHER, has_more="false"),
        page(OTHER, has_more=0),
        page(has_more=True),
        httpx.Response(200, text="[" * DEEP),
        httpx.Response(401, json={"error": {"type": "invalid_request_error"}}),
        httpx.Response(403, json={"error": "no"}),
        httpx.Response(429, json={"error": {"code": "rate_limit"}}),
        httpx.Response(500, text=""),
    ],
    ids=lambda answer: f"{answer.status_code} {answer.text[:70]}",
)
async def test_any_other_answer_proves_nothing(answer: httpx.Response) -> None:
    assert isinstance(await look(lambda _: answer), Inconclusive)


async def test_an_object_on_a_page_without_a_valid_has_more_is_found() -> None:
    assert isinstance(await look(lambda _: page(OURS, has_more=None)), Found)


@pytest.mark.parametrize("error", BROKEN_CALLS)
async def test_a_broken_connection_proves_nothing(error: type[Exception]) -> None:
    def broken(_: httpx.Request) -> httpx.Response:
        raise error("broken")

    assert isinstance(await look(broken), Inconclusive)


async def test_two_lists_prove_nothing_if_one_of_them_fails() -> None:
    answers = {"true": httpx.Response(500), "false": page()}

    seen = await look(lambda r: answers[r.url.params["active"]], object_name="price")

    assert isinstance(seen, Inconclusive)


async def test_the_key_is_in_no_reason() -> None:
    seen = await look(lambda _: httpx.Response(401, json={"error": {"message": KEY, "code": "x"}}))

    assert KEY not in repr(seen)


async def fetch(answer: Answer, turn: ReadTurn = at_once) -> Any:
    transport = httpx.MockTransport(answer)
    async with httpx.AsyncClient(transport=transport, base_url="http://stripe") as client:
        return await HttpStripeLists(client).fetch(
            path="/v1/payment_intents/pi_1",
            key=StripeKey(KEY),
            stripe_account="acct_2",
            stripe_context="acct_3",
            turn=turn,
        )


async def test_an_object_is_fetched_in_the_account_of_the_request() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        headers = {"Request-Id": "req_9", "Date": DATE}
        return httpx.Response(200, json={"id": "pi_1"}, headers=headers)

    fetched = await fetch(answer)
    assert fetched.body == {"id": "pi_1"}
    assert fetched.stripe_request_id == "req_9"
    assert fetched.answered_at is not None
    (request,) = asked
    assert (request.method, request.url.path) == ("GET", "/v1/payment_intents/pi_1")
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert request.headers["Stripe-Account"] == "acct_2"
    assert request.headers["Stripe-Context"] == "acct_3"


async def test_only_a_404_for_a_missing_resource_says_that_there_is_no_object() -> None:
    missing = {"error": {"code": "resource_missing"}}
    fetched = await fetch(lambda _: httpx.Response(404, json=missing))
    assert fetched.body is None


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, {"error": {"code": "url_invalid"}}),
        (404, {}),
        (403, {"error": {"code": "resource_missing"}}),
        (500, {"id": "pi_1"}),
        (200, []),
        (200, {}),
    ],
)
async def test_any_other_answer_to_a_fetch_proves_nothing(status: int, body: Any) -> None:
    assert isinstance(await fetch(lambda _: httpx.Response(status, json=body)), Inconclusive)


async def test_a_fetch_without_an_answer_proves_nothing() -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        raise TimedOut

    assert isinstance(await fetch(answer), Inconclusive)


async def test_a_list_that_needs_a_parameter_is_read_with_it() -> None:
    asked = await queries("subscription_item", {"subscription": "sub_1"})
    assert [query["subscription"] for query in asked] == ["sub_1"]


async def test_a_list_that_needs_a_missing_parameter_proves_nothing() -> None:
    assert isinstance(await look(lambda _: page(), object_name="subscription_item"), Inconclusive)


async def test_every_page_waits_for_its_turn() -> None:
    turns: list[str] = []

    async def turn() -> None:
        turns.append("turn")

    def answer(request: httpx.Request) -> httpx.Response:
        turns.append("page")
        return page(OTHER, has_more=len(turns) < 4)

    await look(answer, turn=turn)
    assert turns == ["turn", "page"] * 2


async def test_a_fetch_waits_for_its_turn() -> None:
    async def turn() -> None:
        raise Unavailable("no room")

    with pytest.raises(Unavailable):
        await fetch(lambda _: pytest.fail("fetched before its turn"), turn)
