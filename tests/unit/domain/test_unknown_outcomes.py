"""The proof that a look into Stripe's lists gives, and the span of time that it must cover."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.examples import NOW_S, entry, make_failure

from paydispatch.domain.limits import FORGOTTEN_S, HORIZON_S
from paydispatch.domain.operators.lookup_results import (
    CLOCKS_APART_S,
    Found,
    Inconclusive,
    NotFound,
    both,
)
from paydispatch.domain.operators.lookups import StaysUnknown, decide, other_account, windows
from paydispatch.domain.outcomes import Certainty, Error, Response
from paydispatch.domain.stripe.accounts import AccountBinding
from paydispatch.domain.stripe.operations import all_operations
from paydispatch.domain.unknown_outcomes import LAST_CALL_S, UnknownOutcome

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


def make_unknown(first_sent_at: float | None = NOW_S, **more: Any) -> UnknownOutcome:
    """Return an unknown outcome. `slot_…` sets a field of the request's slot, other names set one of the entry."""
    slot = {name: more.pop(name) for name in list(more) if name.startswith("slot_")}
    unknown = make_failure(certainty=Certainty.UNKNOWN)
    return UnknownOutcome(entry(outcome=unknown, first_sent_at=first_sent_at, **more), **slot)


def decide_absent(one: UnknownOutcome, now_s: float) -> Any:
    """Decide after a look that found nothing, while the clocks agree."""
    return decide(one, NotFound(now_s), now_s)


@pytest.mark.parametrize("slot_first_sent_at", [None, NOW_S])
def test_absence_is_proof_when_no_post_can_be_under_way(slot_first_sent_at: float | None) -> None:
    one = make_unknown(slot_first_sent_at=slot_first_sent_at)
    assert isinstance(decide_absent(one, NOW_S + PROVABLE_S - 1), StaysUnknown)
    verdict = decide_absent(one, NOW_S + PROVABLE_S)
    assert isinstance(verdict, Error)
    assert verdict.certainty is Certainty.NOT_CREATED


def test_the_horizon_of_the_slot_counts_as_well() -> None:
    """The entry may carry a guessed first POST that is earlier than the first POST in the slot."""
    one = make_unknown(slot_first_sent_at=NOW_S + 5 * HOUR_S)
    assert isinstance(decide_absent(one, NOW_S + PROVABLE_S), StaysUnknown)
    assert isinstance(decide_absent(one, NOW_S + 5 * HOUR_S + PROVABLE_S), Error)


def test_absence_proves_nothing_while_the_last_attempt_may_run() -> None:
    begun = NOW_S + HORIZON_S + 60
    one = make_unknown(slot_last_sent_at=begun)
    assert isinstance(decide_absent(one, begun + LAST_CALL_S - 1), StaysUnknown)
    assert isinstance(decide_absent(one, begun + LAST_CALL_S), Error)


@pytest.mark.parametrize("last", ["last_sent_at", "slot_last_sent_at"])
def test_the_last_send_of_entry_and_slot_counts(last: str) -> None:
    sent = NOW_S + HORIZON_S + 60
    assert isinstance(
        decide_absent(make_unknown(**{last: sent}), sent + LAST_CALL_S - 1), StaysUnknown
    )


def test_absence_proves_nothing_if_the_slot_has_no_send() -> None:
    """The entry has a send that made no connection. The slot refuses no send, so a redrive may POST at any time."""
    assert isinstance(
        decide_absent(make_unknown(slot_stands=True), NOW_S + 2 * PROVABLE_S), StaysUnknown
    )


def test_absence_proves_nothing_without_a_time_of_the_first_post() -> None:
    assert isinstance(decide_absent(make_unknown(first_sent_at=None), NOW_S * 2), StaysUnknown)


@pytest.mark.parametrize(("age_s", "proves"), [(FORGOTTEN_S - 1, True), (FORGOTTEN_S, False)])
def test_absence_proves_nothing_for_a_message_older_than_the_record_of_its_sends(
    age_s: float, proves: bool
) -> None:
    """It was accepted `age_s` before its outcome, and may have been sent at any time since, to any account."""
    forgotten = make_unknown(accepted_at=NOW_S, settled_at=NOW_S + age_s, account=None)
    assert isinstance(decide_absent(forgotten, NOW_S + 2 * age_s), Error) is proves
    sent_at = NOW_S + 3 * HORIZON_S
    seen = any(look.earliest <= sent_at <= look.latest for look in windows(forgotten))
    assert seen is not proves


@given(first=st.none() | times, begun=st.none() | times, last=st.none() | times)
def test_the_windows_cover_every_time_of_a_possible_post(
    first: float | None, begun: float | None, last: float | None
) -> None:
    one = make_unknown(first_sent_at=first, slot_first_sent_at=begun, slot_last_sent_at=last)
    looks = windows(one)
    assert looks
    known = [at for at in (first, begun, last) if at is not None]
    for at in known:
        assert any(look.earliest <= at <= look.latest for look in looks)
    if last is None and one.firsts:
        assert looks[-1].latest >= max(one.firsts) + HORIZON_S


@given(first=times, begun=st.none() | times, last=st.none() | times, after_s=st.floats(0, 4e5))
def test_a_verdict_waits_until_the_last_window_is_over(
    first: float, begun: float | None, last: float | None, after_s: float
) -> None:
    one = make_unknown(first_sent_at=first, slot_first_sent_at=begun, slot_last_sent_at=last)
    if isinstance(decide_absent(one, NOW_S + after_s), Error):
        # By Stripe's clock, which may be behind.
        assert NOW_S + after_s + CLOCKS_APART_S >= windows(one)[-1].latest


