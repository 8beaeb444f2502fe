"""Faults that a rule injects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from paydispatch.twin.faults import RuleError
from paydispatch.twin.wire.calls import Ending

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.twin.conftest import Client

PRODUCT = "name=Tea"


@pytest.mark.parametrize(
    ("match", "struck"),
    [
        ({}, True),
        ({"object": "product"}, True),
        ({"object": "coupon"}, False),
        ({"method": "post"}, True),
        ({"method": "GET"}, False),
        ({"params": {"metadata[demo]": "reset"}}, True),
        ({"params": {"metadata[demo]": "other"}}, False),
        ({"idempotency_key": "k"}, True),
        ({"idempotency_key": "other"}, False),
    ],
)
def test_a_rule_applies_only_to_calls_that_match_it(
    stripe: Client, match: dict[str, Any], struck: bool
) -> None:
    stripe.fault({"kind": "reset"}, match=match)
    reply = stripe.post("/v1/products", "name=Tea&metadata[demo]=reset", idempotency_key="k")
    assert (reply.ending is Ending.RESET) is struck


def test_a_rule_applies_only_as_often_as_it_says(stripe: Client) -> None:
    stripe.fault({"kind": "status", "status": 503}, times=2)
    assert [stripe.post("/v1/products", PRODUCT).status for _ in range(3)] == [503, 503, 200]


def test_a_removed_rule_no_longer_applies(stripe: Client) -> None:
    rule_id = stripe.fault({"kind": "status"})
    assert stripe.twin.faults.remove(rule_id)
    assert stripe.post("/v1/products", PRODUCT).status == 200


@pytest.mark.parametrize(
    ("kind", "ending"),
    [("reset", Ending.RESET), ("cut_off", Ending.CUT_OFF), ("hang", Ending.HANG)],
)
@pytest.mark.parametrize(("when", "made"), [("before", 0), ("after", 1)])
def test_a_connection_may_break_before_or_after_the_effect(
    stripe: Client, kind: str, ending: Ending, when: str, made: int
) -> None:
    stripe.fault({"kind": kind, "when": when}, times=1)
    assert stripe.post("/v1/products", PRODUCT, idempotency_key="k").ending is ending
    assert len(stripe.effects()) == made
    again = stripe.post("/v1/products", PRODUCT, idempotency_key="k")
    assert ("Idempotent-Replayed" in again.headers) is (when == "after")
    assert len(stripe.effects()) == 1


def test_a_lost_answer_has_an_effect_and_is_replayed(stripe: Client) -> None:
    stripe.fault({"kind": "lost_answer"}, times=1)
    assert stripe.post("/v1/products", PRODUCT, idempotency_key="k").ending is Ending.RESET
    replay = stripe.post("/v1/products", PRODUCT, idempotency_key="k")
    assert replay.headers["Idempotent-Replayed"] == "true"
    assert [effect["id"] for effect in stripe.effects()] == [replay.json["id"]]


def test_an_answer_that_is_not_json_is_replayed_as_json(stripe: Client) -> None:
    stripe.fault({"kind": "not_json", "when": "after"}, times=1)
    mangled = stripe.post("/v1/products", PRODUCT, idempotency_key="k")
    assert (mangled.status, mangled.text[:6]) == (502, b"<html>")
    assert stripe.post("/v1/products", PRODUCT, idempotency_key="k").json["name"] == "Tea"


@pytest.mark.parametrize(
    ("action", "status", "code", "headers"),
    [
        ({"status": 500}, 500, None, {}),
        ({"status": 503, "should_retry": False}, 503, None, {"Stripe-Should-Retry": "false"}),
        (
            {"status": 429, "reason": "global-rate"},
            429,
            "rate_limit",
            {"Stripe-Rate-Limited-Reason": "global-rate"},
        ),
        ({"code": "lock_timeout"}, 429, "lock_timeout", {"Stripe-Should-Retry": "true"}),
    ],
)
def test_an_injected_status_has_the_code_and_headers_of_stripe(
    stripe: Client, action: dict[str, Any], status: int, code: str | None, headers: dict[str, str]
) -> None:
    stripe.fault({"kind": "status", **action})
    reply = stripe.post("/v1/products", PRODUCT)
    assert (reply.status, reply.error.get("code")) == (status, code)
    assert headers.items() <= reply.headers.items()


def test_latency_and_a_fault_apply_together(stripe: Client) -> None:
    stripe.fault({"kind": "latency", "latency_ms": 250})
    stripe.fault({"kind": "status", "status": 500})
    reply = stripe.post("/v1/products", PRODUCT)
    assert (reply.delay_ms, reply.status) == (250, 500)


def test_a_latency_rule_alone_changes_nothing_else(stripe: Client) -> None:
    stripe.fault({"kind": "latency", "latency_ms": 250})
    assert stripe.post("/v1/products", PRODUCT).status == 200


def test_a_latency_distribution_has_its_median_and_tail(stripe: Client) -> None:
    stripe.fault({"kind": "latency", "latency_ms": {"p50": 300, "p99": 2000}})
    delays = sorted(stripe.get("/v1/products").delay_ms for _ in range(2000))
    assert 270 < delays[1000] < 330
    assert 1500 < delays[1980] < 2700


def _statuses(client: Client) -> list[int]:
    client.fault({"kind": "status", "status": 500}, probability=0.3)
    return [client.post("/v1/products", PRODUCT).status for _ in range(200)]


def test_the_same_seed_gives_the_same_faults(with_seed: Callable[[int], Client]) -> None:
    first, again, other = _statuses(with_seed(1)), _statuses(with_seed(1)), _statuses(with_seed(2))
    assert first == again != other
    assert 30 < first.count(500) < 90


@pytest.mark.parametrize(
    "rule",
    [
        {},
        [],
        {"action": {"kind": "explode"}},
        {"action": {"kind": "reset", "when": "later"}},
        {"action": {"kind": "status", "status": 200}},
        {"action": {"kind": "latency", "latency_ms": -1}},
        {"action": {"kind": "latency", "latency_ms": {"p50": 9}}},
        {"action": {"kind": "reset"}, "times": 0},
        {"action": {"kind": "reset"}, "probability": 2},
        {"action": {"kind": "reset"}, "match": {"path": "/"}},
        {"action": {"kind": "reset"}, "matches": {}},
    ],
)
def test_a_rule_that_cannot_be_understood_is_refused(stripe: Client, rule: Any) -> None:
    with pytest.raises(RuleError):
        stripe.twin.faults.add(rule)
    assert stripe.twin.faults.rules() == []


def test_the_attempts_show_each_call_and_its_fault(stripe: Client) -> None:
    rule_id = stripe.fault({"kind": "lost_answer"}, times=1)
    stripe.post("/v1/products", PRODUCT, idempotency_key="k")
    stripe.post("/v1/products", PRODUCT, idempotency_key="k")
    lost, replay = stripe.attempts()
    assert (lost["status"], lost["fault"], lost["fault_id"], lost["executed"]) == (
        None,
        "reset",
        rule_id,
        True,
    )
    assert (replay["status"], replay["fault"], replay["replayed"], replay["executed"]) == (
        200,
        None,
        True,
        False,
    )


def test_a_rule_can_name_keys_by_a_pattern(stripe: Client) -> None:
    stripe.fault({"kind": "status", "status": 503}, match={"idempotency_key": "pdr_*"})
    statuses = [
        stripe.post("/v1/products", "name=Tea", idempotency_key=key).status
        for key in ("pdr_1", "prepare-1")
    ]
    assert [*statuses, stripe.post("/v1/products", "name=Tea").status] == [503, 200, 200]


def test_a_402_is_a_declined_card_that_stripe_keeps(stripe: Client) -> None:
    decline = {"kind": "status", "status": 402, "when": "during", "decline_code": "lost_card"}
    stripe.fault(decline, times=1)
    first, again = (stripe.post("/v1/products", PRODUCT, idempotency_key="k") for _ in range(2))
    assert (first.status, again.status) == (402, 402)
    assert first.json["error"]["type"] == "card_error"
    assert first.json["error"]["decline_code"] == "lost_card"
