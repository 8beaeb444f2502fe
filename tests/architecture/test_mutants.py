"""The list of guards that `tools/mutants` breaks on purpose matches the source."""

from __future__ import annotations

from pathlib import Path

import pytest
from guards import GUARDS, Guard

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_every_guard_matches_exactly_one_place_in_its_file(guard: Guard) -> None:
    assert (ROOT / guard.file).read_text("utf-8").count(guard.old) == 1


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_every_guard_names_tests_that_exist(guard: Guard) -> None:
    assert all((ROOT / path).exists() for path in guard.tests)


def test_no_two_guards_have_the_same_name() -> None:
    assert len({guard.name for guard in GUARDS}) == len(GUARDS)
