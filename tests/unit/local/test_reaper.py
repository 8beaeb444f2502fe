"""The processes that are left after the end of a stack."""

from paydispatch.local.reaper import read_orphans


def test_a_process_that_started_and_did_not_end_is_left() -> None:
    assert read_orphans(["+1\n", "+2\n", "-1\n", "+3\n"]) == {2, 3}


def test_the_end_of_a_process_may_be_reported_twice() -> None:
    assert read_orphans(["+1\n", "-1\n", "-1\n"]) == set()
