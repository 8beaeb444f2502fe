"""Redis: the twins of the request's slot and the worker's slot, with keys that expire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.model.asks import QUEUE_TENANT
from tests.model.stage import at_once

from paydispatch.domain.identity.slots import slot_name
from paydispatch.domain.limits import REMEMBER_S
from paydispatch.testing.memory_outcomes import MemoryOutcomes
from paydispatch.testing.memory_requests import MemoryRequests, MemoryRequestStore, MemorySlots

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.model.virtual_time import ModelClock

    from paydispatch.domain.claims import Claim, SlotState
    from paydispatch.domain.entry import OutcomeEntry


class ModelRedis:
    def __init__(self, clock: ModelClock) -> None:
        self._clock = clock
        self.outcomes = MemoryOutcomes(clock, queue_tenant=QUEUE_TENANT)  # type: ignore[arg-type]
        slots = MemorySlots()
        self.requests = MemoryRequests(clock, self.outcomes, slots, queue_tenant=QUEUE_TENANT)
        self.store = MemoryRequestStore(slots)
        self.slots = slots.slots
        self._touched: dict[str, float] = {}
        self._marked: dict[tuple[str, str], float] = {}

    def at_slot(self, claim: Claim, call: Callable[[MemoryRequests], Any]) -> Any:
        """Run one script in a request's slot. Restart the time after which Redis drops the slot."""
        self.forget()
        answer = at_once(call(self.requests))
        self._touch(claim.slot)
        return answer

    def claim_for_api(self, claims: Sequence[Claim]) -> Sequence[SlotState]:
        self.forget()
        states = self.store.claim(claims)
        for claim in claims:
            self._touch(claim.slot)
        return states

    def count_repeats(self, ended: Sequence[tuple[Claim, int]]) -> Sequence[int]:
        self.forget()
        newest = self.store.count_repeats(ended)
        for first, _ in ended:
            self._touch(first.slot)
        return newest

    def mark_queued(self, claims: Sequence[Claim]) -> None:
        self.forget()
        self.store.mark_queued(claims)
        for claim in claims:
            self._touch(claim.slot)

    def publish(self, entry: OutcomeEntry) -> bool:
        self.forget()
        first = bool(at_once(self.outcomes.publish(entry)))
        if first:
            self._marked[self._worker_slot(entry), entry.request_id] = self._clock.now_s()
        return first

    def write_status(self, entry: OutcomeEntry) -> None:
        self.forget()
        at_once(self.requests.write_status(entry))
        self._touch(slot_name(entry.tenant or QUEUE_TENANT, entry.request_id, QUEUE_TENANT))

    def forget(self) -> None:
        """Drop the slots and marks that no call touched for `REMEMBER_S`, as their expiry in Redis does."""
        oldest = self._clock.now_s() - REMEMBER_S
        for slot in [slot for slot, at in self._touched.items() if at <= oldest]:
            del self._touched[slot]
            self.slots.pop(slot, None)
        for mark in [mark for mark, at in self._marked.items() if at <= oldest]:
            del self._marked[mark]
            self.outcomes.marks.pop(mark, None)
            kept = [each for each in self.outcomes.entries if self._mark(each) != mark]
            self.outcomes.entries[:] = kept

    def _touch(self, slot: str) -> None:
        if slot in self.slots:
            self._touched[slot] = self._clock.now_s()
            repeat_of = self.slots[slot].claim.repeat_of
            if repeat_of in self.slots:  # which lives as long as its repeat
                self._touched[repeat_of] = self._clock.now_s()

    def _mark(self, entry: OutcomeEntry) -> tuple[str, str]:
        return self._worker_slot(entry), entry.request_id

    def _worker_slot(self, entry: OutcomeEntry) -> str:
        return slot_name(entry.tenant or QUEUE_TENANT, entry.worker_id, QUEUE_TENANT)
