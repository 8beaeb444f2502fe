"""The SDK on the real local stack with lost answers of SQS, with forks, and when a program ends without `close()`."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest
from tests.lossy_way import LossyWay

from paydispatch import Dispatcher, new_coupon
from paydispatch.domain.errors import NotDelivered
from paydispatch.local.demo.trail import Trail

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from paydispatch.local.stack import LocalStack
    from paydispatch.sdk.receipt import Receipt

KEY = "sk_test_way_in"
FLOW = "new_create_coupon_response"
SEND = b"AmazonSQS.SendMessageBatch"
PATIENCE_S = 60.0


@pytest.fixture(autouse=True)
def environment(stack: LocalStack, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in stack.environment().items():
        monkeypatch.setenv(name, value)


@pytest.fixture
async def sqs_way(stack: LocalStack, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LossyWay]:
    """A proxy between the SDK and AWS that loses the answers that a test selects."""
    way = LossyWay(urlsplit(stack.addresses.aws_endpoint).port or 0)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{await way.open()}")
    yield way
    await way.close()


def create(context_id: str) -> Receipt:
    return new_coupon().percent_off(10).duration("once").create_async("way-in", context_id, KEY)


async def test_a_request_whose_answer_was_lost_has_one_effect_and_one_flow(
    stack: LocalStack, sqs_way: LossyWay
) -> None:
    sqs_way.lose_answer_to(SEND)
    async with Dispatcher.from_env():
        receipt = create("lost once")
    assert sqs_way.lost == 1
    assert await asyncio.to_thread(count_effects_and_flows, stack, [receipt.request_id]) == {
        receipt.request_id: (1, 1)
    }


async def test_an_unknown_request_that_is_redispatched_has_one_effect_and_one_flow(
    stack: LocalStack, sqs_way: LossyWay
) -> None:
    sqs_way.lose_answer_to(SEND, times=1_000)
    with pytest.raises(NotDelivered) as left:
        async with Dispatcher.from_env(delivery_timeout_s=0.5):
            receipt = create("lost for long")
    sqs_way.lose_answer_to(SEND, times=0)
    assert left.value.unknown == (receipt,)

    async with Dispatcher.from_env() as again:
        await again.redispatch(receipt)

    assert await asyncio.to_thread(count_effects_and_flows, stack, [receipt.request_id]) == {
        receipt.request_id: (1, 1)
    }


PROGRAM = """
import os, sys
from paydispatch import Dispatcher, new_coupon

def create():
    ids = []
    for n in range(25):
        coupon = new_coupon().percent_off(10).duration("once")
        ids.append(coupon.create_async("way-in", f"fork {os.getpid()} {n}", sys.argv[1]).request_id)
    os.write(1, (" ".join(ids) + " ").encode())  # in one piece: four children share the pipe

Dispatcher.from_env().start()
"""
FORKS = """
for _ in range(4):
    if os.fork() == 0:
        create()
        sys.exit()
for _ in range(4):
    assert os.wait()[1] == 0
"""


@pytest.mark.parametrize(
    ("program", "count"),
    [(FORKS, 100), ("create()", 25)],
    ids=["four children", "ends without close"],
)
def test_every_request_of_a_program_that_forks_or_ends_without_close_has_its_effect(
    stack: LocalStack, program: str, count: int
) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM + program, KEY],
        check=True,
        capture_output=True,
        text=True,
        env=dict(os.environ),
        timeout=PATIENCE_S,
    )
    request_ids = ended.stdout.split()
    assert len(set(request_ids)) == count
    assert KEY not in ended.stdout + ended.stderr
    assert count_effects_and_flows(stack, request_ids) == dict.fromkeys(request_ids, (1, 1))


def count_effects_and_flows(
    stack: LocalStack, request_ids: list[str]
) -> dict[str, tuple[int, int]]:
    """Wait until all flows have run. Return {request id: (number of effects, number of flows)}."""
    trail, give_up_at = Trail(stack.directory), time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up_at:
        trail.read()
        if all(trail.find_run(request_id, FLOW) for request_id in request_ids):
            break
        stack.wait(0.05)
    ledger: Any = httpx.get(f"{stack.addresses.stripe_base}/_twin/ledger").json()
    effects = Counter(effect["idempotency_key"] for effect in ledger["effects"])
    return {id_: (effects[id_], trail.runs(id_)) for id_ in request_ids}
