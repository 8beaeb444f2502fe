"""A stack that names another version of Stripe's API. An unknown parameter reaches Stripe, with a warning."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx

from paydispatch.local.settings import LocalSettings
from paydispatch.local.stack import LocalStack

ROOT = Path(__file__).parents[2]
OTHER = {"STRIPE_API_VERSION": "2027-03-31.flora"}


def final_status(api: httpx.Client, location: str) -> dict[str, Any]:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        shown: dict[str, Any] = api.get(location).json()
        if shown["status"] in ("succeeded", "failed", "unknown"):
            return shown
        time.sleep(0.05)
    raise TimeoutError(location)


def test_every_program_of_the_stack_takes_the_version_that_is_set() -> None:
    body = {
        "worker_id": "version-worker",
        "context_id": "context-1",
        "stripe_secret": "sk_test_example",
        "params": {"amount": 2000, "currency": "usd", "tea": "green"},
    }
    with (
        LocalStack(LocalSettings(flows=ROOT / "flows", environment=OTHER)) as stack,
        httpx.Client(base_url=stack.addresses.api) as api,
    ):
        accepted = api.post("/v1/payment_intents", json=body)
        assert [warning["param"] for warning in accepted.json()["warnings"]] == ["tea"]
        assert final_status(api, accepted.headers["Location"])["status"] == "succeeded"
        refused = api.post("/v1/payment_intents", json={**body, "params": {"amount": "x"}})
        assert refused.status_code == 422
