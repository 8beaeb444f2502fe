"""The in-memory twin of the stored path of requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydispatch.domain.operators.traces import SlotTimes
from paydispatch.ports import TracedRequest
from paydispatch.testing.memory_requests import make_record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paydispatch.domain.operators.traces import FlowPath
    from paydispatch.testing.memory_inbox import MemoryInbox
    from paydispatch.testing.memory_requests import MemorySlots, Slot


class MemoryTraces:
    """A `Traces` over the slots of requests and the entries of an inbox."""

    def __init__(self, slots: MemorySlots, inbox: MemoryInbox) -> None:
        self._slots = slots
        self._inbox = inbox

    async def request(self, slot: str) -> TracedRequest | None:
        self._slots.reach()
        found = self._slots.slots.get(slot)
        if found is None or not (found.queued or found.status):
            return None
        return TracedRequest(record=make_record(found), times=_times(found))

    async def flows(self, worker_slot: str, request_id: str) -> Sequence[FlowPath]:
        return self._inbox.paths(worker_slot, request_id)

    async def statuses(self, slots: Sequence[str]) -> Sequence[str | None]:
        self._slots.reach()
        found = [self._slots.slots.get(slot) for slot in slots]
        return [None if one is None else _status(one) for one in found]


def _status(slot: Slot) -> str | None:
    return slot.status or ("dispatched" if slot.queued else None)


def _times(slot: Slot) -> SlotTimes:
    return SlotTimes(
        accepted_at=slot.claim.accepted_at,
        queued_at=slot.queued_at,
        received_at=slot.received_at,
        first_sent_at=slot.first_sent_at,
        last_sent_at=slot.last_sent_at,
        later_sends=slot.later_sends,
        unknown_at=slot.unknown_at,
        settled_at=slot.settled_at,
        stripe_request_id=slot.outcome.stripe_request_id if slot.outcome else None,
        open_sends=len(slot.sends),
        in_doubt=slot.maybe_executed,
        event_id=None if slot.event is None else slot.event.event_id,
        repeats=slot.repeats,
    )
