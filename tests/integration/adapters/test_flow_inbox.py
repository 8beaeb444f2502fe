"""The contract of `FlowInbox`, for the twin, Redis and a cluster.

The entries of each context run in order, one at a time, and none is lost.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter, defaultdict, deque
from typing import TYPE_CHECKING

import pytest

from paydispatch.ports import Postponement

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Protocol

    from paydispatch.domain.entry import OutcomeEntry
    from paydispatch.ports import FlowInbox, Turn
    from paydispatch.testing.memory_clock import MemoryClock

    class InboxWorld(Protocol):
        clock: MemoryClock

        def runner(self, name: str) -> FlowInbox: ...

        async def publish(self, *entries: OutcomeEntry) -> None: ...

        async def let_lease_run_out(self, turn: Turn) -> None: ...

        async def dead(self, worker: str = "w1") -> list[tuple[OutcomeEntry, str]]: ...

    Entries = Callable[..., OutcomeEntry]


async def take_all(world: InboxWorld, inbox: FlowInbox, at_most: int = 10) -> list[Turn]:
    """Advance the clock by the time between sweeps and return every turn that the runner can take."""
    world.clock.advance(1.5)
    fresh = await inbox.take("w1", at_most=at_most)
    return [*fresh, *await inbox.take_abandoned("w1", at_most=at_most)]


def ids(turns: list[Turn]) -> list[str]:
    return sorted(turn.entry.request_id for turn in turns)


async def test_only_the_first_of_a_context_may_run(inboxes: InboxWorld, entry: Entries) -> None:
    a, b = inboxes.runner("a"), inboxes.runner("b")
    await inboxes.publish(entry("r1"), entry("r2"))

    (turn,) = await take_all(inboxes, a)

    assert turn.entry == entry("r1")
    assert (turn.attempt, await take_all(inboxes, b), await take_all(inboxes, a)) == (1, [], [])


async def test_another_tenant_s_worker_is_served_from_its_own_slot(
    inboxes: InboxWorld, entry: Entries
) -> None:
    inbox = inboxes.runner("a")
    await inboxes.publish(entry("r1", tenant="acme"), entry("ours"), entry("r2", tenant="acme"))

    (first,) = await inbox.take("acme w1", at_most=10)
    (ours,) = await inbox.take("w1", at_most=10)
    second = await inbox.finish(first, take_next=True)

    assert (first.entry.request_id, first.worker_slot) == ("r1", "acme w1")
    assert (ours.entry.request_id, ours.worker_slot) == ("ours", "w1")
    assert second is not None
    assert (second.entry.request_id, second.worker_slot) == ("r2", "acme w1")


async def test_another_tenant_s_postponed_flow_runs_again_when_it_is_due(
    inboxes: InboxWorld, entry: Entries
) -> None:
    inbox = inboxes.runner("a")
    await inboxes.publish(entry("r1", tenant="acme"))
    (turn,) = await inbox.take("acme w1", at_most=10)

    await inbox.postpone(turn, 60, Postponement.FAILED)
    inboxes.clock.advance(61)

    assert await inbox.take_abandoned("w1", at_most=10) == []
    (again,) = await inbox.take_abandoned("acme w1", at_most=10)
    assert (again.entry.request_id, again.attempt, again.worker_slot) == ("r1", 2, "acme w1")


async def test_another_tenant_s_failed_flow_is_dead_in_its_own_slot(
    inboxes: InboxWorld, entry: Entries
) -> None:
    inbox = inboxes.runner("a")
    failed = entry("r1", tenant="acme")
    await inboxes.publish(failed)
    (turn,) = await inbox.take("acme w1", at_most=10)

    following = await inbox.move_to_dead_stream(
        turn, reason="no script", successor=None, take_next=True
    )

    assert following is None
    assert await inboxes.dead("acme w1") == [(failed, "no script")]
    assert await inboxes.dead("w1") == []


async def test_contexts_run_side_by_side(inboxes: InboxWorld, entry: Entries) -> None:
    await inboxes.publish(entry("r1", "c1"), entry("r2", "c2"), entry("r3", "c1"))

    assert ids(await take_all(inboxes, inboxes.runner("a"))) == ["r1", "r2"]


async def test_take_returns_at_most_the_given_number_of_turns(
    inboxes: InboxWorld, entry: Entries
) -> None:
    await inboxes.publish(*(entry(f"r{n}", f"c{n}") for n in range(5)))

    assert len(await inboxes.runner("a").take("w1", at_most=2)) == 2


async def test_finish_returns_the_next_turn_of_the_context(
    inboxes: InboxWorld, entry: Entries
) -> None:
    a, b = inboxes.runner("a"), inboxes.runner("b")
    await inboxes.publish(entry("r1"), entry("r2"))
    (first,) = await take_all(inboxes, a)
    assert await take_all(inboxes, b) == []  # b reads the second entry too early and drops it

    second = await a.finish(first, take_next=True)

    assert second is not None
    assert second.entry == entry("r2")
    assert await take_all(inboxes, b) == []
    assert await a.finish(second, take_next=True) is None


async def test_the_next_entry_of_a_stopping_runner_can_be_taken_at_once(
    inboxes: InboxWorld, entry: Entries
) -> None:
    a, b = inboxes.runner("a"), inboxes.runner("b")
    await inboxes.publish(entry("r1"), entry("r2"))
    (first,) = await take_all(inboxes, a)

    assert await a.finish(first, take_next=False) is None
    assert ids(await take_all(inboxes, b)) == ["r2"]


async def test_an_entry_published_while_its_context_runs_is_taken_next(
    inboxes: InboxWorld, entry: Entries
) -> None:
    a = inboxes.runner("a")
    await inboxes.publish(entry("r1"))
    (first,) = await take_all(inboxes, a)
    await inboxes.publish(entry("r2"))

    following = await a.finish(first, take_next=True)
    found = [following] if following else await take_all(inboxes, a)

    assert ids(found) == ["r2"]


async def test_a_postponed_entry_comes_back_when_it_is_due_and_its_context_waits(
    inboxes: InboxWorld, entry: Entries
) -> None:
    a, b = inboxes.runner("a"), inboxes.runner("b")
    await inboxes.publish(entry("r1"), entry("r2"))
    (first,) = await take_all(inboxes, a)
    await a.postpone(first, 60, Postponement.FAILED)

    assert [await take_all(inboxes, b), await take_all(inboxes, a)] == [[], []]
    inboxes.clock.advance(60)
    (again,) = await take_all(inboxes, b)

    assert (again.entry, again.attempt) == (entry("r1"), 2)


async def test_an_entry_that_was_read_before_is_not_taken_as_new(
    inboxes: InboxWorld, entry: Entries
) -> None:
    a, b = inboxes.runner("a"), inboxes.runner("b")
    await inboxes.publish(entry("r1", "c1"), entry("r2", "c2"))
    first, second = await a.take("w1", at_most=2)
    await a.postpone(first, 0, Postponement.FAILED)
    await inboxes.let_lease_run_out(second)

    assert list(await b.take("w1", at_most=10)) == []
    assert ids(list(await b.take_abandoned("w1", at_most=10))) == ["r1", "r2"]


async def test_an_unread_entry_of_a_stopping_runner_does_not_hide_a_postponed_one(
    inboxes: InboxWorld, entry: Entries
) -> None:
    a, b = inboxes.runner("a"), inboxes.runner("b")
    await inboxes.publish(entry("r1", "c1"), entry("r2", "c2"))
    first, postponed = await a.take("w1", at_most=2)
    await a.postpone(postponed, 0, Postponement.FAILED)
    await inboxes.publish(entry("r3", "c1"))
    await a.finish(first, take_next=False)

    assert ids(list(await b.take_abandoned("w1", at_most=1))) == ["r2"]
    assert ids(list(await b.take("w1", at_most=1))) == ["r3"]


async def test_a_postponement_that_does_not_count_keeps_the_attempt(
    inboxes: InboxWorld, entry: Entries
) -> None:
    a = inboxes.runner("a")
    await inboxes.publish(entry("r1"))
    for _ in range(3):
        (turn,) = await take_all(inboxes, a)
        await a.postpone(turn, 0, Postponement.LATER)

    assert turn.attempt == 1


async def test_the_time_since_which_a_script_is_missing_lasts_until_another_postponement(
    inboxes: InboxWorld, entry: Entries
) -> None:
    a, b = inboxes.runner("a"), inboxes.runner("b")
    await inboxes.publish(entry("r1"))
    (turn,) = await take_all(inboxes, a)
    since = await a.missing_since(turn)
    assert since == pytest.approx(inboxes.clock.now_s(), abs=0.001)
    await a.postpone(turn, 60, Postponement.MISSING)
    inboxes.clock.advance(60)

    (again,) = await take_all(inboxes, b)
    assert (again.attempt, await b.missing_since(again)) == (1, since)
    await b.postpone(again, 0, Postponement.FAILED)
    (last,) = await take_all(inboxes, a)
    assert await a.missing_since(last) == pytest.approx(inboxes.clock.now_s(), abs=0.001)


async def test_a_turn_that_is_over_notes_no_missing_script(
    inboxes: InboxWorld, entry: Entries
) -> None:
    a, b = inboxes.runner("a"), inboxes.runner("b")
    await inboxes.publish(entry("r1"))
    (lost,) = await take_all(inboxes, a)
    await inboxes.let_lease_run_out(lost)
    assert await a.missing_since(lost) == pytest.approx(inboxes.clock.now_s(), abs=0.001)
    inboxes.clock.advance(100)
    (turn,) = await take_all(inboxes, b)
    assert await b.missing_since(turn) == pytest.approx(inboxes.clock.now_s(), abs=0.001)


async def test_a_held_turn_can_be_renewed(inboxes: InboxWorld, entry: Entries) -> None:
    a, b = inboxes.runner("a"), inboxes.runner("b")
    await inboxes.publish(entry("r1"))
    (turn,) = await take_all(inboxes, a)

    assert await a.renew(turn, 10.0)
    assert await take_all(inboxes, b) == []
    assert await a.finish(turn, take_next=True) is None


async def test_a_lost_turn_cannot_be_renewed(inboxes: InboxWorld, entry: Entries) -> None:
    a, b = inboxes.runner("a"), inboxes.runner("b")
    await inboxes.publish(entry("r1"))
    (lost,) = await take_all(inboxes, a)
    await inboxes.let_lease_run_out(lost)

    assert not await a.renew(lost, 10.0)
    (held,) = await take_all(inboxes, b)
    assert not await a.renew(lost, 10.0)
    assert await b.renew(held, 10.0)


async def test_a_dead_runner_s_entry_is_taken_over_only_after_its_lease(
    inboxes: InboxWorld, entry: Entries
) -> None:
    a, b = inboxes.runner("a"), inboxes.runner("b")
    await inboxes.publish(entry("r1"), entry("r2"))
    (turn,) = await take_all(inboxes, a)
    assert await take_all(inboxes, b) == []

    await inboxes.let_lease_run_out(turn)
    (taken_over,) = await take_all(inboxes, b)

    assert (taken_over.entry, taken_over.attempt) == (entry("r1"), 2)


async def test_a_runner_that_lost_its_turn_cannot_take_it_back(
    inboxes: InboxWorld, entry: Entries
) -> None:
    a, b = inboxes.runner("a"), inboxes.runner("b")
    await inboxes.publish(entry("r1"), entry("r2"))
    (lost,) = await take_all(inboxes, a)
    await inboxes.let_lease_run_out(lost)
    (held,) = await take_all(inboxes, b)

    await a.postpone(lost, 0, Postponement.FAILED)

    assert await take_all(inboxes, a) == []
    assert (await b.finish(held, take_next=True)) is not None


@pytest.mark.parametrize("take_next", [True, False])
async def test_a_late_finish_does_not_start_the_next_entry_beside_the_new_holder(
    inboxes: InboxWorld, entry: Entries, take_next: bool
) -> None:
    a, b = inboxes.runner("a"), inboxes.runner("b")
    await inboxes.publish(entry("r1"), entry("r2"))
    (lost,) = await take_all(inboxes, a)
    await inboxes.let_lease_run_out(lost)
    (held,) = await take_all(inboxes, b)

    assert await a.finish(lost, take_next=take_next) is None
    assert await take_all(inboxes, a) == []
    assert (await b.finish(held, take_next=True)) is not None


async def test_calls_for_a_turn_that_another_runner_finished_do_nothing(
    inboxes: InboxWorld, entry: Entries
) -> None:
    a, b = inboxes.runner("a"), inboxes.runner("b")
    await inboxes.publish(entry("r1"))
    (lost,) = await take_all(inboxes, a)
    await inboxes.let_lease_run_out(lost)
    (held,) = await take_all(inboxes, b)
    await b.finish(held, take_next=True)

    await a.postpone(lost, 0, Postponement.LATER)
    assert await a.finish(lost, take_next=True) is None
    assert (
        await a.move_to_dead_stream(lost, reason="late", successor=entry("r1"), take_next=True)
        is None
    )
    assert [await take_all(inboxes, a), await inboxes.dead()] == [[], []]


async def test_the_next_entry_is_not_lost_when_two_runners_finish_the_same_turn(
    inboxes: InboxWorld, entry: Entries
) -> None:
    a, b = inboxes.runner("a"), inboxes.runner("b")
    await inboxes.publish(entry("r1"), entry("r2"))
    (lost,) = await take_all(inboxes, a)
    await inboxes.let_lease_run_out(lost)
    (held,) = await take_all(inboxes, b)

    following = [await a.finish(lost, take_next=True), await b.finish(held, take_next=True)]
    found = [turn for turn in following if turn] or await take_all(inboxes, b)

    assert ids(found) == ["r2"]


async def test_a_failed_entry_moves_to_the_dead_stream_and_its_context_continues(
    inboxes: InboxWorld, entry: Entries
) -> None:
    a = inboxes.runner("a")
    await inboxes.publish(entry("r1"), entry("r2"))
    (first,) = await take_all(inboxes, a)

    following = await a.move_to_dead_stream(first, reason="missing", successor=None, take_next=True)

    assert ids([following] if following else await take_all(inboxes, a)) == ["r2"]
    assert await inboxes.dead() == [(entry("r1"), "missing")]


async def test_a_successor_runs_before_the_next_entry_of_its_context(
    inboxes: InboxWorld, entry: Entries
) -> None:
    a, b = inboxes.runner("a"), inboxes.runner("b")
    await inboxes.publish(entry("r1"), entry("r2"))
    (first,) = await take_all(inboxes, a)

    following = await a.move_to_dead_stream(
        first, reason="raised", successor=entry("r1", unknown=True), take_next=True
    )
    (successor,) = [following] if following else await take_all(inboxes, b)

    assert (successor.entry, successor.attempt) == (entry("r1", unknown=True), 1)
    assert await take_all(inboxes, a) == []
    assert (await b.finish(successor, take_next=True)) is not None


async def test_a_worker_does_not_get_another_worker_s_entries(
    inboxes: InboxWorld, entry: Entries
) -> None:
    await inboxes.publish(entry("r1", worker_id="w2"))

    assert await take_all(inboxes, inboxes.runner("a")) == []


class Schedule:
    """Two runners that do random actions in random order. Every turn is checked when a runner takes it."""

    def __init__(self, world: InboxWorld, make: Callable[..., OutcomeEntry], seed: int) -> None:
        self._world = world
        self._make = make
        self._chance = random.Random(seed)
        self._runners = [world.runner("a"), world.runner("b")]
        self._held: dict[str, tuple[FlowInbox, Turn]] = {}
        """{context id: the runner and the turn that runs now}"""
        self._expected: defaultdict[str, deque[OutcomeEntry]] = defaultdict(deque)
        self._made = 0
        self._counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        """For each entry: its runs, and those of them that failed."""

    async def play(self, steps: int) -> None:
        actions: list[Callable[[], Awaitable[None]]] = [
            self._publish,
            self._take,
            self._take,
            self._end,
            self._end,
            self._crash,
        ]
        for _ in range(steps):
            await self._chance.choice(actions)()

    async def drain(self) -> None:
        """Run every entry to its end. Fail if an entry is left."""
        for _ in range(40 + 3 * self._made):
            if not any(self._expected.values()):
                return
            self._world.clock.advance(30)
            await self._take()
            for context_id in list(self._held):
                await self._finish(*self._held.pop(context_id))
        left = {context: len(entries) for context, entries in self._expected.items()}
        pytest.fail(f"never ran: {left}")

    async def _publish(self) -> None:
        self._made += 1
        entry = self._make(f"r{self._made}", f"c{self._chance.randrange(3)}")
        self._expected[entry.context_id].append(entry)
        await self._world.publish(entry)

    async def _take(self) -> None:
        runner = self._chance.choice(self._runners)
        at_most = self._chance.randrange(1, 4)
        self._world.clock.advance(self._chance.choice([0.0, 1.5]))
        taken = await runner.take("w1", at_most=at_most)
        for turn in [*taken, *await runner.take_abandoned("w1", at_most=at_most)]:
            self._begin(runner, turn)

    def _begin(self, runner: FlowInbox, turn: Turn) -> None:
        context_id = turn.entry.context_id
        assert context_id not in self._held, "two of one context at once"
        assert turn.entry == self._expected[context_id][0], "out of order"
        self._held[context_id] = (runner, turn)
        made = self._counts[turn.entry_id]
        made["runs"] += 1
        assert turn.attempt == made["runs"], "a run was lost or counted twice"
        assert turn.killed == made["runs"] - 1 - made["failed"], "a failed run counts as killed"

    async def _end(self) -> None:
        if not self._held:
            return
        runner, turn = self._held.pop(self._chance.choice(list(self._held)))
        ends = [
            self._finish,
            self._finish,
            self._postpone,
            self._move_to_dead_stream,
            self._replace,
        ]
        await self._chance.choice(ends)(runner, turn)

    async def _finish(self, runner: FlowInbox, turn: Turn) -> None:
        self._expected[turn.entry.context_id].popleft()
        self._begin_next(runner, await runner.finish(turn, take_next=self._chance.random() < 0.8))

    async def _postpone(self, runner: FlowInbox, turn: Turn) -> None:
        why = self._chance.choice(list(Postponement))
        made = self._counts[turn.entry_id]
        made["failed"] += why is Postponement.FAILED
        made["runs"] -= why in (Postponement.LATER, Postponement.MISSING)
        for _ in range(self._chance.choice([1, 2])):  # the answer to the first report was lost
            await runner.postpone(turn, self._chance.choice([0.0, 20.0]), why)

    async def _move_to_dead_stream(self, runner: FlowInbox, turn: Turn) -> None:
        self._expected[turn.entry.context_id].popleft()
        take_next = self._chance.random() < 0.8
        self._begin_next(
            runner,
            await runner.move_to_dead_stream(turn, reason="x", successor=None, take_next=take_next),
        )

    async def _replace(self, runner: FlowInbox, turn: Turn) -> None:
        successor = self._make(turn.entry.request_id, turn.entry.context_id, unknown=True)
        self._expected[turn.entry.context_id][0] = successor
        self._begin_next(
            runner,
            await runner.move_to_dead_stream(turn, reason="x", successor=successor, take_next=True),
        )

    def _begin_next(self, runner: FlowInbox, following: Turn | None) -> None:
        if following is not None:
            self._begin(runner, following)

    async def _crash(self) -> None:
        if self._held:
            _, turn = self._held.pop(self._chance.choice(list(self._held)))
            await self._world.let_lease_run_out(turn)


@pytest.mark.parametrize("seed", range(6))
async def test_random_actions_of_two_runners_keep_every_context_in_order_and_lose_no_entry(
    inboxes: InboxWorld, entry: Entries, seed: int
) -> None:
    schedule = Schedule(inboxes, entry, seed)

    await schedule.play(steps=150)
    await schedule.drain()


async def test_runners_at_the_same_time_keep_every_context_in_order(
    inboxes: InboxWorld, entry: Entries
) -> None:
    ran: defaultdict[str, list[str]] = defaultdict(list)
    running: set[str] = set()
    names = [f"r{n:03}" for n in range(120)]

    async def run(runner: FlowInbox, turn: Turn | None) -> None:
        while turn is not None:
            context_id = turn.entry.context_id
            assert context_id not in running
            running.add(context_id)
            await asyncio.sleep(0)
            ran[context_id].append(turn.entry.request_id)
            running.remove(context_id)
            turn = await runner.finish(turn, take_next=True)

    async def serve(runner: FlowInbox) -> None:
        while sum(map(len, ran.values())) < len(names):
            taken = await runner.take("w1", at_most=3)
            await asyncio.gather(asyncio.sleep(0), *(run(runner, turn) for turn in taken))

    async def publish() -> None:
        for name in names:
            await inboxes.publish(entry(name, f"c{int(name[1:]) % 4}"))

    async with asyncio.timeout(20):
        await asyncio.gather(publish(), *(serve(inboxes.runner(name)) for name in "abc"))

    assert {c: sorted(r) for c, r in ran.items()} == dict(ran)
    assert sum(map(len, ran.values())) == len(names)


async def test_a_worker_of_another_tenant_is_another_worker(
    inboxes: InboxWorld, entry: Entries
) -> None:
    a = inboxes.runner("a")
    await inboxes.publish(entry("r1"), entry("r1", tenant="acme"))

    (own,) = await take_all(inboxes, a)
    (other,) = await a.take("acme w1", at_most=5)

    assert (own.worker_slot, other.worker_slot) == ("w1", "acme w1")
    for turn in (own, other):
        assert await a.finish(turn, take_next=True) is None
    assert await take_all(inboxes, a) == []
    assert await a.take("acme w1", at_most=5) == []


@pytest.mark.parametrize("seed", range(3))
async def test_turns_that_are_finished_together_keep_the_order_of_each_context(
    inboxes: InboxWorld, entry: Entries, seed: int
) -> None:
    """Two runners finish any number of turns at once. Each entry runs once, after the one before it."""
    chance = random.Random(seed)
    contexts = [f"c{chance.randrange(6)}" for _ in range(40)]
    names = [f"{context}:{number:02}" for number, context in enumerate(contexts)]
    await inboxes.publish(*(entry(name, name.partition(":")[0]) for name in names))
    runners = [inboxes.runner("a"), inboxes.runner("b")]
    held: list[tuple[FlowInbox, Turn]] = []
    ran: list[str] = []
    while len(ran) < len(names):
        inboxes.clock.advance(1.1)
        runner = chance.choice(runners)
        at_most = chance.randrange(1, 9)
        taken = [*await runner.take("w1", at_most=at_most)]
        taken += await runner.take_abandoned("w1", at_most=at_most)
        held += [(runner, turn) for turn in taken]
        chance.shuffle(held)
        ending, held = held[: len(held) // 2 + 1], held[len(held) // 2 + 1 :]
        ran += [turn.entry.request_id for _, turn in ending]
        finishes = (each.finish(turn, take_next=chance.random() < 0.7) for each, turn in ending)
        following = await asyncio.gather(*finishes)
        pairs = zip(ending, following, strict=True)
        held += [(each, turn) for (each, _), turn in pairs if turn is not None]

    assert sorted(ran) == sorted(names)
    for context in set(contexts):
        own = [name for name in ran if name.startswith(f"{context}:")]
        assert own == sorted(own)
