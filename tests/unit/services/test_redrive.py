"""Redrive: nothing is lost from the dead-letter queue, and nothing is sent that must not be."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.examples import KEY, NOW_S, envelope, failed, message_text, succeeded

from paydispatch.domain.claims import claim_of
from paydispatch.domain.entry import entry_for
from paydispatch.domain.errors import Unavailable
from paydispatch.domain.limits import HORIZON_S
from paydispatch.domain.outcomes import Certainty
from paydispatch.domain.progress import Progress
from paydispatch.domain.redrive import (
    Choice,
    GoesToReconcile,
    NotExamined,
    NotProven,
    SendBack,
    Unreadable,
)
from paydispatch.services import redrive
from paydispatch.services.redrive import (
    Action,
    Examined,
    RedriveOptions,
    RedrivePorts,
    Redriver,
    Walk,
)
from paydispatch.testing.memory import (
    MemoryAsyncQueue,
    MemoryClock,
    MemoryDoorbell,
    MemoryEventLog,
    MemoryOutcomes,
)
from paydispatch.testing.memory_operations import MemoryDeadLetters
from paydispatch.testing.memory_requests import MemoryRequests, Slot

if TYPE_CHECKING:
    from paydispatch.domain.envelope import Envelope

EVERY = Choice()


class Desk:
    """An operator's desk over twins."""

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
        """A message that was sent and had no answer. Without a status its slot is empty."""
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
def desk() -> Desk:
    return Desk()


@pytest.mark.parametrize("depth", [254, 500, 979, 5_000])
async def test_a_message_without_an_end_stops_no_walk(desk: Desk, depth: int) -> None:
    nested = '{"a":' * depth + "1" + "}" * depth
    desk.dead_letters.put(
        message_text(params="here").replace('"here"', f'{{"metadata":{nested}}}'),
        sent_at=desk.clock.now_s(),
    )
    desk.park()

    endless, done = await desk.redrive()

    assert endless.action is Action.FLOW_STARTED
    assert done.action is Action.SENT_BACK


async def test_a_message_goes_back_and_is_gone_from_the_dead_letters(desk: Desk) -> None:
    desk.park()

    (done,) = await desk.redrive()

    (sent,) = desk.queue.sent
    assert (sent.request_id, sent.progress.maybe_executed) == ("pdr_1", True)
    assert sent.progress.first_sent_at == NOW_S
    assert done.action is Action.SENT_BACK
    assert desk.dead_letters.messages == {}
    assert desk.log.events() == ["request.redriven"]


async def test_looking_changes_nothing(desk: Desk) -> None:
    ids = {desk.park(f"pdr_{number}") for number in range(5)}

    examined = await desk.redriver().examine(EVERY, at_most=1_000)

    assert [type(one.plan) for one in examined] == [SendBack] * 5
    assert desk.visible == ids
    assert desk.queue.sent == []


async def test_a_message_sqs_did_not_take_stays_and_is_shown_again(desk: Desk) -> None:
    ids = {desk.park("pdr_1"), desk.park("pdr_2")}
    desk.queue.away = True

    done = await desk.redrive()

    assert [one.action for one in done] == [Action.FAILED] * 2
    assert desk.visible == ids


async def test_a_walk_ends_when_a_store_is_away_for_one_message_after_the_other(desk: Desk) -> None:
    ids = {desk.park(f"pdr_{number}") for number in range(redrive.MOST_FAILURES + 2)}
    desk.requests.away = True
    walk = Walk()

    with pytest.raises(Unavailable):
        await desk.redriver().redrive(EVERY, at_most=1_000, walk=walk)

    assert walk.failed == redrive.MOST_FAILURES - 1
    assert desk.visible == ids


async def test_a_message_that_fails_is_reported_and_the_walk_goes_on(desk: Desk) -> None:
    """Whatever it is about one message that this program cannot bear."""
    desk.park("pdr_bad")
    desk.park("pdr_good")

    class Choosy(MemoryAsyncQueue):
        async def send(self, envelopes: Any) -> None:
            if envelopes[0].request_id == "pdr_bad":
                raise RecursionError
            await super().send(envelopes)

    desk.queue = Choosy()
    bad, good = await desk.redrive()

    assert (bad.plan, bad.action) == (NotExamined("internal: RecursionError"), Action.FAILED)
    assert good.action is Action.SENT_BACK
    assert "message.not_redriven" in desk.log.events()


