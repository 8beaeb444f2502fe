"""`StripeLists` over the wire: pages of a hundred, newest first, until our mark is found or the window ends."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import httpx

from paydispatch.domain.stripe_version import STRIPE_API_VERSION
from paydispatch.domain.unknown_ends import CannotTell, Found, NotFound, Sighting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paydispatch.domain.credentials import StripeKey
    from paydispatch.domain.resources import Resource
    from paydispatch.domain.unknown_ends import Window

PAGE = 100
"""The most that Stripe lists at once."""

MOST_PAGES = 50
"""Of one window: 5,000 objects. An account that makes more than that in it needs a human's search."""


class HttpStripeLists:
    def __init__(
        self,
        client: httpx.AsyncClient,
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
        resource: Resource,
        mark: tuple[str, str],
        within: Window,
        key: StripeKey,
        stripe_account: str | None,
    ) -> Sighting:
        headers = {"Authorization": f"Bearer {key.reveal()}", "Stripe-Version": self._version}
        if stripe_account is not None:
            headers["Stripe-Account"] = stripe_account
        seen: Sighting = NotFound()
        for listing in resource.listings:
            query = {
                **dict(parse_qsl(listing)),
                "created[gte]": str(within.earliest),
                "created[lte]": str(within.latest),
                "limit": str(PAGE),
            }
            found = await self._look_through(resource.endpoint, query, headers, mark)
            if isinstance(found, Found):
                return found
            seen = found if isinstance(found, CannotTell) else seen
        return seen

    async def _look_through(
        self,
        endpoint: str,
        query: dict[str, str],
        headers: Mapping[str, str],
        mark: tuple[str, str],
    ) -> Sighting:
        for _ in range(self._most_pages):
            page = await self._page(endpoint, query, headers)
            if isinstance(page, CannotTell):
                return page
            listed, more, stripe_request_id = page
            for candidate in listed:
                if _carries(candidate, mark):
                    return Found(candidate, stripe_request_id)
            if not more or not listed:
                return NotFound()
            query = {**query, "starting_after": str(listed[-1].get("id"))}
        return CannotTell(f"more than {self._most_pages * PAGE} objects in the time in question")

    async def _page(
        self, endpoint: str, query: Mapping[str, str], headers: Mapping[str, str]
    ) -> tuple[list[dict[str, Any]], bool, str | None] | CannotTell:
        try:
            response = await self._client.get(endpoint, params=dict(query), headers=dict(headers))
        except httpx.HTTPError as error:
            return CannotTell(f"Stripe cannot be reached: {type(error).__name__}")
        body = _object(response.content)
        if response.status_code != 200:
            return CannotTell(f"Stripe's list answered {response.status_code}{_code(body)}")
        listed = body.get("data")
        if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
            return CannotTell("Stripe's list is no list")
        return listed, bool(body.get("has_more")), response.headers.get("request-id")


def _carries(candidate: Mapping[str, Any], mark: tuple[str, str]) -> bool:
    name, value = mark
    metadata = candidate.get("metadata")
    return isinstance(metadata, dict) and metadata.get(name) == value


def _object(content: bytes) -> dict[str, Any]:
    try:
        body = json.loads(content)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _code(body: Mapping[str, Any]) -> str:
    error = body.get("error")
    named = error.get("code") or error.get("type") if isinstance(error, dict) else None
    return f" ({named})" if named else ""
