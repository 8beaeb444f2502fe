"""A flow that fails runs again for hours, after waits that grow and are spread out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paydispatch import Retry
from paydispatch.domain.flow_retry import check_retry

HOUR_S = 3_600.0
FRACTIONS = st.floats(0, 1, exclude_max=True)
RETRIES = st.builds(
    lambda attempts, first_s, more_s: Retry(
        attempts=attempts, first_s=first_s, longest_s=first_s + more_s
    ),
    st.integers(1, 200),
    st.floats(0.001, 100),
    st.floats(0, 1_000),
)


def test_the_default_outlasts_an_outage_of_three_hours_and_ends_within_seven() -> None:
    shortest_s = sum(Retry().wait_s(run, 0.0) for run in range(1, 50))
    assert shortest_s > 3 * HOUR_S
    assert Retry().lasts_s < 7 * HOUR_S


def test_the_first_waits_of_the_default_are_short() -> None:
    assert [Retry().wait_s(run, 0.99) < limit for run, limit in ((1, 1), (2, 2), (5, 16))] == [
        True,
        True,
        True,
    ]


@given(RETRIES, st.integers(1, 1_000), FRACTIONS)
def test_every_wait_is_between_half_of_the_exponential_time_and_all_of_it(
    retry: Retry, run: int, fraction: float
) -> None:
    full_s = min(retry.longest_s, retry.first_s * 2.0 ** min(run - 1, 32))
    assert 0.5 * full_s <= retry.wait_s(run, fraction) <= full_s


@given(RETRIES, FRACTIONS)
def test_all_waits_together_last_no_longer_than_the_value_says(
    retry: Retry, fraction: float
) -> None:
    waited_s = sum(retry.wait_s(run, fraction) for run in range(1, retry.attempts))
    assert retry.lasts_s / 2 <= waited_s * 1.000001
    assert waited_s <= retry.lasts_s * 1.000001


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"attempts": 0}, "attempts must be a whole number from 1 to 1,000, not 0."),
        ({"attempts": 1_001}, "attempts must be a whole number from 1 to 1,000, not 1001."),
        ({"attempts": 2.0}, "attempts must be a whole number from 1 to 1,000, not 2.0."),
        ({"attempts": True}, "attempts must be a whole number from 1 to 1,000, not True."),
        ({"first_s": 0}, "first_s must be a number of seconds above 0, not 0."),
        ({"first_s": "1"}, "first_s must be a number of seconds above 0, not '1'."),
        ({"longest_s": float("inf")}, "longest_s must be a number of seconds above 0, not inf."),
        ({"longest_s": float("nan")}, "longest_s must be a number of seconds above 0, not nan."),
        ({"first_s": 10, "longest_s": 5}, "longest_s must be at least first_s (10), not 5."),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - the text is compared below
        Retry(**given)
    assert str(raised.value) == message


def test_retries_end_before_their_request_is_forgotten() -> None:
    with pytest.raises(ValueError, match=r"up to 41\.\d days, and a request is remembered for 25"):
        Retry(attempts=1_000, longest_s=3_600)


@pytest.mark.parametrize("value", [5, None, {"attempts": 5}, Retry])
def test_a_retry_of_another_type_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match=r"RETRY must be a paydispatch\.Retry, such as"):
        check_retry(value)
