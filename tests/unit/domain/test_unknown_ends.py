"""What a look into Stripe's lists proves, and where it must look."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.examples import NOW_S, entry, failed

from paydispatch.domain.outcomes import Certainty, Error, Response
from paydispatch.domain.units import HORIZON_S
from paydispatch.domain.unknown_ends import (
    LAST_CALL_S,
    Found,
    NotFound,
    StaysUnknown,
    UnknownEnd,
    judge,
    windows,
)

HOUR_S = 3600.0
PROVABLE_S = HORIZON_S + LAST_CALL_S
times = st.floats(NOW_S, NOW_S + 2 * HORIZON_S)
DECLINED: dict[str, Any] = {
    "id": "pi_1",
    "status": "requires_payment_method",
    "last_payment_error": {
        "type": "card_error",
        "code": "card_declined",
        "decline_code": "generic_decline",
        "message": "Your card was declined.",
    },
}


def end(first_sent_at: float | None = NOW_S, **more: Any) -> UnknownEnd:
    known = {name: more.pop(name) for name in ("first_begun_at", "last_begun_at") if name in more}
    unknown = failed(certainty=Certainty.UNKNOWN)
    return UnknownEnd(entry(outcome=unknown, first_sent_at=first_sent_at, **more), **known)


@pytest.mark.parametrize("first_begun_at", [None, NOW_S])
def test_absence_is_proof_when_no_post_can_be_under_way(first_begun_at: float | None) -> None:
    one = end(first_begun_at=first_begun_at)
    assert isinstance(judge(one, NotFound(), NOW_S + PROVABLE_S - 1), StaysUnknown)
    verdict = judge(one, NotFound(), NOW_S + PROVABLE_S)
    assert isinstance(verdict, Error)
    assert verdict.certainty is Certainty.NOT_CREATED


def test_the_others_horizon_counts_as_well() -> None:
    """Who published the end may have guessed an earlier first POST than the deliveries that still call."""
    one = end(first_begun_at=NOW_S + 5 * HOUR_S)
    assert isinstance(judge(one, NotFound(), NOW_S + PROVABLE_S), StaysUnknown)
    assert isinstance(judge(one, NotFound(), NOW_S + 5 * HOUR_S + PROVABLE_S), Error)


def test_an_attempt_that_was_begun_last_may_be_under_way_still() -> None:
    begun = NOW_S + HORIZON_S + 60
    one = end(last_begun_at=begun)
    assert isinstance(judge(one, NotFound(), begun + LAST_CALL_S - 1), StaysUnknown)
    assert isinstance(judge(one, NotFound(), begun + LAST_CALL_S), Error)


def test_a_first_post_that_nobody_knows_is_never_proof() -> None:
    assert isinstance(judge(end(first_sent_at=None), NotFound(), NOW_S * 2), StaysUnknown)


@given(first=st.none() | times, begun=st.none() | times, last=st.none() | times)
def test_every_moment_a_post_may_have_been_at_is_looked_at(
    first: float | None, begun: float | None, last: float | None
) -> None:
    one = end(first_sent_at=first, first_begun_at=begun, last_begun_at=last)
    looks = windows(one)
    assert looks
    known = [at for at in (first, begun, last) if at is not None]
    for at in known:
        assert any(look.earliest <= at <= look.latest for look in looks)
    if last is None and one.firsts:
        assert looks[-1].latest >= max(one.firsts) + HORIZON_S


@given(first=times, begun=st.none() | times, last=st.none() | times, after_s=st.floats(0, 4e5))
def test_a_verdict_waits_until_everything_was_looked_at(
    first: float, begun: float | None, last: float | None, after_s: float
) -> None:
    one = end(first_sent_at=first, first_begun_at=begun, last_begun_at=last)
    if isinstance(judge(one, NotFound(), NOW_S + after_s), Error):
        assert NOW_S + after_s >= windows(one)[-1].latest


def test_a_declined_card_is_what_its_lost_answer_was() -> None:
    one = end(params={"amount": 2000, "currency": "usd", "confirm": True})
    told = judge(one, Found(DECLINED, "req_list"), NOW_S)
    assert isinstance(told, Error)
    assert (told.kind.value, told.http_status) == ("api", 402)
    assert (told.code, told.decline_code) == ("card_declined", "generic_decline")
    assert told.certainty is Certainty.NOT_CREATED


AUTHENTICATION_FAILED = {
    "type": "invalid_request_error",
    "code": "payment_intent_authentication_failure",
    "message": "The provided PaymentMethod has failed authentication.",
}
"""What a customer did after the create was answered with success."""


@pytest.mark.parametrize(
    ("params", "changes"),
    [
        ({"confirm": False}, {}),
        ({"confirm": True}, {"status": "succeeded"}),
        ({"confirm": True}, {"last_payment_error": None}),
        ({"confirm": True}, {"last_payment_error": AUTHENTICATION_FAILED}),
    ],
)
def test_any_other_object_is_the_response(params: dict[str, Any], changes: dict[str, Any]) -> None:
    """What was not declined by its create was answered with success, whatever became of it later."""
    told = judge(end(params=params), Found({**DECLINED, **changes}), NOW_S)
    assert isinstance(told, Response)
