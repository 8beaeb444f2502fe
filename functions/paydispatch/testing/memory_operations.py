"""In-memory twins of the ports for operators: unknown outcomes, Stripe's lists, dead letters and the backlog."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from paydispatch.domain.identity.slots import beside
from paydispatch.domain.operators.lookup_results import (
    Found,
    Inconclusive,
    LookupResult,
    NotFound,
    Page,
)
from paydispatch.domain.operators.object_states import Fetched
from paydispatch.domain.operators.redrive import Parked
from paydispatch.domain.unknown_outcomes import UnknownOutcome
from paydispatch.ports import StreamState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paydispatch.domain.credentials import StripeKey
    from paydispatch.domain.operators.dead_flows import DeadFlow
    from paydispatch.domain.operators.diagnosis import OpenRequest, WaitingFlow
    from paydispatch.domain.stripe.accounts import AccountBinding
    from paydispatch.ports import Clock, QueueDepth
    from paydispatch.testing.memory_outcomes import MemoryOutcomes
    from paydispatch.testing.memory_requests import MemoryRequests


class MemoryUnknownOutcomes:
    """An `UnknownOutcomes` over the index of a `MemoryOutcomes` and the slots of a `MemoryRequests`."""

    def __init__(self, outcomes: MemoryOutcomes, requests: MemoryRequests | None = None) -> None:
        self._outcomes = outcomes
        self._slots = requests.store.slots if requests else {}
        self._metadata_unset = requests.store.metadata_unset if requests else {}

    async def workers(self, *, at_most: int) -> Sequence[str]:
        return sorted({worker_slot for worker_slot, _ in self._outcomes.unknown})[:at_most]

    async def some(self, worker_slot: str, *, at_most: int) -> Sequence[str]:
        ids = [request for worker, request in self._outcomes.unknown if worker == worker_slot]
        return ids[:at_most]

    async def read(self, worker_slot: str, request_id: str) -> UnknownOutcome | None:
        entry = self._outcomes.unknown.get((worker_slot, request_id))
        if entry is None:
            return None
        slot = self._slots.get(beside(worker_slot, request_id))
        if slot is None:
            return UnknownOutcome(entry, worker_slot)
        return UnknownOutcome(
            entry,
            worker_slot,
            slot_stands=True,
            slot_first_sent_at=slot.first_sent_at,
            slot_last_sent_at=slot.last_sent_at,
            slot_account=slot.account,
        )

    async def accept_account(
        self, worker_slot: str, request_id: str, account: AccountBinding
    ) -> None:
        entry = self._outcomes.unknown.get((worker_slot, request_id))
        if entry is not None:
            self._outcomes.unknown[worker_slot, request_id] = replace(entry, account=account)

    async def metadata_unset_at(self, account: AccountBinding) -> float | None:
        found = [
            self._metadata_unset[name] for name in account.names if name in self._metadata_unset
        ]
        return max(found, default=None)

    async def forget(self, worker_slot: str, request_id: str) -> None:
        self._outcomes.unknown.pop((worker_slot, request_id), None)


_AFTER = "starting_after"
_ENDS = (("gte", "-inf"), ("lte", "inf"))

AWAY = Inconclusive("Stripe cannot be reached")


class MemoryStripeLists:
    """A `StripeLists` with the objects in `created`. If `instead` is set, it is the result of every look.

    `accounts` holds the objects of other keys, by the text of the key. `clock` is Stripe's clock. Without it the
    answers have no `Date`.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock
        self.accounts: dict[str, list[Mapping[str, Any]]] = {}
        self.created: list[Mapping[str, Any]] = []
        self.instead: LookupResult | None = None
        self.away = False
        """Stripe answers no read."""
        self.pages: list[dict[str, Any]] = []
        self.page_size = 100
        self.looks: list[dict[str, Any]] = []
        self.objects: dict[str, Mapping[str, Any] | Inconclusive] = {}
        """The objects that `fetch` finds, by path. Another path has none."""
        self.fetches: list[dict[str, Any]] = []

    async def fetch(self, *, path: str, key: StripeKey, **rest: Any) -> Fetched | Inconclusive:
        self.fetches.append({"path": path, "key": key, **rest})
        await asyncio.sleep(0)
        if self.away:
            return AWAY
        found = self.objects.get(path)
        if isinstance(found, Inconclusive):
            return found
        return Fetched(found, "req_get", self.clock.now_s() if self.clock else None)

    async def read_page(
        self, *, path: str, query: Mapping[str, str], key: StripeKey, **rest: Any
    ) -> Page | Inconclusive:
        """Return up to `page_size` of the objects in `created`, which are in the order in which Stripe lists them."""
        await rest["turn"]()
        self.pages.append({"path": path, "query": dict(query), "key": key, **rest})
        await asyncio.sleep(0)
        if self.away or isinstance(self.instead, Inconclusive):
            return self.instead if isinstance(self.instead, Inconclusive) else AWAY
        listed = [] if self.instead else self.accounts.get(key.reveal(), self.created)
        earliest, latest = (float(query.get(f"created[{end}]", now)) for end, now in _ENDS)
        inside = [one for one in listed if earliest <= one["created"] <= latest]
        after = [number for number, one in enumerate(inside) if one["id"] == query.get(_AFTER)]
        rest_of = inside[after[0] + 1 :] if after else inside
        answered_at = self.clock.now_s() if self.clock else None
        if isinstance(self.instead, NotFound):
            answered_at = self.instead.answered_at
        page = rest_of[: self.page_size]
        return Page(page, len(rest_of) > len(page), "req_list", answered_at)

    async def find_created(self, **look: Any) -> LookupResult:
        await look["turn"]()
        self.looks.append(look)
        await asyncio.sleep(0)
        if self.away or self.instead is not None:
            return self.instead or AWAY
        name, value = look["mark"]
        window = look["within"]
        for listed in self.accounts.get(look["key"].reveal(), self.created):
            inside = window.earliest <= listed["created"] <= window.latest
            if inside and listed["metadata"].get(name) == value:
                return Found(listed, "req_list")
        return NotFound(self.clock.now_s() if self.clock else None)


