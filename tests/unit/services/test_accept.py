"""Accept: what is accepted is on the queue, and what is refused left no trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.examples import KEY, NOW_S, PARAMS, create_request

from paydispatch.adapters.memory import MemoryRequestQueue
from paydispatch.domain.credentials import Binding, SecretRef, StripeKey
from paydispatch.domain.errors import (
    IdempotencyConflict,
    InvalidField,
    InvalidParams,
    PaydispatchError,
    TooLarge,
    Unavailable,
    UnknownObject,
)
from paydispatch.domain.identity import request_id_for_key
from paydispatch.domain.principal import LOCAL, Principal
from paydispatch.domain.requests import CreateRequest, Lane
from paydispatch.domain.units import DEFAULT_DEADLINE_S, QUEUE_MESSAGE_LIMIT_BYTES
from paydispatch.services.accept import Accepted, Acceptor, fingerprint, status_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.unit.services.conftest import Doorway

    from paydispatch.domain.envelope import Envelope

SHOP = Principal("shop", "checkout")


def test_an_accepted_request_is_on_the_queue(door: Doorway) -> None:
    accepted = door.accept(create_request(stripe_account="acct_1", traceparent="00-1"))
    (sent,) = door.queue.sent
    assert sent.request_id == accepted.request_id
    assert (sent.object, sent.params) == ("payment_intent", PARAMS)
    assert (sent.worker_id, sent.context_id) == ("worker-1", "context-1")
    assert (sent.stripe_account, sent.traceparent) == ("acct_1", "00-1")
    assert (sent.principal, sent.accepted_at) == ("local", NOW_S)
    assert not accepted.replayed


def test_the_key_is_sealed_for_this_conversation_alone(door: Doorway) -> None:
    door.accept(create_request(), SHOP)
    (sent,) = door.queue.sent
    bound = Binding("shop/checkout", "worker-1", "context-1")
    assert door.sealer.sealed == {sent.sealed_secret: (StripeKey(KEY), bound)}


def test_the_name_of_a_secret_is_sealed_like_a_key(door: Doorway) -> None:
    door.accept(create_request(credential=SecretRef("main")), SHOP)
    (sent,) = door.queue.sent
    assert sent.secret_ref is None
    assert sent.sealed_secret is not None
    assert door.sealer.sealed[sent.sealed_secret][0] == SecretRef("main")


@pytest.mark.parametrize("lane", Lane)
def test_the_lane_is_the_callers(door: Doorway, lane: Lane) -> None:
    door.accept(create_request(lane=lane))
    assert door.queue.sent[0].lane is lane


@pytest.mark.parametrize(("deadline_s", "left_s"), [(60, 60), (None, DEFAULT_DEADLINE_S)])
def test_the_deadline_counts_from_acceptance(
    door: Doorway, deadline_s: float | None, left_s: float
) -> None:
    door.accept(create_request(deadline_s=deadline_s))
    assert door.queue.sent[0].progress.deadline_at == NOW_S + left_s


def test_two_requests_without_a_key_are_two(door: Doorway) -> None:
    first, second = door.accept(create_request()), door.accept(create_request())
    assert first.request_id != second.request_id
    assert len(door.queue.sent) == 2


REFUSED = {
    "parameters": (create_request(params={"amount": "x"}), InvalidParams),
    "object": (create_request(object="tea"), UnknownObject),
    "size": (
        create_request(params={**PARAMS, "description": "x" * QUEUE_MESSAGE_LIMIT_BYTES}),
        TooLarge,
    ),
}


@pytest.mark.parametrize(("request_", "error"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_leaves_no_trace(
    door: Doorway, request_: CreateRequest, error: type[PaydispatchError]
) -> None:
    with pytest.raises(error):
        door.accept(request_)
    assert not door.queue.sent
    assert not door.board.records
    assert not door.sealer.sealed


def test_every_wrong_parameter_is_told(door: Doorway) -> None:
    with pytest.raises(InvalidParams) as refusal:
        door.accept(create_request(params={"amount": "x", "colour": "red"}))
    assert {error.param for error in refusal.value.errors} == {"amount", "colour", "currency"}


@pytest.mark.parametrize("depth", [200, 260, 300, 400, 800])
def test_parameters_nested_too_deeply_are_refused(door: Doorway, depth: int) -> None:
    nested: dict[str, Any] = {}
    for _ in range(depth):
        nested = {"a": nested}
    with pytest.raises(InvalidParams):
        door.accept(create_request(params=nested))


def test_characters_count_as_the_bytes_they_take_on_the_queue(door: Doorway) -> None:
    twelve_bytes_each = "\U0001f375" * (QUEUE_MESSAGE_LIMIT_BYTES // 12)
    with pytest.raises(TooLarge):
        door.accept(create_request(params={**PARAMS, "description": twelve_bytes_each}))


class TestIdempotencyKey:
    def test_the_same_body_is_the_same_request(self, door: Doorway) -> None:
        first = door.accept(create_request(idempotency_key="order-1"))
        again = door.accept(create_request(idempotency_key="order-1"))
        assert (again.request_id, again.replayed) == (first.request_id, True)
        assert len(door.queue.sent) == 1

    def test_the_order_of_parameters_does_not_make_another_body(self, door: Doorway) -> None:
        door.accept(create_request(idempotency_key="k", params={"amount": 1, "currency": "usd"}))
        turned = {"currency": "usd", "amount": 1}
        assert door.accept(create_request(idempotency_key="k", params=turned)).replayed

    @pytest.mark.parametrize(
        "change",
        [
            {"params": {**PARAMS, "amount": 2001}},
            {"object": "product", "params": {"name": "Tea"}},
            {"worker_id": "worker-2"},
            {"context_id": "context-2"},
            {"credential": StripeKey(KEY + "2")},
            {"credential": SecretRef("main")},
            {"lane": Lane.BATCH},
            {"deadline_s": 60},
            {"stripe_account": "acct_1"},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_another_body_is_a_conflict(self, door: Doorway, change: dict[str, Any]) -> None:
        door.accept(create_request(idempotency_key="order-1"))
        with pytest.raises(IdempotencyConflict):
            door.accept(create_request(idempotency_key="order-1", **change))
        assert len(door.queue.sent) == 1

    def test_a_new_trace_is_no_other_body(self, door: Doorway) -> None:
        door.accept(create_request(idempotency_key="k"))
        assert door.accept(create_request(idempotency_key="k", traceparent="00-2")).replayed

    def test_the_same_key_of_another_principal_is_another_request(self, door: Doorway) -> None:
        ours = door.accept(create_request(idempotency_key="order-1"))
        theirs = door.accept(create_request(idempotency_key="order-1"), SHOP)
        assert theirs.request_id != ours.request_id
        assert not theirs.replayed

    def test_a_queue_that_was_away_makes_the_next_call_send_it(self, door: Doorway) -> None:
        door.queue.away = True
        with pytest.raises(Unavailable):
            door.accept(create_request(idempotency_key="order-1"))
        door.queue.away = False
        accepted = door.accept(create_request(idempotency_key="order-1"))
        assert [sent.request_id for sent in door.queue.sent] == [accepted.request_id]
        assert not accepted.replayed

    def test_a_crash_between_claim_and_queue_makes_the_next_call_send_it(
        self, door: Doorway
    ) -> None:
        request = create_request(idempotency_key="order-1")
        id_ = request_id_for_key(str(LOCAL), "order-1")
        door.board.claim({id_: fingerprint(request)})  # as far as the dead process came
        assert door.accept(request) == Accepted(id_, request, replayed=False)
        assert [sent.request_id for sent in door.queue.sent] == [id_]

    def test_nothing_is_accepted_under_a_key_nobody_can_look_up(self, door: Doorway) -> None:
        door.board.away = True
        with pytest.raises(Unavailable):
            door.accept(create_request(idempotency_key="order-1"))
        assert not door.queue.sent

    def test_a_refused_request_does_not_use_its_key_up(self, door: Doorway) -> None:
        with pytest.raises(InvalidParams):
            door.accept(create_request(idempotency_key="order-1", params={}))
        assert not door.accept(create_request(idempotency_key="order-1")).replayed


def test_without_a_key_the_board_is_not_needed(door: Doorway) -> None:
    door.board.away = True
    accepted = door.accept(create_request())
    assert [sent.request_id for sent in door.queue.sent] == [accepted.request_id]
    assert "status.not_written" in door.journal.events()


@pytest.mark.parametrize("away", ["queue", "sealer"])
def test_without_queue_or_sealing_key_nothing_is_accepted(door: Doorway, away: str) -> None:
    getattr(door, away).away = True
    with pytest.raises(Unavailable):
        door.accept(create_request())
    assert not door.queue.sent
    assert not door.board.records


class TestBatch:
    def accept_all(self, door: Doorway, *requests: CreateRequest | PaydispatchError) -> list[Any]:
        return door.acceptor.accept_all(requests, LOCAL)

    def test_an_invalid_item_stands_in_its_place_and_stops_no_other(self, door: Doorway) -> None:
        unread = InvalidField("worker_id", "missing")
        results = self.accept_all(
            door, create_request(), create_request(params={}), unread, create_request()
        )
        kinds = [Accepted, InvalidParams, InvalidField, Accepted]
        assert [type(result) for result in results] == kinds
        ids = [result.request_id for result in results if isinstance(result, Accepted)]
        assert [sent.request_id for sent in door.queue.sent] == ids

    def test_the_same_item_twice_is_one_request(self, door: Doorway) -> None:
        twin = create_request(idempotency_key="order-1")
        first, second = self.accept_all(door, twin, twin)
        assert first.request_id == second.request_id
        assert len(door.queue.sent) == 1

    def test_one_key_for_two_bodies_is_a_conflict_for_the_second(self, door: Doorway) -> None:
        first, second, third = self.accept_all(
            door,
            create_request(idempotency_key="order-1"),
            create_request(idempotency_key="order-1", context_id="other"),
            create_request(idempotency_key="order-1"),
        )
        assert isinstance(second, IdempotencyConflict)
        assert first.request_id == third.request_id
        assert len(door.queue.sent) == 1

    def test_an_invalid_twin_does_not_hold_its_key(self, door: Doorway) -> None:
        bad, good = self.accept_all(
            door,
            create_request(idempotency_key="order-1", params={}),
            create_request(idempotency_key="order-1"),
        )
        assert isinstance(bad, InvalidParams)
        assert isinstance(good, Accepted)

    def test_replays_and_new_ones_stand_side_by_side(self, door: Doorway) -> None:
        door.accept(create_request(idempotency_key="order-1"))
        old, new = self.accept_all(
            door, create_request(idempotency_key="order-1"), create_request(idempotency_key="new")
        )
        assert (old.replayed, new.replayed) == (True, False)
        assert len(door.queue.sent) == 2

    def test_without_the_board_only_what_has_a_key_is_put_off(self, door: Doorway) -> None:
        door.board.away = True
        keyed, plain = self.accept_all(
            door, create_request(idempotency_key="order-1"), create_request()
        )
        assert isinstance(keyed, Unavailable)
        assert isinstance(plain, Accepted)

    def test_the_queue_may_take_some_and_refuse_others(self, door: Doorway) -> None:
        queue = HalfQueue()
        acceptor = Acceptor(
            queue=queue,
            sealer=door.sealer,
            board=door.board,
            clock=door.clock,
            journal=door.journal,
        )
        results = acceptor.accept_all([create_request() for _ in range(4)], LOCAL)
        kinds = [type(result) for result in results]
        assert kinds == [Accepted, Unavailable, Accepted, Unavailable]
        assert door.board.records.keys() == {sent.request_id for sent in queue.sent}

    def test_an_empty_batch_asks_nobody(self, door: Doorway) -> None:
        door.queue.away = door.board.away = True
        assert self.accept_all(door) == []


class HalfQueue(MemoryRequestQueue):
    """Refuses every second message."""

    def send(self, envelopes: Sequence[Envelope]) -> Mapping[str, Unavailable]:
        self.take(envelopes[::2])
        return {envelope.request_id: Unavailable("InternalError") for envelope in envelopes[1::2]}


def test_the_status_of_an_accepted_request_is_dispatched(door: Doorway) -> None:
    accepted = door.accept(create_request())
    assert status_of(door.board, accepted.request_id, LOCAL) == {
        "request_id": accepted.request_id,
        "object": "payment_intent",
        "status": "dispatched",
        "worker_id": "worker-1",
        "context_id": "context-1",
        "attempts": 0,
    }


def test_a_request_is_shown_to_its_tenant_only(door: Doorway) -> None:
    id_ = door.accept(create_request(), SHOP).request_id
    assert status_of(door.board, id_, Principal("shop", "back-office")) is not None
    assert status_of(door.board, id_, Principal("bank", "checkout")) is None
    assert status_of(door.board, "pdr_unknown", SHOP) is None


def test_no_line_of_the_journal_shows_a_key(door: Doorway) -> None:
    door.accept(create_request())
    door.queue.away = True
    with pytest.raises(Unavailable) as away:
        door.accept(create_request())
    shown = [repr(door.journal.lines), str(away.value), repr(door.board.records)]
    assert KEY not in "".join([*shown, *(sent.as_message() for sent in door.queue.sent)])
