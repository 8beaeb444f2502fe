"""`Dispatcher`: it returns at once, drops no request silently, and closes only when every request is durable."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.examples import KEY, PARAMS

from paydispatch import Dispatcher, SecretRef, new_payment_intent
from paydispatch.domain.errors import (
    BadRequest,
    BufferFull,
    InvalidField,
    InvalidParams,
    NoDispatcher,
    NotDelivered,
    TooLarge,
    Unavailable,
)
from paydispatch.domain.requests import Lane
from paydispatch.sdk.builders import create_product_async
from paydispatch.testing.memory_delivery import MemoryDelivery

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.unit.sdk.conftest import StuckDelivery

    from paydispatch.domain.errors import PaydispatchError
    from paydispatch.sdk.delivery import PreparedRequest
    from paydispatch.sdk.receipt import Receipt


def dispatch(context_id: str = "context-1", **options: Any) -> Receipt:
    intent = new_payment_intent().amount(2000).currency("usd")
    return intent.create_async("worker-1", context_id, KEY, **options)


WRONG_PLACES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "worker_id": ({"worker_id": KEY}, {}, "worker_id"),
    "context_id": ({"context_id": KEY}, {}, "context_id"),
    "stripe_account": ({"stripe_account": KEY}, {}, "stripe_account"),
    "stripe_context": ({"stripe_context": KEY}, {}, "stripe_context"),
    "idempotency_key": ({"idempotency_key": KEY}, {}, "Idempotency-Key"),
    "a metadata name": ({}, {"metadata": {KEY: "a"}}, "metadata[sk_test_[hidden]]"),
    "a value": ({}, {"description": f"glued{KEY}"}, "description"),
    "our mark": (
        {},
        {"metadata": {"paydispatch_request_id": "pdr_1"}},
        "metadata[paydispatch_request_id]",
    ),
}


@pytest.mark.parametrize(("change", "params", "param"), WRONG_PLACES.values(), ids=WRONG_PLACES)
def test_a_key_or_our_metadata_pair_in_a_wrong_field_is_refused_by_the_name_of_the_field(
    delivery: MemoryDelivery, change: dict[str, Any], params: dict[str, Any], param: str
) -> None:
    fields = {"worker_id": "worker-1", "context_id": "context-1", "stripe_secret": KEY, **change}
    with Dispatcher(delivery) as dispatcher, pytest.raises(BadRequest) as refusal:
        dispatcher.submit("create_payment_intent", {**PARAMS, **params}, **fields)
    assert refusal.value.param == param
    assert KEY not in str(refusal.value)
    assert not delivery.envelopes


@pytest.mark.parametrize("depth", [33, 500, 979])
def test_parameters_nested_too_deeply_are_refused_at_once(
    delivery: MemoryDelivery, depth: int
) -> None:
    nested: Any = 1
    for _ in range(depth):
        nested = [nested]
    with Dispatcher(delivery) as dispatcher, pytest.raises(InvalidParams) as refusal:
        dispatcher.submit("create_product", {"name": nested}, "worker-1", "context-1", KEY)
    assert (refusal.value.param, "32 levels" in str(refusal.value)) == ("name", True)


def dispatch_and_fail(dispatcher: Dispatcher) -> None:
    with dispatcher:
        dispatch()
        raise ZeroDivisionError


class TestDispatching:
    def test_a_request_reaches_the_queue_with_all_its_options(
        self, delivery: MemoryDelivery
    ) -> None:
        with Dispatcher(delivery):
            receipt = dispatch(lane="batch", stripe_account="acct_1", deadline_s=60)
        (sent,) = delivery.envelopes
        assert sent.request_id == receipt.request_id
        assert (sent.object, sent.params) == ("payment_intent", PARAMS)
        assert (sent.worker_id, sent.context_id) == ("worker-1", "context-1")
        assert (sent.lane, sent.stripe_account) == (Lane.BATCH, "acct_1")
        assert sent.progress.deadline_at == sent.accepted_at + 60

    def test_a_create_function_dispatches_like_a_builder(self, delivery: MemoryDelivery) -> None:
        with Dispatcher(delivery):
            create_product_async({"name": "Tea"}, "worker-1", "context-1", KEY)
        assert delivery.envelopes[0].params == {"name": "Tea"}

    def test_a_secret_ref_may_replace_the_key(self, delivery: MemoryDelivery) -> None:
        with Dispatcher(delivery):
            new_payment_intent().amount(1).currency("usd").create_async(
                "worker-1", "context-1", SecretRef("shop")
            )
        assert [sealed for sealed, _ in delivery.sealer.sealed.values()] == [SecretRef("shop")]

    def test_the_same_idempotency_key_is_the_same_request(self, delivery: MemoryDelivery) -> None:
        with Dispatcher(delivery):
            first, again = dispatch(idempotency_key="k"), dispatch(idempotency_key="k")
            other = dispatch(idempotency_key="other")
        assert first.request_id == again.request_id != other.request_id

    def test_a_burst_is_sent_in_batches_and_in_order(self, delivery: MemoryDelivery) -> None:
        with Dispatcher(delivery):
            receipts = [dispatch(f"context-{number}") for number in range(250)]
        assert [sent.request_id for sent in delivery.envelopes] == [
            receipt.request_id for receipt in receipts
        ]
        assert max(delivery.batches) <= delivery.batch_limit
        assert len(delivery.batches) < 25

    def test_a_payment_passes_the_batch_work_that_still_waits(self, stuck: StuckDelivery) -> None:
        with Dispatcher(stuck):
            under_way = dispatch(lane="batch")
            assert stuck.reached.wait(10)
            waiting = [dispatch(lane="batch") for _ in range(stuck.batch_limit)]
            payment = dispatch(lane="interactive")
            stuck.release()
        sent = [envelope.request_id for envelope in stuck.envelopes]
        assert sent == [r.request_id for r in (under_way, payment, *waiting)]
        assert stuck.batches == [
            1,
            stuck.batch_limit,
            1,
        ]  # batch work fills the turn of the payment

    def test_many_threads_may_dispatch_at_once(self, delivery: MemoryDelivery) -> None:
        def work(dispatcher: Dispatcher) -> None:
            for _ in range(50):
                dispatch(dispatcher=dispatcher)

        with Dispatcher(delivery) as dispatcher:
            threads = [threading.Thread(target=work, args=(dispatcher,)) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert len({sent.request_id for sent in delivery.envelopes}) == 200


class TestRefusing:
    @pytest.mark.parametrize(
        ("change", "error"),
        [
            ({"stripe_secret": "pk_test_1"}, InvalidField),
            ({"stripe_secret": None}, InvalidField),
            ({"worker_id": ""}, InvalidField),
            ({"context_id": ""}, InvalidField),
            ({"lane": "express"}, InvalidField),
            ({"deadline_s": 0}, InvalidField),
            ({"idempotency_key": ""}, InvalidField),
            ({"params": {"amount": "x"}}, InvalidParams),
            ({"params": {**PARAMS, "colour": "red"}}, InvalidParams),
            ({"params": {**PARAMS, "amount": {1, 2}}}, InvalidParams),
        ],
        ids=str,
    )
    def test_an_invalid_request_raises_before_it_is_queued(
        self, delivery: MemoryDelivery, change: dict[str, Any], error: type[BadRequest]
    ) -> None:
        fields = {
            "operation": "create_payment_intent",
            "params": PARAMS,
            "worker_id": "worker-1",
            "context_id": "context-1",
            "stripe_secret": KEY,
        }
        with Dispatcher(delivery) as dispatcher, pytest.raises(error):
            dispatcher.submit(**{**fields, **change})
        assert not delivery.envelopes
        assert not delivery.batches

    def test_without_a_dispatcher_nothing_is_dispatched(self) -> None:
        with pytest.raises(NoDispatcher):
            dispatch()

    def test_a_dispatcher_that_is_not_running_refuses_every_request(
        self, delivery: MemoryDelivery
    ) -> None:
        with pytest.raises(NoDispatcher):
            dispatch(dispatcher=Dispatcher(delivery))

    def test_a_closed_dispatcher_refuses_every_request(self, delivery: MemoryDelivery) -> None:
        with Dispatcher(delivery) as dispatcher:
            pass
        with pytest.raises(NoDispatcher):
            dispatch(dispatcher=dispatcher)
        assert not delivery.opened

    def test_a_full_buffer_raises_until_there_is_room_again(self, stuck: StuckDelivery) -> None:
        with Dispatcher(stuck, buffer_size=3) as dispatcher:
            for _ in range(3):
                dispatch()
            with pytest.raises(BufferFull, match="already holds 3"):
                dispatch()
            stuck.release()
            dispatcher.flush()
            dispatch()
        assert len(stuck.envelopes) == 4

    def test_an_unavailable_sealing_key_raises_on_entering(self) -> None:
        with pytest.raises(Unavailable), Dispatcher(NoSealingKey()):
            pytest.fail("the block must not begin")
        with pytest.raises(NoDispatcher):
            Dispatcher.current()


class NoSealingKey(MemoryDelivery):
    def open(self) -> None:
        raise Unavailable("the sealing key is unavailable")


class TestClosing:
    def test_closing_makes_every_receipt_durable(self, delivery: MemoryDelivery) -> None:
        with Dispatcher(delivery):
            receipts = [dispatch() for _ in range(20)]
        assert all(receipt.durable for receipt in receipts)
        assert not delivery.opened

    def test_flushing_makes_every_receipt_durable(self, delivery: MemoryDelivery) -> None:
        with Dispatcher(delivery) as dispatcher:
            receipt = dispatch()
            dispatcher.flush()
            assert receipt.durable

    def test_the_error_lists_the_receipts_that_the_queue_never_took(
        self, delivery: MemoryDelivery
    ) -> None:
        delivery.away = True
        with (
            pytest.raises(NotDelivered) as left,
            Dispatcher(delivery, delivery_timeout_s=0.02),
        ):
            receipts = [dispatch() for _ in range(3)]
        assert set(left.value.receipts) == set(receipts)
        assert all(receipt.request_id in str(left.value) for receipt in receipts)
        assert all(isinstance(receipt.failure, Unavailable) for receipt in receipts)
        assert not delivery.envelopes

    def test_a_request_refused_for_good_is_listed_and_fails_no_other(
        self, delivery: MemoryDelivery
    ) -> None:
        delivery.refusals["worker-2"] = TooLarge(2, 1)
        with Dispatcher(delivery) as dispatcher:
            good = dispatch()
            bad = dispatcher.submit("create_payment_intent", PARAMS, "worker-2", "context-1", KEY)
            with pytest.raises(NotDelivered, match="1 requests were refused") as left:
                dispatcher.flush()
        assert left.value.refused == left.value.receipts == (bad,)
        assert good.durable

    def test_a_queue_that_recovers_in_time_is_no_failure(self) -> None:
        delivery = AwayTwice()
        with Dispatcher(delivery):
            receipt = dispatch()
        assert receipt.durable
        assert len(delivery.batches) == 3

    def test_a_fault_in_the_delivery_is_reported_and_the_dispatcher_goes_on(self) -> None:
        delivery = Faulty()
        with Dispatcher(delivery, delivery_timeout_s=0.02) as dispatcher:
            broken = dispatch()
            with pytest.raises(NotDelivered, match="ZeroDivisionError") as left:
                dispatcher.flush(10)
            delivery.mended = True
            sound = dispatch()
        assert left.value.unknown == (broken,)
        assert sound.durable

    def test_the_error_of_the_block_is_kept_and_gets_a_note(self, delivery: MemoryDelivery) -> None:
        delivery.away = True
        with pytest.raises(ZeroDivisionError) as error:
            dispatch_and_fail(Dispatcher(delivery, delivery_timeout_s=0.02))
        (note,) = error.value.__notes__
        assert "1 requests were refused and not accepted" in note
        assert "pdr_" in note

    def test_an_error_of_the_block_does_not_stop_the_flush(self, delivery: MemoryDelivery) -> None:
        with pytest.raises(ZeroDivisionError):
            dispatch_and_fail(Dispatcher(delivery))
        assert len(delivery.envelopes) == 1

    def test_an_error_never_shows_the_key(self, delivery: MemoryDelivery) -> None:
        delivery.away = True
        with pytest.raises(NotDelivered) as left, Dispatcher(delivery, delivery_timeout_s=0.02):
            dispatch()
        assert KEY not in str(left.value) + repr(left.value.receipts)

    def test_a_dispatcher_may_run_again(self, delivery: MemoryDelivery) -> None:
        dispatcher = Dispatcher(delivery)
        for _ in range(2):
            with dispatcher:
                dispatch()
        assert len(delivery.envelopes) == 2


class AwayTwice(MemoryDelivery):
    def deliver(
        self, prepared_requests: Sequence[PreparedRequest]
    ) -> Sequence[str | PaydispatchError]:
        self.away = len(self.batches) < 2
        return super().deliver(prepared_requests)


class Faulty(MemoryDelivery):
    mended = False

    def deliver(
        self, prepared_requests: Sequence[PreparedRequest]
    ) -> Sequence[str | PaydispatchError]:
        results = super().deliver(prepared_requests)
        if not self.mended:
            raise ZeroDivisionError
        return results


class TestCurrent:
    def test_the_innermost_block_counts(self, delivery: MemoryDelivery) -> None:
        inner = MemoryDelivery()
        with Dispatcher(delivery) as outside:
            with Dispatcher(inner) as within:
                assert Dispatcher.current() is within
                dispatch()
            assert Dispatcher.current() is outside
        assert (len(delivery.envelopes), len(inner.envelopes)) == (0, 1)

    def test_a_dispatcher_passed_as_an_argument_wins_over_the_current_one(
        self, delivery: MemoryDelivery
    ) -> None:
        other = MemoryDelivery()
        with Dispatcher(other) as chosen, Dispatcher(delivery):
            dispatch(dispatcher=chosen)
        assert (len(delivery.envelopes), len(other.envelopes)) == (0, 1)

    async def test_two_tasks_have_two_dispatchers(self) -> None:
        both_running = asyncio.Barrier(2)

        async def task(delivery: MemoryDelivery) -> None:
            async with Dispatcher(delivery):
                await both_running.wait()
                dispatch()
                await both_running.wait()

        deliveries = (MemoryDelivery(), MemoryDelivery())
        await asyncio.gather(*map(task, deliveries))
        assert [len(delivery.envelopes) for delivery in deliveries] == [1, 1]

    async def test_a_task_sees_the_dispatcher_of_the_block_it_was_started_in(
        self, delivery: MemoryDelivery
    ) -> None:
        async def task() -> None:
            dispatch()

        async with Dispatcher(delivery):
            await asyncio.create_task(task())
        assert len(delivery.envelopes) == 1

    def test_outside_every_block_the_only_running_dispatcher_is_current(
        self, delivery: MemoryDelivery
    ) -> None:
        with Dispatcher(delivery) as only:
            assert contextvars.Context().run(Dispatcher.current) is only

    def test_a_thread_started_inside_the_block_finds_it(self, delivery: MemoryDelivery) -> None:
        with Dispatcher(delivery):
            thread = threading.Thread(target=dispatch)
            thread.start()
            thread.join(10)
        assert len(delivery.envelopes) == 1

    def test_outside_every_block_one_of_several_dispatchers_must_be_passed(
        self, delivery: MemoryDelivery
    ) -> None:
        with (
            Dispatcher(delivery),
            Dispatcher(MemoryDelivery()),
            pytest.raises(NoDispatcher, match="2 Dispatchers run"),
        ):
            contextvars.Context().run(dispatch)
        with Dispatcher(delivery) as chosen, Dispatcher(MemoryDelivery()):
            contextvars.Context().run(dispatch, dispatcher=chosen)
        assert len(delivery.envelopes) == 1

    def test_after_its_block_a_task_finds_no_other_dispatcher(
        self, delivery: MemoryDelivery
    ) -> None:
        """A task that outlives its block must not send to the queue of another block."""
        with Dispatcher(MemoryDelivery()):
            seen = contextvars.copy_context()
        with Dispatcher(delivery), pytest.raises(NoDispatcher):
            seen.run(dispatch)

    def test_a_dispatcher_started_without_a_block_is_current_until_it_is_closed(
        self, delivery: MemoryDelivery
    ) -> None:
        dispatcher = Dispatcher(delivery).start()
        dispatch()
        dispatcher.close()
        with pytest.raises(NoDispatcher):
            dispatch()
        assert len(delivery.envelopes) == 1


async def test_the_async_block_flushes_and_keeps_its_own_error(delivery: MemoryDelivery) -> None:
    delivery.away = True

    async def dispatch_and_fail() -> None:
        async with Dispatcher(delivery, delivery_timeout_s=0.02):
            dispatch()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as error:
        await dispatch_and_fail()
    assert "1 requests were refused and not accepted" in error.value.__notes__[0]


async def test_the_async_block_raises_for_undelivered_requests(delivery: MemoryDelivery) -> None:
    delivery.away = True
    with pytest.raises(NotDelivered):
        async with Dispatcher(delivery, delivery_timeout_s=0.02):
            dispatch()
