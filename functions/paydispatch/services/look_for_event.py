"""Fetch the object that an event of Stripe is about, with the request's own key, at the pinned version.

The event itself is read first where its word counts: it says which object a create made, and that an update was ours.
Stripe has an event only in the account that it belongs to. So an event that a stranger made up, or that belongs to
another account, leads to no object.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from paydispatch.domain.errors import BadRequest
from paydispatch.domain.identity.marks import MARK
from paydispatch.domain.looks.provable_events import EventProof
from paydispatch.domain.operators.lookup_results import Found, Inconclusive, LookupResult
from paydispatch.domain.operators.object_states import NOT_OWN, read_state
from paydispatch.domain.stripe.operations import operation_named
from paydispatch.domain.stripe.proofs import own_id, own_path
from paydispatch.domain.stripe.states import RULES
from paydispatch.services.lookups.own_account import open_own_key
from paydispatch.services.lookups.own_reads import fetch_own

if TYPE_CHECKING:
    from paydispatch.domain.credentials import StripeKey
    from paydispatch.domain.looks.messages import EventMessage
    from paydispatch.domain.operators.object_states import Fetched
    from paydispatch.domain.unknown_outcomes import UnknownOutcome
    from paydispatch.services.lookups.ports import LookupPorts

FETCHES_TIMEOUT_S = 10.0
"""Seconds for both reads of one event, with the wait for their turn. The other events of the batch wait as long."""

NOT_MARKED = "The object that the event names does not carry the mark of the request."
OTHER_EVENT = "Stripe has no such event of this request in its account."


async def look_for_event(
    ports: LookupPorts, event: EventMessage, unknown: UnknownOutcome, proof: EventProof
) -> LookupResult:
    """Return the object that proves the request, or the reason why there is none. Raises `Unavailable`."""
    key = await open_own_key(ports, unknown)
    if isinstance(key, Inconclusive):
        return key
    reads = _Reads(ports, event, unknown, key)
    try:
        async with asyncio.timeout(FETCHES_TIMEOUT_S):
            match proof:
                case EventProof.MARK:
                    return await reads.created()
                case EventProof.STATE:
                    return await reads.state()
                case EventProof.EVENT:
                    return await reads.updated()
    except TimeoutError:
        return Inconclusive(f"Stripe was not read in {FETCHES_TIMEOUT_S:.0f} s.")
    except BadRequest as error:  # a path that this release does not know
        return Inconclusive(error.message)


@dataclass(frozen=True, slots=True)
class _Reads:
    """The reads of one event."""

    ports: LookupPorts
    event: EventMessage
    unknown: UnknownOutcome
    key: StripeKey

    async def created(self) -> LookupResult:
        """Fetch the object that the event names. It must carry our mark."""
        entry = self.unknown.entry
        named = await self._named_object()
        if isinstance(named, Inconclusive):
            return named
        endpoint = operation_named(entry.operation).endpoint(entry.path)
        found = await self._own_object(f"{endpoint}/{quote(named, safe='')}", named)
        if isinstance(found, Found) and _mark_of(found.body) != entry.request_id:
            return Inconclusive(NOT_MARKED)
        return found

    async def state(self) -> LookupResult:
        """Fetch the object of the operation's path, and read its state. The event's own word is not needed."""
        entry, operation = self.unknown.entry, operation_named(self.unknown.entry.operation)
        fetched = await self._fetch(own_path(operation, entry.path))
        if isinstance(fetched, Inconclusive):
            return fetched
        own = own_id(operation, entry.path)
        return read_state(RULES[operation.name], own, entry.params, fetched)

    async def updated(self) -> LookupResult:
        """Fetch the object of the operation's path. The event must be about that object."""
        entry, operation = self.unknown.entry, operation_named(self.unknown.entry.operation)
        named, own = await self._named_object(), own_id(operation, entry.path)
        if isinstance(named, Inconclusive):
            return named
        if named != own:
            return Inconclusive(NOT_OWN)
        return await self._own_object(own_path(operation, entry.path), own)

    async def _own_object(self, path: str, own: str) -> Found | Inconclusive:
        fetched = await self._fetch(path)
        if isinstance(fetched, Inconclusive):
            return fetched
        if fetched.body is None or fetched.body.get("id") != own:
            return Inconclusive(NOT_OWN)
        return Found(fetched.body, fetched.stripe_request_id)

    async def _fetch(self, path: str) -> Fetched | Inconclusive:
        read = f"retrieve_{self.unknown.entry.object}"
        return await fetch_own(self.ports, self.unknown, self.key, path=path, read=read)

    async def _named_object(self) -> str | Inconclusive:
        """Read the event, and return the id of its object. It must be of this request and of the type that was told."""
        path = f"/v1/events/{quote(self.event.event_id, safe='')}"
        fetched = await fetch_own(
            self.ports, self.unknown, self.key, path=path, read="retrieve_event"
        )
        if isinstance(fetched, Inconclusive):
            return fetched
        body = fetched.body or {}
        told = _member(body.get("request"), "idempotency_key")
        named = _member(_member(body.get("data"), "object"), "id")
        same = (told, body.get("type")) == (self.unknown.entry.request_id, self.event.type)
        return named if same and isinstance(named, str) and named else Inconclusive(OTHER_EVENT)


def _mark_of(body: Any) -> object:
    return _member(body.get("metadata"), MARK)


def _member(value: object, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None
