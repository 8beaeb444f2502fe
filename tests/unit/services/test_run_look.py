"""A look of a place settles all of its doubts that Stripe's list proves, and plans the next look of the others."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.examples import KEY, NOW_S, SECRET_REF
from tests.unit.services.test_reconcile import OTHER_KEY, PROOF_S, ReconcileSystem

from paydispatch.domain.credentials import Binding, SecretRef
from paydispatch.domain.errors import Unavailable
from paydispatch.domain.identity.marks import MARK
from paydispatch.domain.limits import QUEUE_DELAY_LIMIT_S
from paydispatch.domain.looks.doubts import FIRST_LOOK_S, LOST_AFTER_S, Place
from paydispatch.domain.looks.messages import LookMessage
from paydispatch.domain.operators.lookup_results import NO_END, Inconclusive, Page
from paydispatch.domain.outcomes import Response
from paydispatch.services.looks import read_list
from paydispatch.services.looks.note_doubt import note_doubt
from paydispatch.services.looks.run_look import Looks
from paydispatch.services.looks.sweep_doubts import DoubtSweep
from paydispatch.services.reconcile import Reconciler

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paydispatch.domain.unknown_outcomes import UnknownOutcome

HERE = Place("test acct_1", "payment_intent")


class LookSystem(ReconcileSystem):
    """The looks over in-memory ports."""

    @property
    def looks(self) -> Looks:
        return Looks(self.ports())

    async def doubt(self, *request_ids: str) -> None:
        """Send requests without an answer, and note their doubts as the caller does."""
        for request_id in request_ids:
            await self.send_without_answer(request_id=request_id)
            unknown = await self.ports().unknown_outcomes.read("worker-1", request_id)
            assert unknown is not None
            await note_doubt(self.ports(), unknown)

    async def note(self, unknown: UnknownOutcome) -> None:
        await note_doubt(self.ports(), unknown)

    def make(self, request_id: str, at: float = NOW_S) -> None:
        """Let Stripe have the object of the request. The newest is listed first."""
        made = {"id": f"pi_{request_id}", "created": int(at), "metadata": {MARK: request_id}}
        self.lists.created = [made, *self.lists.created]

    def fill(self, count: int, at: float = NOW_S) -> None:
        """Let Stripe have objects of other programs."""
        other: list[Mapping[str, Any]] = [
            {"id": f"pi_other_{at}_{number}", "created": int(at), "metadata": {}}
            for number in range(count)
        ]
        self.lists.created = [*other, *self.lists.created]

    async def receive(self, *, until: float = 1e12) -> None:
        """Receive the message that was sent last, when it arrives."""
        message, delay_s = self.look_queue.sent[-1]
        assert isinstance(message, LookMessage)
        self.clock.advance(delay_s)
        await self.looks.look(message, until=until)

    @property
    def settled(self) -> list[str]:
        return [one.request_id for one in self.outcomes.entries if one.outcome.settled]


@pytest.fixture
def system() -> LookSystem:
    return LookSystem()


async def test_one_message_and_one_reading_serve_all_doubts_of_a_place(system: LookSystem) -> None:
    names = [f"pdr_{number}" for number in range(5)]
    await system.doubt(*names)
    for name in names:
        system.make(name)
    assert system.look_queue.sent == [
        (LookMessage(account="test acct_1", object="payment_intent"), FIRST_LOOK_S)
    ]
    await system.receive()
    assert sorted(system.settled) == names
    assert all(isinstance(one.outcome, Response) for one in system.outcomes.entries[5:])
    assert all(one.inferred for one in system.outcomes.entries[5:])
    assert len(system.lists.pages) == 1
    assert len(system.look_queue.sent) == 1
    assert not await system.doubts.places(at_most=10)


async def test_looks_follow_at_growing_distances_while_a_doubt_stands(system: LookSystem) -> None:
    await system.doubt("pdr_1")
    delays = []
    for _ in range(4):
        await system.receive()
        delays.append(round(system.look_queue.sent[-1][1]))
    assert delays == [60, 600, QUEUE_DELAY_LIMIT_S, QUEUE_DELAY_LIMIT_S]  # an hour in hops
    system.make("pdr_1", system.clock.now_s())
    for _ in range(4):
        await system.receive()
    assert system.settled == ["pdr_1"]


async def test_a_later_look_reads_only_what_is_new(system: LookSystem) -> None:
    await system.doubt("pdr_1")
    await system.receive()
    await system.receive()
    first, *_ = (int(page["query"]["created[gte]"]) for page in system.lists.pages)
    later = int(system.lists.pages[-1]["query"]["created[gte]"])
    assert first < NOW_S
    assert later >= NOW_S + FIRST_LOOK_S - 120


async def test_an_absence_is_proven_by_the_whole_list(system: LookSystem) -> None:
    await system.doubt("pdr_1")
    await system.receive()
    system.clock.advance(PROOF_S + 1)
    seen = len(system.lists.pages)
    await system.looks.look(
        LookMessage(account=HERE.account, object=HERE.object, looks=1), until=1e12
    )
    assert system.outcomes.entries[-1].outcome.code == "not_found_after_horizon"  # type: ignore[union-attr]
    assert (
        min(int(page["query"]["created[gte]"]) for page in system.lists.pages[seen:]) < NOW_S - 600
    )


async def test_a_pass_that_is_cut_off_goes_on_behind_its_last_page(system: LookSystem) -> None:
    await system.doubt("pdr_1")
    system.make("pdr_1")
    system.fill(250)
    stop_after(system, pages=2)
    await system.receive(until=NOW_S + 1_000)
    assert system.settled == []
    assert system.look_queue.sent[-1][1] == 0.0
    await system.receive()
    assert system.settled == ["pdr_1"]
    read = [page["query"].get("starting_after") for page in system.lists.pages]
    assert len(read) == len(set(read)) == 3


async def test_a_look_without_a_turn_ends_in_time_and_comes_again(
    system: LookSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Payments go first, so that a read may wait for its turn without end."""
    await system.doubt("pdr_1")
    system.make("pdr_1")

    async def no_turn(**_: Any) -> Page:
        await asyncio.Event().wait()
        raise AssertionError

    with monkeypatch.context() as patch:
        patch.setattr(system.lists, "read_page", no_turn)
        await system.receive(until=NOW_S + FIRST_LOOK_S + 0.01)
    assert system.settled == []
    assert system.look_queue.sent[-1][1] == 0.0
    await system.receive()
    assert system.settled == ["pdr_1"]


