"""Who is left when a stack is gone."""

from paydispatch.local.reaper import read_orphans


def test_who_started_and_did_not_end_is_left() -> None:
    assert read_orphans(["+1\n", "+2\n", "-1\n", "+3\n"]) == {2, 3}


def test_an_end_that_is_told_twice_does_no_harm() -> None:
    assert read_orphans(["+1\n", "-1\n", "-1\n"]) == set()
