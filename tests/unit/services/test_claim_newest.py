"""`claim_newest`: simultaneous askers get one repeat, a crash between its steps heals, and it takes few round trips."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paydispatch.domain.claims import Claim
from paydispatch.domain.errors import Unavailable
from paydispatch.services.claim_newest import claim_newest
from paydispatch.testing.memory_requests import MemoryRequestStore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from paydispatch.domain.claims import SlotState

FIRST = Claim(
    slot="acme pdr_1",
    worker_slot="acme w1",
    request_id="pdr_1",
    fingerprint="f1:tea",
    tenant="acme",
    principal="acme",
    worker_id="w1",
    context_id="c1",
    operation="create_product",
    object="product",
    accepted_at=0.0,
)
ROUND_TRIPS = 4


class CountingStore(MemoryRequestStore):
    """A store that counts its calls, and that can be interrupted before one of them."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.before: dict[int, Callable[[], object]] = {}
        """{number of the call: the work that runs before it}"""

    def claim(self, claims: Sequence[Claim]) -> Sequence[SlotState]:
        self._count()
        return super().claim(claims)

    def count_repeats(self, ended: Sequence[tuple[Claim, int]]) -> Sequence[int]:
        self._count()
        return super().count_repeats(ended)

    def _count(self) -> None:
        self.calls += 1
        self.before.get(self.calls, lambda: None)()

    def newest(self) -> Claim:
        (newest,) = claim_newest(self, [FIRST])
        return newest.claim

    def fail(self, claim: Claim) -> None:
        self.store.slots[claim.slot].status = "failed"

    def fail_often(self, times: int) -> None:
        for _ in range(times):
            self.fail(self.newest())
        self.calls = 0


@pytest.fixture
def store() -> CountingStore:
    return CountingStore()


def die() -> None:
    raise Unavailable("the server was killed")


@pytest.mark.parametrize("times", [1, 2, 500])
def test_the_nth_repeat_takes_as_many_round_trips_as_the_second(
    store: CountingStore, times: int
) -> None:
    store.fail_often(times)
    assert store.newest() == FIRST.as_repeat(times)
    assert store.calls <= ROUND_TRIPS


def test_a_thousand_keys_take_as_many_round_trips_as_one(store: CountingStore) -> None:
    firsts = [replace(FIRST, slot=f"acme pdr_{n}", request_id=f"pdr_{n}") for n in range(1_000)]
    for _ in range(3):
        for one in claim_newest(store, firsts):
            store.fail(one.claim)
    store.calls = 0
    newest = claim_newest(store, firsts)
    assert [one.claim for one in newest] == [first.as_repeat(3) for first in firsts]
    assert store.calls <= ROUND_TRIPS


def test_two_askers_at_once_get_the_same_repeat(store: CountingStore) -> None:
    store.fail_often(1)
    others: list[Claim] = []
    for step in (2, 3):
        store.calls = 0
        store.before = {step: lambda: others.append(ask_in_between(store))}
        assert store.newest() == others[-1] == FIRST.as_repeat(1)
        assert store.store.slots[FIRST.slot].repeats == 1


def test_a_slow_asker_gets_the_newest_repeat(store: CountingStore) -> None:
    """Between its two steps the repeat of another asker ended too, and a third one began the next repeat."""
    store.fail_often(1)

    def overtake() -> None:
        store.fail(ask_in_between(store))
        ask_in_between(store)

    store.before = {2: overtake}
    assert store.newest() == FIRST.as_repeat(2)


def test_a_repeat_that_ends_while_it_is_claimed_is_not_repeated_again(
    store: CountingStore,
) -> None:
    """The asker learns that it failed, and may ask again."""
    store.fail_often(1)
    store.before = {3: lambda: store.fail(ask_in_between(store))}
    (newest,) = claim_newest(store, [FIRST])
    assert (newest.claim, newest.state.status) == (FIRST.as_repeat(1), "failed")
    assert store.calls <= ROUND_TRIPS


@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_crash_between_two_steps_is_made_up_for_by_the_next_asker(
    store: CountingStore, step: int
) -> None:
    store.fail_often(1)
    store.before = {step: die}
    with pytest.raises(Unavailable):
        store.newest()
    store.before = {}
    assert store.newest() == FIRST.as_repeat(1)


def test_a_lost_slot_makes_no_repeat(store: CountingStore) -> None:
    """Redis lost the slot between two steps. The asker hears of the end that it found."""
    store.fail_often(1)
    store.before = {2: lambda: store.store.slots.pop(FIRST.slot)}
    (newest,) = claim_newest(store, [FIRST])
    assert (newest.claim, newest.state.status) == (FIRST, "failed")


def test_no_request_costs_no_round_trip(store: CountingStore) -> None:
    assert claim_newest(store, []) == []
    assert store.calls == 0


@given(st.lists(st.sampled_from(["ask", "fail", "decline", "succeed", "doubt"]), max_size=30))
def test_the_count_advances_once_for_each_end_without_an_effect(steps: list[str]) -> None:
    store, ended = CountingStore(), 0
    newest = store.newest()
    for step in steps:
        slot = store.store.slots[newest.slot]
        if step == "ask":
            assert store.newest() == newest
        elif slot.write({"succeed": "succeeded", "doubt": "unknown"}.get(step, "failed")):
            slot.answered = step == "decline"
            ended += step == "fail"
            newest = FIRST.as_repeat(ended) if ended else FIRST
            assert store.newest() == newest


def ask_in_between(store: CountingStore) -> Claim:
    """Make one whole call of another server, which does not count."""
    calls, before, store.before = store.calls, store.before, {}
    claim = store.newest()
    store.calls, store.before = calls, before
    return claim
