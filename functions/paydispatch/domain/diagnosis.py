"""Why a request that was accepted has no terminal flow yet, and what comes next. Pure: facts in, a finding out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from paydispatch.domain.limits import LONGEST_DEADLINE_S, REMEMBER_S

if TYPE_CHECKING:
    from paydispatch.domain.entry import OutcomeEntry
    from paydispatch.domain.unknown_outcomes import UnknownOutcome

LONGEST_CALL_S = 120.0
"""The Stripe caller's timeout: what is calling for longer has died."""

HIDDEN_AFTER_DEATH_S = 720.0
"""The request queues' visibility timeout: when SQS gives the message of a dead caller out again."""

SWEEP_S = 60.0
"""A lost bell costs a deployed runner as much; a worker that stays awake looks every second."""

RECONCILE_EVERY_S = 3_600.0

OLDEST_OPEN_S = REMEMBER_S - LONGEST_DEADLINE_S
"""How old a request counts at most when it is noted as open. A note is dropped when it is `REMEMBER_S` old: each then
lasts as long as the longest deadline, whatever the producer's clock says."""


NO_EVICTION = "noeviction"
"""The one `maxmemory-policy` of Redis that loses no guard."""


class Reason(StrEnum):
    ON_THE_QUEUE = "on the queue"
    CALLING = "calling Stripe"
    CALLER_DIED = "its caller died"
    RETRYING = "retrying"
    NOT_KNOWN = "nothing is known of it"
    FLOW_PENDING = "flow pending"
    FLOW_POSTPONED = "flow postponed"
    FLOW_RUNNING = "flow running"
    FLOW_IN_LINE = "flow waits for its context"
    RUNNER_DIED = "its runner died"
    FLOW_DEAD = "flow dead"
    UNREADABLE = "unreadable entry"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRequest:
    """Accepted, and no outcome published. Times in unix seconds."""

    request_id: str
    worker_id: str
    known_since: float
    status: str | None = None
    object: str | None = None
    attempts: int = 0
    begun_at: float | None = None
    retry_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingFlow:
    """An outcome whose flow has not returned. Times in unix seconds."""

    worker_id: str
    entry_id: str
    entry: OutcomeEntry | None
    published_at: float
    delivered: bool
    """Whether a runner has read it."""
    runs: int = 0
    due_at: float | None = None
    """When it was postponed to."""
    first_of_context: bool = True
    lease_until: float | None = None
    """Until when a runner holds its context."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadFlow:
    worker_id: str
    entry: OutcomeEntry | None
    reason: str
    dead_since: float
    """Unix seconds."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One request that waits."""

    request_id: str
    worker_id: str
    object: str | None
    since: float
    """Unix seconds."""
    reason: Reason
    detail: str
    next_step: str
    expected_at: float | None = None
    """Unix seconds: the next step, as far as it can be told."""


def open_since(accepted_at: float, now_s: float) -> float:
    """Since when (unix s) a request that is noted now counts as open. `accepted_at` may be a producer's word."""
    return max(min(accepted_at, now_s), now_s - OLDEST_OPEN_S)


def of_open(request: OpenRequest, now_s: float) -> Finding:
    reason, detail, next_step, expected_at = _diagnose_open(request, now_s)
    return Finding(
        request.request_id,
        request.worker_id,
        request.object,
        request.known_since,
        reason,
        detail,
        next_step,
        expected_at,
    )


_Diagnosis = tuple[Reason, str, str, float | None]


def _diagnose_open(request: OpenRequest, now_s: float) -> _Diagnosis:
    attempts = f"after {request.attempts} attempts"
    match request.status:
        case "dispatched":
            taken = "a Stripe caller takes it; look at the queue and at the caller if none does"
            return Reason.ON_THE_QUEUE, "no Stripe caller has taken it", taken, None
        case "retrying" if request.retry_at is not None:
            due = f"attempt {request.attempts + 1}"
            late = "" if now_s < request.retry_at else ", which is overdue: look at the queue"
            return Reason.RETRYING, attempts, due + late, request.retry_at
        case "calling" if request.begun_at is not None:
            return _diagnose_calling(request, request.begun_at, now_s)
        case _:
            seen = "the API or a caller took it; look for it on the queues"
            return Reason.NOT_KNOWN, f"status {request.status or 'not known'}", seen, None


