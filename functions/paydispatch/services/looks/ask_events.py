"""Ask Stripe's list of events for the requests that no list of objects can prove, and settle by what it shows.

An event is only the reason to look: `EventSettler` decides. That a request has no event proves nothing.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Protocol

from paydispatch.domain.errors import Unavailable
from paydispatch.domain.looks.provable_events import types_of
from paydispatch.domain.operators.lookup_results import CLOCKS_APART_S
from paydispatch.ports import ReadAs
from paydispatch.services.look_turns import wait_for_turn
from paydispatch.services.looks.candidates import Candidate, shared_list
from paydispatch.services.looks.open_list import ListAccess, open_list, split_by_account
from paydispatch.services.looks.verdicts import Verdict
from paydispatch.services.read_events import read_events

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paydispatch.domain.looks.messages import EventMessage
    from paydispatch.domain.unknown_outcomes import UnknownOutcome
    from paydispatch.ports import StripeEvents
    from paydispatch.services.looks.verdicts import Reconciled
    from paydispatch.services.lookups.ports import LookupPorts

MOST_ASKED = 100
"""The most requests of one look for which it asks for events."""

READ = "list_event"
"""The name of the read in the limits."""


class Settler(Protocol):
    async def settle(self, event: EventMessage) -> None: ...


class _Group(NamedTuple):
    """Requests whose events one key can read. A key serves its own tenant alone."""

    tenant: str
    mode: str
    headers: str


class _Member(NamedTuple):
    candidate: Candidate
    operation: str
    since: float


class AskEvents:
    """Asks for the events of requests, and passes each on to be settled by."""

    def __init__(self, ports: LookupPorts, stripe: StripeEvents, settler: Settler) -> None:
        self._ports = ports
        self._stripe = stripe
        self._settler = settler

    async def ask(self, reconciled: Sequence[Reconciled]) -> None:
        """Ask for the events of those that stayed unknown and that no list proves. Raises `Unavailable`."""
        groups: dict[_Group, list[_Member]] = {}
        unknown = [one for one in reconciled if one.verdict is Verdict.UNKNOWN]
        for one in unknown[:MOST_ASKED]:
            found = await self._ports.unknown_outcomes.read(one.worker_id, one.request_id)
            if found is not None and _needs_events(found):
                group, member = _place(found)
                groups.setdefault(group, []).append(member)
        for group, members in groups.items():
            await self._ask_group(group, members)

    async def _ask_group(self, group: _Group, members: Sequence[_Member]) -> None:
        access = await open_list(self._ports, [member.candidate for member in members])
        if access is None:
            return
        mine, _ = split_by_account(access, [member.candidate for member in members])
        read = await read_events(
            self._stripe,
            self._read_as(access, group),
            request_ids={candidate.request_id for candidate in mine},
            types=types_of(frozenset(member.operation for member in members)),
            since=min(member.since for member in members) - CLOCKS_APART_S,
        )
        if read.stopped is not None:
            self._ports.log.warning("events.not_read", why=read.stopped)
        for event in read.events:
            try:
                await self._settler.settle(event)
            except Unavailable as error:  # the next look asks again
                self._ports.log.warning("events.not_read", why=str(error))

    def _read_as(self, access: ListAccess, group: _Group) -> ReadAs:
        return ReadAs(
            key=access.key,
            turn=partial(wait_for_turn, self._ports, access.account.rate_account, READ),
            stripe_account=access.stripe_account,
            stripe_context=access.stripe_context,
            tenant=group.tenant or None,
        )


def _needs_events(unknown: UnknownOutcome) -> bool:
    """Return whether an event can prove the request, and no list can."""
    entry = unknown.entry
    standing = not entry.outcome.settled and unknown.account is not None
    return standing and bool(types_of(frozenset({entry.operation}))) and not shared_list(unknown)


def _place(unknown: UnknownOutcome) -> tuple[_Group, _Member]:
    entry, account = unknown.entry, unknown.account
    group = _Group(
        entry.tenant or "",
        account.mode if account else "",
        account.headers if account else "",
    )
    candidate = Candidate(unknown.worker, entry.request_id, account, (), (), whole=False)
    since = min(unknown.firsts, default=entry.accepted_at or entry.settled_at)
    return group, _Member(candidate, entry.operation, since)
