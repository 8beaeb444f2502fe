"""The in-memory twins of the flow inbox and of its sweep."""

from __future__ import annotations

import itertools
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from paydispatch.domain.entry import OutcomeEntry
from paydispatch.domain.errors import Unavailable
from paydispatch.domain.identity.slots import slot_name
from paydispatch.domain.operators.dead_flows import DeadFlow
from paydispatch.domain.operators.traces import (
    Dead,
    Finished,
    FlowPath,
    NotRead,
    Pending,
    Postponed,
    Rerun,
    Running,
)
from paydispatch.domain.outcomes import Response
from paydispatch.domain.sweep import WorkerLook, has_work, next_look_at
from paydispatch.ports import Postponement, Swept, Turn

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from paydispatch.domain.operators.traces import FlowState
    from paydispatch.ports import Clock
    from paydispatch.testing.memory_clock import MemoryClock


@dataclass
class _InboxEntry:
    """An entry with its state."""

    entry_id: str
    entry: OutcomeEntry
    text: str
    runs: int = 0
    failed: int = 0
    """Those of the runs that failed."""
    due_at: float = 0.0
    read: bool = False
    missing_since: float | None = None
    put_at: float = 0.0
    end: Finished | Dead | Rerun | None = None
    successor: str = ""
    """The id of the entry that took its place."""
    rerun_as: str = ""
    """The id of the entry as which it ran again."""


@dataclass
class _Context:
    """The unfinished entries of a conversation in order, and the lease of the turn that runs the first."""

    entries: deque[_InboxEntry] = field(default_factory=deque)
    lease: str = ""
    lease_until: float = 0.0

    def find(self, entry_id: str) -> _InboxEntry | None:
        return next((held for held in self.entries if held.entry_id == entry_id), None)


