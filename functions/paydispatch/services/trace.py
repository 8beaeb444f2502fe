"""Tell the path of one request: its hops with their times, what it waits for, the runs of its flow, its follow-ups.

`paydispatch status --trace` prints it. Every program that shows a request's path takes it from here.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from paydispatch.domain.claims import FINAL_STATUSES
from paydispatch.domain.identity.request_ids import OutcomeKind, follow_up_request_id
from paydispatch.domain.identity.slots import beside, slot_name
from paydispatch.domain.looks.doubts import Place
from paydispatch.domain.stripe.proofs import what_proves
from paydispatch.domain.trace_context import trace_id_of
from paydispatch.services.limits import holds_on
from paydispatch.services.looks.report_looks import read_place
from paydispatch.services.status import format_status

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from paydispatch.domain.operators.holds import Hold
    from paydispatch.domain.operators.traces import FlowPath, SlotTimes
    from paydispatch.ports import Doubts, LimitBoard, RequestRecord, TracedRequest, Traces
    from paydispatch.services.looks.report_looks import PlaceLooks

MAY_BE_HELD = ("dispatched", "retrying")
"""The statuses in which a request may wait for a pause or a breaker."""

FOLLOW_UPS_AT_ONCE = 10
MOST_FOLLOW_UPS = 100
"""Of one outcome. A flow that dispatches more is not shown in full."""


class HopKind(StrEnum):
    ACCEPTED = "accepted"
    QUEUED = "queued"
    RECEIVED = "received"
    """By the Stripe caller, for the first time."""
    SENT = "sent"
    UNKNOWN = "unknown"
    """It was known that the outcome is unknown."""
    ANSWERED = "answered"
    """By Stripe, or by a look or an event in its place."""
    ENDED = "ended"
    """Settled without an answer of Stripe."""
    PUBLISHED = "published"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    kind: HopKind
    at: float
    """Unix seconds, by the clock of the program or the server that made the hop."""
    attempt: int | None = None
    stripe_request_id: str | None = None
    entry_id: str | None = None


@dataclass(frozen=True, slots=True)
class TracedFollowUp:
    request_id: str
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """The path of one request."""

    record: RequestRecord
    times: SlotTimes
    hops: tuple[Hop, ...]
    """The hops that have a stored time, in the order of the path."""
    trace_id: str | None
    """The W3C trace that the request belongs to, while its entry is kept."""
    held_back_by: tuple[Hold, ...]
    proven_by: str | None
    """What can prove the effect of a request with an unknown outcome."""
    looks: PlaceLooks | None
    flows: tuple[FlowPath, ...]
    follow_ups: tuple[TracedFollowUp, ...]
    """Those that the caller has received, without those that got an idempotency key from their script."""

    @property
    def settled(self) -> bool:
        return self.record.status in FINAL_STATUSES

    @property
    def open_sends(self) -> int | None:
        """The sends that began and whose end is not known. None: the request is settled, so that they do not count."""
        return None if self.settled else self.times.open_sends


@dataclass(frozen=True, slots=True, kw_only=True)
class TracePorts:
    traces: Traces
    doubts: Doubts
    limits: LimitBoard


async def trace_of(
    ports: TracePorts, request_id: str, *, tenant: str, queue_tenant: str
) -> Trace | None:
    """Return the path of a tenant's request. None: the tenant has no such request. Raises `Unavailable`."""
    # An id has no space. In a slot's name a space separates a tenant from its request.
    if " " in request_id:
        return None
    slot = slot_name(tenant, request_id, queue_tenant)
    found = await ports.traces.request(slot)
    if found is None:
        return None
    record = found.record
    flows = await ports.traces.flows(beside(slot, record.worker_id), request_id)
    unknown = record.status == "unknown"
    return Trace(
        record=record,
        times=found.times,
        hops=tuple(_hops(found, flows)),
        trace_id=_trace_id(flows),
        held_back_by=await _holds(ports, record),
        proven_by=what_proves(record.operation) if unknown else None,
        looks=await _looks(ports, record) if unknown else None,
        flows=tuple(flows),
        follow_ups=await _follow_ups(ports, slot, record) if flows else (),
    )


