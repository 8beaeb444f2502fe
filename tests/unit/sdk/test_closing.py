"""`close` stops the thread first and then reports the undelivered requests. Every wait for a receipt ends."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref
from typing import TYPE_CHECKING

import pytest
from tests.unit.examples import KEY, PARAMS

from paydispatch import Dispatcher
from paydispatch.domain.errors import MaybeAccepted, NoDispatcher, NotDelivered, Unavailable
from paydispatch.domain.requests import Lane
from paydispatch.sdk.delivery import PreparedRequest
from paydispatch.sdk.sender import Sender
from paydispatch.testing.memory_delivery import MemoryDelivery

if TYPE_CHECKING:
    from tests.unit.sdk.conftest import StuckDelivery

    from paydispatch.sdk.receipt import Receipt

PATIENCE_S = 10.0


def submit(dispatcher: Dispatcher, context_id: str = "c") -> Receipt:
    return dispatcher.submit("create_payment_intent", PARAMS, "worker-1", context_id, KEY)


@pytest.fixture
def stuck_dispatcher(stuck: StuckDelivery) -> tuple[Dispatcher, Receipt, Receipt]:
    """A Dispatcher with one request stuck in its delivery, and a second one behind it in the buffer."""
    dispatcher = Dispatcher(stuck).start()
    in_flight = submit(dispatcher, "in flight")
    assert stuck.reached.wait(PATIENCE_S)
    return dispatcher, in_flight, submit(dispatcher, "behind it")


def join_the_thread() -> None:
    for thread in threading.enumerate():
        if thread.name == "paydispatch":
            thread.join(PATIENCE_S)


def test_a_request_in_flight_is_unknown_and_one_never_offered_is_refused(
    stuck_dispatcher: tuple[Dispatcher, Receipt, Receipt],
) -> None:
    dispatcher, in_flight, behind = stuck_dispatcher
    with pytest.raises(NotDelivered) as left:
        dispatcher.close(timeout_s=0.01)
    assert (left.value.unknown, left.value.refused) == ((in_flight,), (behind,))
    assert left.value.under_way == ()


def test_a_later_answer_does_not_change_the_failures_that_close_reported(
    stuck_dispatcher: tuple[Dispatcher, Receipt, Receipt], stuck: StuckDelivery
) -> None:
    dispatcher, in_flight, behind = stuck_dispatcher
    with pytest.raises(NotDelivered):
        dispatcher.close(timeout_s=0.01)
    stuck.release()
    join_the_thread()
    assert [sent.context_id for sent in stuck.envelopes] == ["in flight"]
    assert isinstance(in_flight.failure, MaybeAccepted)
    assert type(behind.failure) is Unavailable


def test_an_answer_during_close_makes_the_requests_durable(
    stuck_dispatcher: tuple[Dispatcher, Receipt, Receipt], stuck: StuckDelivery
) -> None:
    dispatcher, in_flight, behind = stuck_dispatcher
    threading.Timer(0.02, stuck.release).start()
    dispatcher.close(timeout_s=PATIENCE_S)
    assert in_flight.durable
    assert behind.durable


def test_close_ends_within_its_timeout_while_the_queue_hangs(
    stuck_dispatcher: tuple[Dispatcher, Receipt, Receipt],
) -> None:
    started = time.monotonic()
    with pytest.raises(NotDelivered):
        stuck_dispatcher[0].close(timeout_s=0.1)
    assert time.monotonic() - started < PATIENCE_S / 2


def test_every_wait_for_a_receipt_ends_with_the_close(
    stuck_dispatcher: tuple[Dispatcher, Receipt, Receipt],
) -> None:
    dispatcher, *receipts = stuck_dispatcher
    ended: list[BaseException | None] = []

    def wait(receipt: Receipt) -> None:
        with pytest.raises(Unavailable):
            receipt.wait()
        ended.append(receipt.failure)

    threads = [threading.Thread(target=wait, args=(receipt,)) for receipt in receipts]
    for thread in threads:
        thread.start()
    with pytest.raises(NotDelivered):
        dispatcher.close(timeout_s=0.01)
    for thread in threads:
        thread.join(PATIENCE_S)
    assert set(ended) == {receipt.failure for receipt in receipts}


async def test_awaiting_a_receipt_ends_with_the_close(
    stuck_dispatcher: tuple[Dispatcher, Receipt, Receipt],
) -> None:
    dispatcher, in_flight, _ = stuck_dispatcher
    waiting = asyncio.ensure_future(in_flight)
    await asyncio.sleep(0)
    with pytest.raises(NotDelivered):
        await asyncio.to_thread(dispatcher.close, 0.01)
    with pytest.raises(MaybeAccepted):
        await asyncio.wait_for(waiting, PATIENCE_S)
    with pytest.raises(MaybeAccepted):
        await in_flight


def test_a_dispatcher_refuses_new_requests_while_it_closes(
    stuck_dispatcher: tuple[Dispatcher, Receipt, Receipt], stuck: StuckDelivery
) -> None:
    dispatcher, *_ = stuck_dispatcher
    closing = threading.Thread(target=dispatcher.close)
    closing.start()
    while dispatcher.running:
        time.sleep(0.001)
    with pytest.raises(NoDispatcher):
        submit(dispatcher)
    stuck.release()
    closing.join(PATIENCE_S)


def test_a_request_put_after_the_stop_is_refused_and_its_receipt_fails(
    delivery: MemoryDelivery,
) -> None:
    """The request passed the check before the close, and reaches the buffer after it."""
    with Dispatcher(delivery) as dispatcher:
        late = submit(dispatcher)
    late.reopen()
    sender = Sender(delivery, buffer_size=1, delivery_timeout_s=60)
    sender.start()
    sender.stop(PATIENCE_S)
    prepared = PreparedRequest(late.request_id, "never offered", Lane.INTERACTIVE, "memory")
    with pytest.raises(NoDispatcher):
        sender.put(prepared, late)
    with pytest.raises(Unavailable):
        late.wait(0)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_that_ends_the_thread_fails_its_requests() -> None:
    class Broken(MemoryDelivery):
        @property
        def batch_limit(self) -> int:  # type: ignore[override]
            raise SystemExit

    dispatcher = Dispatcher(Broken()).start()
    receipt = submit(dispatcher)
    with pytest.raises(Unavailable):
        receipt.wait(PATIENCE_S)
    with pytest.raises(NotDelivered):
        dispatcher.close()


def test_a_dispatcher_closed_while_the_queue_hangs_may_be_started_again(
    stuck_dispatcher: tuple[Dispatcher, Receipt, Receipt], stuck: StuckDelivery
) -> None:
    dispatcher, in_flight, behind = stuck_dispatcher
    with pytest.raises(NotDelivered):
        dispatcher.close(timeout_s=0.01)
    stuck.release()
    with dispatcher:
        for receipt in (in_flight, behind):
            dispatcher.redispatch(receipt)
    assert in_flight.durable
    assert behind.durable


def test_a_closed_dispatcher_is_garbage_collected(delivery: MemoryDelivery) -> None:
    dispatcher = Dispatcher(delivery)
    with dispatcher:
        submit(dispatcher)
    kept = weakref.ref(dispatcher)
    del dispatcher
    gc.collect()
    assert kept() is None


def test_undelivered_requests_are_logged_without_the_key(
    stuck_dispatcher: tuple[Dispatcher, Receipt, Receipt], caplog: pytest.LogCaptureFixture
) -> None:
    dispatcher, *receipts = stuck_dispatcher
    with pytest.raises(NotDelivered):
        dispatcher.close(timeout_s=0.01)
    assert all(receipt.request_id in caplog.text for receipt in receipts)
    assert KEY not in caplog.text