class MemoryInbox:
    """A `FlowInbox` with a queue and a lease for each context."""

    def __init__(self, clock: MemoryClock, *, lease_s: float = 40.0) -> None:
        self._clock = clock
        self._lease_s = lease_s
        self._ids = itertools.count(1)
        self._contexts: defaultdict[tuple[str, str], _Context] = defaultdict(_Context)
        self.dead: list[tuple[OutcomeEntry, str]] = []
        self.looks: dict[str, float] = {}
        """The time (unix s) of the next look of a sweep at each worker."""
        self.ended: dict[str, _InboxEntry] = {}
        """The finished and the dead entries, by id."""
        self.away = False

    def put(self, entry: OutcomeEntry) -> None:
        worker = _worker_slot(entry)
        self.looks[worker] = 0.0
        self._contexts[worker, entry.context_id].entries.append(self._new_entry(entry))

    def unfinished_entries(self) -> list[OutcomeEntry]:
        return [held.entry for context in self._contexts.values() for held in context.entries]

    async def take(self, worker_id: str, *, at_most: int) -> Sequence[Turn]:
        return self._take(worker_id, at_most, read=False)

    async def take_abandoned(self, worker_id: str, *, at_most: int) -> Sequence[Turn]:
        return self._take(worker_id, at_most, read=True)

    async def finish(self, turn: Turn, *, take_next: bool) -> Turn | None:
        self._reach()
        context = self._context(turn)
        held = context.find(turn.entry_id)
        if held is not None:
            context.entries.remove(held)
            held.end = held.end or Finished(self._clock.now_s(), held.runs)
            self.ended[held.entry_id] = held
        return self._next_turn(context, turn, take_next=take_next)

    async def renew(self, turn: Turn, for_s: float) -> bool:
        self._reach()
        context = self._context(turn)
        if not self._holds(context, turn):
            return False
        context.lease_until = max(context.lease_until, self._clock.now_s() + for_s)
        return True

    async def missing_since(self, turn: Turn) -> float:
        self._reach()
        context, now_s = self._context(turn), self._clock.now_s()
        if not self._holds(context, turn):
            return now_s
        head = context.entries[0]
        head.missing_since = now_s if head.missing_since is None else head.missing_since
        return head.missing_since

    async def postpone(self, turn: Turn, delay_s: float, why: Postponement) -> None:
        self._reach()
        context = self._context(turn)
        if not self._holds(context, turn):
            return
        head, context.lease_until = context.entries[0], 0.0
        head.due_at = self._clock.now_s() + delay_s
        worker = turn.worker_slot
        self.looks[worker] = min(head.due_at, self.looks.get(worker, head.due_at))
        head.runs -= why in (Postponement.LATER, Postponement.MISSING)
        head.failed += why is Postponement.FAILED
        head.missing_since = head.missing_since if why is Postponement.MISSING else None

    async def move_to_dead_stream(
        self, turn: Turn, *, reason: str, successor: OutcomeEntry | None, take_next: bool
    ) -> Turn | None:
        self._reach()
        context = self._context(turn)
        held = context.find(turn.entry_id)
        if held is None:
            return self._next_turn(context, turn, take_next=take_next)
        held.end = Dead(self._clock.now_s(), held.runs, reason)
        self.dead.append((OutcomeEntry.from_json(turn.text), reason))
        if successor is not None:
            following = self._new_entry(successor)
            held.successor = following.entry_id
            context.entries.appendleft(following)
        return await self.finish(turn, take_next=take_next)

    def look(self, worker_id: str) -> WorkerLook:
        """Return the worker's state for a sweep."""
        self._reach()
        held = list(self._entries(worker_id))
        postponed = [each for each in held if each.read and each.due_at]
        return WorkerLook(
            unread=any(not each.read for each in held),
            pending=sum(each.read for each in held),
            postponed=len(postponed),
            first_due_at=min((each.due_at for each in postponed), default=None),
        )

    def due_for_a_look(self, now_s: float) -> list[tuple[float, str]]:
        """Return the due workers, each with the time of its look, in order."""
        self._reach()
        return sorted((at, worker_id) for worker_id, at in self.looks.items() if at <= now_s)

    def paths(self, worker_id: str, request_id: str) -> list[FlowPath]:
        """Return the entry of a request that was put last, and the entry that took its place, with their states."""
        self._reach()
        ended = [one for one in self.ended.values() if _worker_slot(one.entry) == worker_id]
        mine = {
            one.entry_id: one
            for one in (*ended, *self._entries(worker_id))
            if one.entry.request_id == request_id
        }
        later = {id_ for one in mine.values() for id_ in (one.successor, one.rerun_as)}
        firsts = [one for one in mine.values() if one.entry_id not in later]
        last = max(firsts, key=lambda one: int(one.entry_id), default=None)
        found, following = [], [last] if last else []
        while following:
            one = following.pop(0)
            found.append(one)
            following += [mine[id_] for id_ in (one.successor, one.rerun_as) if id_ in mine]
        return [self._path(one) for one in found]

    def dead_flows(self) -> list[DeadFlow]:
        """Return the dead entries in the order of their deaths."""
        self._reach()
        dead = [(one, one.end) for one in self.ended.values() if isinstance(one.end, Dead)]
        return [
            DeadFlow(
                worker_id=_worker_slot(one.entry),
                entry=OutcomeEntry.from_json(one.text),
                reason=end.reason,
                dead_since=end.at,
                dead_id=_dead_id(one, end),
                entry_id=one.entry_id,
            )
            for one, end in dead
        ]

    def has_rerun(self, dead: DeadFlow) -> bool:
        """Return whether the response of the same request has run again."""
        request_id = dead.entry.request_id if dead.entry else ""
        return any(
            isinstance(one.end, Rerun)
            and isinstance(one.entry.outcome, Response)
            and (_worker_slot(one.entry), one.entry.request_id) == (dead.worker_id, request_id)
            for one in self.ended.values()
        )

    def rerun(self, dead: DeadFlow) -> bool:
        """Put a dead entry back as the last of its context. False: it is not dead, and did not run again."""
        self._reach()
        held = self.ended.get(dead.entry_id)
        if held is None or isinstance(held.end, Finished):
            return False
        if isinstance(held.end, Dead):
            self.put(OutcomeEntry.from_json(held.text))
            again = self._contexts[_worker_slot(held.entry), held.entry.context_id].entries[-1]
            held.rerun_as = again.entry_id
            held.end = Rerun(self._clock.now_s(), held.runs)
        return True

    def _path(self, held: _InboxEntry) -> FlowPath:
        return FlowPath(
            entry_id=held.entry_id,
            published_at=held.put_at,
            entry=held.entry,
            state=held.end or self._state(held),
        )

    def _state(self, held: _InboxEntry) -> FlowState:
        if not held.read:
            return NotRead()
        context = self._contexts[_worker_slot(held.entry), held.entry.context_id]
        head = context.entries[0] is held
        if head and self._is_leased(context):
            return Running(held.runs, context.lease_until)
        if held.due_at:
            return Postponed(held.runs, held.due_at, held.failed, held.missing_since)
        return Pending(held.runs, behind_another=not head)

    def _entries(self, worker_id: str) -> Iterator[_InboxEntry]:
        own = (context for (worker, _), context in self._contexts.items() if worker == worker_id)
        return itertools.chain.from_iterable(context.entries for context in own)

    def _take(self, worker_id: str, at_most: int, *, read: bool) -> list[Turn]:
        """Take the turns of the contexts' first entries, of those that were read before or of the others."""
        self._reach()
        own = [context for (worker, _), context in self._contexts.items() if worker == worker_id]
        free = [context for context in own if self._free(context)]
        meant = [context for context in free if context.entries[0].read is read]
        return [self._turn(context) for context in meant[:at_most]]

    def _context(self, turn: Turn) -> _Context:
        return self._contexts[turn.worker_slot, turn.entry.context_id]

    def _new_entry(self, entry: OutcomeEntry) -> _InboxEntry:
        now_s = self._clock.now_s()
        return _InboxEntry(str(next(self._ids)), entry, entry.as_json(), put_at=now_s)

    def _is_leased(self, context: _Context) -> bool:
        return context.lease_until > self._clock.now_s()

    def _holds(self, context: _Context, turn: Turn) -> bool:
        return context.lease == turn.lease and self._is_leased(context)

    def _free(self, context: _Context) -> bool:
        return (
            bool(context.entries)
            and context.entries[0].due_at <= self._clock.now_s()
            and not self._is_leased(context)
        )

    def _next_turn(self, context: _Context, turn: Turn, *, take_next: bool) -> Turn | None:
        """Return the context's next turn under the same runner, unless another turn holds the lease by now."""
        if self._is_leased(context) and context.lease != turn.lease:
            return None
        context.lease_until = 0.0
        return self._turn(context) if take_next and self._free(context) else None

    def _turn(self, context: _Context) -> Turn:
        head = context.entries[0]
        head.runs += 1
        head.read = True
        context.lease = f"lease-{next(self._ids)}"
        context.lease_until = self._clock.now_s() + self._lease_s
        entry, worker = OutcomeEntry.from_json(head.text), _worker_slot(head.entry)
        killed = head.runs - 1 - head.failed
        return Turn(head.entry_id, entry, head.text, head.runs, context.lease, worker, killed)

    def _reach(self) -> None:
        if self.away:
            raise Unavailable("Redis is unavailable")


