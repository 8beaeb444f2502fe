"""The ports of one caller process: each call waits at its gate, then meets the twin behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.model.model_stripe import BROKEN_BEFORE, REFUSALS, Execution, Reply
from tests.model.stage import at_once
from tests.unit.examples import KEY, SECRET_REF

from paydispatch.adapters.memory import MemorySealer, MemoryVault
from paydispatch.adapters.memory_operations import MemoryUnknownEnds
from paydispatch.domain.attempts import Unknown, classify
from paydispatch.domain.envelope import Envelope, read_message
from paydispatch.domain.errors import CannotOpen
from paydispatch.domain.unknown_ends import CannotTell
from paydispatch.services.dispatch import DispatchPorts
from paydispatch.services.reconcile import ReconcilePorts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.model.callers import Callers
    from tests.model.stage import Process

    from paydispatch.domain.attempts import Attempt
    from paydispatch.domain.entry import OutcomeEntry
    from paydispatch.domain.outcomes import ErrorKind
    from paydispatch.domain.unknown_ends import Sighting, UnknownEnd, Window
    from paydispatch.ports import Seen


def ports_of(stage: Callers, process: Process) -> DispatchPorts:
    return DispatchPorts(
        gateway=GatedStripe(stage, process),
        vault=GatedVault(stage, process),
        outcomes=GatedOutcomes(stage, process),
        queue=GatedQueue(stage, process),
        doorbell=GatedDoorbell(stage, process),
        clock=stage.clock,
        journal=stage.journal,
        fraction=lambda: 0.5,
    )


def reconcile_ports_of(stage: Callers, process: Process) -> ReconcilePorts:
    return ReconcilePorts(
        unknown_ends=GatedUnknownEnds(stage, process),
        lists=GatedLists(stage, process),
        vault=GatedVault(stage, process),
        outcomes=GatedOutcomes(stage, process),
        doorbell=GatedDoorbell(stage, process),
        clock=stage.clock,
        journal=stage.journal,
    )


class _Gated:
    def __init__(self, stage: Callers, process: Process) -> None:
        self._stage = stage
        self._process = process


class GatedOutcomes(_Gated):
    """Redis. A publish touches two slots: it can happen in one of them alone."""

    def __init__(self, stage: Callers, process: Process) -> None:
        super().__init__(stage, process)
        self._twin = stage.outcomes

    async def begin(self, envelope: Envelope, *, by: str = "") -> Seen:
        seen: Seen = await self._gate("begin", lambda: at_once(self._twin.begin(envelope, by=by)))
        self._process.begun[envelope.request_id] += 1
        return seen

    async def waiting(self, envelope: Envelope, retry_at: float, *, by: str = "") -> None:
        await self._gate("waiting", lambda: at_once(self._twin.waiting(envelope, retry_at, by=by)))

    async def publish(self, entry: OutcomeEntry, *, sole: str | None = None) -> bool:
        def publish() -> Any:
            return at_once(self._twin.publish(entry, sole=sole))

        def without_status() -> Any:
            statuses = dict(self._twin.statuses)
            publish()
            self._twin.statuses = statuses
            self._stage.kill(self._process)

        half = {"killed between stream and status": without_status}
        return bool(await self._gate("publish", publish, **half))

    async def _gate(self, name: str, call: Any, **more: Any) -> Any:
        ways = self._stage.ways(self._process, call, **more)
        return await self._stage.call(self._process, f"redis.{name}", ways)


class GatedVault(_Gated):
    async def open(self, envelope: Envelope) -> Any:
        vault = MemoryVault(MemorySealer(), {("local", SECRET_REF): KEY})
        ways = self._stage.ways(self._process, lambda: at_once(vault.open(envelope)))
        del ways["answer lost"], ways["killed after"]  # no different from those beside them
        return await self._stage.call(
            self._process, "vault.open", {**ways, "does not open": _does_not_open}
        )


class GatedQueue(_Gated):
    async def send(self, envelopes: Sequence[Envelope]) -> None:
        raise NotImplementedError

    async def defer(self, envelope: Envelope, delay_s: float) -> None:
        body = envelope.as_message()
        await self._gate("defer", lambda: self._stage.queue.send(body, delay_s=delay_s))

    async def park(self, body: str, *, reason: str, kind: ErrorKind) -> None:
        def park() -> None:
            read = read_message(body, message_id="parked", sent_at=0.0)
            if isinstance(read, Envelope):
                self._stage.check_park(read.request_id)
            self._stage.queue.dead.append(body)

        await self._gate("park", park)

    async def _gate(self, name: str, call: Any) -> None:
        await self._stage.call(
            self._process, f"queue.{name}", self._stage.ways(self._process, call)
        )


class GatedDoorbell(_Gated):
    async def ring(self, worker_id: str) -> None:
        ways = {"done": lambda: None, "killed before": lambda: self._stage.kill(self._process)}
        await self._stage.call(self._process, "doorbell.ring", ways)


class GatedStripe(_Gated):
    """Stripe and the network to it. Answers go through the project's own `classify`."""

    async def create(self, *, params: Any, request_id: str, **rest: Any) -> Attempt:
        self._process.calling += 1
        try:
            return await self._create(params, request_id)
        finally:
            self._process.calling -= 1

    async def _create(self, params: Any, request_id: str) -> Attempt:
        met = await self._stage.call(self._process, "stripe.post", self._posts(request_id, params))
        if isinstance(met, Execution):
            met = await met.replied
        if not isinstance(met, Reply):
            attempt: Attempt = met
            return attempt
        return await self._answer(met)

    def _posts(self, request_id: str, params: Any) -> dict[str, Any]:
        self._stage.check_post(self._process, request_id)
        stripe, process = self._stage.stripe, self._process
        refusals = {name: (lambda r=reply: r) for name, reply in REFUSALS.items()}
        broken = {name: (lambda a=attempt: a) for name, attempt in BROKEN_BEFORE.items()}
        return {
            "done": lambda: stripe.receive(request_id, params),
            **refusals,
            **broken,
            "killed before": lambda: self._stage.kill(process),
        }

    async def _answer(self, reply: Reply) -> Attempt:
        ways: dict[str, Any] = {
            "done": lambda: classify(reply.http_status, reply.headers, reply.body),
            "reset": lambda: Unknown("connection reset", "connection_lost"),
            "cut off": lambda: classify(reply.http_status, {}, None),
            "killed before": lambda: self._stage.kill(self._process),
        }
        attempt: Attempt = await self._stage.call(self._process, "stripe.answer", ways)
        return attempt


class GatedUnknownEnds(MemoryUnknownEnds):
    """Redis, for the reconciler: which requests it looks for is fixed at once, what is known of each is read later."""

    def __init__(self, stage: Callers, process: Process) -> None:
        super().__init__(stage.outcomes)
        self._stage = stage
        self._process = process

    async def read(self, worker_id: str, request_id: str) -> UnknownEnd | None:
        read = super().read
        ways = self._stage.ways(self._process, lambda: at_once(read(worker_id, request_id)))
        end: UnknownEnd | None = await self._stage.call(self._process, "redis.unknown", ways)
        return end


class GatedLists(_Gated):
    async def find_created(self, *, mark: tuple[str, str], within: Window, **rest: Any) -> Sighting:
        ways = {
            "done": lambda: self._stage.stripe.listed(mark, within),
            "no answer": lambda: CannotTell("no answer"),
            "killed before": lambda: self._stage.kill(self._process),
        }
        sighting: Sighting = await self._stage.call(self._process, "stripe.list", ways)
        return sighting


def _does_not_open() -> None:
    raise CannotOpen("it does not open")
