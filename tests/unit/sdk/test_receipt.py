"""A receipt is local until the queue has its request, and durable afterwards."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.unit.examples import KEY

from paydispatch import Dispatcher, new_payment_intent
from paydispatch.domain.errors import NotDelivered, Unavailable
from paydispatch.sdk.receipt import Receipt

if TYPE_CHECKING:
    from tests.unit.sdk.conftest import StuckDelivery

    from paydispatch.testing.memory_delivery import MemoryDelivery


def dispatch() -> Receipt:
    intent = new_payment_intent().amount(2000).currency("usd")
    return intent.create_async("worker-1", "context-1", KEY)


def make_receipt() -> Receipt:
    return Receipt(
        request_id="pdr_1",
        operation="create_coupon",
        object_name="coupon",
        worker_id="worker-1",
        context_id="context-1",
    )


def test_a_receipt_is_local_until_the_queue_has_the_request(stuck: StuckDelivery) -> None:
    with Dispatcher(stuck):
        receipt = dispatch()
        assert stuck.reached.wait(10)
        assert not receipt.durable
        assert "on its way" in str(receipt)
        with pytest.raises(TimeoutError):
            receipt.wait(0)
        stuck.release()
        assert receipt.wait(10) is receipt
        assert receipt.durable
        assert "on the queue" in str(receipt)


async def test_awaiting_a_receipt_waits_for_the_queue(stuck: StuckDelivery) -> None:
    async with Dispatcher(stuck):
        receipt = dispatch()
        waiting = asyncio.ensure_future(receipt)
        await asyncio.sleep(0)
        assert not waiting.done()
        stuck.release()
        assert await waiting is receipt
        assert receipt.durable


async def test_a_wait_that_times_out_does_not_cancel_the_request(stuck: StuckDelivery) -> None:
    async with Dispatcher(stuck):
        receipt = dispatch()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(receipt, 0)
        stuck.release()
        await receipt
    assert len(stuck.envelopes) == 1


async def test_an_answer_wakes_every_thread_and_task_that_waits_for_the_receipt(
    stuck: StuckDelivery,
) -> None:
    async with Dispatcher(stuck):
        receipt = dispatch()
        tasks = [asyncio.ensure_future(receipt) for _ in range(3)]
        threads = [asyncio.create_task(asyncio.to_thread(receipt.wait, 10)) for _ in range(3)]
        await asyncio.to_thread(stuck.reached.wait, 10)
        stuck.release()
        assert await asyncio.gather(*tasks, *threads) == [receipt] * 6


def test_a_wait_gets_the_failure_though_the_request_is_repeated_meanwhile() -> None:
    receipt = make_receipt()
    with receipt._until_it_ends() as future:
        receipt.mark_failed(Unavailable("the queue is unavailable"))
        receipt.reopen()
        assert str(future.result(0)) == "the queue is unavailable"
    assert not receipt.durable


def test_waiting_raises_the_failure_of_the_request(delivery: MemoryDelivery) -> None:
    delivery.away = True
    with pytest.raises(NotDelivered), Dispatcher(delivery, delivery_timeout_s=0.02):
        receipt = dispatch()
    with pytest.raises(Unavailable, match="unavailable"):
        receipt.wait(0)
    assert not receipt.durable
    assert "not delivered: the queue is unavailable" in str(receipt)


async def test_awaiting_raises_the_failure_of_the_request() -> None:
    receipt = make_receipt()
    receipt.mark_failed(Unavailable("the queue is unavailable"))
    with pytest.raises(Unavailable, match="unavailable"):
        await receipt


def test_a_receipt_describes_the_request_and_never_shows_the_key(delivery: MemoryDelivery) -> None:
    with Dispatcher(delivery):
        receipt = dispatch()
    for shown in (str(receipt), repr(receipt), f"Request dispatched: {receipt}"):
        assert receipt.request_id in shown
        assert "payment_intent for worker-1, context-1" in shown
        assert KEY not in shown


def test_a_receipt_takes_the_request_id_that_the_api_gives() -> None:
    receipt = make_receipt()
    receipt.mark_durable("pdr_2")
    assert receipt.request_id == "pdr_2"
