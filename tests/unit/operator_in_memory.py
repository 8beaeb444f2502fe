"""The ports of an operator's commands in memory, for commands that run here and in a function."""

from __future__ import annotations

import asyncio
import io
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from tests.unit.examples import KEY, NOW_S, entry, envelope, make_failure
from tests.unit.handlers.conftest import Context

from paydispatch.cli.remote import OperatorFunction
from paydispatch.domain.claims import claim_of
from paydispatch.domain.limits import REMEMBER_S
from paydispatch.domain.operators.diagnosis import OpenRequest
from paydispatch.domain.operators.erasure import Conversation
from paydispatch.domain.operators.recent import RecentRequest
from paydispatch.domain.outcomes import Certainty
from paydispatch.domain.progress import Progress
from paydispatch.domain.rates.limits import NO_LIMITS
from paydispatch.handlers.operators import OperatorHandler
from paydispatch.handlers.reconciler import ReconcilerHandler
from paydispatch.ports import QueueDepth
from paydispatch.services.dead_flows import DeadFlows
from paydispatch.services.doctor import Doctor
from paydispatch.services.forget import Forgetter
from paydispatch.services.operate.reconciling import RECONCILE
from paydispatch.services.reconcile import ReconcilePorts, Reconciler
from paydispatch.services.redrive import Redriver
from paydispatch.services.redrive_message import RedrivePorts
from paydispatch.services.trace import TracePorts
from paydispatch.testing.memory_clock import MemoryClock
from paydispatch.testing.memory_conversations import (
    MemoryConversations,
    StoredOutcome,
    StoredRequest,
)
from paydispatch.testing.memory_dead_streams import MemoryDeadStreams
from paydispatch.testing.memory_doorbells import MemoryDoorbell
from paydispatch.testing.memory_doubts import MemoryDoubts
from paydispatch.testing.memory_event_log import MemoryEventLog
from paydispatch.testing.memory_inbox import MemoryInbox
from paydispatch.testing.memory_limiter import MemoryKeyBreakers, MemoryLimitBoard, MemoryLimiter
from paydispatch.testing.memory_operations import (
    MemoryBacklog,
    MemoryDeadLetters,
    MemoryQueueDepths,
    MemoryStripeLists,
    MemoryUnknownOutcomes,
)
from paydispatch.testing.memory_outcomes import MemoryOutcomes
from paydispatch.testing.memory_queues import MemoryAsyncLookQueue, MemoryAsyncQueue
from paydispatch.testing.memory_recent import MemoryRecent
from paydispatch.testing.memory_requests import MemoryRequests, MemoryRequestStore, Slot
from paydispatch.testing.memory_sealing import MemorySealer, MemoryVault
from paydispatch.testing.memory_stripe import MemoryAccounts
from paydispatch.testing.memory_traces import MemoryTraces

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from paydispatch.domain.entry import OutcomeEntry
    from paydispatch.domain.envelope import Envelope
    from paydispatch.ports import Doubts, LimitBoard, Recent, RequestStore
    from paydispatch.services.operate.ports import Document, Slice
    from paydispatch.services.redrive_message import RedriveOptions

ARN = "arn:aws:sts::111122223333:assumed-role/oncall/ada"
TENANT = "local"


def recent(request_id: str, status: str, **fields: Any) -> RecentRequest:
    known: dict[str, Any] = {
        "tenant": None,
        "worker_id": "worker-1",
        "context_id": "order-1",
        "operation": "create_product",
        "at": NOW_S - 60,
    }
    return RecentRequest(request_id=request_id, status=status, **(known | fields))


