"""How a Lambda function starts."""

from __future__ import annotations

import gc
import random

import pytest
import snapshot_restore_py

from paydispatch.compose.cold_start import without_collections


@pytest.fixture(autouse=True)
def _thaw() -> object:
    yield
    gc.unfreeze()


def test_no_collection_runs_while_a_function_is_composed() -> None:
    with without_collections():
        assert not gc.isenabled()


def test_collections_run_afterwards_but_not_over_what_was_made_by_then() -> None:
    with without_collections():
        pass

    assert gc.isenabled()
    assert gc.get_freeze_count() > 0


def test_the_copies_of_a_snapshot_draw_different_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    hooks: list[tuple[object, ...]] = []
    monkeypatch.setattr(snapshot_restore_py, "_after_restore_registry", hooks)
    with without_collections():
        pass
    snapshot = random.getstate()

    drawn = set()
    for _ in range(2):
        random.setstate(snapshot)
        for hook, arguments, options in snapshot_restore_py.get_after_restore():
            hook(*arguments, **options)
        drawn.add(random.random())

    assert len(drawn) == 2


def test_collections_run_after_a_failed_start_too() -> None:
    with pytest.raises(KeyError), without_collections():
        raise KeyError

    assert gc.isenabled()
