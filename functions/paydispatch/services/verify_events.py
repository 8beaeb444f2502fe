"""Verify in a sandbox that Stripe's events carry the idempotency key of the call that caused them.

The service makes one coupon, waits for its event in `GET /v1/events`, and deletes the coupon.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from paydispatch.domain.attempts import Answered, RefusedInFront
from paydispatch.domain.errors import InvalidField, Unavailable
from paydispatch.domain.identity.request_ids import new_request_id
from paydispatch.domain.operators.lookup_results import Inconclusive
from paydispatch.domain.stripe.accounts import mode_of

if TYPE_CHECKING:
    from paydispatch.domain.attempts import Attempt
    from paydispatch.domain.credentials import StripeKey
    from paydispatch.ports import Clock, StripeGateway, StripeLists

COUPON = {"percent_off": 1, "duration": "once", "name": "paydispatch verify-events"}
TYPE = "coupon.created"
EVERY_S = 1.0
"""The pause between two reads of the list."""

CLOCKS_APART_S = 900
"""The list is read from this long before the call, because Stripe's clock may differ from ours."""


class Echo(StrEnum):
    """The result of the wait."""

    ECHOED = "echoed"
    """The event carries the key of our call. Events can prove requests."""
    OTHER_KEY = "other_key"
    """The event carries no key, or another one. Events prove nothing."""
    NO_EVENT = "no_event"
    """No event of the coupon came in the time."""
    NOT_READABLE = "not_readable"
    """Stripe does not let the key read events."""


@dataclass(frozen=True, slots=True)
class Verified:
    """The result, with its event."""

    echo: Echo
    request_id: str
    coupon: str
    after_s: float
    """Seconds from the call to the end of the wait."""
    event_id: str | None = None
    event_key: str | None = None
    why: str | None = None


class VerifyPorts(Protocol):
    @property
    def gateway(self) -> StripeGateway: ...

    @property
    def lists(self) -> StripeLists: ...

    @property
    def clock(self) -> Clock: ...


async def verify_events(ports: VerifyPorts, key: StripeKey, *, within_s: float) -> Verified:
    """Make a coupon, and wait for its event. Raises `InvalidField` for a key of live mode, and `Unavailable`."""
    if key.of_organisation or mode_of(key) != "test":
        raise InvalidField(
            "key",
            "verify-events makes a coupon, so it takes only a key of a sandbox (sk_test_… or rk_test_…).",
        )
    began_at = ports.clock.now_s()
    request_id = new_request_id(began_at)
    coupon = await _make_coupon(ports, key, request_id)
    try:
        return await _wait_for_event(ports, key, request_id, coupon, began_at, within_s)
    finally:
        await _call(ports, key, "DELETE", f"/v1/coupons/{quote(coupon, safe='')}", request_id)


async def _make_coupon(ports: VerifyPorts, key: StripeKey, request_id: str) -> str:
    attempt = await _call(ports, key, "POST", "/v1/coupons", request_id, COUPON)
    if isinstance(attempt, Answered) and attempt.http_status == 200:
        return str(attempt.body["id"])
    if isinstance(attempt, RefusedInFront):
        raise InvalidField("key", f"Stripe refused the coupon with status {attempt.http_status}.")
    raise Unavailable("Stripe did not answer the create of a coupon.")


async def _wait_for_event(
    ports: VerifyPorts,
    key: StripeKey,
    request_id: str,
    coupon: str,
    began_at: float,
    within_s: float,
) -> Verified:
    since = int(began_at) - CLOCKS_APART_S
    path = f"/v1/events?type={TYPE}&limit=100&created[gte]={since}"
    while True:
        page = await ports.lists.fetch(path=path, key=key, stripe_account=None, turn=_at_once)
        after_s = round(ports.clock.now_s() - began_at, 1)
        if isinstance(page, Inconclusive):
            return Verified(Echo.NOT_READABLE, request_id, coupon, after_s, why=page.reason)
        event = _event_of(page.body or {}, coupon)
        if event is not None:
            told = (event.get("request") or {}).get("idempotency_key")
            echo = Echo.ECHOED if told == request_id else Echo.OTHER_KEY
            return Verified(echo, request_id, coupon, after_s, str(event.get("id")), told)
        if after_s + EVERY_S > within_s:
            return Verified(Echo.NO_EVENT, request_id, coupon, after_s)
        await ports.clock.sleep(EVERY_S)


def _event_of(page: Any, coupon: str) -> dict[str, Any] | None:
    """Return the event of the coupon from a page of events."""
    listed: list[dict[str, Any]] = page.get("data") or []
    return next((one for one in listed if one["data"]["object"].get("id") == coupon), None)


async def _call(
    ports: VerifyPorts,
    key: StripeKey,
    method: str,
    path: str,
    request_id: str,
    params: dict[str, Any] | None = None,
) -> Attempt:
    return await ports.gateway.call(
        method=method,
        path=path,
        params=params or {},
        key=key,
        request_id=request_id,
        stripe_account=None,
    )


async def _at_once() -> None:
    """Take no rate tokens, because the command makes a few calls in a sandbox."""
