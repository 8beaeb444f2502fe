"""The contract of `RequestSlots` for a send and its end, for the twin, Redis and a cluster."""

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
    account_for,
    claim_for,
    entry_of,
    send_for,
)

from paydispatch.domain.claims import Disputed, Go, NoSend, SendEnd, SlotState
from paydispatch.domain.limits import HORIZON_S
from paydispatch.domain.stripe.repeats import Repeat

if TYPE_CHECKING:
    from paydispatch.domain.claims import Claim
    from paydispatch.domain.stripe.accounts import AccountBinding

CLAIM = claim_for()
CLOCKS_APART_S = 120.0


async def open_send(slots: SlotsWorld, name: str = "t1", claim: Claim = CLAIM) -> Go:
    """Claim the request and open a send."""
    await slots.requests.claim(claim)
    answer = await slots.requests.send(claim, send_for(name))
    assert isinstance(answer, Go)
    return answer


async def state_of(slots: SlotsWorld, claim: Claim = CLAIM) -> SlotState:
    state = await slots.requests.find(claim)
    assert state is not None
    return state


async def test_the_first_send_starts_the_horizon_now(slots: SlotsWorld) -> None:
    go = await open_send(slots)

    state = await state_of(slots)
    assert abs(go.sent_at - slots.now_s()) < CLOCKS_APART_S
    assert go.first_sent_at == go.sent_at == state.first_sent_at == state.last_sent_at
    assert (state.status, state.open_sends, state.in_doubt) == ("calling", 1, True)


async def test_a_later_send_does_not_restart_the_horizon(slots: SlotsWorld) -> None:
    first = await open_send(slots, "t1")
    second = await open_send(slots, "t2")

    state = await state_of(slots)
    assert second.first_sent_at == first.first_sent_at == state.first_sent_at
    assert (state.last_sent_at, state.open_sends) == (second.sent_at, 2)


async def test_a_repeated_call_with_the_same_token_is_the_same_send(slots: SlotsWorld) -> None:
    first = await open_send(slots, "t1")
    again = await open_send(slots, "t1")

    assert again.first_sent_at == first.first_sent_at
    assert (await state_of(slots)).open_sends == 1
    await slots.requests.end_send(CLAIM, "t1", SendEnd.NOT_CONNECTED)
    assert (await state_of(slots)).first_sent_at is None


async def test_a_send_counts_its_attempt(slots: SlotsWorld) -> None:
    await slots.requests.claim(CLAIM)
    await slots.requests.send(CLAIM, send_for(attempt=7))

    record = slots.store.get(CLAIM.slot)
    assert record is not None
    assert (record.status, record.attempts) == ("calling", 7)


@pytest.mark.parametrize(("before_horizon_s", "goes"), [(60, True), (-60, False)])
async def test_no_send_begins_past_the_horizon(
    slots: SlotsWorld, before_horizon_s: float, goes: bool
) -> None:
    first_sent_at = slots.now_s() - HORIZON_S + before_horizon_s
    old = replace(CLAIM, first_sent_at=first_sent_at)
    await slots.requests.claim(old)

    answer = await slots.requests.send(old, send_for())

    if goes:
        assert isinstance(answer, Go)
        assert answer.first_sent_at == first_sent_at
    else:
        assert answer is NoSend.PAST_HORIZON
        assert (await state_of(slots)).open_sends == 0


async def test_a_closed_request_is_not_sent(slots: SlotsWorld) -> None:
    await slots.requests.claim(CLAIM)
    await slots.requests.close(CLAIM, LATE)

    assert await slots.requests.send(CLAIM, send_for()) is NoSend.CLOSED
    assert (await state_of(slots)).first_sent_at is None


@pytest.mark.parametrize("outcome", [DONE, REFUSED])
async def test_a_request_with_a_final_status_is_not_sent(
    slots: SlotsWorld, outcome: object
) -> None:
    await slots.requests.claim(CLAIM)
    await slots.requests.write_status(entry_of(CLAIM, outcome))  # type: ignore[arg-type]

    assert await slots.requests.send(CLAIM, send_for()) is NoSend.PUBLISHED


