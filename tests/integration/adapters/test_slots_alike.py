"""Make the same random calls on the request's slot of the twin and of Redis, and compare every answer.

The twin's clock is fixed and Redis has its own clock, so times are compared by the hour. Each time either comes from a
message and is a whole number of hours old, or belongs to a send that began now.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
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
    memory_world,
    redis_world,
    send_for,
)

from paydispatch.domain.claims import Claim, Go, SendEnd, SlotState
from paydispatch.domain.looks.messages import EventMessage
from paydispatch.domain.looks.noted_doubts import NotedDoubt
from paydispatch.ports import RequestRecord

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from redis import Redis

    class ValkeyServer(Protocol):
        url: str

        def admin(self) -> Redis: ...

    Step = Callable[[SlotsWorld], Awaitable[object]]

AN_HOUR_S = 3_600

CLAIMS = (
    claim_for(seal="seal-1"),
    claim_for(fingerprint="f1:other", principal="another principal"),
    claim_for(tenant="acme"),
    claim_for(seal="seal-1").as_repeat(1),
)
MOSTLY_ONE = (CLAIMS[0],) * 6 + CLAIMS[1:]
"""Most calls concern one request, because most faults come from calls for the same request."""

ACCOUNTS = (
    account_for("acct_1"),
    account_for("acct_1", key_sha256="key-2"),
    account_for(None),
    account_for(None, key_sha256="key-2"),
    account_for("acct_2", key_sha256="key-3"),
    account_for("acct_1", mode="live"),
    account_for("acct_1", stripe_account="acct_9"),
)

claims = st.sampled_from(MOSTLY_ONE)
tokens = st.sampled_from(("t1", "t2"))
accounts = st.sampled_from(ACCOUNTS)
outcomes = st.sampled_from((DONE, DECLINED, REFUSED, LATE, DOUBT))
hours_old = st.sampled_from((None, None, None, None, 1, 5, 22, 24))
seldom = st.sampled_from((False,) * 5 + (True,))


async def make_claim(
    slots: SlotsWorld, claim: Claim, sent: int | None, latch: bool, old: bool
) -> object:
    now_s = slots.now_s()
    first_sent_at = None if sent is None else now_s - sent * AN_HOUR_S
    carried = {"first_sent_at": first_sent_at, "maybe_executed": latch, "older_than_memory": old}
    return await slots.requests.claim(
        replace(claim, accepted_at=now_s - 600 * AN_HOUR_S, **carried)
    )


async def find(slots: SlotsWorld, claim: Claim) -> object:
    return await slots.requests.find(claim)


async def send(slots: SlotsWorld, claim: Claim, token: str, account: Any) -> object:
    return await slots.requests.send(claim, send_for(token, account, attempt=2))


async def end_send(slots: SlotsWorld, claim: Claim, token: str, end: SendEnd) -> None:
    await slots.requests.end_send(claim, token, end)


async def keep_message(slots: SlotsWorld, claim: Claim, message: str) -> object:
    return await slots.requests.keep_message(claim, message)


async def keep_event(slots: SlotsWorld, claim: Claim, event_id: str) -> object:
    event = EventMessage(
        event_id=event_id,
        type="coupon.created",
        request_id=claim.request_id,
        account=None,
        livemode=False,
        created=0.0,
    )
    return await slots.requests.keep_event(claim.slot, event)


async def find_doubt(slots: SlotsWorld, claim: Claim) -> object:
    return await slots.requests.find_doubt(claim.slot)


async def close(slots: SlotsWorld, claim: Claim, token: str, error: Any) -> object:
    return await slots.requests.close(claim, error, token=token)


async def mark_retrying(slots: SlotsWorld, claim: Claim) -> None:
    await slots.requests.mark_retrying(claim, slots.now_s() + AN_HOUR_S, attempts=5)


async def write_status(slots: SlotsWorld, claim: Claim, outcome: Any) -> None:
    await slots.requests.write_status(entry_of(claim, outcome))


async def publish(slots: SlotsWorld, claim: Claim, outcome: Any) -> object:
    return await slots.outcomes.publish(entry_of(claim, outcome))


async def accept_account(slots: SlotsWorld, claim: Claim, account: Any) -> None:
    await slots.requests.accept_account(claim, account)


async def claim_at_the_api(slots: SlotsWorld, claim: Claim) -> object:
    (state,) = slots.store.claim([claim])
    return state


async def count_repeats(slots: SlotsWorld, claim: Claim, ended: int) -> object:
    (newest,) = slots.store.count_repeats([(claim, ended)])
    return newest


async def mark_queued(slots: SlotsWorld, claim: Claim) -> None:
    slots.store.mark_queued([claim])


def step(call: Callable[..., Awaitable[object]], **drawn: st.SearchStrategy[Any]) -> Any:
    """Draw a call with one of the claims and with its other arguments."""
    return st.builds(partial, st.just(call), claim=claims, **drawn)


WEIGHED = {
    step(make_claim, sent=hours_old, latch=seldom, old=seldom): 3,
    step(send, token=tokens, account=accounts): 9,
    step(end_send, token=tokens, end=st.sampled_from(SendEnd)): 6,
    step(find): 1,
    step(keep_message, message=st.sampled_from(("one", "two"))): 1,
    step(keep_event, event_id=st.sampled_from(("evt_1", "evt_2"))): 1,
    step(find_doubt): 1,
    step(close, token=tokens | st.just(""), error=st.sampled_from((LATE, REFUSED))): 1,
    step(mark_retrying): 1,
    step(write_status, outcome=outcomes): 1,
    step(publish, outcome=outcomes): 1,
    step(accept_account, account=accounts): 1,
    step(claim_at_the_api): 1,
    step(mark_queued): 1,
    step(count_repeats, ended=st.integers(0, 2)): 1,
}
"""The frequency of each call. A call that ends the request is rare, because little happens after it."""

STEPS = st.sampled_from([one for one, weight in WEIGHED.items() for _ in range(weight)]).flatmap(
    lambda drawn: drawn
)


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(STEPS, max_size=30))
def test_the_twin_and_redis_give_the_same_answers_to_random_calls(
    valkey: ValkeyServer, steps: list[Step]
) -> None:
    with valkey.admin() as admin:
        admin.flushall()  # before each example

    in_memory, on_redis = asyncio.run(drive_both(valkey.url, steps))

    assert in_memory == on_redis


async def drive_both(url: str, steps: list[Step]) -> tuple[list[object], list[object]]:
    async with redis_world(url) as on_redis:
        return await drive(memory_world(), steps), await drive(on_redis, steps)


async def drive(slots: SlotsWorld, steps: list[Step]) -> list[object]:
    """Return every answer with the state of the slot after it, and the final state of all slots."""
    answers: list[object] = []
    for ask in steps:
        answers += [await ask(slots), await find(slots, CLAIMS[0])]
    for claim in CLAIMS:
        answers.append(await slots.requests.find(claim))
        answers.append(slots.store.get(claim.slot))
        answers.append(await slots.requests.find_doubt(claim.slot))
    answers.append(await slots.requests.tenants_in_doubt())
    for claim in CLAIMS:
        answers.append(await slots.outcomes.is_settled(claim.worker_slot, claim.request_id))
        answers.append(await slots.outcomes.last_entry(claim.worker_slot, claim.request_id))
    return [by_the_hour(answer, slots.now_s()) for answer in answers]


def by_the_hour(answer: object, now_s: float) -> object:
    match answer:
        case SlotState():
            return replace(
                answer,
                first_sent_at=hours(answer.first_sent_at, now_s),
                last_sent_at=hours(answer.last_sent_at, now_s),
            )
        case NotedDoubt():
            return replace(
                answer,
                first_sent_at=hours(answer.first_sent_at, now_s),
                last_sent_at=hours(answer.last_sent_at, now_s),
            )
        case Go():
            return Go(hours(answer.sent_at, now_s) or 0, hours(answer.first_sent_at, now_s) or 0)
        case RequestRecord():
            return replace(answer, retry_at=hours(answer.retry_at, now_s))
        case _:
            return answer


def hours(at: float | None, now_s: float) -> int | None:
    return None if at is None else round((at - now_s) / AN_HOUR_S)
