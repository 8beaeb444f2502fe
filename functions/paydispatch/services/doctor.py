"""Doctor: find the accepted requests without a terminal flow, with the reason and the next step. Changes nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from paydispatch.domain.operators.diagnosis import (
    NO_EVICTION,
    of_dead,
    of_flow,
    of_open,
    of_unknown,
    of_unreadable_outcome,
)
from paydispatch.services.limits import look_at_limits
from paydispatch.services.looks.report_looks import read_looks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from paydispatch.domain.operators.diagnosis import Finding
    from paydispatch.domain.operators.holds import Hold
    from paydispatch.domain.unknown_outcomes import UnknownOutcome
    from paydispatch.ports import (
        Backlog,
        Clock,
        Doubts,
        LimitBoard,
        QueueDepth,
        QueueDepths,
        StreamState,
        UnknownOutcomes,
    )
    from paydispatch.services.looks.report_looks import PlaceLooks

WORKERS = 1_000
"""Workers that are examined at most. If more have unfinished work, the first thousand show the fault."""

PER_WORKER = 1_000
"""Requests of each kind that are listed for a worker at most, because no operator reads more.

These are the oldest ones. The unknown outcomes are drawn at random.
"""


@dataclass(slots=True)
class Diagnosis:
    """The result of an examination."""

    findings: list[Finding] = field(default_factory=list)
    """The requests that wait longest come first."""
    streams: list[StreamState] = field(default_factory=list)
    """The streams with dead entries, or with an entry that has been pending for too long."""
    queues: list[QueueDepth] = field(default_factory=list)
    more_workers: bool = False
    """Whether there are more workers than were examined."""
    looks: list[PlaceLooks] = field(default_factory=list)
    """The unknown requests by account and object, with the next look at each."""
    holds: list[Hold] = field(default_factory=list)
    """The pauses, open breakers and shrunken limits that hold calls back."""
    eviction_policy: str | None = None
    """The policy by which Redis frees memory. None: Redis does not say."""

    @property
    def evicts(self) -> bool:
        """Whether Redis may evict the keys that prevent a second effect."""
        return self.eviction_policy not in (None, NO_EVICTION)

    @property
    def healthy(self) -> bool:
        return not (self.findings or self.evicts or any(hold.stops for hold in self.holds))


class Doctor:
    """The service of `paydispatch doctor`."""

    def __init__(
        self,
        backlog: Backlog,
        unknown_outcomes: UnknownOutcomes,
        queues: QueueDepths,
        limits: LimitBoard,
        doubts: Doubts,
        clock: Clock,
    ) -> None:
        self._backlog = backlog
        self._unknown_outcomes = unknown_outcomes
        self._queues = queues
        self._limits = limits
        self._doubts = doubts
        self._clock = clock

    async def examine(self, *, older_than_s: float) -> Diagnosis:
        """Return the requests that have waited for at least `older_than_s`, and the state of the stores.

        An unreadable entry is always listed, because its age is not known. Raises `Unavailable`.
        """
        now_s = self._clock.now_s()
        workers = await self._backlog.workers(at_most=WORKERS + 1)
        diagnosis = Diagnosis(
            queues=list(await self._queues.depths()),
            more_workers=len(workers) > WORKERS,
            looks=await read_looks(self._doubts),
            holds=(await look_at_limits(self._limits)).holds,
            eviction_policy=await self._backlog.eviction_policy(),
        )
        for worker_id in workers[:WORKERS]:
            findings = [one async for one in self._find(worker_id, now_s, older_than_s)]
            diagnosis.findings += findings
            state = await self._backlog.stream(worker_id)
            oldest = state.oldest_pending_at
            if state.dead or (oldest is not None and now_s - oldest >= older_than_s):
                diagnosis.streams.append(state)
        diagnosis.findings.sort(key=lambda finding: finding.since)
        return diagnosis

    async def _find(
        self, worker_id: str, now_s: float, older_than_s: float
    ) -> AsyncIterator[Finding]:
        before = now_s - older_than_s
        backlog = self._backlog
        for request in await backlog.open_requests(worker_id, before=before, at_most=PER_WORKER):
            yield of_open(request, now_s)
        for flow in await backlog.waiting_flows(worker_id, before=before, at_most=PER_WORKER):
            yield of_flow(flow, now_s)
        for dead in await backlog.dead_flows(worker_id, before=before, at_most=PER_WORKER):
            yield of_dead(dead)
        for request_id in await self._unknown_outcomes.some(worker_id, at_most=PER_WORKER):
            try:
                unknown = await self._unknown_outcomes.read(worker_id, request_id)
            except ValueError:
                yield of_unreadable_outcome(worker_id, request_id, now_s)
                continue
            if unknown is not None and _is_waiting(unknown, before):
                yield of_unknown(unknown, now_s)


def _is_waiting(unknown: UnknownOutcome, before: float) -> bool:
    """Return whether it has been unknown since `before`. A settled one only waits for reconcile to drop it."""
    return not unknown.entry.outcome.settled and unknown.entry.settled_at <= before
