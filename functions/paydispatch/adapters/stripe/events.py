"""`StripeEvents` over HTTP: one page of `GET /v1/events`, newest first."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from paydispatch.adapters.stripe.client import BrokenCall
from paydispatch.domain.looks.event_pages import EventPage, event_page
from paydispatch.domain.operators.lookup_results import Inconclusive
from paydispatch.domain.stripe.stripe_version import STRIPE_API_VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paydispatch.adapters.stripe.client import HttpClient
    from paydispatch.ports import ReadAs

PAGE = 100
"""Stripe's limit for one page."""

NO_LIST = "Stripe's answer holds no list of events"


class HttpStripeEvents:
    """Reads the events of the account that the key and its headers lead to."""

    def __init__(self, client: HttpClient, *, version: str = STRIPE_API_VERSION) -> None:
        self._client = client
        self._version = version

    async def page(
        self, read_as: ReadAs, *, types: Sequence[str], since: float, after: str | None
    ) -> EventPage | Inconclusive:
        query: dict[str, str | list[str]] = {
            "limit": str(PAGE),
            "created[gte]": str(int(since)),
            "types[]": list(types),
            **({"starting_after": after} if after else {}),
        }
        await read_as.turn()
        try:
            response = await self._client.request(
                "GET", "/v1/events", params=query, headers=self._headers(read_as)
            )
        except BrokenCall as error:
            return Inconclusive(f"Stripe cannot be reached: {error}")
        if response.status_code != 200:
            return Inconclusive(f"Stripe's list of events answered {response.status_code}")
        return event_page(_object(response.content), read_as.tenant) or Inconclusive(NO_LIST)

    def _headers(self, read_as: ReadAs) -> dict[str, str]:
        named = {
            "Authorization": f"Bearer {read_as.key.reveal()}",
            "Stripe-Version": self._version,
            "Stripe-Account": read_as.stripe_account,
            "Stripe-Context": read_as.stripe_context,
        }
        return {name: value for name, value in named.items() if value is not None}


def _object(content: bytes) -> dict[str, Any]:
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}