async def test_a_doubt_that_came_during_a_pass_waits_for_the_next_one(system: LookSystem) -> None:
    """The pages before the cursor were not read for it."""
    await system.doubt("pdr_1")
    system.make("pdr_1")
    system.fill(250)
    stop_after(system, pages=2)
    await system.receive(until=NOW_S + 1_000)
    await system.doubt("pdr_2")
    system.make("pdr_2", system.clock.now_s())
    for message, delay_s in system.look_queue.sent[1:]:
        system.clock.advance(delay_s)
        await system.looks.look(message, until=1e12)  # type: ignore[arg-type]
    while "pdr_2" not in system.settled:
        await system.receive()
    assert sorted(system.settled) == ["pdr_1", "pdr_2"]


async def test_a_doubt_that_was_not_due_at_the_begin_of_a_pass_is_not_proven_by_its_end(
    system: LookSystem,
) -> None:
    """Its object stands on a page that was read before it joined. The end of the list would say: not created."""
    await system.doubt("pdr_1", "pdr_2")
    (_, second) = await system.doubts.due(HERE, before=1e12, at_most=10)
    system.fill(250)
    system.make("pdr_2")
    system.clock.advance(PROOF_S + 1)
    await system.doubts.postpone(HERE, {second: system.clock.now_s() + 1_000})
    stop_after(system, pages=2)
    message, _ = system.look_queue.sent[-1]
    await system.looks.look(message, until=system.clock.now_s() + 500)  # type: ignore[arg-type]
    for _ in range(3):
        await system.receive()
    ends = {one.request_id: type(one.outcome).__name__ for one in system.outcomes.entries[2:]}
    assert ends == {"pdr_1": "Error", "pdr_2": "Response"}


