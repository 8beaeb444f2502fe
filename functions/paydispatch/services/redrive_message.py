"""Redrive one parked message: plan from the message and its request's slot, and carry out the plan.

A message is deleted only after SQS has taken its copy, or if it is settled and the operator asked for a purge. A crash
between the two leaves two copies of one request, which is harmless.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from paydispatch.domain.claims import claim_of, claim_of_unread
from paydispatch.domain.entry import entry_for_malformed, error_for_malformed
from paydispatch.domain.limits import DEFAULT_DEADLINE_S
from paydispatch.domain.message.read_message import Malformed
from paydispatch.domain.operators.redrive import (
    AlreadySettled,
    GoesToReconcile,
    LacksErrorFlow,
    Parked,
    Plan,
    SendBack,
    plan_redrive,
    unknown_entry,
)
from paydispatch.services.calls.publish_outcome import close_and_publish, publish_outcome

if TYPE_CHECKING:
    from paydispatch.domain.claims import Claim
    from paydispatch.domain.envelope import Envelope
    from paydispatch.domain.message.read_message import Address
    from paydispatch.ports import (
        AsyncQueue,
        Clock,
        DeadLetterQueue,
        Doorbell,
        EventLog,
        OutcomeStream,
        RequestSlots,
    )


class Action(StrEnum):
    """The action that a redrive took on a message."""

    LEFT = "left"
    SENT_BACK = "sent_back"
    HANDED_OVER = "handed_over"
    """Its unknown outcome was published, so that reconcile looks it up. The message stays."""
    FLOW_STARTED = "flow_started"
    """Its error was published, so that its error flow runs. The message is settled, and stays."""
    PURGED = "purged"
    FAILED = "failed"
    """The work on it failed, for the reason in the plan. The message stays."""


@dataclass(frozen=True, slots=True)
class Examined:
    """One parked message, its plan, and the action that was taken."""

    parked: Parked
    read: Envelope | Malformed
    status: str | None
    plan: Plan
    action: Action = Action.LEFT


@dataclass(frozen=True, slots=True, kw_only=True)
class RedriveOptions:
    """The operator's options."""

    deadline_s: float = DEFAULT_DEADLINE_S
    """Seconds from now until a request that is sent back is given up."""
    rate_per_s: float | None = None
    """Messages that are sent back in a second at most. None: no limit."""
    purge_settled: bool = False
    """Whether the messages of settled requests are deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedrivePorts:
    """The ports of a redrive."""

    dead_letters: DeadLetterQueue
    queue: AsyncQueue
    requests: RequestSlots
    outcomes: OutcomeStream
    doorbell: Doorbell
    clock: Clock
    log: EventLog
    queue_tenant: str
    """The tenant of programs that write to the queue themselves."""


def claim_of_parked(
    ports: RedrivePorts, parked: Parked, read: Envelope | Malformed
) -> Claim | None:
    """Return the claim of a message. None: the message is not an envelope and names no worker."""
    if not isinstance(read, Malformed):
        return claim_of(read, ports.queue_tenant, ports.clock.now_s())
    if read.address is None:
        return None
    return claim_of_unread(read.address, ports.queue_tenant, parked.sent_at)


async def examine(
    ports: RedrivePorts,
    options: RedriveOptions,
    parked: Parked,
    read: Envelope | Malformed,
    claim: Claim | None,
) -> Examined:
    """Return the message with its plan. Changes nothing. Raises `Unavailable`."""
    state = await ports.requests.find(claim) if claim else None
    now_s = ports.clock.now_s()
    plan = plan_redrive(read, parked, claim, state, now_s, deadline_s=options.deadline_s)
    return Examined(parked, read, state.status if state else None, plan)


async def carry_out(ports: RedrivePorts, options: RedriveOptions, examined: Examined) -> Examined:
    """Carry out the plan. Return the message with the action that was taken. Raises `Unavailable`."""
    match examined.plan:
        case SendBack(envelope):
            await _send_back(ports, options, examined.parked, envelope)
            action = Action.SENT_BACK
        case GoesToReconcile(envelope, known=False):
            await _hand_over(ports, envelope)
            action = Action.HANDED_OVER
        case LacksErrorFlow(malformed, address):
            await _publish_error(ports, examined.parked, malformed, address)
            action = Action.FLOW_STARTED
        case AlreadySettled() if options.purge_settled:
            await ports.dead_letters.delete(examined.parked)
            action = Action.PURGED
        case _:
            return examined
    done = replace(examined, action=action)
    ports.log.info("request.redriven", **ids_of(done))
    return done


async def _send_back(
    ports: RedrivePorts, options: RedriveOptions, parked: Parked, envelope: Envelope
) -> None:
    await ports.queue.send([envelope])
    await ports.dead_letters.delete(parked)
    if options.rate_per_s:
        await ports.clock.sleep(1 / options.rate_per_s)


async def _hand_over(ports: RedrivePorts, envelope: Envelope) -> None:
    """Publish the unknown outcome, because every caller that received the message died before it could.

    The claim writes the time of the first send into the slot. From then on the slot refuses every send of a copy whose
    key is too old. A copy of a DELETE is refused because the unknown outcome is published.
    """
    now_s = ports.clock.now_s()
    claim = claim_of(envelope, ports.queue_tenant, now_s)
    await ports.requests.claim(claim)
    await publish_outcome(ports, unknown_entry(envelope, claim, now_s), claim.worker_slot)


async def _publish_error(
    ports: RedrivePorts, parked: Parked, malformed: Malformed, address: Address
) -> None:
    """Publish the error of an unreadable message as the Stripe caller does.

    Both publish it under the same id, so that it is published once.
    """
    claim = claim_of_unread(address, ports.queue_tenant, parked.sent_at)
    error = error_for_malformed(malformed)
    entry = entry_for_malformed(error, address, claim, ports.clock.now_s())
    await close_and_publish(ports, claim, error, entry)


def ids_of(examined: Examined) -> dict[str, object]:
    """Return the fields that stand on every log line about a parked message."""
    read = examined.read
    named = read.address if isinstance(read, Malformed) else read
    return {
        "action": examined.action.value,
        "message_id": examined.parked.message_id,
        "reason": examined.parked.reason,
        "status": examined.status,
        "request_id": named.request_id if named else None,
        "object": named.object if named else None,
        "operation": named.operation if named else None,
        "worker_id": named.worker_id if named else None,
        "context_id": named.context_id if named else None,
    }
