"""The in-memory twin of the stored conversations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from paydispatch.domain.errors import Unavailable
from paydispatch.domain.operators.erasure import Erased

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from paydispatch.domain.operators.erasure import Conversation


@dataclass
class StoredRequest:
    """A request's slot. `said` stands for its result, its error and its kept message."""

    whose: Conversation
    settled: bool
    said: bool = True


@dataclass
class StoredOutcome:
    """An entry of an outcome stream or of a dead stream."""

    whose: Conversation
    finished: bool = True


@dataclass
class MemoryConversations:
    """Holds requests by slot, and outcomes and dead flows by the worker's slot, for a test to write and to read."""

    stored: dict[str, StoredRequest] = field(default_factory=dict)
    outcomes: dict[str, list[StoredOutcome]] = field(default_factory=dict)
    dead_flows: dict[str, list[StoredOutcome]] = field(default_factory=dict)
    away: bool = False

    async def requests(self, whose: Conversation) -> Sequence[str]:
        self._reach()
        return [
            slot
            for slot, request in self.stored.items()
            if request.said and _covers(whose, request.whose)
        ]

    async def workers(self, whose: Conversation) -> Sequence[str]:
        self._reach()
        streams = (*self.outcomes.items(), *self.dead_flows.items())
        of_tenant = {
            slot
            for slot, entries in streams
            if any(_same_place(whose, entry.whose) for entry in entries)
        }
        return sorted(of_tenant)

    async def erase_request(self, slot: str, whose: Conversation, *, write: bool) -> Erased:
        self._reach()
        request = self.stored.get(slot)
        if request is None or not request.said or not _covers(whose, request.whose):
            return Erased()
        if not request.settled:
            return Erased(left=1)
        request.said = not write
        return Erased(1)

    async def erase_outcomes(self, worker_slot: str, whose: Conversation, *, write: bool) -> Erased:
        self._reach()
        return _erase(self.outcomes, worker_slot, whose, lambda entry: entry.finished, write=write)

    async def erase_dead_flows(
        self, worker_slot: str, whose: Conversation, *, write: bool
    ) -> Erased:
        self._reach()
        return _erase(self.dead_flows, worker_slot, whose, lambda _: True, write=write)

    def _reach(self) -> None:
        if self.away:
            raise Unavailable("Redis is unavailable")


def _erase(
    streams: dict[str, list[StoredOutcome]],
    worker_slot: str,
    whose: Conversation,
    may_go: Callable[[StoredOutcome], bool],
    *,
    write: bool,
) -> Erased:
    entries = streams.get(worker_slot, [])
    mine = [entry for entry in entries if entry.whose.context_id == whose.context_id]
    gone = [entry for entry in mine if may_go(entry)]
    if write:
        streams[worker_slot] = [entry for entry in entries if entry not in gone]
    return Erased(len(gone), len(mine) - len(gone))


def _covers(whose: Conversation, stored: Conversation) -> bool:
    return whose.context_id == stored.context_id and _same_place(whose, stored)


def _same_place(whose: Conversation, stored: Conversation) -> bool:
    return whose.tenant == stored.tenant and whose.worker_id in (None, stored.worker_id)
