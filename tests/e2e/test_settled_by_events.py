"""Every answer of Stripe is lost and its lists are switched off: the twin's events settle the requests."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from paydispatch.local.settings import LocalSettings
from paydispatch.local.stack import LocalStack

if TYPE_CHECKING:
    from collections.abc import Iterator

FLOWS = Path(__file__).parents[2] / "flows"
PATIENCE_S = 60.0
ASKED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/v1/customers", {"name": "Tea"}),
    ("/v1/coupons", {"percent_off": 5, "duration": "once"}),
    ("/v1/payment_intents", {"amount": 2000, "currency": "usd"}),
    ("/v1/products", {"name": "Tea"}),
)
LOST = {"match": {"method": "POST"}, "action": {"kind": "lost_answer"}}
NO_LISTS = {"match": {"lists": True}, "action": {"kind": "status", "status": 500}}
TWICE_AND_REORDERED = {"twice": 0.5, "reordered": 0.5, "late": 0.2, "late_s": 1.0}


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    settings = replace(LocalSettings(flows=FLOWS), events=True)
    with LocalStack(settings) as running:
        yield running


@pytest.mark.parametrize(
    ("key", "faults"),
    [("sk_test_in_order", {}), ("sk_test_in_any_order", TWICE_AND_REORDERED)],
)
def test_each_request_is_settled_once_by_its_events(
    stack: LocalStack, key: str, faults: dict[str, float]
) -> None:
    """Each test has an account of its own, because twenty lost answers in a row open the breaker of an account."""
    twin, api = stack.addresses.stripe_base, stack.addresses.api
    httpx.post(f"{twin}/_twin/reset").raise_for_status()
    for rule in (LOST, NO_LISTS):
        httpx.post(f"{twin}/_twin/faults", json=rule).raise_for_status()
    httpx.put(f"{twin}/_twin/event-faults", json=faults).raise_for_status()

    asked = [submit(api, *one, key=key) for one in ASKED * 2]

    for request_id in asked:
        shown = wait_for_end(api, request_id)
        assert shown["status"] == "succeeded"
        assert shown["parsed_data"]["metadata"]["paydispatch_request_id"] == request_id
    effects = httpx.get(f"{twin}/_twin/ledger").json()["effects"]
    assert len(effects) == len(asked)


def submit(api: str, path: str, params: dict[str, Any], *, key: str) -> str:
    body = {"worker_id": "w1", "context_id": "c1", "stripe_secret": key, "params": params}
    answer = httpx.post(f"{api}{path}", json=body, timeout=30)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["request_id"])


def wait_for_end(api: str, request_id: str) -> dict[str, Any]:
    until = time.monotonic() + PATIENCE_S
    while True:
        shown: dict[str, Any] = httpx.get(f"{api}/v1/requests/{request_id}", timeout=30).json()
        if shown["status"] in ("succeeded", "failed"):
            return shown
        assert time.monotonic() < until, shown
        time.sleep(0.1)
