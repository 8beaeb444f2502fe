"""A lost answer is no refusal. The same request is repeated, and is reported as unknown if no answer comes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.examples import KEY, PARAMS

from paydispatch import Dispatcher
from paydispatch.domain.errors import (
    BadRequest,
    BufferFull,
    IdempotencyConflict,
    MaybeAccepted,
    NoDispatcher,
    NotDelivered,
    PaydispatchError,
    Unavailable,
)
from paydispatch.testing.memory_delivery import MemoryDelivery

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.unit.sdk.conftest import StuckDelivery

    from paydispatch.sdk.delivery import PreparedRequest
    from paydispatch.sdk.receipt import Receipt


class Answers(MemoryDelivery):
    """A delivery that returns these results in turn, and the last one for ever. None is its own result."""

    def __init__(self, *results: PaydispatchError | None) -> None:
        super().__init__()
        self._results = list(results)

    def deliver(
        self, prepared_requests: Sequence[PreparedRequest]
    ) -> Sequence[str | PaydispatchError]:
        result = self._results.pop(0) if len(self._results) > 1 else self._results[0]
        taken = super().deliver(prepared_requests)
        return taken if result is None else [result] * len(prepared_requests)


LOST = MaybeAccepted("the answer was lost")
REFUSED = Unavailable("the queue refused it")


def submit(dispatcher: Dispatcher, **options: Any) -> Receipt:
    return dispatcher.submit(
        "create_payment_intent", PARAMS, "worker-1", "context-1", KEY, **options
    )


def fail_to_deliver(delivery: MemoryDelivery, *, offers: int = 1) -> NotDelivered:
    """Offer one request `offers` times and close. Return the error."""
    dispatcher = Dispatcher(delivery).start()
    submit(dispatcher)
    while len(delivery.batches) < offers:
        time.sleep(0.001)
    with pytest.raises(NotDelivered) as left:
        dispatcher.close(0.1)
    return left.value


def test_a_request_with_a_lost_answer_is_repeated_under_the_same_id() -> None:
    delivery = Answers(LOST, None)
    with Dispatcher(delivery) as dispatcher:
        receipt = submit(dispatcher)
    assert receipt.durable
    assert [sent.request_id for sent in delivery.envelopes] == [receipt.request_id] * 2


def test_a_request_that_stays_unknown_is_not_reported_as_refused(delivery: MemoryDelivery) -> None:
    delivery.loses_answers = True
    left = fail_to_deliver(delivery)
    (receipt,) = left.unknown
    assert left.refused == ()
    assert "may have been accepted" in str(left)
    assert "dispatcher.redispatch(receipt)" in str(left)
    assert "it may be on the queue" in str(receipt)
    assert isinstance(receipt.failure, MaybeAccepted)


def test_a_request_refused_each_time_is_not_reported_as_unknown(delivery: MemoryDelivery) -> None:
    delivery.away = True
    left = fail_to_deliver(delivery)
    assert (len(left.refused), left.unknown) == (1, ())
    assert "not accepted" in str(left)


@pytest.mark.parametrize("later", [REFUSED, IdempotencyConflict("k"), BadRequest("no", code="no")])
def test_a_refusal_after_a_lost_answer_leaves_the_request_unknown(later: PaydispatchError) -> None:
    left = fail_to_deliver(Answers(LOST, later), offers=2)
    (receipt,) = left.unknown
    assert str(later) in str(receipt.failure)


def test_an_undelivered_request_can_be_repeated_under_the_same_id(
    delivery: MemoryDelivery,
) -> None:
    delivery.loses_answers = True
    (receipt,) = fail_to_deliver(delivery).unknown
    delivery.loses_answers = False
    with Dispatcher(delivery) as again:
        assert again.redispatch(receipt) is receipt
        assert receipt.wait(10).durable
    assert len({sent.request_id for sent in delivery.envelopes}) == 1
    assert "on the queue" in str(receipt)


def test_a_refused_request_can_be_repeated(delivery: MemoryDelivery) -> None:
    delivery.away = True
    with Dispatcher(delivery, delivery_timeout_s=0.02) as dispatcher:
        receipt = submit(dispatcher)
        with pytest.raises(Unavailable):
            receipt.wait(10)
        delivery.away = False
        assert dispatcher.redispatch(receipt).wait(10).durable
        with pytest.raises(NotDelivered):
            dispatcher.flush()  # it still reports the first failure


async def test_a_repeated_request_can_be_awaited(delivery: MemoryDelivery) -> None:
    delivery.loses_answers = True
    (receipt,) = fail_to_deliver(delivery).unknown
    delivery.loses_answers = False
    async with Dispatcher(delivery) as again:
        assert (await again.redispatch(receipt)).durable


def test_a_refused_repeat_leaves_the_request_unknown(delivery: MemoryDelivery) -> None:
    delivery.loses_answers = True
    (receipt,) = fail_to_deliver(delivery).unknown
    delivery.loses_answers, delivery.away = False, True
    with (
        pytest.raises(NotDelivered) as left,
        Dispatcher(delivery, delivery_timeout_s=0.02) as again,
    ):
        again.redispatch(receipt)
    assert left.value.unknown == (receipt,)


def test_a_request_that_is_durable_or_on_its_way_is_not_repeated(stuck: StuckDelivery) -> None:
    with Dispatcher(stuck) as dispatcher:
        receipt = submit(dispatcher)
        assert dispatcher.redispatch(receipt) is receipt
        stuck.release()
        receipt.wait(10)
        assert dispatcher.redispatch(receipt) is receipt
    assert len(stuck.envelopes) == 1


def test_a_dispatcher_with_another_way_to_the_queue_does_not_repeat_a_request(
    delivery: MemoryDelivery,
) -> None:
    """A request prepared for the API holds the key, which must not reach the queue."""
    delivery.away = True
    (receipt,) = fail_to_deliver(delivery).refused
    other = MemoryDelivery()
    other.way = "other"
    with Dispatcher(other) as dispatcher, pytest.raises(PaydispatchError, match="for memory"):
        dispatcher.redispatch(receipt)
    assert (other.batches, receipt.failure is None) == ([], False)


def test_a_dispatcher_that_does_not_run_repeats_nothing(delivery: MemoryDelivery) -> None:
    delivery.away = True
    (receipt,) = fail_to_deliver(delivery).refused
    with pytest.raises(NoDispatcher):
        Dispatcher(delivery).redispatch(receipt)


def test_a_full_buffer_refuses_a_repeat_and_keeps_its_failure(
    delivery: MemoryDelivery, stuck: StuckDelivery
) -> None:
    delivery.away = True
    (receipt,) = fail_to_deliver(delivery).refused
    with Dispatcher(stuck, buffer_size=1) as dispatcher:
        submit(dispatcher)
        with pytest.raises(BufferFull):
            dispatcher.redispatch(receipt)
        stuck.release()
    assert isinstance(receipt.failure, Unavailable)


def test_a_flush_that_times_out_reports_its_requests_as_on_their_way(stuck: StuckDelivery) -> None:
    with Dispatcher(stuck) as dispatcher:
        receipt = submit(dispatcher)
        with pytest.raises(NotDelivered, match="still being sent") as left:
            dispatcher.flush(0.01)
        assert left.value.under_way == left.value.receipts == (receipt,)
        assert receipt.failure is None
        stuck.release()
    assert receipt.durable