class MemoryDeadLetters:
    """A `DeadLetterQueue` with receipt handles and hidden messages. A receive returns at most two messages."""

    PAGE = 2

    def __init__(self) -> None:
        self.messages: dict[str, Parked] = {}
        self.hidden: set[str] = set()
        self._receipts = itertools.count(1)

    def put(
        self, body: str, *, sent_at: float, reason: str | None = None, kind: str | None = None
    ) -> str:
        message_id = f"m-{len(self.messages) + 1}"
        self.messages[message_id] = Parked(message_id, "", body, sent_at, sent_at, reason, kind)
        return message_id

    async def receive(self) -> Sequence[Parked]:
        seen = [id_ for id_ in self.messages if id_ not in self.hidden][: self.PAGE]
        self.hidden.update(seen)
        for id_ in seen:
            receipt = f"r-{next(self._receipts)}"
            self.messages[id_] = replace(self.messages[id_], receipt=receipt)
        return [self.messages[id_] for id_ in seen]

    async def release(self, parked: Sequence[Parked]) -> None:
        for one in parked:
            if self._current(one):
                self.hidden.discard(one.message_id)

    async def delete(self, parked: Parked) -> None:
        if self._current(parked):
            del self.messages[parked.message_id]
            self.hidden.discard(parked.message_id)

    def _current(self, parked: Parked) -> bool:
        """Return whether this is the latest receive of the message, because SQS accepts only its receipt handle."""
        return self.messages.get(parked.message_id) == parked


class MemoryBacklog:
    """A `Backlog` of the requests and flows that the test puts into its lists."""

    def __init__(self) -> None:
        self.open: list[OpenRequest] = []
        self.waiting: list[WaitingFlow] = []
        self.dead: list[DeadFlow] = []
        self.policy: str | None = "noeviction"

    async def workers(self, *, at_most: int) -> Sequence[str]:
        waiting = {one.worker_id for one in self.waiting} | {one.worker_id for one in self.dead}
        return sorted(waiting | {one.worker_id for one in self.open})[:at_most]

    async def eviction_policy(self) -> str | None:
        return self.policy

    async def open_requests(
        self, worker_id: str, *, before: float, at_most: int
    ) -> Sequence[OpenRequest]:
        mine = [one for one in self.open if one.worker_id == worker_id]
        return [one for one in mine if one.known_since <= before][:at_most]

    async def waiting_flows(
        self, worker_id: str, *, before: float, at_most: int
    ) -> Sequence[WaitingFlow]:
        mine = [one for one in self.waiting if one.worker_id == worker_id]
        return [one for one in mine if one.published_at <= before][:at_most]

    async def dead_flows(
        self, worker_id: str, *, before: float, at_most: int
    ) -> Sequence[DeadFlow]:
        mine = [one for one in self.dead if one.worker_id == worker_id]
        return [one for one in mine if one.dead_since <= before][:at_most]

    async def stream(self, worker_id: str) -> StreamState:
        mine = [one for one in self.waiting if one.worker_id == worker_id]
        return StreamState(
            worker_id=worker_id,
            pending=sum(one.delivered for one in mine),
            unread=sum(not one.delivered for one in mine),
            oldest_pending_at=min((one.published_at for one in mine), default=None),
            dead=sum(one.worker_id == worker_id for one in self.dead),
        )


class MemoryQueueDepths:
    """A `QueueDepths` with the given numbers."""

    def __init__(self, *depths: QueueDepth) -> None:
        self._depths = depths

    async def depths(self) -> Sequence[QueueDepth]:
        return self._depths