async def test_a_request_with_an_unknown_outcome_may_be_sent_again(slots: SlotsWorld) -> None:
    await open_send(slots)
    await slots.outcomes.publish(entry_of(CLAIM, DOUBT))
    await slots.requests.write_status(entry_of(CLAIM, DOUBT))

    assert isinstance(await slots.requests.send(CLAIM, send_for("t2")), Go)


async def test_a_published_outcome_without_its_status_stops_a_send(slots: SlotsWorld) -> None:
    await slots.requests.claim(CLAIM)
    await slots.outcomes.publish(entry_of(CLAIM, DONE))

    assert await slots.requests.send(CLAIM, send_for()) is NoSend.PUBLISHED


@pytest.mark.parametrize("why", ["closed", "horizon", "account"])
async def test_a_published_outcome_is_reported_before_any_other_refusal_of_the_send(
    slots: SlotsWorld, why: str
) -> None:
    """The published outcome comes first, because a close or a wait would park the message of a settled request."""
    long_ago = slots.now_s() - HORIZON_S - 60
    claim = replace(CLAIM, first_sent_at=long_ago) if why == "horizon" else CLAIM
    await slots.requests.claim(claim)
    if why == "closed":
        await slots.requests.close(claim, LATE)
    if why == "account":
        await slots.requests.send(claim, send_for("t0", account_for("acct_2", key_sha256="key-2")))
    await slots.outcomes.publish(entry_of(claim, DONE))

    assert await slots.requests.send(claim, send_for()) is NoSend.PUBLISHED


async def test_another_worker_s_outcome_under_the_same_id_does_not_stop_a_send(
    slots: SlotsWorld,
) -> None:
    await slots.outcomes.publish(entry_of(replace(CLAIM, worker_id="w2"), DONE))

    await open_send(slots)


async def test_a_send_from_an_unclaimed_slot_is_refused(slots: SlotsWorld) -> None:
    assert await slots.requests.send(CLAIM, send_for()) is NoSend.NOT_OWNED
    assert await slots.requests.find(CLAIM) is None


async def test_a_send_from_another_request_s_slot_is_refused(slots: SlotsWorld) -> None:
    await slots.requests.claim(CLAIM)
    before = await state_of(slots)

    other = replace(CLAIM, fingerprint="f1:other")

    assert await slots.requests.send(other, send_for()) is NoSend.NOT_OWNED
    assert await state_of(slots) == before


async def test_another_request_changes_nothing_in_a_slot_it_does_not_hold(
    slots: SlotsWorld,
) -> None:
    await open_send(slots)
    before, record = await state_of(slots), slots.store.get(CLAIM.slot)
    other = replace(CLAIM, fingerprint="f1:other")

    for end in SendEnd:
        await slots.requests.end_send(other, "t1", end)
    assert await slots.requests.close(other, LATE, token="t1") is Disputed.MAYBE_EXECUTED
    await slots.requests.mark_retrying(other, slots.now_s() + 60, attempts=9)
    await slots.requests.accept_account(other, account_for("acct_2"))
    slots.store.mark_queued([other])

    assert await state_of(slots) == before
    assert slots.store.get(CLAIM.slot) == record


async def test_an_empty_slot_stays_empty_until_it_is_claimed(slots: SlotsWorld) -> None:
    for end in SendEnd:
        await slots.requests.end_send(CLAIM, "t1", end)
    assert await slots.requests.close(CLAIM, LATE) is Disputed.MAYBE_EXECUTED
    await slots.requests.mark_retrying(CLAIM, slots.now_s() + 60, attempts=9)
    await slots.requests.accept_account(CLAIM, account_for("acct_2"))

    assert await slots.requests.find(CLAIM) is None
    assert slots.store.get(CLAIM.slot) is None


# The account

OTHERS = {
    "another id and key": account_for("acct_2", key_sha256="key-2"),
    "another mode": account_for(mode="live"),
    "another Stripe-Account": account_for(stripe_account="acct_9"),
    "another Stripe-Context": account_for(stripe_context="acct_9"),
    "a key that may not ask": account_for(None, key_sha256="key-2"),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS.keys())