class MemoryOperatorPorts:
    """`OperatorPorts` over the in-memory ports."""

    queue_tenant = TENANT

    def __init__(self, slice_: Slice | None = None) -> None:
        self.slice = slice_
        self.clock = MemoryClock()
        self.log = MemoryEventLog()
        self.outcomes = MemoryOutcomes(self.clock)
        self.requests = MemoryRequests(self.clock, self.outcomes)
        self.limiter = MemoryLimiter(self.clock)
        self.breakers = MemoryKeyBreakers(self.clock)
        self.board = MemoryLimitBoard(self.limiter, self.breakers)
        self.known_doubts = MemoryDoubts(self.clock)
        self.backlog = MemoryBacklog()
        self.dead_letters = MemoryDeadLetters()
        self.queue = MemoryAsyncQueue()
        self.conversations = MemoryConversations()
        self.inbox = MemoryInbox(self.clock)
        self.dead_streams = MemoryDeadStreams(self.inbox, self.clock)
        self.doorbell = MemoryDoorbell()
        self.recent_requests = MemoryRecent()

    @asynccontextmanager
    async def limit_board(self, *, reads_only: bool = False) -> AsyncIterator[LimitBoard]:
        del reads_only
        yield self.board

    def request_store(self) -> RequestStore:
        return MemoryRequestStore(self.requests.store)

    @asynccontextmanager
    async def doubts(self) -> AsyncIterator[Doubts]:
        yield self.known_doubts

    @asynccontextmanager
    async def trace(self) -> AsyncIterator[TracePorts]:
        traces = MemoryTraces(self.requests.store, self.inbox)
        yield TracePorts(traces=traces, doubts=self.known_doubts, limits=self.board)

    @asynccontextmanager
    async def doctor(self) -> AsyncIterator[Doctor]:
        depths = MemoryQueueDepths(
            QueueDepth(name="dead letters", waiting=3, in_flight=0, delayed=0)
        )
        unknown = MemoryUnknownOutcomes(self.outcomes)
        yield Doctor(self.backlog, unknown, depths, self.board, self.known_doubts, self.clock)

    @asynccontextmanager
    async def recent(self) -> AsyncIterator[Recent]:
        yield self.recent_requests

    @asynccontextmanager
    async def redriver(self, options: RedriveOptions | None = None) -> AsyncIterator[Redriver]:
        ports = RedrivePorts(
            dead_letters=self.dead_letters,
            queue=self.queue,
            requests=self.requests,
            outcomes=self.outcomes,
            doorbell=MemoryDoorbell(),
            clock=self.clock,
            log=self.log,
            queue_tenant=TENANT,
        )
        yield Redriver(ports, options)

    @asynccontextmanager
    async def dead_flows(self) -> AsyncIterator[DeadFlows]:
        yield DeadFlows(streams=self.dead_streams, doorbell=self.doorbell, clock=self.clock)

    @asynccontextmanager
    async def forgetter(self) -> AsyncIterator[Forgetter]:
        yield Forgetter(self.conversations, self.dead_letters, TENANT)

    async def reconcile(self, arguments: Mapping[str, Any]) -> Document:
        """Ask the handler of the reconciler's function."""
        service: Any = self.reconciler()
        handler = ReconcilerHandler(
            sweeper=service, looker=service, settler=service, reconciler=service, log=self.log
        )
        event = json.loads(json.dumps({"command": RECONCILE, "arguments": dict(arguments)}))
        return await handler(event, Context())  # type: ignore[arg-type]

    def reconciler(self) -> Reconciler:
        ports = ReconcilePorts(
            unknown_outcomes=MemoryUnknownOutcomes(self.outcomes, self.requests),
            requests=self.requests,
            lists=MemoryStripeLists(self.clock),
            accounts=MemoryAccounts(),
            limiter=MemoryLimiter(self.clock, NO_LIMITS),
            vault=MemoryVault(MemorySealer(), {(TENANT, "shop"): KEY}),
            outcomes=self.outcomes,
            doorbell=MemoryDoorbell(),
            doubts=self.known_doubts,
            look_queue=MemoryAsyncLookQueue(),
            clock=self.clock,
            log=self.log,
        )
        return Reconciler(ports)

    # What a test puts in

    def bury(
        self,
        request_id: str = "pdr_1",
        context_id: str = "context-1",
        reason: str = "OSError: no database",
        **fields: Any,
    ) -> None:
        """Put the flow of an entry on the dead stream."""
        outcome = entry(request_id=request_id, context_id=context_id, **fields)
        self.inbox.put(outcome)
        asyncio.run(self._give_up_next(outcome, reason))

    async def _give_up_next(self, outcome: OutcomeEntry, reason: str) -> None:
        (turn,) = await self.inbox.take(outcome.worker_id, at_most=1)
        await self.inbox.move_to_dead_stream(turn, reason=reason, successor=None, take_next=False)

    def park(self, request_id: str = "pdr_1", status: str | None = "unknown") -> str:
        progress = Progress(deadline_at=NOW_S, attempt=4, maybe_executed=True, first_sent_at=NOW_S)
        parked = envelope(request_id=request_id, progress=progress)
        if status:
            self.slot(parked, status=status, maybe_executed=True, first_sent_at=NOW_S)
        return self.dead_letters.put(parked.as_message(), sent_at=NOW_S, reason="timeout")

    def slot(self, asked: Envelope, **fields: Any) -> None:
        claim = claim_of(asked, TENANT, NOW_S)
        self.requests.store.slots[claim.slot] = Slot(claim, **fields)

    def publish_unknown(self, request_id: str) -> None:
        unknown = make_failure(certainty=Certainty.UNKNOWN, attempts=3)
        asyncio.run(
            self.outcomes.publish(
                entry(request_id=request_id, outcome=unknown, settled_at=NOW_S - 60)
            )
        )

    def fill(self) -> None:
        """Put in something of each kind."""
        self.slot(envelope(request_id="pdr_open"), status="dispatched")
        self.slot(envelope(request_id="pdr_other"), status="unknown")
        for number in range(5):
            self.park(f"pdr_{number}", "succeeded" if number % 2 else "unknown")
        self.dead_letters.put(f'{{"stripe_secret": "{KEY}"', sent_at=NOW_S)
        self.publish_unknown("pdr_unknown")
        for number in range(1, 6):
            self.bury(f"pdr_dead_{number}", f"context-{number % 2}", sealed_secret="1.sealed")
        self.bury("pdr_dead_old", settled_at=NOW_S - REMEMBER_S)
        self.backlog.open.append(
            OpenRequest(request_id="pdr_open", worker_id="worker-1", known_since=NOW_S - 900)
        )
        asyncio.run(self.board.pause("live acct_1", None, by="alice"))
        asyncio.run(self.board.set_limit("test acct_2", "create_product", 7))
        self.recent_requests.open.append(recent("pdr_open", "dispatched", context_id="order-2"))
        self.recent_requests.outcomes.append(recent("pdr_1", "succeeded", why=KEY))
        whose = Conversation(context_id="ada", tenant=TENANT, worker_id="w")
        self.conversations.stored["pdr_ada"] = StoredRequest(whose, settled=True)
        self.conversations.outcomes["w"] = [StoredOutcome(whose, finished=False)]


class FunctionInMemory:
    """The client of Lambda, with the operator's function behind it. It passes on nothing but JSON."""

    def __init__(self, ports: MemoryOperatorPorts) -> None:
        self.ports = ports
        self.asked: list[Any] = []
        self.answers: list[Any] = []

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803
        assert FunctionName == "operators"
        event = json.loads(Payload)
        self.asked.append(event)
        handler: Any = OperatorHandler(self.ports, self.ports.log)
        answer = json.dumps(asyncio.run(handler(event, Context())))
        self.answers.append(json.loads(answer))
        return {"Payload": io.BytesIO(answer.encode())}

    def connected(self, _: str) -> OperatorFunction:
        client: Any = self
        return OperatorFunction(client, "operators", ARN)
