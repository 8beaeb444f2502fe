"""What a look into Stripe's lists proves, and where it must look."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.examples import NOW_S, entry, make_failure

from paydispatch.domain.accounts import AccountBinding
from paydispatch.domain.limits import FORGOTTEN_S, HORIZON_S
from paydispatch.domain.outcomes import Certainty, Error, Response
from paydispatch.domain.resources import RESOURCES
from paydispatch.domain.unknown_outcomes import (
    CLOCKS_APART_S,
    LAST_CALL_S,
    Found,
    Inconclusive,
    NotFound,
    StaysUnknown,
    UnknownOutcome,
    both,
    decide,
    other_account,
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


def end(first_sent_at: float | None = NOW_S, **more: Any) -> UnknownOutcome:
    """`slot_…` is what the request's slot says, the rest what the entry does."""
    slot = {name: more.pop(name) for name in list(more) if name.startswith("slot_")}
    unknown = make_failure(certainty=Certainty.UNKNOWN)
    return UnknownOutcome(entry(outcome=unknown, first_sent_at=first_sent_at, **more), **slot)


def absent(one: UnknownOutcome, now_s: float) -> Any:
    """A look that finds nothing, by a clock of Stripe's that agrees."""
    return decide(one, NotFound(now_s), now_s)


@pytest.mark.parametrize("slot_first_sent_at", [None, NOW_S])
def test_absence_is_proof_when_no_post_can_be_under_way(slot_first_sent_at: float | None) -> None:
    one = end(slot_first_sent_at=slot_first_sent_at)
    assert isinstance(absent(one, NOW_S + PROVABLE_S - 1), StaysUnknown)
    verdict = absent(one, NOW_S + PROVABLE_S)
    assert isinstance(verdict, Error)
    assert verdict.certainty is Certainty.NOT_CREATED


def test_the_others_horizon_counts_as_well() -> None:
    """Who published the end may have guessed an earlier first POST than the deliveries that still call."""
    one = end(slot_first_sent_at=NOW_S + 5 * HOUR_S)
    assert isinstance(absent(one, NOW_S + PROVABLE_S), StaysUnknown)
    assert isinstance(absent(one, NOW_S + 5 * HOUR_S + PROVABLE_S), Error)


def test_an_attempt_that_was_begun_last_may_be_under_way_still() -> None:
    begun = NOW_S + HORIZON_S + 60
    one = end(slot_last_sent_at=begun)
    assert isinstance(absent(one, begun + LAST_CALL_S - 1), StaysUnknown)
    assert isinstance(absent(one, begun + LAST_CALL_S), Error)


@pytest.mark.parametrize("last", ["last_sent_at", "slot_last_sent_at"])
def test_the_last_send_counts_whether_the_entry_or_the_slot_knows_of_it(last: str) -> None:
    sent = NOW_S + HORIZON_S + 60
    assert isinstance(absent(end(**{last: sent}), sent + LAST_CALL_S - 1), StaysUnknown)


def test_a_slot_that_knows_of_no_send_refuses_none_so_absence_proves_nothing() -> None:
    """The entry tells of a send whose connection was never made. A redrive may POST at any time."""
    assert isinstance(absent(end(slot_stands=True), NOW_S + 2 * PROVABLE_S), StaysUnknown)


def test_a_first_post_that_nobody_knows_is_never_proof() -> None:
    assert isinstance(absent(end(first_sent_at=None), NOW_S * 2), StaysUnknown)


@pytest.mark.parametrize(("age_s", "proves"), [(FORGOTTEN_S - 1, True), (FORGOTTEN_S, False)])
def test_a_message_older_than_the_record_of_its_sends_proves_nothing_by_absence(
    age_s: float, proves: bool
) -> None:
    """It was accepted `age_s` before it was told, and sent at any time and to any account since."""
    forgotten = end(accepted_at=NOW_S, settled_at=NOW_S + age_s, account=None)
    assert isinstance(absent(forgotten, NOW_S + 2 * age_s), Error) is proves
    sent_at = NOW_S + 3 * HORIZON_S
    seen = any(look.earliest <= sent_at <= look.latest for look in windows(forgotten))
    assert seen is not proves


@given(first=st.none() | times, begun=st.none() | times, last=st.none() | times)
def test_every_moment_a_post_may_have_been_at_is_looked_at(
    first: float | None, begun: float | None, last: float | None
) -> None:
    one = end(first_sent_at=first, slot_first_sent_at=begun, slot_last_sent_at=last)
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
    one = end(first_sent_at=first, slot_first_sent_at=begun, slot_last_sent_at=last)
    if isinstance(absent(one, NOW_S + after_s), Error):
        # By Stripe's clock, which may be behind.
        assert NOW_S + after_s + CLOCKS_APART_S >= windows(one)[-1].latest


@given(first=times, last=times, apart_s=st.floats(-CLOCKS_APART_S, CLOCKS_APART_S))
def test_an_object_is_looked_for_where_a_clock_of_stripe_s_may_have_put_it(
    first: float, last: float, apart_s: float
) -> None:
    one = end(first_sent_at=first, slot_last_sent_at=max(first, last))
    for sent in (first, max(first, last)):
        created = int(sent + apart_s)
        assert any(look.earliest <= created <= look.latest for look in windows(one))


