"""Find out why an accepted request has had no terminal flow yet, and the next step. Pure: facts in, a finding out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from paydispatch.domain.errors import UnknownOperation
from paydispatch.domain.limits import LONGEST_DEADLINE_S, REMEMBER_S
from paydispatch.domain.outcomes import Certainty
from paydispatch.domain.stripe.operations import operation_named
from paydispatch.domain.stripe.proofs import NoProof, Proof, proof_of, unexecuted_word

if TYPE_CHECKING:
    from paydispatch.domain.entry import OutcomeEntry
    from paydispatch.domain.operators.dead_flows import DeadFlow
    from paydispatch.domain.rates.waiting import Waiting
    from paydispatch.domain.unknown_outcomes import UnknownOutcome

CALLER_TIMEOUT_S = 120.0
"""The Stripe caller's timeout in template.yaml. A caller that began its call longer ago has died."""

REQUEST_VISIBILITY_TIMEOUT_S = 720.0
"""The request queues' visibility timeout in template.yaml. After it SQS delivers a dead caller's message again."""

SWEEP_EVERY_S = 60.0
"""The schedule of the flow runner's sweep in template.yaml: the longest delay after a lost doorbell message.

A worker process that runs all the time looks every second."""

RECONCILE_EVERY_S = 3_600.0
"""The schedule of the reconciler in template.yaml."""

OLDEST_OPEN_S = REMEMBER_S - LONGEST_DEADLINE_S
"""The greatest age that a request may have when it is noted as open.

The note is dropped when the request is `REMEMBER_S` old. Therefore a note lasts at least as long as the longest
deadline, even if a producer's clock is wrong."""


NO_EVICTION = "noeviction"
"""The only `maxmemory-policy` of Redis that evicts no guard of a request."""


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
    """An accepted request without a published outcome. Times in unix seconds."""

    request_id: str
    worker_id: str
    known_since: float
    status: str | None = None
    object: str | None = None
    operation: str | None = None
    attempts: int = 0
    begun_at: float | None = None
    retry_at: float | None = None
    waiting: Waiting | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingFlow:
    """A published outcome with a flow that has not returned yet. Times in unix seconds."""

    worker_id: str
    entry_id: str
    entry: OutcomeEntry | None
    published_at: float
    delivered: bool
    """Whether a runner has read it."""
    runs: int = 0
    due_at: float | None = None
    """The time to which the run was postponed."""
    first_of_context: bool = True
    lease_until: float | None = None
    """The time until which a runner holds its context."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One request that has had no terminal flow yet, with the reason and the next step."""

    request_id: str
    worker_id: str
    object: str | None
    since: float
    """Unix seconds."""
    reason: Reason
    detail: str
    next_step: str
    expected_at: float | None = None
    """Unix seconds of the next step. None: the time is not known."""
    operation: str | None = None
    """None: the record of the request does not name it."""


def open_since(accepted_at: float, now_s: float) -> float:
    """Return the time (unix s) from which a request noted now counts as open. A producer may send any `accepted_at`."""
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
        request.operation,
    )


_Diagnosis = tuple[Reason, str, str, float | None]


def _diagnose_open(request: OpenRequest, now_s: float) -> _Diagnosis:
    attempts = f"after {request.attempts} attempts"
    match request.status:
        case "dispatched":
            taken = "a Stripe caller receives it. If none does, look at the queue and at the caller"
            return Reason.ON_THE_QUEUE, "no Stripe caller has taken it", taken, None
        case "retrying" if request.retry_at is not None:
            due = f"attempt {request.attempts + 1}"
            late = "" if now_s < request.retry_at else ", which is overdue: look at the queue"
            if request.waiting is not None:
                attempts = f"{attempts}, {request.waiting.clause}"
            return Reason.RETRYING, attempts, due + late, request.retry_at
        case "calling" if request.begun_at is not None:
            return _diagnose_calling(request, request.begun_at, now_s)
        case _:
            seen = "the API or a caller accepted it. Look for its message on the queues"
            return Reason.NOT_KNOWN, f"status {request.status or 'not known'}", seen, None


