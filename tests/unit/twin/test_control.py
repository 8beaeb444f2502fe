"""The twin's own endpoints."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from paydispatch.twin.serving.control import Control
from paydispatch.twin.wire.calls import Call

if TYPE_CHECKING:
    from tests.unit.twin.conftest import Client


def control(stripe: Client, line: str, body: object = None) -> Any:
    status, answer = call_control(stripe, line, body)
    assert status == 200, answer
    return answer


def call_control(stripe: Client, line: str, body: object = None) -> tuple[int, Any]:
    method, _, address = line.partition(" ")
    path, _, query = address.partition("?")
    sent = b"" if body is None else json.dumps(body).encode()
    answer = Control(stripe.twin).answer(Call(method, f"/_twin/{path}", query, {}, sent))
    return answer.status, json.loads(answer.body)


def test_the_twin_is_healthy(stripe: Client) -> None:
    assert control(stripe, "GET health") == {"ok": True}


def test_a_fault_is_added_listed_and_removed(stripe: Client) -> None:
    rule = {"match": {"object": "coupon"}, "action": {"kind": "reset"}, "times": 2}
    fault_id = control(stripe, "POST faults", rule)["id"]
    assert control(stripe, "GET faults") == {"faults": [{**rule, "id": fault_id, "left": 2}]}
    control(stripe, f"DELETE faults/{fault_id}")
    assert control(stripe, "GET faults") == {"faults": []}
    assert call_control(stripe, f"DELETE faults/{fault_id}")[0] == 404


def test_all_faults_are_removed_at_once(stripe: Client) -> None:
    control(stripe, "POST faults", {"action": {"kind": "reset"}})
    control(stripe, "POST faults", {"action": {"kind": "hang"}})
    control(stripe, "DELETE faults")
    assert control(stripe, "GET faults") == {"faults": []}


@pytest.mark.parametrize("latency", [500, 0, {"p50": 300, "p99": 2000}])
def test_the_default_latency_is_set_and_shown(stripe: Client, latency: object) -> None:
    control(stripe, "PUT latency", {"latency_ms": latency})
    assert control(stripe, "GET latency") == {"latency_ms": latency}
    assert (stripe.get("/v1/products").delay_ms > 0) is (latency != 0)


def test_rate_limits_are_changed_one_by_one(stripe: Client) -> None:
    changed = control(stripe, "PUT rate-limits", {"operation": 1})
    assert changed == {
        "live": None,
        "sandbox": None,
        "operation": 1,
        "account_concurrency": None,
        "operation_concurrency": None,
    }
    assert [stripe.get("/v1/products").status for _ in range(2)] == [200, 429]


def test_a_change_of_the_limits_gives_no_new_second_to_a_full_bucket(stripe: Client) -> None:
    for rate in (4, 2):
        control(stripe, "PUT rate-limits", {"operation": rate})
        assert [stripe.get("/v1/products").status for _ in range(2)] == [200, 200]
    assert stripe.get("/v1/products").status == 429


def test_the_counts_of_the_limits_are_shown_by_account_and_cleared(stripe: Client) -> None:
    stripe.with_key("sk_test_two").get("/v1/prices")
    stripe.get("/v1/products")
    counts = control(stripe, "GET rate-counts")["counts"]
    assert [count["operation"] for count in counts] == [
        None,
        "GET /v1/prices",
        None,
        "GET /v1/products",
    ]
    account = counts[2]["account"]
    assert control(stripe, f"GET rate-counts?account={account}")["counts"] == counts[2:]
    assert control(stripe, "DELETE rate-counts") == {"ok": True}
    assert control(stripe, "GET rate-counts") == {"counts": []}


def test_a_reset_clears_the_counts(stripe: Client) -> None:
    stripe.get("/v1/products")
    control(stripe, "POST reset")
    assert control(stripe, "GET rate-counts") == {"counts": []}


def test_the_clock_moves_forward(stripe: Client) -> None:
    before = control(stripe, "GET clock")["now"]
    assert control(stripe, "POST clock", {"advance_s": 90000})["now"] == before + 90000
    assert stripe.post("/v1/products", "name=Tea").json["created"] == before + 90000


def test_the_ledger_is_read_by_object_and_from_a_position_on(stripe: Client) -> None:
    for form in ("name=Tea", "name=Coffee"):
        stripe.post("/v1/products", form, idempotency_key=form)
    stripe.post("/v1/coupons", "percent_off=10&metadata[a]=b")
    whole = control(stripe, "GET ledger")
    assert [effect["seq"] for effect in whole["effects"]] == [1, 2, 3]
    assert whole["attempts"] == 3
    assert control(stripe, "GET ledger?object=coupon")["effects"] == whole["effects"][2:]
    assert control(stripe, "GET ledger?after=1&limit=1")["effects"] == whole["effects"][1:2]
    coupon = whole["effects"][2]
    assert (coupon["metadata"], coupon["params"]["percent_off"]) == ({"a": "b"}, 10)
    assert whole["effects"][0]["idempotency_key"] == "name=Tea"


def test_a_running_attempt_has_no_status_yet(stripe: Client) -> None:
    running = stripe.start("POST", "/v1/products", "name=Tea")
    assert control(stripe, "GET attempts")["attempts"][0]["status"] is None
    stripe.finish(running)
    assert control(stripe, "GET attempts")["attempts"][0]["status"] == 200
    assert control(stripe, "GET attempts?after=1")["attempts"] == []


def test_every_post_is_an_attempt_even_if_it_is_refused(stripe: Client) -> None:
    stripe.post("/v1/products", "name=Tea", authorization="Bearer pk_test_a")
    stripe.post("/v1/nonsense")
    stripe.post("/v1/products", "label=Tea")
    assert [attempt["status"] for attempt in stripe.attempts()] == [403, 404, 400]


def test_a_reset_forgets_everything_that_happened(stripe: Client) -> None:
    stripe.post("/v1/products", "name=Tea", idempotency_key="k")
    stripe.fault({"kind": "reset"})
    control(stripe, "POST reset")
    assert control(stripe, "GET ledger") == {"effects": [], "attempts": 0}
    assert (
        "Idempotent-Replayed"
        not in stripe.post("/v1/products", "name=Tea", idempotency_key="k").headers
    )


def test_a_call_that_runs_across_a_reset_leaves_no_trace(stripe: Client) -> None:
    running = stripe.start("POST", "/v1/products", "name=Tea")
    control(stripe, "POST reset")
    stripe.post("/v1/products", "name=Coffee", idempotency_key="after")
    stripe.finish(running)
    assert [attempt["idempotency_key"] for attempt in stripe.attempts()] == ["after"]


@pytest.mark.parametrize(
    ("line", "body", "status"),
    [
        ("GET nonsense", None, 404),
        ("POST faults", {"action": {"kind": "explode"}}, 400),
        ("POST faults", ["reset"], 400),
        ("PUT latency", {"latency_ms": "slow"}, 400),
        ("PUT rate-limits", {"sandbox": 0}, 400),
        ("PUT rate-limits", {"everything": 9}, 400),
        ("PUT rate-limits", {"account_concurrency": 1.5}, 400),
        ("PUT rate-limits", {"operation_concurrency": True}, 400),
        ("POST clock", {"advance_s": -1}, 400),
        ("POST clock", {}, 400),
        ("GET ledger?after=x", None, 400),
        ("GET attempts?limit=-1", None, 400),
    ],
)
def test_an_invalid_control_call_is_refused_with_a_reason(
    stripe: Client, line: str, body: object, status: int
) -> None:
    answered, answer = call_control(stripe, line, body)
    assert answered == status
    assert answer["error"]
