"""The two rate limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from paydispatch.twin.rate_limits import Rates

if TYPE_CHECKING:
    from tests.unit.twin.conftest import Client

    from paydispatch.twin.clock import TwinClock


def _burst(stripe: Client, path: str, count: int) -> list[str | None]:
    """Send `count` calls. Return the reason of each refusal, and None for each call that succeeded."""
    replies = [stripe.get(path) for _ in range(count)]
    assert all(reply.status == (200 if _reason(reply) is None else 429) for reply in replies)
    return [_reason(reply) for reply in replies]


def _reason(reply: object) -> str | None:
    headers: dict[str, str] = reply.headers  # type: ignore[attr-defined]
    return headers.get("Stripe-Rate-Limited-Reason")


@pytest.mark.parametrize(
    ("key", "operations", "through"), [("sk_test_a", 2, 25), ("sk_live_a", 8, 100)]
)
def test_an_account_has_one_budget_for_everything(
    stripe: Client, key: str, operations: int, through: int
) -> None:
    stripe.twin.limits.rates = Rates(operation=None)
    paths = ("/v1/products", "/v1/prices")
    reasons = [
        reason
        for index in range(operations)
        for reason in _burst(stripe.with_key(key), paths[index % 2], 20)
    ]
    assert reasons.count(None) == through
    assert set(reasons) == {None, "global-rate"}


def test_an_operation_has_a_budget_of_its_own(stripe: Client) -> None:
    stripe.twin.limits.rates = Rates(sandbox=100, operation=25)
    assert _burst(stripe, "/v1/products", 30) == [None] * 25 + ["endpoint-rate"] * 5
    assert _burst(stripe, "/v1/prices", 25) == [None] * 25


def test_a_refused_call_takes_nothing_from_the_budget(stripe: Client, clock: TwinClock) -> None:
    stripe.twin.limits.rates = Rates(sandbox=100, operation=10)
    _burst(stripe, "/v1/products", 50)
    clock.advance(0.55)
    assert _burst(stripe, "/v1/products", 10).count(None) == 5


def test_each_account_has_a_budget_of_its_own(stripe: Client) -> None:
    stripe.twin.limits.rates = Rates()
    _burst(stripe, "/v1/products", 30)
    assert _burst(stripe.with_key("sk_test_two"), "/v1/products", 25) == [None] * 25


def test_a_rate_limited_create_is_refused_before_execution(
    stripe: Client, clock: TwinClock
) -> None:
    stripe.twin.limits.rates = Rates(operation=1)
    stripe.post("/v1/products", "name=Tea")
    refused = stripe.post("/v1/products", "name=Tea", idempotency_key="k")
    assert (refused.status, refused.error["code"]) == (429, "rate_limit")
    clock.advance(1)
    assert stripe.post("/v1/products", "name=Tea", idempotency_key="k").status == 200


def test_without_limits_no_call_is_refused(stripe: Client) -> None:
    assert _burst(stripe, "/v1/products", 200) == [None] * 200
