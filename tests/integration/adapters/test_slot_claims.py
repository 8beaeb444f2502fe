"""The contract of `RequestSlots` for claims and the state of a slot, for the twin, Redis and a cluster."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.integration.adapters.slot_worlds import (
    DONE,
    REFUSED,
    SlotsWorld,
    account_for,
    claim_for,
    entry_of,
    send_for,
)

from paydispatch.domain.claims import NoSend, SendEnd, SlotState

DAY_S = 86_400


async def test_the_first_claim_takes_an_empty_slot(slots: SlotsWorld) -> None:
    state = await slots.requests.claim(claim_for())

    assert state == SlotState(owned=True, existed=False, principal="local")


async def test_the_same_request_claims_again(slots: SlotsWorld) -> None:
    await slots.requests.claim(claim_for())

    state = await slots.requests.claim(claim_for())

    assert (state.owned, state.existed, state.queued) == (True, True, True)


async def test_a_used_id_is_refused_to_another_request_which_writes_nothing(
    slots: SlotsWorld,
) -> None:
    await slots.requests.claim(claim_for())
    before = await slots.requests.find(claim_for())
    other = claim_for(
        fingerprint="f1:other", principal="x", maybe_executed=True, first_sent_at=1000.0
    )

    state = await slots.requests.claim(other)

    assert state == SlotState(owned=False)
    assert await slots.requests.find(claim_for()) == before


async def test_the_first_principal_is_kept(slots: SlotsWorld) -> None:
    await slots.requests.claim(claim_for(principal="first"))

    assert (await slots.requests.claim(claim_for(principal="second"))).principal == "first"


async def test_the_first_claim_proves_only_messages_with_its_own_seal(slots: SlotsWorld) -> None:
    first = claim_for(seal="of-the-first")
    await slots.requests.claim(first)
    await slots.requests.claim(claim_for(seal="of-the-second"))

    state = await slots.requests.find(first)

    assert state is not None
    assert state.proves(first)
    assert not state.proves(claim_for(seal="of-the-second"))
    assert not state.proves(claim_for(seal=None))
    assert not state.proves(claim_for(seal="of-the-first", principal="other"))


async def test_the_api_s_claim_does_not_mark_the_request_as_queued(slots: SlotsWorld) -> None:
    slots.store.claim([claim_for()])
    before = await slots.requests.find(claim_for())
    slots.store.mark_queued([claim_for()])
    after = await slots.requests.find(claim_for())

    assert before is not None
    assert after is not None
    assert (before.queued, after.queued) == (False, True)


async def test_a_caller_s_claim_marks_the_request_as_queued(slots: SlotsWorld) -> None:
    await slots.requests.claim(claim_for())

    (state,) = slots.store.claim([claim_for()])

    assert (state.existed, state.queued) == (True, True)


async def test_the_latch_of_a_message_is_kept(slots: SlotsWorld) -> None:
    await slots.requests.claim(claim_for(maybe_executed=True))

    assert (await slots.requests.claim(claim_for())).maybe_executed


@pytest.mark.parametrize("hours", [(5, 2), (2, 5)])
async def test_the_earliest_first_send_is_kept(slots: SlotsWorld, hours: tuple[int, int]) -> None:
    now_s = slots.now_s()
    for ago in hours:
        await slots.requests.claim(claim_for(first_sent_at=now_s - ago * 3600))

    assert (await slots.requests.claim(claim_for())).first_sent_at == now_s - 5 * 3600


async def test_a_first_send_from_a_message_is_not_taken_back(slots: SlotsWorld) -> None:
    carried = slots.now_s() - 3600
    await slots.requests.claim(claim_for())
    await slots.requests.send(claim_for(), send_for("t1"))
    await slots.requests.claim(claim_for(first_sent_at=carried))

    await slots.requests.end_send(claim_for(), "t1", SendEnd.NOT_CONNECTED)

    assert (await slots.requests.claim(claim_for())).first_sent_at == carried


async def test_a_message_older_than_memory_is_not_sent_from_an_empty_slot(
    slots: SlotsWorld,
) -> None:
    accepted_at = slots.now_s() - 24 * DAY_S
    old = claim_for(accepted_at=accepted_at, older_than_memory=True)

    state = await slots.requests.claim(old)

    assert (state.existed, state.in_doubt, state.first_sent_at) == (False, True, accepted_at)
    assert await slots.requests.send(old, send_for()) is NoSend.PAST_HORIZON
    assert state == replace(await slots.requests.claim(old), existed=False, queued=False)


async def test_a_message_older_than_memory_does_not_set_the_latch_of_an_existing_slot(
    slots: SlotsWorld,
) -> None:
    await slots.requests.claim(claim_for())

    state = await slots.requests.claim(claim_for(accepted_at=0.0, older_than_memory=True))

    assert (state.in_doubt, state.first_sent_at) == (False, None)


async def test_finding_an_empty_slot_leaves_it_empty(slots: SlotsWorld) -> None:
    assert await slots.requests.find(claim_for()) is None
    assert not (await slots.requests.claim(claim_for())).existed


async def test_finding_a_slot_returns_its_state(slots: SlotsWorld) -> None:
    await slots.requests.claim(claim_for())
    await slots.requests.send(claim_for(), send_for())

    found = await slots.requests.find(claim_for())

    assert found == await slots.requests.claim(claim_for())
    assert found is not None
    assert (found.status, found.open_sends, found.account) == ("calling", 1, account_for())
    assert found.in_doubt


async def test_another_request_s_slot_is_found_as_not_owned(slots: SlotsWorld) -> None:
    await slots.requests.claim(claim_for())

    assert await slots.requests.find(claim_for(fingerprint="f1:other")) == SlotState(owned=False)


async def test_slots_of_two_tenants_with_the_same_ids_are_separate(slots: SlotsWorld) -> None:
    ours, theirs = claim_for(), claim_for(tenant="acme", fingerprint="f1:other")
    await slots.requests.claim(ours)
    await slots.requests.send(ours, send_for())
    await slots.requests.claim(theirs)
    assert await slots.requests.close(theirs, REFUSED) == REFUSED
    await slots.outcomes.publish(entry_of(theirs, REFUSED))
    await slots.requests.write_status(entry_of(theirs, REFUSED))

    assert not await slots.outcomes.is_settled(ours.worker_slot, "r1")
    found = await slots.requests.find(ours)
    assert found is not None
    assert (found.status, found.closed, found.open_sends) == ("calling", None, 1)
    stands = slots.store.get(theirs.slot)
    assert stands is not None
    assert (stands.tenant, stands.request_id, stands.status) == ("acme", "r1", "failed")


async def test_a_status_is_written_into_an_empty_slot_and_refuses_late_claims(
    slots: SlotsWorld,
) -> None:
    await slots.requests.write_status(entry_of(claim_for(), DONE))

    assert (await slots.requests.claim(claim_for())).final
    assert await slots.requests.claim(claim_for(fingerprint="f1:other")) == SlotState(owned=False)


async def test_the_status_of_an_expired_request_is_not_written_for_another_one_under_its_id(
    slots: SlotsWorld,
) -> None:
    before = await slots.requests.claim(claim_for(fingerprint="f1:new"))

    await slots.requests.write_status(entry_of(claim_for(fingerprint="f1:old"), DONE))

    after = await slots.requests.find(claim_for(fingerprint="f1:new"))
    assert after == replace(before, existed=True, queued=True)


async def test_a_status_does_not_change_the_principal_of_the_claim(slots: SlotsWorld) -> None:
    await slots.requests.claim(claim_for(principal="first"))

    await slots.requests.write_status(entry_of(claim_for(principal="second"), DONE))

    assert (await slots.requests.claim(claim_for())).principal == "first"


async def test_an_entry_without_a_fingerprint_settles_its_request_but_takes_no_empty_slot(
    slots: SlotsWorld,
) -> None:
    await slots.requests.claim(claim_for("r1"))
    for request_id in ("r1", "r2"):
        old = replace(entry_of(claim_for(request_id), DONE), fingerprint=None)
        await slots.requests.write_status(old)

    assert (await slots.requests.claim(claim_for("r1"))).final
    assert slots.store.get("r2") is None
