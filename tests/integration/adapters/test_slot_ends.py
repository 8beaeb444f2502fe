"""The contract of `RequestSlots` and `RequestStore` for close and status, for the twin, Redis and a cluster."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.integration.adapters.slot_worlds import (
    DECLINED,
    DONE,
    DOUBT,
    LATE,
    REFUSED,
    SlotsWorld,
    claim_for,
    entry_of,
    send_for,
)

from paydispatch.domain.claims import Disputed, NoSend, SendEnd
from paydispatch.domain.rates.tokens import Why
from paydispatch.domain.rates.waiting import Waiting
from paydispatch.domain.requests import Lane
from paydispatch.ports import RequestRecord

if TYPE_CHECKING:
    from paydispatch.domain.outcomes import Outcome

CLAIM = claim_for()


async def send_once(slots: SlotsWorld, name: str = "t1") -> None:
    await slots.requests.claim(CLAIM)
    await slots.requests.send(CLAIM, send_for(name))


def record_of(slots: SlotsWorld) -> RequestRecord:
    record = slots.store.get(CLAIM.slot)
    assert record is not None
    return record


# Close


async def test_a_request_that_was_never_sent_is_closed(slots: SlotsWorld) -> None:
    await slots.requests.claim(CLAIM)

    assert await slots.requests.close(CLAIM, LATE) == LATE
    assert (await slots.requests.claim(CLAIM)).closed == LATE


async def test_an_earlier_close_stands(slots: SlotsWorld) -> None:
    await slots.requests.claim(CLAIM)
    await slots.requests.close(CLAIM, LATE)

    assert await slots.requests.close(CLAIM, REFUSED) == LATE


async def test_another_open_send_disputes_a_close(slots: SlotsWorld) -> None:
    await send_once(slots, "t1")
    await send_once(slots, "t2")

    assert await slots.requests.close(CLAIM, LATE) is Disputed.MAYBE_EXECUTED
    assert await slots.requests.close(CLAIM, LATE, token="t1") is Disputed.MAYBE_EXECUTED
    assert (await slots.requests.claim(CLAIM)).closed is None


async def test_a_close_ends_its_own_refused_send(slots: SlotsWorld) -> None:
    await send_once(slots, "t1")

    assert await slots.requests.close(CLAIM, REFUSED, token="t1") == REFUSED
    assert (await slots.requests.claim(CLAIM)).open_sends == 0


async def test_a_close_with_an_unknown_token_is_disputed(slots: SlotsWorld) -> None:
    await send_once(slots, "t1")

    assert await slots.requests.close(CLAIM, LATE, token="another") is Disputed.MAYBE_EXECUTED


async def test_the_latch_disputes_a_close_even_if_its_own_send_was_refused(
    slots: SlotsWorld,
) -> None:
    await slots.requests.claim(replace(CLAIM, maybe_executed=True))
    await slots.requests.send(CLAIM, send_for("t1"))

    assert await slots.requests.close(CLAIM, REFUSED, token="t1") is Disputed.MAYBE_EXECUTED


@pytest.mark.parametrize("outcome", [DONE, REFUSED])
async def test_a_request_with_a_final_status_is_not_closed(
    slots: SlotsWorld, outcome: Outcome
) -> None:
    await slots.requests.claim(CLAIM)
    await slots.requests.write_status(entry_of(CLAIM, outcome))

    assert await slots.requests.close(CLAIM, LATE) is Disputed.PUBLISHED


async def test_closing_a_closed_request_with_a_final_status_reports_the_status(
    slots: SlotsWorld,
) -> None:
    await slots.requests.claim(CLAIM)
    await slots.requests.close(CLAIM, LATE)
    await slots.requests.write_status(entry_of(CLAIM, LATE))

    assert await slots.requests.close(CLAIM, LATE) is Disputed.PUBLISHED


# The status


@pytest.mark.parametrize(
    ("outcome", "status", "answered"),
    [
        (DONE, "succeeded", True),
        (DECLINED, "failed", True),
        (REFUSED, "failed", False),
        (DOUBT, "unknown", False),
    ],
)
async def test_an_outcome_is_written_as_the_status(
    slots: SlotsWorld, outcome: Outcome, status: str, answered: bool
) -> None:
    await slots.requests.claim(CLAIM)

    await slots.requests.write_status(entry_of(CLAIM, outcome))

    state = await slots.requests.claim(CLAIM)
    assert (state.status, state.answered) == (status, answered)
    assert state.final is outcome.settled
    assert record_of(slots).attempts == outcome.attempts


@pytest.mark.parametrize("final", [DONE, REFUSED])
async def test_a_final_status_is_never_overwritten(slots: SlotsWorld, final: Outcome) -> None:
    await slots.requests.claim(CLAIM)
    await slots.requests.write_status(entry_of(CLAIM, final))
    final_record = record_of(slots)

    for outcome in (DONE, REFUSED, DOUBT):
        await slots.requests.write_status(entry_of(CLAIM, outcome))
    await slots.requests.mark_retrying(CLAIM, slots.now_s() + 60, attempts=9)
    slots.store.mark_queued([CLAIM])

    assert record_of(slots) == final_record


async def test_an_unknown_outcome_shows_its_error_until_it_is_settled(slots: SlotsWorld) -> None:
    await slots.requests.claim(CLAIM)
    await slots.requests.write_status(entry_of(CLAIM, DOUBT))
    unknown = record_of(slots)
    await slots.requests.write_status(entry_of(CLAIM, DONE))
    settled = record_of(slots)

    assert (unknown.status, unknown.parsed_error) == ("unknown", DOUBT.as_dict())
    assert (settled.status, settled.parsed_error) == ("succeeded", None)
    assert settled.parsed_data == DONE.body


async def test_the_time_of_the_next_attempt_is_shown_while_the_request_waits(
    slots: SlotsWorld,
) -> None:
    await send_once(slots)
    retry_at = slots.now_s() + 60

    await slots.requests.mark_retrying(CLAIM, retry_at, attempts=3)
    waiting = record_of(slots)
    await send_once(slots, "t2")
    calling = record_of(slots)

    assert (waiting.status, waiting.attempts, waiting.retry_at) == ("retrying", 3, retry_at)
    assert (calling.status, calling.retry_at) == ("calling", None)


async def test_a_status_says_what_a_request_waits_for_until_it_only_waits_for_its_next_attempt(
    slots: SlotsWorld,
) -> None:
    await send_once(slots)
    paused = Waiting(why=Why.PAUSED, lane=Lane.BATCH, account="live acct_1")

    await slots.requests.mark_retrying(CLAIM, slots.now_s() + 60, attempts=0, waiting=paused)
    waiting = record_of(slots)
    await slots.requests.mark_retrying(CLAIM, slots.now_s() + 60, attempts=1)
    retrying = record_of(slots)

    assert waiting.waiting == paused
    assert retrying.waiting is None


# The API's side


async def test_a_claim_alone_is_not_shown_because_the_queue_may_never_get_it(
    slots: SlotsWorld,
) -> None:
    slots.store.claim([CLAIM])
    assert slots.store.get(CLAIM.slot) is None

    slots.store.mark_queued([CLAIM])

    assert record_of(slots) == RequestRecord(
        request_id="r1",
        tenant="local",
        object="product",
        operation="create_product",
        worker_id="w1",
        context_id="c1",
        status="dispatched",
        fingerprint=CLAIM.fingerprint,
    )


async def test_marking_an_unclaimed_request_as_queued_claims_it(slots: SlotsWorld) -> None:
    """Redis was unavailable at the claim and is available again."""
    slots.store.mark_queued([CLAIM])

    assert record_of(slots).status == "dispatched"
    assert not (await slots.requests.claim(replace(CLAIM, fingerprint="f1:other"))).owned


async def test_the_api_does_not_overwrite_a_quicker_caller_s_status(
    slots: SlotsWorld,
) -> None:
    slots.store.claim([CLAIM])
    await send_once(slots)

    slots.store.mark_queued([CLAIM])

    assert record_of(slots).status == "calling"


async def test_many_claims_in_one_call_have_their_own_answers(slots: SlotsWorld) -> None:
    claims = [claim_for(f"r{number}") for number in range(40)]
    slots.store.claim(claims[::2])
    others = [replace(claim, fingerprint="f1:other") for claim in claims]

    states = slots.store.claim(others)

    assert [state.owned for state in states] == [number % 2 == 1 for number in range(40)]


async def test_an_empty_list_of_claims_writes_nothing(slots: SlotsWorld) -> None:
    assert list(slots.store.claim([])) == []
    slots.store.mark_queued([])


async def test_a_send_after_another_caller_s_close_is_refused(slots: SlotsWorld) -> None:
    await send_once(slots, "t1")
    await slots.requests.end_send(CLAIM, "t1", SendEnd.REFUSED)
    await slots.requests.close(CLAIM, LATE)

    assert await slots.requests.send(CLAIM, send_for("t2")) is NoSend.CLOSED