async def test_no_other_account_gets_a_send_while_one_is_open(
    slots: SlotsWorld, other: AccountBinding
) -> None:
    await open_send(slots)

    assert await slots.requests.send(CLAIM, send_for("t2", other)) is NoSend.OTHER_ACCOUNT
    state = await state_of(slots)
    assert (state.account, state.open_sends) == (account_for(), 1)


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS.keys())
async def test_no_other_account_gets_a_send_while_the_latch_is_set(
    slots: SlotsWorld, other: AccountBinding
) -> None:
    await open_send(slots)
    await slots.requests.end_send(CLAIM, "t1", SendEnd.REFUSED)
    await slots.requests.claim(replace(CLAIM, maybe_executed=True))

    assert await slots.requests.send(CLAIM, send_for("t2", other)) is NoSend.OTHER_ACCOUNT
    assert (await state_of(slots)).account == account_for()


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS.keys())
async def test_a_request_without_open_send_or_latch_moves_to_another_account(
    slots: SlotsWorld, other: AccountBinding
) -> None:
    await open_send(slots)
    await slots.requests.end_send(CLAIM, "t1", SendEnd.REFUSED)

    assert isinstance(await slots.requests.send(CLAIM, send_for("t2", other)), Go)
    assert (await state_of(slots)).account == other


SAME = {
    "a new key of the account": account_for(key_sha256="key-2"),
    "the same key, which may not ask any more": account_for(None),
    "the same": account_for(),
}


@pytest.mark.parametrize("same", SAME.values(), ids=SAME.keys())
async def test_the_same_account_gets_a_send_while_the_latch_is_set(
    slots: SlotsWorld, same: AccountBinding
) -> None:
    await open_send(slots)
    await slots.requests.end_send(CLAIM, "t1", SendEnd.UNKNOWN)

    assert isinstance(await slots.requests.send(CLAIM, send_for("t2", same)), Go)


async def test_an_account_id_is_added_and_kept(slots: SlotsWorld) -> None:
    mute, known = account_for(None), account_for("acct_1")
    bound = []
    await slots.requests.claim(CLAIM)
    for token, account in (("t1", mute), ("t2", known), ("t3", mute)):
        assert isinstance(await slots.requests.send(CLAIM, send_for(token, account)), Go)
        bound.append((await state_of(slots)).account)

    assert bound == [mute, known, known]
    rotated = account_for("acct_1", key_sha256="key-2")
    assert isinstance(await slots.requests.send(CLAIM, send_for("t4", rotated)), Go)


async def test_accept_account_binds_the_slot_to_another_account(slots: SlotsWorld) -> None:
    await open_send(slots)
    await slots.requests.end_send(CLAIM, "t1", SendEnd.UNKNOWN)
    rotated = account_for(None, key_sha256="key-2")
    assert await slots.requests.send(CLAIM, send_for("t2", rotated)) is NoSend.OTHER_ACCOUNT

    await slots.requests.accept_account(CLAIM, rotated)

    assert (await state_of(slots)).account == rotated
    assert isinstance(await slots.requests.send(CLAIM, send_for("t2", rotated)), Go)


async def test_the_account_of_a_request_with_a_final_status_stays(slots: SlotsWorld) -> None:
    await open_send(slots)
    await slots.requests.write_status(entry_of(CLAIM, DECLINED))

    await slots.requests.accept_account(CLAIM, account_for("acct_2"))

    assert (await state_of(slots)).account == account_for()


# The end of a send


async def test_a_refused_send_is_closed_and_does_not_set_the_latch(slots: SlotsWorld) -> None:
    await open_send(slots)

    await slots.requests.end_send(CLAIM, "t1", SendEnd.REFUSED)

    state = await state_of(slots)
    assert (state.open_sends, state.in_doubt) == (0, False)
    assert state.first_sent_at is not None


async def test_an_unknown_outcome_leaves_the_send_open_and_sets_the_latch(
    slots: SlotsWorld,
) -> None:
    await open_send(slots)

    await slots.requests.end_send(CLAIM, "t1", SendEnd.UNKNOWN)

    state = await state_of(slots)
    assert (state.open_sends, state.maybe_executed) == (1, True)


