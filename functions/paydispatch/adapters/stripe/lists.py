"""`StripeLists` over HTTP: pages of a hundred, newest first, until it finds the mark or the list ends."""

from __future__ import annotations

import json
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from paydispatch.adapters.stripe.client import BrokenCall
from paydispatch.domain.operators.lookup_results import (
    NO_END,
    Found,
    Inconclusive,
    LookupResult,
    NotFound,
    Page,
    both,
)
from paydispatch.domain.operators.object_states import Fetched
from paydispatch.domain.stripe.stripe_version import STRIPE_API_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from paydispatch.adapters.stripe.client import HttpClient
    from paydispatch.domain.credentials import StripeKey
    from paydispatch.domain.operators.lookups import Window
    from paydispatch.domain.stripe.listings import Listing
    from paydispatch.ports import ReadTurn

PAGE = 100
"""Stripe's limit for one page."""

MOST_PAGES = 50
"""The limit of one query: 5,000 objects. If an account made more in the window, an operator must search."""

LIVE = ("sk_live_", "rk_live_", "sk_org_live_")
"""The prefixes of live-mode keys."""


class HttpStripeLists:
    """Reads the lists of the operation's table row, and compares each object's metadata with the mark."""

    def __init__(
        self,
        client: HttpClient,
        *,
        version: str = STRIPE_API_VERSION,
        most_pages: int = MOST_PAGES,
    ) -> None:
        self._client = client
        self._version = version
        self._most_pages = most_pages

    async def find_created(
        self,
        *,
        path: str,
        listing: Listing,
        mark: tuple[str, str],
        params: Mapping[str, Any],
        within: Window,
        key: StripeKey,
        stripe_account: str | None,
        stripe_context: str | None = None,
        turn: ReadTurn,
    ) -> LookupResult:
        headers = self._headers(key, stripe_account, stripe_context)
        missing = [name for name in listing.needs if not isinstance(params.get(name), str)]
        if missing:
            return Inconclusive(
                f"Stripe answers its list only for one {missing[0]}, which the create does not name"
            )
        seen: NotFound | Inconclusive | None = None
        for query in _queries(listing, params, within, key):
            found = await self._search_list(path, query, headers, mark, turn)
            if isinstance(found, Found):
                return found
            seen = found if seen is None else both(seen, found)
        return seen or Inconclusive("the operation has no list at Stripe to look through")

    async def fetch(
        self,
        *,
        path: str,
        key: StripeKey,
        stripe_account: str | None,
        stripe_context: str | None = None,
        turn: ReadTurn,
    ) -> Fetched | Inconclusive:
        headers = self._headers(key, stripe_account, stripe_context)
        await turn()
        try:
            response = await self._client.request("GET", path, headers=headers)
        except BrokenCall as error:
            return Inconclusive(f"Stripe cannot be reached: {error}")
        body = _object(response.content)
        id_, at = response.headers.get("request-id"), _date(response.headers.get("date"))
        if response.status_code == 404 and _code(body) == " (resource_missing)":
            return Fetched(None, id_, at)
        if response.status_code != 200 or not body:
            return Inconclusive(f"Stripe's object answered {response.status_code}{_code(body)}")
        return Fetched(body, id_, at)

    async def read_page(
        self,
        *,
        path: str,
        query: Mapping[str, str],
        key: StripeKey,
        stripe_account: str | None,
        stripe_context: str | None = None,
        turn: ReadTurn,
    ) -> Page | Inconclusive:
        headers = self._headers(key, stripe_account, stripe_context)
        await turn()
        return await self._page(path, {**query, "limit": str(PAGE)}, headers)

    def _headers(
        self, key: StripeKey, stripe_account: str | None, stripe_context: str | None
    ) -> dict[str, str]:
        headers = {"Authorization": f"Bearer {key.reveal()}", "Stripe-Version": self._version}
        if stripe_account is not None:
            headers["Stripe-Account"] = stripe_account
        if stripe_context is not None:
            headers["Stripe-Context"] = stripe_context
        return headers

    async def _search_list(
        self,
        endpoint: str,
        query: dict[str, str],
        headers: Mapping[str, str],
        mark: tuple[str, str],
        turn: ReadTurn,
    ) -> LookupResult:
        for _ in range(self._most_pages):
            await turn()
            page = await self._page(endpoint, query, headers)
            if isinstance(page, Inconclusive):
                return page
            seen = _look(page, mark)
            if seen is not None:
                return seen
            query = {**query, "starting_after": str(page.objects[-1].get("id"))}
        return Inconclusive(f"more than {self._most_pages * PAGE} objects to look through")

    async def _page(
        self, endpoint: str, query: Mapping[str, str], headers: Mapping[str, str]
    ) -> Page | Inconclusive:
        try:
            response = await self._client.request(
                "GET", endpoint, params=dict(query), headers=dict(headers)
            )
        except BrokenCall as error:
            return Inconclusive(f"Stripe cannot be reached: {error}")
        body = _object(response.content)
        if response.status_code != 200:
            return Inconclusive(f"Stripe's list answered {response.status_code}{_code(body)}")
        listed = body.get("data")
        if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
            return Inconclusive("Stripe's answer holds no list of objects")
        return Page(
            listed,
            body.get("has_more"),
            response.headers.get("request-id"),
            _date(response.headers.get("date")),
        )


def _look(page: Page, mark: tuple[str, str]) -> LookupResult | None:
    """Return the result if this page decides it. None: the mark is not here, and there is a next page."""
    for candidate in page.objects:
        if _carries(candidate, mark):
            return Found(candidate, page.stripe_request_id)
    if page.has_more is False:
        return NotFound(page.answered_at)
    if page.has_more is not True or not page.objects:
        return Inconclusive(NO_END)
    return None


def _queries(
    listing: Listing, params: Mapping[str, Any], within: Window, key: StripeKey
) -> Iterator[dict[str, str]]:
    """Yield the queries in order: for the objects created in the window, then for those on the request's test clock.

    The second have no window, because the creation time of such an object is the time of its test clock.
    """
    needed = {name: str(params[name]) for name in listing.needs}
    for query in listing.queries:
        yield {**_query(query), **needed, **(_span(within) if listing.dated else {})}
    for name in () if _is_live(key) else listing.clocked_by:
        named = params.get(name)
        if isinstance(named, str) and named:
            for query in listing.queries:
                yield {**_query(query), **needed, name: named}


def _query(query: str) -> dict[str, str]:
    return {**dict(parse_qsl(query)), "limit": str(PAGE)}


def _span(within: Window) -> dict[str, str]:
    return {"created[gte]": str(within.earliest), "created[lte]": str(within.latest)}


def _date(text: str | None) -> float | None:
    """Return the time (unix s) in a `Date` header. None: the header holds no time."""
    try:
        return parsedate_to_datetime(text).timestamp() if text else None
    except ValueError:
        return None


def _is_live(key: StripeKey) -> bool:
    """Return whether the key is of live mode, where no test clocks exist."""
    return key.reveal().startswith(LIVE)


def _carries(candidate: Mapping[str, Any], mark: tuple[str, str]) -> bool:
    name, value = mark
    metadata = candidate.get("metadata")
    return isinstance(metadata, dict) and metadata.get(name) == value


def _object(content: bytes) -> dict[str, Any]:
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _code(body: Mapping[str, Any]) -> str:
    error = body.get("error")
    named = error.get("code") or error.get("type") if isinstance(error, dict) else None
    return f" ({named})" if named else ""
