"""`flows dead list|show|rerun`: walk through the dead streams in runs, each of which goes on after the one before."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from paydispatch.domain.errors import Unavailable
from paydispatch.domain.identity.slots import bare_name
from paydispatch.domain.operators.dead_flows import DeadFlowChoice
from paydispatch.services.dead_flows import DeadFlowWalk
from paydispatch.services.operate.arguments import amount, count, text, texts
from paydispatch.services.operate.ports import INTERRUPTED

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from paydispatch.services.dead_flows import DeadFlows, ExaminedFlow
    from paydispatch.services.operate.arguments import Arguments
    from paydispatch.services.operate.ports import Document, OperatorPorts

    Work = Callable[[DeadFlows, DeadFlowChoice, DeadFlowWalk, float | None], Awaitable[None]]

LIMIT = 1_000
SHOWN_AT_ONCE = 100
"""The dead flows of one request that `show` describes at most."""

WHY_SHOWN = 200
"""The number of characters that a list shows of a reason. A script may raise any text."""

RUNS_AGAIN = "runs again, as the last of its context"


async def list_dead(ports: OperatorPorts, asked: Arguments) -> Document:
    """Return `{"flows": [...], "may_be_more": bool}`. Changes nothing."""
    choice, walk = _read_choice(asked), _read_walk(asked)
    asked.end()
    return await _run(ports, choice, walk, _examine)


async def rerun(ports: OperatorPorts, asked: Arguments) -> Document:
    """Return the same as `list_dead`. Each flow has its `action`."""
    choice, walk, dry_run = _read_choice(asked), _read_walk(asked), asked.flag("dry_run")
    asked.end()
    return await _run(ports, choice, walk, _examine if dry_run else _rerun)


async def show_dead(ports: OperatorPorts, asked: Arguments) -> Document:
    """Return `{"flows": [...]}` with all dead flows of an id, in full. Empty: there is none."""
    choice = DeadFlowChoice(
        id=asked.required("id", text), worker_id=asked.optional("worker_id", text)
    )
    asked.end()
    walk = DeadFlowWalk(left=SHOWN_AT_ONCE)
    async with ports.dead_flows() as service:
        await service.examine(choice, walk)
    return {"flows": [in_full(one, ports.clock.now_s()) for one in walk.examined]}


def join_walks(first: Document, second: Document) -> Document:
    """Return the document of two runs."""
    return {**second, "flows": [*first["flows"], *second["flows"]]}


def in_short(one: ExaminedFlow, now_s: float) -> Document:
    dead, entry = one.dead, one.dead.entry
    return {
        "id": dead.dead_id,
        "request_id": entry.request_id if entry else None,
        "worker_id": bare_name(dead.worker_id),
        "context_id": entry.context_id if entry else None,
        "script": dead.script,
        "dead_s": round(max(0.0, now_s - dead.dead_since), 1),
        "why": dead.reason[:WHY_SHOWN],
        "rerun": RUNS_AGAIN if one.stays is None else f"stays: {one.stays}",
        "action": one.action.value,
    }


def in_full(one: ExaminedFlow, now_s: float) -> Document:
    """Return a dead flow with its outcome, without the sealed key."""
    entry = one.dead.entry
    outcome = json.loads(entry.as_json()) if entry else None
    if outcome and "sealed_secret" in outcome:
        outcome |= {"sealed_secret": "(sealed)"}
    return {
        **in_short(one, now_s),
        "why": one.dead.reason,
        "entry_id": one.dead.entry_id or None,
        "tenant": entry.tenant if entry else None,
        "entry": outcome,
    }


async def _examine(
    service: DeadFlows, choice: DeadFlowChoice, walk: DeadFlowWalk, until: float | None
) -> None:
    await service.examine(choice, walk, until=until)


async def _rerun(
    service: DeadFlows, choice: DeadFlowChoice, walk: DeadFlowWalk, until: float | None
) -> None:
    await service.rerun(choice, walk, until=until)


async def _run(
    ports: OperatorPorts, choice: DeadFlowChoice, walk: DeadFlowWalk, work: Work
) -> Document:
    """Return the flows also if the walk stops in the middle, because their actions were taken."""
    wanted, until = walk.left, None
    if ports.slice is not None:
        walk.left = min(wanted, ports.slice.messages)
        until = ports.clock.now_s() + ports.slice.seconds
    stopped_by = None
    try:
        async with ports.dead_flows() as service:
            await work(service, choice, walk, until)
    except Unavailable as error:
        if not walk.examined:
            raise
        stopped_by = str(error)
    except asyncio.CancelledError:
        if not walk.examined or ports.slice is not None:  # only here it is Ctrl-C
            raise
        stopped_by = INTERRUPTED
    return _describe(walk, ports, wanted, stopped_by)


def _describe(
    walk: DeadFlowWalk, ports: OperatorPorts, wanted: int, stopped_by: str | None
) -> Document:
    now_s = ports.clock.now_s()
    document: Document = {
        "flows": [in_short(one, now_s) for one in walk.examined],
        "may_be_more": walk.may_be_more or stopped_by is not None,
    }
    if stopped_by is not None:
        return {**document, "stopped_by": stopped_by}
    left = wanted - len(walk.examined)
    if ports.slice is None or not (walk.may_be_more and left):
        return document
    place = {"worker": walk.worker, "after": walk.after, "until_s": walk.until_s}
    return {**document, "cursor": {**place, "left": left, "rerun": sorted(walk.rerun)}}


def _read_choice(asked: Arguments) -> DeadFlowChoice:
    return DeadFlowChoice(
        id=asked.optional("id", text),
        worker_id=asked.optional("worker_id", text),
        context_id=asked.optional("context_id", text),
        script=asked.optional("script", text),
        since_s=asked.optional("since_s", amount),
    )


def _read_walk(asked: Arguments) -> DeadFlowWalk:
    limit = asked.optional("limit", count) or LIMIT
    return asked.optional("cursor", _cursor) or DeadFlowWalk(left=limit)


def _cursor(value: Any) -> DeadFlowWalk:
    """Return a walk that goes on at the cursor of an answer."""
    fields = {"worker", "after", "until_s", "left", "rerun"}
    if not isinstance(value, dict) or set(value) != fields:
        raise ValueError("it must be the cursor of an answer")
    return DeadFlowWalk(
        left=count(value["left"]),
        worker=text(value["worker"]),
        after=value["after"] and text(value["after"]),
        until_s=amount(value["until_s"]),
        rerun=set(value["rerun"] and texts(value["rerun"])),
    )
