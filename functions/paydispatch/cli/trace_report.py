"""Write the path of a request for an operator, in lines of at most 80 columns."""

from __future__ import annotations

import textwrap
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from paydispatch.cli.looks_report import describe_looks
from paydispatch.domain.claims import FINAL_STATUSES
from paydispatch.domain.rates.waiting import make_waiting
from paydispatch.domain.text.printable import printable
from paydispatch.services.trace import HopKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    Fields = dict[str, Any]

WIDTH = 80
_NO_TIME = " " * 12

_NAMES: dict[str, str] = {
    HopKind.QUEUED: "on the queue",
    HopKind.RECEIVED: "received by the Stripe caller",
    HopKind.SENT: "sent to Stripe",
    HopKind.UNKNOWN: "outcome unknown",
    HopKind.ENDED: "ended without an answer of Stripe",
}


def describe_trace(trace: Fields, now_s: float) -> list[str]:
    """Return the lines of a trace from `services.trace.format_trace`. No line has a control character or a key."""
    return [line for text in _texts(trace, now_s) for line in _wrap(text)]


def _texts(trace: Fields, now_s: float) -> Iterator[str]:
    yield f"{trace['request_id']}  {trace['status']}"
    yield f"  {trace['operation']} for {trace['worker_id']}, {trace['context_id']}"
    if "trace_id" in trace:
        yield f"  trace {trace['trace_id']}"
    yield from _hop_lines(trace["hops"])
    yield from _waits(trace, now_s)
    yield from _doubts(trace, now_s)
    for flow in trace["flows"]:
        yield f"  {describe_flow(flow, now_s)}"
    for follow_up in trace["follow_ups"]:
        yield f"  follow-up {follow_up['request_id']}  {follow_up['status']}"


def _hop_lines(hops: list[Fields]) -> Iterator[str]:
    day, before = "", None
    for hop in hops:
        at = datetime.fromtimestamp(hop["at"], UTC)
        if at.date().isoformat() != day:
            day = at.date().isoformat()
            yield f"  {day} (UTC)"
        after = "" if before is None else f"{hop['at'] - before:+.3f} s"
        yield f"  {_clock(hop['at'])} {after:>13}  {_hop(hop)}"
        before = hop["at"]


def _hop(hop: Fields) -> str:
    kind: str = hop["hop"]
    words = [_NAMES.get(kind, kind)]
    if "attempt" in hop:
        words.append(f"attempt {hop['attempt']}")
    if "stripe_request_id" in hop:
        words.append(hop["stripe_request_id"])
    if "entry_id" in hop:
        words.append(f"entry {hop['entry_id']}")
    return ", ".join(words)


def _waits(trace: Fields, now_s: float) -> Iterator[str]:
    if "retry_at" in trace:
        yield f"  {_NO_TIME} next attempt in {max(0.0, trace['retry_at'] - now_s):.0f} s"
    if waiting := make_waiting(trace.get("waits_for"), trace.get("lane")):
        yield f"  {_NO_TIME} it waits because {waiting.clause}"
    for hold in trace["held_back_by"]:
        yield f"  {_NO_TIME} held back, {hold['kind']}: {hold['subject']}, {hold['detail']}"
        yield f"  {_NO_TIME} next: {hold['next_step']}"


def _doubts(trace: Fields, now_s: float) -> Iterator[str]:
    if trace.get("open_sends"):
        yield f"  sends without a known end: {trace['open_sends']}"
    if trace["in_doubt"] and trace["status"] not in FINAL_STATUSES:
        yield "  an attempt may have had an effect, so only an answer or a proof settles it"
    if "event_kept" in trace:
        yield f"  {trace['event_kept']} is kept, an event of Stripe that names the request"
    if "proven_by" in trace:
        yield f"  proven by: {trace['proven_by']}"
    if "looks" in trace:
        yield f"  {describe_looks(trace['looks'], now_s)}"
    if times := trace["repeats"]:
        yield f"  asked for again under its key after an end without an effect: {times} times"


def describe_flow(flow: Fields, now_s: float) -> str:
    """Return the sentence about an entry of `flows`, as `format_flow` wrote it."""
    name = flow.get("flow", f"the flow of entry {flow['entry_id']}")
    return f"{name}: {_state(flow, now_s)}"


def _state(flow: Fields, now_s: float) -> str:
    """Write the state of a flow. Its names and fields are those of `domain.operators.traces`."""
    match flow["state"]:
        case "not_read":
            return "no runner has read it"
        case "over":
            return "finished or dead, and its time is not kept"
        case "finished":
            at, after = flow["at"], flow["at"] - flow["published_at"]
            return f"finished {_clock(at)}, {after:+.3f} s, {_runs(flow['runs'])}"
        case "dead":
            return f"on the dead stream since {_clock(flow['at'])}, {_runs(flow['runs'])}, {flow['reason']}"
        case "rerun":
            return f"{_runs(flow['runs'])} failed, put back at {_clock(flow['at'])} to run again"
        case _:
            return _unfinished(flow, now_s)


def _unfinished(flow: Fields, now_s: float) -> str:
    runs = _runs(flow["runs"])
    match flow["state"]:
        case "running":
            return f"running, {runs}, its lease ends in {flow['until'] - now_s:.0f} s"
        case "postponed":
            return _postponed(flow, now_s)
        case _ if flow["behind_another"]:
            return f"waits for an earlier entry of its context, {runs}"
        case _:
            return f"waits for its turn, {runs}"


def _postponed(flow: Fields, now_s: float) -> str:
    """Write a postponed flow. A release before this one said neither `failed` nor `missing_since`."""
    runs, due_in = flow["runs"], f"{max(0.0, flow['due_at'] - now_s):.0f} s"
    if since := flow.get("missing_since"):
        return f"no worker has had its script since {_clock(since)}, the next look is in {due_in}"
    if flow.get("failed"):
        return f"run {runs} failed, the next one is at {_clock(flow['due_at'])}, in {due_in}"
    return f"postponed for {due_in}, {_runs(runs)}"


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
