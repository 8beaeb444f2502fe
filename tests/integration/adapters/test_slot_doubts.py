"""The contract of `RequestSlots` for the message of a request in doubt, for the twin, Redis and a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.adapters.slot_worlds import (
    DECLINED,
    DONE,
    DOUBT,
    SlotsWorld,
    account_for,
    claim_for,
    entry_of,
    redis_world,
    send_for,
)

from paydispatch.domain.claims import SendEnd
from paydispatch.domain.looks.messages import EventMessage
from paydispatch.domain.looks.noted_doubts import NotedDoubt

if TYPE_CHECKING:
    from paydispatch.domain.outcomes import Outcome

CLAIM = claim_for()


def event(event_id: str) -> EventMessage:
    return EventMessage(
        event_id=event_id,
        type="payment_intent.created",
        request_id="r1",
        account="acct_9",
        livemode=True,
        created=1_700_000_000.0,
        tenant="acme",
        tries=2,
    )


async def doubted(slots: SlotsWorld) -> None:
    """Claim the request, and end a send of it unknown."""
    await slots.requests.claim(CLAIM)
    await slots.requests.send(CLAIM, send_for("t1"))
    await slots.requests.end_send(CLAIM, "t1", SendEnd.UNKNOWN)
    await slots.requests.keep_message(CLAIM, "the message")


async def doubt_of(slots: SlotsWorld) -> NotedDoubt:
    doubt = await slots.requests.find_doubt(CLAIM.slot)
    assert doubt is not None
    return doubt


async def test_the_slot_keeps_the_message_with_the_sends_and_their_account(
    slots: SlotsWorld,
) -> None:
    await doubted(slots)

    doubt = await doubt_of(slots)
    state = await slots.requests.find(CLAIM)
    assert state is not None
    assert doubt == NotedDoubt(
        request_id="r1",
        worker_slot="w1",
        fingerprint="f1:tea",
        operation=CLAIM.operation,
        status="calling",
        message="the message",
        account=account_for(),
        first_sent_at=state.first_sent_at,
        last_sent_at=state.last_sent_at,
    )


async def test_a_later_message_replaces_the_first(slots: SlotsWorld) -> None:
    await doubted(slots)
    await slots.requests.keep_message(CLAIM, "a copy")
    assert (await doubt_of(slots)).message == "a copy"


async def test_an_unknown_status_keeps_the_message(slots: SlotsWorld) -> None:
    await doubted(slots)
    await slots.requests.write_status(entry_of(CLAIM, DOUBT))
    doubt = await doubt_of(slots)
    assert (doubt.status, doubt.message, doubt.final) == ("unknown", "the message", False)


@pytest.mark.parametrize("outcome", [DONE, DECLINED])
async def test_a_final_status_drops_the_message(slots: SlotsWorld, outcome: Outcome) -> None:
    await doubted(slots)
    await slots.requests.write_status(entry_of(CLAIM, outcome))
    doubt = await doubt_of(slots)
    assert (doubt.message, doubt.final) == (None, True)


async def test_no_message_is_noted_after_a_final_status(slots: SlotsWorld) -> None:
    await doubted(slots)
    await slots.requests.write_status(entry_of(CLAIM, DONE))
    await slots.requests.keep_message(CLAIM, "late")
    assert (await doubt_of(slots)).message is None


async def test_the_message_of_another_request_is_not_noted(slots: SlotsWorld) -> None:
    await doubted(slots)
    await slots.requests.keep_message(claim_for(fingerprint="f1:other"), "another message")
    assert (await doubt_of(slots)).message == "the message"


async def test_an_event_before_the_doubt_is_returned_with_it_once(slots: SlotsWorld) -> None:
    await slots.requests.claim(CLAIM)
    assert await slots.requests.keep_event(CLAIM.slot, event("evt_1"))
    assert await slots.requests.keep_event(CLAIM.slot, event("evt_2"))
    assert await slots.requests.keep_message(CLAIM, "the message") == event("evt_2")
    assert await slots.requests.keep_message(CLAIM, "the message") is None


async def test_an_event_after_the_doubt_is_not_kept(slots: SlotsWorld) -> None:
    await doubted(slots)
    assert not await slots.requests.keep_event(CLAIM.slot, event("evt_1"))
    assert await slots.requests.keep_message(CLAIM, "the message") is None


async def test_an_event_after_a_final_status_is_not_kept(slots: SlotsWorld) -> None:
    await slots.requests.claim(CLAIM)
    assert await slots.requests.keep_event(CLAIM.slot, event("evt_1"))
    await slots.requests.write_status(entry_of(CLAIM, DONE))
    assert not await slots.requests.keep_event(CLAIM.slot, event("evt_1"))


async def test_an_event_is_not_returned_to_another_request(slots: SlotsWorld) -> None:
    await slots.requests.claim(CLAIM)
    assert await slots.requests.keep_event(CLAIM.slot, event("evt_1"))
    other = claim_for(fingerprint="f1:other")
    assert await slots.requests.keep_message(other, "another message") is None
    assert await slots.requests.keep_message(CLAIM, "the message") == event("evt_1")


async def test_an_event_makes_no_slot(slots: SlotsWorld) -> None:
    assert not await slots.requests.keep_event(CLAIM.slot, event("evt_1"))
    assert await slots.requests.find(CLAIM) is None


async def test_an_empty_slot_has_no_doubt_and_stays_empty(slots: SlotsWorld) -> None:
    await slots.requests.keep_message(CLAIM, "the message")
    assert await slots.requests.find_doubt(CLAIM.slot) is None
    assert await slots.requests.find(CLAIM) is None


async def test_a_request_without_a_doubt_has_no_message(slots: SlotsWorld) -> None:
    await slots.requests.claim(CLAIM)
    assert (await doubt_of(slots)).message is None


async def test_the_tenants_of_doubts_are_known_except_the_queue_s(slots: SlotsWorld) -> None:
    await doubted(slots)
    of_acme = claim_for(tenant="acme")
    await slots.requests.claim(of_acme)
    await slots.requests.keep_message(of_acme, "the message")
    assert list(await slots.requests.tenants_in_doubt()) == ["acme"]
    found = await slots.requests.find_doubt(of_acme.slot)
    assert found is not None
    assert (found.request_id, found.worker_slot) == ("r1", "acme w1")


async def test_a_tenant_that_an_earlier_version_noted_is_known(valkey: Any) -> None:
    async with redis_world(valkey.url) as world:
        await world.requests.keep_message(claim_for(tenant="acme"), "the message")
        with valkey.admin() as admin:
            admin.sadd("pd:tenants", "bank", "acme")
        assert list(await world.requests.tenants_in_doubt()) == ["acme", "bank"]


async def test_a_tenant_is_forgotten_25_days_after_its_newest_doubt(slots: SlotsWorld) -> None:
    for tenant, days_later in (("acme", 20), ("bank", 6), ("shop", 0)):
        await slots.requests.keep_message(claim_for(tenant=tenant), "the message")
        slots.clock.advance(days_later * 86_400)
    assert list(await slots.requests.tenants_in_doubt()) == ["bank", "shop"]