async def test_the_latch_outlives_a_later_refusal(slots: SlotsWorld) -> None:
    await open_send(slots, "t1")
    await slots.requests.end_send(CLAIM, "t1", SendEnd.UNKNOWN)
    await open_send(slots, "t2")
    await slots.requests.end_send(CLAIM, "t2", SendEnd.REFUSED)

    assert (await state_of(slots)).in_doubt


async def test_a_connection_that_was_never_made_resets_the_horizon(slots: SlotsWorld) -> None:
    await open_send(slots)

    await slots.requests.end_send(CLAIM, "t1", SendEnd.NOT_CONNECTED)

    state = await state_of(slots)
    assert (state.first_sent_at, state.last_sent_at, state.in_doubt) == (None, None, False)


@pytest.mark.parametrize("other_ended", [None, *SendEnd])
async def test_the_horizon_is_not_reset_after_another_send_began(
    slots: SlotsWorld, other_ended: SendEnd | None
) -> None:
    first = await open_send(slots, "t1")
    await open_send(slots, "t2")
    if other_ended is not None:
        await slots.requests.end_send(CLAIM, "t2", other_ended)

    await slots.requests.end_send(CLAIM, "t1", SendEnd.NOT_CONNECTED)

    assert (await state_of(slots)).first_sent_at == first.first_sent_at


async def test_only_the_send_that_started_the_horizon_can_reset_it(slots: SlotsWorld) -> None:
    first = await open_send(slots, "t1")

    await slots.requests.end_send(CLAIM, "never began", SendEnd.NOT_CONNECTED)

    state = await state_of(slots)
    assert (state.first_sent_at, state.open_sends) == (first.first_sent_at, 1)


async def test_a_late_end_of_a_send_that_was_taken_back_does_not_reset_the_next_one_s_horizon(
    slots: SlotsWorld,
) -> None:
    await open_send(slots, "t1")
    await slots.requests.end_send(CLAIM, "t1", SendEnd.NOT_CONNECTED)
    second = await open_send(slots, "t2")

    await slots.requests.end_send(CLAIM, "t1", SendEnd.NOT_CONNECTED)

    state = await state_of(slots)
    assert (state.first_sent_at, state.open_sends) == (second.first_sent_at, 1)


@pytest.mark.parametrize("doubt", ["an open send", "the latch"])
async def test_a_delete_of_a_place_is_not_sent_while_another_send_may_have_had_an_effect(
    slots: SlotsWorld, doubt: str
) -> None:
    await open_send(slots, "t0")
    if doubt == "the latch":
        await slots.requests.end_send(CLAIM, "t0", SendEnd.UNKNOWN)

    assert await slots.requests.send(CLAIM, send_for(rule=Repeat.UNTIL_DOUBT)) is NoSend.IN_DOUBT
    assert (await state_of(slots)).open_sends == 1


async def test_a_delete_of_a_place_is_sent_again_after_a_refusal(slots: SlotsWorld) -> None:
    await open_send(slots, "t0")
    await slots.requests.end_send(CLAIM, "t0", SendEnd.REFUSED)

    once = send_for("t1", rule=Repeat.UNTIL_DOUBT)
    assert isinstance(await slots.requests.send(CLAIM, once), Go)
    assert isinstance(await slots.requests.send(CLAIM, once), Go)


@pytest.mark.parametrize("rule", Repeat)
async def test_only_a_post_is_sent_after_its_unknown_outcome_was_published(
    slots: SlotsWorld, rule: Repeat
) -> None:
    await slots.requests.claim(CLAIM)
    await slots.outcomes.publish(entry_of(CLAIM, DOUBT))

    answer = await slots.requests.send(CLAIM, send_for(rule=rule))
    assert isinstance(answer, Go) if rule is Repeat.KEYED else answer is NoSend.TOLD


async def test_a_delete_of_an_id_is_sent_again_in_doubt(slots: SlotsWorld) -> None:
    await open_send(slots, "t0")
    again = send_for(rule=Repeat.UNTIL_TOLD)
    assert isinstance(await slots.requests.send(CLAIM, again), Go)