async def test_a_crash_before_the_deletion_leaves_two_copies_of_one_identity(desk: Desk) -> None:
    desk.park()

    class Dying(MemoryDeadLetters):
        async def delete(self, parked: Any) -> None:
            raise Unavailable("died here")

    dying = Dying()
    dying.messages = desk.dead_letters.messages
    desk.dead_letters = dying
    await desk.redrive()

    assert [sent.request_id for sent in desk.queue.sent] == ["pdr_1"]
    assert len(desk.visible) == 1


async def test_past_the_horizon_nothing_is_sent(desk: Desk) -> None:
    desk.park()
    desk.clock.advance(HORIZON_S)

    (left,) = await desk.redrive()

    assert isinstance(left.plan, GoesToReconcile)
    assert left.action is Action.LEFT
    assert (desk.queue.sent, len(desk.visible)) == ([], 1)


async def test_past_the_horizon_reconcile_is_told_of_what_died_unpublished(desk: Desk) -> None:
    desk.park(status="calling")
    desk.clock.advance(HORIZON_S)

    (handed,) = await desk.redrive()

    assert handed.action is Action.HANDED_OVER
    assert list(desk.outcomes.unknown) == [("worker-1", "pdr_1")]
    assert desk.doorbell.rung == ["worker-1"]
    assert desk.requests.status("pdr_1") == "unknown"
    assert (desk.queue.sent, len(desk.visible)) == ([], 1)


async def test_what_is_handed_over_is_sent_by_no_copy_of_it_any_more(desk: Desk) -> None:
    """The slot was empty, and a copy may say nothing of a send."""
    desk.park(status=None)
    desk.clock.advance(HORIZON_S)

    await desk.redrive()

    assert desk.requests.slot("pdr_1").first_sent_at == NOW_S
    assert desk.requests.slot("pdr_1").maybe_executed


async def test_what_no_record_proves_is_not_handed_over(desk: Desk) -> None:
    """Anybody who may send to the queue can name a principal."""
    desk.park(status=None, principal="acme/ann")
    desk.clock.advance(HORIZON_S)

    (left,) = await desk.redrive()

    assert isinstance(left.plan, NotProven)
    assert left.action is Action.LEFT
    assert (desk.outcomes.entries, desk.requests.store.slots) == ([], {})


async def test_what_a_claim_proves_is_handed_over_to_its_own_tenant_s_worker(desk: Desk) -> None:
    desk.park(status="calling", principal="acme/ann", sealed_secret="sealed-1")
    desk.clock.advance(HORIZON_S)

    (handed,) = await desk.redrive()

    assert handed.action is Action.HANDED_OVER
    assert list(desk.outcomes.unknown) == [("acme worker-1", "pdr_1")]


async def test_handing_over_says_nothing_where_the_outcome_is_published(desk: Desk) -> None:
    """The status may be behind: the seen-mark decides, and the status is mended by it."""
    desk.park(status="calling")
    asked = envelope(request_id="pdr_1")
    settled = entry_for(asked, claim_of(asked, "local", NOW_S), succeeded(), NOW_S)
    await desk.outcomes.publish(settled)
    desk.clock.advance(HORIZON_S)

    await desk.redrive()

    assert desk.outcomes.entries == [settled]
    assert desk.outcomes.unknown == {}
    assert desk.requests.status("pdr_1") == "succeeded"


@pytest.mark.parametrize("status", ["succeeded", "failed"])
@pytest.mark.parametrize(("purge", "action"), [(False, Action.LEFT), (True, Action.PURGED)])
async def test_a_settled_request_is_not_sent_and_is_deleted_only_when_asked(
    desk: Desk, status: str, purge: bool, action: Action
) -> None:
    desk.park(status=status)

    (one,) = await desk.redrive(purge_settled=purge)

    assert one.action is action
    assert desk.queue.sent == []
    assert bool(desk.visible) is not purge


