"""Settle a request by an event of Stripe that its call caused.

The steps, in order:

1. Find the request's slot. An event of a request that nobody doubts is dropped.
2. Refuse an event of another account or mode than that of the request's sends.
3. Fetch the operation's own object with a key of that account (`look_for_event.py`).
4. Decide by the object as a look does, and publish.

The message of an event holds names only, and each of them is checked. So an event can come out of order, twice, late or
from anybody: at worst it causes two reads. An event that comes too early is sent again a few times. Then the looks
settle the request. The absence of an event proves nothing, so no code here asks for one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from paydispatch.domain.identity.slots import slot_name
from paydispatch.domain.looks.event_places import other_place
from paydispatch.domain.looks.noted_doubts import unknown_of_doubt
from paydispatch.domain.looks.provable_events import event_proof
from paydispatch.domain.operators.lookup_results import Found, Inconclusive
from paydispatch.domain.operators.lookups import StaysUnknown, decide
from paydispatch.services.calls.publish_outcome import PublishPorts, publish_outcome
from paydispatch.services.log_ids import log_ids
from paydispatch.services.look_for_event import look_for_event
from paydispatch.services.look_up import LookupPorts

if TYPE_CHECKING:
    from paydispatch.domain.looks.messages import EventMessage
    from paydispatch.domain.looks.noted_doubts import NotedDoubt
    from paydispatch.domain.outcomes import Outcome
    from paydispatch.domain.unknown_outcomes import UnknownOutcome
    from paydispatch.ports import AsyncLookQueue, RequestSlots

SENT_AGAIN_AFTER_S = (1.0, 2.0, 5.0, 10.0, 30.0)
"""The delays after which an event that came too early is tried again."""


class EventPorts(LookupPorts, PublishPorts, Protocol):
    """The ports of settling by events."""

    @property
    def requests(self) -> RequestSlots: ...

    @property
    def look_queue(self) -> AsyncLookQueue: ...


@dataclass(frozen=True, slots=True)
class _TooEarly:
    """The event proves nothing yet. It is tried again."""

    why: str


@dataclass(frozen=True, slots=True)
class _Nothing:
    """The event never proves anything about the request."""

    why: str


class EventSettler:
    """The service that works on the events of the look queue."""

    def __init__(self, ports: EventPorts, *, queue_tenant: str) -> None:
        self._ports = ports
        self._queue_tenant = queue_tenant

    async def settle(self, event: EventMessage) -> None:
        """Settle the request that the event names, if the event proves its effect. Raises `Unavailable`."""
        unknown = await self._find_unknown(event)
        if isinstance(unknown, _Nothing):
            self._log_dropped(event, unknown.why)
            return
        if isinstance(unknown, _TooEarly):
            await self._try_again(event, unknown.why)
            return
        decided = await self._decide(event, unknown)
        if isinstance(decided, _Nothing):
            self._log_dropped(event, decided.why)
        elif isinstance(decided, _TooEarly):
            await self._try_again(event, decided.why)
        else:
            await self._publish(event, unknown, decided)

    # 1. Find the request

    async def _find_unknown(self, event: EventMessage) -> UnknownOutcome | _TooEarly | _Nothing:
        doubt = await self._find_doubt(event)
        if doubt is None:
            return _Nothing("no open request has this id")
        published = await self._ports.unknown_outcomes.read(doubt.worker_slot, event.request_id)
        if published is not None and not published.entry.outcome.settled:
            return published
        noted = unknown_of_doubt(doubt, self._queue_tenant, self._ports.clock.now_s())
        return noted or _TooEarly("no send of the request has ended unknown")

    async def _find_doubt(self, event: EventMessage) -> NotedDoubt | None:
        """Return the slot of the request, unless its status is final. An event of EventBridge names no tenant."""
        requests = self._ports.requests
        tenants = [event.tenant or self._queue_tenant]
        if event.tenant is None:
            tenants += await requests.tenants_in_doubt()
        for tenant in tenants:
            name = slot_name(tenant, event.request_id, self._queue_tenant)
            doubt = await requests.find_doubt(name)
            if doubt is not None and not doubt.final:
                return doubt
        return None

    # 2. to 4. Check the account, fetch and decide

    async def _decide(
        self, event: EventMessage, unknown: UnknownOutcome
    ) -> Outcome | _TooEarly | _Nothing:
        proof = event_proof(unknown.entry.operation, event.type)
        if proof is None:
            return _Nothing("an event of this type proves nothing about the operation")
        why = other_place(event, unknown.account)
        if why is not None:
            self._ports.log.count("EventOfOtherAccount")
            return _Nothing(why)
        now_s = self._ports.clock.now_s()
        found = await look_for_event(self._ports, event, unknown, proof)
        # Only an effect is taken from an event. That Stripe shows none proves nothing here.
        if not isinstance(found, Found):
            return _TooEarly(
                found.reason if isinstance(found, Inconclusive) else "it shows no effect yet"
            )
        decided = decide(unknown, found, now_s)
        return _TooEarly(decided.why) if isinstance(decided, StaysUnknown) else decided

    # 4. Publish, or try again

    async def _publish(
        self, event: EventMessage, unknown: UnknownOutcome, outcome: Outcome
    ) -> None:
        now_s = self._ports.clock.now_s()
        settled = unknown.entry.settled_by_look(outcome, now_s)
        first = await publish_outcome(self._ports, settled, unknown.worker)
        if first:
            await self._ports.unknown_outcomes.forget(unknown.worker, settled.request_id)
            self._ports.log.count("SettledByEvent")
        self._ports.log.info(
            "request.settled_by_event" if first else "request.settled_before",
            **log_ids(settled),
            event_id=event.event_id,
            type=event.type,
            flow=settled.flow_name,
            event_age_s=round(now_s - event.created, 1),
            first_sent_at=settled.first_sent_at,
            traceparent=settled.traceparent,
        )

    async def _try_again(self, event: EventMessage, why: str) -> None:
        """Send the message again, a few times in all."""
        if event.tries >= len(SENT_AGAIN_AFTER_S):
            self._log_dropped(event, why)
            return
        again = replace(event, tries=event.tries + 1)
        await self._ports.look_queue.send(again, SENT_AGAIN_AFTER_S[event.tries])

    def _log_dropped(self, event: EventMessage, why: str) -> None:
        self._ports.log.info(
            "event.dropped",
            event_id=event.event_id,
            type=event.type,
            request_id=event.request_id,
            tries=event.tries,
            why=why,
        )
