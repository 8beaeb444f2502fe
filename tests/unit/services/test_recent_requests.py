"""A list of recent requests reads only what is new, and finds a request by any of its names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydispatch.domain.operators.recent import Page, RecentRequest
from paydispatch.services.recent import FRESH_S, RecentRequests
from paydispatch.testing.memory_clock import MemoryClock

if TYPE_CHECKING:
    from collections.abc import Mapping


def request(id_: str, status: str, at: float) -> RecentRequest:
    return RecentRequest(
        request_id=id_,
        tenant=None,
        worker_id="w",
        context_id=f"context of {id_}",
        operation="create_product",
        status=status,
        at=at,
    )


class Pages:
    def __init__(self, *pages: Page) -> None:
        self._pages = list(pages)
        self.asked: list[dict[str, str]] = []

    async def read(self, places: Mapping[str, str]) -> Page:
        self.asked.append(dict(places))
        return self._pages.pop(0)


async def test_a_second_question_within_the_time_costs_nothing() -> None:
    source = Pages(Page((), (), {}))
    recent = RecentRequests(source, MemoryClock())
    await recent.find()
    await recent.find("x")
    assert len(source.asked) == 1


async def test_the_next_reading_goes_on_after_the_last_and_keeps_what_was_found() -> None:
    clock = MemoryClock()
    first = Page((), (request("a", "succeeded", 1.0),), {"w": "1-0"})
    second = Page((), (request("b", "failed", 2.0),), {"w": "2-0"})
    source = Pages(first, second)
    recent = RecentRequests(source, clock)
    await recent.find()
    clock.advance(FRESH_S)
    assert [one["request_id"] for one in await recent.find()] == ["b", "a"]
    assert source.asked == [{}, {"w": "1-0"}]


async def test_a_request_is_found_by_its_context_and_its_outcome_replaces_the_open_one() -> None:
    page = Page((request("a", "dispatched", 1.0),), (request("a", "succeeded", 2.0),), {})
    found = await RecentRequests(Pages(page), MemoryClock()).find("CONTEXT OF A")
    assert [one["status"] for one in found] == ["succeeded"]