async def test_what_was_never_sent_goes_back_without_a_doubt_however_old_it_is(desk: Desk) -> None:
    """Its slot stands, and knows of no send: the receives were throttled."""
    asked = envelope(progress=Progress(deadline_at=NOW_S, store_waits=9, fresh_starts=5))
    desk.slot(asked)
    desk.dead_letters.put(asked.as_message(), sent_at=NOW_S)
    desk.clock.advance(3 * HORIZON_S)

    (done,) = await desk.redrive(deadline_s=60)

    assert done.action is Action.SENT_BACK
    (sent,) = desk.queue.sent
    assert sent.progress == Progress(deadline_at=desk.clock.now_s() + 60)
    assert sent.accepted_at == asked.accepted_at


async def test_only_an_empty_slot_makes_a_message_one_that_may_have_been_sent(desk: Desk) -> None:
    desk.dead_letters.put(envelope().as_message(), sent_at=NOW_S - 50)

    await desk.redrive()

    progress = desk.queue.sent[0].progress
    assert (progress.maybe_executed, progress.first_sent_at) == (True, NOW_S - 50)


async def test_what_the_slot_knows_of_the_sends_goes_with_the_message(desk: Desk) -> None:
    """The caller parks the message as it came: its sends stand in the slot."""
    desk.park(progress=Progress(deadline_at=NOW_S))

    await desk.redrive()

    progress = desk.queue.sent[0].progress
    assert (progress.maybe_executed, progress.first_sent_at) == (True, NOW_S)


async def test_the_second_request_under_a_used_id_goes_back_to_be_told_so(desk: Desk) -> None:
    desk.slot(envelope(params={"amount": 5, "currency": "usd"}), status="succeeded")
    desk.park(status=None)
    desk.clock.advance(HORIZON_S)

    (done,) = await desk.redrive()

    assert done.action is Action.SENT_BACK


async def test_an_end_that_was_closed_and_not_told_goes_back_to_be_told(desk: Desk) -> None:
    desk.slot(envelope(), closed=failed(), first_sent_at=NOW_S)
    desk.dead_letters.put(envelope().as_message(), sent_at=NOW_S)
    desk.clock.advance(HORIZON_S)

    (done,) = await desk.redrive()

    assert done.action is Action.SENT_BACK


async def test_two_tenants_requests_of_one_id_are_two_requests(desk: Desk) -> None:
    desk.park(status="succeeded", principal="acme")
    desk.park()

    settled, sent = await desk.redrive()

    assert (settled.action, sent.action) == (Action.LEFT, Action.SENT_BACK)


async def test_a_malformed_message_of_a_principal_that_no_record_proves_has_no_flow(
    desk: Desk,
) -> None:
    desk.dead_letters.put(message_text(stripe_secret=KEY, principal="acme/ann"), sent_at=NOW_S)

    (left,) = await desk.redrive()

    assert isinstance(left.plan, NotProven)
    assert (left.action, desk.outcomes.entries) == (Action.LEFT, [])


async def test_a_message_that_names_no_worker_is_left(desk: Desk) -> None:
    desk.dead_letters.put("{ this is not JSON", sent_at=NOW_S)

    (left,) = await desk.redrive()

    assert isinstance(left.plan, Unreadable)
    assert left.action is Action.LEFT


async def test_a_message_that_died_before_its_worker_was_told_gets_its_error_flow_once(
    desk: Desk,
) -> None:
    """Redis was away at each of its receives."""
    desk.dead_letters.put(message_text(stripe_secret=KEY), sent_at=NOW_S)

    (first,) = await desk.redrive()
    await desk.redrive()

    assert first.action is Action.FLOW_STARTED
    (told,) = desk.outcomes.entries
    assert (told.worker_id, told.outcome.code) == ("worker-1", "plaintext_key_refused")
    assert told.outcome.certainty is Certainty.NOT_CREATED
    assert desk.doorbell.rung[0] == "worker-1"
    assert (desk.queue.sent, len(desk.visible)) == ([], 1)


