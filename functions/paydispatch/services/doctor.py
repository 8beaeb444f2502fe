"""Doctor: which accepted requests have no terminal flow yet, why, and what comes next. It looks and changes nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from paydispatch.domain.diagnosis import (
    NO_EVICTION,
    of_dead,
    of_flow,
    of_open,
    of_unknown,
    of_unreadable_outcome,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from paydispatch.domain.diagnosis import Finding
    from paydispatch.ports import (
        Backlog,
        Clock,
        QueueDepth,
        QueueDepths,
        StreamState,
        UnknownOutcomes,
    )

WORKERS = 1_000
"""Workers looked at in detail. Where more of them wait, the first thousand say enough."""

PER_WORKER = 1_000
"""Requests of each kind: the oldest, and of the unknown outcomes any. More would not be read by anybody."""


@dataclass(slots=True)
class Diagnosis:
    findings: list[Finding] = field(default_factory=list)
    """The longest waiting first."""
    streams: list[StreamState] = field(default_factory=list)
    """Those with something pending for too long, or dead."""
    queues: list[QueueDepth] = field(default_factory=list)
    more_workers: bool = False
    """Whether there are more workers than were looked at."""
    eviction_policy: str | None = None
    """What Redis does when it is full. None: it does not say."""

    @property
    def evicts(self) -> bool:
        return self.eviction_policy not in (None, NO_EVICTION)

    @property
    def healthy(self) -> bool:
        return not self.findings and not self.evicts


class Doctor:
    def __init__(
        self, backlog: Backlog, unknown_outcomes: UnknownOutcomes, queues: QueueDepths, clock: Clock
    ) -> None:
        self._backlog = backlog
        self._unknown_outcomes = unknown_outcomes
        self._queues = queues
        self._clock = clock

    async def examine(self, *, older_than_s: float) -> Diagnosis:
        """Everything that waits since before `older_than_s` ago, or nobody knows since when. Raises `Unavailable`."""
        now_s = self._clock.now_s()
        workers = await self._backlog.workers(at_most=WORKERS + 1)
        diagnosis = Diagnosis(
            queues=list(await self._queues.depths()),
            more_workers=len(workers) > WORKERS,
            eviction_policy=await self._backlog.eviction_policy(),
        )
        for worker_id in workers[:WORKERS]:
            findings = [one async for one in self._findings(worker_id, now_s, older_than_s)]
            diagnosis.findings += findings
            state = await self._backlog.stream(worker_id)
            oldest = state.oldest_pending_at
            if state.dead or (oldest is not None and now_s - oldest >= older_than_s):
                diagnosis.streams.append(state)
        diagnosis.findings.sort(key=lambda finding: finding.since)
        return diagnosis

    async def _findings(
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
                end = await self._unknown_outcomes.read(worker_id, request_id)
            except ValueError:
                yield of_unreadable_outcome(worker_id, request_id, now_s)
                continue
            if end is not None and end.entry.settled_at <= before:
                yield of_unknown(end, now_s)
