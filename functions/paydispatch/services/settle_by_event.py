"""Settle a request by an event of Stripe that its call caused.

The steps, in order:

1. Find the request's slot. An event of a request that nobody doubts is dropped.
2. Refuse an event of another account or mode than that of the request's sends.
3. Fetch the operation's own object with a key of that account (`look_for_event.py`).
4. Decide by the object as a look does, and publish.

The message of an event holds names only, and each of them is checked. So an event can come out of order, twice, late or
from anybody: at worst it causes two reads. An event that comes before the doubt is kept in the slot, and the Stripe
caller sends it on when it notes the doubt. An event that proves nothing yet is sent again a few times. Then the looks
settle the request. The absence of an event proves nothing, so no code here asks for one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from paydispatch.domain.errors import Unavailable
from paydispatch.domain.identity.request_ids import is_made_id
from paydispatch.domain.identity.slots import slot_name
from paydispatch.domain.looks.event_places import other_place
from paydispatch.domain.looks.noted_doubts import unknown_of_doubt
from paydispatch.domain.looks.provable_events import EventProof, event_proof
from paydispatch.domain.operators.lookup_results import Found, Inconclusive
from paydispatch.domain.operators.lookups import StaysUnknown, decide
from paydispatch.domain.unknown_outcomes import UnknownOutcome
from paydispatch.services.calls.publish_outcome import PublishPorts, publish_outcome
from paydispatch.services.log_ids import log_ids, log_trace
from paydispatch.services.look_for_event import look_for_event
from paydispatch.services.looks.note_doubt import DropPorts, drop_doubt
from paydispatch.services.lookups.ports import LookupPorts

if TYPE_CHECKING:
    from paydispatch.domain.looks.messages import EventMessage
    from paydispatch.domain.looks.noted_doubts import NotedDoubt
    from paydispatch.domain.outcomes import Outcome
    from paydispatch.domain.stripe.accounts import AccountBinding
    from paydispatch.ports import AsyncLookQueue, RequestSlots

SENT_AGAIN_AFTER_S = (1.0, 2.0, 5.0, 10.0, 30.0)
"""The delays after which an event that came too early is tried again."""

CHOSEN_ID = "its id was chosen by a direct producer, so another program may have made the update under the same key"


class EventPorts(LookupPorts, PublishPorts, DropPorts, Protocol):
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
class _Kept:
    """No doubt of the request is noted. Its slot keeps the event until one is."""


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
        """Settle the request that the event names, if the event proves its effect. Raises `Unavailable`.

        While a store is away the message is sent again like one that came too early, because a message that SQS keeps
        comes again only after its visibility timeout.
        """
        try:
            await self._settle(event)
        except Unavailable as error:
            if event.tries >= len(SENT_AGAIN_AFTER_S):
                raise
            await self._try_again(event, str(error))

    async def _settle(self, event: EventMessage) -> None:
        unknown = await self._find_unknown(event)
        if not isinstance(unknown, UnknownOutcome):
            await self._put_off(event, unknown)
            return
        decided = await self._decide(event, unknown)
        if isinstance(decided, _Nothing | _TooEarly):
            await self._put_off(event, decided)
        else:
            await self._publish(event, unknown, decided)

    async def _put_off(self, event: EventMessage, why: _TooEarly | _Nothing | _Kept) -> None:
        match why:
            case _Nothing():
                self._log_dropped(event, why.why)
            case _TooEarly():
                await self._try_again(event, why.why)
            case _Kept():
                self._log("event.kept", event)

    # 1. Find the request

    async def _find_unknown(
        self, event: EventMessage
    ) -> UnknownOutcome | _TooEarly | _Nothing | _Kept:
        found = await self._find_doubt(event)
        if found is None:
            return _Nothing("no open request has this id")
        slot, doubt = found
        published = await self._ports.unknown_outcomes.read(doubt.worker_slot, event.request_id)
        if published is not None and not published.entry.outcome.settled:
            return published
        if doubt.message is None:
            return await self._keep(event, slot, doubt)
        noted = unknown_of_doubt(doubt, self._queue_tenant, self._ports.clock.now_s())
        return noted or _Nothing("the slot holds the message of another request")

    async def _find_doubt(self, event: EventMessage) -> tuple[str, NotedDoubt] | None:
        """Return the slot of the request with its name, unless its status is final.

        An event of EventBridge names no tenant.
        """
        requests = self._ports.requests
        tenants = [event.tenant or self._queue_tenant]
        if event.tenant is None:
            tenants += await requests.tenants_in_doubt()
        for tenant in tenants:
            name = slot_name(tenant, event.request_id, self._queue_tenant)
            doubt = await requests.find_doubt(name)
            if doubt is not None and not doubt.final:
                return name, doubt
        return None

    async def _keep(
        self, event: EventMessage, slot: str, doubt: NotedDoubt
    ) -> _TooEarly | _Nothing | _Kept:
        """Keep the event in the slot. The Stripe caller sends it on when it notes a doubt."""
        proof = self._proof_of(event, doubt.operation, doubt.account)
        if isinstance(proof, _Nothing):
            return proof
        if await self._ports.requests.keep_event(slot, event):
            return _Kept()
        return _TooEarly("the doubt was noted just now")

    # 2. Check the account

    def _proof_of(
        self, event: EventMessage, operation: str, account: AccountBinding | None
    ) -> EventProof | _Nothing:
        """Return how an event of this type proves the operation in this account."""
        proof = event_proof(operation, event.type)
        if proof is None:
            return _Nothing("an event of this type proves nothing about the operation")
        if proof is EventProof.EVENT and not is_made_id(event.request_id):
            return _Nothing(CHOSEN_ID)
        why = other_place(event, account)
        if why is not None:
            self._ports.log.count("EventOfOtherAccount")
            return _Nothing(why)
        return proof

    # 3. and 4. Fetch and decide

    async def _decide(
        self, event: EventMessage, unknown: UnknownOutcome
    ) -> Outcome | _TooEarly | _Nothing:
        proof = self._proof_of(event, unknown.entry.operation, unknown.account)
        if isinstance(proof, _Nothing):
            return proof
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
            await drop_doubt(self._ports, unknown)
            self._ports.log.count("SettledByEvent")
        self._ports.log.info(
            "request.settled_by_event" if first else "request.settled_before",
            **log_ids(settled),
            event_id=event.event_id,
            type=event.type,
            flow=settled.flow_name,
            event_age_s=round(now_s - event.created, 1),
            first_sent_at=settled.first_sent_at,
            **log_trace(settled.traceparent),
        )

    async def _try_again(self, event: EventMessage, why: str) -> None:
        """Send the message again, a few times in all."""
        if event.tries >= len(SENT_AGAIN_AFTER_S):
            self._log_dropped(event, why)
            return
        again, delay_s = replace(event, tries=event.tries + 1), SENT_AGAIN_AFTER_S[event.tries]
        await self._ports.look_queue.send(again, delay_s)
        self._log("event.sent_again", event, delay_s=delay_s, why=why)

    def _log_dropped(self, event: EventMessage, why: str) -> None:
        self._log("event.dropped", event, why=why)

    def _log(self, line: str, event: EventMessage, **fields: object) -> None:
        self._ports.log.info(
            line,
            event_id=event.event_id,
            type=event.type,
            request_id=event.request_id,
            tries=event.tries,
            **fields,
        )
