"""`read_events`: the events of the asked requests, and of no others, page by page."""

from __future__ import annotations

from typing import Any

import pytest
from tests.read_turns import at_once
from tests.unit.examples import KEY

from paydispatch.domain.credentials import StripeKey
from paydispatch.domain.looks.event_pages import MOST_TYPES, chunks_of_types, event_page
from paydispatch.domain.looks.provable_events import PROVABLE_TYPES
from paydispatch.domain.operators.lookup_results import Inconclusive
from paydispatch.ports import ReadAs
from paydispatch.services.read_events import read_events
from paydispatch.testing.memory_events import MemoryStripeEvents

AS = ReadAs(key=StripeKey(KEY), turn=at_once, tenant="acme")


def event(number: int, request_id: str | None = None, **changes: Any) -> dict[str, Any]:
    request = {"id": "req_1", "idempotency_key": request_id}
    fields = {"id": f"evt_{number}", "type": "coupon.created", "created": number}
    return {**fields, "request": request, "livemode": False, **changes}


async def read(stripe: MemoryStripeEvents, *ids: str, **options: Any) -> Any:
    asked = {"types": ["coupon.created"], "since": 0.0, **options}
    return await read_events(stripe, AS, request_ids=set(ids), **asked)


async def test_the_events_of_the_asked_requests_are_found_on_every_page() -> None:
    stripe = MemoryStripeEvents(
        *(event(number, f"pdr_{number}") for number in range(9, 0, -1)), event(0)
    )
    result = await read(stripe, "pdr_8", "pdr_1", "pdr_99")
    assert [(one.event_id, one.tenant) for one in result.events] == [
        ("evt_8", "acme"),
        ("evt_1", "acme"),
    ]
    assert result.stopped is None
    assert [page["after"] for page in stripe.asked] == [None, "evt_8", "evt_6", "evt_4", "evt_2"]


async def test_no_event_is_no_proof_but_an_empty_answer() -> None:
    result = await read(MemoryStripeEvents(), "pdr_1")
    assert (result.events, result.stopped) == ((), None)


async def test_older_events_and_other_types_are_not_asked_for() -> None:
    stripe = MemoryStripeEvents(event(9, "pdr_1", type="price.created"), event(3, "pdr_1"))
    assert (await read(stripe, "pdr_1", since=5.0)).events == ()


async def test_a_list_that_cannot_be_read_says_why_and_keeps_what_was_found() -> None:
    stripe = MemoryStripeEvents(event(1, "pdr_1"))
    stripe.instead = Inconclusive("Stripe's list of events answered 403")
    result = await read(stripe, "pdr_1")
    assert (result.events, result.stopped) == ((), "Stripe's list of events answered 403")


async def test_a_list_that_is_too_long_says_so_with_a_figure() -> None:
    stripe = MemoryStripeEvents(*(event(number, "pdr_1") for number in range(9, 0, -1)))
    result = await read(stripe, "pdr_1", most_pages=2)
    assert len(result.events) == 4
    assert "more than 2 pages" in result.stopped


async def test_more_types_than_stripe_takes_are_asked_for_in_several_queries() -> None:
    stripe = MemoryStripeEvents(event(1, "pdr_1"))
    result = await read(stripe, "pdr_1", types=sorted(PROVABLE_TYPES))
    assert len(result.events) == 1
    assert sorted(type_ for page in stripe.asked for type_ in page["types"]) == sorted(
        PROVABLE_TYPES
    )
    assert all(len(page["types"]) <= MOST_TYPES for page in stripe.asked)


def test_no_types_make_no_query() -> None:
    assert chunks_of_types([]) == []


@pytest.mark.parametrize("body", [{}, {"data": None}, {"data": ["x"]}, {"data": {}}])
def test_any_other_answer_is_no_page(body: dict[str, Any]) -> None:
    assert event_page(body, None) is None
