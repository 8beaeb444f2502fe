"""Foreign text controls no terminal of an operator and forges no line, in any report."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.examples import KEY, NOW_S, envelope

from paydispatch.adapters.command_event_log import CommandEventLog
from paydispatch.cli import dlq_report
from paydispatch.cli.commands import doctor, reconcile, status
from paydispatch.cli.event_log import show_event_log
from paydispatch.cli.submission.report_page import show_report as show_submission
from paydispatch.cli.tables import show_table
from paydispatch.cli.terminal import complain, open_console, say, say_json, show_traceback
from paydispatch.domain.operators.diagnosis import Finding, Reason
from paydispatch.domain.operators.redrive import Parked, plan_redrive, read_parked
from paydispatch.domain.text.printable import printable, printable_lines
from paydispatch.local.demo import report
from paydispatch.local.failures import describe_failure
from paydispatch.services.looks.verdicts import Reconciled, Verdict
from paydispatch.services.operate.parked import in_full, in_short
from paydispatch.services.redrive_message import Examined
from paydispatch.services.submission.report import Refusal, Report

if TYPE_CHECKING:
    from collections.abc import Callable

EVIL = f"\x1b]0;owned\x07\x1b[2J\r\n\x9b31m\u202efdp.\u2066[red]x[/red] {KEY}"
"""It sets the title, clears the screen, begins a line, reverses the direction, has rich's markup, and holds a key."""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, ä, 茶, 🍵", "plain, ä, 茶, 🍵"),
        ("\x1b[2J", r"\x1b[2J"),
        ("a\nb\r\tc\x00\x7f", r"a\nb\r\tc\x00\x7f"),
        ("\x9b31m", r"\x9b31m"),
        ("\u202eabc\u2069\u200f\u061c", r"\u202eabc\u2069\u200f\u061c"),
        ("a\u2028b", r"a\u2028b"),
        ("half \ud800", r"half \ud800"),
        (f"Bearer {KEY}", "Bearer sk_test_[hidden]"),
        (7, "7"),
    ],
)
def test_a_printable_text_is_one_line_without_control_characters(text: object, shown: str) -> None:
    assert printable(text) == shown


def test_printable_lines_keeps_line_breaks() -> None:
    assert printable_lines("a\n\x1bb") == "a\n\\x1bb"


def show_dead_letter() -> None:
    parked = Parked("m-1", "r-1", envelope(context_id="c").as_message(), NOW_S, reason=EVIL)
    read = read_parked(parked)
    one = Examined(parked, read, EVIL, plan_redrive(read, parked, None, None, NOW_S, deadline_s=60))
    walk = {"messages": [in_short(one, NOW_S)], "may_be_more": False}
    dlq_report.show_walk(walk, 10, as_json=False)
    dlq_report.show_walk(walk, 10, as_json=True)
    say_json(in_full(one, NOW_S), indent=2)


def show_status() -> None:
    error = {"kind": "api", "certainty": "not_created", "message": EVIL}
    found = dict.fromkeys(("request_id", "status", "operation", "worker_id"), EVIL)
    found |= {"context_id": EVIL, "attempts": 1, "parsed_error": error, "parsed_data": {"id": EVIL}}  # type: ignore[dict-item]
    for line in status._lines(found):
        say(line)


def show_report() -> None:
    report = Report(refused=[Refusal(1, EVIL, EVIL)])
    target = f"https://api.example.com/{EVIL}"
    show_submission(report, target, Path("x.submitted"), outcomes=None, as_json=False)


def show_fault() -> None:
    with show_event_log(verbose=True):
        CommandEventLog().info("an.event", why=EVIL)
        try:
            raise ValueError(EVIL)
        except ValueError:
            CommandEventLog().warning("a.fault", why=EVIL)


def show_error() -> None:
    try:
        raise ValueError(EVIL)
    except ValueError as error:
        show_traceback(type(error), error, error.__traceback__)


def show_finding() -> None:
    finding = Finding(
        request_id=EVIL,
        worker_id=EVIL,
        object=EVIL,
        reason=next(iter(Reason)),
        detail=EVIL,
        next_step=EVIL,
        since=NOW_S,
    )
    show_table(doctor.COLUMNS, [doctor._row(asdict(finding))])


def show_unknown() -> None:
    one = Reconciled(EVIL, EVIL, Verdict.UNKNOWN, EVIL, EVIL)
    report = {"counts": {"unknown": 1}, "left": 0, "requests": [asdict(one)]}
    reconcile._show(report, as_json=False)


def show_demo() -> None:
    times: dict[str, Any] = dict.fromkeys(("on_the_queue_ms", "stripe_ms", "total_ms"), 1.0)
    row = {"what": "a product", "flow": "f", "ok": True, "create_async_us": 1.0, **times}
    error = {"error_kind": "api", "error_code": EVIL, "certainty": EVIL}
    attempts = {"stripe_attempts": 2, "flow_runs": 1}
    report.show(open_console(), [{**row, **error, **attempts}], started_s=1.0, took_s=1.0)


def show_failure() -> None:
    fields = {"message": "request.settled", "error_kind": "api", "request_id": EVIL}
    complain(describe_failure({**fields, "error_message": EVIL, "flow": EVIL}))


SHOWN: dict[str, Callable[[], None]] = {
    "a table": lambda: show_table(["id"], [[EVIL]]),
    "JSON": lambda: say_json({"a": EVIL, EVIL: 1}),
    "a complaint": lambda: complain(EVIL),
    "dlq": show_dead_letter,
    "demo": show_demo,
    "doctor": show_finding,
    "local": show_failure,
    "reconcile": show_unknown,
    "status": show_status,
    "submit": show_report,
    "the event log": show_fault,
    "a fault in paydispatch": show_error,
}


@pytest.mark.parametrize("show", SHOWN.values(), ids=SHOWN)
def test_no_report_prints_a_control_character_or_a_key(
    show: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    show()
    printed = "".join(capsys.readouterr())
    assert "owned" in printed
    assert not set(printed) & set("\x1b\x07\r\x9b\u202e\u2066\x7f")
    assert KEY not in printed


def test_the_markup_of_rich_in_foreign_text_is_shown_as_text(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show_demo()
    show_table(["id"], [["[red]x[/red]"]])
    assert capsys.readouterr().out.count("[red]x[/red]") == 3


@given(text=st.text())
@pytest.mark.parametrize("columns", ["20", "200"])
@pytest.mark.parametrize(
    "show", [say, complain, say_json, lambda text: show_table("ab", [[text] * 2])]
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_text_at_all_reaches_the_terminal_as_a_control_character(
    show: Callable[[str], None],
    columns: str,
    text: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    capsys.readouterr()
    show(text)
    lines = "".join(capsys.readouterr()).split("\n")
    assert [line for line in lines if printable(line) != line] == []


def test_json_stays_json(capsys: pytest.CaptureFixture[str]) -> None:
    say_json({"a": "\x1b\x7f\u202e"})
    assert json.loads(capsys.readouterr().out) == {"a": "\x1b\x7f\u202e"}
