"""The in-memory twin of the outcome stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydispatch.domain.errors import Unavailable
from paydispatch.domain.identity.slots import slot_name
from paydispatch.domain.operators.diagnosis import open_since

if TYPE_CHECKING:
    from paydispatch.domain.claims import Claim
    from paydispatch.domain.entry import OutcomeEntry
    from paydispatch.testing.memory_clock import MemoryClock


class MemoryOutcomes:
    """An `OutcomeStream` with the seen-mark's rules, and with its indexes by worker slot and request."""

    def __init__(self, clock: MemoryClock, *, queue_tenant: str = "local") -> None:
        self._clock = clock
        self._queue_tenant = queue_tenant
        self.entries: list[OutcomeEntry] = []
        self.marks: dict[tuple[str, str], str] = {}
        self.unknown: dict[tuple[str, str], OutcomeEntry] = {}
        """The unknown outcomes, and the settled ones that took their place."""
        self.open: dict[tuple[str, str], float] = {}
        """The requests without a published outcome, with the time (unix s) since which each is open."""
        self.away = False

    async def publish(self, entry: OutcomeEntry) -> bool:
        self._reach()
        settled = entry.outcome.settled
        mark, key = "settled" if settled else "unknown", (self._slot(entry), entry.request_id)
        self.open.pop(key, None)
        if self.marks.get(key) in (mark, "settled"):
            return False
        self.marks[key] = mark
        if not settled or key in self.unknown:
            self.unknown[key] = entry
        self.entries.append(entry)
        return True

    async def is_settled(self, worker_slot: str, request_id: str) -> bool:
        self._reach()
        return self.marks.get((worker_slot, request_id)) == "settled"

    async def last_entry(self, worker_slot: str, request_id: str) -> OutcomeEntry | None:
        self._reach()
        told = [
            entry
            for entry in self.entries
            if (self._slot(entry), entry.request_id) == (worker_slot, request_id)
        ]
        return told[-1] if told else None

    def note_open(self, claim: Claim) -> None:
        key = (claim.worker_slot, claim.request_id)
        if key not in self.marks:
            self.open.setdefault(key, open_since(claim.accepted_at, self._clock.now_s()))

    def _slot(self, entry: OutcomeEntry) -> str:
        return slot_name(entry.tenant or self._queue_tenant, entry.worker_id, self._queue_tenant)

    def _reach(self) -> None:
        if self.away:
            raise Unavailable("Redis is unavailable")