def _diagnose_calling(request: OpenRequest, begun_at: float, now_s: float) -> _Diagnosis:
    attempt = f"attempt {request.attempts}"
    if now_s < begun_at + LONGEST_CALL_S:
        return Reason.CALLING, attempt, "Stripe answers", begun_at + LONGEST_CALL_S
    again_at = begun_at + HIDDEN_AFTER_DEATH_S
    if now_s < again_at:
        return Reason.CALLER_DIED, attempt, "the queue gives it out again", again_at
    parked = "look on the dead-letter queue: paydispatch dlq list"
    return Reason.CALLER_DIED, f"{attempt}, and nobody took it again", parked, None


def of_flow(flow: WaitingFlow, now_s: float) -> Finding:
    reason, detail, next_step, expected_at = _diagnose_flow(flow, now_s)
    entry = flow.entry
    return Finding(
        entry.request_id if entry else f"entry {flow.entry_id}",
        flow.worker_id,
        entry.object if entry else None,
        (entry.accepted_at if entry else None) or flow.published_at,
        reason,
        detail,
        next_step,
        expected_at,
    )


def _diagnose_flow(flow: WaitingFlow, now_s: float) -> _Diagnosis:
    if flow.entry is None:
        moved = "a runner moves it to the dead stream"
        return Reason.UNREADABLE, "no outcome entry", moved, None
    run = f"{flow.entry.flow_name}, run {flow.runs or 1}"
    if not flow.delivered:
        taken = "a runner reads it; look at the worker if none does"
        return Reason.FLOW_PENDING, run, taken, now_s + SWEEP_S
    if not flow.first_of_context:
        in_line = f"the outcomes before it in {flow.entry.context_id} are finished"
        return Reason.FLOW_IN_LINE, run, in_line, None
    if flow.due_at is not None and now_s < flow.due_at:
        return Reason.FLOW_POSTPONED, run, "it runs again", flow.due_at
    if flow.lease_until is not None:
        return Reason.FLOW_RUNNING, run, "it returns, or its time is over", flow.lease_until
    if flow.due_at is not None:
        return Reason.FLOW_PENDING, run, "a runner takes it: it is due", now_s + SWEEP_S
    return Reason.RUNNER_DIED, run, "another runner takes it over", now_s + SWEEP_S


def of_dead(dead: DeadFlow) -> Finding:
    entry = dead.entry
    return Finding(
        entry.request_id if entry else "?",
        dead.worker_id,
        entry.object if entry else None,
        dead.dead_since,
        Reason.FLOW_DEAD,
        f"{entry.flow_name if entry else 'entry'}: {dead.reason}",
        "mend the script, do by hand what it was to do, delete the entry from the dead stream",
    )


def of_unknown(end: UnknownOutcome, now_s: float) -> Finding:
    entry, error = end.entry, end.entry.outcome
    provable_at = end.provable_at
    if provable_at is not None and now_s >= provable_at + 2 * RECONCILE_EVERY_S:
        next_step = "paydispatch reconcile says why it cannot be settled"
    else:
        next_step = "reconcile finds it, or proves that it was not created"
    return Finding(
        entry.request_id,
        end.worker,
        entry.object,
        entry.accepted_at or entry.settled_at,
        Reason.UNKNOWN,
        f"{getattr(error, 'code', None) or 'no answer'} after {error.attempts} attempts",
        next_step,
        None if provable_at is None else provable_at + RECONCILE_EVERY_S,
    )


def of_unreadable_outcome(worker_id: str, request_id: str, now_s: float) -> Finding:
    """An unknown outcome that another program or a newer version wrote.

    Only its entry says since when it waits.
    """
    return Finding(
        request_id,
        worker_id,
        None,
        now_s,
        Reason.UNREADABLE,
        "no outcome entry in the index of unknown outcomes",
        "look for its object at Stripe by hand, then delete its field from the worker's hash of unknown outcomes",
    )
