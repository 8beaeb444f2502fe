"""The time at which a sweep looks at a worker again."""

from __future__ import annotations

import pytest

from paydispatch.domain.sweep import (
    GRACE_S,
    KEEP_FINISHED_S,
    KEPT_LOOK_S,
    LOOK_AGAIN_S,
    WorkerLook,
    has_work,
    next_look_at,
)

NOW_S = 1_800_000_000.0
DAY_OLD = NOW_S - KEEP_FINISHED_S

WORK = {
    "an unread entry": WorkerLook(unread=True),
    "an entry that runs, or that a dead runner left": WorkerLook(pending=1),
    "one of two is postponed": WorkerLook(pending=2, postponed=1, first_due_at=NOW_S + 60),
    "a postponed entry is due": WorkerLook(pending=1, postponed=1, first_due_at=NOW_S),
    "finished entries are a day old": WorkerLook(oldest_entry_at=DAY_OLD),
}
NO_WORK = {
    "nothing": WorkerLook(),
    "a postponed entry is not due": WorkerLook(pending=1, postponed=1, first_due_at=NOW_S + 1),
    "finished entries are young": WorkerLook(oldest_entry_at=DAY_OLD + 1),
    "requests are open, outcomes unknown or entries dead": WorkerLook(others=3),
    "an old entry is postponed": WorkerLook(
        pending=1, postponed=1, first_due_at=NOW_S + 1, oldest_entry_at=DAY_OLD
    ),
}


@pytest.mark.parametrize("look", WORK.values(), ids=WORK)
def test_a_worker_with_due_work_is_looked_at_again_soon(look: WorkerLook) -> None:
    assert has_work(look, NOW_S)
    assert next_look_at(look, NOW_S, noted=False) == NOW_S + LOOK_AGAIN_S


@pytest.mark.parametrize("look", NO_WORK.values(), ids=NO_WORK)
def test_a_worker_without_due_work_gets_no_runner(look: WorkerLook) -> None:
    assert not has_work(look, NOW_S)


@pytest.mark.parametrize("noted", [True, False])
def test_a_postponed_entry_is_looked_for_when_it_is_due(noted: bool) -> None:
    look = WorkerLook(pending=1, postponed=1, first_due_at=NOW_S + 7, oldest_entry_at=NOW_S)
    assert next_look_at(look, NOW_S, noted=noted) == NOW_S + 7


@pytest.mark.parametrize(
    "look",
    [
        WorkerLook(others=1),
        WorkerLook(oldest_entry_at=NOW_S),
        WorkerLook(pending=1, postponed=1, first_due_at=NOW_S + 86_400),
    ],
)
def test_a_worker_with_kept_entries_is_not_forgotten(look: WorkerLook) -> None:
    assert next_look_at(look, NOW_S, noted=False) == NOW_S + KEPT_LOOK_S


def test_an_empty_worker_is_forgotten_at_the_second_look_after_its_note() -> None:
    assert next_look_at(WorkerLook(), NOW_S, noted=True) == NOW_S + GRACE_S
    assert next_look_at(WorkerLook(), NOW_S, noted=False) is None
