"""`Acceptor`: an accepted request is on the queue, and a refused request leaves no trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.examples import KEY, NOW_S, PARAMS, TRACE_ID, TRACEPARENT, create_request
from tests.unit.queues import HalfQueue, LosingQueue

from paydispatch.domain.claims import claim_of, fingerprint_of
from paydispatch.domain.credentials import Binding, SecretRef, StripeKey
from paydispatch.domain.errors import (
    IdempotencyConflict,
    InvalidField,
    InvalidParams,
    MaybeAccepted,
    PaydispatchError,
    TooLarge,
    Unavailable,
)
from paydispatch.domain.identity.principal import LOCAL, Principal
from paydispatch.domain.identity.request_ids import (
    key_for,
    request_id_for_key,
    request_id_for_repeat,
)
from paydispatch.domain.limits import DEFAULT_DEADLINE_S, QUEUE_MESSAGE_LIMIT_BYTES
from paydispatch.domain.message.groups import group_of_credential
from paydispatch.domain.requests import Lane, OperationRequest
from paydispatch.services.accept import Accepted
from paydispatch.testing.memory_delivery import MemoryDelivery
from paydispatch.testing.memory_queues import MemoryRequestQueue

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.unit.services.conftest import Api

    from paydispatch.domain.envelope import Envelope

SHOP = Principal("shop", "checkout")


def request_with_key(**changes: Any) -> OperationRequest:
    return create_request(**{"idempotency_key": "order-1", **changes})


def test_an_accepted_request_is_on_the_queue(api: Api) -> None:
    accepted = api.accept(create_request(stripe_account="acct_1", traceparent=TRACEPARENT))
    (sent,) = api.queue.sent
    assert sent.group == group_of_credential(StripeKey(KEY), sent.principal, ("acct_1", None))
    assert sent.request_id == accepted.request_id
    assert (sent.object, sent.params) == ("payment_intent", PARAMS)
    assert (sent.worker_id, sent.context_id) == ("worker-1", "context-1")
    assert (sent.stripe_account, sent.traceparent) == ("acct_1", TRACEPARENT)
    ((_, line),) = api.log.lines
    assert (line["trace_id"], line["traceparent"]) == (TRACE_ID, TRACEPARENT)
    assert (sent.principal, sent.accepted_at) == ("local", NOW_S)
    assert (sent.operation, accepted.status) == ("create_payment_intent", "dispatched")
    assert not accepted.replayed


def test_the_message_carries_the_stripe_context_of_its_request(api: Api) -> None:
    api.accept(create_request(stripe_context="acct_1/acct_2"))
    assert api.queue.sent[0].stripe_context == "acct_1/acct_2"


def test_the_message_carries_the_fingerprint_of_its_request(api: Api) -> None:
    api.accept(create_request(), SHOP)
    (sent,) = api.queue.sent
    assert sent.fingerprint == fingerprint_of(sent, "local")


def test_the_key_is_sealed_for_one_principal_worker_and_context(api: Api) -> None:
    api.accept(create_request(), SHOP)
    (sent,) = api.queue.sent
    bound = Binding("shop/checkout", "worker-1", "context-1")
    assert api.sealer.sealed == {sent.sealed_secret: (StripeKey(KEY), bound)}


def test_the_name_of_a_secret_is_sealed_like_a_key(api: Api) -> None:
    api.accept(create_request(credential=SecretRef("main")), SHOP)
    (sent,) = api.queue.sent
    assert sent.secret_ref is None
    assert sent.sealed_secret is not None
    assert api.sealer.sealed[sent.sealed_secret][0] == SecretRef("main")


@pytest.mark.parametrize("lane", Lane)
def test_the_message_has_the_lane_of_its_request(api: Api, lane: Lane) -> None:
    api.accept(create_request(lane=lane))
    assert api.queue.sent[0].lane is lane


@pytest.mark.parametrize(("deadline_s", "left_s"), [(60, 60), (None, DEFAULT_DEADLINE_S)])
def test_the_deadline_counts_from_acceptance(
    api: Api, deadline_s: float | None, left_s: float
) -> None:
    api.accept(create_request(deadline_s=deadline_s))
    assert api.queue.sent[0].progress.deadline_at == NOW_S + left_s


def test_two_equal_requests_without_a_key_are_two_requests(api: Api) -> None:
    first, second = api.accept(create_request()), api.accept(create_request())
    assert first.request_id != second.request_id
    assert len(api.queue.sent) == 2


REFUSED = {
    "parameters": (create_request(params={"amount": "x"}), InvalidParams),
    "size": (
        create_request(params={**PARAMS, "description": "x" * QUEUE_MESSAGE_LIMIT_BYTES}),
        TooLarge,
    ),
}


@pytest.mark.parametrize(("request_", "error"), REFUSED.values(), ids=REFUSED)
def test_a_refused_request_leaves_no_trace(
    api: Api, request_: OperationRequest, error: type[PaydispatchError]
) -> None:
    with pytest.raises(error):
        api.accept(request_)
    assert not api.queue.sent
    assert not api.slots.slots
    assert not api.sealer.sealed


def test_the_error_lists_every_wrong_parameter(api: Api) -> None:
    with pytest.raises(InvalidParams) as refusal:
        api.accept(create_request(params={"amount": "x", "colour": "red"}))
    assert {error.param for error in refusal.value.errors} == {"amount", "colour", "currency"}


def test_characters_count_as_the_bytes_they_take_on_the_queue(api: Api) -> None:
    twelve_bytes_each = "\U0001f375" * (QUEUE_MESSAGE_LIMIT_BYTES // 12)
    with pytest.raises(TooLarge):
        api.accept(create_request(params={**PARAMS, "description": twelve_bytes_each}))


class TestIdempotencyKey:
    def test_the_same_body_is_the_same_request(self, api: Api) -> None:
        first, again = api.accept(request_with_key()), api.accept(request_with_key())
        assert (again.request_id, again.replayed) == (first.request_id, True)
        assert len(api.queue.sent) == 1

    @pytest.mark.parametrize(
        "change",
        [
            {"params": {"currency": "usd", "amount": 2000}},
            {"traceparent": TRACEPARENT},
            {"lane": Lane.BATCH},
            {"deadline_s": 60},
            {"credential": StripeKey(KEY + "2")},
            {"credential": SecretRef("main")},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_a_change_outside_the_fingerprint_is_a_replay(
        self, api: Api, change: dict[str, Any]
    ) -> None:
        api.accept(request_with_key())
        assert api.accept(request_with_key(**change)).replayed
        assert len(api.queue.sent) == 1

    @pytest.mark.parametrize(
        "change",
        [
            {"params": {**PARAMS, "amount": 2001}},
            {"operation": "create_product", "params": {"name": "Tea"}},
            {"worker_id": "worker-2"},
            {"context_id": "context-2"},
            {"stripe_account": "acct_1"},
            {"stripe_context": "acct_1"},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_another_body_is_a_conflict(self, api: Api, change: dict[str, Any]) -> None:
        api.accept(request_with_key())
        with pytest.raises(IdempotencyConflict):
            api.accept(request_with_key(**change))
        assert len(api.queue.sent) == 1

    def test_a_key_is_one_request_for_all_principals_of_a_tenant(self, api: Api) -> None:
        first = api.accept(request_with_key(), SHOP)
        again = api.accept(request_with_key(), Principal("shop", "back-office"))
        assert (again.request_id, again.replayed) == (first.request_id, True)

    def test_the_same_key_of_another_tenant_is_another_request(self, api: Api) -> None:
        ours, theirs = api.accept(request_with_key()), api.accept(request_with_key(), SHOP)
        assert theirs.request_id != ours.request_id
        assert not theirs.replayed

    def test_a_key_is_the_same_request_over_the_queue_and_over_the_api(self, api: Api) -> None:
        over_the_queue = MemoryDelivery().prepare(request_with_key()).request_id
        assert api.accept(request_with_key()).request_id == over_the_queue

    def test_a_key_that_came_in_over_the_queue_with_another_amount_is_a_conflict(
        self, api: Api
    ) -> None:
        queued = request_with_key(params={**PARAMS, "amount": 1})
        delivery = MemoryDelivery()
        delivery.deliver([delivery.prepare(queued)])
        api.slots.claim(claim_of(delivery.envelopes[0], "local", NOW_S), queued=True)
        with pytest.raises(IdempotencyConflict):
            api.accept(request_with_key())
        assert not api.queue.sent

    def test_a_request_that_the_queue_refused_is_sent_by_the_next_call(self, api: Api) -> None:
        api.queue.away = True
        with pytest.raises(Unavailable):
            api.accept(request_with_key())
        api.queue.away = False
        accepted = api.accept(request_with_key())
        assert [sent.request_id for sent in api.queue.sent] == [accepted.request_id]
        assert not accepted.replayed

    def test_a_request_that_never_reached_the_queue_is_no_replay(self, api: Api) -> None:
        """A second server must not answer `202` only because the first one claimed the id."""
        api.queue.away = True
        for _ in range(2):
            with pytest.raises(Unavailable):
                api.accept(request_with_key())

    def test_a_replay_has_the_current_status_of_the_request(self, api: Api) -> None:
        first = api.accept(request_with_key())
        api.slots.slots[first.request_id].status = "succeeded"
        again = api.accept(request_with_key())
        assert (again.status, again.replayed) == ("succeeded", True)

    def test_a_request_with_a_key_is_refused_while_redis_is_unavailable(self, api: Api) -> None:
        api.requests.away = True
        with pytest.raises(Unavailable) as away:
            api.accept(request_with_key())
        assert not isinstance(away.value, MaybeAccepted)
        assert not api.queue.sent

    def test_a_refused_request_does_not_use_its_key_up(self, api: Api) -> None:
        with pytest.raises(InvalidParams):
            api.accept(request_with_key(params={}))
        assert not api.accept(request_with_key()).replayed


class TestAfterAnOutcomeWithoutAnEffect:
    """The key of a request that was never executed may be used again."""

    def fail(self, api: Api, request_id: str, *, answered: bool = False) -> None:
        slot = api.slots.slots[request_id]
        slot.status, slot.answered = "failed", answered

    def test_the_same_key_makes_a_new_request(self, api: Api) -> None:
        first = api.accept(request_with_key())
        self.fail(api, first.request_id)
        second = api.accept(request_with_key())
        assert second.request_id == request_id_for_repeat(first.request_id, 1)
        assert not second.replayed
        assert [sent.request_id for sent in api.queue.sent] == [
            first.request_id,
            second.request_id,
        ]

    def test_every_repeat_of_the_key_is_the_same_new_request(self, api: Api) -> None:
        self.fail(api, api.accept(request_with_key()).request_id)
        second, third = api.accept(request_with_key()), api.accept(request_with_key())
        assert (third.request_id, third.replayed) == (second.request_id, True)

    def test_a_batch_makes_one_new_request(self, api: Api) -> None:
        self.fail(api, api.accept(request_with_key()).request_id)
        api.queue.sent.clear()
        api.acceptor.accept_all([request_with_key(), create_request(), request_with_key()], LOCAL)
        assert len(api.queue.sent) == 2

    def test_each_failure_lets_the_key_make_a_new_request(self, api: Api) -> None:
        ids = []
        for _ in range(5):
            ids.append(api.accept(request_with_key()).request_id)
            self.fail(api, ids[-1])
        repeats = [request_id_for_repeat(ids[0], number) for number in range(1, 5)]
        assert ids[1:] == repeats

    def test_another_body_is_a_conflict_all_the_same(self, api: Api) -> None:
        self.fail(api, api.accept(request_with_key()).request_id)
        with pytest.raises(IdempotencyConflict):
            api.accept(request_with_key(context_id="context-2"))

    def test_a_failure_that_stripe_answered_is_a_replay(self, api: Api) -> None:
        first = api.accept(request_with_key())
        self.fail(api, first.request_id, answered=True)
        again = api.accept(request_with_key())
        assert (again.request_id, again.status) == (first.request_id, "failed")

    @pytest.mark.parametrize("status", ["succeeded", "unknown", "calling", "retrying"])
    def test_no_other_status_makes_a_new_request(self, api: Api, status: str) -> None:
        first = api.accept(request_with_key())
        api.slots.slots[first.request_id].status = status
        again = api.accept(request_with_key())
        assert (again.request_id, again.status) == (first.request_id, status)

    def test_a_key_is_never_used_up_and_each_repeat_costs_the_same(self, api: Api) -> None:
        calls: list[int] = []
        claim = api.requests.claim
        api.requests.claim = lambda claims: calls.append(1) or claim(claims)  # type: ignore[method-assign,func-returns-value]
        costs = []
        for _ in range(500):
            calls.clear()
            self.fail(api, api.accept(request_with_key()).request_id)
            costs.append(len(calls))
        assert not api.accept(request_with_key()).replayed
        assert max(costs) == costs[2] == 3

    @pytest.mark.parametrize("status", ["calling", "retrying", "unknown", "succeeded"])
    def test_a_replay_has_the_current_status_of_the_newest_request(
        self, api: Api, status: str
    ) -> None:
        self.fail(api, api.accept(request_with_key()).request_id)
        second = api.accept(request_with_key())
        api.slots.slots[second.request_id].status = status
        third = api.accept(request_with_key())
        assert (third.request_id, third.status) == (second.request_id, status)
        assert third.replayed

    def test_a_batch_answers_each_item_with_the_status_of_its_newest_request(
        self, api: Api
    ) -> None:
        items = [request_with_key(idempotency_key=f"order-{number}") for number in range(4)]
        firsts = [api.accept(item) for item in items]
        self.fail(api, firsts[1].request_id)
        self.fail(api, firsts[2].request_id, answered=True)
        api.slots.slots[firsts[3].request_id].status = "unknown"
        results = api.acceptor.accept_all(items, LOCAL)
        assert [
            (result.status, result.replayed) for result in results if isinstance(result, Accepted)
        ] == [("dispatched", True), ("dispatched", False), ("failed", True), ("unknown", True)]

    def test_a_new_request_that_the_queue_refused_is_sent_by_the_next_call(self, api: Api) -> None:
        first = api.accept(request_with_key())
        self.fail(api, first.request_id)
        api.queue.away = True
        with pytest.raises(Unavailable):
            api.accept(request_with_key())
        api.queue.away = False
        assert not api.accept(request_with_key()).replayed
        repeat = request_id_for_repeat(first.request_id, 1)
        assert [sent.request_id for sent in api.queue.sent] == [first.request_id, repeat]

    def test_a_lost_answer_for_a_new_request_names_its_id_and_the_caller_s_key(
        self, api: Api
    ) -> None:
        first = api.accept(request_with_key())
        self.fail(api, first.request_id)
        with pytest.raises(MaybeAccepted) as lost:
            api.acceptor_for(LosingQueue()).accept(request_with_key(), LOCAL)
        repeat = request_id_for_repeat(first.request_id, 1)
        assert (lost.value.request_id, lost.value.idempotency_key) == (repeat, "order-1")
        assert api.accept(request_with_key()).request_id == repeat

    def test_another_body_is_a_conflict_after_a_repeat_too(self, api: Api) -> None:
        for _ in range(2):
            self.fail(api, api.accept(request_with_key()).request_id)
        with pytest.raises(IdempotencyConflict):
            api.accept(request_with_key(context_id="context-2"))


class TestALostAnswer:
    def test_it_raises_maybe_accepted_with_the_request_id_and_the_key(self, api: Api) -> None:
        acceptor = api.acceptor_for(LosingQueue())
        with pytest.raises(MaybeAccepted) as lost:
            acceptor.accept(request_with_key(), LOCAL)
        assert lost.value.request_id == request_id_for_key("", "order-1")
        assert lost.value.idempotency_key == "order-1"

    def test_a_repeat_under_the_key_of_the_error_is_the_same_request(self, api: Api) -> None:
        losing = LosingQueue()
        with pytest.raises(MaybeAccepted) as lost:
            api.acceptor_for(losing).accept(create_request(), LOCAL)
        accepted = api.accept(create_request(idempotency_key=lost.value.idempotency_key))
        ids = {sent.request_id for sent in [*losing.sent, *api.queue.sent]}
        assert ids == {accepted.request_id, lost.value.request_id}
        assert len(ids) == 1

    def test_a_generated_key_is_claimed_before_the_error_names_it(self, api: Api) -> None:
        with pytest.raises(MaybeAccepted) as lost:
            api.acceptor_for(LosingQueue()).accept(create_request(), LOCAL)
        made = lost.value.idempotency_key
        with pytest.raises(IdempotencyConflict):
            api.accept(create_request(idempotency_key=made, context_id="context-2"))

    def test_a_generated_key_does_not_reach_the_request_of_another_tenant(self, api: Api) -> None:
        theirs = api.accept(create_request())
        ours = api.accept(create_request(idempotency_key=key_for(theirs.request_id)), SHOP)
        assert not ours.replayed
        assert len(api.slots.slots) == 2

    def test_it_does_not_count_as_queued(self, api: Api) -> None:
        with pytest.raises(MaybeAccepted):
            api.acceptor_for(LosingQueue()).accept(request_with_key(), LOCAL)
        assert not api.accept(request_with_key()).replayed

    def test_a_refusal_of_the_queue_is_not_maybe_accepted(self, api: Api) -> None:
        api.queue.away = True
        with pytest.raises(Unavailable) as refused:
            api.accept(create_request())
        assert not isinstance(refused.value, MaybeAccepted)

    def test_the_error_text_of_aws_is_only_in_the_log(self, api: Api) -> None:
        with pytest.raises(MaybeAccepted) as lost:
            api.acceptor_for(LosingQueue()).accept(request_with_key(), LOCAL)
        assert "Read timeout on AWS" not in str(lost.value)
        assert ("request.maybe_queued", "Read timeout on AWS") in [
            (event, fields.get("why")) for event, fields in api.log.lines
        ]


def test_a_request_without_a_key_is_accepted_without_redis(api: Api) -> None:
    api.requests.away = True
    accepted = api.accept(create_request())
    assert [sent.request_id for sent in api.queue.sent] == [accepted.request_id]
    assert "request.not_claimed" in api.log.events()


def test_a_request_is_accepted_though_its_status_cannot_be_written(api: Api) -> None:
    class LeavingQueue(MemoryRequestQueue):
        def send(self, envelopes: Sequence[Envelope]) -> Mapping[str, Unavailable]:
            api.requests.away = True
            return super().send(envelopes)

    assert not api.acceptor_for(LeavingQueue()).accept(request_with_key(), LOCAL).replayed
    assert "status.not_written" in api.log.events()


@pytest.mark.parametrize("away", ["queue", "sealer"])
def test_without_queue_or_sealing_key_nothing_is_accepted(api: Api, away: str) -> None:
    getattr(api, away).away = True
    with pytest.raises(Unavailable):
        api.accept(create_request())
    assert not api.queue.sent
    assert not any(slot.queued for slot in api.slots.slots.values())


class TestBatch:
    def accept_all(self, api: Api, *requests: OperationRequest | PaydispatchError) -> Sequence[Any]:
        return api.acceptor.accept_all(requests, LOCAL)

    def test_the_error_of_an_invalid_item_is_in_its_place_and_stops_no_other(
        self, api: Api
    ) -> None:
        unread = InvalidField("worker_id", "missing")
        results = self.accept_all(
            api, create_request(), create_request(params={}), unread, create_request()
        )
        kinds = [Accepted, InvalidParams, InvalidField, Accepted]
        assert [type(result) for result in results] == kinds
        ids = [result.request_id for result in results if isinstance(result, Accepted)]
        assert [sent.request_id for sent in api.queue.sent] == ids

    def test_the_same_item_twice_is_one_request(self, api: Api) -> None:
        first, second = self.accept_all(api, request_with_key(), request_with_key())
        assert first.request_id == second.request_id
        assert len(api.queue.sent) == 1

    def test_one_key_for_two_bodies_is_a_conflict_for_the_second(self, api: Api) -> None:
        first, second, third = self.accept_all(
            api, request_with_key(), request_with_key(context_id="other"), request_with_key()
        )
        assert isinstance(second, IdempotencyConflict)
        assert first.request_id == third.request_id
        assert len(api.queue.sent) == 1

    def test_an_invalid_item_does_not_use_its_key_up(self, api: Api) -> None:
        bad, good = self.accept_all(api, request_with_key(params={}), request_with_key())
        assert isinstance(bad, InvalidParams)
        assert isinstance(good, Accepted)

    def test_a_batch_may_hold_replays_and_new_requests(self, api: Api) -> None:
        api.accept(request_with_key())
        old, new = self.accept_all(api, request_with_key(), request_with_key(idempotency_key="new"))
        assert (old.replayed, new.replayed) == (True, False)
        assert len(api.queue.sent) == 2

    def test_without_redis_only_items_with_a_key_are_refused(self, api: Api) -> None:
        api.requests.away = True
        put_off, plain = self.accept_all(api, request_with_key(), create_request())
        assert isinstance(put_off, Unavailable)
        assert isinstance(plain, Accepted)

    def test_the_queue_may_take_some_and_refuse_others(self, api: Api) -> None:
        queue = HalfQueue()
        results = api.acceptor_for(queue).accept_all([create_request() for _ in range(4)], LOCAL)
        kinds = [type(result) for result in results]
        assert kinds == [Accepted, Unavailable, Accepted, Unavailable]
        queued = {name for name, slot in api.slots.slots.items() if slot.queued}
        assert queued == {sent.request_id for sent in queue.sent}

    def test_each_item_of_a_lost_answer_gets_its_own_key(self, api: Api) -> None:
        acceptor = api.acceptor_for(LosingQueue())
        results = acceptor.accept_all([request_with_key(), create_request()], LOCAL)
        keys = [result.idempotency_key for result in results if isinstance(result, MaybeAccepted)]
        assert keys[0] == "order-1"
        assert keys[1].startswith("pdk_")

    def test_an_unavailable_sealer_is_called_once_per_batch(self, api: Api) -> None:
        api.sealer.away = True
        asked = []
        seal = api.sealer.seal
        api.sealer.seal = lambda *sealed: asked.append(sealed) or seal(*sealed)  # type: ignore[method-assign,func-returns-value]
        results = self.accept_all(api, *[create_request() for _ in range(20)])
        assert [type(result) for result in results] == [Unavailable] * 20
        assert len(asked) == 1

    def test_an_empty_batch_calls_no_store(self, api: Api) -> None:
        api.queue.away = api.requests.away = True
        assert self.accept_all(api) == []


def test_no_line_of_the_event_log_shows_a_key(api: Api) -> None:
    api.accept(create_request())
    api.queue.away = True
    with pytest.raises(Unavailable) as away:
        api.accept(create_request())
    shown = [repr(api.log.lines), str(away.value), repr(api.slots.slots)]
    assert KEY not in "".join([*shown, *(sent.as_message() for sent in api.queue.sent)])
