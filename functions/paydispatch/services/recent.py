"""Keep the newest requests in memory, so that a list and a search cost the store only what is new."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from paydispatch.domain.operators.figures import figures_of
from paydispatch.domain.operators.recent import Page

if TYPE_CHECKING:
    from collections.abc import Iterable

    from paydispatch.domain.operators.recent import RecentRequest
    from paydispatch.ports import Clock, Recent

MOST_KEPT = 5_000
FRESH_S = 2.0
"""A list that is younger is shown again, however many pages ask for it."""


class RecentRequests:
    """The newest requests that this program has seen."""

    def __init__(self, source: Recent, clock: Clock, *, fresh_s: float = FRESH_S) -> None:
        self._source = source
        self._fresh_s = fresh_s
        self._clock = clock
        self._page = Page((), (), {})
        self._kept: dict[tuple[str | None, str], RecentRequest] = {}
        self._read_at = float("-inf")

    async def find(self, text: str = "", *, at_most: int = 200) -> list[dict[str, Any]]:
        """Return the requests with `text` in a field, the newest first. Raises `Unavailable`."""
        await self._refresh()
        return search(self._all(), text, at_most=at_most)

    async def figures(self, *, window_s: float) -> dict[str, Any]:
        """Return the rates and the latencies of the last `window_s`. Raises `Unavailable`."""
        await self._refresh()
        whole_since = None
        if len(self._kept) >= MOST_KEPT:  # older outcomes were dropped
            whole_since = min(one.at for one in self._kept.values())
        now_s = self._clock.now_s()
        return asdict(
            figures_of(self._kept.values(), now_s, window_s=window_s, whole_since=whole_since)
        )

    async def _refresh(self) -> None:
        now_s = self._clock.now_s()
        if now_s - self._read_at < self._fresh_s:
            return
        self._read_at = now_s
        self._page = await self._source.read(self._page.places)
        self._keep(sorted(self._page.outcomes, key=lambda one: one.at))
        self._page = replace(self._page, outcomes=())

    def _keep(self, outcomes: Iterable[RecentRequest]) -> None:
        """Keep the last outcome of each request, because an unknown one may settle later."""
        for one in outcomes:
            self._kept.pop((one.tenant, one.request_id), None)
            self._kept[one.tenant, one.request_id] = one
        for oldest in list(self._kept)[: max(0, len(self._kept) - MOST_KEPT)]:
            del self._kept[oldest]

    def _all(self) -> Iterable[RecentRequest]:
        return [*self._page.open, *self._kept.values()]


def search(requests: Iterable[RecentRequest], text: str, *, at_most: int) -> list[dict[str, Any]]:
    """Return the requests with `text` in a field, the newest first. A later one of the same id replaces an earlier."""
    wanted = text.strip().lower()
    last = {(one.tenant, one.request_id): one for one in requests}
    found = [one for one in last.values() if _has(one, wanted)]
    found.sort(key=lambda one: -one.at)
    return [asdict(one) for one in found[:at_most]]


def _has(one: RecentRequest, wanted: str) -> bool:
    fields = (
        one.request_id,
        one.worker_id,
        one.context_id,
        one.operation,
        one.status,
        one.account,
        one.stripe_id,
        one.why,
    )
    return any(wanted in field.lower() for field in fields if field)