def test_a_declined_card_is_what_its_lost_answer_was() -> None:
    one = end(params={"amount": 2000, "currency": "usd", "confirm": True})
    told = decide(one, Found(DECLINED, "req_list"), NOW_S)
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
        ({"confirm": True}, {"last_payment_error": AUTHENTICATION_FAILED}),
    ],
)
def test_any_other_object_is_the_response(params: dict[str, Any], changes: dict[str, Any]) -> None:
    """What was not declined by its create was answered with success, whatever became of it later."""
    told = decide(end(params=params), Found({**DECLINED, **changes}), NOW_S)
    assert isinstance(told, Response)


@pytest.mark.parametrize("confirm", [True, "true"])
@pytest.mark.parametrize(
    "state",
    [
        {"status": "requires_confirmation"},
        {"status": "requires_payment_method"},
        {"status": "requires_payment_method", "last_payment_error": None},
    ],
)
def test_an_intent_that_its_create_has_yet_to_confirm_is_looked_for_again(
    confirm: Any, state: dict[str, Any]
) -> None:
    one = end(params={"amount": 2000, "currency": "usd", "confirm": confirm})
    assert isinstance(decide(one, Found({"id": "pi_1", **state}), NOW_S), StaysUnknown)


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({}, "requires_payment_method"),
        ({}, "requires_confirmation"),
        ({"confirm": True}, "processing"),
        ({"confirm": True}, "requires_action"),
        ({"confirm": True}, "requires_capture"),
    ],
)
def test_a_state_in_which_stripe_answers_a_create_is_complete(
    params: dict[str, Any], status: str
) -> None:
    told = decide(end(params=params), Found({"id": "pi_1", "status": status}), NOW_S)
    assert isinstance(told, Response)


def test_what_is_complete_is_said_by_the_row_alone() -> None:
    assert [row.name for row in RESOURCES if row.unconfirmed] == ["payment_intent"]


@pytest.mark.parametrize("apart_s", [-CLOCKS_APART_S - 1, CLOCKS_APART_S + 1])
def test_absence_by_clocks_that_disagree_is_no_proof(apart_s: float) -> None:
    now_s = NOW_S + PROVABLE_S
    assert isinstance(decide(end(), NotFound(now_s + apart_s), now_s), StaysUnknown)
    assert isinstance(decide(end(), NotFound(now_s + apart_s * 0.99), now_s), Error)


def test_absence_without_a_time_of_stripe_s_is_no_proof() -> None:
    assert isinstance(decide(end(), NotFound(), NOW_S + PROVABLE_S), StaysUnknown)


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [
        (NotFound(5.0), NotFound(3.0), NotFound(3.0)),
        (NotFound(5.0), NotFound(), NotFound()),
        (NotFound(), NotFound(5.0), NotFound()),
        (Inconclusive("no"), NotFound(5.0), Inconclusive("no")),
        (NotFound(5.0), Inconclusive("no"), Inconclusive("no")),
    ],
)
def test_two_looks_prove_an_absence_only_if_each_does(
    first: Any, second: Any, together: Any
) -> None:
    assert both(first, second) == together


BOUND = AccountBinding(account_id="acct_1", mode="test", key_sha256="one")


def bound(**changes: Any) -> AccountBinding:
    return replace(BOUND, **changes)


MUTE = bound(account_id=None)


@pytest.mark.parametrize(
    ("sent_to", "looked_in", "proves", "by_word"),
    [
        (None, BOUND, True, True),
        (BOUND, BOUND, True, True),
        (BOUND, bound(key_sha256="two"), True, True),
        (MUTE, bound(account_id="acct_2"), True, True),
        (BOUND, bound(account_id="acct_2", key_sha256="two"), False, False),
        (BOUND, bound(mode="live"), False, False),
        (BOUND, bound(stripe_account="acct_3"), False, False),
        (BOUND, bound(stripe_context="acct_3"), False, False),
        (MUTE, bound(account_id=None, key_sha256="two"), False, True),
        (MUTE, bound(key_sha256="two"), False, True),
        (BOUND, bound(account_id=None, key_sha256="two"), False, True),
        (MUTE, bound(account_id=None, key_sha256="two", mode="live"), False, False),
    ],
)
def test_a_look_proves_something_in_the_account_it_was_sent_to_alone(
    sent_to: AccountBinding | None, looked_in: AccountBinding, proves: bool, by_word: bool
) -> None:
    """An operator's word counts where Stripe has not said otherwise."""
    one = end(account=sent_to)
    assert (other_account(one, looked_in) is None) is proves
    assert (other_account(one, looked_in, same=True) is None) is by_word


def test_the_slot_s_account_stands_before_the_entry_s() -> None:
    """An operator's word stands in the slot."""
    one = end(account=BOUND, slot_account=bound(account_id="acct_2"))
    assert one.account == bound(account_id="acct_2")