async def test_a_cursor_is_kept_after_its_page_was_settled(system: LookSystem) -> None:
    """Otherwise a pass that dies in between would never see the objects of the page again."""
    await system.doubt("pdr_1", "pdr_2")
    system.make("pdr_1")
    system.lists.page_size = 1
    kept: list[tuple[str, ...]] = []
    lease = system.doubts.lease

    async def note(place: Place, token: str, for_s: float, cursor: Any = None) -> bool:
        if cursor:
            kept.append(tuple(system.settled))
        return await lease(place, token, for_s, cursor)

    system.doubts.lease = note  # type: ignore[method-assign]
    await system.receive()
    assert kept[0] == ("pdr_1",)


async def test_a_message_that_another_look_overtook_is_dropped(system: LookSystem) -> None:
    await system.doubt("pdr_1")
    old, _ = system.look_queue.sent[0]
    await system.receive()
    pages = len(system.lists.pages)
    await system.looks.look(old, until=1e12)  # type: ignore[arg-type]
    assert len(system.lists.pages) == pages
    assert len(system.look_queue.sent) == 2


async def test_a_message_that_comes_too_early_is_sent_again(system: LookSystem) -> None:
    await system.doubt("pdr_1")
    message, _ = system.look_queue.sent[0]
    system.clock.advance(4)
    await system.looks.look(message, until=1e12)  # type: ignore[arg-type]
    assert not system.lists.pages
    assert system.look_queue.sent[-1] == (message, FIRST_LOOK_S - 4)


async def test_a_look_beside_another_one_reads_nothing(system: LookSystem) -> None:
    await system.doubt("pdr_1")
    await system.doubts.lease(HERE, "another", 100)
    await system.receive()
    assert not system.lists.pages
    assert len(system.look_queue.sent) == 1


async def test_a_look_that_lost_its_lease_settles_no_more_pages(system: LookSystem) -> None:
    await system.doubt("pdr_1")
    system.fill(300)
    read = system.lists.read_page

    async def lose(**page: Any) -> Any:
        system.clock.advance(1_000)
        await system.doubts.lease(HERE, "another", 10_000)
        return await read(**page)

    system.lists.read_page = lose  # type: ignore[method-assign]
    await system.receive()
    assert len(system.lists.pages) == 1
    assert len(system.look_queue.sent) == 1


async def test_a_request_that_was_settled_meanwhile_is_dropped(system: LookSystem) -> None:
    await system.doubt("pdr_1")
    await system.ports().unknown_outcomes.forget("worker-1", "pdr_1")
    await system.receive()
    assert not system.lists.pages
    assert not await system.doubts.places(at_most=10)


async def test_a_list_that_cannot_be_read_leaves_all_unknown_with_its_reason(
    system: LookSystem,
) -> None:
    await system.doubt("pdr_1", "pdr_2")
    system.lists.instead = Inconclusive("Stripe's list answered 500")
    await system.receive()
    assert system.settled == []
    lines = [fields for name, fields in system.log.lines if name == "request.still_unknown"]
    assert [line["why"] for line in lines] == ["Stripe's list answered 500"] * 2


async def test_a_window_that_is_too_full_says_so_with_a_figure(
    system: LookSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_list, "MOST_PAGES", 3)
    await system.doubt("pdr_1")
    system.fill(500)
    await system.receive()
    (line,) = [fields for name, fields in system.log.lines if name == "request.still_unknown"]
    assert "more than 300 objects" in line["why"]
    assert "events" in line["why"]


async def test_a_list_that_is_too_full_is_read_once_a_day(
    system: LookSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_list, "MOST_PAGES", 3)
    await system.doubt("pdr_1")
    system.fill(500)
    await system.receive()
    state = await system.doubts.state(HERE)
    assert state.next_at == system.clock.now_s() + 86_400


