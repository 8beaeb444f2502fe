"""`paydispatch status --trace` writes a request's path in lines that fit a terminal and cannot change it."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.examples import KEY, NOW_S, TRACE_ID, entry, envelope, make_success

from paydispatch.cli.main import main
from paydispatch.cli.trace_report import WIDTH, describe_trace
from paydispatch.compose import trace as compose
from paydispatch.domain.claims import claim_of
from paydispatch.domain.operators.traces import (
    Dead,
    Finished,
    FlowPath,
    FlowState,
    NotRead,
    Over,
    Pending,
    Postponed,
    Rerun,
    Running,
    SlotTimes,
)
from paydispatch.domain.rates.tokens import Why
from paydispatch.domain.rates.waiting import Waiting
from paydispatch.domain.requests import Lane
from paydispatch.domain.text.printable import printable
from paydispatch.ports import RequestRecord
from paydispatch.services.looks.report_looks import PlaceLooks
from paydispatch.services.operate.ports import plain
from paydispatch.services.trace import (
    Hop,
    HopKind,
    Trace,
    TracedFollowUp,
    TracePorts,
    format_trace,
)
from paydispatch.testing.memory_clock import MemoryClock
from paydispatch.testing.memory_doubts import MemoryDoubts
from paydispatch.testing.memory_inbox import MemoryInbox
from paydispatch.testing.memory_limiter import MemoryKeyBreakers, MemoryLimitBoard, MemoryLimiter
from paydispatch.testing.memory_requests import MemoryRequestStore, MemorySlots
from paydispatch.testing.memory_traces import MemoryTraces

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ENTRY_ID = "1800000000500-0"


def described(told: Trace, now_s: float) -> list[str]:
    """Return the lines of a trace that has travelled as JSON, as that of a deployed stack does."""
    return describe_trace(plain(format_trace(told)), now_s)


def trace(*, state: FlowState | None = None, **changes: Any) -> Trace:
    record = {
        "request_id": "pdr_1",
        "tenant": "local",
        "object": "payment_intent",
        "operation": "create_payment_intent",
        "worker_id": "worker-1",
        "context_id": "context-1",
        "status": "succeeded",
        "attempts": 2,
    }
    record |= {name: changes.pop(name) for name in [*changes] if name in (*record, "waiting")}
    record |= {"retry_at": changes.pop("retry_at", None)}
    flow = FlowPath(
        entry_id=ENTRY_ID, published_at=NOW_S + 0.5, entry=entry(), state=state or NotRead()
    )
    fields = {
        "times": SlotTimes(),
        "hops": (),
        "trace_id": None,
        "held_back_by": (),
        "proven_by": None,
        "looks": None,
        "flows": (flow,) if state else (),
        "follow_ups": (),
    }
    return Trace(record=RequestRecord(**record), **{**fields, **changes})


def test_each_hop_has_its_time_and_the_time_since_the_hop_before() -> None:
    hops = (
        Hop(kind=HopKind.ACCEPTED, at=NOW_S),
        Hop(kind=HopKind.SENT, at=NOW_S + 0.25, attempt=2),
        Hop(kind=HopKind.ANSWERED, at=NOW_S + 86_400, stripe_request_id="req_1"),
        Hop(kind=HopKind.PUBLISHED, at=NOW_S + 86_399.999, entry_id=ENTRY_ID),
    )
    lines = described(trace(hops=hops, trace_id=TRACE_ID), NOW_S)
    assert lines == [
        "pdr_1  succeeded",
        "  create_payment_intent for worker-1, context-1",
        f"  trace {TRACE_ID}",
        "  2027-01-15 (UTC)",
        "  08:00:00.000                accepted",
        "  08:00:00.250      +0.250 s  sent to Stripe, attempt 2",
        "  2027-01-16 (UTC)",
        "  08:00:00.000  +86399.750 s  answered, req_1",
        f"  07:59:59.999      -0.001 s  published, entry {ENTRY_ID}",
    ]


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (NotRead(), "no runner has read it"),
        (Pending(1, behind_another=True), "waits for an earlier entry of its context, 1 run"),
        (Pending(2, behind_another=False), "waits for its turn, 2 runs"),
        (Running(1, NOW_S + 30), "running, 1 run, its lease ends in 30 s"),
        (Postponed(0, NOW_S + 9), "postponed for 9 s, 0 runs"),
        (
            Postponed(3, NOW_S + 9, failed=3),
            "run 3 failed, the next one is at 08:00:09.000, in 9 s",
        ),
        (
            Postponed(0, NOW_S + 9, missing_since=NOW_S),
            "no worker has had its script since 08:00:00.000, the next look is in 9 s",
        ),
        (Finished(NOW_S + 1, 1), "finished 08:00:01.000, +0.500 s, 1 run"),
        (Dead(NOW_S + 1, 5, "boom"), "on the dead stream since 08:00:01.000, 5 runs, boom"),
        (Rerun(NOW_S + 1, 5), "5 runs failed, put back at 08:00:01.000 to run again"),
        (Over(), "finished or dead, and its time is not kept"),
    ],
    ids=lambda state: getattr(state, "name", ""),
)
def test_each_state_of_a_flow_is_a_sentence(state: FlowState, said: str) -> None:
    text = " ".join(" ".join(described(trace(state=state), NOW_S)).split())
    assert f"new_create_payment_intent_response: {said}" in text


def test_a_request_that_waits_says_until_when_and_why() -> None:
    waiting = Waiting(why=Why.PAUSED, lane=Lane.BATCH)
    lines = described(trace(status="retrying", retry_at=NOW_S + 7, waiting=waiting), NOW_S)
    text = " ".join(" ".join(lines).split())
    assert "next attempt in 7 s it waits because lane batch is paused" in text


def test_an_unknown_outcome_says_what_settles_it() -> None:
    looks = PlaceLooks("test acct_1", "product", 3, NOW_S - 300, None, NOW_S + 60, None)
    times = SlotTimes(in_doubt=True, event_id="evt_1", repeats=1, open_sends=2)
    told = trace(status="unknown", times=times, looks=looks, proven_by="its list")
    text = " ".join(" ".join(described(told, NOW_S)).split())
    assert "sends without a known end: 2" in text
    assert "only an answer or a proof settles it" in text
    assert "evt_1 is kept" in text
    assert "proven by: its list" in text
    assert "unknown in test acct_1, product: 3, since 5m, next look in 60s" in text


any_text = st.text(max_size=300)


@given(any_text, any_text, any_text, any_text)
def test_no_text_of_others_breaks_a_line_moves_the_cursor_or_shows_a_key(
    worker_id: str, context_id: str, reason: str, status: str
) -> None:
    told = trace(
        state=Dead(NOW_S, 1, f"{reason}\x1b[2J{KEY}"),
        worker_id=f"{worker_id}\u202e{KEY}",
        context_id=context_id,
        hops=(Hop(kind=HopKind.ANSWERED, at=NOW_S, stripe_request_id=reason),),
        follow_ups=(TracedFollowUp("pdr_2", status),),
    )
    lines = described(told, NOW_S)
    assert max(map(len, lines)) <= WIDTH
    assert [printable(line) for line in lines] == lines
    assert KEY not in "".join("".join(lines).split())


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command read a store with one request."""
    clock, slots = MemoryClock(), MemorySlots()
    claim = claim_of(envelope(), "local", NOW_S)
    MemoryRequestStore(slots, clock).mark_queued([claim])
    inbox = MemoryInbox(clock)
    inbox.put(entry(outcome=make_success()))
    board = MemoryLimitBoard(MemoryLimiter(clock), MemoryKeyBreakers(clock))

    @asynccontextmanager
    async def ports() -> AsyncIterator[TracePorts]:
        traces = MemoryTraces(slots, inbox)
        yield TracePorts(traces=traces, doubts=MemoryDoubts(clock), limits=board)

    monkeypatch.setattr(compose, "trace_ports", ports)
    monkeypatch.setenv("QUEUE_TENANT", "local")


@pytest.mark.usefixtures("stored")
def test_the_command_prints_the_path(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "pdr_1", "--trace"]) == 0
    out = capsys.readouterr().out
    assert "on the queue" in out
    assert "new_create_payment_intent_response: no runner has read it" in out


@pytest.mark.usefixtures("stored")
def test_the_command_prints_the_path_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "pdr_1", "--trace", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [hop["hop"] for hop in shown["hops"]] == ["accepted", "queued", "published"]
    assert shown["flows"][0]["state"] == "not_read"


@pytest.mark.usefixtures("stored")
def test_a_request_that_is_not_known_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "pdr_2", "--trace"]) == 1
    assert "There is no request pdr_2." in capsys.readouterr().err


def test_the_path_is_read_from_redis_and_not_from_the_api() -> None:
    with pytest.raises(SystemExit):
        main(["status", "pdr_1", "--trace", "--api", "https://api.example.com"])
