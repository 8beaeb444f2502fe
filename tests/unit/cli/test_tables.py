"""A table that is wider than the terminal becomes a paragraph for each row, and no line is wider than 80 columns."""

from __future__ import annotations

import time
from typing import Any

import pytest

from paydispatch.cli import dlq_report
from paydispatch.cli.commands import doctor
from paydispatch.cli.tables import show_table
from paydispatch.cli.terminal import open_console
from paydispatch.local.demo import report

ID = "pdr_01m82qt6xzezdwnvs8qmdew3r2"
HEADERS = ("request", "reason", "next")
LONG_ROW = (ID, "the breaker of this account is open " * 3, "close it")


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def finding(**fields: Any) -> dict[str, Any]:
    now_s = time.time()
    return {
        "request_id": ID,
        "operation": "create_payment_intent",
        "object": "payment_intent",
        "worker_id": "payment-worker-1",
        "since": now_s - 600,
        "reason": "on the queue",
        "detail": "3 attempts, the last ended with http error 503 of Stripe",
        "next_step": "the queue delivers it again",
        "expected_at": now_s + 60,
        **fields,
    }


def diagnosis(**fields: Any) -> dict[str, Any]:
    empty = dict.fromkeys(("findings", "looks", "holds", "streams", "queues"), ())
    more = {"more_findings": False, "more_workers": False}
    return {**empty, **more, "eviction_policy": "noeviction", "evicts": False, **fields}


def stream(dead: int) -> dict[str, Any]:
    return {"worker_id": "payment-worker-1", "pending": 0, "unread": 0, "dead": dead}


def message() -> dict[str, Any]:
    return {
        "id": ID,
        "object": "payment_intent",
        "operation": "create_payment_intent",
        "worker_id": "payment-worker-1",
        "account": None,
        "age_s": 7200.0,
        "kind": "http",
        "reason": "timeout after 5 attempts",
        "status": "unknown",
        "redrive": "goes to reconcile: its idempotency key is too old",
        "action": "left",
    }


def is_narrow(printed: str) -> bool:
    return all(len(line) <= 80 for line in printed.splitlines())


def test_a_table_that_fits_keeps_a_line_for_each_row(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(HEADERS, [(ID, "queued", "wait")])

    assert capsys.readouterr().out.splitlines()[1].split() == [ID, "queued", "wait"]


@pytest.mark.usefixtures("narrow")
def test_a_table_that_does_not_fit_becomes_a_paragraph_for_each_row(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show_table(HEADERS, [LONG_ROW, (ID, "", "wait")])

    printed = capsys.readouterr().out
    assert printed.splitlines()[0] == ID
    assert "  next    close it" in printed.splitlines()
    assert printed.splitlines()[-2:] == [ID, "  next    wait"]
    assert is_narrow(printed)


@pytest.mark.usefixtures("narrow")
def test_an_id_that_is_longer_than_a_line_is_not_cut(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(HEADERS, [("x" * 100, *LONG_ROW[1:])])

    assert "x" * 100 in capsys.readouterr().out


@pytest.mark.usefixtures("narrow")
def test_the_doctor_is_readable_at_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    doctor._show(diagnosis(findings=[finding(), finding(expected_at=None)]), 300.0)

    printed = capsys.readouterr().out
    assert "the queue delivers it again" in printed
    assert is_narrow(printed)


@pytest.mark.usefixtures("narrow")
def test_the_list_of_parked_messages_is_readable_at_80_columns(
    capsys: pytest.CaptureFixture[str],
) -> None:
    dlq_report.show_walk({"messages": [message()], "may_be_more": False}, 10, as_json=False)

    printed = capsys.readouterr().out
    assert "goes to reconcile" in printed
    assert is_narrow(printed)


@pytest.mark.usefixtures("narrow")
def test_the_report_of_the_demo_is_readable_at_80_columns(
    capsys: pytest.CaptureFixture[str],
) -> None:
    times = dict.fromkeys(("on_the_queue_ms", "stripe_ms", "total_ms"), 1234.0)
    row: dict[str, Any] = {
        "what": "a conversation: authorise",
        "flow": "new_capture_payment_intent_response",
        "error_kind": "dispatcher",
        "error_code": "flow_failed",
        "certainty": "not_executed",
        "stripe_attempts": 5,
        "flow_runs": 3,
        "create_async_us": 1234.0,
        "ok": False,
        **times,
    }
    report.show(open_console(), [row], started_s=10.0, took_s=10.0)

    printed = capsys.readouterr().out
    assert "5 attempts at Stripe" in printed
    assert is_narrow(printed)


@pytest.mark.parametrize(
    ("dead", "headline"),
    [
        (0, "No request has waited longer than 5m."),
        (1, "No request has waited longer than 5m, but a flow failed for good"),
        (2, "No request has waited longer than 5m, but 2 flows failed for good"),
    ],
)
def test_the_headline_of_the_doctor_names_the_flows_that_failed_for_good(
    dead: int, headline: str, capsys: pytest.CaptureFixture[str]
) -> None:
    doctor._show(diagnosis(streams=[stream(dead)] if dead else []), 300.0)

    assert capsys.readouterr().out.startswith(headline)


@pytest.mark.parametrize(("no_color", "plain"), [("1", True), ("", False)])
def test_no_color_prints_no_escape_sequence(
    no_color: str, plain: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")

    show_table(HEADERS, [(ID, "queued", "wait")])

    assert ("\x1b" not in capsys.readouterr().out) is plain
