"""`plan_redrive`: the plan for each kind of parked message."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.examples import KEY, NOW_S, envelope, make_failure, message_text

from paydispatch.domain.claims import SlotState, claim_of, claim_of_unread
from paydispatch.domain.limits import HORIZON_S, MOST_ATTEMPTS
from paydispatch.domain.message.read_message import Malformed
from paydispatch.domain.operators.redrive import (
    PARKED_BY_SQS,
    AlreadySettled,
    Choice,
    GoesToReconcile,
    LacksErrorFlow,
    NotProven,
    Parked,
    SendBack,
    Unreadable,
    plan_redrive,
    read_parked,
    unknown_entry,
)
from paydispatch.domain.progress import Progress
from paydispatch.domain.requests import Lane

if TYPE_CHECKING:
    from paydispatch.domain.envelope import Envelope

SIX_HOURS_S = 6 * 3600.0


def make_parked(body: str | None = None, **changes: Any) -> Parked:
    """Return a message that the Stripe caller parked: first sent at `NOW_S`, and perhaps executed."""
    fields: dict[str, Any] = {
        "message_id": "m-1",
        "receipt": "r-1",
        "body": body or envelope_of_caller().as_message(),
        "sent_at": NOW_S,
        "reason": "timeout",
        "kind": "http",
    }
    return Parked(**{**fields, **changes})


def envelope_of_caller(**changes: Any) -> Envelope:
    progress = Progress(
        deadline_at=NOW_S, attempt=4, maybe_executed=True, first_sent_at=NOW_S, **changes
    )
    return envelope(progress=progress)


SENT = SlotState(
    owned=True, principal="queue", status="calling", maybe_executed=True, first_sent_at=NOW_S
)


def slot(status: str | None, **changes: Any) -> SlotState | None:
    """Return the state of the slot of `envelope_of_caller`. No status: the slot is empty."""
    return replace(SENT, status=status, **changes) if status else None


def plan(one: Parked, state: SlotState | None, *, after_s: float = 60.0) -> Any:
    read, now_s = read_parked(one), NOW_S + after_s
    if isinstance(read, Malformed):
        claim = read.address and claim_of_unread(read.address, "local", one.sent_at)
    else:
        claim = claim_of(read, "local", now_s)
    return plan_redrive(read, one, claim, state, now_s, deadline_s=SIX_HOURS_S)


@pytest.mark.parametrize(
    ("status", "after_s", "expected"),
    [
        ("unknown", 60.0, SendBack),
        ("unknown", HORIZON_S - 1, SendBack),
        ("unknown", HORIZON_S, GoesToReconcile),
        ("unknown", 25 * 3600.0, GoesToReconcile),
        ("dispatched", 60.0, SendBack),
        ("calling", 60.0, SendBack),
        ("calling", HORIZON_S, GoesToReconcile),
        ("retrying", 60.0, SendBack),
        (None, 60.0, SendBack),
        (None, HORIZON_S, GoesToReconcile),
        ("succeeded", 60.0, AlreadySettled),
        ("failed", 60.0, AlreadySettled),
        ("succeeded", 25 * 3600.0, AlreadySettled),
    ],
)
def test_a_plan_follows_from_status_and_age(
    status: str | None, after_s: float, expected: type
) -> None:
    assert isinstance(plan(make_parked(), slot(status), after_s=after_s), expected)


def test_a_message_goes_back_with_its_latch_and_a_new_deadline() -> None:
    sent = plan(make_parked(), slot("unknown")).envelope

    assert sent == envelope_of_caller().at(sent.progress)
    assert sent.progress == Progress(
        deadline_at=NOW_S + 60 + SIX_HOURS_S, attempt=4, maybe_executed=True, first_sent_at=NOW_S
    )


def test_used_up_attempts_start_again_at_one() -> None:
    spent = envelope_of_caller().at(
        Progress(deadline_at=NOW_S, attempt=MOST_ATTEMPTS, maybe_executed=True)
    )

    assert plan(make_parked(spent.as_message()), slot("unknown")).envelope.progress.attempt == 1


@pytest.mark.parametrize(
    ("first_received_at", "first_sent_at"),
    [(None, NOW_S - 50), (NOW_S - 40, NOW_S - 50), (NOW_S - 60, NOW_S - 60)],
)
def test_a_message_that_sqs_parked_may_have_been_sent_since_it_was_queued(
    first_received_at: float | None, first_sent_at: float
) -> None:
    died_with = make_parked(
        envelope().as_message(),
        reason=None,
        sent_at=NOW_S - 50,
        first_received_at=first_received_at,
    )

    progress = plan(died_with, None).envelope.progress

    assert (progress.maybe_executed, progress.first_sent_at) == (True, first_sent_at)


def test_a_first_sent_at_in_the_message_counts_even_if_sqs_parked_it() -> None:
    """A delayed copy is younger than the first POST."""
    known = envelope_of_caller().as_message()
    died_with = make_parked(known, reason=None, sent_at=NOW_S + HORIZON_S - 10)

    assert isinstance(plan(died_with, None, after_s=HORIZON_S), GoesToReconcile)


@pytest.mark.parametrize(
    ("status", "known"), [("unknown", True), ("calling", False), (None, False)]
)
def test_reconcile_knows_a_request_only_if_its_status_is_unknown(
    status: str | None, known: bool
) -> None:
    assert plan(make_parked(), slot(status), after_s=HORIZON_S).known is known


def test_reconcile_does_not_know_a_request_if_its_send_was_taken_back() -> None:
    """Reconcile would leave the request to redrive, and redrive leaves it to reconcile."""
    taken_back = slot("unknown", first_sent_at=None)
    assert plan(make_parked(), taken_back, after_s=HORIZON_S).known is False


@pytest.mark.parametrize(
    ("principal", "claimed_by", "expected"),
    [
        ("queue", None, GoesToReconcile),
        ("acme/ann", "acme/ann sealed-1", GoesToReconcile),
        ("acme/ann", None, NotProven),
        ("acme/ann", "acme/bob sealed-1", NotProven),
        ("acme/ann", "acme/ann sealed-2", NotProven),
    ],
)
def test_only_a_request_of_a_proven_principal_goes_to_reconcile(
    principal: str, claimed_by: str | None, expected: type
) -> None:
    """A principal is proven if it claimed the request with the seal of this message."""
    progress = envelope_of_caller().progress
    sealed = envelope(principal=principal, sealed_secret="sealed-1", progress=progress)
    state = slot("calling", **_claim_fields(claimed_by)) if claimed_by else None

    assert isinstance(plan(make_parked(sealed.as_message()), state, after_s=HORIZON_S), expected)


def _claim_fields(by: str) -> dict[str, str | None]:
    principal, _, seal = by.partition(" ")
    made = claim_of(envelope(principal=principal, sealed_secret=seal), "local", NOW_S)
    return {"principal": made.principal, "seal": made.seal}


@pytest.mark.parametrize("after_s", [60.0, 3 * HORIZON_S])
def test_a_slot_without_a_send_proves_that_nothing_was_sent(after_s: float) -> None:
    unsent = SlotState(owned=True, principal="queue")

    progress = plan(make_parked(envelope().as_message()), unsent, after_s=after_s).envelope.progress

    assert (progress.maybe_executed, progress.first_sent_at) == (False, None)


@pytest.mark.parametrize("knows", [True, False], ids=["by the message", "by the slot"])
def test_the_earlier_first_send_of_slot_and_message_counts(knows: bool) -> None:
    early, late = NOW_S - HORIZON_S, NOW_S
    message, kept = (early, late) if knows else (late, early)
    read = envelope_of_caller()
    one = make_parked(read.at(replace(read.progress, first_sent_at=message)).as_message())

    assert isinstance(plan(one, slot("calling", first_sent_at=kept)), GoesToReconcile)


@pytest.mark.parametrize(
    "state",
    [SlotState(owned=False), slot("calling", closed=make_failure())],
    ids=["another's", "closed"],
)
def test_a_message_that_lacks_only_its_published_outcome_goes_back_at_any_age(
    state: SlotState,
) -> None:
    assert isinstance(plan(make_parked(), state, after_s=3 * HORIZON_S), SendBack)


def test_a_message_goes_back_with_its_waits_set_to_zero() -> None:
    read = envelope_of_caller()
    one = make_parked(read.at(replace(read.progress, store_waits=7, fresh_starts=5)).as_message())

    progress = plan(one, slot("unknown")).envelope.progress

    assert (progress.store_waits, progress.fresh_starts) == (0, 0)


def test_the_entry_for_reconcile_is_unknown_and_complete() -> None:
    asked = envelope_of_caller()
    entry = unknown_entry(asked, claim_of(asked, "local", NOW_S), NOW_S + HORIZON_S)

    assert not entry.outcome.settled
    assert entry.first_sent_at == NOW_S
    assert (entry.secret_ref, entry.outcome.attempts) == (envelope_of_caller().secret_ref, 3)


@pytest.mark.parametrize(
    "body", ["{ this is not JSON", "[]", message_text(v=9, worker_id=None), "{}"]
)
def test_a_message_without_an_address_is_never_sent(body: str) -> None:
    assert isinstance(plan(make_parked(body), None), Unreadable)


@pytest.mark.parametrize(
    ("principal", "state", "expected"),
    [
        (None, None, LacksErrorFlow),
        (None, SlotState(owned=True, principal="queue", status="failed"), AlreadySettled),
        (None, SlotState(owned=True, principal="queue"), LacksErrorFlow),
        ("acme", None, NotProven),
        ("acme", SlotState(owned=True, **_claim_fields("acme sealed-1")), LacksErrorFlow),
        ("acme", SlotState(owned=True, **_claim_fields("acme sealed-2")), NotProven),
    ],
)
def test_a_malformed_message_with_an_address_gets_its_error_flow(
    principal: str | None, state: SlotState | None, expected: type
) -> None:
    """Unless the flow has run, or the principal is not proven. A claim without a status is not the end."""
    sealed = {"principal": principal, "sealed_secret": "sealed-1"} if principal else {}
    nonsense = make_parked(message_text(stripe_secret=KEY, **sealed), reason=None)
    assert isinstance(plan(nonsense, state), expected)


def test_a_message_of_a_direct_producer_keeps_the_id_derived_from_it() -> None:
    one = make_parked(message_text(), reason=None)

    sent = plan(one, None).envelope

    read = read_parked(one)
    assert not isinstance(read, Malformed)
    assert json.loads(sent.as_message())["request_id"] == read.request_id


@pytest.mark.parametrize(
    ("choice", "taken"),
    [
        (Choice(), True),
        (Choice(request_id="pdr_1"), True),
        (Choice(request_id="m-1"), True),
        (Choice(request_id="pdr_2"), False),
        (Choice(object="payment_intent", worker_id="worker-1"), True),
        (Choice(object="coupon"), False),
        (Choice(worker_id="worker-2"), False),
        (Choice(account="acct_1"), False),
        (Choice(reason="timeout"), True),
        (Choice(reason="last_receive"), False),
        (Choice(kind="http"), True),
        (Choice(kind="dispatcher"), False),
        (Choice(older_than_s=100), True),
        (Choice(older_than_s=101), False),
        (Choice(newer_than_s=100), True),
        (Choice(newer_than_s=99), False),
    ],
)
def test_a_choice_takes_only_the_messages_that_match_it(choice: Choice, taken: bool) -> None:
    one = make_parked()

    assert choice.takes(one, read_parked(one), NOW_S + 100) is taken


@pytest.mark.parametrize(
    ("reason", "taken"), [(PARKED_BY_SQS, True), ("timeout", False), (None, True)]
)
def test_a_message_that_sqs_moved_is_chosen_by_its_own_reason(
    reason: str | None, taken: bool
) -> None:
    one = make_parked(reason=None, kind=None)

    assert Choice(reason=reason).takes(one, read_parked(one), NOW_S) is taken


def test_a_message_without_a_worker_is_taken_only_by_a_choice_without_a_worker() -> None:
    one = make_parked("{ this is not JSON")
    read = read_parked(one)

    assert Choice().takes(one, read, NOW_S)
    assert not Choice(worker_id="worker-1").takes(one, read, NOW_S)


@pytest.mark.parametrize("lane", Lane)
def test_a_message_keeps_its_lane(lane: Lane) -> None:
    read = read_parked(make_parked(envelope(lane=lane).as_message()))

    assert not isinstance(read, Malformed)
    assert read.lane is lane


DELETES = {
    "an id": {"object": "coupon", "operation": "delete_coupon", "path": {"coupon": "SUMMER"}},
    "a place": {
        "object": "customer",
        "operation": "delete_discount_customer",
        "path": {"customer": "cus_1"},
    },
}


@pytest.mark.parametrize("name", DELETES)
@pytest.mark.parametrize("state", [SENT, None, replace(SENT, maybe_executed=False, open_sends=1)])
def test_a_delete_that_may_have_been_sent_never_goes_back(
    name: str, state: SlotState | None
) -> None:
    """Not even within the horizon: its name may have been made anew."""
    parked = make_parked(envelope(**DELETES[name], params={}).as_message())
    planned = plan(parked, state)
    assert isinstance(planned, GoesToReconcile)


@pytest.mark.parametrize("name", DELETES)
def test_a_delete_that_was_certainly_never_sent_goes_back(name: str) -> None:
    parked = make_parked(envelope(**DELETES[name], params={}).as_message())
    never_sent = SlotState(owned=True, principal="queue", status="dispatched")
    assert isinstance(plan(parked, never_sent), SendBack)


def test_another_operation_goes_back_within_the_horizon() -> None:
    asked = envelope(operation="capture_payment_intent", path={"intent": "pi_1"}, params={})
    parked = make_parked(asked.as_message())
    assert isinstance(plan(parked, SENT), SendBack)
    assert isinstance(plan(parked, SENT, after_s=HORIZON_S), GoesToReconcile)


def test_the_unknown_outcome_of_a_delete_says_why_it_is_not_repeated() -> None:
    asked = envelope(**DELETES["an id"], params={})
    entry = unknown_entry(asked, claim_of(asked, "local", NOW_S), NOW_S)
    assert entry.outcome.code == "delete_not_repeated"  # type: ignore[union-attr]
