"""`Redriver` loses no message of the dead-letter queue, and sends none that must not be sent."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.examples import KEY, NOW_S, envelope, make_failure, make_success, message_text

from paydispatch.domain.claims import claim_of
from paydispatch.domain.entry import entry_for
from paydispatch.domain.errors import Unavailable
from paydispatch.domain.limits import HORIZON_S
from paydispatch.domain.operators.redrive import (
    Choice,
    GoesToReconcile,
    NotExamined,
    NotProven,
    SendBack,
    Unreadable,
)
from paydispatch.domain.outcomes import Certainty
from paydispatch.domain.progress import Progress
from paydispatch.services import redrive
from paydispatch.services.redrive import Redriver, Walk
from paydispatch.services.redrive_message import Action, Examined, RedriveOptions, RedrivePorts
from paydispatch.testing.memory_clock import MemoryClock
from paydispatch.testing.memory_doorbells import MemoryDoorbell
from paydispatch.testing.memory_event_log import MemoryEventLog
from paydispatch.testing.memory_operations import MemoryDeadLetters
from paydispatch.testing.memory_outcomes import MemoryOutcomes
from paydispatch.testing.memory_queues import MemoryAsyncQueue
from paydispatch.testing.memory_requests import MemoryRequests, Slot

if TYPE_CHECKING:
    from paydispatch.domain.envelope import Envelope

EVERY = Choice()


class RedriveSystem:
    """A redriver over in-memory ports."""

    def __init__(self) -> None:
        self.clock = MemoryClock()
        self.log = MemoryEventLog()
        self.dead_letters = MemoryDeadLetters()
        self.queue = MemoryAsyncQueue()
        self.outcomes = MemoryOutcomes(self.clock)
        self.requests = MemoryRequests(self.clock, self.outcomes)
        self.doorbell = MemoryDoorbell()

    def redriver(self, **options: Any) -> Redriver:
        ports = RedrivePorts(
            dead_letters=self.dead_letters,
            queue=self.queue,
            requests=self.requests,
            outcomes=self.outcomes,
            doorbell=self.doorbell,
            clock=self.clock,
            log=self.log,
            queue_tenant="local",
        )
        return Redriver(ports, RedriveOptions(**options))

    def park(self, request_id: str = "pdr_1", status: str | None = "unknown", **fields: Any) -> str:
        """Park a message of a request without an answer. Without a status its slot is empty."""
        progress = Progress(deadline_at=NOW_S, attempt=4, maybe_executed=True, first_sent_at=NOW_S)
        parked = envelope(**{"request_id": request_id, "progress": progress, **fields})
        if status:
            self.slot(parked, status=status, maybe_executed=True, first_sent_at=NOW_S)
        return self.dead_letters.put(
            parked.as_message(), sent_at=self.clock.now_s(), reason="timeout"
        )

    def slot(self, asked: Envelope, **fields: Any) -> None:
        claim = claim_of(asked, "local", NOW_S)
        self.requests.store.slots[claim.slot] = Slot(claim, **fields)

    async def redrive(
        self, choice: Choice = EVERY, *, at_most: int = 1_000, **options: Any
    ) -> list[Examined]:
        return await self.redriver(**options).redrive(choice, at_most=at_most)

    @property
    def visible(self) -> set[str]:
        return set(self.dead_letters.messages) - self.dead_letters.hidden


@pytest.fixture
def system() -> RedriveSystem:
    return RedriveSystem()


@pytest.mark.parametrize("depth", [254, 500, 979, 5_000])
async def test_a_message_nested_too_deeply_stops_no_walk(system: RedriveSystem, depth: int) -> None:
    nested = '{"a":' * depth + "1" + "}" * depth
    system.dead_letters.put(
        message_text(params="here").replace('"here"', f'{{"metadata":{nested}}}'),
        sent_at=system.clock.now_s(),
    )
    system.park()

    endless, done = await system.redrive()

    assert endless.action is Action.FLOW_STARTED
    assert done.action is Action.SENT_BACK


async def test_a_message_is_sent_back_and_deleted_from_the_dead_letter_queue(
    system: RedriveSystem,
) -> None:
    system.park()

    (done,) = await system.redrive()

    (sent,) = system.queue.sent
    assert (sent.request_id, sent.progress.maybe_executed) == ("pdr_1", True)
    assert sent.progress.first_sent_at == NOW_S
    assert done.action is Action.SENT_BACK
    assert system.dead_letters.messages == {}
    assert system.log.events() == ["request.redriven"]


async def test_examining_changes_nothing(system: RedriveSystem) -> None:
    ids = {system.park(f"pdr_{number}") for number in range(5)}

    examined = await system.redriver().examine(EVERY, at_most=1_000)

    assert [type(one.plan) for one in examined] == [SendBack] * 5
    assert system.visible == ids
    assert system.queue.sent == []


async def test_a_message_that_sqs_refused_becomes_visible_again(system: RedriveSystem) -> None:
    ids = {system.park("pdr_1"), system.park("pdr_2")}
    system.queue.away = True

    done = await system.redrive()

    assert [one.action for one in done] == [Action.FAILED] * 2
    assert system.visible == ids


async def test_a_walk_ends_when_a_store_is_unavailable_for_several_messages_in_a_row(
    system: RedriveSystem,
) -> None:
    ids = {system.park(f"pdr_{number}") for number in range(redrive.MOST_FAILURES + 2)}
    system.requests.away = True
    walk = Walk()

    with pytest.raises(Unavailable):
        await system.redriver().redrive(EVERY, at_most=1_000, walk=walk)

    assert walk.failed == redrive.MOST_FAILURES - 1
    assert system.visible == ids


async def test_a_message_that_fails_is_reported_and_the_walk_goes_on(system: RedriveSystem) -> None:
    """This holds for every exception, also one that the redriver does not expect."""
    system.park("pdr_bad")
    system.park("pdr_good")

    class Choosy(MemoryAsyncQueue):
        async def send(self, envelopes: Any) -> None:
            if envelopes[0].request_id == "pdr_bad":
                raise RecursionError
            await super().send(envelopes)

    system.queue = Choosy()
    bad, good = await system.redrive()

    assert (bad.plan, bad.action) == (NotExamined("internal: RecursionError"), Action.FAILED)
    assert good.action is Action.SENT_BACK
    assert "message.not_redriven" in system.log.events()


async def test_a_crash_before_the_deletion_leaves_two_copies_of_one_identity(
    system: RedriveSystem,
) -> None:
    system.park()

    class Dying(MemoryDeadLetters):
        async def delete(self, parked: Any) -> None:
            raise Unavailable("died here")

    dying = Dying()
    dying.messages = system.dead_letters.messages
    system.dead_letters = dying
    await system.redrive()

    assert [sent.request_id for sent in system.queue.sent] == ["pdr_1"]
    assert len(system.visible) == 1


async def test_past_the_horizon_nothing_is_sent(system: RedriveSystem) -> None:
    system.park()
    system.clock.advance(HORIZON_S)

    (left,) = await system.redrive()

    assert isinstance(left.plan, GoesToReconcile)
    assert left.action is Action.LEFT
    assert (system.queue.sent, len(system.visible)) == ([], 1)


async def test_past_the_horizon_an_unpublished_request_is_handed_over_to_reconcile(
    system: RedriveSystem,
) -> None:
    system.park(status="calling")
    system.clock.advance(HORIZON_S)

    (handed,) = await system.redrive()

    assert handed.action is Action.HANDED_OVER
    assert list(system.outcomes.unknown) == [("worker-1", "pdr_1")]
    assert system.doorbell.rung == ["worker-1"]
    assert system.requests.status("pdr_1") == "unknown"
    assert (system.queue.sent, len(system.visible)) == ([], 1)


async def test_a_request_handed_over_to_reconcile_is_never_sent_by_a_copy_of_its_message(
    system: RedriveSystem,
) -> None:
    """The slot was empty and a copy may carry no send, so redrive writes the send into the slot."""
    system.park(status=None)
    system.clock.advance(HORIZON_S)

    await system.redrive()

    assert system.requests.slot("pdr_1").first_sent_at == NOW_S
    assert system.requests.slot("pdr_1").maybe_executed


async def test_a_message_with_an_unproven_principal_is_not_handed_over(
    system: RedriveSystem,
) -> None:
    """Every producer that may send to the queue can name any principal."""
    system.park(status=None, principal="acme/ann")
    system.clock.advance(HORIZON_S)

    (left,) = await system.redrive()

    assert isinstance(left.plan, NotProven)
    assert left.action is Action.LEFT
    assert (system.outcomes.entries, system.requests.store.slots) == ([], {})


async def test_a_message_proven_by_a_claim_is_handed_over_to_the_worker_of_its_tenant(
    system: RedriveSystem,
) -> None:
    system.park(status="calling", principal="acme/ann", sealed_secret="sealed-1")
    system.clock.advance(HORIZON_S)

    (handed,) = await system.redrive()

    assert handed.action is Action.HANDED_OVER
    assert list(system.outcomes.unknown) == [("acme worker-1", "pdr_1")]


async def test_a_handover_publishes_nothing_if_an_outcome_was_published(
    system: RedriveSystem,
) -> None:
    """The status may be out of date. The seen-mark decides, and the redriver corrects the status."""
    system.park(status="calling")
    asked = envelope(request_id="pdr_1")
    settled = entry_for(asked, claim_of(asked, "local", NOW_S), make_success(), NOW_S)
    await system.outcomes.publish(settled)
    system.clock.advance(HORIZON_S)

    await system.redrive()

    assert system.outcomes.entries == [settled]
    assert system.outcomes.unknown == {}
    assert system.requests.status("pdr_1") == "succeeded"


@pytest.mark.parametrize("status", ["succeeded", "failed"])
@pytest.mark.parametrize(("purge", "action"), [(False, Action.LEFT), (True, Action.PURGED)])
async def test_a_settled_request_is_not_sent_and_is_deleted_only_when_asked(
    system: RedriveSystem, status: str, purge: bool, action: Action
) -> None:
    system.park(status=status)

    (one,) = await system.redrive(purge_settled=purge)

    assert one.action is action
    assert system.queue.sent == []
    assert bool(system.visible) is not purge


async def test_a_request_never_sent_goes_back_without_maybe_executed_at_any_age(
    system: RedriveSystem,
) -> None:
    """Its slot exists and holds no send, because the receives were throttled."""
    asked = envelope(progress=Progress(deadline_at=NOW_S, store_waits=9, fresh_starts=5))
    system.slot(asked)
    system.dead_letters.put(asked.as_message(), sent_at=NOW_S)
    system.clock.advance(3 * HORIZON_S)

    (done,) = await system.redrive(deadline_s=60)

    assert done.action is Action.SENT_BACK
    (sent,) = system.queue.sent
    assert sent.progress == Progress(deadline_at=system.clock.now_s() + 60)
    assert sent.accepted_at == asked.accepted_at


async def test_a_message_with_an_empty_slot_may_have_been_sent(system: RedriveSystem) -> None:
    system.dead_letters.put(envelope().as_message(), sent_at=NOW_S - 50)

    await system.redrive()

    progress = system.queue.sent[0].progress
    assert (progress.maybe_executed, progress.first_sent_at) == (True, NOW_S - 50)


async def test_the_sends_recorded_in_the_slot_are_added_to_the_message(
    system: RedriveSystem,
) -> None:
    """The caller parks the message unchanged, and only the slot holds its sends."""
    system.park(progress=Progress(deadline_at=NOW_S))

    await system.redrive()

    progress = system.queue.sent[0].progress
    assert (progress.maybe_executed, progress.first_sent_at) == (True, NOW_S)


async def test_the_second_request_under_a_used_id_goes_back_for_its_error_outcome(
    system: RedriveSystem,
) -> None:
    system.slot(envelope(params={"amount": 5, "currency": "usd"}), status="succeeded")
    system.park(status=None)
    system.clock.advance(HORIZON_S)

    (done,) = await system.redrive()

    assert done.action is Action.SENT_BACK


async def test_a_closed_request_without_a_published_outcome_goes_back(
    system: RedriveSystem,
) -> None:
    system.slot(envelope(), closed=make_failure(), first_sent_at=NOW_S)
    system.dead_letters.put(envelope().as_message(), sent_at=NOW_S)
    system.clock.advance(HORIZON_S)

    (done,) = await system.redrive()

    assert done.action is Action.SENT_BACK


async def test_the_same_id_of_two_tenants_is_two_requests(system: RedriveSystem) -> None:
    system.park(status="succeeded", principal="acme")
    system.park()

    settled, sent = await system.redrive()

    assert (settled.action, sent.action) == (Action.LEFT, Action.SENT_BACK)


async def test_a_malformed_message_with_an_unproven_principal_starts_no_flow(
    system: RedriveSystem,
) -> None:
    system.dead_letters.put(message_text(stripe_secret=KEY, principal="acme/ann"), sent_at=NOW_S)

    (left,) = await system.redrive()

    assert isinstance(left.plan, NotProven)
    assert (left.action, system.outcomes.entries) == (Action.LEFT, [])


async def test_a_message_that_names_no_worker_is_left(system: RedriveSystem) -> None:
    system.dead_letters.put("{ this is not JSON", sent_at=NOW_S)

    (left,) = await system.redrive()

    assert isinstance(left.plan, Unreadable)
    assert left.action is Action.LEFT


async def test_a_malformed_message_without_a_published_error_starts_its_error_flow_once(
    system: RedriveSystem,
) -> None:
    """Redis was unavailable at each of its receives."""
    system.dead_letters.put(message_text(stripe_secret=KEY), sent_at=NOW_S)

    (first,) = await system.redrive()
    await system.redrive()

    assert first.action is Action.FLOW_STARTED
    (published,) = system.outcomes.entries
    assert (published.worker_id, published.outcome.code) == ("worker-1", "plaintext_key_refused")
    assert published.outcome.certainty is Certainty.NOT_CREATED
    assert system.doorbell.rung[0] == "worker-1"
    assert (system.queue.sent, len(system.visible)) == ([], 1)


async def test_an_unsettled_message_is_never_purged(system: RedriveSystem) -> None:
    system.park()
    system.dead_letters.put("{ this is not JSON", sent_at=NOW_S)
    system.clock.advance(HORIZON_S)

    await system.redrive(purge_settled=True)

    assert len(system.visible) == 2


async def test_only_the_chosen_messages_are_sent_and_the_others_become_visible_again(
    system: RedriveSystem,
) -> None:
    kept = {system.park(f"pdr_{number}", worker_id="worker-2") for number in range(3)}
    system.park("pdr_mine")

    done = await system.redrive(Choice(worker_id="worker-1"))

    assert [sent.request_id for sent in system.queue.sent] == ["pdr_mine"]
    assert len(done) == 1
    assert system.visible == kept


@pytest.mark.parametrize(
    ("at_most", "may_be_more"), [(1, True), (2, True), (3, False)], ids=["one", "all", "more"]
)
async def test_a_walk_knows_whether_the_queue_may_hold_more(
    system: RedriveSystem, at_most: int, may_be_more: bool
) -> None:
    system.park("pdr_1")
    system.park("pdr_2")
    walk = Walk()

    await system.redriver().examine(EVERY, at_most=at_most, walk=walk)

    assert walk.may_be_more is may_be_more


async def test_a_walk_that_hides_the_most_messages_allowed_may_have_missed_some(
    system: RedriveSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redrive, "MOST_HELD", 10)
    for number in range(11):
        system.park(f"pdr_{number}")
    walk = Walk()

    assert await system.redriver().examine(Choice(worker_id="other"), at_most=1, walk=walk) == []

    assert walk.may_be_more


async def test_a_walk_lists_the_messages_sent_before_the_queue_became_unavailable(
    system: RedriveSystem,
) -> None:
    for number in range(3):
        system.park(f"pdr_{number}")

    class Failing(MemoryDeadLetters):
        async def receive(self) -> Any:
            if system.queue.sent:
                raise Unavailable("gone")
            return await super().receive()

    failing, walk = Failing(), Walk()
    failing.messages = system.dead_letters.messages
    system.dead_letters = failing
    with pytest.raises(Unavailable):
        await system.redriver().redrive(EVERY, at_most=1_000, walk=walk)

    assert [one.action for one in walk.examined] == [Action.SENT_BACK] * 2
    assert walk.may_be_more


async def test_no_more_messages_than_requested_are_redriven(system: RedriveSystem) -> None:
    for number in range(5):
        system.park(f"pdr_{number}")

    assert len(await system.redrive(at_most=3)) == 3
    assert (len(system.queue.sent), len(system.visible)) == (3, 2)


async def test_a_message_parked_again_during_a_run_is_not_sent_twice(system: RedriveSystem) -> None:
    system.park()

    class Failing(MemoryAsyncQueue):
        async def send(self, envelopes: Any) -> None:
            await super().send(envelopes)
            system.park()

    system.queue = Failing()
    await system.redrive()

    assert len(system.queue.sent) == 1
    assert len(system.visible) == 1


async def test_a_redrive_keeps_its_rate(system: RedriveSystem) -> None:
    for number in range(4):
        system.park(f"pdr_{number}")
    before = system.clock.now_s()

    await system.redrive(rate_per_s=2)

    assert system.clock.now_s() - before == 2.0


async def test_the_new_deadline_is_the_requested_one(system: RedriveSystem) -> None:
    system.park()

    await system.redrive(deadline_s=60)

    assert system.queue.sent[0].progress.deadline_at == NOW_S + 60


async def test_a_forged_message_does_not_stop_the_original_from_going_back(
    system: RedriveSystem,
) -> None:
    """The forged message has the same id and parameters, under a seal that does not open."""
    asked = envelope(principal="acme/ann", sealed_secret="sealed-1")
    for each in (replace(asked, sealed_secret="sealed-by-a-stranger"), asked):
        system.dead_letters.put(each.as_message(), sent_at=NOW_S)

    await system.redrive()

    assert [sent.sealed_secret for sent in system.queue.sent] == [
        "sealed-by-a-stranger",
        "sealed-1",
    ]
