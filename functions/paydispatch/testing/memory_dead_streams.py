"""The in-memory twin of the dead streams."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from paydispatch.domain.operators.dead_flows import Moved, follows_failed_response, says_unknown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paydispatch.domain.operators.dead_flows import DeadFlow
    from paydispatch.ports import Clock
    from paydispatch.testing.memory_inbox import MemoryInbox


class MemoryDeadStreams:
    """A `DeadStreams` over the dead entries of a `MemoryInbox`."""

    def __init__(self, inbox: MemoryInbox, clock: Clock) -> None:
        self._inbox = inbox
        self._clock = clock
        self.settled: set[tuple[str, str]] = set()
        """The worker slot and the id of each request that has been settled since an entry said `unknown`."""

    async def workers(self) -> Sequence[str]:
        return sorted({dead.worker_id for dead in self._inbox.dead_flows()})

    async def time_s(self, worker_slot: str) -> float:
        del worker_slot
        return self._clock.now_s()

    async def page(
        self, worker_slot: str, *, after: str, until_s: float, at_most: int
    ) -> Sequence[DeadFlow]:
        lying = [
            replace(
                dead,
                settled_since=self._settled_since(dead),
                response_reran=follows_failed_response(dead) and self._inbox.has_rerun(dead),
            )
            for dead in self._inbox.dead_flows()
            if dead.worker_id == worker_slot and dead.dead_since <= until_s
        ]
        return [dead for dead in lying if _place(dead.dead_id) > _place(after)][:at_most]

    async def rerun(self, worker_slot: str, dead: DeadFlow) -> Moved:
        del worker_slot
        if self._settled_since(dead):
            return Moved.SETTLED
        return Moved.MOVED if self._inbox.rerun(dead) else Moved.GONE

    def _settled_since(self, dead: DeadFlow) -> bool:
        request_id = dead.entry.request_id if dead.entry else ""
        return says_unknown(dead) and (dead.worker_id, request_id) in self.settled


def _place(dead_id: str) -> tuple[int, int]:
    milliseconds, _, number = dead_id.partition("-")
    return int(milliseconds or 0), int(number or 0)
