"""Redrive: look through the dead-letter queue, and send back what may be sent, without losing a message.

A message is deleted only when SQS has its copy, or when it is settled and that was asked for. A crash in between
leaves two copies of one identity, which is harmless. Whatever was received and not deleted is released at the end.
A message that fails is reported, and the walk goes on to the next.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from paydispatch.domain.claims import claim_of, claim_of_unread
from paydispatch.domain.entry import entry_for_malformed, error_for_malformed
from paydispatch.domain.envelope import Malformed
from paydispatch.domain.errors import Unavailable
from paydispatch.domain.limits import DEFAULT_DEADLINE_S
from paydispatch.domain.redrive import (
    AlreadySettled,
    Choice,
    GoesToReconcile,
    LacksErrorFlow,
    NotExamined,
    Parked,
    Plan,
    SendBack,
    plan_redrive,
    read_parked,
    unknown_entry,
)
from paydispatch.services.publish_outcome import close_and_publish, publish_outcome

if TYPE_CHECKING:
    from paydispatch.domain.claims import Claim
    from paydispatch.domain.envelope import Address, Envelope
    from paydispatch.ports import (
        AsyncQueue,
        Clock,
        DeadLetterQueue,
        Doorbell,
        EventLog,
        OutcomeStream,
        RequestSlots,
    )

MOST_HELD = 20_000
"""Messages that are hidden at once: SQS hides 120,000 at most."""

MOST_FAILURES = 3
"""In a row, before a store counts as away and the walk ends: each may have cost a timeout."""


class Action(StrEnum):
    LEFT = "left"
    SENT_BACK = "sent_back"
    HANDED_OVER = "handed_over"
    """To reconcile, which did not know of it. The message stays."""
    FLOW_STARTED = "flow_started"
    """Its error flow, and it is settled with that. The message stays."""
    PURGED = "purged"
    FAILED = "failed"
    """The plan says why. The message stays."""


@dataclass(frozen=True, slots=True)
class Examined:
    """One parked message, what would happen to it, and what did."""

    parked: Parked
    read: Envelope | Malformed
    status: str | None
    plan: Plan
    action: Action = Action.LEFT


@dataclass(frozen=True, slots=True, kw_only=True)
class RedriveOptions:
    deadline_s: float = DEFAULT_DEADLINE_S
    """How long the request is tried once more."""
    rate_per_s: float | None = None
    purge_settled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RedrivePorts:
    dead_letters: DeadLetterQueue
    queue: AsyncQueue
    requests: RequestSlots
    outcomes: OutcomeStream
    doorbell: Doorbell
    clock: Clock
    log: EventLog
    queue_tenant: str
    """The tenant of programs that write to the queue themselves."""


@dataclass(slots=True)
class Walk:
    """A walk through the queue as far as it has come: also when it fails, what is in here is done."""

    examined: list[Examined] = field(default_factory=list)
    may_be_more: bool = False
    """It did not come to the end of the queue, or was not to."""

    @property
    def failed(self) -> int:
        """How many messages could not be worked on."""
        return sum(one.action is Action.FAILED for one in self.examined)


@dataclass(slots=True)
class _Hand:
    """What a walk through the queue holds."""

    held: dict[str, Parked] = field(default_factory=dict)
    """By message id: received, and neither deleted nor released."""
    sent_back: set[tuple[str, str, str | None]] = field(default_factory=set)
    """What messages claimed, and with which seal: a stranger's message does not stand for the one it is like."""
    failures: int = 0
    """Messages in a row for which a store was away."""


Work = Callable[[Examined], Awaitable[Examined]]


