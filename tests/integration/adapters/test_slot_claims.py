"""The contract of `RequestSlots`: the claim, and how a slot stands. The twin, Redis and a cluster keep it alike."""

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


async def test_the_first_principal_stands(slots: SlotsWorld) -> None:
    await slots.requests.claim(claim_for(principal="first"))

    assert (await slots.requests.claim(claim_for(principal="second"))).principal == "first"


async def test_the_first_claim_proves_messages_with_its_own_seal_alone(slots: SlotsWorld) -> None:
    first = claim_for(seal="of-the-first")
    await slots.requests.claim(first)
    await slots.requests.claim(claim_for(seal="of-the-second"))

    state = await slots.requests.find(first)

    assert state is not None
    assert state.proves(first)
    assert not state.proves(claim_for(seal="of-the-second"))
    assert not state.proves(claim_for(seal=None))
    assert not state.proves(claim_for(seal="of-the-first", principal="other"))


async def test_the_api_s_claim_does_not_say_that_the_queue_has_it(slots: SlotsWorld) -> None:
    slots.store.claim([claim_for()])
    before = await slots.requests.find(claim_for())
    slots.store.mark_queued([claim_for()])
    after = await slots.requests.find(claim_for())

    assert before is not None
    assert after is not None
    assert (before.queued, after.queued) == (False, True)


async def test_a_delivery_s_claim_says_that_the_queue_has_it(slots: SlotsWorld) -> None:
    await slots.requests.claim(claim_for())

    (state,) = slots.store.claim([claim_for()])

    assert (state.existed, state.queued) == (True, True)


async def test_the_latch_that_a_message_carries_stays(slots: SlotsWorld) -> None:
    await slots.requests.claim(claim_for(maybe_executed=True))

    assert (await slots.requests.claim(claim_for())).maybe_executed


@pytest.mark.parametrize("hours", [(5, 2), (2, 5)])
async def test_the_earliest_first_send_is_kept(slots: SlotsWorld, hours: tuple[int, int]) -> None:
    now_s = slots.now_s()
    for ago in hours:
        await slots.requests.claim(claim_for(first_sent_at=now_s - ago * 3600))

    assert (await slots.requests.claim(claim_for())).first_sent_at == now_s - 5 * 3600


async def test_a_first_send_that_a_message_knows_of_is_not_taken_back(slots: SlotsWorld) -> None:
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


async def test_a_message_older_than_memory_raises_no_doubt_where_its_slot_is_kept(
    slots: SlotsWorld,
) -> None:
    await slots.requests.claim(claim_for())

    state = await slots.requests.claim(claim_for(accepted_at=0.0, older_than_memory=True))

    assert (state.in_doubt, state.first_sent_at) == (False, None)


async def test_an_empty_slot_is_found_empty_and_stays_so(slots: SlotsWorld) -> None:
    assert await slots.requests.find(claim_for()) is None
    assert not (await slots.requests.claim(claim_for())).existed


async def test_a_slot_is_found_as_it_stands(slots: SlotsWorld) -> None:
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


async def test_slots_of_two_tenants_with_the_same_ids_never_touch(slots: SlotsWorld) -> None:
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


async def test_an_end_is_written_into_an_empty_slot_and_ends_what_comes_late(
    slots: SlotsWorld,
) -> None:
    await slots.requests.write_status(entry_of(claim_for(), DONE))

    assert (await slots.requests.claim(claim_for())).final
    assert await slots.requests.claim(claim_for(fingerprint="f1:other")) == SlotState(owned=False)


async def test_the_end_of_a_forgotten_request_is_not_written_for_the_one_that_has_its_id_now(
    slots: SlotsWorld,
) -> None:
    before = await slots.requests.claim(claim_for(fingerprint="f1:new"))

    await slots.requests.write_status(entry_of(claim_for(fingerprint="f1:old"), DONE))

    after = await slots.requests.find(claim_for(fingerprint="f1:new"))
    assert after == replace(before, existed=True, queued=True)


async def test_an_end_does_not_change_the_principal_that_claimed(slots: SlotsWorld) -> None:
    await slots.requests.claim(claim_for(principal="first"))

    await slots.requests.write_status(entry_of(claim_for(principal="second"), DONE))

    assert (await slots.requests.claim(claim_for())).principal == "first"


async def test_an_entry_without_a_fingerprint_ends_its_request_and_takes_no_empty_slot(
    slots: SlotsWorld,
) -> None:
    await slots.requests.claim(claim_for("r1"))
    for request_id in ("r1", "r2"):
        old = replace(entry_of(claim_for(request_id), DONE), fingerprint=None)
        await slots.requests.write_status(old)

    assert (await slots.requests.claim(claim_for("r1"))).final
    assert slots.store.get("r2") is None
