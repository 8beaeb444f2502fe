"""The contract of the request's slot from the API's side, for the twin, Redis and a cluster."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from paydispatch.adapters.redis import keys
from paydispatch.adapters.redis.connection import connect, connect_async
from paydispatch.adapters.redis.requests.request_slots import RedisRequests
from paydispatch.adapters.redis.requests.request_store import RedisRequestStore
from paydispatch.domain.claims import Claim, Go, NoSend, Send, claim_of
from paydispatch.domain.entry import entry_for
from paydispatch.domain.limits import FORGOTTEN_S, REMEMBER_S
from paydispatch.domain.outcomes import Certainty, Error, ErrorKind, Response
from paydispatch.domain.progress import Progress
from paydispatch.domain.stripe.accounts import AccountBinding
from paydispatch.ports import RequestRecord
from paydispatch.testing.memory_outcomes import MemoryOutcomes
from paydispatch.testing.memory_requests import MemoryRequests, MemoryRequestStore, MemorySlots

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from redis import Redis

    from paydispatch.domain.envelope import Envelope
    from paydispatch.ports import RequestSlots, RequestStore
    from paydispatch.testing.memory_clock import MemoryClock

    Make = Callable[..., Envelope]

QUEUE_TENANT = "acme"
ACCOUNT = AccountBinding(account_id="acct_1", mode="test", key_sha256="k")


class World:
    """The callers' and the API's side of the same slots."""

    def __init__(self, store: RequestStore, caller: RequestSlots, redis: Redis | None) -> None:
        self.store = store
        self.caller = caller
        self.redis = redis
        """The Redis client, or None for the twin."""


@pytest.fixture(params=["memory", "valkey", "cluster"])
async def world(request: pytest.FixtureRequest, clock: MemoryClock) -> AsyncIterator[World]:
    if request.param == "memory":
        slots, outcomes = MemorySlots(), MemoryOutcomes(clock, queue_tenant=QUEUE_TENANT)
        caller = MemoryRequests(clock, outcomes, slots, queue_tenant=QUEUE_TENANT)
        yield World(MemoryRequestStore(slots), caller, None)
        return
    url = request.getfixturevalue(request.param).url
    redis, loop_redis = connect(url), connect_async(url)
    yield World(
        RedisRequestStore(redis, clock),
        RedisRequests(loop_redis, clock, queue_tenant=QUEUE_TENANT),
        redis,
    )
    redis.close()
    await loop_redis.aclose()


@pytest.fixture
def claim(clock: MemoryClock, envelope: Make) -> Callable[..., Claim]:
    """Make the claim of an envelope with these changes."""

    def make(request_id: str = "r1", **changed: Any) -> Claim:
        asked = envelope(request_id, **{"principal": "acme", **changed})
        return claim_of(asked, QUEUE_TENANT, clock.now_s())

    return make


def record(claim: Claim, **changed: Any) -> RequestRecord:
    """Return the status of a request that was claimed so."""
    fields = {
        "request_id": claim.request_id,
        "fingerprint": claim.fingerprint,
        "tenant": "acme",
        "object": "product",
        "operation": "create_product",
        "worker_id": "w1",
        "context_id": "c1",
        "status": "dispatched",
    }
    return RequestRecord(**{**fields, **changed})


def not_executed(**changed: Any) -> Error:
    fields = {"kind": ErrorKind.API, "message": "no", "attempts": 1}
    return Error(**{"certainty": Certainty.NOT_CREATED, **fields, **changed})


class TestClaim:
    def test_the_first_claim_takes_a_free_id(
        self, world: World, claim: Callable[..., Claim]
    ) -> None:
        (state,) = world.store.claim([claim()])

        assert (state.owned, state.existed, state.queued) == (True, False, False)
        assert (state.status, state.closed, state.in_doubt) == (None, None, False)
        assert (state.principal, state.first_sent_at) == ("acme", None)

    def test_a_repeat_of_the_same_request_owns_the_id_too(
        self, world: World, claim: Callable[..., Claim]
    ) -> None:
        world.store.claim([claim()])

        (state,) = world.store.claim([claim()])

        assert (state.owned, state.existed) == (True, True)

    @pytest.mark.parametrize(
        "change",
        [
            {"params": {"name": "Coffee"}},
            {"worker_id": "w2"},
            {"context_id": "c2"},
            {"stripe_account": "acct_2"},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_another_request_under_the_id_is_refused_and_writes_nothing(
        self, world: World, claim: Callable[..., Claim], change: dict[str, Any]
    ) -> None:
        world.store.claim([claim()])
        world.store.mark_queued([claim()])
        doubtful = replace(claim(**change), maybe_executed=True, first_sent_at=1.0)

        (refused,) = world.store.claim([doubtful])
        (state,) = world.store.claim([claim()])

        assert not refused.owned
        assert (state.maybe_executed, state.first_sent_at) == (False, None)
        assert world.store.get("r1") == record(claim())

    def test_one_id_of_two_tenants_is_two_slots(
        self, world: World, claim: Callable[..., Claim]
    ) -> None:
        ours, theirs = claim(), claim(principal="shop/checkout", context_id="c2")

        states = world.store.claim([ours, theirs])
        world.store.mark_queued([ours, theirs])

        assert [state.existed for state in states] == [False, False]
        assert world.store.get("r1") == record(ours)
        assert world.store.get("shop r1") == record(theirs, tenant="shop", context_id="c2")
        assert world.store.get("bank r1") is None

    def test_each_of_many_claims_has_its_own_answer(
        self, world: World, claim: Callable[..., Claim]
    ) -> None:
        world.store.claim([claim(f"r{n}") for n in range(0, 40, 2)])

        states = world.store.claim([claim(f"r{n}", context_id="c2") for n in range(40)])

        assert [state.owned for state in states] == [n % 2 == 1 for n in range(40)]

    def test_of_two_requests_under_one_id_in_one_call_the_first_owns_it(
        self, world: World, claim: Callable[..., Claim]
    ) -> None:
        states = world.store.claim([claim(), claim(context_id="c2"), claim()])

        assert [state.owned for state in states] == [True, False, True]

    def test_the_slot_keeps_the_latch_and_the_earliest_first_send(
        self, world: World, claim: Callable[..., Claim]
    ) -> None:
        for first_sent_at in (200.5, 100.5, 150.5):
            world.store.claim([replace(claim(), first_sent_at=first_sent_at, maybe_executed=True)])

        (state,) = world.store.claim([claim()])

        assert (state.first_sent_at, state.maybe_executed) == (100.5, True)

    async def test_a_message_older_than_redis_memory_starts_with_the_latch_set(
        self, world: World, claim: Callable[..., Claim]
    ) -> None:
        """Its slot may have expired, and the time of a send with it."""
        accepted_at = float(int(time.time()) - FORGOTTEN_S)  # by Redis' own clock
        old = claim(accepted_at=accepted_at)

        state = await world.caller.claim(old)
        sent = await world.caller.send(old, Send(token="t1", account=ACCOUNT, attempt=1))

        assert (state.existed, state.maybe_executed) == (False, True)
        assert state.first_sent_at == accepted_at
        assert sent is NoSend.PAST_HORIZON

    async def test_an_existing_slot_does_not_set_the_latch_for_an_old_message(
        self, world: World, clock: MemoryClock, claim: Callable[..., Claim]
    ) -> None:
        world.store.claim([claim()])

        state = await world.caller.claim(claim(accepted_at=clock.now_s() - FORGOTTEN_S))

        assert (state.first_sent_at, state.maybe_executed) == (None, False)

    async def test_the_api_sees_the_state_that_the_stripe_caller_wrote(
        self, world: World, claim: Callable[..., Claim]
    ) -> None:
        world.store.claim([claim()])
        await world.caller.claim(claim())
        sent = await world.caller.send(claim(), Send(token="t1", account=ACCOUNT, attempt=1))

        (state,) = world.store.claim([claim()])

        assert isinstance(sent, Go)
        assert (state.queued, state.status, state.open_sends) == (True, "calling", 1)
        assert state.account == ACCOUNT

    async def test_the_api_sees_that_a_request_ended_without_an_effect(
        self, world: World, claim: Callable[..., Claim], envelope: Make
    ) -> None:
        for request_id, answered in (("r1", False), ("r2", True)):
            await world.caller.claim(claim(request_id))
            error = not_executed(answered=answered)
            outcome = entry_for(
                envelope(request_id, principal="acme"), claim(request_id), error, 1.0
            )
            await world.caller.write_status(outcome)

        states = world.store.claim([claim("r1"), claim("r2")])

        assert [(state.status, state.answered) for state in states] == [
            ("failed", False),
            ("failed", True),
        ]

    def test_a_claim_keeps_the_slot_for_25_days_more(
        self, world: World, claim: Callable[..., Claim]
    ) -> None:
        if world.redis is None:
            pytest.skip("the twin forgets nothing")
        world.store.claim([claim()])
        world.redis.expire(keys.request("r1"), 100)

        world.store.claim([claim()])

        assert REMEMBER_S - 60 < world.redis.ttl(keys.request("r1")) <= REMEMBER_S  # type: ignore[operator]

    def test_an_empty_list_of_claims_writes_nothing(self, world: World) -> None:
        assert list(world.store.claim([])) == []
        world.store.mark_queued([])


class TestQueued:
    def test_a_request_is_found_as_soon_as_the_queue_has_it(
        self, world: World, claim: Callable[..., Claim]
    ) -> None:
        world.store.claim([claim("r1"), claim("r2")])
        assert world.store.get("r1") is None

        world.store.mark_queued([claim("r1")])

        found = [world.store.get(name) for name in ("r1", "r2", "r3")]
        assert found == [record(claim()), None, None]

    def test_a_claim_knows_whether_the_queue_has_the_request(
        self, world: World, claim: Callable[..., Claim]
    ) -> None:
        world.store.claim([claim("r1"), claim("r2")])
        world.store.mark_queued([claim("r1")])

        states = world.store.claim([claim("r1"), claim("r2")])

        assert [(state.queued, state.status) for state in states] == [
            (True, None),
            (False, None),
        ]

    async def test_the_caller_s_status_stands_in_either_order_of_writes(
        self, world: World, clock: MemoryClock, claim: Callable[..., Claim], envelope: Make
    ) -> None:
        world.store.claim([claim()])
        await world.caller.claim(claim())
        await world.caller.send(claim(), Send(token="t1", account=ACCOUNT, attempt=1))
        world.store.mark_queued([claim()])
        account = ACCOUNT.rate_account
        assert world.store.get("r1") == record(
            claim(), status="calling", attempts=1, account=account
        )

        await world.caller.mark_retrying(claim(), clock.now_s() + 5, attempts=1)
        assert world.store.get("r1") == record(
            claim(), status="retrying", attempts=1, retry_at=clock.now_s() + 5, account=account
        )

        asked = envelope(principal="acme", progress=Progress(deadline_at=clock.now_s() + 60))
        body = Response(body={"id": "prod_1"}, attempts=1)
        await world.caller.write_status(entry_for(asked, claim(), body, clock.now_s()))
        world.store.mark_queued([claim()])
        assert world.store.get("r1") == record(
            claim(), status="succeeded", attempts=1, parsed_data={"id": "prod_1"}, account=account
        )

    async def test_an_unknown_outcome_shows_its_error_until_it_is_settled(
        self, world: World, claim: Callable[..., Claim], envelope: Make
    ) -> None:
        await world.caller.claim(claim())
        doubt = not_executed(certainty=Certainty.UNKNOWN)
        asked = envelope(principal="acme")
        await world.caller.write_status(entry_for(asked, claim(), doubt, 1.0))
        unknown = world.store.get("r1")
        response = Response(body={"id": "prod_1"}, attempts=1)
        await world.caller.write_status(entry_for(asked, claim(), response, 2.0))
        settled = world.store.get("r1")

        assert unknown is not None
        assert unknown.parsed_error is not None
        assert (unknown.status, unknown.parsed_error["certainty"]) == ("unknown", "unknown")
        assert settled is not None
        assert (settled.parsed_data, settled.parsed_error) == ({"id": "prod_1"}, None)