async def test_requests_that_stay_unknown_for_long_are_counted_at_each_look(
    system: LookSystem,
) -> None:
    await system.doubt("pdr_1", "pdr_2")
    counts = []
    for _ in range(3):  # after 10 s, 70 s and 11 minutes
        await system.receive()
        counts.append(system.log.counts["UnknownForLong"])
    assert counts == [0, 0, 2]


async def test_requests_of_two_tenants_never_share_a_key(system: LookSystem) -> None:
    """The key of one tenant must not read for another one, although both may use one account."""
    system.secrets["acme", SECRET_REF] = OTHER_KEY
    await system.send_without_answer(request_id="pdr_1")
    sealer = system.vault._sealer
    binding = Binding("acme/user", "worker-1", "context-1")
    await system.send_without_answer(
        request_id="pdr_2",
        principal="acme/user",
        sealed_secret=sealer.seal(SecretRef(SECRET_REF), binding),
    )
    await system.service().reconcile()
    assert {page["key"].reveal() for page in system.lists.pages} == {KEY, OTHER_KEY}


async def test_a_list_proves_nothing_for_a_request_of_another_account(system: LookSystem) -> None:
    await system.send_without_answer(request_id="pdr_1")
    await system.send_without_answer(OTHER_KEY, "acct_2", request_id="pdr_2")
    system.clock.advance(PROOF_S + 1)
    report = await system.service().reconcile()
    verdicts = {one.request_id: one.verdict.value for one in report.reconciled}
    assert verdicts == {"pdr_1": "not_created", "pdr_2": "unknown"}


async def test_a_list_that_does_not_say_whether_it_ends_proves_no_absence(
    system: LookSystem,
) -> None:
    await system.send_without_answer(request_id="pdr_1")
    system.clock.advance(PROOF_S + 1)

    async def read(**_: Any) -> Page:
        return Page([], None, "req_list", system.clock.now_s())

    system.lists.read_page = read  # type: ignore[method-assign]
    (one,) = (await system.service().reconcile()).reconciled
    assert (one.verdict.value, one.why) == ("unknown", NO_END)


async def test_a_list_that_was_not_read_to_its_end_proves_no_absence(system: LookSystem) -> None:
    await system.send_without_answer(request_id="pdr_1")
    system.fill(250)
    system.clock.advance(PROOF_S + 1)
    stop_after(system, pages=2)
    report = await system.service().reconcile(until=system.clock.now_s() + 1_000)
    assert (report.reconciled, report.left) == ([], 1)


async def test_the_sweep_finds_a_doubt_and_a_look_that_were_lost(system: LookSystem) -> None:
    await system.send_without_answer(
        request_id="pdr_1"
    )  # the caller died before it noted the doubt
    await system.doubt("pdr_2")
    system.look_queue.sent.clear()  # the message is lost
    system.clock.advance(FIRST_LOOK_S + LOST_AFTER_S + 1)
    sweep = DoubtSweep(system.ports(), Reconciler(system.ports()), system.looks)
    await sweep.reconcile(until=1e12)
    assert system.log.counts["LookLost"] == 1
    assert (await system.doubts.state(HERE)).doubts == 2
    assert system.look_queue.sent


async def test_without_redis_a_look_stays_on_the_queue(system: LookSystem) -> None:
    await system.doubt("pdr_1")
    system.doubts.away = True
    with pytest.raises(Unavailable):
        await system.receive()


async def test_a_doubt_that_cannot_be_noted_is_left_to_the_sweep(system: LookSystem) -> None:
    system.look_queue.away = True
    await system.doubt("pdr_1")
    assert "doubt.not_noted" in system.log.events()


def stop_after(system: LookSystem, *, pages: int) -> None:
    """Let the time of the first look be up after some pages."""
    read = system.lists.read_page

    async def read_slowly(**page: Any) -> Any:
        if len(system.lists.pages) == pages - 1:
            system.clock.advance(2_000)
        return await read(**page)

    system.lists.read_page = read_slowly  # type: ignore[method-assign]
