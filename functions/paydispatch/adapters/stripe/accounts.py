"""`Accounts` over HTTP: `GET /v1/account`, once a day per key."""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paydispatch.adapters.stripe.client import BrokenCall
from paydispatch.domain.attempts import RefusedInFront, classify
from paydispatch.domain.errors import Unavailable
from paydispatch.domain.stripe.accounts import hash_of
from paydispatch.domain.stripe.stripe_version import STRIPE_API_VERSION

if TYPE_CHECKING:
    from paydispatch.adapters.stripe.client import HttpClient, HttpResponse
    from paydispatch.domain.credentials import StripeKey
    from paydispatch.ports import Clock

KEPT_S = 86_400.0
"""A key never changes its account. Stripe is asked again after a day, because the key's permission may have changed."""

KEYS_KEPT = 10_000

ANSWER_TIMEOUT_S = 10.0
"""Stripe looks up an account quickly. If it takes longer than this, Stripe counts as unreachable."""

FORBIDDEN, UNAUTHORIZED = 403, 401
NO_ENDPOINT = frozenset({404, 405})
"""The answers of a stand-in for Stripe without this endpoint. They count like a 403: the key may not ask, and the key's
hash stands in for the account's id."""


@dataclass(frozen=True, slots=True)
class _Kept:
    account_id: str | None
    found_at: float


class HttpStripeAccounts:
    """Keeps each answer in memory for a day, by the key's hash and the context."""

    def __init__(
        self,
        client: HttpClient,
        clock: Clock,
        *,
        version: str = STRIPE_API_VERSION,
        answer_within_s: float = ANSWER_TIMEOUT_S,
        keys_kept: int = KEYS_KEPT,
    ) -> None:
        self._client = client
        self._clock = clock
        self._version = version
        self._answer_within_s = answer_within_s
        self._keys_kept = keys_kept
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()
        self._asking: dict[tuple[str, str], asyncio.Future[str | RefusedInFront | None]] = {}

    async def find(
        self, key: StripeKey, *, stripe_context: str | None, within_s: float
    ) -> str | RefusedInFront | None:
        name = (hash_of(key), stripe_context or "")
        kept = self._kept.get(name)
        if kept is not None and self._clock.now_s() - kept.found_at < KEPT_S:
            return kept.account_id
        # All messages of a batch with the same key share one call.
        asking = self._asking.get(name)
        if asking is None:
            asking = asyncio.ensure_future(self._ask(key, stripe_context))
            self._asking[name] = asking
            asking.add_done_callback(lambda done: self._remember(name, done))
        try:
            async with asyncio.timeout(within_s):
                return await asyncio.shield(asking)
        except TimeoutError:
            raise Unavailable(
                "Stripe did not say in time which account the key belongs to."
            ) from None

    async def _ask(self, key: StripeKey, context: str | None) -> str | RefusedInFront | None:
        headers = {"Authorization": f"Bearer {key.reveal()}", "Stripe-Version": self._version}
        if context is not None:
            headers["Stripe-Context"] = context
        try:
            # The client limits each read. This limits the whole call, because every later caller would wait for it.
            async with asyncio.timeout(self._answer_within_s):
                response = await self._client.request("GET", "/v1/account", headers=headers)
        except TimeoutError:
            raise Unavailable("GET /v1/account of Stripe failed: TimeoutError") from None
        except BrokenCall as broken:
            raise Unavailable(f"GET /v1/account of Stripe failed: {broken}") from None
        return _read(response)

    def _remember(
        self, name: tuple[str, str], done: asyncio.Future[str | RefusedInFront | None]
    ) -> None:
        del self._asking[name]
        if done.cancelled() or done.exception() is not None:
            return
        found = done.result()
        if isinstance(found, RefusedInFront):
            return  # not kept, because an operator may give the key its permission back
        self._kept[name] = _Kept(found, self._clock.now_s())
        while len(self._kept) > self._keys_kept:
            self._kept.popitem(last=False)


def _read(response: HttpResponse) -> str | RefusedInFront | None:
    """Return the account's id, None if the key may not ask, or Stripe's refusal. Raises `Unavailable` otherwise.

    A 401 or 403 counts only with an error body of Stripe's form, because a proxy may answer with these codes too.
    """
    body = _json_or_none(response.content)
    account_id = body.get("id") if isinstance(body, dict) else None
    if 200 <= response.status_code < 300 and isinstance(account_id, str):
        return account_id
    if response.status_code in NO_ENDPOINT:
        return None
    attempt = classify(response.status_code, response.headers, body)
    if isinstance(attempt, RefusedInFront) and attempt.http_status == FORBIDDEN:
        return None
    if isinstance(attempt, RefusedInFront) and attempt.http_status == UNAUTHORIZED:
        return attempt
    raise Unavailable(f"GET /v1/account of Stripe failed: status {response.status_code}")


def _json_or_none(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None