def format_trace(trace: Trace) -> dict[str, Any]:
    """Return the trace as JSON values, without the tenant, the account's name and the parameters."""
    shown = {
        **format_status(trace.record),
        "trace_id": trace.trace_id,
        "hops": [_hop_fields(hop) for hop in trace.hops],
        "open_sends": trace.open_sends,
        "in_doubt": trace.times.in_doubt,
        "event_kept": trace.times.event_id,
        "repeats": trace.times.repeats,
        "held_back_by": [asdict(hold) for hold in trace.held_back_by],
        "proven_by": trace.proven_by,
        "looks": None if trace.looks is None else asdict(trace.looks),
        "flows": [format_flow(flow) for flow in trace.flows],
        "follow_ups": [asdict(one) for one in trace.follow_ups],
    }
    return _without_none(shown)


def _hop_fields(hop: Hop) -> dict[str, Any]:
    fields = asdict(hop)
    return _without_none({"hop": fields.pop("kind").value, **fields})


def format_flow(flow: FlowPath) -> dict[str, Any]:
    """Return an entry with its state as JSON values."""
    fields = {
        "entry_id": flow.entry_id,
        "published_at": flow.published_at,
        "flow": flow.entry and flow.entry.flow_name,
        "state": flow.state.name,
        **asdict(flow.state),
    }
    return _without_none(fields)


def _hops(found: TracedRequest, flows: Sequence[FlowPath]) -> Iterator[Hop]:
    times = found.times
    for kind, at in (
        (HopKind.ACCEPTED, times.accepted_at),
        (HopKind.QUEUED, times.queued_at),
        (HopKind.RECEIVED, times.received_at),
    ):
        if at is not None:
            yield Hop(kind=kind, at=at)
    yield from _sends(found)
    if times.unknown_at is not None:
        yield Hop(kind=HopKind.UNKNOWN, at=times.unknown_at)
    if times.settled_at is not None and found.record.status != "unknown":
        answered = times.stripe_request_id is not None
        kind = HopKind.ANSWERED if answered else HopKind.ENDED
        yield Hop(kind=kind, at=times.settled_at, stripe_request_id=times.stripe_request_id)
    for flow in flows:
        yield Hop(kind=HopKind.PUBLISHED, at=flow.published_at, entry_id=flow.entry_id)


def _sends(found: TracedRequest) -> Iterator[Hop]:
    """Yield the sends whose times are kept: the first, some of the later ones, and the last."""
    times = found.times
    if times.first_sent_at is None:
        return
    # The first send may have had a later attempt's number, because attempts before it did not reach Stripe.
    only = not times.later_sends and times.last_sent_at == times.first_sent_at
    yield Hop(
        kind=HopKind.SENT, at=times.first_sent_at, attempt=found.record.attempts if only else None
    )
    for send in times.later_sends:
        yield Hop(kind=HopKind.SENT, at=send.at, attempt=send.attempt)
    last_known = times.later_sends[-1].at if times.later_sends else times.first_sent_at
    if times.last_sent_at is not None and times.last_sent_at > last_known:
        yield Hop(kind=HopKind.SENT, at=times.last_sent_at, attempt=found.record.attempts)


def _trace_id(flows: Sequence[FlowPath]) -> str | None:
    known = (trace_id_of(flow.entry.traceparent) for flow in flows if flow.entry is not None)
    return next(known, None)


async def _holds(ports: TracePorts, record: RequestRecord) -> tuple[Hold, ...]:
    if record.status not in MAY_BE_HELD:
        return ()
    account = record.account or (record.waiting.account if record.waiting else None)
    return tuple(await holds_on(ports.limits, account))


async def _looks(ports: TracePorts, record: RequestRecord) -> PlaceLooks | None:
    if record.account is None:
        return None
    return await read_place(ports.doubts, Place(record.account, record.object))


async def _follow_ups(
    ports: TracePorts, slot: str, record: RequestRecord
) -> tuple[TracedFollowUp, ...]:
    """Find the follow-ups by their ids, which follow from the request, the outcome and their number."""
    found: list[TracedFollowUp] = []
    for kind in OutcomeKind:
        for first in range(1, MOST_FOLLOW_UPS, FOLLOW_UPS_AT_ONCE):
            numbers = range(first, first + FOLLOW_UPS_AT_ONCE)
            ids = [follow_up_request_id(record.request_id, number, kind) for number in numbers]
            statuses = await ports.traces.statuses([beside(slot, id_) for id_ in ids])
            found += [
                TracedFollowUp(id_, status)
                for id_, status in zip(ids, statuses, strict=True)
                if status is not None
            ]
            if None in statuses:
                break
    return tuple(found)


def _without_none(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