class Redriver:
    def __init__(self, ports: RedrivePorts, options: RedriveOptions | None = None) -> None:
        self._ports = ports
        self._options = options or RedriveOptions()

    async def examine(
        self, choice: Choice, *, at_most: int, walk: Walk | None = None
    ) -> list[Examined]:
        """The chosen messages and what a redrive would do. Changes nothing. Raises `Unavailable`."""
        return await self._go(choice, at_most, _look_only, walk or Walk())

    async def redrive(
        self, choice: Choice, *, at_most: int, walk: Walk | None = None
    ) -> list[Examined]:
        """Do it. Raises `Unavailable`: what is done by then is in `walk`, and doing it again is harmless."""
        return await self._go(choice, at_most, self._carry_out, walk or Walk())

    async def _go(self, choice: Choice, at_most: int, work: Work, walk: Walk) -> list[Examined]:
        hand, done = _Hand(), walk.examined
        walk.may_be_more = True
        try:
            while len(done) < at_most and (fresh := await self._page(hand)):
                for parked in fresh:
                    if len(done) < at_most:
                        done += await self._guarded(parked, choice, work, hand)
            walk.may_be_more = len(done) >= at_most or len(hand.held) >= MOST_HELD
        finally:
            await self._ports.dead_letters.release(list(hand.held.values()))
        return done

    async def _page(self, hand: _Hand) -> list[Parked]:
        """The next messages that were not seen before; none at the end."""
        if len(hand.held) >= MOST_HELD:
            return []
        page = await self._ports.dead_letters.receive()
        fresh = [parked for parked in page if parked.message_id not in hand.held]
        hand.held |= {parked.message_id: parked for parked in page}
        return fresh

    async def _guarded(
        self, parked: Parked, choice: Choice, work: Work, hand: _Hand
    ) -> list[Examined]:
        """Work on one message. What it does to this program ends no walk: it is reported, and left where it is."""
        read: Envelope | Malformed = Malformed("message_failed", "", None, None)
        try:
            read = read_parked(parked)
            if not choice.takes(parked, read, self._ports.clock.now_s()):
                return []
            done = await self._work_on(parked, read, work, hand)
        except Unavailable as error:
            hand.failures += 1
            if hand.failures >= MOST_FAILURES:
                raise
            return [self._failed(parked, read, str(error))]
        except Exception as error:
            return [self._failed(parked, read, f"internal: {type(error).__name__}")]
        hand.failures = 0
        return done

    def _failed(self, parked: Parked, read: Envelope | Malformed, why: str) -> Examined:
        failed = Examined(parked, read, None, NotExamined(why), Action.FAILED)
        self._ports.log.warning("message.not_redriven", why=why, **_ids(failed))
        return failed

    async def _work_on(
        self, parked: Parked, read: Envelope | Malformed, work: Work, hand: _Hand
    ) -> list[Examined]:
        claim = self._claim(parked, read)
        claimed = (claim.slot, claim.fingerprint, claim.seal) if claim else None
        if claimed in hand.sent_back:
            return []  # parked again since, or another copy: one try a run is enough
        done = await work(await self._examine(parked, read, claim))
        if done.action in (Action.SENT_BACK, Action.PURGED):
            del hand.held[parked.message_id]
        if done.action is Action.SENT_BACK and claimed is not None:
            hand.sent_back.add(claimed)
        return [done]

    def _claim(self, parked: Parked, read: Envelope | Malformed) -> Claim | None:
        tenant = self._ports.queue_tenant
        if not isinstance(read, Malformed):
            return claim_of(read, tenant, self._ports.clock.now_s())
        if read.address is None:
            return None
        return claim_of_unread(read.address, tenant, parked.sent_at)

    async def _examine(
        self, parked: Parked, read: Envelope | Malformed, claim: Claim | None
    ) -> Examined:
        state = await self._ports.requests.find(claim) if claim else None
        now_s, deadline_s = self._ports.clock.now_s(), self._options.deadline_s
        plan = plan_redrive(read, parked, claim, state, now_s, deadline_s=deadline_s)
        return Examined(parked, read, state.status if state else None, plan)

    async def _carry_out(self, one: Examined) -> Examined:
        match one.plan:
            case SendBack(envelope):
                await self._send_back(one.parked, envelope)
                action = Action.SENT_BACK
            case GoesToReconcile(envelope, known=False):
                await self._hand_over(envelope)
                action = Action.HANDED_OVER
            case LacksErrorFlow(malformed, address):
                await self._tell(one.parked, malformed, address)
                action = Action.FLOW_STARTED
            case AlreadySettled() if self._options.purge_settled:
                await self._ports.dead_letters.delete(one.parked)
                action = Action.PURGED
            case _:
                return one
        done = replace(one, action=action)
        self._ports.log.info("request.redriven", **_ids(done))
        return done

    async def _send_back(self, parked: Parked, envelope: Envelope) -> None:
        await self._ports.queue.send([envelope])
        await self._ports.dead_letters.delete(parked)
        if self._options.rate_per_s:
            await self._ports.clock.sleep(1 / self._options.rate_per_s)

    async def _hand_over(self, envelope: Envelope) -> None:
        """Publish the unknown outcome that the callers died before publishing, so that reconcile looks for it.

        The claim carries the first send into the slot: from then on no copy of the message is sent.
        """
        now_s = self._ports.clock.now_s()
        claim = claim_of(envelope, self._ports.queue_tenant, now_s)
        await self._ports.requests.claim(claim)
        await publish_outcome(self._ports, unknown_entry(envelope, claim, now_s), claim.worker_slot)

    async def _tell(self, parked: Parked, malformed: Malformed, address: Address) -> None:
        """Tell a message that cannot be read, as the Stripe caller does, so that it is told once by either."""
        claim = claim_of_unread(address, self._ports.queue_tenant, parked.sent_at)
        error = error_for_malformed(malformed)
        entry = entry_for_malformed(error, address, claim, self._ports.clock.now_s())
        await close_and_publish(self._ports, claim, error, entry)


def _ids(one: Examined) -> dict[str, object]:
    """Return what stands on every line about a parked message."""
    named = one.read.address if isinstance(one.read, Malformed) else one.read
    return {
        "action": one.action.value,
        "message_id": one.parked.message_id,
        "reason": one.parked.reason,
        "status": one.status,
        "request_id": named.request_id if named else None,
        "object": named.object if named else None,
        "worker_id": named.worker_id if named else None,
        "context_id": named.context_id if named else None,
    }


async def _look_only(one: Examined) -> Examined:
    return one
