"""Shared parts of the slot tests: the callers' and the API's side of a slot, in memory and on Redis, and its inputs."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paydispatch.adapters.redis.connection import connect, connect_async
from paydispatch.adapters.redis.requests.request_slots import RedisRequests
from paydispatch.adapters.redis.requests.request_store import RedisRequestStore
from paydispatch.adapters.redis.streams.outcomes import RedisOutcomes
from paydispatch.domain.claims import Claim, Send
from paydispatch.domain.entry import OutcomeEntry
from paydispatch.domain.identity.slots import slot_name
from paydispatch.domain.outcomes import Certainty, Error, ErrorKind, Outcome, Response
from paydispatch.domain.stripe.accounts import AccountBinding
from paydispatch.domain.stripe.repeats import Repeat
from paydispatch.testing.memory_clock import MemoryClock
from paydispatch.testing.memory_outcomes import MemoryOutcomes
from paydispatch.testing.memory_requests import MemoryRequests, MemoryRequestStore, MemorySlots

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from paydispatch.ports import OutcomeStream, RequestSlots, RequestStore

TENANT = "local"
"""The queue's tenant in these tests."""

DONE = Response(body={"id": "prod_1"}, attempts=1)
REFUSED = Error(
    kind=ErrorKind.API, message="No.", attempts=1, certainty=Certainty.NOT_CREATED, code="refused"
)
LATE = Error(
    kind=ErrorKind.DISPATCHER, message="Late.", attempts=0, certainty=Certainty.NOT_CREATED
)
DECLINED = Error(
    kind=ErrorKind.API,
    message="Declined.",
    attempts=2,
    certainty=Certainty.NOT_CREATED,
    answered=True,
)
DOUBT = Error(kind=ErrorKind.HTTP, message="No answer.", attempts=3, certainty=Certainty.UNKNOWN)


@dataclass(frozen=True)
class SlotsWorld:
    """The caller's side of the request's slot, the API's side of it, and the worker's slot."""

    requests: RequestSlots
    store: RequestStore
    outcomes: OutcomeStream
    now_s: Callable[[], float]
    """The clock that times the sends: the clock of the twin, or that of Redis on the same machine."""
    clock: MemoryClock
    """The clock of this process."""


def memory_world() -> SlotsWorld:
    """Make a world of twins. It starts at the machine's time, so that times mean the same in both worlds."""
    clock, slots = MemoryClock(time.time()), MemorySlots()
    outcomes = MemoryOutcomes(clock, queue_tenant=TENANT)
    requests = MemoryRequests(clock, outcomes, slots, queue_tenant=TENANT)
    return SlotsWorld(requests, MemoryRequestStore(slots), outcomes, clock.now_s, clock)


@asynccontextmanager
async def redis_world(url: str) -> AsyncIterator[SlotsWorld]:
    clock = MemoryClock(time.time())
    redis, api_redis = connect_async(url), connect(url)
    requests = RedisRequests(redis, clock, queue_tenant=TENANT)
    store = RedisRequestStore(api_redis, clock)
    outcomes = RedisOutcomes(redis, queue_tenant=TENANT)
    yield SlotsWorld(requests, store, outcomes, time.time, clock)
    api_redis.close()
    await redis.aclose()


def claim_for(request_id: str = "r1", *, tenant: str = TENANT, **changed: Any) -> Claim:
    """Make the claim of a request for a product. Another `fingerprint` makes it another request under the same id."""
    fields = {
        "slot": slot_name(tenant, request_id, TENANT),
        "worker_slot": slot_name(tenant, "w1", TENANT),
        "fingerprint": "f1:tea",
        "tenant": tenant,
        "principal": tenant,
        "worker_id": "w1",
        "context_id": "c1",
        "operation": "create_product",
        "object": "product",
        "accepted_at": time.time(),
    }
    return Claim(request_id=request_id, **{**fields, **changed})


def account_for(account_id: str | None = "acct_1", **changed: Any) -> AccountBinding:
    """Make the binding of an account. None: its key may not read the account id."""
    fields = {"mode": "test", "key_sha256": "key-1"}
    return AccountBinding(account_id=account_id, **{**fields, **changed})


def send_for(
    name: str = "t1",
    account: AccountBinding | None = None,
    attempt: int = 1,
    rule: Repeat = Repeat.KEYED,
) -> Send:
    return Send(token=name, account=account or account_for(), attempt=attempt, rule=rule)


def entry_of(claim: Claim, outcome: Outcome) -> OutcomeEntry:
    """Make the entry with this outcome for the request of `claim`."""
    return OutcomeEntry(
        request_id=claim.request_id,
        tenant=claim.tenant,
        fingerprint=claim.fingerprint,
        principal=claim.principal,
        object=claim.object,
        operation=claim.operation,
        worker_id=claim.worker_id,
        context_id=claim.context_id,
        params={"name": "Tea"},
        outcome=outcome,
        settled_at=1_800_000_000.5,
    )
