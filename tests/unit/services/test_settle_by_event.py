"""`EventSettler`: an event settles only its own request, with its own object. Any other event does no harm."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.examples import (
    CREATED,
    DECLINED,
    KEY,
    NOW_S,
    SECRET_REF,
    TIMED_OUT,
    envelope,
    make_failure,
)

from paydispatch.domain.claims import Go, Send, SendEnd, claim_of
from paydispatch.domain.credentials import StripeKey
from paydispatch.domain.entry import entry_for
from paydispatch.domain.errors import Unavailable
from paydispatch.domain.identity.marks import MARK
from paydispatch.domain.identity.request_ids import new_request_id
from paydispatch.domain.looks.event_places import NO_PLACE, OTHER_ACCOUNT, OTHER_MODE
from paydispatch.domain.looks.messages import EventMessage, event_message
from paydispatch.domain.operators.lookup_results import Inconclusive
from paydispatch.domain.outcomes import Certainty, Error, Response
from paydispatch.domain.rates.limits import NO_LIMITS
from paydispatch.domain.retry import merge_history
from paydispatch.domain.stripe.accounts import bind_account
from paydispatch.services.call_batch import PUBLISHING_TIME_S
from paydispatch.services.calls.publish_outcome import publish_outcome
from paydispatch.services.look_for_event import NOT_MARKED, OTHER_EVENT
from paydispatch.services.looks.note_doubt import note_doubt
from paydispatch.services.reconcile import ReconcilePorts
from paydispatch.services.settle_by_event import CHOSEN_ID, SENT_AGAIN_AFTER_S, EventSettler
from paydispatch.testing.memory_clock import MemoryClock
from paydispatch.testing.memory_doorbells import MemoryDoorbell
from paydispatch.testing.memory_doubts import MemoryDoubts
from paydispatch.testing.memory_event_log import MemoryEventLog
from paydispatch.testing.memory_limiter import MemoryLimiter
from paydispatch.testing.memory_operations import MemoryStripeLists, MemoryUnknownOutcomes
from paydispatch.testing.memory_outcomes import MemoryOutcomes
from paydispatch.testing.memory_queues import MemoryAsyncLookQueue
from paydispatch.testing.memory_requests import MemoryRequests
from paydispatch.testing.memory_sealing import MemorySealer, MemoryVault
from paydispatch.testing.memory_stripe import MemoryAccounts, MemoryStripe

if TYPE_CHECKING:
    from tests.unit.services.conftest import Caller

    from paydispatch.domain.attempts import Attempt
    from paydispatch.domain.envelope import Envelope

INTENT, EVENT_PATH = "/v1/payment_intents/pi_1", "/v1/events/evt_1"
CAPTURE: dict[str, Any] = {
    "operation": "capture_payment_intent",
    "path": {"intent": "pi_1"},
    "params": {},
}
MADE_ID = new_request_id(NOW_S)
UPDATE: dict[str, Any] = {
    "request_id": MADE_ID,
    "operation": "update_customer",
    "object": "customer",
    "path": {"customer": "cus_1"},
    "params": {"name": "Tea"},
}
OTHER_KEY = KEY + "Other"


class System:
    """An event settler over in-memory ports, and a Stripe that has one object and one event."""

    def __init__(self, request_id: str = "pdr_1") -> None:
        self.request_id = request_id
        self.clock = MemoryClock()
        self.log = MemoryEventLog()
        self.outcomes = MemoryOutcomes(self.clock)
        self.requests = MemoryRequests(self.clock, self.outcomes)
        self.accounts = MemoryAccounts()
        self.lists = MemoryStripeLists(self.clock)
        self.secrets = {("local", SECRET_REF): KEY}
        self.look_queue = MemoryAsyncLookQueue()
        self.ports = ReconcilePorts(
            unknown_outcomes=MemoryUnknownOutcomes(self.outcomes, self.requests),
            requests=self.requests,
            lists=self.lists,
            accounts=self.accounts,
            limiter=MemoryLimiter(self.clock, NO_LIMITS),
            vault=MemoryVault(MemorySealer(), self.secrets),
            outcomes=self.outcomes,
            doorbell=MemoryDoorbell(),
            doubts=MemoryDoubts(self.clock),
            look_queue=self.look_queue,
            clock=self.clock,
            log=self.log,
        )
        self.at_stripe("payment_intent.created", {"id": "pi_1", "status": "succeeded"})

    def at_stripe(self, type_: str, body: dict[str, Any], *, path: str = INTENT) -> None:
        """Put an object with our mark at `path`, and an event of it that our call caused."""
        marked = {"metadata": {MARK: self.request_id}, **body}
        self.lists.objects[path] = marked
        self.lists.objects[EVENT_PATH] = {
            "id": "evt_1",
            "type": type_,
            "request": {"id": "req_1", "idempotency_key": self.request_id},
            "data": {"object": marked},
            "livemode": False,
        }

    async def send(
        self,
        asked: Envelope | None = None,
        *,
        key: str = KEY,
        account_id: str | None = "acct_1",
        doubted: bool = True,
    ) -> Envelope:
        """Send a request. `doubted`: its answer is lost, and the caller notes the doubt."""
        asked = asked or envelope()
        claim = claim_of(asked, "local", self.clock.now_s())
        account = bind_account(
            StripeKey(key),
            account_id,
            stripe_account=asked.stripe_account,
            stripe_context=asked.stripe_context,
        )
        await self.requests.claim(claim)
        went = await self.requests.send(claim, Send(token="t1", account=account, attempt=1))
        assert isinstance(went, Go)
        if doubted:
            await self.requests.end_send(claim, "t1", SendEnd.UNKNOWN)
            await self.requests.keep_message(claim, asked.as_message())
        return asked

    async def publish_unknown(self, asked: Envelope) -> None:
        claim = claim_of(asked, "local", self.clock.now_s())
        known = merge_history(asked.progress, await self.requests.claim(claim))
        unknown = make_failure(certainty=Certainty.UNKNOWN, attempts=3)
        entry = entry_for(asked.at(known), claim, unknown, self.clock.now_s())
        await publish_outcome(self.ports, entry, claim.worker_slot)
        told = await self.ports.unknown_outcomes.read(claim.worker_slot, claim.request_id)
        assert told is not None
        await note_doubt(self.ports, told)
        self.look_queue.sent.clear()

    async def settle(self, event: EventMessage | None = None, **changes: Any) -> None:
        named = {"request_id": self.request_id, **changes}
        await EventSettler(self.ports, queue_tenant="local").settle(event or event_for(**named))

    @property
    def settled(self) -> list[Any]:
        return [entry.outcome for entry in self.outcomes.entries if entry.outcome.settled]

    @property
    def dropped(self) -> list[str]:
        """The reasons of the events that were dropped."""
        return [fields["why"] for event, fields in self.log.lines if event == "event.dropped"]


def event_for(**changes: Any) -> EventMessage:
    fields: dict[str, Any] = {
        "event_id": "evt_1",
        "type": "payment_intent.created",
        "request_id": "pdr_1",
        "account": None,
        "livemode": False,
        "created": NOW_S,
        "tenant": "local",
    }
    return EventMessage(**{**fields, **changes})


@pytest.fixture
def system() -> System:
    return System()


@pytest.fixture
def of_update() -> System:
    return System(MADE_ID)


class TestSettled:
    async def test_a_request_that_is_still_retried_is_settled_by_its_event(
        self, system: System
    ) -> None:
        await system.send()
        await system.settle()

        (entry,) = system.outcomes.entries
        assert isinstance(entry.outcome, Response)
        assert entry.outcome.body["id"] == "pi_1"
        assert entry.outcome.stripe_request_id == "req_get"
        assert (entry.inferred, entry.account is not None) == (True, True)
        assert (entry.first_sent_at, entry.last_sent_at) == (NOW_S, NOW_S)
        assert system.requests.status("pdr_1") == "succeeded"
        assert [one["path"] for one in system.lists.fetches] == [EVENT_PATH, INTENT]

    async def test_a_published_unknown_outcome_is_settled_and_leaves_the_index(
        self, system: System
    ) -> None:
        await system.publish_unknown(await system.send())
        await system.settle()

        assert [type(outcome) for outcome in system.settled] == [Response]
        assert len(system.outcomes.entries) == 2
        assert not system.outcomes.unknown
        (place,) = await system.ports.doubts.places(at_most=10)
        assert (await system.ports.doubts.state(place)).doubts == 0
        assert system.requests.status("pdr_1") == "succeeded"

    async def test_an_unknown_outcome_whose_message_was_not_noted_is_settled(
        self, system: System
    ) -> None:
        asked = await system.send()
        system.requests.slot("pdr_1").message = None
        await system.publish_unknown(asked)
        await system.settle()
        assert len(system.settled) == 1

    async def test_a_declined_card_is_an_error_that_stripe_answered(self, system: System) -> None:
        await system.send(envelope(params={"amount": 1, "currency": "usd", "confirm": True}))
        declined = {"type": "card_error", "code": "card_declined", "message": "No."}
        system.at_stripe(
            "payment_intent.payment_failed",
            {"id": "pi_1", "status": "requires_payment_method", "last_payment_error": declined},
        )
        await system.settle(type="payment_intent.payment_failed")

        (outcome,) = system.settled
        assert isinstance(outcome, Error)
        assert (outcome.code, outcome.certainty) == ("card_declined", Certainty.NOT_CREATED)

    async def test_a_capture_is_settled_by_the_state_of_its_object_with_one_read(
        self, system: System
    ) -> None:
        await system.send(envelope(**CAPTURE))
        await system.settle(type="payment_intent.succeeded")
        assert [type(outcome) for outcome in system.settled] == [Response]
        assert [one["path"] for one in system.lists.fetches] == [INTENT]

    async def test_an_update_is_settled_by_stripe_s_own_word_that_our_call_made_it(
        self, of_update: System
    ) -> None:
        await of_update.send(envelope(**UPDATE))
        of_update.at_stripe("customer.updated", {"id": "cus_1"}, path="/v1/customers/cus_1")
        await of_update.settle(type="customer.updated")
        (outcome,) = of_update.settled
        assert outcome.body["id"] == "cus_1"

    async def test_the_event_of_a_connected_account_settles_its_request(
        self, system: System
    ) -> None:
        await system.send(envelope(stripe_account="acct_9"))
        await system.settle(account="acct_9")
        assert len(system.settled) == 1
        assert system.lists.fetches[-1]["stripe_account"] == "acct_9"

    async def test_an_event_of_eventbridge_finds_a_request_of_any_tenant(
        self, system: System
    ) -> None:
        asked = envelope(principal="acme/shop", secret_ref=None, sealed_secret="sealed-1")
        await system.send(asked)
        system.ports.vault._sealer.sealed["sealed-1"] = (StripeKey(KEY), asked.binding)  # type: ignore[attr-defined]
        await system.settle(tenant=None)
        assert len(system.settled) == 1
        assert system.requests.status("acme pdr_1") == "succeeded"

    async def test_a_caller_that_lost_its_answer_leaves_the_request_to_its_event(
        self, system: System, caller: Caller
    ) -> None:
        """The whole way: the caller notes the doubt, defers a copy, and the copy finds the request settled."""
        use_world_of(system, caller)
        caller.answers(TIMED_OUT)
        assert await caller.receive(envelope(), left_s=PUBLISHING_TIME_S + 2)
        await system.settle()
        calls = len(caller.stripe.calls)
        assert await caller.receive_deferred()
        assert len(caller.stripe.calls) == calls
        assert len(system.outcomes.entries) == 1

    async def test_a_redelivery_notes_the_doubt_that_a_killed_caller_did_not(
        self, system: System, caller: Caller
    ) -> None:
        use_world_of(system, caller)
        await system.send(doubted=False)
        caller.accounts.away = True
        assert await caller.receive(envelope(), receive=2)
        await system.settle()
        assert len(system.settled) == 1


class TestHarmless:
    @pytest.mark.parametrize(
        "changes",
        [
            {"request_id": "pdr_2"},
            {"tenant": "acme"},
            {"type": "charge.succeeded"},
            {"type": "payment_intent.canceled"},
            {"livemode": True},
            {"account": "acct_2"},
        ],
    )
    async def test_an_event_that_is_not_the_request_s_is_dropped_without_a_read(
        self, system: System, changes: dict[str, Any]
    ) -> None:
        await system.send()
        await system.settle(**changes)
        assert not system.settled
        assert not system.lists.fetches
        assert not system.look_queue.sent
        assert len(system.dropped) == 1

    async def test_a_webhook_of_a_tenant_settles_no_request_of_the_queue_s_tenant(
        self, system: System
    ) -> None:
        """Another tenant's webhook is signed with that tenant's own secret."""
        await system.send()
        await system.requests.keep_message(
            claim_of(envelope(principal="acme/shop"), "local", NOW_S), "message"
        )
        await system.settle(tenant="acme")
        assert not system.settled

    async def test_the_reasons_of_another_account_and_mode_are_told(self, system: System) -> None:
        await system.send()
        await system.settle(account="acct_2")
        await system.settle(livemode=True)
        system.requests.slot("pdr_1").account = None
        await system.settle()
        assert system.dropped == [OTHER_ACCOUNT, OTHER_MODE, NO_PLACE]

    async def test_a_key_of_another_account_reads_nothing(self, system: System) -> None:
        await system.send()
        system.secrets["local", SECRET_REF] = OTHER_KEY
        system.accounts.ids[OTHER_KEY] = "acct_2"
        await system.settle()
        assert not system.lists.fetches
        assert not system.settled

    async def test_an_event_that_stripe_does_not_know_in_the_account_proves_nothing(
        self, system: System
    ) -> None:
        await system.send()
        del system.lists.objects[EVENT_PATH]
        await system.settle()
        await exhausted(system)
        assert not system.settled
        assert system.dropped == [OTHER_EVENT]

    @pytest.mark.parametrize(
        "changes",
        [
            {"request": {"idempotency_key": "pdr_2"}},
            {"request": {"idempotency_key": None}},
            {"request": None},
            {"type": "payment_intent.succeeded"},
            {"data": {"object": {}}},
            {"data": {"object": {"id": 7}}},
            {"data": None},
        ],
    )
    async def test_an_event_that_stripe_tells_otherwise_proves_nothing(
        self, system: System, changes: dict[str, Any]
    ) -> None:
        await system.send()
        system.lists.objects[EVENT_PATH] = {**dict(system.lists.objects[EVENT_PATH]), **changes}  # type: ignore[arg-type]
        await system.settle()
        assert not system.settled
        assert [one["path"] for one in system.lists.fetches] == [EVENT_PATH]

    @pytest.mark.parametrize(
        "body",
        [
            {"id": "pi_1", "metadata": {MARK: "pdr_2"}},
            {"id": "pi_1", "metadata": {}},
            {"id": "pi_1", "metadata": None},
            {"id": "pi_1"},
            {"id": "pi_2", "metadata": {MARK: "pdr_1"}},
            None,
            Inconclusive("Stripe cannot be reached"),
        ],
        ids=str,
    )
    async def test_the_object_of_another_request_proves_nothing(
        self, system: System, body: Any
    ) -> None:
        await system.send()
        system.lists.objects[INTENT] = body
        await system.settle()
        await exhausted(system)
        assert not system.settled
        if isinstance(body, dict) and body["id"] == "pi_1":
            assert system.dropped == [NOT_MARKED]

    @pytest.mark.parametrize("doubted", [True, False])
    async def test_an_update_under_a_chosen_id_is_settled_by_no_event(
        self, system: System, doubted: bool
    ) -> None:
        """Another program of the account may have made its own update under the same idempotency key."""
        await system.send(envelope(**UPDATE | {"request_id": "pdr_1"}), doubted=doubted)
        system.at_stripe("customer.updated", {"id": "cus_1"}, path="/v1/customers/cus_1")
        await system.settle(type="customer.updated")
        assert not system.settled
        assert system.dropped == [CHOSEN_ID]
        assert system.requests.slot("pdr_1").event is None

    async def test_an_update_of_another_object_proves_nothing(self, of_update: System) -> None:
        system = of_update
        await system.send(envelope(**UPDATE))
        system.at_stripe("customer.updated", {"id": "cus_2"}, path="/v1/customers/cus_2")
        system.lists.objects["/v1/customers/cus_1"] = {"id": "cus_1"}
        await system.settle(type="customer.updated")
        assert not system.settled
        system.at_stripe("customer.updated", {"id": "cus_1"}, path="/v1/customers/cus_1")
        system.lists.objects["/v1/customers/cus_1"] = {"id": "cus_2"}
        await system.settle(type="customer.updated")
        assert not system.settled

    async def test_an_operation_without_a_row_is_settled_by_no_event(
        self, of_update: System
    ) -> None:
        system = of_update
        await system.send(
            envelope(
                **{
                    **UPDATE,
                    "operation": "update_subscription",
                    "object": "subscription",
                    "path": {"subscription_exposed_id": "sub_1"},
                }
            )
        )
        for type_ in ("customer.updated", "customer.subscription.updated"):
            await system.settle(type=type_)
        assert not system.settled
        assert not system.lists.fetches

    async def test_a_settled_request_is_not_settled_again(self, system: System) -> None:
        await system.send()
        for _ in range(3):
            await system.settle()
        assert len(system.outcomes.entries) == 1
        assert len(system.lists.fetches) == 2

    async def test_events_at_once_settle_a_request_once(self, system: System) -> None:
        await system.send()
        await asyncio.gather(*(system.settle() for _ in range(5)))
        assert len(system.outcomes.entries) == 1

    async def test_an_event_of_a_request_that_was_answered_reads_nothing(
        self, system: System, caller: Caller
    ) -> None:
        use_world_of(system, caller)
        caller.answers(CREATED)
        assert await caller.receive(envelope())
        await system.settle()
        assert not system.lists.fetches
        assert len(system.outcomes.entries) == 1

    async def test_an_answer_after_the_event_is_not_published_again(
        self, system: System, caller: Caller
    ) -> None:
        use_world_of(system, caller)
        await system.send()
        await system.settle()
        caller.answers(DECLINED)
        assert await caller.receive(envelope(), receive=2)
        (entry,) = system.outcomes.entries
        assert isinstance(entry.outcome, Response)

    async def test_the_absence_of_an_effect_proves_nothing_even_after_the_horizon(
        self, system: System
    ) -> None:
        await system.send(envelope(**CAPTURE))
        system.lists.objects[INTENT] = {"id": "pi_1", "status": "requires_capture"}
        system.clock.advance(30 * 24 * 3600.0)
        await system.settle(type="payment_intent.succeeded")
        await exhausted(system)
        assert not system.settled

    @pytest.mark.parametrize("request_", [None, {}, {"id": "req_1", "idempotency_key": None}])
    def test_an_automatic_event_is_no_message(self, request_: Any) -> None:
        assert event_message({"id": "evt_1", "type": "coupon.created", "request": request_}) is None


async def exhausted(system: System) -> None:
    """Take each copy of the event from the queue, until no more is sent."""
    while system.look_queue.sent:
        copy, delay_s = system.look_queue.sent.pop()
        assert isinstance(copy, EventMessage)
        system.clock.advance(delay_s)
        await system.settle(copy)


def use_world_of(system: System, caller: Caller) -> None:
    """Let the Stripe caller and the settler share Redis, the look queue and the time."""
    caller.outcomes, caller.requests, caller.clock = system.outcomes, system.requests, system.clock
    caller.look_queue = system.look_queue


class TestTooEarly:
    async def test_an_event_before_the_answer_is_kept_and_sent_on_with_the_doubt(
        self, system: System, caller: Caller
    ) -> None:
        await system.send(doubted=False)
        await system.settle()
        assert not system.lists.fetches
        assert not system.look_queue.sent

        use_world_of(system, caller)
        caller.accounts.away = True
        assert await caller.receive(envelope(), receive=2)
        assert system.look_queue.sent == [(event_for(), 0)]
        await exhausted(system)
        assert len(system.settled) == 1

    async def test_an_event_is_sent_on_once(self, system: System) -> None:
        asked = await system.send(doubted=False)
        await system.settle()
        claim = claim_of(asked, "local", system.clock.now_s())
        assert await system.requests.keep_message(claim, asked.as_message()) == event_for()
        assert await system.requests.keep_message(claim, asked.as_message()) is None

    async def test_a_request_whose_call_takes_long_is_settled_before_it_ends(
        self, system: System, caller: Caller, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("paydispatch.services.calls.keep_message.SLOW_CALL_S", 0)
        use_world_of(system, caller)

        sent_on = asyncio.Event()
        send = system.look_queue.send

        async def note(message: Any, delay_s: float) -> None:
            await send(message, delay_s)
            sent_on.set()

        monkeypatch.setattr(system.look_queue, "send", note)

        class SlowStripe(MemoryStripe):
            async def call(self, **_: Any) -> Attempt:
                await system.settle()  # the event comes while the call is open
                await asyncio.wait_for(sent_on.wait(), 10)
                await exhausted(system)
                assert len(system.settled) == 1
                return DECLINED

        caller.stripe = SlowStripe()
        assert await caller.receive(envelope())
        (entry,) = system.outcomes.entries
        assert isinstance(entry.outcome, Response)

    @pytest.mark.parametrize(
        "changes", [{"type": "charge.succeeded"}, {"account": "acct_2"}, {"livemode": True}]
    )
    async def test_an_event_that_could_prove_nothing_is_not_kept(
        self, system: System, changes: dict[str, Any]
    ) -> None:
        await system.send(doubted=False)
        await system.settle()
        await system.settle(**changes)
        assert len(system.dropped) == 1
        assert system.requests.slot("pdr_1").event == event_for()

    async def test_a_doubt_that_is_noted_meanwhile_is_found_a_second_later(
        self, system: System, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked = await system.send(doubted=False)
        keep = system.requests.keep_event

        async def keep_late(slot: str, event: EventMessage) -> bool:
            claim = claim_of(asked, "local", system.clock.now_s())
            await system.requests.keep_message(claim, asked.as_message())
            return await keep(slot, event)

        monkeypatch.setattr(system.requests, "keep_event", keep_late)
        await system.settle()
        assert [delay_s for _, delay_s in system.look_queue.sent] == [1.0]
        await exhausted(system)
        assert len(system.settled) == 1

    async def test_an_incomplete_object_waits_for_its_completion(self, system: System) -> None:
        await system.send(envelope(params={"amount": 1, "currency": "usd", "confirm": True}))
        system.at_stripe(
            "payment_intent.created", {"id": "pi_1", "status": "requires_confirmation"}
        )
        await system.settle()
        assert not system.settled
        system.at_stripe("payment_intent.created", {"id": "pi_1", "status": "succeeded"})
        await exhausted(system)
        assert len(system.settled) == 1

    async def test_it_is_tried_again_a_few_times_and_then_left_to_the_looks(
        self, system: System
    ) -> None:
        await system.send()
        system.lists.objects[INTENT] = Inconclusive("Stripe cannot be reached")
        event, delays = event_for(), []
        while True:
            await system.settle(event)
            if not system.look_queue.sent:
                break
            event, delay_s = system.look_queue.sent.pop()  # type: ignore[assignment]
            delays.append(delay_s)
        assert tuple(delays) == SENT_AGAIN_AFTER_S
        assert len(system.dropped) == 1

    async def test_while_redis_is_away_the_message_is_sent_again_and_at_last_kept(
        self, system: System
    ) -> None:
        """A message that SQS keeps comes again only after its visibility timeout of 90 minutes."""
        await system.send()
        system.requests.away = True
        with pytest.raises(Unavailable):
            await system.settle(tries=len(SENT_AGAIN_AFTER_S))
        await system.settle()
        assert len(system.look_queue.sent) == 1
        system.requests.away = False
        await exhausted(system)
        assert len(system.settled) == 1

    async def test_a_message_that_cannot_be_sent_again_is_kept(self, system: System) -> None:
        await system.send()
        system.requests.away = system.look_queue.away = True
        with pytest.raises(Unavailable):
            await system.settle()

    async def test_a_message_of_another_request_in_the_slot_settles_nothing(
        self, system: System
    ) -> None:
        await system.send()
        other = replace(envelope(), context_id="context-2")
        for message in (other.as_message(), "not json", "{}"):
            system.requests.slot("pdr_1").message = message
            await system.settle()
        assert not system.lists.fetches


ORDERS = list(itertools.permutations(["payment_intent.created", "payment_intent.succeeded"]))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("copies", [1, 2])
async def test_events_in_any_order_and_number_settle_once(
    system: System, order: tuple[str, ...], copies: int
) -> None:
    await system.send()
    for type_ in order * copies:
        system.at_stripe(type_, {"id": "pi_1", "status": "succeeded"})
        await system.settle(type=type_)
    await exhausted(system)
    assert len(system.outcomes.entries) == 1
