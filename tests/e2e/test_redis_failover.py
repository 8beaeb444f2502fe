"""After Redis fails over behind its address, requests and flows continue, each exactly once."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

import httpx
import pytest
from tests.replicated_redis import ReplicatedRedis

from paydispatch.local.processes import Supervisor
from paydispatch.local.settings import LocalSettings
from paydispatch.local.stack import LocalStack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

REQUESTS = 60
FAIL_OVERS_AFTER = (20, 40)
GOES_ON_WITHIN_S = 15.0
PATIENCE_S = 35.0
"""Shorter than the idle time after which another runner claims an entry, because no context may wait for that."""

FLOW = """
import os
def run(parsed, flow):
    with open(os.environ["FLOW_LOG"], "a") as log:
        log.write(flow.request_id + "\\n")
"""


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[ReplicatedRedis]:
    supervisor = Supervisor(tmp_path, tell=print)
    redis = ReplicatedRedis(supervisor, tmp_path)
    redis.start()
    yield redis
    redis.stop()
    supervisor.close()


@pytest.fixture
def flow_log(tmp_path: Path) -> Path:
    (tmp_path / "flows").mkdir()
    for end in ("response", "error"):
        (tmp_path / "flows" / f"new_create_coupon_{end}.py").write_text(FLOW)
    log = tmp_path / "flows.log"
    log.touch()
    return log


@pytest.fixture
def stack(redis: ReplicatedRedis, flow_log: Path) -> Iterator[LocalStack]:
    settings = LocalSettings(
        redis_url=redis.url,
        flows=flow_log.parent / "flows",
        environment={"FLOW_LOG": str(flow_log)},
    )
    with LocalStack(settings) as running:
        yield running


def test_creates_with_a_key_and_flows_continue_after_a_failover_without_loss_or_duplicate(
    stack: LocalStack, redis: ReplicatedRedis, flow_log: Path
) -> None:
    request_ids = []
    with httpx.Client(base_url=stack.addresses.api) as gateway:
        for number in range(REQUESTS):
            if number in FAIL_OVERS_AFTER:
                redis.fail_over()
            request_ids.append(create_coupon(gateway, number))
        wait_until(lambda: set(flow_log.read_text().split()) == set(request_ids), PATIENCE_S)
        # The status is written after the flow can run. If Redis fails in between, the next receive writes it.
        wait_until(lambda: statuses(gateway, request_ids) == {"succeeded"}, PATIENCE_S)
        assert gateway.get("/health").status_code == 200

    assert objects_by_key(stack) == dict.fromkeys(request_ids, 1)
    assert Counter(flow_log.read_text().split()) == dict.fromkeys(request_ids, 1)


def create_coupon(gateway: httpx.Client, number: int) -> str:
    """Create a coupon and return its request id. After a `503`, repeat the request under the same key."""
    body = {
        "worker_id": "failover-worker",
        "context_id": f"context-{number % 5}",
        "stripe_secret": "sk_test_failover",
        "params": {"percent_off": 10, "duration": "once"},
    }
    give_up_at = time.monotonic() + GOES_ON_WITHIN_S
    while True:
        answer = gateway.post(
            "/v1/coupons", json=body, headers={"Idempotency-Key": f"key-{number}"}
        )
        if answer.status_code == 202:
            return str(answer.json()["request_id"])
        assert answer.status_code == 503, answer.text
        assert time.monotonic() < give_up_at, "creates with a key still fail"


def statuses(gateway: httpx.Client, request_ids: list[str]) -> set[str]:
    return {gateway.get(f"/v1/requests/{id_}").json()["status"] for id_ in request_ids}


def objects_by_key(stack: LocalStack) -> dict[str, int]:
    ledger = httpx.get(f"{stack.addresses.stripe_base}/_twin/ledger").json()
    return dict(Counter(effect["idempotency_key"] for effect in ledger["effects"]))


def wait_until(true: Callable[[], object], within_s: float) -> None:
    give_up_at = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < give_up_at, "the condition was not true in time"
        time.sleep(0.05)