@given(first=times, last=times, apart_s=st.floats(-CLOCKS_APART_S, CLOCKS_APART_S))
def test_the_windows_allow_for_a_difference_between_the_clocks(
    first: float, last: float, apart_s: float
) -> None:
    one = make_unknown(first_sent_at=first, slot_last_sent_at=max(first, last))
    for sent in (first, max(first, last)):
        created = int(sent + apart_s)
        assert any(look.earliest <= created <= look.latest for look in windows(one))


def test_a_declined_intent_is_the_error_of_the_lost_answer() -> None:
    one = make_unknown(params={"amount": 2000, "currency": "usd", "confirm": True})
    verdict = decide(one, Found(DECLINED, "req_list"), NOW_S)
    assert isinstance(verdict, Error)
    assert (verdict.kind.value, verdict.http_status) == ("api", 402)
    assert (verdict.code, verdict.decline_code) == ("card_declined", "generic_decline")
    assert verdict.certainty is Certainty.NOT_CREATED
    assert verdict.answered  # Stripe keeps the 402, so the same key must not make a second intent


AUTHENTICATION_FAILED = {
    "type": "invalid_request_error",
    "code": "payment_intent_authentication_failure",
    "message": "The provided PaymentMethod has failed authentication.",
}
"""An error by the customer, after the create was answered with success."""


@pytest.mark.parametrize(
    ("params", "changes"),
    [
        ({"confirm": False}, {}),
        ({"confirm": True}, {"status": "succeeded"}),
        ({"confirm": True}, {"last_payment_error": AUTHENTICATION_FAILED}),
    ],
)
def test_any_other_object_is_the_response(params: dict[str, Any], changes: dict[str, Any]) -> None:
    """If its create did not decline it, Stripe answered with success, even if a payment failed later."""
    verdict = decide(make_unknown(params=params), Found({**DECLINED, **changes}), NOW_S)
    assert isinstance(verdict, Response)


@pytest.mark.parametrize("confirm", [True, "true"])
@pytest.mark.parametrize(
    "state",
    [
        {"status": "requires_confirmation"},
        {"status": "requires_payment_method"},
        {"status": "requires_payment_method", "last_payment_error": None},
    ],
)
def test_an_intent_that_its_create_has_not_yet_confirmed_stays_unknown(
    confirm: Any, state: dict[str, Any]
) -> None:
    one = make_unknown(params={"amount": 2000, "currency": "usd", "confirm": confirm})
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
def test_an_intent_in_a_status_in_which_stripe_answers_a_create_is_the_response(
    params: dict[str, Any], status: str
) -> None:
    verdict = decide(make_unknown(params=params), Found({"id": "pi_1", "status": status}), NOW_S)
    assert isinstance(verdict, Response)


def test_only_a_payment_intent_has_unconfirmed_states() -> None:
    listed = [row for row in all_operations() if row.listing and row.listing.unconfirmed]
    assert [row.name for row in listed] == ["create_payment_intent"]


@pytest.mark.parametrize("apart_s", [-CLOCKS_APART_S - 1, CLOCKS_APART_S + 1])
def test_absence_is_no_proof_while_the_clocks_disagree(apart_s: float) -> None:
    now_s = NOW_S + PROVABLE_S
    assert isinstance(decide(make_unknown(), NotFound(now_s + apart_s), now_s), StaysUnknown)
    assert isinstance(decide(make_unknown(), NotFound(now_s + apart_s * 0.99), now_s), Error)


def test_absence_is_no_proof_without_the_time_of_stripe() -> None:
    assert isinstance(decide(make_unknown(), NotFound(), NOW_S + PROVABLE_S), StaysUnknown)


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


def make_binding(**changes: Any) -> AccountBinding:
    return replace(BOUND, **changes)


MUTE = make_binding(account_id=None)


@pytest.mark.parametrize(
    ("sent_to", "looked_in", "proves", "if_accepted"),
    [
        (None, BOUND, True, True),
        (BOUND, BOUND, True, True),
        (BOUND, make_binding(key_sha256="two"), True, True),
        (MUTE, make_binding(account_id="acct_2"), True, True),
        (BOUND, make_binding(account_id="acct_2", key_sha256="two"), False, False),
        (BOUND, make_binding(mode="live"), False, False),
        (BOUND, make_binding(stripe_account="acct_3"), False, False),
        (BOUND, make_binding(stripe_context="acct_3"), False, False),
        (MUTE, make_binding(account_id=None, key_sha256="two"), False, True),
        (MUTE, make_binding(key_sha256="two"), False, True),
        (BOUND, make_binding(account_id=None, key_sha256="two"), False, True),
        (MUTE, make_binding(account_id=None, key_sha256="two", mode="live"), False, False),
    ],
)
def test_a_look_proves_something_only_in_the_account_of_the_request(
    sent_to: AccountBinding | None, looked_in: AccountBinding, proves: bool, if_accepted: bool
) -> None:
    """An operator may accept an account unless Stripe says that it is another one."""
    one = make_unknown(account=sent_to)
    assert (other_account(one, looked_in) is None) is proves
    assert (other_account(one, looked_in, same=True) is None) is if_accepted


def test_the_account_of_the_slot_wins_over_the_account_of_the_entry() -> None:
    """An account that an operator accepted is in the slot."""
    one = make_unknown(account=BOUND, slot_account=make_binding(account_id="acct_2"))
    assert one.account == make_binding(account_id="acct_2")
