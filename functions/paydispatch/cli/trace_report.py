"""Write the path of a request for an operator, in lines of at most 80 columns."""

from __future__ import annotations

import textwrap
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from paydispatch.cli.looks_report import describe_looks
from paydispatch.domain.operators.traces import (
    Dead,
    Finished,
    NotRead,
    Over,
    Pending,
    Postponed,
    Running,
)
from paydispatch.domain.text.printable import printable
from paydispatch.services.trace import HopKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paydispatch.domain.operators.traces import FlowPath
    from paydispatch.services.trace import Hop, Trace

WIDTH = 80
_NO_TIME = " " * 12

_NAMES = {
    HopKind.QUEUED: "on the queue",
    HopKind.RECEIVED: "received by the Stripe caller",
    HopKind.SENT: "sent to Stripe",
    HopKind.UNKNOWN: "outcome unknown",
    HopKind.ENDED: "ended without an answer of Stripe",
}


def describe_trace(trace: Trace, now_s: float) -> list[str]:
    """Return the lines. No line has a control character or a key."""
    return [line for text in _texts(trace, now_s) for line in _wrap(text)]


def _texts(trace: Trace, now_s: float) -> Iterator[str]:
    record = trace.record
    yield f"{record.request_id}  {record.status}"
    yield f"  {record.operation} for {record.worker_id}, {record.context_id}"
    if trace.trace_id is not None:
        yield f"  trace {trace.trace_id}"
    yield from _hop_lines(trace)
    yield from _waits(trace, now_s)
    yield from _doubts(trace, now_s)
    for flow in trace.flows:
        yield f"  {_flow(flow, now_s)}"
    for follow_up in trace.follow_ups:
        yield f"  follow-up {follow_up.request_id}  {follow_up.status}"


def _hop_lines(trace: Trace) -> Iterator[str]:
    day, before = "", None
    for hop in trace.hops:
        at = datetime.fromtimestamp(hop.at, UTC)
        if at.date().isoformat() != day:
            day = at.date().isoformat()
            yield f"  {day} (UTC)"
        after = "" if before is None else f"{hop.at - before:+.3f} s"
        yield f"  {_clock(hop.at)} {after:>13}  {_hop(hop)}"
        before = hop.at


def _hop(hop: Hop) -> str:
    details = [
        "" if hop.attempt is None else f"attempt {hop.attempt}",
        hop.stripe_request_id or "",
        "" if hop.entry_id is None else f"entry {hop.entry_id}",
    ]
    return ", ".join([_NAMES.get(hop.kind, hop.kind.value), *filter(None, details)])


def _waits(trace: Trace, now_s: float) -> Iterator[str]:
    record = trace.record
    if record.retry_at is not None:
        yield f"  {_NO_TIME} next attempt in {max(0.0, record.retry_at - now_s):.0f} s"
    if record.waiting is not None:
        yield f"  {_NO_TIME} it waits because {record.waiting.clause}"
    for hold in trace.held_back_by:
        yield f"  {_NO_TIME} held back, {hold.kind}: {hold.subject}, {hold.detail}"
        yield f"  {_NO_TIME} next: {hold.next_step}"


def _doubts(trace: Trace, now_s: float) -> Iterator[str]:
    times = trace.times
    if trace.open_sends:
        yield f"  sends without a known end: {trace.open_sends}"
    if times.in_doubt and not trace.settled:
        yield "  an attempt may have had an effect, so only an answer or a proof settles it"
    if times.event_id is not None:
        yield f"  {times.event_id} is kept, an event of Stripe that names the request"
    if trace.proven_by is not None:
        yield f"  proven by: {trace.proven_by}"
    if trace.looks is not None:
        yield f"  {describe_looks(asdict(trace.looks), now_s)}"
    if times.repeats:
        yield f"  asked for again under its key after an end without an effect: {times.repeats} times"


def _flow(flow: FlowPath, now_s: float) -> str:
    name = flow.entry.flow_name if flow.entry else f"the flow of entry {flow.entry_id}"
    return f"{name}: {_state(flow, now_s)}"


def _state(flow: FlowPath, now_s: float) -> str:
    match flow.state:
        case Finished(at, runs):
            return f"finished {_clock(at)}, {at - flow.published_at:+.3f} s, {_runs(runs)}"
        case Dead(at, runs, reason):
            return f"on the dead stream since {_clock(at)}, {_runs(runs)}, {reason}"
        case Over():
            return "finished or dead, and its time is not kept"
        case unfinished:
            return _unfinished(unfinished, now_s)


def _unfinished(state: NotRead | Pending | Running | Postponed, now_s: float) -> str:
    match state:
        case NotRead():
            return "no runner has read it"
        case Running(runs, until):
            return f"running, {_runs(runs)}, its lease ends in {until - now_s:.0f} s"
        case Postponed(runs, due_at):
            return f"postponed for {max(0.0, due_at - now_s):.0f} s, {_runs(runs)}"
        case Pending(runs, behind_another):
            why = (
                "waits for an earlier entry of its context"
                if behind_another
                else "waits for its turn"
            )
            return f"{why}, {_runs(runs)}"


def _runs(runs: int) -> str:
    return "1 run" if runs == 1 else f"{runs} runs"


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S.%f")[:-3]


def _wrap(text: str) -> list[str]:
    """Return the text in lines of at most `WIDTH` columns. A word that is longer than a line is cut."""
    shown = printable(text)
    indent = shown[: len(shown) - len(shown.lstrip())]
    return textwrap.wrap(
        shown,
        WIDTH,
        subsequent_indent=f"{indent}    ",
        replace_whitespace=False,
        drop_whitespace=True,
        break_on_hyphens=False,
    )
