"""`status`, `doctor` and `forget`: the state of requests, and the erasure of a conversation."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from paydispatch.domain.claims import FINAL_STATUSES
from paydispatch.domain.identity.slots import beside, slot_name
from paydispatch.domain.looks.doubts import Place
from paydispatch.domain.operators.erasure import Conversation
from paydispatch.domain.stripe.proofs import what_proves
from paydispatch.services.limits import holds_on
from paydispatch.services.looks.report_looks import read_place
from paydispatch.services.operate.arguments import amount, text
from paydispatch.services.status import find_record, format_status
from paydispatch.services.trace import MAY_BE_HELD, format_flow, format_trace, trace_of

if TYPE_CHECKING:
    from paydispatch.ports import RequestRecord
    from paydispatch.services.operate.arguments import Arguments
    from paydispatch.services.operate.ports import Document, OperatorPorts

OLDER_THAN_S = 300.0

FINDINGS_SHOWN = 2_000
"""Findings that are listed at most: those that wait longest. A Lambda answers with 6 MB at most."""


async def status(ports: OperatorPorts, asked: Arguments) -> Document:
    """Return `{"request": null}` if the tenant has no such request. `trace` adds the path of the request."""
    request_id, tenant = asked.required("request_id", text), asked.optional("tenant", text)
    traced = asked.flag("trace")
    asked.end()
    if traced:
        return {"request": await _trace(ports, request_id, tenant or ports.queue_tenant)}
    slot = slot_name(tenant or ports.queue_tenant, request_id, ports.queue_tenant)
    record = find_record(
        ports.request_store(),
        request_id,
        tenant=tenant or ports.queue_tenant,
        queue_tenant=ports.queue_tenant,
    )
    if record is None:
        return {"request": None}
    shown = {**format_status(record), **await _explain(ports, record)}
    return {"request": {**shown, **await _flows(ports, record, slot)}}


async def _trace(ports: OperatorPorts, request_id: str, tenant: str) -> Document | None:
    async with ports.trace() as parts:
        trace = await trace_of(parts, request_id, tenant=tenant, queue_tenant=ports.queue_tenant)
    return None if trace is None else format_trace(trace)


async def _flows(ports: OperatorPorts, record: RequestRecord, slot: str) -> Document:
    """Return the flows of a request with an outcome, and how far each is."""
    if record.status not in (*FINAL_STATUSES, "unknown"):
        return {}
    async with ports.trace() as parts:
        flows = await parts.traces.flows(beside(slot, record.worker_id), record.request_id)
    return {"flows": [format_flow(flow) for flow in flows]}


async def _explain(ports: OperatorPorts, record: RequestRecord) -> Document:
    """Return what holds the request back, or the looks that may settle it."""
    if record.status in MAY_BE_HELD:
        account = record.account or (record.waiting.account if record.waiting else None)
        async with ports.limit_board(reads_only=True) as board:
            return {"held_back_by": [asdict(hold) for hold in await holds_on(board, account)]}
    if record.status != "unknown":
        return {}
    proven_by = {"proven_by": what_proves(record.operation)}
    if record.account is None:
        return proven_by
    async with ports.doubts() as doubts:
        looks = await read_place(doubts, Place(record.account, record.object))
    return {**proven_by, "looks": asdict(looks)}


async def doctor(ports: OperatorPorts, asked: Arguments) -> Document:
    older_than_s = asked.optional("older_than_s", amount)
    asked.end()
    async with ports.doctor() as service:
        diagnosis = await service.examine(
            older_than_s=OLDER_THAN_S if older_than_s is None else older_than_s
        )
    document = {"healthy": diagnosis.healthy, "evicts": diagnosis.evicts, **asdict(diagnosis)}
    return {
        **document,
        "findings": document["findings"][:FINDINGS_SHOWN],
        "more_findings": len(diagnosis.findings) > FINDINGS_SHOWN,
    }


async def forget(ports: OperatorPorts, asked: Arguments) -> Document:
    dry_run = asked.flag("dry_run")
    whose = Conversation(
        context_id=asked.required("context", text),
        tenant=asked.optional("tenant", text) or ports.queue_tenant,
        worker_id=asked.optional("worker_id", text),
    )
    asked.end()
    async with ports.forgetter() as service:
        erasure = await (service.examine if dry_run else service.forget)(whose)
    return {"dry_run": dry_run, "complete": erasure.complete, **asdict(erasure)}
