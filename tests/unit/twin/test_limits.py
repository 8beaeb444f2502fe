"""The limits of an account and of its operations: calls per second, and calls in flight."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from paydispatch.twin.accounts import Account
from paydispatch.twin.rate_counts import SECONDS_KEPT, RateCounts
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


def test_an_account_has_a_limit_of_calls_in_flight(stripe: Client) -> None:
    stripe.twin.limits.rates = replace(Rates.unlimited(), account_concurrency=2)
    running = [stripe.start("GET", path) for path in ("/v1/products", "/v1/prices")]
    assert _reason(stripe.get("/v1/coupons")) == "global-concurrency"
    assert _reason(stripe.with_key("sk_test_two").get("/v1/coupons")) is None
    stripe.finish(running[0])
    assert _burst(stripe, "/v1/coupons", 3) == [None] * 3


def test_an_operation_has_a_limit_of_calls_in_flight(stripe: Client) -> None:
    stripe.twin.limits.rates = replace(Rates.unlimited(), operation_concurrency=1)
    running = stripe.start("POST", "/v1/products", "name=Tea")
    assert _reason(stripe.post("/v1/products", "name=Tea")) == "endpoint-concurrency"
    assert _reason(stripe.get("/v1/products")) is None
    assert _reason(stripe.finish(running)) is None
    assert _reason(stripe.post("/v1/products", "name=Tea")) is None


def test_a_call_that_ends_badly_is_in_flight_no_more(stripe: Client) -> None:
    stripe.twin.limits.rates = replace(Rates.unlimited(), account_concurrency=1)
    for kind in ("reset", "hang", "cut_off"):
        stripe.fault({"kind": kind}, times=1)
        stripe.post("/v1/products", "name=Tea")
    stripe.post("/v1/products", "size=4")
    assert _burst(stripe, "/v1/products", 1) == [None]


def test_a_call_that_is_refused_for_its_rate_is_not_in_flight(stripe: Client) -> None:
    stripe.twin.limits.rates = Rates(sandbox=1, account_concurrency=1)
    running = stripe.start("GET", "/v1/products")
    assert _reason(stripe.get("/v1/products")) == "global-rate"
    stripe.finish(running)
    stripe.twin.limits.rates = replace(Rates.unlimited(), account_concurrency=1)
    assert _burst(stripe, "/v1/products", 2) == [None] * 2


def test_a_halved_limit_keeps_the_level_of_the_bucket(stripe: Client, clock: TwinClock) -> None:
    limits = stripe.twin.limits
    limits.change(Rates(operation=20), clock.now())
    _burst(stripe, "/v1/products", 17)
    limits.change(Rates(operation=10), clock.now())
    assert _burst(stripe, "/v1/products", 10).count(None) == 3
    clock.advance(0.5)
    assert _burst(stripe, "/v1/products", 10).count(None) == 5


def test_a_halved_limit_leaves_at_most_a_second_s_worth_in_the_bucket(
    stripe: Client, clock: TwinClock
) -> None:
    limits = stripe.twin.limits
    limits.change(Rates(sandbox=None, operation=20), clock.now())
    _burst(stripe, "/v1/products", 2)
    limits.change(Rates(sandbox=None, operation=10), clock.now())
    assert _burst(stripe, "/v1/products", 20).count(None) == 10


def test_a_restored_limit_fills_the_bucket_again_at_the_new_rate(
    stripe: Client, clock: TwinClock
) -> None:
    limits = stripe.twin.limits
    limits.change(Rates(sandbox=None, operation=10), clock.now())
    _burst(stripe, "/v1/products", 20)
    clock.advance(0.25)
    limits.change(Rates(sandbox=None, operation=20), clock.now())
    clock.advance(0.125)
    of_both_rates = int(0.25 * 10 + 0.125 * 20)
    assert _burst(stripe, "/v1/products", 20).count(None) == of_both_rates


def test_the_calls_of_each_operation_and_of_the_account_are_counted(
    stripe: Client, clock: TwinClock
) -> None:
    stripe.twin.limits.rates = Rates(sandbox=None, operation=3)
    for _ in range(5):
        stripe.post("/v1/products", "name=Tea")
    _burst(stripe, "/v1/prices", 2)
    clock.advance(1)
    stripe.post("/v1/products", "name=Tea")
    counts = {count["operation"]: count for count in stripe.twin.limits.counts.as_json()}
    second = int(clock.now())
    created = counts["create_product"]
    assert (created["calls"], created["admitted"]) == (6, 4)
    assert created["refused"] == {"endpoint-rate": 2}
    assert created["highest_second"] == 3
    assert created["admitted_in"] == {second - 1: 3, second: 1}
    assert created["refused_in"] == {second - 1: 2}
    assert (created["first_at"], created["last_at"]) == (clock.now() - 1, clock.now())
    assert counts["GET /v1/prices"]["calls"] == 2
    assert counts[None]["calls"] == 8
    assert counts[None]["highest_second"] == 5


def test_an_account_is_counted_apart_in_each_mode(stripe: Client) -> None:
    for key in ("sk_test_a", "sk_live_a"):
        stripe.with_key(key).get("/v1/products")
    counts = [each for each in stripe.twin.limits.counts.as_json() if each["operation"] is None]
    assert [(count["mode"], count["calls"]) for count in counts] == [("test", 1), ("live", 1)]


def test_a_count_remembers_the_newest_seconds_and_all_calls() -> None:
    counts, account = RateCounts(), Account("acct_1", livemode=False)
    for second in range(SECONDS_KEPT + 5):
        counts.add(account, "create_product", None, float(second))
    (count, _) = counts.as_json()
    assert len(count["admitted_in"]) == SECONDS_KEPT
    assert count["calls"] == SECONDS_KEPT + 5
