"""Redrive: look through the dead-letter queue, and send back what may be sent, without losing a message.

A message is deleted only when SQS has its copy, or when it is settled and that was asked for. A crash in between
leaves two copies of one identity, which is harmless. Whatever was received and not deleted is released at the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from paydispatch.domain.entry import entry_for_malformed
from paydispatch.domain.envelope import Malformed
from paydispatch.domain.redrive import (
    AlreadySettled,
    Choice,
    GoesToReconcile,
    LacksErrorFlow,
    Parked,
    Plan,
    SendBack,
    plan_redrive,
    read_parked,
    unknown_entry,
)
from paydispatch.domain.units import DEFAULT_DEADLINE_S

if TYPE_CHECKING:
    from paydispatch.domain.entry import OutcomeEntry
    from paydispatch.domain.envelope import Address, Envelope
    from paydispatch.ports import (
        Clock,
        DeadLetterQueue,
        DispatchQueue,
        Doorbell,
        Journal,
        OutcomeStream,
        RequestBoard,
    )

MOST_HELD = 20_000
"""Messages that are hidden at once: SQS hides 120,000 at most."""


class Action(StrEnum):
    LEFT = "left"
    SENT_BACK = "sent_back"
    HANDED_OVER = "handed_over"
    """To reconcile, which did not know of it. The message stays."""
    FLOW_STARTED = "flow_started"
    """Its error flow, and it is settled with that. The message stays."""
    PURGED = "purged"


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
    queue: DispatchQueue
    board: RequestBoard
    outcomes: OutcomeStream
    doorbell: Doorbell
    clock: Clock
    journal: Journal


@dataclass(slots=True)
class Walk:
    """A walk through the queue as far as it has come: also when it fails, what is in here is done."""

    examined: list[Examined] = field(default_factory=list)
    may_be_more: bool = False
    """It did not come to the end of the queue, or was not to."""


@dataclass(slots=True)
class _Hand:
    """What a walk through the queue holds."""

    held: dict[str, Parked] = field(default_factory=dict)
    """By message id: received, and neither deleted nor released."""
    sent_back: set[str] = field(default_factory=set)
    """Request ids."""


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
                    read, now_s = read_parked(parked), self._ports.clock.now_s()
                    if len(done) < at_most and choice.takes(parked, read, now_s):
                        done += await self._worked_on(parked, read, work, hand)
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

    async def _worked_on(
        self, parked: Parked, read: Envelope | Malformed, work: Work, hand: _Hand
    ) -> list[Examined]:
        request_id = _request_id(read)
        if request_id in hand.sent_back:
            return []  # parked again since, or another copy: one try a run is enough
        done = await work(await self._examined(parked, read))
        if done.action in (Action.SENT_BACK, Action.PURGED):
            del hand.held[parked.message_id]
        if done.action is Action.SENT_BACK and request_id is not None:
            hand.sent_back.add(request_id)
        return [done]

    async def _examined(self, parked: Parked, read: Envelope | Malformed) -> Examined:
        named = read.address if isinstance(read, Malformed) else read
        status, settled = await self._standing(named) if named else (None, False)
        now_s, deadline_s = self._ports.clock.now_s(), self._options.deadline_s
        plan = plan_redrive(read, status, now_s, deadline_s=deadline_s, settled=settled)
        return Examined(parked, read, status, plan)

    async def _standing(self, named: Envelope | Address) -> tuple[str | None, bool]:
        record = await asyncio.to_thread(self._ports.board.find, named.request_id)
        settled = await self._ports.outcomes.settled(named.worker_id, named.request_id)
        return record.status if record else None, settled

    async def _carry_out(self, one: Examined) -> Examined:
        match one.plan:
            case SendBack(envelope):
                await self._send_back(one.parked, envelope)
                action = Action.SENT_BACK
            case GoesToReconcile(envelope, known=False):
                await self._hand_over(envelope)
                action = Action.HANDED_OVER
            case LacksErrorFlow(malformed, address):
                await self._publish(
                    entry_for_malformed(malformed, address, self._ports.clock.now_s()),
                    sole=one.parked.message_id,
                )
                action = Action.FLOW_STARTED
            case AlreadySettled() if self._options.purge_settled:
                await self._ports.dead_letters.delete(one.parked)
                action = Action.PURGED
            case _:
                return one
        self._line(one, action)
        return Examined(one.parked, one.read, one.status, one.plan, action)

    async def _send_back(self, parked: Parked, envelope: Envelope) -> None:
        await self._ports.queue.send([envelope])
        await self._ports.dead_letters.delete(parked)
        if self._options.rate_per_s:
            await self._ports.clock.sleep(1 / self._options.rate_per_s)

    async def _hand_over(self, envelope: Envelope) -> None:
        """Publish the unknown end that whoever died with the message did not: now reconciling looks for it."""
        await self._publish(unknown_entry(envelope, self._ports.clock.now_s()))

    async def _publish(self, entry: OutcomeEntry, *, sole: str | None = None) -> None:
        await self._ports.outcomes.publish(entry, sole=sole)
        await self._ports.doorbell.ring(entry.worker_id)

    def _line(self, one: Examined, action: Action) -> None:
        named = one.read.address if isinstance(one.read, Malformed) else one.read
        self._ports.journal.line(
            "request.redriven",
            action=action.value,
            message_id=one.parked.message_id,
            reason=one.parked.reason,
            status=one.status,
            request_id=named.request_id if named else None,
            object=named.object if named else None,
            worker_id=named.worker_id if named else None,
            context_id=named.context_id if named else None,
        )


def _request_id(read: Envelope | Malformed) -> str | None:
    named = read.address if isinstance(read, Malformed) else read
    return named.request_id if named else None


async def _look_only(one: Examined) -> Examined:
    return one
