"""The commands of an operator: the project's redrive and the reconciler, each behind the gates of its process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.model.asks import QUEUE_TENANT
from tests.model.caller_ports import (
    Gated,
    GatedAccounts,
    GatedLists,
    GatedOutcomes,
    GatedQueue,
    GatedRequests,
    GatedVault,
    SilentDoorbell,
)
from tests.model.stage import at_once

from paydispatch.domain.operators.redrive import Choice
from paydispatch.domain.rates.limits import NO_LIMITS
from paydispatch.services.reconcile import ReconcilePorts, Reconciler
from paydispatch.services.redrive import Redriver
from paydispatch.services.redrive_message import RedriveOptions, RedrivePorts
from paydispatch.testing.memory_doubts import MemoryDoubts
from paydispatch.testing.memory_limiter import MemoryLimiter
from paydispatch.testing.memory_operations import MemoryUnknownOutcomes
from paydispatch.testing.memory_queues import MemoryAsyncLookQueue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.model.callers import Callers
    from tests.model.stage import Process

    from paydispatch.domain.envelope import Envelope
    from paydispatch.domain.operators.redrive import Parked
    from paydispatch.domain.stripe.accounts import AccountBinding
    from paydispatch.domain.unknown_outcomes import UnknownOutcome


OPTIONS = RedriveOptions(deadline_s=1800.0)


async def redrive(stage: Callers, process: Process) -> None:
    ports = RedrivePorts(
        dead_letters=GatedDeadLetters(stage, process),
        queue=RedriveQueue(stage, process),
        requests=GatedRequests(stage, process),
        outcomes=GatedOutcomes(stage, process),
        doorbell=SilentDoorbell(),
        clock=stage.clock,
        log=stage.log,
        queue_tenant=QUEUE_TENANT,
    )
    await Redriver(ports, OPTIONS).redrive(Choice(), at_most=10)
    stage.end(process)


async def reconcile(stage: Callers, process: Process) -> None:
    ports = ReconcilePorts(
        unknown_outcomes=GatedUnknownOutcomes(stage, process),
        requests=GatedRequests(stage, process),
        lists=GatedLists(stage, process),
        accounts=GatedAccounts(stage, process),
        limiter=MemoryLimiter(stage.clock, NO_LIMITS),
        vault=GatedVault(stage, process),
        outcomes=GatedOutcomes(stage, process),
        doorbell=SilentDoorbell(),
        doubts=MemoryDoubts(stage.clock),
        look_queue=MemoryAsyncLookQueue(),
        clock=stage.clock,
        log=stage.log,
    )
    await Reconciler(ports).reconcile()
    stage.end(process)


class RedriveQueue(GatedQueue):
    async def send(self, envelopes: Sequence[Envelope]) -> None:
        def send() -> None:
            for envelope in envelopes:
                self._stage.queue.send(envelope.as_message())

        await self._command("queue.send", send)


class GatedDeadLetters(Gated):
    """The dead-letter queue. One redrive sees each message once."""

    def __init__(self, stage: Callers, process: Process) -> None:
        super().__init__(stage, process)
        self._seen: set[str] = set()

    async def receive(self) -> Sequence[Parked]:
        fresh = [one for one in self._stage.queue.dead if one.message_id not in self._seen]
        self._seen |= {one.message_id for one in fresh}
        return fresh

    async def release(self, parked: Sequence[Parked]) -> None:
        return

    async def delete(self, parked: Parked) -> None:
        await self._command("dead_letters.delete", lambda: self._stage.queue.delete_parked(parked))


class GatedUnknownOutcomes(MemoryUnknownOutcomes):
    """Redis for the reconciler. It lists the unknown requests at once and reads each of them in a later call."""

    def __init__(self, stage: Callers, process: Process) -> None:
        super().__init__(stage.redis.outcomes, stage.redis.requests)
        self._stage = stage
        self._process = process

    async def read(self, worker_slot: str, request_id: str) -> UnknownOutcome | None:
        read = super().read
        ways = self._stage.ways_to_read(
            self._process, lambda: at_once(read(worker_slot, request_id))
        )
        end: UnknownOutcome | None = await self._stage.call(self._process, "redis.unknown", ways)
        return end

    async def accept_account(
        self, worker_slot: str, request_id: str, account: AccountBinding
    ) -> None:
        raise NotImplementedError
