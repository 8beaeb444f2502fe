"""Every request has one object and one settled flow, although parts of the stack are killed at work."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from typing import TYPE_CHECKING

import httpx
import pytest

from paydispatch import Dispatcher, new_coupon
from paydispatch.local.settings import LocalSettings
from paydispatch.local.stack import LocalStack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REQUESTS = 150
CONTEXTS = 10
PATIENCE_S = 90.0

FLOW = """
import os
def run(parsed, flow):
    line = f"{flow.request_id} {flow.context_id} {flow.params['name']}\\n"
    with open(os.environ["FLOW_LOG"], "a") as log:
        log.write(line)
"""


@pytest.fixture
def flow_log(tmp_path: Path) -> Path:
    (tmp_path / "flows").mkdir()
    for end in ("response", "error"):
        (tmp_path / "flows" / f"new_create_coupon_{end}.py").write_text(FLOW)
    log = tmp_path / "flows.log"
    log.touch()
    return log


@pytest.fixture
def stack(flow_log: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalStack]:
    settings = LocalSettings(
        flows=flow_log.parent / "flows",
        function_timeout_s=8,
        visibility_timeout_s=9,
        batch_size=10,
        environment={"FLOW_LOG": str(flow_log), "FLOW_TIMEOUT_S": "2"},
    )
    with LocalStack(settings) as running:
        for name, value in running.environment().items():
            monkeypatch.setenv(name, value)
        yield running


def test_killing_the_worker_between_flows_loses_no_flow_and_keeps_their_order(
    stack: LocalStack, flow_log: Path
) -> None:
    request_ids = dispatch()
    for share in (0.2, 0.5, 0.8):
        wait_until(lambda share=share: len(flows_run(flow_log)) >= share * REQUESTS)
        kill(stack, "worker")

    wait_until(lambda: set(flows_run(flow_log)) == request_ids)

    assert objects_by_key(stack) == dict.fromkeys(request_ids, 1)
    assert in_order(flow_log)


def test_killing_the_stripe_caller_in_the_middle_of_its_calls_makes_nothing_twice(
    stack: LocalStack, flow_log: Path
) -> None:
    latency = {"latency_ms": 300}
    httpx.put(f"{stack.addresses.stripe_base}/_twin/latency", json=latency).raise_for_status()
    request_ids = dispatch()
    for share in (0.1, 0.4, 0.7):
        wait_until(lambda share=share: len(flows_run(flow_log)) >= share * REQUESTS)
        for name in [name for name in stack.pids if name.startswith("poller-interactive")]:
            kill(stack, name)

    wait_until(lambda: set(flows_run(flow_log)) == request_ids)

    assert objects_by_key(stack) == dict.fromkeys(request_ids, 1)
    assert Counter(flows_run(flow_log)) == dict.fromkeys(request_ids, 1)


def dispatch() -> set[str]:
    with Dispatcher.from_env():
        receipts = [
            new_coupon()
            .name(f"{number:06}")
            .percent_off(10)
            .duration("once")
            .create_async("crash-worker", f"context-{number % CONTEXTS}", "sk_test_crash")
            for number in range(REQUESTS)
        ]
    return {receipt.request_id for receipt in receipts}


def flows_run(flow_log: Path) -> list[str]:
    return [line.split()[0] for line in flow_log.read_text().splitlines()]


def in_order(flow_log: Path) -> bool:
    """Return whether each context ran its entries in one order, with repeats only of the last entry."""
    seen: dict[str, list[str]] = {}
    for line in flow_log.read_text().splitlines():
        request_id, context_id, _ = line.split()
        runs = seen.setdefault(context_id, [])
        if runs and runs[-1] == request_id:
            continue
        runs.append(request_id)
    return all(len(runs) == len(set(runs)) for runs in seen.values())


def objects_by_key(stack: LocalStack) -> dict[str, int]:
    ledger = httpx.get(f"{stack.addresses.stripe_base}/_twin/ledger").json()
    return dict(Counter(effect["idempotency_key"] for effect in ledger["effects"]))


def kill(stack: LocalStack, name: str) -> None:
    os.kill(stack.pids[name], signal.SIGKILL)


def wait_until(condition: object) -> None:
    give_up_at = time.monotonic() + PATIENCE_S
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < give_up_at, "the condition was not true in time"
        time.sleep(0.05)
