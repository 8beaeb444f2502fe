"""A second account on the whole local stack, alone and beside 2,000 messages of a first one.

The backlog is in the batch lane, where backlogs belong, and the second account's calls are interactive. The emulator
of SQS knows no fair queues: in the same lane a message waits until all older ones were received once. The simulation
measures that case, with fair queues.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from tests.performance.processes.goals import Goal

from paydispatch import Dispatcher, new_payment_intent
from paydispatch.local.settings import LocalSettings
from paydispatch.local.stack import LocalStack

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).parents[3]
LIMITS = {"live": 100, "sandbox": 25, "operation": 25}
BACKLOG = 2_000
CALLS, EVERY_S = 150, 0.15
WARMING_CALLS = 20
"""Not counted. The first call with a key asks Stripe for its account, once a day."""

PATIENCE_S = 60.0


def measure_second_account(*, quick: bool = False) -> Iterator[Goal]:
    backlog, calls = (100, 10) if quick else (BACKLOG, CALLS)
    environment = {
        "STRIPE_LIMIT_LIVE": str(LIMITS["live"]),
        "STRIPE_LIMIT_SANDBOX": str(LIMITS["sandbox"]),
        "STRIPE_LIMIT_OPERATION": str(LIMITS["operation"]),
    }
    settings = LocalSettings(flows=ROOT / "flows", environment=environment)
    with LocalStack(settings) as stack:
        os.environ.update(stack.environment())
        with httpx.Client(base_url=stack.addresses.stripe_base, timeout=60.0) as twin:
            twin.put("/_twin/rate-limits", json=LIMITS).raise_for_status()
            twin.put("/_twin/latency", json={"latency_ms": 150}).raise_for_status()
            with Dispatcher.from_env():
                _p99_s(twin, min(calls, WARMING_CALLS))
                alone_s = _p99_s(twin, calls)
                for _ in range(backlog):
                    _pay("sk_live_first", "batch")
                beside_s = _p99_s(twin, calls)
    ratio = round(beside_s / alone_s, 2) if alone_s and beside_s else None
    yield Goal(name="second account alone: p99", figure=_ms(alone_s), unit="ms", at_most=60_000)
    yield Goal(
        name=f"second account beside {backlog} messages: p99",
        figure=_ms(beside_s),
        unit="ms",
        at_most=60_000,
    )
    yield Goal(name="second account: p99 beside by p99 alone", figure=ratio, unit="", at_most=2)


def _p99_s(twin: httpx.Client, calls: int) -> float | None:
    """Dispatch calls of the second account one after the other. Return the p99 of the time until each is executed."""
    sent_at: dict[str, float] = {}
    for _ in range(calls):
        now_s = time.time()
        sent_at[_pay("sk_live_second")] = now_s
        time.sleep(EVERY_S)
    give_up_at = time.time() + PATIENCE_S
    while time.time() < give_up_at:
        executed_at = _executed_at(twin)
        if sent_at.keys() <= executed_at.keys():
            waits = sorted(executed_at[request] - at for request, at in sent_at.items())
            return waits[int(len(waits) * 0.99)]
        time.sleep(0.5)
    return None


def _executed_at(twin: httpx.Client) -> Mapping[str, float]:
    attempts = twin.get("/_twin/attempts").raise_for_status().json()["attempts"]
    return {a["idempotency_key"]: a["at"] for a in attempts if a["executed"]}


def _pay(key: str, lane: str = "interactive") -> str:
    payment = new_payment_intent().amount(2000).currency("usd")
    return payment.create_async("limits", "limits", key, lane=lane).request_id


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000)