async def test_what_is_not_settled_is_never_purged(desk: Desk) -> None:
    desk.park()
    desk.dead_letters.put("{ this is not JSON", sent_at=NOW_S)
    desk.clock.advance(HORIZON_S)

    await desk.redrive(purge_settled=True)

    assert len(desk.visible) == 2


async def test_only_the_chosen_are_sent_and_the_others_shown_again(desk: Desk) -> None:
    kept = {desk.park(f"pdr_{number}", worker_id="worker-2") for number in range(3)}
    desk.park("pdr_mine")

    done = await desk.redrive(Choice(worker_id="worker-1"))

    assert [sent.request_id for sent in desk.queue.sent] == ["pdr_mine"]
    assert len(done) == 1
    assert desk.visible == kept


@pytest.mark.parametrize(
    ("at_most", "may_be_more"), [(1, True), (2, True), (3, False)], ids=["one", "all", "more"]
)
async def test_whether_the_end_of_the_queue_was_seen_is_known(
    desk: Desk, at_most: int, may_be_more: bool
) -> None:
    desk.park("pdr_1")
    desk.park("pdr_2")
    walk = Walk()

    await desk.redriver().examine(EVERY, at_most=at_most, walk=walk)

    assert walk.may_be_more is may_be_more


async def test_a_walk_that_holds_as_much_as_may_be_hidden_did_not_see_everything(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redrive, "MOST_HELD", 10)
    for number in range(11):
        desk.park(f"pdr_{number}")
    walk = Walk()

    assert await desk.redriver().examine(Choice(worker_id="other"), at_most=1, walk=walk) == []

    assert walk.may_be_more


async def test_what_was_done_before_the_queue_went_away_is_known(desk: Desk) -> None:
    for number in range(3):
        desk.park(f"pdr_{number}")

    class Failing(MemoryDeadLetters):
        async def receive(self) -> Any:
            if desk.queue.sent:
                raise Unavailable("gone")
            return await super().receive()

    failing, walk = Failing(), Walk()
    failing.messages = desk.dead_letters.messages
    desk.dead_letters = failing
    with pytest.raises(Unavailable):
        await desk.redriver().redrive(EVERY, at_most=1_000, walk=walk)

    assert [one.action for one in walk.examined] == [Action.SENT_BACK] * 2
    assert walk.may_be_more


async def test_no_more_than_asked_for(desk: Desk) -> None:
    for number in range(5):
        desk.park(f"pdr_{number}")

    assert len(await desk.redrive(at_most=3)) == 3
    assert (len(desk.queue.sent), len(desk.visible)) == (3, 2)


async def test_what_is_parked_again_meanwhile_is_not_sent_twice_in_one_run(desk: Desk) -> None:
    desk.park()

    class Failing(MemoryAsyncQueue):
        async def send(self, envelopes: Any) -> None:
            await super().send(envelopes)
            desk.park()

    desk.queue = Failing()
    await desk.redrive()

    assert len(desk.queue.sent) == 1
    assert len(desk.visible) == 1


async def test_a_rate_is_kept(desk: Desk) -> None:
    for number in range(4):
        desk.park(f"pdr_{number}")
    before = desk.clock.now_s()

    await desk.redrive(rate_per_s=2)

    assert desk.clock.now_s() - before == 2.0


async def test_the_new_deadline_is_the_one_asked_for(desk: Desk) -> None:
    desk.park()

    await desk.redrive(deadline_s=60)

    assert desk.queue.sent[0].progress.deadline_at == NOW_S + 60


async def test_a_stranger_s_message_keeps_no_other_from_being_sent_back(desk: Desk) -> None:
    """It names the same id and asks for the same, under a seal that will not open."""
    asked = envelope(principal="acme/ann", sealed_secret="sealed-1")
    for each in (replace(asked, sealed_secret="sealed-by-a-stranger"), asked):
        desk.dead_letters.put(each.as_message(), sent_at=NOW_S)

    await desk.redrive()

    assert [sent.sealed_secret for sent in desk.queue.sent] == ["sealed-by-a-stranger", "sealed-1"]
