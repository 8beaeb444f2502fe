"""The services over in-memory ports. The clock moves only when a service sleeps or a test advances it."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.examples import KEY, SECRET_REF, entry

from paydispatch.domain.flow_retry import Retry
from paydispatch.domain.identity.principal import LOCAL, Principal
from paydispatch.domain.rates.limits import NO_LIMITS
from paydispatch.domain.stripe.stripe_version import STRIPE_API_VERSION
from paydispatch.services.accept import Acceptor
from paydispatch.services.call_batch import BatchCall, Message
from paydispatch.services.calls.call import CallPorts
from paydispatch.services.flow_runs.ports import FlowPolicy, FlowPorts
from paydispatch.services.run_flows import FlowRunner
from paydispatch.testing.memory_clock import MemoryClock
from paydispatch.testing.memory_doorbells import MemoryDoorbell
from paydispatch.testing.memory_doubts import MemoryDoubts
from paydispatch.testing.memory_event_log import MemoryEventLog
from paydispatch.testing.memory_inbox import MemoryInbox
from paydispatch.testing.memory_limiter import MemoryKeyBreakers, MemoryLimiter
from paydispatch.testing.memory_operations import MemoryStripeLists, MemoryUnknownOutcomes
from paydispatch.testing.memory_outcomes import MemoryOutcomes
from paydispatch.testing.memory_queues import (
    MemoryAsyncLookQueue,
    MemoryAsyncQueue,
    MemoryRequestQueue,
)
from paydispatch.testing.memory_requests import MemoryRequests, MemoryRequestStore, MemorySlots
from paydispatch.testing.memory_scripts import MemoryScripts
from paydispatch.testing.memory_sealing import MemorySealer, MemoryVault
from paydispatch.testing.memory_stripe import MemoryAccounts, MemoryStripe

if TYPE_CHECKING:
    from collections.abc import Callable

    from paydispatch.domain.attempts import Attempt
    from paydispatch.domain.entry import OutcomeEntry
    from paydispatch.domain.envelope import Envelope
    from paydispatch.domain.requests import OperationRequest
    from paydispatch.flow import FlowScripts
    from paydispatch.services.accept import Accepted


class Api:
    """The service of the API. Accepted requests are on `queue`."""

    def __init__(self) -> None:
        self.clock = MemoryClock()
        self.log = MemoryEventLog()
        self.queue = MemoryRequestQueue()
        self.sealer = MemorySealer()
        self.requests = MemoryRequestStore()
        self.acceptor = self.acceptor_for(self.queue)

    @property
    def slots(self) -> MemorySlots:
        return self.requests.store

    def acceptor_for(self, queue: MemoryRequestQueue) -> Acceptor:
        return Acceptor(
            queue=queue,
            sealer=self.sealer,
            requests=self.requests,
            clock=self.clock,
            log=self.log,
            queue_tenant="local",
        )

    def accept(self, request: OperationRequest, principal: Principal = LOCAL) -> Accepted:
        return self.acceptor.accept(request, principal)


class Caller:
    """The service of the Stripe caller. `answers` sets the answers of Stripe."""

    max_receives = 5
    queue_tenant = "local"

    def __init__(
        self, sealer: MemorySealer | None = None, slots: MemorySlots | None = None
    ) -> None:
        self.clock = MemoryClock()
        self.log = MemoryEventLog()
        self.queue = MemoryAsyncQueue()
        self.doorbell = MemoryDoorbell()
        self.outcomes = MemoryOutcomes(self.clock)
        self.requests = MemoryRequests(self.clock, self.outcomes, slots)
        self.unknown_outcomes = MemoryUnknownOutcomes(self.outcomes, self.requests)
        self.lists = MemoryStripeLists(self.clock)
        self.doubts = MemoryDoubts(self.clock)
        self.look_queue = MemoryAsyncLookQueue()
        self.accounts = MemoryAccounts()
        self.key_breakers = MemoryKeyBreakers(self.clock)
        self.limiter = MemoryLimiter(self.clock, NO_LIMITS)
        self.sealer = sealer or MemorySealer()
        self.vault = MemoryVault(self.sealer, {("local", SECRET_REF): KEY})
        self.stripe = MemoryStripe()
        self.fraction = 0.5
        self.stripe_api_version = STRIPE_API_VERSION

    def answers(self, *attempts: Attempt | Callable[[], Attempt]) -> None:
        self.stripe = MemoryStripe(*attempts)

    def service(self) -> BatchCall:
        ports = CallPorts(
            gateway=self.stripe,
            lists=self.lists,
            unknown_outcomes=self.unknown_outcomes,
            doubts=self.doubts,
            look_queue=self.look_queue,
            accounts=self.accounts,
            key_breakers=self.key_breakers,
            limiter=self.limiter,
            vault=self.vault,
            requests=self.requests,
            outcomes=self.outcomes,
            queue=self.queue,
            doorbell=self.doorbell,
            clock=self.clock,
            log=self.log,
            fraction=lambda: self.fraction,
            queue_tenant=self.queue_tenant,
            stripe_api_version=self.stripe_api_version,
        )
        return BatchCall(ports, max_receives=self.max_receives)

    def message(self, sent: Envelope | str, *, receive: int = 1, id_: str = "m-1") -> Message:
        body = sent if isinstance(sent, str) else sent.as_message()
        return Message(id_, body, receive, sent_at=self.clock.now_s())

    async def receive_all(self, *messages: Message, left_s: float = 300.0) -> list[str]:
        """Call a batch with `left_s` until the invocation is killed. Return the message ids that the queue keeps."""
        return await self.service().call(messages, ends_at=self.clock.now_s() + left_s)

    async def receive(
        self, sent: Envelope | str, *, receive: int = 1, left_s: float = 300.0
    ) -> bool:
        """Call one message. Return whether it is acknowledged."""
        return not await self.receive_all(self.message(sent, receive=receive), left_s=left_s)

    async def receive_deferred(self, *, left_s: float = 300.0) -> bool:
        """Receive the delayed copy when it is due."""
        copy, delay_s = self.queue.deferred.pop()
        self.clock.advance(delay_s)
        return await self.receive(copy, left_s=left_s)

    def set_redis_away(self, away: bool) -> None:
        self.requests.away = self.outcomes.away = away

    @property
    def outcome(self) -> Any:
        """The outcome of the only published entry."""
        (published,) = self.outcomes.entries
        return published.outcome

    def observable(self) -> str:
        """Return all text that can be read without the sealing key."""
        written = [published.as_json() for published in self.outcomes.entries]
        copies = [copy.as_message() for copy, _ in self.queue.deferred]
        lines = [json.dumps(line, default=repr) for line in self.log.lines]
        return "\n".join([*written, *copies, *map(repr, self.queue.parked), *lines])


class Runner:
    """The service of the flow runner, with functions as its scripts."""

    def __init__(self) -> None:
        self.clock = MemoryClock()
        self.log = MemoryEventLog()
        self.queue = MemoryAsyncQueue()
        self.inbox = MemoryInbox(self.clock)
        self.policy = FlowPolicy(timeout_s=5.0, retry=Retry(attempts=3))
        self.stripe_api_version = STRIPE_API_VERSION
        self.runner = self.with_scripts()

    def with_scripts(self, **scripts: Callable[..., Any]) -> FlowRunner:
        """Build the runner with `response=` and `error=` as the scripts of payment_intent, and with those of any."""
        named = {
            name if name.startswith("any_") else f"new_create_payment_intent_{name}": script
            for name, script in scripts.items()
        }
        return self.with_flows(MemoryScripts(**named))

    def with_flows(self, scripts: FlowScripts) -> FlowRunner:
        """Build the runner with these scripts."""
        ports = FlowPorts(
            inbox=self.inbox,
            scripts=scripts,
            queue=self.queue,
            clock=self.clock,
            log=self.log,
            fraction=lambda: 0.5,
            queue_tenant="local",
            stripe_api_version=self.stripe_api_version,
        )
        self.runner = FlowRunner(ports, self.policy)
        return self.runner

    def put(self, request_id: str = "pdr_1", context_id: str = "context-1", **more: Any) -> None:
        self.inbox.put(entry(request_id=request_id, context_id=context_id, **more))

    async def drain(self) -> int:
        async with asyncio.timeout(10):
            return await self.runner.drain("worker-1")

    async def drain_until_quiet(self) -> None:
        """Drain until no entry is left. Advance the clock after each drain, so that postponed entries are due."""
        for _ in range(20):
            await self.drain()
            if not self.waiting:
                return
            self.clock.advance(400)
        pytest.fail("entries are left after twenty drains")

    @property
    def waiting(self) -> list[str]:
        return [left.request_id for left in self.inbox.unfinished_entries()]

    @property
    def dead(self) -> list[OutcomeEntry]:
        return [dead_entry for dead_entry, _ in self.inbox.dead]


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def caller() -> Caller:
    return Caller()


@pytest.fixture
def runner() -> Runner:
    return Runner()
