"""Request ids."""

import re

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.examples import NOW_S

from paydispatch.domain.identity.request_ids import (
    OutcomeKind,
    follow_up_request_id,
    new_request_id,
    request_id_for_key,
    request_id_for_message,
)

SHAPE = re.compile(r"pdr_[0-9a-hjkmnp-tv-z]{26}")
words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(words, words)
def test_every_identity_fits_into_stripes_idempotency_key(principal: str, key: str) -> None:
    ids = [
        new_request_id(NOW_S),
        request_id_for_key(principal, key),
        request_id_for_message(key),
        follow_up_request_id(principal, 1),
    ]
    assert all(SHAPE.fullmatch(id_) for id_ in ids)
    assert len(set(ids)) == len(ids)


@given(st.lists(st.floats(0, 4e9), min_size=2, max_size=2, unique_by=lambda at: int(at * 1000)))
def test_random_identities_sort_by_time(moments: list[float]) -> None:
    earlier, later = sorted(moments)
    assert new_request_id(earlier) < new_request_id(later)


def test_two_requests_of_one_moment_differ() -> None:
    assert new_request_id(NOW_S) != new_request_id(NOW_S)


def test_the_same_principal_and_key_are_the_same_request() -> None:
    assert request_id_for_key("shop", "order-1") == request_id_for_key("shop", "order-1")


def test_the_same_key_of_another_principal_is_another_request() -> None:
    assert request_id_for_key("shop", "order-1") != request_id_for_key("bank", "order-1")


@given(words, words, words)
def test_shifting_characters_between_principal_and_key_makes_another_request(
    left: str, middle: str, right: str
) -> None:
    assert request_id_for_key(left + middle, right) != request_id_for_key(left, middle + right)


def test_the_nth_follow_up_is_the_same_on_every_run() -> None:
    assert follow_up_request_id("pdr_1", 2) == follow_up_request_id("pdr_1", 2)
    assert follow_up_request_id("pdr_1", 1) != follow_up_request_id("pdr_1", 2)
    assert follow_up_request_id("pdr_1", 1) != follow_up_request_id("pdr_2", 1)


@given(words, st.sets(st.integers(1, 10**6), min_size=1, max_size=5))
def test_follow_ups_of_different_outcomes_never_share_an_id(
    parent: str, ordinals: set[int]
) -> None:
    ids = [
        follow_up_request_id(parent, ordinal, end) for ordinal in ordinals for end in OutcomeKind
    ]
    assert len(set(ids)) == len(ids)
    assert all(SHAPE.fullmatch(id_) for id_ in ids)


def test_a_follow_up_belongs_to_the_settled_outcome_by_default() -> None:
    assert follow_up_request_id("pdr_1", 1) == follow_up_request_id("pdr_1", 1, OutcomeKind.SETTLED)