def _diagnose_calling(request: OpenRequest, begun_at: float, now_s: float) -> _Diagnosis:
    attempt = f"attempt {request.attempts}"
    if now_s < begun_at + CALLER_TIMEOUT_S:
        return Reason.CALLING, attempt, "Stripe answers", begun_at + CALLER_TIMEOUT_S
    again_at = begun_at + REQUEST_VISIBILITY_TIMEOUT_S
    if now_s < again_at:
        return Reason.CALLER_DIED, attempt, "SQS delivers it again", again_at
    parked = "look on the dead-letter queue: paydispatch dlq list"
    return Reason.CALLER_DIED, f"{attempt}, and no caller received it again", parked, None


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
        entry.operation if entry else None,
    )


def _diagnose_flow(flow: WaitingFlow, now_s: float) -> _Diagnosis:
    if flow.entry is None:
        moved = "a runner moves it to the dead stream"
        return Reason.UNREADABLE, "no outcome entry", moved, None
    run = f"{flow.entry.flow_name}, run {flow.runs or 1}"
    if not flow.delivered:
        taken = "a runner reads it. If none does, look at the worker"
        return Reason.FLOW_PENDING, run, taken, now_s + SWEEP_EVERY_S
    if not flow.first_of_context:
        in_line = f"the outcomes before it in {flow.entry.context_id} are finished"
        return Reason.FLOW_IN_LINE, run, in_line, None
    if flow.due_at is not None and now_s < flow.due_at:
        return Reason.FLOW_POSTPONED, run, "it runs again", flow.due_at
    if flow.lease_until is not None:
        return Reason.FLOW_RUNNING, run, "the flow returns or times out", flow.lease_until
    if flow.due_at is not None:
        return Reason.FLOW_PENDING, run, "it is due, and a runner runs it", now_s + SWEEP_EVERY_S
    return Reason.RUNNER_DIED, run, "another runner claims it", now_s + SWEEP_EVERY_S


def of_dead(dead: DeadFlow) -> Finding:
    entry = dead.entry
    return Finding(
        entry.request_id if entry else "?",
        dead.worker_id,
        entry.object if entry else None,
        dead.dead_since,
        Reason.FLOW_DEAD,
        f"{entry.flow_name if entry else 'entry'}: {dead.reason}",
        "correct the script, then run it again: paydispatch flows dead rerun",
        operation=entry.operation if entry else None,
    )


def of_unknown(end: UnknownOutcome, now_s: float) -> Finding:
    entry, error = end.entry, end.entry.outcome
    provable_at = end.provable_at
    proof = _proof_of(entry.operation)
    if isinstance(proof, NoProof):
        next_step = "no look can settle it: redrive it within 23 hours of its first send"
    elif provable_at is not None and now_s >= provable_at + 2 * RECONCILE_EVERY_S:
        next_step = "run paydispatch reconcile: it says why the request cannot be settled"
    elif unexecuted_word(entry.operation) is Certainty.NOT_CREATED:
        next_step = "reconcile finds its object, or proves that it was not created"
    else:
        next_step = "reconcile reads its object, which may show whether it was executed"
    return Finding(
        entry.request_id,
        end.worker,
        entry.object,
        entry.accepted_at or entry.settled_at,
        Reason.UNKNOWN,
        f"{getattr(error, 'code', None) or 'no answer'} after {error.attempts} attempts",
        next_step,
        None if provable_at is None else provable_at + RECONCILE_EVERY_S,
        entry.operation,
    )


def _proof_of(operation: str) -> Proof | None:
    try:
        return proof_of(operation_named(operation))
    except UnknownOperation:
        return None


def of_unreadable_outcome(worker_id: str, request_id: str, now_s: float) -> Finding:
    """Return the finding for an unknown outcome that another program or a newer release wrote.

    It counts as waiting from now on, because only the entry would say since when it waits.
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