def _worker_slot(entry: OutcomeEntry) -> str:
    return slot_name(entry.tenant or "local", entry.worker_id, "local")


def _dead_id(held: _InboxEntry, end: Dead) -> str:
    return f"{round(end.at * 1000)}-{held.entry_id}"


class MemorySweep:
    """A `Sweep` over the index of a `MemoryInbox`."""

    def __init__(self, inbox: MemoryInbox, clock: Clock) -> None:
        self._inbox = inbox
        self._clock = clock

    async def due(self, *, at_most: int) -> Swept:
        now_s = self._clock.now_s()
        due = self._inbox.due_for_a_look(now_s)[:at_most]
        looks = {worker_id: self._inbox.look(worker_id) for _, worker_id in due}
        for at, worker_id in due:
            self._plan(worker_id, next_look_at(looks[worker_id], now_s, noted=at == 0.0))
        return Swept(len(due), [id_ for id_, look in looks.items() if has_work(look, now_s)])

    async def with_work(self, worker_ids: Collection[str]) -> Sequence[str]:
        now_s = self._clock.now_s()
        return [id_ for id_ in worker_ids if has_work(self._inbox.look(id_), now_s)]

    def _plan(self, worker_id: str, at: float | None) -> None:
        del self._inbox.looks[worker_id]
        if at is not None:
            self._inbox.looks[worker_id] = at
